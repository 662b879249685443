//! What was counted, within a selection of days, as every form of the report shows it.
//!
//! Visitors and addresses are exact for a day, and for a page on a day. Over several days the report gives sums of
//! days, and says so: an id is another one every day, so that nobody can be followed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::{Serialize, Serializer};

use super::exclusions::rank;
use super::selection::{DaySelection, date};
use super::tally::{Networks, Tally, parted};

/// A day with fewer views says nothing about who made most of them.
const VIEWS_TO_JUDGE_MIN: u64 = 20;

/// The longest period whose days without any event are shown too: a year and a bit. One line with a wrong year must
/// not make thousands of empty days.
const CALENDAR_DAYS_MAX: i32 = 400;

/// A day of a site, as in the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayRow<'a> {
    /// `YYYY-MM-DD`.
    pub day: &'a str,
    /// The site.
    pub site: &'a str,
    /// Page views.
    pub page_views: u64,
    /// Different visitors with at least one of them.
    pub visitors: u64,
    /// Different addresses with at least one of them.
    pub addresses: u64,
    /// All events.
    pub events: u64,
    /// Events that are no page views, by reason, in the order of the rules.
    #[serde(serialize_with = "as_object")]
    pub excluded: Vec<(&'a str, u64)>,
}

/// A page on a day of a site, as in the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PageRow<'a> {
    /// `YYYY-MM-DD`.
    pub day: &'a str,
    /// The site.
    pub site: &'a str,
    /// The page key.
    pub page: &'a str,
    /// Page views.
    pub page_views: u64,
    /// Different visitors.
    pub visitors: u64,
    /// Different addresses.
    pub addresses: u64,
}

/// Everything together, as in the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Events of the selected days, and those without a day.
    pub events: u64,
    /// Page views of the selected days.
    pub page_views: u64,
    /// Events in which no request could be read.
    pub malformed: u64,
    /// Events without a day, which belong to no selection and are always here.
    pub undated: u64,
}

/// The sums of some days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Page views.
    pub page_views: u64,
    /// Visitors of each day.
    pub visitors: u64,
    /// Addresses of each day.
    pub addresses: u64,
    /// Events.
    pub events: u64,
}

/// A page or a site with the sums of its days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked<'a> {
    /// The site.
    pub site: &'a str,
    /// The page; empty for a site.
    pub page: &'a str,
    /// Its numbers; `events` only for a site.
    pub sums: Sums,
}

/// Something about the numbers that a person should know before believing them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// All addresses of views are of private networks.
    AllPrivate,
    /// One address has more than half of a day's views.
    OneClient {
        /// The day.
        day: String,
        /// The site.
        site: String,
        /// Its views.
        views: u64,
        /// Those of all.
        of: u64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllPrivate => formatter.write_str(
                "all addresses are private: the log seems to show a proxy instead of the visitors; log X-Forwarded-For and set client_address.header and client_address.trusted",
            ),
            Self::OneClient { day, site, views, of } => {
                let at = if site.is_empty() { String::new() } else { format!(" of {site}") };
                write!(
                    formatter,
                    "one address has {views} of the {of} page views{at} on {day}: a proxy, a monitor or a robot; see client_address.trusted and page_views.exclude.addresses"
                )
            }
        }
    }
}

/// The numbers of a selection of days.
#[derive(Debug)]
pub struct Report<'a> {
    tally: &'a Tally,
    /// For each day of a site: whether it is selected.
    is_selected: Vec<bool>,
    cell_visitors: Vec<u32>,
    cell_addresses: Vec<u32>,
    days: Vec<DayRow<'a>>,
    totals: Totals,
    warnings: Vec<Warning>,
}

impl<'a> Report<'a> {
    /// Takes the selected days of what was counted.
    #[must_use]
    pub fn new(tally: &'a Tally, selection: &DaySelection) -> Self {
        let numbers = 0..u32::try_from(tally.day_sites.len()).expect("numbers are 32 bits wide");
        let days = numbers.clone().map(|number| day_and_site(tally, number).0);
        let range = selection.range(days);
        let is_selected: Vec<bool> = numbers
            .clone()
            .map(|number| {
                let day = day_and_site(tally, number).0;
                range.as_ref().is_some_and(|(first, last)| *first.as_str() <= *day && *day <= *last.as_str())
            })
            .collect();
        let cell_day_site = |cell: u32| parted(tally.cells.key(cell)).0;
        let selected = |cell: u32| is_selected[cell_day_site(cell) as usize];
        let day_site = |cell: u32| selected(cell).then(|| cell_day_site(cell));
        let visitors = tally.visitors.partners(is_selected.len(), day_site);
        let addresses = tally.clients.partners(is_selected.len(), day_site);
        let mut days: Vec<DayRow<'a>> = numbers
            .filter(|number| is_selected[*number as usize])
            .map(|number| {
                let at = number as usize;
                day_row(tally, number, (visitors[at].into(), addresses[at].into()))
            })
            .collect();
        days.sort_unstable_by_key(|row| (row.day, row.site));
        let cells = |cell: u32| selected(cell).then_some(cell);
        let cell_visitors = tally.visitors.partners(tally.cells.len(), cells);
        let cell_addresses = tally.clients.partners(tally.cells.len(), cells);
        let totals = totals(tally, &days);
        let warnings = warnings(tally, &is_selected);
        Self { tally, is_selected, cell_visitors, cell_addresses, days, totals, warnings }
    }

    /// Every day of every site, by day and site.
    #[must_use]
    pub fn days(&self) -> &[DayRow<'a>] {
        &self.days
    }

    /// Everything together.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// What a person should know before believing the numbers.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Every page on every day of every site, by day, site and page.
    pub fn pages(&self) -> impl Iterator<Item = PageRow<'a>> + '_ {
        let tally = self.tally;
        let names = |cell: u32| {
            let (day_site, page) = parted(tally.cells.key(cell));
            let (day, site) = parted(tally.day_sites.key(day_site));
            [tally.names.days.name(day), tally.names.sites.name(site), tally.names.pages.name(page)]
        };
        let mut order: Vec<u32> = self.selected_cells().collect();
        order.sort_unstable_by(|one, other| names(*one).cmp(&names(*other)));
        order.into_iter().map(move |cell| {
            let [day, site, page] = names(cell).map(text_of);
            let Sums { page_views, visitors, addresses, .. } = self.cell_sums(cell);
            PageRow { day, site, page, page_views, visitors, addresses }
        })
    }

    /// The pages with the most views over all selected days, at most `rows_max`, and how many pages there are.
    #[must_use]
    pub fn top_pages(&self, rows_max: usize) -> (Vec<Ranked<'a>>, usize) {
        let site_and_page = |cell: u32| {
            let (day_site, page) = parted(self.tally.cells.key(cell));
            (parted(self.tally.day_sites.key(day_site)).1, page)
        };
        let mut order: Vec<((u32, u32), u32)> =
            self.selected_cells().map(|cell| (site_and_page(cell), cell)).collect();
        order.sort_unstable();
        let mut pages: Vec<((u32, u32), Sums)> = Vec::new();
        for (key, cell) in order {
            let sums = self.cell_sums(cell);
            match pages.last_mut() {
                Some((last, before)) if *last == key => before.add(sums),
                Some(_) | None => pages.push((key, sums)),
            }
        }
        let names = &self.tally.names;
        let rank = |((site, page), sums): &((u32, u32), Sums)| {
            (Reverse(sums.page_views), names.pages.name(*page), names.sites.name(*site))
        };
        let order = |one: &((u32, u32), Sums), other: &((u32, u32), Sums)| rank(one).cmp(&rank(other));
        let found = pages.len();
        if rows_max < found && rows_max > 0 {
            pages.select_nth_unstable_by(rows_max - 1, order);
        }
        pages.truncate(rows_max);
        pages.sort_unstable_by(order);
        let ranked = |&((site, page), sums): &((u32, u32), Sums)| {
            let (site, page) = (text_of(names.sites.name(site)), text_of(names.pages.name(page)));
            Ranked { site, page, sums }
        };
        (pages.iter().map(ranked).collect(), found)
    }

    /// The sites by their views over all selected days.
    #[must_use]
    pub fn sites(&self) -> Vec<Ranked<'a>> {
        let mut sites: BTreeMap<&'a str, Sums> = BTreeMap::new();
        for row in &self.days {
            sites.entry(row.site).or_default().add(row.into());
        }
        let mut sites: Vec<Ranked<'a>> =
            sites.into_iter().map(|(site, sums)| Ranked { site, page: "", sums }).collect();
        sites.sort_by_key(|site| Reverse(site.sums.page_views));
        sites
    }

    /// All sites of each day together. Days without any event between others are there too, if the period is not too
    /// long for that.
    #[must_use]
    pub fn calendar(&self) -> Vec<(String, Sums)> {
        let mut days: BTreeMap<String, Sums> = BTreeMap::new();
        for row in &self.days {
            days.entry(row.day.to_owned()).or_default().add(row.into());
        }
        let ends =
            (days.keys().next().and_then(|day| date(day)), days.keys().next_back().and_then(|day| date(day)));
        if let (Some(first), Some(last)) = ends
            && (last - first).get_days() <= CALENDAR_DAYS_MAX
        {
            for day in first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last) {
                days.entry(day.to_string()).or_default();
            }
        }
        days.into_iter().collect()
    }

    /// The sums of all selected days.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        self.days.iter().for_each(|row| sums.add(row.into()));
        sums
    }

    /// Why events of the selected days do not count, in the order of the rules.
    #[must_use]
    pub fn excluded(&self) -> Vec<(&'a str, u64)> {
        let mut reasons: HashMap<&'a str, u64> = HashMap::new();
        for (reason, events) in self.days.iter().flat_map(|row| &row.excluded) {
            *reasons.entry(reason).or_default() += events;
        }
        let mut reasons: Vec<(&'a str, u64)> = reasons.into_iter().collect();
        reasons.sort_unstable_by_key(|(reason, _)| (rank(reason), *reason));
        reasons
    }

    /// Where views came from.
    #[must_use]
    pub fn referrers(&self) -> Referrers<'a> {
        let mut hosts: HashMap<u32, u64> = HashMap::new();
        let (mut own, mut all) = (0, 0);
        for ((day_site, host), views) in &self.tally.referrers {
            if !self.is_selected[*day_site as usize] {
                continue;
            }
            all += views;
            if self.tally.names.hosts.name(*host) == day_and_site(self.tally, *day_site).1.as_bytes() {
                own += views;
            } else {
                *hosts.entry(*host).or_default() += views;
            }
        }
        let hosts =
            hosts.into_iter().map(|(host, views)| (text_of(self.tally.names.hosts.name(host)), views));
        Referrers { hosts: ranked(hosts), own, unknown: self.totals.page_views - all }
    }

    /// Crawlers by the number of their events.
    #[must_use]
    pub fn bots(&self) -> Vec<(&'a str, u64)> {
        let mut bots: HashMap<u32, u64> = HashMap::new();
        for ((day_site, bot), events) in &self.tally.bots {
            if self.is_selected[*day_site as usize] {
                *bots.entry(*bot).or_default() += events;
            }
        }
        ranked(bots.into_iter().map(|(bot, events)| (text_of(self.tally.names.bots.name(bot)), events)))
    }

    fn selected_cells(&self) -> impl Iterator<Item = u32> + '_ {
        let numbers = 0..u32::try_from(self.tally.cells.len()).expect("numbers are 32 bits wide");
        numbers.filter(|cell| self.is_selected[parted(self.tally.cells.key(*cell)).0 as usize])
    }

    fn cell_sums(&self, cell: u32) -> Sums {
        let at = cell as usize;
        Sums {
            page_views: self.tally.cell_views[at].into(),
            visitors: self.cell_visitors[at].into(),
            addresses: self.cell_addresses[at].into(),
            events: 0,
        }
    }
}

/// Where views came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Referrers<'a> {
    /// Other hosts, the most views first.
    pub hosts: Vec<(&'a str, u64)>,
    /// Views that came from the same site.
    pub own: u64,
    /// Views that say nothing.
    pub unknown: u64,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.page_views += other.page_views;
        self.visitors += other.visitors;
        self.addresses += other.addresses;
        self.events += other.events;
    }
}

impl From<&DayRow<'_>> for Sums {
    fn from(row: &DayRow<'_>) -> Self {
        let DayRow { page_views, visitors, addresses, events, .. } = *row;
        Self { page_views, visitors, addresses, events }
    }
}

fn day_row(tally: &Tally, number: u32, (visitors, addresses): (u64, u64)) -> DayRow<'_> {
    let (day, site) = day_and_site(tally, number);
    let counts = &tally.day_site_counts[number as usize];
    let reasons = (0..).zip(&counts.excluded).filter(|(_, events)| **events > 0);
    let mut excluded: Vec<(&str, u64)> =
        reasons.map(|(reason, events)| (text_of(tally.names.reasons.name(reason)), *events)).collect();
    excluded.sort_unstable_by_key(|(reason, _)| (rank(reason), *reason));
    DayRow { day, site, page_views: counts.views, visitors, addresses, events: counts.events, excluded }
}

fn totals(tally: &Tally, days: &[DayRow<'_>]) -> Totals {
    let malformed = days
        .iter()
        .flat_map(|row| &row.excluded)
        .filter(|(reason, _)| *reason == "malformed")
        .map(|(_, events)| events);
    Totals {
        events: tally.undated + days.iter().map(|row| row.events).sum::<u64>(),
        page_views: days.iter().map(|row| row.page_views).sum(),
        malformed: tally.undated_malformed + malformed.sum::<u64>(),
        undated: tally.undated,
    }
}

fn warnings(tally: &Tally, is_selected: &[bool]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if tally.networks == Networks::Private {
        warnings.push(Warning::AllPrivate);
    }
    let day_site = |cell: u32| parted(tally.cells.key(cell)).0;
    let busiest = tally.clients.each(day_site).filter_map(|(day_site, client)| {
        let (views, of) =
            (u64::from(tally.client_views[client as usize]), tally.day_site_counts[day_site as usize].views);
        let is_most = views <= of && views * 2 > of && of >= VIEWS_TO_JUDGE_MIN;
        (is_most && is_selected[day_site as usize]).then_some((views, of, day_site))
    });
    let named = busiest.map(|(views, of, day_site)| (views, of, day_and_site(tally, day_site)));
    if let Some((views, of, (day, site))) =
        named.max_by_key(|(views, of, name)| (*views, *of, Reverse(*name)))
    {
        warnings.push(Warning::OneClient { day: day.to_owned(), site: site.to_owned(), views, of });
    }
    warnings
}

fn day_and_site(tally: &Tally, number: u32) -> (&str, &str) {
    let (day, site) = parted(tally.day_sites.key(number));
    (text_of(tally.names.days.name(day)), text_of(tally.names.sites.name(site)))
}

/// Names come from JSON and are UTF-8; of a caller who breaks that, the beginning that is.
fn text_of(name: &[u8]) -> &str {
    name.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

fn ranked<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> Vec<(&'a str, u64)> {
    let mut counts: Vec<(&'a str, u64)> = counts.collect();
    counts.sort_unstable_by_key(|(name, count)| (Reverse(*count), *name));
    counts
}

fn as_object<S: Serializer>(pairs: &[(&str, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

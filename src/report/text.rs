//! The report for a terminal: tables, with a bar beside each number that matters.
//!
//! Names stem from requests: each passes `terminal::escape`. Colours are removed by the caller where none are wanted.

use super::exclusions::meaning;
use super::model::{Ranked, Report, Sums};
use crate::io::table::{self, Align, BOLD, DIM, RESET};
use crate::io::terminal;

/// Widest bar, in characters: with the numbers before it a line still fits 80 columns.
const BAR_CHARACTERS: u64 = 20;

/// Longest name that is shown; `--json` has it whole.
const NAME_CHARACTERS_MAX: usize = 80;

/// What the rows of the report are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Pages, over all days.
    Page,
    /// Sites, over all days.
    Site,
    /// Days.
    Day,
    /// Hosts that visitors came from.
    Referrer,
    /// Crawlers.
    Bot,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// One table alone; an overview where nothing is named.
    pub by: Option<By>,
    /// Rows of a ranking.
    pub rows_max: usize,
}

/// Rows of the rankings beside the pages in an overview.
const OVERVIEW_ROWS_MAX: usize = 5;

/// The report, its lines ended by newlines.
#[must_use]
pub fn text(report: &Report<'_>, options: TextOptions) -> String {
    if report.days().is_empty() {
        return no_days(report);
    }
    match options.by {
        None => overview(report, options.rows_max),
        Some(By::Page) => pages(report, options.rows_max),
        Some(By::Site) => sites(report),
        Some(By::Day) => days(report),
        Some(By::Referrer) => referrers(report, options.rows_max),
        Some(By::Bot) => bots(report, options.rows_max),
    }
}

fn no_days(report: &Report<'_>) -> String {
    match report.totals().undated {
        0 => "No events in these days.\n".to_owned(),
        undated => format!("No events in these days; {} without a day.\n", table::count(undated, "event")),
    }
}

fn overview(report: &Report<'_>, rows_max: usize) -> String {
    let mut text = days(report);
    if has_sites(report) {
        text.push('\n');
        text.push_str(&sites(report));
    }
    let pages = pages(report, rows_max);
    let referrers = referrers(report, OVERVIEW_ROWS_MAX.min(rows_max));
    let bots = bots(report, OVERVIEW_ROWS_MAX.min(rows_max));
    for part in [pages, referrers, excluded(report), bots].iter().filter(|part| !part.is_empty()) {
        text.push('\n');
        text.push_str(part);
    }
    text.push('\n');
    text.push_str(&totals(report));
    text
}

fn days(report: &Report<'_>) -> String {
    let calendar = report.calendar();
    let most = calendar.iter().map(|(_, sums)| sums.page_views).max().unwrap_or(0);
    let row = |(day, sums): &(String, Sums)| {
        let mut cells = vec![day.clone()];
        cells.extend(numbers(sums));
        cells.push(bar(sums.page_views, most));
        cells
    };
    let heading = [
        ("day", Align::Left),
        ("page views", Align::Right),
        ("visitors", Align::Right),
        ("addresses", Align::Right),
        ("", Align::Left),
    ];
    table::table(&heading, &calendar.iter().map(row).collect::<Vec<_>>())
}

fn sites(report: &Report<'_>) -> String {
    let sites = report.sites();
    let most = sites.first().map_or(0, |site| site.sums.page_views);
    ranking(("site", most), sites.iter().map(|site| (&site.sums, shown(site.site))))
}

fn pages(report: &Report<'_>, rows_max: usize) -> String {
    let (pages, found) = report.top_pages(rows_max);
    if found == 0 {
        return String::new();
    }
    let most = pages.first().map_or(0, |page| page.sums.page_views);
    let has_sites = has_sites(report);
    let name = |page: &Ranked<'_>| match has_sites {
        true => shown(&format!("{} {}", page.site, page.page)),
        false => shown(page.page),
    };
    let mut text = ranking(("page", most), pages.iter().map(|page| (&page.sums, name(page))));
    text.push_str(&rest(pages.len(), found, "page"));
    text
}

fn ranking<'a>((title, most): (&str, u64), rows: impl Iterator<Item = (&'a Sums, String)>) -> String {
    let row = |(sums, name): (&Sums, String)| {
        let mut cells = vec![bar(sums.page_views, most)];
        cells.extend(numbers(sums));
        cells.push(name);
        cells
    };
    let heading = [
        ("", Align::Right),
        ("page views", Align::Right),
        ("visitors", Align::Right),
        ("addresses", Align::Right),
        (title, Align::Left),
    ];
    table::table(&heading, &rows.map(row).collect::<Vec<_>>())
}

fn referrers(report: &Report<'_>, rows_max: usize) -> String {
    let referrers = report.referrers();
    let own = [(referrers.own, "(the site itself)"), (referrers.unknown, "(none, or not logged)")];
    let own = own.into_iter().filter(|(views, _)| *views > 0).map(|(views, name)| (views, name.to_owned()));
    let hosts = referrers.hosts.iter().take(rows_max).map(|(host, views)| (*views, shown(host)));
    let mut text = counts(("page views", "referrer"), hosts.chain(own));
    text.push_str(&rest(rows_max.min(referrers.hosts.len()), referrers.hosts.len(), "referrer"));
    text
}

fn bots(report: &Report<'_>, rows_max: usize) -> String {
    let bots = report.bots();
    let mut text =
        counts(("events", "bot"), bots.iter().take(rows_max).map(|(bot, events)| (*events, shown(bot))));
    text.push_str(&rest(rows_max.min(bots.len()), bots.len(), "bot"));
    text
}

fn excluded(report: &Report<'_>) -> String {
    let excluded = report.excluded();
    let name = |reason: &str| match meaning(reason) {
        "" => shown(reason),
        meaning => format!("{reason}: {meaning}"),
    };
    counts(("events", "not counted"), excluded.iter().map(|(reason, events)| (*events, name(reason))))
}

fn counts((counted, title): (&str, &str), rows: impl Iterator<Item = (u64, String)>) -> String {
    let rows: Vec<(u64, String)> = rows.collect();
    let most = rows.iter().map(|(count, _)| *count).max().unwrap_or(0);
    let row = |(count, name): (u64, String)| vec![bar(count, most), table::number(count), name];
    let rows: Vec<Vec<String>> = rows.into_iter().map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    table::table(&[("", Align::Right), (counted, Align::Right), (title, Align::Left)], &rows)
}

fn totals(report: &Report<'_>) -> String {
    let totals = report.totals();
    let mut text = format!(
        "{BOLD}{}{RESET} in {}",
        table::count(totals.page_views, "page view"),
        table::count(totals.events, "event")
    );
    for (count, what) in [(totals.malformed, "malformed"), (totals.undated, "without a day")] {
        if count > 0 {
            text.push_str(&format!(", {} {what}", table::number(count)));
        }
    }
    text.push_str(".\n");
    if report.calendar().len() > 1 {
        text.push_str(&format!(
            "{DIM}Visitors and addresses of several days are sums: somebody who comes on two days counts twice.{RESET}\n"
        ));
    }
    text
}

fn numbers(sums: &Sums) -> [String; 3] {
    [sums.page_views, sums.visitors, sums.addresses].map(table::number)
}

fn rest(shown: usize, found: usize, noun: &str) -> String {
    match found.saturating_sub(shown) {
        0 => String::new(),
        more => format!(
            "{DIM}and {}; --top shows more{RESET}\n",
            table::count(more as u64, &format!("more {noun}"))
        ),
    }
}

fn has_sites(report: &Report<'_>) -> bool {
    report.days().iter().any(|row| row.site != report.days()[0].site)
}

fn shown(name: &str) -> String {
    match name {
        "" => "(none)".to_owned(),
        name => terminal::escape_short(name, NAME_CHARACTERS_MAX),
    }
}

/// A bar in eighths of a character; one that stands for anything at all is seen.
fn bar(count: u64, most: u64) -> String {
    /// One to seven eighths.
    const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    if count == 0 || most == 0 {
        return String::new();
    }
    let eighths = u128::from(count) * u128::from(BAR_CHARACTERS * 8) / u128::from(most);
    let eighths = usize::try_from(eighths).unwrap_or(usize::MAX).clamp(1, 20 * 8);
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(PARTS[eighths % 8 - 1]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{DaySelection, Seen, Tally};

    fn plain(report: &Report<'_>, by: Option<By>) -> String {
        let text = text(report, TextOptions { by, rows_max: 2 });
        anstream::adapter::strip_str(&text).to_string()
    }

    fn tally() -> Tally {
        let mut tally = Tally::default();
        for (day, page, visitor) in [
            ("2026-11-21", "/a", "1"),
            ("2026-11-21", "/a", "2"),
            ("2026-11-23", "/\x1b[2J", "1"),
            ("2026-11-23", "/c", "1"),
        ] {
            tally.add(&Seen {
                day: day.as_bytes(),
                site: b"blog",
                page: page.as_bytes(),
                is_view: true,
                visitor_id: visitor.as_bytes(),
                client_key: b"same",
                ..Seen::default()
            });
        }
        let bot =
            Seen { day: b"2026-11-23", site: b"blog", reason: b"bot", bot: b"Googlebot", ..Seen::default() };
        tally.add(&bot);
        tally
    }

    #[test]
    fn an_overview() {
        let tally = tally();
        let expect = "\
day         page views  visitors  addresses
2026-11-21           2         2          1  ████████████████████
2026-11-22           0         0          0
2026-11-23           2         1          1  ████████████████████

                      page views  visitors  addresses  page
████████████████████           2         2          1  /a
          ██████████           1         1          1  /\\x1B[2J
and 1 more page; --top shows more

                      page views  referrer
████████████████████           4  (none, or not logged)

                      events  not counted
████████████████████       1  bot: crawlers and other programs

                      events  bot
████████████████████       1  Googlebot

4 page views in 5 events.
Visitors and addresses of several days are sums: somebody who comes on two days counts twice.
";
        let text = plain(&Report::new(&tally, &DaySelection::All), None);
        assert_eq!(text.lines().map(str::trim_end).collect::<Vec<_>>(), expect.lines().collect::<Vec<_>>());
    }

    #[test]
    fn one_table_and_none() {
        let tally = tally();
        let report = Report::new(&tally, &DaySelection::day("2026-11-23").unwrap());
        assert!(plain(&report, Some(By::Site)).ends_with("2         1          1  blog\n"));
        assert_eq!(plain(&report, Some(By::Day)).lines().count(), 2);
        let report = Report::new(&tally, &DaySelection::day("2026-11-01").unwrap());
        assert_eq!(plain(&report, None), "No events in these days.\n");
    }

    #[test]
    fn a_bar_is_seen_and_fits() {
        assert_eq!(
            (bar(0, 9), bar(1, 1_000_000), bar(9, 9)),
            (String::new(), "▏".to_owned(), "█".repeat(20))
        );
        assert_eq!(bar(u64::MAX, u64::MAX).chars().count(), 20);
    }
}

//! Page views, visitors and addresses per day and views per page, counted simply.
//!
//! The same counting is fed by the writer of the log, who knows the truth, and by what the events of the topic say.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All lines.
    pub lines: u64,
    days: BTreeMap<String, Day>,
    pages: HashMap<String, u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Day {
    views: u64,
    visitors: HashSet<String>,
    addresses: HashSet<String>,
}

/// One day of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayCount {
    /// `YYYY-MM-DD`.
    pub day: String,
    /// Page views.
    pub views: u64,
    /// Different visitors among them.
    pub visitors: u64,
    /// Different addresses among them.
    pub addresses: u64,
}

/// What a line was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// Something that is no view, or no access log line at all.
    Other,
    /// A view.
    View {
        /// `YYYY-MM-DD`.
        day: &'a str,
        /// The page's key.
        page: &'a str,
        /// What tells visitors apart.
        visitor: &'a str,
        /// What tells addresses apart.
        address: &'a str,
    },
}

/// The fields of an event that count. Absent ones are empty: lines without them are no views.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event<'a> {
    is_page_view: bool,
    #[serde(borrow)]
    day: Cow<'a, str>,
    #[serde(borrow)]
    page: Cow<'a, str>,
    #[serde(borrow)]
    visitor_id: Cow<'a, str>,
    #[serde(borrow)]
    client_key: Cow<'a, str>,
}

impl Tally {
    /// Counts a line.
    pub fn add(&mut self, seen: Seen<'_>) {
        self.lines += 1;
        match seen {
            Seen::Other => {}
            Seen::View { day, page, visitor, address } => {
                let day = entry(&mut self.days, day);
                day.views += 1;
                for (known, name) in [(&mut day.visitors, visitor), (&mut day.addresses, address)] {
                    if !known.contains(name) {
                        known.insert(name.to_owned());
                    }
                }
                match self.pages.get_mut(page) {
                    Some(views) => *views += 1,
                    None => {
                        self.pages.insert(page.to_owned(), 1);
                    }
                }
            }
        }
    }

    /// Counts an event of the topic.
    pub fn add_event(&mut self, value: &[u8]) {
        let event: Event<'_> = serde_json::from_slice(value).unwrap_or_default();
        self.add(match &event {
            Event { is_page_view: false, .. } => Seen::Other,
            Event { is_page_view: true, day, page, visitor_id, client_key } => {
                Seen::View { day, page, visitor: visitor_id, address: client_key }
            }
        });
    }

    /// The days in order.
    #[must_use]
    pub fn days(&self) -> Vec<DayCount> {
        let count = |(day, counted): (&String, &Day)| DayCount {
            day: day.clone(),
            views: counted.views,
            visitors: counted.visitors.len() as u64,
            addresses: counted.addresses.len() as u64,
        };
        self.days.iter().map(count).collect()
    }

    /// The pages with the most views, at most `pages_max`.
    #[must_use]
    pub fn top_pages(&self, pages_max: usize) -> Vec<(&str, u64)> {
        let mut pages: Vec<(&str, u64)> =
            self.pages.iter().map(|(page, views)| (page.as_str(), *views)).collect();
        pages.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
        pages.truncate(pages_max);
        pages
    }

    /// What differs from the truth, one sentence each.
    #[must_use]
    pub fn differences(&self, truth: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, found: u64, written: u64| {
            if found != written {
                differences.push(format!("{what}: {found} in the topic, {written} in the log"));
            }
        };
        compare("lines", self.lines, truth.lines);
        let (found, written) = (self.days(), truth.days());
        let names: std::collections::BTreeSet<&str> =
            found.iter().chain(&written).map(|day| day.day.as_str()).collect();
        for name in names {
            let of = |days: &[DayCount]| {
                let day = days.iter().find(|day| day.day == name);
                day.map_or([0; 3], |day| [day.views, day.visitors, day.addresses])
            };
            let counts = of(&found).into_iter().zip(of(&written));
            for (what, (found, written)) in ["page views", "visitors", "addresses"].into_iter().zip(counts) {
                compare(&format!("{what} on {name}"), found, written);
            }
        }
        if differences.is_empty() && self.pages != truth.pages {
            differences.push("views per page differ".to_owned());
        }
        differences
    }
}

fn entry<'a>(days: &'a mut BTreeMap<String, Day>, day: &str) -> &'a mut Day {
    if !days.contains_key(day) {
        days.insert(day.to_owned(), Day::default());
    }
    days.get_mut(day).expect("it was inserted above if it was not there")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str =
        r#"{"v":1,"day":"2026-11-23","page":"/a","is_page_view":true,"visitor_id":"v1","client_key":"c1"}"#;

    #[test]
    fn counts_what_events_say() {
        let mut tally = Tally::default();
        tally.add_event(EVENT.as_bytes());
        tally.add_event(EVENT.as_bytes());
        tally.add_event(EVENT.replace("v1", "v2").as_bytes());
        tally.add_event(EVENT.replace("true", "false").as_bytes());
        tally.add_event(br#"{"is_page_view":false,"exclude_reason":"malformed","raw":"x"}"#);
        tally.add_event(b"no event");
        let day = "2026-11-23".into();
        assert_eq!(tally.days(), [DayCount { day, views: 3, visitors: 2, addresses: 1 }]);
        assert_eq!(tally.lines, 6);
        assert_eq!(tally.top_pages(5), [("/a", 3)]);
    }

    #[test]
    fn says_what_differs() {
        let (mut found, mut truth) = (Tally::default(), Tally::default());
        let view = |address| Seen::View { day: "2026-11-23", page: "/", visitor: address, address };
        truth.add(view("a"));
        truth.add(view("b"));
        found.add(view("a"));
        assert_eq!(found.differences(&found), Vec::<String>::new());
        let expected = [
            "lines: 1 in the topic, 2 in the log",
            "page views on 2026-11-23: 1 in the topic, 2 in the log",
            "visitors on 2026-11-23: 1 in the topic, 2 in the log",
            "addresses on 2026-11-23: 1 in the topic, 2 in the log",
        ];
        assert_eq!(found.differences(&truth), expected);
        found.add(Seen::View { day: "2026-11-23", page: "/other", visitor: "b", address: "b" });
        assert_eq!(found.differences(&truth), ["views per page differ"]);
    }
}

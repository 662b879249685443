//! Views and addresses per day and views per page, counted simply.
//!
//! A view here is a GET that was answered with 200 and whose path is no file with an extension. The same counting is
//! fed by the writer of the log, who knows the truth, and by the events of the topic.

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
    addresses: HashSet<String>,
}

/// One day of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayCount {
    /// `YYYY-MM-DD`.
    pub day: String,
    /// Views.
    pub views: u64,
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
        /// The path.
        page: &'a str,
        /// What tells addresses apart.
        address: &'a str,
    },
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    day: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client_key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client_address: Option<Cow<'a, str>>,
    #[serde(borrow)]
    http_request_method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url_path: Option<Cow<'a, str>>,
    http_response_status_code: Option<u16>,
}

impl Tally {
    /// Counts a line.
    pub fn add(&mut self, seen: Seen<'_>) {
        self.lines += 1;
        match seen {
            Seen::Other => {}
            Seen::View { day, page, address } => {
                let day = entry(&mut self.days, day);
                day.views += 1;
                if !day.addresses.contains(address) {
                    day.addresses.insert(address.to_owned());
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
        let Ok(event) = serde_json::from_slice::<Event<'_>>(value) else {
            return self.add(Seen::Other);
        };
        let page = event.url_path.as_deref().unwrap_or_default();
        let is_get = event.http_request_method.as_deref() == Some("GET");
        if !is_get || event.http_response_status_code != Some(200) || !is_page(page) {
            return self.add(Seen::Other);
        }
        // The keyed hash counts addresses exactly also where the address itself is cut for privacy.
        let address = event.client_key.as_deref().or(event.client_address.as_deref()).unwrap_or_default();
        self.add(Seen::View { day: event.day.as_deref().unwrap_or_default(), page, address });
    }

    /// The days in order.
    #[must_use]
    pub fn days(&self) -> Vec<DayCount> {
        let count = |(day, counted): (&String, &Day)| DayCount {
            day: day.clone(),
            views: counted.views,
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
                day.map_or((0, 0), |day| (day.views, day.addresses))
            };
            compare(&format!("views on {name}"), of(&found).0, of(&written).0);
            compare(&format!("addresses on {name}"), of(&found).1, of(&written).1);
        }
        if differences.is_empty() && self.pages != truth.pages {
            differences.push("views per page differ".to_owned());
        }
        differences
    }
}

/// Whether a path is a page: its last segment has no extension.
fn is_page(path: &str) -> bool {
    path.starts_with('/') && !path.rsplit('/').next().unwrap_or_default().contains('.')
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

    const EVENT: &str = r#"{"v":1,"day":"2026-11-23","client_address":"192.0.2.1","http_request_method":"GET","url_path":"/a","http_response_status_code":200}"#;

    #[test]
    fn counts_views_and_addresses_of_events() {
        let mut tally = Tally::default();
        tally.add_event(EVENT.as_bytes());
        tally.add_event(EVENT.as_bytes());
        tally.add_event(EVENT.replace(".1\"", ".2\"").as_bytes());
        tally.add_event(EVENT.replace("GET", "POST").as_bytes());
        tally.add_event(EVENT.replace("200", "404").as_bytes());
        tally.add_event(EVENT.replace("/a", "/a.css").as_bytes());
        tally.add_event(br#"{"exclude_reason":"malformed","raw":"x"}"#);
        assert_eq!(tally.days(), [DayCount { day: "2026-11-23".into(), views: 3, addresses: 2 }]);
        assert_eq!(tally.lines, 7);
        assert_eq!(tally.top_pages(5), [("/a", 3)]);
    }

    #[test]
    fn says_what_differs() {
        let (mut found, mut truth) = (Tally::default(), Tally::default());
        let view = |address| Seen::View { day: "2026-11-23", page: "/", address };
        truth.add(view("a"));
        truth.add(view("b"));
        found.add(view("a"));
        assert_eq!(found.differences(&found), Vec::<String>::new());
        let expected = [
            "lines: 1 in the topic, 2 in the log",
            "views on 2026-11-23: 1 in the topic, 2 in the log",
            "addresses on 2026-11-23: 1 in the topic, 2 in the log",
        ];
        assert_eq!(found.differences(&truth), expected);
        found.add(Seen::View { day: "2026-11-23", page: "/other", address: "b" });
        assert_eq!(found.differences(&truth), ["views per page differ"]);
    }
}

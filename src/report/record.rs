//! Records of a topic into the tally: each event once, by its id, whatever delivered it how often.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::tally::{Seen, Tally};
use crate::verify::{Arrival, Coverage, read_claim};

/// What is remembered of records beside their numbers.
#[derive(Debug, Default)]
pub struct Records {
    /// Which lines of a stream were counted: an id names a stream and a position in it.
    streams: HashMap<u64, Coverage>,
    reaches: BTreeMap<String, String>,
    /// Events whose line was counted before.
    pub doubled: u64,
    /// Records that are no event of viewtail.
    pub foreign: u64,
}

/// The fields of an event that count.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    day: Option<Cow<'a, str>>,
    #[serde(borrow)]
    site: Option<Cow<'a, str>>,
    #[serde(borrow)]
    page: Option<Cow<'a, str>>,
    #[serde(default)]
    is_page_view: bool,
    #[serde(borrow)]
    exclude_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    visitor_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client_key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client_address: Option<Cow<'a, str>>,
    #[serde(borrow)]
    referrer_host: Option<Cow<'a, str>>,
    #[serde(borrow)]
    bot: Option<Cow<'a, str>>,
    #[serde(borrow)]
    host: Option<Cow<'a, str>>,
}

impl Records {
    /// Counts a record's value, if it is an event that was not counted yet.
    pub fn feed(&mut self, value: &[u8], tally: &mut Tally) {
        let (Some(claim), Ok(event)) = (read_claim(value), serde_json::from_slice::<Event<'_>>(value)) else {
            self.foreign += 1;
            return;
        };
        if self.streams.entry(claim.stream).or_default().add_line(claim.start, claim.end) == Arrival::Doubled
        {
            self.doubled += 1;
            return;
        }
        self.note_reach(&event);
        tally.add(&event.seen());
    }

    /// Each agent's host and the newest time of its events, by host.
    #[must_use]
    pub fn reaches(&self) -> Vec<(String, String)> {
        self.reaches.iter().map(|(host, time)| (host.clone(), time.clone())).collect()
    }

    fn note_reach(&mut self, event: &Event<'_>) {
        let (Some(host), Some(time)) = (&event.host, &event.time) else { return };
        match self.reaches.get_mut(host.as_ref()) {
            // Without their ends, times with and without milliseconds are in order as text.
            Some(newest) if newest.trim_end_matches('Z') >= time.trim_end_matches('Z') => {}
            Some(newest) => time.as_ref().clone_into(newest),
            None => {
                self.reaches.insert(host.clone().into_owned(), time.clone().into_owned());
            }
        }
    }
}

impl Event<'_> {
    fn seen(&self) -> Seen<'_> {
        Seen {
            day: bytes_of(self.day.as_ref()),
            site: bytes_of(self.site.as_ref()),
            page: bytes_of(self.page.as_ref()),
            is_view: self.is_page_view,
            reason: bytes_of(self.exclude_reason.as_ref()),
            visitor_id: bytes_of(self.visitor_id.as_ref()),
            client_key: bytes_of(self.client_key.as_ref()),
            referrer_host: bytes_of(self.referrer_host.as_ref()),
            bot: bytes_of(self.bot.as_ref()),
            client_address: bytes_of(self.client_address.as_ref()),
        }
    }
}

fn bytes_of<'a>(text: Option<&'a Cow<'_, str>>) -> &'a [u8] {
    text.map_or(&[], |text| text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{DaySelection, Report, Totals};

    fn event(id: &str, host: &str, time: &str) -> String {
        format!(
            r#"{{"v":1,"id":"{id}","line_size":10,"time":"{time}","day":"2026-11-23","site":"a\u0062","page":"/","is_page_view":true,"visitor_id":"AAAAAAAAAAAAAAAA","client_key":"BBBBBBBBBBBBBBBB","host":"{host}","log":"l"}}"#
        )
    }

    #[test]
    fn what_came_twice_is_counted_once() {
        let (mut records, mut tally) = (Records::default(), Tally::default());
        for (id, host, time) in [
            ("00000000000000aa:10", "web1", "2026-11-23T10:00:00Z"),
            ("00000000000000aa:0", "web1", "2026-11-23T09:59:59.500Z"),
            ("00000000000000aa:10", "web1", "2026-11-23T10:00:00Z"),
            ("00000000000000bb:10", "web2", "2026-11-23T10:00:00Z"),
            ("00000000000000bb:20", "web2", "2026-11-23T10:00:00.001Z"),
        ] {
            records.feed(event(id, host, time).as_bytes(), &mut tally);
        }
        records.feed(b"{}", &mut tally);
        records.feed(b"", &mut tally);
        assert_eq!((records.doubled, records.foreign), (1, 2));
        let reach = |host: &str, time: &str| (host.to_owned(), time.to_owned());
        assert_eq!(
            records.reaches(),
            [reach("web1", "2026-11-23T10:00:00Z"), reach("web2", "2026-11-23T10:00:00.001Z")]
        );
        let report = Report::new(&tally, &DaySelection::All);
        assert_eq!(report.totals(), Totals { events: 4, page_views: 4, malformed: 0, undated: 0 });
        let day = &report.days()[0];
        assert_eq!((day.site, day.page_views, day.visitors, day.addresses), ("ab", 4, 1, 1));
    }
}

//! What the agent shows of librdkafka, kept over the producers that come and go: its log, failures, round trips.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::log::LogFilter;
use crate::io::clock;

/// How often librdkafka tells its statistics. Writing and reading them takes well below a millisecond with 100 partitions.
pub const STATISTICS_EVERY: Duration = Duration::from_secs(15);

/// Statistics that did not come twice are not what is the case any more.
const ROUND_TRIPS_LIVE: Duration = STATISTICS_EVERY.saturating_mul(2);

/// What was heard.
#[derive(Debug, Default)]
pub struct Heard {
    /// What it said lately.
    pub(super) log: LogFilter,
    failures: Mutex<BTreeMap<String, u64>>,
    round_trips: Mutex<Option<RoundTrips>>,
}

/// The round trips of one interval, and when it ended.
#[derive(Debug)]
struct RoundTrips {
    at: Instant,
    of_brokers: Vec<(String, Duration)>,
}

impl Heard {
    /// Counts a record that was not delivered, by librdkafka's name of the reason, of which there are not many.
    pub(super) fn failed(&self, reason: String) {
        *unpoisoned(&self.failures).entry(reason).or_default() += 1;
    }

    /// Records that were not delivered, by reason.
    #[must_use]
    pub fn failures(&self) -> Vec<(String, u64)> {
        unpoisoned(&self.failures).iter().map(|(reason, records)| (reason.clone(), *records)).collect()
    }

    /// Takes librdkafka's statistics, JSON as its STATISTICS.md has it; what is not that says nothing.
    pub(super) fn take_statistics(&self, json: &str) {
        if let Some(of_brokers) = round_trips(json) {
            *unpoisoned(&self.round_trips) = Some(RoundTrips { at: clock::now(), of_brokers });
        }
    }

    /// The mean round trip to each broker that answered lately, by its address. Without a producer nobody tells new ones,
    /// so old ones are forgotten.
    #[must_use]
    pub fn round_trips(&self) -> Vec<(String, Duration)> {
        let round_trips = unpoisoned(&self.round_trips);
        let told =
            round_trips.as_ref().filter(|told| clock::now().duration_since(told.at) < ROUND_TRIPS_LIVE);
        told.map(|told| told.of_brokers.clone()).unwrap_or_default()
    }

    /// How many lines of librdkafka's log were kept back.
    #[must_use]
    pub fn messages_suppressed(&self) -> u64 {
        self.log.suppressed()
    }
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Deserialize)]
struct Statistics {
    brokers: HashMap<String, Broker>,
}

#[derive(Deserialize)]
struct Broker {
    /// -1 of an address that is only configured, and of the coordinators.
    nodeid: i64,
    nodename: String,
    rtt: Window,
}

/// Of the last interval, in microseconds.
#[derive(Deserialize)]
struct Window {
    avg: u64,
    cnt: u64,
}

fn round_trips(json: &str) -> Option<Vec<(String, Duration)>> {
    let Statistics { brokers } = serde_json::from_str(json).ok()?;
    let answered = brokers.into_values().filter(|broker| broker.nodeid >= 0 && broker.rtt.cnt > 0);
    let mut round_trips: Vec<(String, Duration)> =
        answered.map(|broker| (broker.nodename, Duration::from_micros(broker.rtt.avg))).collect();
    round_trips.sort();
    round_trips.dedup_by(|(next, _), (kept, _)| next == kept);
    Some(round_trips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_round_trips_are_those_of_brokers_that_answered() {
        let broker = |id: i64, name: &str, count: u64| {
            format!(
                r#"{{"nodeid":{id},"nodename":"{name}","state":"UP","rtt":{{"min":1,"avg":1500,"cnt":{count}}}}}"#
            )
        };
        let brokers =
            [broker(1, "b:2", 7), broker(2, "a:1", 1), broker(3, "c:3", 0), broker(-1, "boot:1", 4)];
        let entries: Vec<String> =
            brokers.iter().enumerate().map(|(number, broker)| format!("\"{number}\":{broker}")).collect();
        let heard = Heard::default();
        heard
            .take_statistics(&format!(r#"{{"name":"x","brokers":{{{}}},"topics":{{}}}}"#, entries.join(",")));
        let expected = [
            ("a:1".to_owned(), Duration::from_micros(1500)),
            ("b:2".to_owned(), Duration::from_micros(1500)),
        ];
        assert_eq!(heard.round_trips(), expected);
        heard.take_statistics("no JSON");
        assert_eq!(heard.round_trips(), expected);
    }

    #[test]
    fn failures_are_counted_by_reason() {
        let heard = Heard::default();
        for reason in ["_TRANSPORT", "MSG_SIZE_TOO_LARGE", "_TRANSPORT"] {
            heard.failed(reason.to_owned());
        }
        assert_eq!(heard.failures(), [("MSG_SIZE_TOO_LARGE".to_owned(), 1), ("_TRANSPORT".to_owned(), 2)]);
    }
}

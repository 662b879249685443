//! What librdkafka tells besides the answers to our calls, and what follows from it.
//!
//! Epoch hygiene (a transaction is *tainted* when a request of it may still be under way) needs to know of retries
//! that librdkafka hides: it answers a commit with success although EndTxn was sent twice. They show only here:
//! in the `ENDTXN` and `TXNCOORD` lines of `debug=eos`, in the lines about closed connections (`FAIL`) and requests
//! that timed out (`REQTMOUT`), and in client errors. librdkafka suppresses a `FAIL` line that repeats the last one
//! of the same broker within 30 s; the first one taints, and a tainted producer is replaced, so none is missed.
//!
//! The texts are librdkafka 2.12.1's; the version is pinned and the mock cluster's tests fail if they change.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;

use super::connection::{Attempts, Obstacle, no_token};
use super::ffi::{Event, Native, code_named, name_of};
use super::heard::Heard;
use super::log::{SEVERITY_CRITICAL, SEVERITY_DEBUG, without_thread};
use crate::io::clock;

/// Client errors after which waiting longer for a connection is of little use.
const HOPELESS: &[Code] = &[Code::AllBrokersDown, Code::Authentication, Code::SSL, Code::Resolve];
/// But never less than this: "all brokers are down" comes after the first address of a name was tried, and a name like
/// localhost may have another one that answers.
const HOPE: Duration = Duration::from_secs(2);

/// What was heard since the last [`Signals::forget`].
#[derive(Debug)]
pub struct Signals<'a> {
    /// Why the transaction is tainted: the first reason.
    pub taint: Option<String>,
    /// Records that were not delivered.
    pub undelivered: u64,
    /// Why the first of them was not; what only follows from another error is replaced by it.
    pub first_failure: Option<Code>,
    /// librdkafka's line on why the transaction failed.
    pub transaction_error: Option<String>,
    /// The last client-wide error that says more than that all brokers are down.
    pub reason: Option<(Code, String)>,
    /// Highest version of TxnOffsetCommit that a broker offers, if one said so.
    pub offset_commit_version: Option<i16>,
    connection: Attempts,
    since: Instant,
    hopeless: bool,
    shown: &'a Heard,
}

impl<'a> Signals<'a> {
    /// Nothing heard yet.
    pub fn new(shown: &'a Heard) -> Self {
        Self {
            taint: None,
            undelivered: 0,
            first_failure: None,
            transaction_error: None,
            reason: None,
            offset_commit_version: None,
            connection: Attempts::default(),
            since: clock::now(),
            hopeless: false,
            shown,
        }
    }

    /// Takes every event that waits in the queue.
    pub fn drain(&mut self, native: &Native) {
        while let Some(event) = native.next_event(Duration::ZERO) {
            self.hear(event);
        }
    }

    /// Waits at most this long for an event, then takes all that wait.
    pub fn wait(&mut self, native: &Native, wait: Duration) {
        if let Some(event) = native.next_event(wait) {
            self.hear(event);
            self.drain(native);
        }
    }

    /// Starts a new transaction, or a new batch: what was heard so far concerns it no more.
    pub fn forget(&mut self) {
        *self = Self::new(self.shown);
    }

    /// Whether a connection is not worth waiting for any longer.
    pub fn hopeless(&self) -> bool {
        self.hopeless && self.since.elapsed() > HOPE
    }

    /// Marks the transaction as tainted.
    pub fn taint(&mut self, reason: &str) {
        if self.taint.is_none() {
            self.taint = Some(reason.to_owned());
        }
    }

    /// What keeps connections from coming about, where that is known.
    pub fn obstacle(&self) -> Option<Obstacle> {
        self.connection.obstacle()
    }

    /// Why brokers do not answer, for a message: what is to be changed, or the last reason in librdkafka's words.
    pub fn reason_text(&self) -> String {
        match (self.obstacle(), &self.reason) {
            (Some(Obstacle { fact, remedy, .. }), _) => format!("{fact}; {remedy}"),
            (None, Some((_, text))) => text.clone(),
            (None, None) => "no answer in time".to_owned(),
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Log { severity, facility, text } => self.hear_line(severity, &facility, &text),
            Event::Error { code, reason } => self.hear_error(code, reason),
            Event::Statistics(json) => self.shown.take_statistics(&json),
            Event::Undelivered(codes) => codes.into_iter().for_each(|code| self.hear_failure(code)),
            Event::Other => {}
        }
    }

    fn hear_line(&mut self, severity: i32, facility: &str, text: &str) {
        match facility {
            "ENDTXN" if !text.contains("EndTxn returned NO_ERROR in state") => self.taint(text),
            "TXNCOORD" if text.contains("Transaction coordinator changed from") => self.taint(text),
            "FAIL" | "REQTMOUT" => self.taint(text),
            "TXNERR" if severity < SEVERITY_DEBUG => self.hear_transaction_error(without_thread(text)),
            "APIVERSION" => self.hear_version(text),
            _ => {}
        }
        if matches!(facility, "FAIL" | "SSLCERTVRFY") {
            self.connection.hear(text);
        }
        if facility == "FAIL" {
            self.reason = Some((Code::BrokerTransportFailure, without_thread(text).to_owned()));
        }
        self.shown.log.say(severity, facility, text);
    }

    fn hear_error(&mut self, code: Code, reason: String) {
        self.taint(&reason);
        self.connection.hear(&reason);
        // The one error that stands in no line of librdkafka's log, and while nothing is to be sent nobody else tells of it.
        if let Some(why) = no_token(&reason) {
            self.shown.log.say(SEVERITY_CRITICAL, "TOKEN", why);
        }
        self.hopeless |= HOPELESS.contains(&code);
        if code != Code::AllBrokersDown || self.reason.is_none() {
            self.reason = Some((code, reason));
        }
    }

    fn hear_failure(&mut self, code: Code) {
        self.undelivered += 1;
        if !follows_from_another(code) {
            self.shown.failed(name_of(code));
        }
        self.explain(code);
    }

    /// Reads the name at the end of `Current transaction failed in state ...: reason (NAME)` or `(NAME, requires ...)`.
    fn hear_transaction_error(&mut self, text: &str) {
        self.transaction_error = Some(text.to_owned());
        let name = text.rsplit_once('(').and_then(|(_, rest)| rest.split([',', ')']).next());
        if let Some(code) = name.and_then(code_named) {
            self.explain(code);
        }
    }

    fn explain(&mut self, code: Code) {
        match self.first_failure {
            None => self.first_failure = Some(code),
            Some(first) if follows_from_another(first) => self.first_failure = Some(code),
            Some(_) => {}
        }
    }

    /// Reads `ApiKey TxnOffsetCommit (28) Versions 0..3`; the highest of all brokers' counts.
    fn hear_version(&mut self, text: &str) {
        let Some((_, versions)) = text.split_once("ApiKey TxnOffsetCommit (28) Versions ") else { return };
        let highest = versions.split_once("..").and_then(|(_, highest)| highest.trim().parse().ok());
        self.offset_commit_version = self.offset_commit_version.max(highest);
    }
}

/// Whether a record was given up only because of what befell the transaction.
fn follows_from_another(code: Code) -> bool {
    matches!(code, Code::PurgeQueue | Code::PurgeInflight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(signals: &mut Signals<'_>, severity: i32, facility: &str, text: &str) {
        signals.hear_line(severity, facility, text);
    }

    #[test]
    fn a_clean_end_of_a_transaction_does_not_taint() {
        let heard = Heard::default();
        let mut signals = Signals::new(&heard);
        let text = "[thrd:main]: EndTxn returned NO_ERROR in state CommittingTransaction (may_retry=true)";
        line(&mut signals, 7, "ENDTXN", text);
        line(&mut signals, 7, "TXNCOORD", "[thrd:main]: Unable to query for the coordinator");
        assert_eq!(signals.taint, None);
    }

    #[test]
    fn retries_disconnects_timeouts_and_new_coordinators_taint() {
        for (facility, text) in [
            (
                "ENDTXN",
                "[thrd:main]: EndTxn returned _TRANSPORT in state CommittingTransaction (may_retry=true)",
            ),
            ("ENDTXN", "a text that nobody knows"),
            ("TXNCOORD", "[thrd:main]: Transaction coordinator changed from a:1/1 -> b:1/2: reason"),
            ("FAIL", "[thrd:a:1/1]: a:1/1: Disconnected (after 9ms in state UP)"),
            ("REQTMOUT", "[thrd:a:1/1]: a:1/1: Timed out ProduceRequest in flight"),
        ] {
            let heard = Heard::default();
            let mut signals = Signals::new(&heard);
            line(&mut signals, 7, facility, text);
            assert!(signals.taint.is_some(), "{facility}: {text}");
        }
    }

    #[test]
    fn the_first_failure_is_the_one_that_explains_the_others() {
        let heard = Heard::default();
        let mut signals = Signals::new(&heard);
        for code in [Code::PurgeQueue, Code::TopicAuthorizationFailed, Code::PurgeInflight] {
            signals.hear_failure(code);
        }
        assert_eq!(signals.undelivered, 3);
        assert_eq!(signals.first_failure, Some(Code::TopicAuthorizationFailed));
    }

    #[test]
    fn the_line_on_the_transaction_explains_what_was_purged() {
        let heard = Heard::default();
        let mut signals = Signals::new(&heard);
        signals.hear_failure(Code::PurgeQueue);
        let text = "[thrd:main]: Current transaction failed in state InTransaction: no (why) \
                    (TOPIC_AUTHORIZATION_FAILED, requires epoch bump)";
        line(&mut signals, 3, "TXNERR", text);
        assert_eq!(signals.first_failure, Some(Code::TopicAuthorizationFailed));
        assert_eq!(signals.undelivered, 1);
    }

    #[test]
    fn versions_are_read_from_the_brokers_table() {
        let heard = Heard::default();
        let mut signals = Signals::new(&heard);
        line(&mut signals, 7, "APIVERSION", "[thrd:x]: x:   ApiKey TxnOffsetCommit (28) Versions 0..2");
        line(&mut signals, 7, "APIVERSION", "[thrd:x]: x:   ApiKey EndTxn (26) Versions 0..9");
        assert_eq!(signals.offset_commit_version, Some(2));
    }
}

//! librdkafka's own log, passed on without its repetitions.
//!
//! One filter for the life of the edge: producers are replaced while brokers are away, and each new one would tell
//! again what the last one told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::io::clock;

/// A line of one kind about one broker is said again after this long: a dead broker must not flood the log.
const REPEAT_AFTER: Duration = Duration::from_secs(60);
/// Kinds of lines that are remembered; more than a cluster's brokers times the kinds that occur.
const KINDS_MAX: usize = 256;
/// syslog's severities, as librdkafka uses them.
pub const SEVERITY_CRITICAL: i32 = 2;
const SEVERITY_WARNING: i32 = 4;
/// Lines that librdkafka writes only because `debug` is set.
pub const SEVERITY_DEBUG: i32 = 7;

/// Remembers what was said, and counts what was not.
#[derive(Debug, Default)]
pub struct LogFilter {
    said: Mutex<HashMap<(String, String), Said>>,
    suppressed: AtomicU64,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    suppressed: u32,
}

impl LogFilter {
    /// Passes a line on, unless one of its kind about the same broker was passed on lately. Debug lines show at
    /// level trace alone.
    pub fn say(&self, severity: i32, facility: &str, text: &str) {
        if severity >= SEVERITY_DEBUG {
            tracing::trace!(target: "librdkafka", "{facility}: {text}");
            return;
        }
        let Some(suppressed) = self.suppressed_before(facility, text) else { return };
        let more =
            if suppressed == 0 { String::new() } else { format!(" ({suppressed} like it suppressed)") };
        // What librdkafka calls an error it tries again; whether bytes are lost or a person is needed is for us to say.
        if severity <= SEVERITY_CRITICAL {
            tracing::error!(target: "librdkafka", "{facility}: {text}{more}");
        } else if severity <= SEVERITY_WARNING {
            tracing::warn!(target: "librdkafka", "{facility}: {text}{more}");
        } else {
            tracing::info!(target: "librdkafka", "{facility}: {text}{more}");
        }
    }

    /// How many lines were kept back.
    pub fn suppressed(&self) -> u64 {
        self.suppressed.load(Ordering::Relaxed)
    }

    /// How many lines of this kind were kept back since the last one said; `None` if this one is kept back too.
    fn suppressed_before(&self, facility: &str, text: &str) -> Option<u32> {
        let now = clock::now();
        let kind = (facility.to_owned(), thread_of(text).to_owned());
        let mut said_before = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said_before.len() >= KINDS_MAX && !said_before.contains_key(&kind) {
            said_before.clear();
        }
        let Some(said) = said_before.get_mut(&kind) else {
            said_before.insert(kind, Said { at: now, suppressed: 0 });
            return Some(0);
        };
        if now.duration_since(said.at) < REPEAT_AFTER {
            said.suppressed += 1;
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        said.at = now;
        Some(std::mem::take(&mut said.suppressed))
    }
}

/// librdkafka names the broker by the thread that writes: `[thrd:host:port/id]: text`.
fn thread_of(text: &str) -> &str {
    text.split_once("]: ").map_or("", |(thread, _)| thread)
}

/// The line without the thread that wrote it.
pub fn without_thread(text: &str) -> &str {
    text.split_once("]: ").map_or(text, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_line_is_said_once_per_broker() {
        let filter = LogFilter::default();
        assert_eq!(filter.suppressed_before("FAIL", "[thrd:a:1/1]: down"), Some(0));
        assert_eq!(filter.suppressed_before("FAIL", "[thrd:a:1/1]: down again"), None);
        assert_eq!(filter.suppressed_before("FAIL", "[thrd:b:1/2]: down"), Some(0));
        assert_eq!(filter.suppressed_before("REQTMOUT", "[thrd:a:1/1]: slow"), Some(0));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let filter = LogFilter::default();
        for broker in 0..2 * KINDS_MAX {
            filter.say(6, "FAIL", &format!("[thrd:{broker}]: down"));
        }
        assert!(filter.said.lock().unwrap().len() <= KINDS_MAX);
    }
}

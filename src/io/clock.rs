//! The only place where time enters: everything else is given instants or deadlines.
//!
//! Must not know what the time is needed for. Everything here is monotonic but [`unix_milliseconds`].

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::sys;
use crate::pipeline::action::Millis;

/// The present instant.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place where time enters")]
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since the epoch by the wall clock; 0 if that stands before the epoch.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place where time enters")]
pub fn unix_milliseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, whole_milliseconds)
}

/// CPU time that this process has used, all threads together.
#[must_use]
pub fn process_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Whether anything keeps the wall clock right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronisation {
    /// A time service does; the clock is wrong by this much at most.
    Kept {
        /// Milliseconds.
        error_ms: u64,
    },
    /// Nothing does.
    Free,
}

/// What the kernel says of its clock; `None` where it may not be asked.
#[must_use]
pub fn synchronisation() -> Option<Synchronisation> {
    let error_us = sys::clock_error().ok()?;
    Some(error_us.map_or(Synchronisation::Free, |error_us| Synchronisation::Kept {
        error_ms: error_us.div_ceil(1000),
    }))
}

/// Monotonic milliseconds for the machine, counted from the creation of the clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that stands at 0 now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: now() }
    }

    /// The machine's time.
    #[must_use]
    pub fn now(&self) -> Millis {
        Millis(whole_milliseconds(self.start.elapsed()))
    }
}

/// An instant that something must be done by; or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// A deadline that never passes.
    pub const NEVER: Self = Self(None);

    /// A deadline at this instant.
    #[must_use]
    pub fn at(instant: Instant) -> Self {
        Self(Some(instant))
    }

    /// A deadline `wait` from now.
    #[must_use]
    pub fn after(wait: Duration) -> Self {
        Self(now().checked_add(wait))
    }

    /// Whichever comes first.
    #[must_use]
    pub fn or_earlier(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(one), Some(two)) => Self(Some(one.min(two))),
            (one, two) => Self(one.or(two)),
        }
    }

    /// Whether it is over.
    #[must_use]
    pub fn passed(self) -> bool {
        self.0.is_some_and(|instant| instant <= now())
    }

    /// What is left of it, at most `limit`.
    #[must_use]
    pub fn remaining(self, limit: Duration) -> Duration {
        self.0.map_or(limit, |instant| instant.saturating_duration_since(now()).min(limit))
    }
}

fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes_once_and_the_earlier_one_wins() {
        let near = Deadline::after(Duration::ZERO);
        let far = Deadline::after(Duration::from_secs(3600));
        assert!(near.passed());
        assert!(!far.passed());
        assert!(!Deadline::NEVER.passed());
        assert_eq!(far.or_earlier(near), near);
        assert_eq!(Deadline::NEVER.or_earlier(far), far);
        assert_eq!(far.remaining(Duration::from_secs(1)), Duration::from_secs(1));
        assert_eq!(near.remaining(Duration::from_secs(1)), Duration::ZERO);
    }
}

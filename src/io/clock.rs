//! The only place where time enters: everything else is given instants.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// Monotonic milliseconds, counted from the creation of the clock.
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

    /// The time on it.
    #[must_use]
    pub fn now(&self) -> Millis {
        Millis(whole_milliseconds(self.start.elapsed()))
    }
}

fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

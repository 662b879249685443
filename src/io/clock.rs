//! The only place where time is read.
//!
//! Everything else is handed an instant, so that what decides stays deterministic.

#![expect(clippy::disallowed_methods, reason = "this is the one home of the clock")]

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::pipeline::action::Millis;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Monotonic milliseconds since the first call.
#[must_use]
pub fn monotonic() -> Millis {
    Millis(u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// Milliseconds since the epoch; 0 on a host whose clock stands before it.
#[must_use]
pub fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

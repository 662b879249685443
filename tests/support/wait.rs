//! Waiting for a condition with a deadline, never for luck; and the only clock of the tests.
#![allow(clippy::disallowed_methods, reason = "tests of real programs run on real time")]

use std::hash::{BuildHasher as _, Hasher as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Between two looks at a condition: short against everything waited for, long against the cost of a look.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The time now, for measuring.
pub fn now() -> Instant {
    Instant::now()
}

/// The time now, for dates: whole seconds since 1970.
pub fn unix_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}

/// Waits until `condition` holds.
///
/// # Panics
/// With `what` in the message, when it does not hold within `limit`.
pub fn wait_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let began = now();
    while !condition() {
        assert!(began.elapsed() < limit, "waited {limit:?} in vain until {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Lets time itself pass, where the passing of time is the fault under test.
pub fn pass_time(duration: Duration) {
    std::thread::sleep(duration);
}

/// Ports below those that the kernel gives to outgoing connections (32768 and above on Linux): a server that is killed
/// and started again must not find its port taken by somebody's connection.
const SERVER_PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A port that was free a moment ago. Where the search begins is random, so that tests side by side do not meet.
pub fn free_port() -> u16 {
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let count = u64::from(SERVER_PORTS.end - SERVER_PORTS.start);
    let ports = (0..count)
        .map(|step| SERVER_PORTS.start + u16::try_from((random % count + step) % count).unwrap_or(0));
    let mut free = ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("the loopback has a free port")
}

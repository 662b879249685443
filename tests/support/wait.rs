//! Waiting for a condition with a deadline, never for luck; and the only clock of the tests.
#![allow(clippy::disallowed_methods, reason = "tests of real programs run on real time")]

use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Between two looks at a condition: short against everything waited for, long against the cost of a look.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The time now, for measuring.
pub fn now() -> Instant {
    Instant::now()
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

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

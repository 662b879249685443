//! Named points at which the tests disturb the agent, at the n-th passing: `VIEWTAIL_FAILPOINT=name:n`. Most kill it; at a
//! few the operating system refuses what is asked of it.
//!
//! Without the `testing` feature nothing is looked up and nothing can be hit.

/// Passes a point that kills.
pub fn pass(name: &str) {
    if is_hit(name) {
        std::process::abort();
    }
}

/// Passes a point at which a thread is asked for.
///
/// # Errors
/// The point was chosen: as if the system had no thread to give.
pub fn ask_for_thread(name: &str) -> std::io::Result<()> {
    if is_hit(name) { Err(std::io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
}

/// Whether this is the point and the passing that were chosen.
#[cfg(feature = "testing")]
fn is_hit(name: &str) -> bool {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static CHOSEN: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let chosen = CHOSEN.get_or_init(|| {
        let variable = std::env::var("VIEWTAIL_FAILPOINT").ok()?;
        let (name, passing) = variable.split_once(':')?;
        Some((name.to_owned(), passing.parse().ok()?))
    });
    chosen.as_ref().is_some_and(|(chosen, passing)| {
        chosen == name && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *passing
    })
}

/// Nothing was chosen.
#[cfg(not(feature = "testing"))]
fn is_hit(_: &str) -> bool {
    false
}

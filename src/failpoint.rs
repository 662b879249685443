//! Named points at which the tests kill the agent: `VIEWTAIL_FAILPOINT=name:n` aborts at the n-th passing.
//!
//! Without the `testing` feature nothing is looked up and nothing can be hit.

/// Passes a point.
#[cfg(feature = "testing")]
pub fn pass(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static CHOSEN: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let chosen = CHOSEN.get_or_init(|| {
        let variable = std::env::var("VIEWTAIL_FAILPOINT").ok()?;
        let (name, passing) = variable.split_once(':')?;
        Some((name.to_owned(), passing.parse().ok()?))
    });
    if let Some((chosen, passing)) = chosen
        && chosen == name
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *passing
    {
        std::process::abort();
    }
}

/// Passes a point.
#[cfg(not(feature = "testing"))]
pub fn pass(_: &str) {}

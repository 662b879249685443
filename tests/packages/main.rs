//! The packages, as an administrator meets them: made, judged by the distributions' own checkers, installed into a
//! system of their own, edited, upgraded, removed.
//!
//! `packaging/package.sh stage` comes before: `tests/tools/test.sh packages` does all of it.

#[path = "../support/scratch.rs"]
#[allow(dead_code, reason = "each test binary uses its own part of this")]
mod scratch;

mod chroot;
mod completions;
mod containers;
mod contents;
mod deb;
mod made;
mod manual;
mod rpm;

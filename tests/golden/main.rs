//! Texts that people read, compared with what they were when somebody last looked at them.
//!
//! `VIEWTAIL_GOLDEN=write cargo test --profile tested --test golden` writes them anew; the difference is for review.

mod config;
mod init;
mod manual;
mod schema;

use std::path::{Path, PathBuf};

/// A directory of this test's cases.
fn cases(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(kind)
}

/// Compares a text with the one kept in a file, or keeps it there.
fn check(kept: &Path, text: &str) -> Result<(), String> {
    if std::env::var_os("VIEWTAIL_GOLDEN").is_some_and(|wish| wish == "write") {
        std::fs::write(kept, text).expect("the directory of the cases is writable");
        return Ok(());
    }
    let expected = std::fs::read_to_string(kept).unwrap_or_default();
    if expected == text {
        return Ok(());
    }
    Err(format!("{}: expected\n{expected}\nbut found\n{text}", kept.display()))
}

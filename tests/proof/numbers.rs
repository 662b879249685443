//! The numbers of `viewtail report --json`, called as a user calls it, and how they differ from somebody else's.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support;

/// The site of every log here.
pub const SITE: &str = "blog.example.com";
/// Differences shown before giving up.
const SHOWN: usize = 12;

/// `viewtail report --json` over these files.
pub fn report<P: AsRef<OsStr>>(files: &[P]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viewtail"));
    command.args(["report", "--json", "--format", "combined", "--site", SITE]).args(files);
    parse(&output(command))
}

/// `viewtail preview --json` over a file: the events, one to a line.
///
/// # Panics
/// When one is not of the schema.
pub fn events(file: &Path) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viewtail"));
    command.args(["preview", "--json", "--format", "combined", "--site", SITE]).arg(file);
    let events = output(command);
    support::events::assert_valid(&events);
    events
}

/// What a program prints.
///
/// # Panics
/// With its words, when it fails.
pub fn output(mut command: Command) -> Vec<u8> {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let words = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {status}: {}", words.trim_end());
    stdout
}

/// Reads JSON.
pub fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(300)]))
    })
}

/// Asserts that two reports are the same, to the unit, in what they have and in its order.
///
/// # Panics
/// With the first rows that differ.
pub fn assert_same(ours: &Value, theirs: &Value) {
    let (mine, other) = (rows(ours), rows(theirs));
    let mut differences = Vec::new();
    for key in mine.keys().chain(other.keys().filter(|key| !mine.contains_key(*key))) {
        let (left, right) = (mine.get(key), other.get(key));
        if left != right {
            differences.push(format!("{key}: viewtail {left:?}, oracle {right:?}"));
        }
    }
    let first: Vec<_> = differences.iter().take(SHOWN).cloned().collect();
    assert!(differences.is_empty(), "{} rows differ:\n{}", differences.len(), first.join("\n"));
    assert_eq!(ours, theirs, "the same rows in another order");
}

/// Every row of a report by what it is about.
fn rows(report: &Value) -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    for table in ["days", "pages"] {
        for row in report[table].as_array().expect("a report has its tables") {
            rows.insert(format!("{table} {} {} {}", row["day"], row["site"], row["page"]), row.to_string());
        }
    }
    rows.insert("totals".to_owned(), report["totals"].to_string());
    rows
}

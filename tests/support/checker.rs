//! The verdict of the independent checker, tests/tools/checker.py.

use std::path::Path;
use std::process::Command;

use super::events;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/checker.py");

/// What the checker found in a topic that is valid.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// Lines of the truth.
    pub lines: u64,
    /// Streams (generations) in the topic.
    pub streams: u64,
    /// Records of aborted transactions.
    pub aborted: u64,
    /// Bytes that the agent says gave no event.
    pub skipped_bytes: u64,
}

/// Checks a topic against truth files.
///
/// # Panics
/// With the checker's report, unless every line is there exactly once and all the rest holds too; or when an event is
/// not of the schema.
pub fn check(brokers: &str, topic: &str, options: &[&str], truth: &[&Path]) -> Verdict {
    let copy = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let output = ask(brokers, topic, options)
        .arg("--events")
        .arg(copy.path())
        .args(truth)
        .output()
        .expect("python3 can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "the checker says no ({}):\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    events::assert_valid(&std::fs::read(copy.path()).expect("the checker wrote the events"));
    println!("{topic}: {}", text.lines().last().unwrap_or_default());
    let report = report(&text);
    let number = |name: &str| report[name].as_u64().unwrap_or_default();
    Verdict {
        lines: number("lines"),
        streams: number("streams"),
        aborted: number("aborted"),
        skipped_bytes: number("skipped_bytes"),
    }
}

/// How many lines are in a topic more than once: of a run that was broken on purpose.
pub fn doubled(brokers: &str, topic: &str, truth: &Path) -> u64 {
    let output = ask(brokers, topic, &[]).arg(truth).output().expect("python3 can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{topic}: {}", text.lines().last().unwrap_or_default());
    report(&text)["doubled"].as_u64().unwrap_or_default()
}

fn ask(brokers: &str, topic: &str, options: &[&str]) -> Command {
    let mut python = Command::new("python3");
    python.arg(SCRIPT).args(["--brokers", brokers, "--topic", topic]).args(options);
    python
}

fn report(text: &str) -> serde_json::Value {
    serde_json::from_str(text.lines().next().unwrap_or_default()).expect("the first line is JSON")
}

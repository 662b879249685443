//! The pages of a running agent, asked for as a stranger does and read as strictly as Prometheus reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

/// A page is there within milliseconds; on a machine that does other things, too.
pub const PAGE_LIMIT: Duration = Duration::from_secs(10);

/// A page: its status and its body.
pub fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PAGE_LIMIT)).expect("the limit is valid");
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    Some((status, text.split_once("\r\n\r\n")?.1.to_owned()))
}

/// The text of `/metrics`.
pub fn metrics_text(port: u16) -> String {
    let (status, page) = get(port, "/metrics").expect("the agent shows its metrics");
    assert_eq!(status, 200);
    page
}

/// The numbers of `/metrics` by their series.
pub fn metrics(port: u16) -> BTreeMap<String, f64> {
    let page = metrics_text(port);
    let series = page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    series.map(|(name, value)| (name.to_owned(), value.parse().expect("a value is a number"))).collect()
}

/// What `/status` says.
pub fn status(port: u16) -> serde_json::Value {
    let (_, page) = get(port, "/status").expect("the agent shows its status");
    serde_json::from_str(&page).expect("the status is JSON")
}

/// What a strict reader finds on a page of metrics.
#[derive(Debug, Deserialize)]
pub struct Exposition {
    /// Every name that a query may use.
    pub names: BTreeSet<String>,
    /// How many values there are.
    pub samples: usize,
}

/// Reads a page of metrics as its standard has it.
///
/// # Panics
/// With the reader's reason, when the page is not OpenMetrics.
pub fn exposition(page: &str) -> Exposition {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/prometheus-client/bin/python");
    assert!(
        python.exists(),
        "no parser in target/prometheus-client; fetch it with: tests/tools/setup.sh test"
    );
    let mut reader = Command::new(python)
        .arg(root.join("tests/tools/exposition.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = reader.stdin.take().expect("stdin is piped");
    // It may end before it has read everything; then it says why.
    let _ = stdin.write_all(page.as_bytes());
    drop(stdin);
    let output = reader.wait_with_output().expect("python can be waited for");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

/// Every name of a metric of ours in a text.
pub fn names_in(text: &str) -> BTreeSet<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words = text.split(|character| !is_part(character));
    words
        .filter(|word| word.starts_with("viewtail_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

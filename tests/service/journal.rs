//! What the agent says to the journal, over a socket like the one that the service manager gives it as stderr.

use std::fs::metadata;
use std::io::{BufRead as _, BufReader};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use crate::support::agent::Config;
use crate::support::process::command;
use crate::support::scratch::Scratch;
use crate::support::wait::free_port;

/// Nothing here takes longer than a broker that does not answer is waited for.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn the_journal_gets_a_priority_with_each_line_and_nobody_else_does() {
    let info = lines_until(|stream| stream, "starts as agent");
    assert!(info.iter().all(|line| line.starts_with("<6>")), "{info:?}");
    let warning = lines_until(|stream| stream, "Kafka: ");
    let is_told = |line: &String| ["<3>", "<4>", "<6>"].iter().any(|priority| line.starts_with(priority));
    assert!(warning.iter().all(is_told), "{warning:?}");
    assert!(warning.last().is_some_and(|line| line.starts_with("<4>")), "{warning:?}");
    assert!(!warning.iter().any(|line| line.contains('\x1b')), "{warning:?}");
    // The variable is handed on to children, whose stderr is another one.
    let other = lines_until(|_| "1:1".to_owned(), "starts as agent");
    assert!(other.iter().all(|line| line.contains(" INFO ")), "{other:?}");
}

#[test]
fn a_mistake_is_one_object_for_programs_and_an_error_at_each_line_for_the_journal() {
    let scratch = Scratch::new("service-mistake");
    let path = scratch.join("agent.yaml");
    std::fs::write(&path, "kafka: {topci: views}\n").expect("the configuration can be written");
    let said = |format: &str| {
        let mut run = command(env!("CARGO_BIN_EXE_viewtail"));
        let called = run.args(["run", "--log-format", format, "-c"]).arg(&path).output();
        let called = called.expect("the agent starts");
        assert_eq!(called.status.code(), Some(78));
        String::from_utf8(called.stderr).expect("what is said is UTF-8")
    };
    let object: serde_json::Value = serde_json::from_str(&said("json")).expect("it is one object");
    let message = object["message"].as_str().expect("a message is text");
    assert!(object["level"] == "error" && message.contains("did you mean `topic`?"), "{object}");
    let lines = said("journal");
    assert!(lines.lines().count() > 5 && lines.lines().all(|line| line.starts_with("<3>")), "{lines}");
}

/// The lines that an agent without Kafka says up to one with these words; `named` makes JOURNAL_STREAM of its stderr.
fn lines_until(named: impl FnOnce(String) -> String, words: &str) -> Vec<String> {
    let scratch = Scratch::new("service-journal");
    let log = scratch.join("access.log");
    std::fs::write(&log, "").expect("the scratch directory takes a file");
    let nobody = format!("127.0.0.1:{}", free_port());
    let config = Config::new("journal", &scratch.directory("state"), &log).to(&nobody, "views");
    let path = scratch.join("agent.yaml");
    std::fs::write(&path, config.yaml()).expect("the configuration can be written");
    let (journal, stderr) = UnixStream::pair().expect("a pair of sockets can be had");
    journal.set_read_timeout(Some(LIMIT)).expect("the limit is valid");
    let socket = metadata(format!("/proc/self/fd/{}", stderr.as_raw_fd())).expect("a socket has an inode");
    let mut agent = command(env!("CARGO_BIN_EXE_viewtail"))
        .args(["run", "-c"])
        .arg(&path)
        .env("JOURNAL_STREAM", named(format!("{}:{}", socket.dev(), socket.ino())))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(OwnedFd::from(stderr))
        .spawn()
        .expect("the agent starts");
    let mut said = Vec::new();
    for line in BufReader::new(journal).lines() {
        let line = line.unwrap_or_else(|error| panic!("{words}: {error}; it said {said:?}"));
        let is_last = line.contains(words);
        said.push(line);
        if is_last {
            break;
        }
    }
    agent.kill().expect("a child can be killed");
    agent.wait().expect("a child can be waited for");
    assert!(said.last().is_some_and(|line| line.contains(words)), "{words}: {said:?}");
    said
}

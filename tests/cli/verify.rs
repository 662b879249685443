//! `viewtail verify` as far as it goes without a real broker.

use crate::binary::call;

#[test]
fn a_broker_that_does_not_answer_is_temporary() {
    let called = call(&["verify", "--brokers", "127.0.0.1:1", "--topic", "page-views"]);
    assert_eq!(called.code, Some(75), "{}", called.stderr);
    assert_eq!(called.stdout, "");
    let [line] = called.stderr.lines().collect::<Vec<_>>()[..] else { panic!("one line: {}", called.stderr) };
    assert!(line.starts_with("viewtail: no Kafka broker answers at 127.0.0.1:1"), "{line}");
    assert!(line.contains("--brokers"), "it names the remedy where it was typed: {line}");
    assert!(!line.contains("BrokerTransportFailure"), "it speaks to a person: {line}");
}

#[test]
fn what_is_printed_obeys_no_terminal() {
    let called = call(&["verify", "--brokers", "\x1b[2J\u{202e}:1", "--topic", "page-views"]);
    assert!(!called.stderr.trim_end().chars().any(char::is_control), "{:?}", called.stderr);
    assert!(!called.stderr.contains('\u{202e}'), "{:?}", called.stderr);
}

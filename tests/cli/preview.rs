//! `viewtail preview` without a configuration: the events, byte for byte.

use std::io::Write as _;

use crate::binary::{call, call_with_stdin};

const LINE: &str = concat!(
    r#"192.0.2.7 - - [23/Nov/2026:06:47:00 +0100] "GET /posts/one?x=1 HTTP/2.0" 200 5120 "#,
    r#""https://search.example/" "Mozilla/5.0""#
);

/// The event without what the host adds.
fn fields(event: &str) -> serde_json::Map<String, serde_json::Value> {
    let mut fields: serde_json::Map<_, _> = serde_json::from_str(event).expect("an event is a JSON object");
    assert!(fields.remove("host").is_some_and(|host| host.is_string()), "{event}");
    fields
}

#[test]
fn events_of_stdin_are_the_records() {
    let input = format!("{LINE}\r\nno access log\n");
    let called = call_with_stdin(
        &["preview", "-", "--format", "combined", "--site", "blog.example.com"],
        input.as_bytes(),
    );
    assert_eq!(called.code, Some(0), "{}", called.stderr);
    assert_eq!(called.stderr, "viewtail: 2 lines: 1 parsed, 1 malformed; 1 page view\n");
    let [parsed, malformed] = called.stdout.lines().collect::<Vec<_>>()[..] else {
        panic!("{}", called.stdout)
    };

    let parsed = fields(parsed);
    let expected = [
        ("v", "1"),
        ("id", r#""0000000000000000:0""#),
        ("time", r#""2026-11-23T05:47:00Z""#),
        ("day", r#""2026-11-23""#),
        ("site", r#""blog.example.com""#),
        ("http_request_method", r#""GET""#),
        ("url_path", r#""/posts/one""#),
        ("http_response_status_code", "200"),
        ("log", r#""preview""#),
    ];
    for (name, value) in expected {
        assert_eq!(parsed.get(name).map(ToString::to_string).as_deref(), Some(value), "{name}");
    }
    assert_eq!(parsed["line_size"], LINE.len() + 2, "the terminator belongs to the size");

    let malformed = fields(malformed);
    assert_eq!(malformed["id"], format!("0000000000000000:{}", LINE.len() + 2));
    assert_eq!(
        (&malformed["exclude_reason"], &malformed["raw"]),
        (&"malformed".into(), &"no access log".into())
    );
}

#[test]
fn a_file_gives_what_stdin_gives() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "{LINE}\n\nunfinished").unwrap();
    let path = file.path().to_str().unwrap();
    let from_file = call(&["preview", path, "--format", "combined", "--site", "s"]);
    let input = std::fs::read(path).unwrap();
    let from_stdin = call_with_stdin(&["preview", "-", "--format", "combined", "--site", "s"], &input);
    // Without a configuration each process has a secret of its own, and so ids of its own.
    let without_ids = |events: &str| {
        let events = events.lines().map(fields).map(|mut event| {
            event.retain(|name, _| !["visitor_id", "client_key"].contains(&name.as_str()));
            event
        });
        events.collect::<Vec<_>>()
    };
    assert_eq!(without_ids(&from_file.stdout), without_ids(&from_stdin.stdout));
    assert_eq!(from_file.stderr, "viewtail: 3 lines: 1 parsed, 2 malformed; 1 page view\n");
    let last = fields(from_file.stdout.lines().last().unwrap());
    assert_eq!(last["partial"], true);
}

#[test]
fn an_archive_shows_the_events_of_what_is_in_it() {
    let scratch = tempfile::tempdir().unwrap();
    let log = scratch.path().join("access.log");
    std::fs::write(&log, format!("{LINE}\n").repeat(2)).unwrap();
    let packed = std::process::Command::new("gzip").arg(&log).status().expect("gzip can be run");
    assert!(packed.success() && !log.exists());
    let archive = scratch.path().join("access.log.gz");
    let called = call(&["preview", archive.to_str().unwrap(), "--format", "combined"]);
    assert_eq!(
        called.stderr, "viewtail: 2 lines: 2 parsed, 0 malformed; 2 page views\n",
        "{}",
        called.stdout
    );
}

#[test]
fn an_own_format_is_taken_and_a_wrong_one_refused_with_its_reason() {
    let own = call_with_stdin(&["preview", "-", "--format", "$remote_addr $status"], b"192.0.2.7 404\n");
    assert_eq!(
        own.stderr, "viewtail: 1 line: 1 parsed, 0 malformed; 0 page views, 1 status\n",
        "{}",
        own.stdout
    );
    let wrong = call(&["preview", "-", "--format", "no variable"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("the format has no variable"), "{}", wrong.stderr);
}

#[test]
fn quiet_says_nothing_and_hostile_lines_stay_data() {
    let called = call_with_stdin(&["-q", "preview", "-", "--format", "combined"], b"\x1b[2J\xff\0\x9b\n");
    assert_eq!((called.code, called.stderr.as_str()), (Some(0), ""));
    assert!(!called.stdout.trim_end().chars().any(char::is_control), "{:?}", called.stdout);
}

#[test]
fn a_missing_file_is_named() {
    let called = call(&["preview", "/nonexistent/access.log", "--format", "combined"]);
    assert_eq!(called.code, Some(1));
    assert!(called.stderr.contains("/nonexistent/access.log"), "{}", called.stderr);
}

#[test]
fn without_configuration_and_format_both_ways_out_are_named() {
    let called = call(&["preview", "access.log"]);
    assert_eq!(called.code, Some(78), "{}", called.stderr);
    assert!(called.stderr.contains("--format combined") && called.stderr.contains("-c"), "{}", called.stderr);
}

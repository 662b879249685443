//! `viewtail report` over files: numbers, options, and what cannot be read.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::binary::{Called, call, call_with_stdin};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";

fn line(address: &str, time: &str, target: &str) -> String {
    format!("{address} - - [{time}] \"GET {target} HTTP/1.1\" 200 5 \"-\" \"{FIREFOX}\"\n")
}

/// Two days: three views of two visitors on the first, one on the second, an image and a line that is none.
fn log() -> String {
    [
        line("203.0.113.1", "22/Nov/2026:10:00:00 +0000", "/a"),
        line("203.0.113.1", "22/Nov/2026:10:00:01 +0000", "/a"),
        line("203.0.113.2", "22/Nov/2026:23:59:59 +0000", "/b"),
        line("203.0.113.2", "23/Nov/2026:00:00:00 +0000", "/a"),
        line("203.0.113.2", "23/Nov/2026:00:00:01 +0000", "/logo.png"),
        "no access log\n".to_owned(),
    ]
    .concat()
}

const JSON: &str = concat!(
    r#"{"days":[{"day":"2026-11-22","site":"blog","page_views":3,"visitors":2,"addresses":2,"events":3,"excluded":{}},"#,
    r#"{"day":"2026-11-23","site":"blog","page_views":1,"visitors":1,"addresses":1,"events":2,"excluded":{"static":1}}],"#,
    r#""pages":[{"day":"2026-11-22","site":"blog","page":"/a","page_views":2,"visitors":1,"addresses":1},"#,
    r#"{"day":"2026-11-22","site":"blog","page":"/b","page_views":1,"visitors":1,"addresses":1},"#,
    r#"{"day":"2026-11-23","site":"blog","page":"/a","page_views":1,"visitors":1,"addresses":1}],"#,
    r#""totals":{"events":6,"page_views":4,"malformed":1,"undated":1}}"#,
    "\n"
);

struct Logs(tempfile::TempDir);

impl Logs {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a scratch directory can be made"))
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path: PathBuf = self.0.path().join(name);
        std::fs::write(&path, content).expect("the log can be written");
        path.to_str().expect("the path is text").to_owned()
    }
}

/// What a compressor makes of it: the program, so that our own reading is not its own judge.
fn packed(program: &str, content: &str) -> Vec<u8> {
    let mut command = Command::new(program);
    command.arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    let mut stdin = child.stdin.take().expect("the pipe is ours");
    stdin.write_all(content.as_bytes()).expect("the compressor reads");
    drop(stdin);
    child.wait_with_output().expect("the compressor ends").stdout
}

fn gzip(content: &str) -> Vec<u8> {
    packed("gzip", content)
}

fn report(arguments: &[&str]) -> Called {
    let all: Vec<&str> =
        ["report", "--format", "combined", "--site", "blog"].iter().chain(arguments).copied().collect();
    call(&all)
}

#[test]
fn the_json_is_the_contract() {
    let logs = Logs::new();
    let called = report(&["--json", &logs.write("access.log", log())]);
    assert_eq!((called.code, called.stdout.as_str(), called.stderr.as_str()), (Some(0), JSON, ""));
    let all = ["report", "--json", "--format", "combined", "--site", "blog", "-"];
    let called = call_with_stdin(&all, log().as_bytes());
    assert_eq!((called.code, called.stdout.as_str()), (Some(0), JSON));
}

#[test]
fn files_may_be_in_pieces_compressed_and_in_any_order() {
    let logs = Logs::new();
    let lines: Vec<String> = log().split_inclusive('\n').map(str::to_owned).collect();
    let newest = logs.write("access.log", lines[4..].concat());
    let middle = logs.write("access.log.1", lines[2..4].concat());
    for program in ["gzip", "zstd", "xz", "bzip2"] {
        // Two members in one archive, as when somebody appends; the name does not say that it is one.
        let members = [packed(program, &lines[0]), packed(program, &lines[1])];
        let oldest = logs.write("access.log.2", members.concat());
        for order in [[&newest, &middle, &oldest], [&oldest, &newest, &middle]] {
            let called = report(&["--json", order[0], order[1], order[2]]);
            let found = (called.code, called.stdout.as_str());
            assert_eq!(found, (Some(0), JSON), "{program}: {}", called.stderr);
        }
    }
}

#[test]
fn days_are_chosen() {
    let logs = Logs::new();
    let path = logs.write("access.log", log());
    let days = |arguments: &[&str]| -> Vec<String> {
        let called = report(&[&["--json", path.as_str()], arguments].concat());
        let json: serde_json::Value = serde_json::from_str(&called.stdout).unwrap();
        assert_eq!(json["totals"]["undated"], 1);
        json["days"].as_array().unwrap().iter().map(|row| row["day"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(days(&["--day", "2026-11-22"]), ["2026-11-22"]);
    assert_eq!(days(&["--day", "2026-11-21"]), [""; 0]);
    assert_eq!(days(&[]), ["2026-11-22", "2026-11-23"]);
    for (arguments, reason) in [
        (["--day", "yesterday"], "2026-11-23"),
        (["--last", "30"], "30d"),
        (["--brokers", "localhost:9092"], "--from kafka"),
        (["--from", "kafka"], "FILES"),
        (["--by", "nothing"], "referrer"),
    ] {
        let called = report(&[&[path.as_str()], &arguments[..]].concat());
        assert_eq!(called.code, Some(2), "{arguments:?}: {}", called.stderr);
        assert!(called.stderr.contains(reason), "{arguments:?}: {}", called.stderr);
    }
}

#[test]
fn the_last_days_end_where_the_input_ends() {
    let logs = Logs::new();
    let old = [
        line("203.0.113.1", "01/Jan/2020:10:00:00 +0000", "/"),
        line("203.0.113.1", "03/Jan/2020:10:00:00 +0000", "/"),
        // A clock that ran ahead does not move the period.
        line("203.0.113.1", "03/Jan/2090:10:00:00 +0000", "/"),
    ];
    let called = report(&["--json", "--last", "2d", &logs.write("access.log", old.concat())]);
    let json: serde_json::Value = serde_json::from_str(&called.stdout).unwrap();
    assert_eq!(json["days"].as_array().unwrap().len(), 1, "{}", called.stdout);
    assert_eq!(json["days"][0]["day"], "2020-01-03");
}

#[test]
fn a_person_gets_tables() {
    let logs = Logs::new();
    let path = logs.write("access.log", log());
    let called = report(&[&path]);
    for part in [
        "2026-11-22",
        "page views",
        "/a",
        "static: images",
        "4 page views in 6 events, 1 malformed, 1 without a day.",
    ] {
        assert!(called.stdout.contains(part), "{part}: {}", called.stdout);
    }
    assert!(!called.stdout.contains('\x1b'), "{}", called.stdout);
    let pages = report(&[&path, "--by", "page", "--top", "1"]).stdout;
    assert!(pages.contains("/a") && !pages.contains("/b"), "{pages}");
    assert!(pages.contains("and 1 more page"), "{pages}");
}

#[test]
fn an_archive_that_was_cut_is_told_and_the_rest_is_shown() {
    let logs = Logs::new();
    let good = logs.write("good.log", log());
    let long: String =
        (0..20_000).map(|n| line("203.0.113.9", "22/Nov/2026:10:00:00 +0000", &format!("/p/{n}"))).collect();
    let mut archive = gzip(&long);
    archive.truncate(archive.len() * 2 / 3);
    let cut = logs.write("cut.log.gz", archive);
    let called = report(&["--json", &cut, &good]);
    assert_eq!(called.code, Some(1));
    let [place, incomplete, ..] = called.stderr.lines().collect::<Vec<_>>()[..] else {
        panic!("{}", called.stderr)
    };
    assert!(place.starts_with(&format!("viewtail: {cut}: cannot be read behind byte ")), "{place}");
    assert!(place.contains("cut off"), "{place}");
    assert!(incomplete.contains("the report is incomplete"), "{incomplete}");
    let json: serde_json::Value = serde_json::from_str(&called.stdout).unwrap();
    let events = json["totals"]["events"].as_u64().unwrap();
    assert!((100..20_000).contains(&events), "{events}");
    assert_eq!(json["totals"]["malformed"], 1, "the line that was cut counts nowhere");

    let page = logs.0.path().join("report.html");
    let called = report(&["--html", page.to_str().unwrap(), &cut, &good]);
    assert_eq!(called.code, Some(1));
    assert!(std::fs::read_to_string(page).unwrap().contains("Incomplete: "));
}

#[test]
fn what_cannot_be_read_at_all_is_an_error() {
    let logs = Logs::new();
    let damaged = logs.write("access.log.zst", [&b"\x28\xB5\x2F\xFD"[..], &[0xFF; 60]].concat());
    let cases =
        [("/nowhere/access.log", "No such file"), (&damaged, "is damaged"), ("/", "it is a directory")];
    for (path, reason) in cases {
        let called = report(&[path]);
        assert_eq!((called.code, called.stdout.as_str()), (Some(1), ""), "{path}");
        assert!(called.stderr.contains(reason) && called.stderr.contains(path), "{}", called.stderr);
    }
    let called = call(&["report", "access.log"]);
    assert_eq!(called.code, Some(78), "{}", called.stderr);
    assert!(called.stderr.contains("--format"), "{}", called.stderr);
}

#[test]
fn the_format_is_that_of_the_log_that_the_file_belongs_to() {
    let logs = Logs::new();
    let directory = logs.0.path().display().to_string();
    let config = format!(
        "agent: {{id: test, state_dir: {directory}/state}}\nlogs:\n  - paths: ['{directory}/one.log']\n    format: combined\n    site: one\n  - paths: ['{directory}/two.log']\n    format: {{nginx: '$time_iso8601|$remote_addr|$request|$status|$http_user_agent'}}\n    site: two\nkafka: {{brokers: ['localhost:9092'], topic: t}}\n"
    );
    let config = logs.write("agent.yaml", config);
    let one = logs.write("one.log-20261123", log());
    let two = logs.write(
        "two.log.1.gz",
        gzip(&format!("2026-11-22T10:00:00+00:00|203.0.113.5|GET /two HTTP/1.1|200|{FIREFOX}\n")),
    );
    let called = call(&["report", "-c", &config, "--json", &two, &one]);
    assert_eq!(called.code, Some(0), "{}", called.stderr);
    let json: serde_json::Value = serde_json::from_str(&called.stdout).unwrap();
    let views: Vec<_> = json["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["site"].as_str().unwrap(), row["page_views"].as_u64().unwrap()))
        .collect();
    assert_eq!(views, [("one", 3), ("two", 1), ("one", 1)]);

    logs.write("one.log", line("203.0.113.1", "22/Nov/2026:10:00:00 +0000", "/live"));
    let live = call(&["report", "-c", &config, "--json"]);
    assert!(
        live.stdout.contains(r#""page":"/live""#),
        "without FILES the live logs: {}{}",
        live.stdout,
        live.stderr
    );
    let stray = logs.write("three.log", log());
    let called = call(&["report", "-c", &config, &stray]);
    assert_eq!(called.code, Some(78), "{}", called.stderr);
    assert!(called.stderr.contains("three.log: no entry of `logs:` matches it"), "{}", called.stderr);
}

#[test]
fn numbers_that_are_hard_to_believe_are_doubted() {
    let logs = Logs::new();
    let lines: String =
        (0..30).map(|n| line("10.0.0.1", "22/Nov/2026:10:00:00 +0000", &format!("/{n}"))).collect();
    let called = report(&["--by", "day", &logs.write("access.log", lines)]);
    assert_eq!(called.code, Some(0));
    assert!(called.stderr.contains("all addresses are private"), "{}", called.stderr);
    assert!(called.stderr.contains("one address has 30 of the 30 page views of blog"), "{}", called.stderr);
}

#[test]
fn hostile_names_obey_no_terminal() {
    let logs = Logs::new();
    let target = r"/\x1B[2J\xE2\x80\xAEgpj";
    let called =
        report(&[&logs.write("access.log", line("203.0.113.1", "22/Nov/2026:10:00:00 +0000", target))]);
    assert!(
        !called.stdout.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
        "{:?}",
        called.stdout
    );
}

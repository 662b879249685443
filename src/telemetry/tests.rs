//! The pages of a made-up agent.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::event::StreamId;
use crate::io::process::ProcessFacts;
use crate::pipeline::account::{Account, Loss, Losses};
use crate::pipeline::action::{Millis, SharedPath};
use crate::pipeline::facts::{FileFacts, Presence, Standing};
use crate::pipeline::machine::Machine;
use crate::pipeline::options::{DeliveryOptions, Mode, OpenFiles, Options, PartitionBy, Rejects, Timestamp};
use crate::pipeline::tally::Outcome;

const NOW_MS: u64 = 1_800_000_000_000;

fn observation() -> Observation {
    let delivery = DeliveryOptions {
        anchor: "t".to_owned(),
        mode: Mode::ExactlyOnce,
        commit_interval_ms: 1000,
        batch_events_max: 1,
        batch_bytes_max: 1,
        metadata_bytes_max: 4096,
        partition_by: PartitionBy::File,
        rejects: Rejects::Topic,
        timestamp: Timestamp::Now,
        stop_deadline_ms: 1,
        quiet_grace_ms: 1,
    };
    let open_files = OpenFiles { idle: 1, all: 1 };
    let machine = Machine::new(Options {
        logs: Vec::new(),
        delivery,
        open_files,
        deleted_bytes_max: None,
        local: None,
        nonce: 1,
        stream_seed: 1,
    });
    Observation {
        at_ms: NOW_MS,
        facts: machine.facts(Millis(0)),
        agent: AgentFacts {
            id: "web-1".to_owned(),
            state_dir: "/state".to_owned(),
            pid: 7,
            started_at_ms: NOW_MS - 90_000,
            committed_at_ms: Some(NOW_MS - 4_000),
            is_discovered: true,
            is_stopping: false,
            state_in_trouble: false,
        },
        reload: ReloadFacts { loaded_at_ms: NOW_MS - 90_000, refused: None },
        lost: LostBytes::default(),
        latencies: latencies(),
        kafka: KafkaFacts {
            brokers: "b:9092".to_owned(),
            topics: vec!["t".to_owned()],
            errors: vec![("_TRANSPORT".to_owned(), 3)],
            round_trips: vec![("b:9092".to_owned(), Duration::from_millis(2))],
        },
        messages_suppressed: 0,
    }
}

fn file(path: &str, presence: Presence, (size, committed): (u64, u64)) -> FileFacts {
    let path = SharedPath::from(Path::new(path));
    FileFacts {
        stream: StreamId(10),
        home: Some(path.clone()),
        path: Some(path),
        size,
        position: size,
        committed,
        line_time_ms: Some(NOW_MS.cast_signed() - 7_000),
        presence,
    }
}

fn page(observation: &Observation) -> String {
    metrics(observation.clone(), ProcessFacts::look())
}

/// The value of a series.
fn value(page: &str, series: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

/// Every name on a page, as Prometheus stores it: without the parts of a histogram.
fn names_on(page: &str) -> BTreeSet<String> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let name = |line: &str| {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let part = ["_bucket", "_sum", "_count"].into_iter().find_map(|part| name.strip_suffix(part));
        part.unwrap_or(name).to_owned()
    };
    lines.map(name).collect()
}

/// Every name of ours in a text.
fn names_in(text: &str) -> BTreeSet<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words = text.split(|character| !is_part(character));
    let names = words.filter(|word| word.starts_with("viewtail_") || word.starts_with("process_"));
    names.map(|name| name.strip_suffix("_bucket").unwrap_or(name).to_owned()).collect()
}

/// A page with every family on it.
fn full_page() -> String {
    let mut observation = observation();
    observation.facts.files.push(file("/log/a", Presence::Active, (10, 5)));
    page(&observation)
}

fn shipped(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_metric_is_documented_and_nothing_else_is() {
    let documented: BTreeSet<String> = shipped("docs/metrics.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned))
        .filter(|name| !name.starts_with('/'))
        .collect();
    assert_eq!(names_on(&full_page()), documented);
}

#[test]
fn what_alerts_and_the_dashboard_ask_for_is_on_the_page() {
    let there = names_on(&full_page());
    for shipped_file in ["packaging/prometheus/viewtail.rules.yaml", "packaging/grafana/viewtail.json"] {
        let asked = names_in(&shipped(shipped_file));
        assert!(asked.len() > 4, "{shipped_file} asks for {asked:?}");
        let missing: Vec<&String> = asked.difference(&there).collect();
        assert!(missing.is_empty(), "{shipped_file} asks for {missing:?}");
    }
}

#[test]
fn the_dashboard_is_json_and_the_rules_are_yaml_with_an_alert_each() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&shipped("packaging/grafana/viewtail.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels with one id");
    let rules = shipped("packaging/prometheus/viewtail.rules.yaml");
    for alert in ["FileLagging", "NoCommits", "ParseErrors", "BytesLost", "Fenced", "ReloadFailed"] {
        assert!(rules.contains(&format!("alert: Viewtail{alert}\n")), "{alert}");
    }
}

#[test]
fn lines_that_were_read_are_those_of_all_outcomes_and_those_on_their_way() {
    let mut observation = observation();
    observation.facts.reads.lines = 12;
    observation.facts.lines_on_their_way = 2;
    for (lines, outcome) in
        (1..).zip([Outcome::PageView, Outcome::Malformed, Outcome::Filtered, Outcome::Reread])
    {
        observation.facts.delivered.outcomes.add(outcome, lines);
    }
    let page = page(&observation);
    let of =
        |outcome: &str| value(&page, &format!("viewtail_events_total{{outcome=\"{outcome}\"}}")).unwrap();
    let outcomes: f64 = Outcome::ALL.into_iter().map(|outcome| of(outcome.name())).sum();
    let on_their_way = value(&page, "viewtail_queue_events").unwrap();
    assert_eq!(value(&page, "viewtail_lines_read_total"), Some(outcomes + on_their_way));
    assert_eq!(value(&page, "viewtail_events_committed_total"), Some(3.0));
}

#[test]
fn a_path_has_the_numbers_of_its_file_and_the_backlog_of_those_rotated_away() {
    let mut observation = observation();
    observation.facts.files = vec![
        file("/log/a", Presence::Active, (100, 90)),
        file("/log/a", Presence::Rotated, (50, 20)),
        file("/log/gone", Presence::Gone, (50, 20)),
        file("/log/done", Presence::Finished, (50, 50)),
        file("/log/\n\"\u{1b}", Presence::Active, (5, 5)),
    ];
    let page = page(&observation);
    assert_eq!(value(&page, "viewtail_file_size_bytes{path=\"/log/a\"}"), Some(100.0));
    assert_eq!(value(&page, "viewtail_file_lag_bytes{path=\"/log/a\"}"), Some(40.0));
    assert_eq!(value(&page, "viewtail_file_lag_seconds{path=\"/log/a\"}"), Some(7.0));
    assert!(!page.contains("/log/gone") && !page.contains("/log/done"), "{page}");
    assert_eq!(value(&page, "viewtail_files_watched"), Some(3.0));
    assert_eq!(value(&page, r#"viewtail_file_lag_seconds{path="/log/\\x0A\"\\x1B"}"#), Some(0.0), "{page}");
}

#[test]
fn five_hundred_files_make_less_than_a_mebibyte_and_ten_thousand_not_much_more() {
    let mut observation = observation();
    let path = |number: u64| format!("/var/log/nginx/customers/site-{number:05}.example.com/access.log");
    observation.facts.files =
        (0..500).map(|number| file(&path(number), Presence::Active, (number << 30, 0))).collect();
    let page_of_500 = page(&observation);
    assert!(page_of_500.len() < 1 << 20, "{} bytes", page_of_500.len());
    assert!(page_of_500.contains(&path(499)));
    observation.facts.files =
        (0..10_000).map(|number| file(&path(number), Presence::Active, (number, 0))).collect();
    let page = page(&observation);
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
    assert_eq!(page.matches("viewtail_file_lag_bytes{").count(), 1000);
    // The largest backlogs keep their names.
    assert!(page.contains(&path(9_999)) && !page.contains(&path(1)), "{page}");
    let rest: u64 = (0..10_000 - 999).sum();
    assert_eq!(value(&page, "viewtail_file_lag_bytes{path=\"other\"}"), Some(rest as f64));
}

#[test]
fn a_loss_is_counted_from_zero_and_outlives_its_file() {
    let mut observation = observation();
    let lost =
        |page: &str, path: &str| value(page, &format!("viewtail_file_lost_bytes_total{{path=\"{path}\"}}"));
    observation.facts.files = vec![file("/log/a", Presence::Active, (5, 5))];
    assert_eq!(lost(&page(&observation), "/log/a"), Some(0.0));
    let account = |bytes| Account { lost: Losses::of(Loss::Cut, bytes), read: 100, ..Account::default() };
    observation.facts.accounts = [("/log/gone", 7), ("", 9)]
        .map(|(path, bytes)| (SharedPath::from(Path::new(path)), account(bytes)))
        .into();
    observation.lost.note(&observation.facts.accounts);
    let page = page(&observation);
    assert_eq!(
        [lost(&page, "/log/a"), lost(&page, "/log/gone"), lost(&page, "other")],
        [Some(0.0), Some(7.0), Some(9.0)]
    );
    let account = |name: &str| value(&page, &format!("viewtail_account_bytes{{account=\"{name}\"}}"));
    assert_eq!(
        [account("read"), account("lost_cut"), account("lost_deleted")],
        [Some(200.0), Some(16.0), Some(0.0)]
    );
}

#[test]
fn a_reload_that_was_refused_shows_until_one_counts() {
    let mut observation = observation();
    let last = |page: &str| {
        let number = |name: &str| value(page, &format!("viewtail_config_last_reload_{name}"));
        (number("successful"), number("success_timestamp_seconds"))
    };
    let since_s = (NOW_MS - 90_000) as f64 / 1000.0;
    assert_eq!(last(&page(&observation)), (Some(1.0), Some(since_s)));
    observation.reload.refused = Some("1 error".to_owned());
    assert_eq!(last(&page(&observation)), (Some(0.0), Some(since_s)));
}

#[test]
fn readiness_names_every_reason_and_a_backlog_is_none() {
    let mut observation = observation();
    observation.facts.standing = Standing::Up;
    observation.facts.files.push(file("/log/a", Presence::Active, (1 << 40, 0)));
    assert_eq!(readiness(&reasons(&observation)), "ready\n");
    observation.facts.standing = Standing::Down("nobody answers".to_owned());
    observation.agent.is_stopping = true;
    observation.agent.is_discovered = false;
    observation.agent.state_in_trouble = true;
    assert_eq!(
        readiness(&reasons(&observation)),
        "it was asked to stop\nthe directories of the logs were not looked at yet\nKafka: nobody answers\n\
         the local state in /state cannot be written\n"
    );
}

#[test]
fn the_status_says_what_the_agent_sees() {
    let mut observation = observation();
    observation.facts.standing = Standing::Down("nobody answers".to_owned());
    observation.facts.files =
        vec![file("/log/b", Presence::Active, (10, 10)), file("/log/a", Presence::Active, (10, 4))];
    observation.reload.refused = Some("no".to_owned());
    let account = Account { read: 10, committed: 4, ..Account::default() };
    observation.facts.accounts.insert(SharedPath::from(Path::new("/log/a")), account);
    let status = serde_json::to_value(status::Status::of(&observation)).unwrap();
    let read: status::Status = serde_json::from_value(status.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), status);
    assert_eq!(
        status,
        serde_json::json!({
            "agent": {"id": "web-1", "state_dir": "/state", "pid": 7, "sequence": null, "last_commit_seconds": 4,
                      "reload_refused": "no"},
            "kafka": {"brokers": "b:9092", "topics": ["t"], "reachable": false, "error": "nobody answers"},
            "files": [
                {"path": "/log/a", "stream": "000000000000000a", "size": 10, "position": 10, "committed": 4,
                 "lag_bytes": 6, "lag_seconds": 7, "state": "behind", "proof": null},
                {"path": "/log/b", "stream": "000000000000000a", "size": 10, "position": 10, "committed": 10,
                 "lag_bytes": 0, "lag_seconds": 0, "state": "current", "proof": null},
            ],
            "accounts": [{"path": "/log/a", "read": 10, "committed": 4, "reread": 0, "unread": 0, "finished": 0,
                          "without_event": 0,
                          "lost": {"truncated": 0, "deleted": 0, "given_up": 0, "cut": 0, "skipped": 0, "unreadable": 0}}],
        })
    );
}

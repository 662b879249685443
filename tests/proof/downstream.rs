//! The examples of docs/downstream, executed over viewtail's events: their numbers are the report's.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::many_days::ManyDays;
use crate::numbers::{events, output, parse, report};
use crate::support::scratch::Scratch;

const LINES: u64 = 20_000;

#[test]
fn clickhouse_gives_the_numbers_of_the_report() {
    let scratch = Scratch::new("proof-clickhouse");
    let (ours, events) = prepare(&scratch, 21);
    let python = root().join("target/chdb/bin/python");
    assert!(python.exists(), "chDB is not in target/chdb; fetch it with: tests/tools/setup.sh test");
    let theirs = run(&python, "clickhouse", &events);
    assert_numbers(&theirs, "clickhouse", &ours);
}

#[test]
fn the_queries_for_doris_and_flink_give_the_numbers_of_the_report() {
    let scratch = Scratch::new("proof-sqlite");
    let (ours, events) = prepare(&scratch, 22);
    let theirs = run(Path::new("python3"), "sqlite", &events);
    assert_numbers(&theirs, "doris", &ours);
    assert_numbers(&theirs, "flink", &ours);
}

#[test]
fn every_consumer_of_the_topic_names_the_isolation_or_has_it_by_default() {
    let text = |name: &str| std::fs::read_to_string(root().join("docs/downstream").join(name)).unwrap();
    assert!(text("flink-tables.sql").contains("'properties.isolation.level' = 'read_committed'"));
    assert!(text("doris-tables.sql").contains("\"property.isolation.level\" = \"read_committed\""));
}

#[test]
fn the_manual_links_every_example() {
    let manual = std::fs::read_to_string(root().join("docs/downstream.md")).unwrap();
    for entry in std::fs::read_dir(root().join("docs/downstream")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(manual.contains(&format!("(downstream/{name})")), "docs/downstream.md does not link {name}");
    }
}

/// The report of a hostile log, and the file of its events.
fn prepare(scratch: &Scratch, seed: u64) -> (Value, PathBuf) {
    let mut source = ManyDays::new(seed, LINES);
    let mut log = Vec::new();
    for number in 0..LINES {
        if number % 4 == 0 {
            source.hostile(&mut log);
        } else {
            source.plain(&mut log);
        }
    }
    let (path, json) = (scratch.join("access.log"), scratch.join("events.jsonl"));
    std::fs::write(&path, log).expect("the scratch directory takes a file");
    std::fs::write(&json, events(&path)).expect("the scratch directory takes a file");
    (report(&[&path]), json)
}

fn run(python: &Path, engine: &str, events: &Path) -> Value {
    let mut command = Command::new(python);
    command.arg(root().join("tests/tools/downstream.py")).arg(engine).arg(events);
    parse(&output(command))
}

fn assert_numbers(theirs: &Value, engine: &str, ours: &Value) {
    let expected = |table: &str, wanted: &[&str]| -> Vec<Value> {
        let rows = ours[table].as_array().expect("a report has its tables").iter();
        let viewed = rows.filter(|row| row["page_views"] != 0);
        viewed
            .map(|row| wanted.iter().map(|name| ((*name).to_owned(), row[*name].clone())).collect())
            .collect()
    };
    let numbers = ["day", "site", "page_views", "visitors", "addresses"];
    let of_page = ["day", "site", "page", "page_views", "visitors", "addresses"];
    for (table, expected) in [("days", expected("days", &numbers)), ("pages", expected("pages", &of_page))] {
        let mut rows = theirs[engine][table].as_array().expect("an engine answers rows").clone();
        let key =
            |row: &Value| ["day", "site", "page"].map(|name| row[name].as_str().unwrap_or("").to_owned());
        rows.sort_by_key(key);
        let different = rows.iter().zip(&expected).find(|(theirs, ours)| theirs != ours);
        assert_eq!(different, None, "{engine}: {table}");
        assert_eq!(rows.len(), expected.len(), "{engine}: {table}");
        assert!(rows.len() > 40, "{engine}: {table} holds too little to prove anything");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

//! GoAccess as the other opinion, over logs that both understand alike.
//!
//! Where the two mean different things by a number, the test says by which rule, and the rest is equal to the unit.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::many_days::{Kind, ManyDays};
use crate::numbers::{output, parse, report};
use crate::support::scratch::Scratch;

const LINES: u64 = 120_000;
/// Days whose addresses are compared; GoAccess counts them per log, so that each day is a log of its own.
const SINGLE_DAYS: [&str; 3] = ["10/Feb/2026", "01/Mar/2026", "22/Mar/2026"];

/// The extensions of the log's files that are no pages.
const STATIC: [&str; 6] = [".css", ".js", ".jpg", ".woff2", ".txt", ".ico"];

type Counts = BTreeMap<String, u64>;

#[test]
fn goaccess_counts_the_same_to_the_unit() {
    let scratch = Scratch::new("proof-goaccess");
    let (all, views) = (scratch.join("all.log"), scratch.join("views.log"));
    write_logs(&all, &views);
    let ours = report(&[&all]);

    // Rule "hits": GoAccess's hits of a day are all its requests, viewtail's events.
    let theirs = goaccess(scratch.path(), &all, &[]);
    assert_eq!(theirs["general"]["failed_requests"], 0);
    assert_eq!(theirs["general"]["total_requests"], LINES);
    assert_eq!(per_day(&ours, "events"), visits(&theirs, "hits"));

    // Rule "counted statuses": what is neither 200 nor 304 is left out of GoAccess's view, too.
    let ignored = [206, 301, 403, 404, 500].map(|status| format!("--ignore-status={status}"));
    let theirs = goaccess(scratch.path(), &all, &ignored);
    // Rule "methods": GoAccess keeps POST as entries of their own.
    assert_eq!(per_page(&ours, "page_views"), entries(&theirs, "requests", "hits"));
    let statics: u64 = entries(&theirs, "static_requests", "hits").values().sum();
    assert_eq!(excluded_views(&ours, "static"), statics, "parts of pages");

    // Rule "who views": a visitor or an address counts with a page view, in GoAccess with any request. Over a log of
    // nothing but page views both are the same.
    let theirs = goaccess(scratch.path(), &views, &[]);
    assert_eq!(per_day(&ours, "page_views"), visits(&theirs, "hits"));
    assert_eq!(per_day(&ours, "visitors"), visits(&theirs, "visitors"));
    assert_eq!(per_page(&ours, "visitors"), entries(&theirs, "requests", "visitors"));
    assert_addresses(scratch.path(), &views, &ours);
}

/// A log, and its page views alone. The statuses of static files are drawn apart from their kind, so that those which
/// GoAccess ignores are the ones that viewtail calls `status` and `redirect`.
fn write_logs(all: &Path, views: &Path) {
    let mut source = ManyDays::new(11, LINES);
    let (mut every, mut viewed) = (Vec::new(), Vec::new());
    for _ in 0..LINES {
        let start = every.len();
        if source.plain(&mut every) == Kind::View {
            viewed.extend_from_slice(&every[start..]);
        }
    }
    std::fs::write(all, every).expect("the scratch directory takes a file");
    std::fs::write(views, viewed).expect("the scratch directory takes a file");
}

fn assert_addresses(directory: &Path, views: &Path, ours: &Value) {
    let log = std::fs::read_to_string(views).expect("it was just written");
    for day in SINGLE_DAYS {
        let of_day: String =
            log.split_inclusive('\n').filter(|line| line.contains(&format!("[{day}:"))).collect();
        let path = directory.join("day.log");
        std::fs::write(&path, of_day).expect("the scratch directory takes a file");
        let theirs = goaccess(directory, &path, &[]);
        let hosts = theirs["hosts"]["data"].as_array().expect("a panel has data").len();
        let date = visits(&theirs, "hits").into_keys().next().expect("the day has views");
        let counted = per_day(ours, "addresses")[&date];
        assert_eq!(counted, u64::try_from(hosts).expect("the numbers fit"), "addresses of {date}");
    }
}

/// Runs it without the machine's own configuration. Visitors of a 4xx are visitors; queries are dropped; all rows, not
/// the first 366.
fn goaccess(directory: &Path, log: &Path, further: &[String]) -> Value {
    let out = directory.join("goaccess.json");
    let mut command = Command::new("goaccess");
    command.arg(log).arg("--output").arg(&out).args([
        "--no-global-config",
        "--no-progress",
        "--log-format=COMBINED",
        "--no-query-string",
        "--http-method=yes",
        "--http-protocol=no",
        "--4xx-to-unique-count",
        "--max-items=1000000",
    ]);
    // Rule "parts of pages": GoAccess's own list of them is another one, and writes `.js` with a space behind it.
    command.args(STATIC.map(|ending| format!("--static-file={ending}")));
    command.args(further);
    output(command);
    parse(&std::fs::read(&out).expect("GoAccess wrote its numbers"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// GoAccess's panel of days: `20260210` is `2026-02-10`.
fn visits(goaccess: &Value, what: &str) -> Counts {
    let rows = goaccess["visitors"]["data"].as_array().expect("a panel has data").iter();
    rows.map(|row| {
        let day = row["data"].as_str().expect("a day is text");
        (format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]), number(&row[what]["count"]))
    })
    .collect()
}

/// A panel of requests, those with GET.
fn entries(goaccess: &Value, panel: &str, what: &str) -> Counts {
    let mut counts = Counts::new();
    for row in goaccess[panel]["data"].as_array().expect("a panel has data") {
        if row["method"] == "GET" {
            let page = row["data"].as_str().expect("a request is text");
            *counts.entry(page.to_owned()).or_default() += number(&row[what]["count"]);
        }
    }
    counts
}

fn per_day(report: &Value, what: &str) -> Counts {
    let rows = report["days"].as_array().expect("a report has days").iter();
    rows.map(|row| (row["day"].as_str().expect("a day is text").to_owned(), number(&row[what]))).collect()
}

/// Over all days: a visitor of two days is two visitors, in GoAccess too.
fn per_page(report: &Value, what: &str) -> Counts {
    let mut counts = Counts::new();
    for row in report["pages"].as_array().expect("a report has pages") {
        *counts.entry(row["page"].as_str().expect("a page is text").to_owned()).or_default() +=
            number(&row[what]);
    }
    counts
}

fn excluded_views(report: &Value, reason: &str) -> u64 {
    let days = report["days"].as_array().expect("a report has days").iter();
    days.filter_map(|day| day["excluded"][reason].as_u64()).sum()
}

//! The agent as it shows itself, against a real broker: numbers that agree with what is in the topic, pages that tell the
//! truth, and strangers at the port that change nothing.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::stage::{CATCH_UP_LIMIT, Stage};
use crate::support::access_log::AccessLog;
use crate::support::agent::binary;
use crate::support::kafka::Kafka;
use crate::support::process::{Process, command};
use crate::support::wait::{free_port, now, wait_until};
use crate::support::writer::{lines_in, write_lines};

/// A page is there within milliseconds; on a machine that does other things, too.
const PAGE_LIMIT: Duration = Duration::from_secs(10);

/// A page: its status and its body.
fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PAGE_LIMIT)).expect("the limit is valid");
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    Some((status, text.split_once("\r\n\r\n")?.1.to_owned()))
}

/// The numbers of `/metrics` by their series.
fn metrics(port: u16) -> BTreeMap<String, f64> {
    let (status, page) = get(port, "/metrics").expect("the agent shows its metrics");
    assert_eq!(status, 200);
    let series = page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    series.map(|(name, value)| (name.to_owned(), value.parse().expect("a value is a number"))).collect()
}

fn sum(page: &BTreeMap<String, f64>, name: &str) -> f64 {
    let is_of = |series: &&String| series.split('{').next() == Some(name);
    page.keys().filter(is_of).map(|series| page[series]).sum()
}

/// Lines read are those of all outcomes and those on their way: true on every page, whenever it is looked at.
fn assert_balanced(page: &BTreeMap<String, f64>) {
    let settled = sum(page, "viewtail_events_total") + page["viewtail_queue_events"];
    assert_eq!(page["viewtail_lines_read_total"], settled, "{page:?}");
}

fn status(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    let config = stage.scratch.join(&format!("{}.yaml", stage.topic));
    command.arg("status").arg("-c").arg(config).args(arguments);
    command
}

fn json_of(mut command: Command) -> serde_json::Value {
    let output = command.output().expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the status is JSON")
}

#[test]
fn the_numbers_agree_with_what_is_in_the_topic() {
    let stage = Stage::shared("metrics");
    let port = free_port();
    let truth = stage.scratch.join("truth.log");
    let mut source = AccessLog::new("w1", 7);
    let counter = stage.counter();
    let agent = stage.agent(&stage.config().http(port));
    wait_until(PAGE_LIMIT, "the endpoints are open", || get(port, "/healthz").is_some());
    let mut looks = 0;
    for _ in 0..20 {
        write_lines(&stage.log(), &mut source, 2000, &truth);
        assert_balanced(&metrics(port));
        looks += 1;
    }
    let lines = lines_in(&truth);
    counter.wait_for(lines, CATCH_UP_LIMIT);
    let committed = || metrics(port)["viewtail_events_committed_total"];
    wait_until(PAGE_LIMIT, "everything is counted as committed", || committed() >= lines as f64);
    let page = metrics(port);
    assert_balanced(&page);
    assert_eq!(page["viewtail_events_committed_total"], lines as f64);
    assert_eq!(page["viewtail_queue_events"], 0.0);
    assert_eq!(page["viewtail_end_to_end_latency_seconds_count"], lines as f64);
    assert_eq!(page["viewtail_kafka_up"], 1.0);
    let size = std::fs::metadata(stage.log()).expect("the log is there").len();
    let bytes = size as f64;
    assert_eq!(page["viewtail_bytes_read_total"], bytes);
    let path = stage.log().display().to_string();
    assert_eq!(page[&format!("viewtail_file_read_position_bytes{{path=\"{path}\"}}")], bytes);
    assert_eq!(page[&format!("viewtail_file_lag_bytes{{path=\"{path}\"}}")], 0.0);
    let page_views = page["viewtail_events_total{outcome=\"page_view\"}"];
    assert_eq!(page["viewtail_page_views_total{site=\"test.example.org\"}"], page_views);
    assert_eq!(get(port, "/readyz"), Some((200, "ready\n".to_owned())));

    // The command asks the same agent, and a page is JSON of the same shape.
    let live = json_of(status(&stage, &["--json"]));
    let (_, page) = get(port, "/status").expect("the agent shows its status");
    let page: serde_json::Value = serde_json::from_str(&page).expect("the page is JSON");
    let keys = |value: &serde_json::Value| {
        value["files"][0].as_object().map(|file| file.keys().cloned().collect::<Vec<_>>())
    };
    assert_eq!((keys(&live), &live["kafka"]), (keys(&page), &page["kafka"]));
    assert_eq!(
        (&live["files"][0]["committed"], &live["files"][0]["state"]),
        (&size.into(), &"current".into())
    );

    // A file that left the disk leaves the page.
    std::fs::remove_file(stage.log()).expect("the log is there");
    let is_gone = || !metrics(port).keys().any(|series| series.contains(&path));
    wait_until(PAGE_LIMIT, "the series of a deleted file are gone", is_gone);
    agent.stop();
    println!("metrics: {looks} looks at a working agent, each balanced");
}

#[test]
fn without_kafka_the_agent_is_alive_and_says_why_it_is_not_ready() {
    let kafka = std::sync::Arc::new(Kafka::start());
    let stage = Stage::on(kafka, "ready", &[]);
    let port = free_port();
    let mut source = AccessLog::new("w1", 8);
    let truth = stage.scratch.join("truth.log");
    write_lines(&stage.log(), &mut source, 100, &truth);
    let agent = stage.agent(&stage.config().http(port));
    wait_until(CATCH_UP_LIMIT, "the agent is ready", || matches!(get(port, "/readyz"), Some((200, _))));
    wait_until(CATCH_UP_LIMIT, "its lines are committed", || {
        metrics(port)["viewtail_events_committed_total"] == 100.0
    });
    stage.kafka.kill9();
    write_lines(&stage.log(), &mut source, 100, &truth);
    wait_until(
        CATCH_UP_LIMIT,
        "the agent says that Kafka is down",
        || matches!(get(port, "/readyz"), Some((503, reasons)) if reasons.starts_with("Kafka: ")),
    );
    assert_eq!(get(port, "/healthz"), Some((200, "alive\n".to_owned())));
    wait_until(CATCH_UP_LIMIT, "the backlog and its pressure show", || {
        let page = metrics(port);
        assert_balanced(&page);
        sum(&page, "viewtail_file_lag_bytes") > 0.0
            && page["viewtail_kafka_up"] == 0.0
            && page["viewtail_backpressure_seconds_total"] > 0.0
    });
    let down = json_of(status(&stage, &["--json"]));
    assert_eq!(down["kafka"]["reachable"], false);
    stage.kafka.restart();
    wait_until(CATCH_UP_LIMIT, "everything is committed", || {
        metrics(port)["viewtail_events_committed_total"] == 200.0
    });
    assert_balanced(&metrics(port));
    agent.stop();
}

#[test]
fn strangers_at_the_port_change_nothing() {
    let stage = Stage::shared("strangers");
    let port = free_port();
    let truth = stage.scratch.join("truth.log");
    let counter = stage.counter();
    let mut agent = stage.agent(&stage.config().http(port));
    wait_until(PAGE_LIMIT, "the endpoints are open", || get(port, "/healthz").is_some());
    let before = (agent.process().rss_kib(), agent.process().descriptors());
    let strangers: Vec<TcpStream> = (0..1000)
        .filter_map(|number| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            let words: &[u8] = match number % 3 {
                0 => b"",
                1 => b"GET /metrics HTTP/1.1\r\nX: ",
                _ => b"GET /metrics HTTP/1.1\r\n\r\n",
            };
            // It may have been hung up on already; nobody reads what it is answered.
            let _ = stream.write_all(words);
            Some(stream)
        })
        .collect();
    assert!(strangers.len() > 900, "{} strangers came", strangers.len());
    write_lines(&stage.log(), &mut AccessLog::new("w1", 9), 20_000, &truth);
    counter.wait_for(20_000, CATCH_UP_LIMIT);
    assert_balanced(&metrics(port));
    let descriptors = agent.process().descriptors();
    // Its brokers' sockets and the log have come since.
    assert!(descriptors < before.1 + 40, "{descriptors} descriptors after {}", before.1);
    println!(
        "strangers: {} KiB before, {} KiB after, {descriptors} descriptors",
        before.0,
        agent.process().rss_kib()
    );
    drop(strangers);
    agent.stop();
}

#[test]
fn a_port_in_use_is_told_and_lines_are_delivered_all_the_same() {
    let stage = Stage::shared("port-in-use");
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
    let port = taken.local_addr().expect("a bound socket has an address").port();
    let truth = stage.scratch.join("truth.log");
    write_lines(&stage.log(), &mut AccessLog::new("w1", 10), 100, &truth);
    let counter = stage.counter();
    let mut agent = stage.agent(&stage.config().http(port));
    agent.process().wait_for_words(PAGE_LIMIT, "no metrics and no status: cannot listen at");
    counter.wait_for(100, CATCH_UP_LIMIT);
    agent.stop();
}

#[test]
fn a_watch_shows_one_block_after_another_until_it_is_interrupted() {
    let stage = Stage::shared("watch");
    let port = free_port();
    std::fs::write(stage.log(), "").expect("the scratch directory takes a file");
    let agent = stage.agent(&stage.config().http(port));
    wait_until(PAGE_LIMIT, "the endpoints are open", || get(port, "/healthz").is_some());
    let mut watch = command(binary().to_str().expect("the path of the binary is text"));
    let config = stage.scratch.join(&format!("{}.yaml", stage.topic));
    watch.args(["status", "--watch", "1", "-c"]).arg(config);
    let mut watch = Process::start("watching", stage.scratch.path(), watch);
    let shown = || std::fs::read_to_string(stage.scratch.join("watching.out")).unwrap_or_default();
    wait_until(PAGE_LIMIT, "three blocks are shown", || shown().matches("agent  watch runs").count() >= 3);
    assert!(!shown().contains('\x1b'), "not a terminal, no colours and no clearing: {}", shown());
    watch.signal(rustix::process::Signal::INT);
    assert!(watch.wait(PAGE_LIMIT).success());
    agent.stop();
}

#[test]
fn diagnostics_are_json_or_for_the_journal_where_that_is_wanted() {
    let stage = Stage::shared("log-format");
    std::fs::write(stage.log(), "").expect("the scratch directory takes a file");
    for (format, id) in [("json", "as-json"), ("journal", "as-journal")] {
        let mut config = stage.config();
        id.clone_into(&mut config.id);
        config.state_dir = stage.scratch.join(id);
        let mut agent = crate::support::agent::Agent::spawn_with(
            stage.scratch.path(),
            &config,
            command(binary().to_str().expect("the path of the binary is text")),
            |run| {
                run.args(["--log-format", format]);
            },
        );
        agent.process().wait_for_words(PAGE_LIMIT, "starts as agent");
        let began = now();
        agent.process().wait_for_words(CATCH_UP_LIMIT, "first run");
        assert!(began.elapsed() < CATCH_UP_LIMIT);
        let words = agent.words();
        agent.stop();
        for line in words.lines() {
            if format == "json" {
                let line: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
                assert!(
                    line["level"] == "info" && line["message"].is_string() && line["time"].is_string(),
                    "{line}"
                );
            } else {
                assert!(line.starts_with("<6>"), "{line}");
            }
        }
    }
}

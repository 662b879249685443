//! The agent as it shows itself, against a real broker: numbers that agree with what is in the topic, pages that tell the
//! truth, and strangers at the port that change nothing.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::stage::{CATCH_UP_LIMIT, Stage};
use crate::support::access_log::AccessLog;
use crate::support::agent::binary;
use crate::support::kafka::Kafka;
use crate::support::page::{self, PAGE_LIMIT, get, metrics};
use crate::support::process::{Process, command};
use crate::support::wait::{free_port, now, pass_time, wait_until};
use crate::support::writer::{lines_in, write_lines};

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

fn shipped_text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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
    assert_eq!(live["accounts"], page::status(port)["accounts"]);
    let page = page::status(port);
    let keys = |value: &serde_json::Value| {
        value["files"][0].as_object().map(|file| file.keys().cloned().collect::<Vec<_>>())
    };
    assert_eq!((keys(&live), &live["kafka"]), (keys(&page), &page["kafka"]));
    assert_eq!(
        (&live["files"][0]["committed"], &live["files"][0]["state"]),
        (&size.into(), &"current".into())
    );
    let account = &page["accounts"][0];
    assert_eq!(
        serde_json::json!([
            account["path"],
            account["read"],
            account["committed"],
            account["lost"]["deleted"]
        ]),
        serde_json::json!([path, size, size, 0])
    );

    // What is shipped asks for nothing that a working agent does not show, and all of it is documented.
    let text = page::metrics_text(port);
    let names = page::exposition(&text).names;
    for shipped in ["packaging/prometheus/viewtail.rules.yaml", "packaging/grafana/viewtail.json"] {
        let asked = page::names_in(&shipped_text(shipped));
        assert!(asked.len() > 4, "{shipped} asks for {asked:?}");
        let missing: Vec<&String> = asked.difference(&names).collect();
        assert!(missing.is_empty(), "{shipped} asks for {missing:?}");
    }
    let documented = page::names_in(&shipped_text("docs/metrics.md"));
    let is_part = |name: &String| ["_bucket", "_sum", "_count"].iter().any(|part| name.ends_with(part));
    let undocumented: Vec<&String> = names.difference(&documented).filter(|name| !is_part(name)).collect();
    assert!(undocumented.is_empty(), "{undocumented:?}");

    // A file that left the disk leaves the page.
    std::fs::remove_file(stage.log()).expect("the log is there");
    let is_gone = || !metrics(port).keys().any(|series| series.contains(&path));
    wait_until(PAGE_LIMIT, "the series of a deleted file are gone", is_gone);
    agent.stop();
    println!("metrics: {looks} looks at a working agent, each balanced");
}

/// A broker writes the markers of a transaction within milliseconds after it was committed.
const MARKERS_WRITTEN_WITHIN: Duration = Duration::from_secs(2);

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
    // A broker that is killed before it has written all markers of a transaction may take longer to settle it than this
    // test waits; what is delivered then is the matter of the chaos.
    pass_time(MARKERS_WRITTEN_WITHIN);
    stage.kafka.kill9();
    // More than the blocks that are read ahead of Kafka.
    write_lines(&stage.log(), &mut source, 40_000, &truth);
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
        metrics(port)["viewtail_events_committed_total"] == 40_100.0
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
    watch.args(["status", "--watch", "1", "-c"]).arg(&config);
    let mut watch = Process::start("watching", stage.scratch.path(), watch);
    let shown = || std::fs::read_to_string(stage.scratch.join("watching.out")).unwrap_or_default();
    wait_until(PAGE_LIMIT, "three blocks are shown", || shown().matches("agent  watch runs").count() >= 3);
    assert!(!shown().contains('\x1b'), "not a terminal, no colours and no clearing: {}", shown());
    watch.signal(Signal::INT);
    assert!(watch.wait(PAGE_LIMIT).success());

    // On a terminal it is one picture that is drawn again, in colours; Ctrl-C ends it.
    let drawn = stage.scratch.join("drawn");
    let mut terminal = Command::new("script");
    // A shell that waits for it would report the signal instead of what the command says.
    let watching = format!("exec {} status --watch 1 -c {}", binary().display(), config.display());
    terminal.args(["--quiet", "--return", "--flush", "--command", &watching]).arg(&drawn);
    terminal.env("TERM", "xterm-256color").env_remove("NO_COLOR");
    let mut terminal =
        terminal.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("script is installed");
    let mut keyboard = terminal.stdin.take().expect("stdin is piped");
    let shown = || String::from_utf8_lossy(&std::fs::read(&drawn).unwrap_or_default()).into_owned();
    wait_until(PAGE_LIMIT, "three pictures are drawn", || shown().matches("\x1b[H\x1b[2J").count() >= 3);
    assert!(shown().contains("\x1b[32mruns\x1b[0m"), "{:?}", shown());
    keyboard.write_all(b"\x03").expect("the terminal takes a key");
    let mut ended = None;
    wait_until(PAGE_LIMIT, "Ctrl-C ends the watch", || {
        ended = terminal.try_wait().expect("a child can be waited for");
        ended.is_some()
    });
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    agent.stop();
}

#[test]
fn five_hundred_files_fit_on_a_page_of_one_mebibyte() {
    let stage = Stage::shared("many-files");
    let port = free_port();
    let mut source = AccessLog::new("w1", 11);
    let truth = stage.scratch.join("truth.log");
    for number in 0..500 {
        let directory = stage.scratch.directory(&format!("logs/site-{number:03}.example.com"));
        write_lines(&directory.join("access.log"), &mut source, 10, &truth);
    }
    let mut config = stage.config().http(port);
    config.logs =
        vec![(stage.scratch.join("logs/*/access.log").display().to_string(), "combined".to_owned())];
    let counter = stage.counter();
    let agent = stage.agent(&config);
    counter.wait_for(5000, CATCH_UP_LIMIT);
    wait_until(PAGE_LIMIT, "every file is committed", || {
        let page = metrics(port);
        page["viewtail_files_watched"] == 500.0 && sum(&page, "viewtail_file_lag_bytes") == 0.0
    });
    let began = now();
    let text = page::metrics_text(port);
    println!("many-files: {} bytes in {:?}", text.len(), began.elapsed());
    assert!(text.len() < 1 << 20, "{} bytes", text.len());
    let samples = page::exposition(&text).samples;
    assert!((500 * 5..500 * 5 + 150).contains(&samples), "{samples} values");
    agent.stop();
}

#[test]
fn a_reload_moves_the_endpoints_and_a_refused_one_shows() {
    let stage = Stage::shared("reloaded");
    let (port, next) = (free_port(), free_port());
    std::fs::write(stage.log(), "").expect("the scratch directory takes a file");
    let file = stage.scratch.join("reloaded.yaml");
    let config = stage.config().http(port);
    let mut agent = stage.agent(&config);
    wait_until(CATCH_UP_LIMIT, "the agent is ready", || matches!(get(port, "/readyz"), Some((200, _))));
    let loaded_at =
        |page: &BTreeMap<String, f64>| page["viewtail_config_last_reload_success_timestamp_seconds"];
    let at_start = metrics(port);
    assert_eq!(at_start["viewtail_config_last_reload_successful"], 1.0);
    assert_eq!(page::status(port)["agent"]["reload_refused"], serde_json::Value::Null);

    std::fs::write(&file, config.yaml().replace("topic: ", "topci: ")).expect("the file can be written");
    agent.process().signal(Signal::HUP);
    wait_until(PAGE_LIMIT, "the refusal shows", || {
        metrics(port)["viewtail_config_last_reload_successful"] == 0.0
    });
    assert_eq!(loaded_at(&metrics(port)), loaded_at(&at_start));
    let refused = page::status(port)["agent"]["reload_refused"].to_string();
    assert!(refused.contains("error"), "{refused}");
    let text = status(&stage, &[]).output().expect("the binary starts");
    let text = String::from_utf8_lossy(&[text.stdout, text.stderr].concat()).into_owned();
    assert!(text.contains("topci"), "the file on the disk is wrong, and status says so: {text}");
    assert_eq!(get(port, "/readyz"), Some((200, "ready\n".to_owned())), "the old one goes on");

    let mut moved = config.http(next);
    moved.sites = vec!["new.example.org".to_owned()];
    std::fs::write(&file, moved.yaml()).expect("the file can be written");
    agent.process().signal(Signal::HUP);
    wait_until(CATCH_UP_LIMIT, "the endpoints moved", || matches!(get(next, "/readyz"), Some((200, _))));
    assert_eq!(get(port, "/healthz"), None, "the port from before is closed");
    let page = metrics(next);
    assert_eq!(page["viewtail_config_last_reload_successful"], 1.0);
    assert!(loaded_at(&page) > loaded_at(&at_start));
    assert!(page.contains_key("viewtail_page_views_total{site=\"new.example.org\"}"), "{page:?}");
    assert_balanced(&page);
    std::fs::write(&file, moved.yaml().replace("http: {", "http: false #")).expect("the file can be written");
    agent.process().signal(Signal::HUP);
    wait_until(CATCH_UP_LIMIT, "the endpoints are closed", || get(next, "/healthz").is_none());
    agent.stop();
}

/// All is well; but a broker that has just started may make the producer wait for its id, which librdkafka warns of.
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
                assert!(line["message"].is_string() && line["time"].is_string(), "{line}");
                let is_waiting = line["level"] == "warn" && line["target"] == "librdkafka";
                assert!(line["level"] == "info" || is_waiting, "{line}");
            } else {
                // What syslog(3) calls information, and a warning.
                assert!(line.starts_with("<6>") || line.starts_with("<4>GETPID: "), "{line}");
            }
        }
    }
}

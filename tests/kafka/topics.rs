//! A topic for each site: one transaction goes to all of them, so what is promised of one holds for each.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::stage::{CATCH_UP_LIMIT, Stage};
use crate::support::agent::{Agent, Config, binary};
use crate::support::topic::{self, Counter};
use crate::support::wait::wait_until;
use crate::support::writer::{Plan, Writer, lines_in};

/// An agent that says what is wrong, and one that reads its configuration anew.
const LIMIT: Duration = Duration::from_secs(30);
/// Kills at random instants of the transactions.
const KILLS: u64 = 8;
const TEMPLATE: &str = "topics-{site}";

/// A log of a site, its topic, and what is written to it.
struct Site {
    name: &'static str,
    log: PathBuf,
    topic: String,
    counter: Counter,
    writer: Writer,
}

impl Site {
    /// Its topic has another number of partitions than the others'.
    fn start(stage: &Stage, name: &'static str, partitions: i32) -> Self {
        let topic = TEMPLATE.replace("{site}", name);
        if topic != stage.topic {
            topic::create(&stage.kafka.brokers(), &topic, partitions, &[]);
        }
        let log = stage.scratch.join(&format!("logs/{name}.log"));
        let rotated = (Duration::from_millis(900), Duration::from_millis(200));
        Self {
            name,
            writer: Writer::start(Plan::steady(&log, name, 400).rotated(rotated.0, rotated.1)),
            counter: Counter::start(&stage.kafka.brokers(), &topic, &stage.scratch.directory(name)),
            log,
            topic,
        }
    }
}

/// An agent's configuration for these sites, in their order.
fn config_of(stage: &Stage, sites: &[&Site]) -> Config {
    let mut config = stage.config();
    config.topic = TEMPLATE.to_owned();
    let combined = |site: &&Site| (site.log.display().to_string(), "combined".to_owned());
    config.logs = sites.iter().map(combined).collect();
    config.sites = sites.iter().map(|site| site.name.to_owned()).collect();
    config
}

/// What a command says of this configuration, once it succeeded.
fn said(stage: &Stage, arguments: &[&str]) -> String {
    let config = stage.scratch.join(&format!("{}.yaml", stage.topic));
    let output = Command::new(binary()).args(arguments).arg("-c").arg(config).output();
    let output = output.expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn each_site_has_its_topic_and_each_of_its_lines_is_there_once() {
    let stage = Stage::shared("topics-a.example");
    let one = Site::start(&stage, "a.example", 3);
    let two = Site::start(&stage, "b.example", 5);
    let config = config_of(&stage, &[&one, &two]);
    let mut agent = stage.agent(&config);
    for _ in 0..KILLS {
        for site in [&one, &two] {
            let target = site.counter.count() + 100;
            site.counter.wait_for(target, CATCH_UP_LIMIT);
        }
        agent.kill9();
        agent = stage.agent(&config);
    }

    // Another site joins while lines arrive; the first one, which carries the positions, cannot leave its place.
    let three = Site::start(&stage, "c.example", 1);
    reload(
        &stage,
        &mut agent,
        &config_of(&stage, &[&two, &one]),
        "topics-a.example to topics-b.example can change",
    );
    reload(&stage, &mut agent, &config_of(&stage, &[&one, &two, &three]), "read again and counts");
    three.counter.wait_for(500, CATCH_UP_LIMIT);
    agent.kill9();
    let agent = stage.agent(&config_of(&stage, &[&one, &two, &three]));

    let mut total = 0;
    let sites: Vec<(String, Counter, PathBuf)> =
        [one, two, three].into_iter().map(|site| (site.topic, site.counter, site.writer.finish())).collect();
    for (_, counter, truth) in &sites {
        counter.wait_for(lines_in(truth), CATCH_UP_LIMIT);
        total += lines_in(truth);
    }
    let status: serde_json::Value = serde_json::from_str(&said(&stage, &["status", "--json"])).expect("JSON");
    let topics: Vec<&str> = sites.iter().map(|(topic, ..)| topic.as_str()).collect();
    assert_eq!(status["kafka"]["topics"], serde_json::json!(topics));
    agent.stop();
    for (topic, counter, truth) in &sites {
        let truth: &Path = truth;
        crate::support::checker::check(&stage.kafka.brokers(), topic, &[], &[truth]);
        assert_eq!(
            counter.count(),
            lines_in(truth),
            "a reader that was there all the time saw each line once"
        );
    }

    // Whatever reads the topics back finds them in the configuration.
    let verified: serde_json::Value =
        serde_json::from_str(&said(&stage, &["verify", "--json"])).expect("JSON");
    assert_eq!((&verified["ok"], &verified["lines"]), (&true.into(), &total.into()));
    let report: serde_json::Value =
        serde_json::from_str(&said(&stage, &["report", "--from", "kafka", "--json"])).expect("JSON");
    assert_eq!(report["totals"]["events"], total);
    let checked = said(&stage, &["check"]);
    for topic in topics {
        assert!(checked.contains(&format!("topic: {topic}")), "{topic} is not looked at:\n{checked}");
    }
}

/// Writes the configuration anew and waits until the agent says so.
fn reload(stage: &Stage, agent: &mut Agent, config: &Config, answer: &str) {
    let before = agent.words().matches(answer).count();
    let path = stage.scratch.join(&format!("{}.yaml", stage.topic));
    std::fs::write(path, config.yaml()).expect("the configuration can be written");
    agent.process().signal(Signal::HUP);
    wait_until(LIMIT, answer, || agent.words().matches(answer).count() > before);
}

#[test]
fn the_topic_that_is_missing_is_named_and_waited_for() {
    let stage = Stage::shared("missing-a");
    let mut config = stage.config().log(&stage.scratch.join("logs/b.log"), "combined");
    config.topic = "missing-{site}".to_owned();
    config.sites = ["a", "b"].map(str::to_owned).to_vec();
    let writer = Writer::start(Plan::steady(&stage.log(), "w1", 200));
    let counter = stage.counter();
    let mut agent = stage.agent(&config);
    agent.process().wait_for_words(LIMIT, "topic missing-b does not exist");
    topic::create(&stage.kafka.brokers(), "missing-b", 1, &[]);
    counter.wait_for(100, CATCH_UP_LIMIT);
    let truth = writer.finish();
    stage.finish(agent, &counter, lines_in(&truth), (&[], &[truth.as_path()]));
}

//! SIGHUP while lines arrive: whatever changes, and however often, no line is lost or doubled by it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use crate::stage::{CATCH_UP_LIMIT, Stage};
use crate::support::agent::{Agent, Config, binary};
use crate::support::wait::wait_until;
use crate::support::writer::{Plan, Writer, lines_in};

/// A reload waits for the end of a transaction, 150 ms here, and perhaps for a new producer.
const LIMIT: Duration = Duration::from_secs(30);

const COUNTS: &str = "the configuration was read again and counts";
/// What an agent says that knows its positions.
const AT_WORK: &str = "files from commit";
const REFUSED: &str = "the configuration was refused";

/// An agent whose configuration is written anew.
struct Reloaded<'a> {
    stage: &'a Stage,
    agent: Agent,
}

impl Reloaded<'_> {
    /// Writes the configuration's text and asks for it; waits until the agent says the `answer` once more.
    fn reload(&mut self, yaml: &str, answer: &str) {
        let said = |agent: &Agent| agent.words().matches(answer).count();
        let before = said(&self.agent);
        self.write(yaml);
        self.agent.process().signal(Signal::HUP);
        wait_until(LIMIT, answer, || said(&self.agent) > before);
    }

    fn write(&self, yaml: &str) {
        let path = self.stage.scratch.join(&format!("{}.yaml", self.stage.topic));
        std::fs::write(path, yaml).expect("the configuration can be written");
    }

    /// Kills the agent at the instant at which it is asked to reload, and starts it again.
    fn kill_reloading(self, config: &Config) -> Self {
        let Self { stage, mut agent } = self;
        agent.process().signal(Signal::HUP);
        let starts = |agent: &Agent| agent.words().matches(AT_WORK).count();
        let before = starts(&agent);
        agent.kill9();
        let again = Self { stage, agent: stage.agent(config) };
        // Before it listens, a SIGHUP is the end of a process.
        wait_until(LIMIT, AT_WORK, || starts(&again.agent) > before);
        again
    }
}

#[test]
fn no_sequence_of_reloads_loses_or_doubles_a_line() {
    let stage = Stage::shared("reload");
    let other = stage.scratch.join("logs/other.log");
    let one = stage.config();
    let two = one.clone().log(&other, "combined");
    let elsewhere = Config { brokers: one.brokers.replace("127.0.0.1", "localhost"), ..two.clone() };
    let counter = stage.counter();
    let rotated = (Duration::from_millis(700), Duration::from_millis(100));
    let writers = [
        Writer::start(Plan::steady(&stage.log(), "w1", 800).rotated(rotated.0, rotated.1)),
        Writer::start(Plan::steady(&other, "w2", 300)),
    ];
    let mut agent = Reloaded { stage: &stage, agent: stage.agent(&one) };
    counter.wait_for(500, CATCH_UP_LIMIT);
    for round in 0..4 {
        agent.reload(&two.yaml(), COUNTS);
        agent.reload(&(two.yaml() + "nonsense: true\n"), REFUSED);
        agent.reload(&elsewhere.yaml(), COUNTS);
        agent.reload(&one.yaml(), COUNTS);
        agent.reload(&two.clone().kafka("flush: {messages: 50}").yaml(), COUNTS);
        agent.reload(&two.yaml().replace("topic: \"reload\"", "topic: \"another\""), REFUSED);
        let target = counter.count() + 300;
        counter.wait_for(target, CATCH_UP_LIMIT);
        if round % 2 == 0 {
            agent = agent.kill_reloading(&two);
        }
    }
    assert!(
        agent.agent.words().contains("kafka.topic from reload to another can change only with a restart")
    );
    // The web server still writes the format from before; only the agent's file was changed.
    let format = "'$msec \"$request\" $status'";
    agent.reload(&two.yaml().replace("format: combined", &format!("format: {format}")), COUNTS);
    let target = counter.count() + 1000;
    counter.wait_for(target, CATCH_UP_LIMIT);
    let truths = writers.map(Writer::finish);
    let lines = truths.iter().map(|truth| lines_in(truth)).sum();
    let truths: Vec<&Path> = truths.iter().map(PathBuf::as_path).collect();
    stage.finish(agent.agent, &counter, lines, (&[], &truths));
    assert_eq!(malformed(&stage), 0, "lines of the format from before are not read");
}

#[test]
fn new_brokers_without_a_thread_for_them_are_refused_as_a_whole() {
    let stage = Stage::shared("reload-thread");
    let one = stage.config();
    let other = stage.scratch.join("logs/other.log");
    let elsewhere = Config {
        brokers: one.brokers.replace("127.0.0.1", "localhost"),
        ..one.clone().log(&other, "combined")
    };
    let counter = stage.counter();
    let writer = Writer::start(Plan::steady(&stage.log(), "w1", 300));
    // The first thread is the one that the agent starts with.
    let agent = Agent::spawn_failing(stage.scratch.path(), &one, "spawn_edge", 2);
    let mut agent = Reloaded { stage: &stage, agent };
    counter.wait_for(100, CATCH_UP_LIMIT);
    agent.reload(&elsewhere.yaml(), REFUSED);
    assert!(
        agent.agent.words().contains("no thread for the new options of kafka"),
        "{}",
        agent.agent.words()
    );
    let target = counter.count() + 300;
    counter.wait_for(target, CATCH_UP_LIMIT);
    assert!(!agent.agent.words().contains(COUNTS), "what was refused counts");
    // The same again, and the system has a thread.
    agent.reload(&elsewhere.yaml(), COUNTS);
    let target = counter.count() + 300;
    counter.wait_for(target, CATCH_UP_LIMIT);
    let truth = writer.finish();
    stage.finish(agent.agent, &counter, lines_in(&truth), (&[], &[truth.as_path()]));
}

/// Events of the topic that are malformed.
fn malformed(stage: &Stage) -> u64 {
    let brokers = stage.kafka.brokers();
    let output = std::process::Command::new(binary())
        .args(["report", "--from", "kafka", "--json", "--brokers", &brokers, "--topic", &stage.topic])
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the report is JSON");
    report["totals"]["malformed"].as_u64().expect("the totals count what is malformed")
}

//! The network as the adversary: the end of one transaction that arrives in the next, slow and dead connections.
//!
//! librdkafka has one epoch for a producer's life, and asks again when an EndTxn was not answered. The first one may
//! still be on its way, and a broker takes it for the end of whatever transaction is open when it arrives (KAFKA-17754).
//! Epoch hygiene is what stands against it; without it the same attack doubles lines, which is tested too.

use std::path::PathBuf;
use std::time::Duration;

use crate::proxy::Proxied;
use crate::stage::{CATCH_UP_LIMIT, times};
use crate::support::access_log::Random;
use crate::support::agent::{Agent, Config, binary};
use crate::support::checker;
use crate::support::process::command;
use crate::support::scratch::Scratch;
use crate::support::topic::{self, Counter};
use crate::support::wait::pass_time;
use crate::support::writer::{Plan, Writer, lines_in};

/// Lines a second: records stand in every transaction.
const RATE: u64 = 600;
/// How often the small edition attacks; VIEWTAIL_ATTACKS says otherwise (`make chaos`).
const ATTACKS: u64 = 5;
/// How often the network changes its mood; VIEWTAIL_MOODS says otherwise.
const MOODS: u64 = 12;
/// What the broker says to a producer whose epoch is over: INVALID_PRODUCER_EPOCH, PRODUCER_FENCED.
const FENCED: [&str; 2] = ["released 47", "released 90"];
/// The broker took it.
const TAKEN: &str = "released 0";

/// A broker behind the proxy, an agent in front of it, a log that is written.
struct Attacked {
    proxied: Proxied,
    scratch: Scratch,
    config: Config,
    counter: Counter,
    writer: Writer,
}

impl Attacked {
    fn new(name: &str) -> Self {
        let (proxied, scratch) = (Proxied::start(), Scratch::new(name));
        topic::create(&proxied.kafka.brokers(), name, 3, &[]);
        let log = scratch.directory("logs").join("access.log");
        let config = Config::new(name, &scratch.join("state"), &log)
            .to(&proxied.address(), name)
            // A request that gets no answer is asked again after this.
            .kafka("properties: {socket.timeout.ms: 2000}");
        let counter = Counter::start(&proxied.kafka.brokers(), name, scratch.path());
        let writer = Writer::start(Plan::steady(&log, "w1", RATE));
        Self { proxied, scratch, config, counter, writer }
    }

    fn agent(&self, planted: Option<&str>) -> Agent {
        let program = command(binary().to_str().expect("the path of the binary is text"));
        Agent::spawn_with(self.scratch.path(), &self.config, program, |run| {
            run.envs(planted.map(|bug| ("VIEWTAIL_PLANTED", bug)));
        })
    }

    /// One attack; what the broker answered, and the agent that is there after it.
    fn attack(&mut self, mut agent: Agent, how: (&str, &str), planted: Option<&str>) -> (String, Agent) {
        let (point, fashion) = how;
        self.counter.wait_for(self.counter.count() + RATE / 2, CATCH_UP_LIMIT);
        self.proxied.order(&format!("attack {point} {fashion}"));
        assert_eq!(self.proxied.answer(), "held");
        let answer = self.proxied.answer();
        if point == "late" {
            agent.kill9();
            self.proxied.order("resume");
            agent = self.agent(planted);
        }
        (answer, agent)
    }

    /// Waits until every line is there and stops everything: the truth, and how many lines it has.
    fn finish(self, agent: Agent) -> (Proxied, Scratch, PathBuf, u64) {
        let Self { proxied, scratch, counter, writer, .. } = self;
        let truth = writer.finish();
        let lines = lines_in(&truth);
        counter.wait_for(lines, CATCH_UP_LIMIT);
        agent.stop();
        (proxied, scratch, truth, lines)
    }
}

#[test]
fn the_end_of_a_transaction_that_arrives_in_the_next_one_is_refused() {
    let attacks = times("VIEWTAIL_ATTACKS", ATTACKS);
    let mut attacked = Attacked::new("attack");
    let mut agent = attacked.agent(None);
    let ways = [("late", "cut"), ("early", "cut"), ("late", "stall"), ("early", "stall")].into_iter().cycle();
    for (attack, how) in (1..=attacks).zip(ways) {
        let (answer, next) = attacked.attack(agent, how, None);
        assert!(FENCED.contains(&answer.as_str()), "attack {attack}, {how:?}: {answer}");
        agent = next;
    }
    let (proxied, _scratch, truth, lines) = attacked.finish(agent);
    let verdict = checker::check(&proxied.kafka.brokers(), "attack", &["--faults-required"], &[&truth]);
    println!(
        "network: {attacks} attacks by a delayed EndTxn refused, {} aborted records, {lines} lines",
        verdict.aborted
    );
    assert_eq!(verdict.lines, lines);
}

#[test]
fn without_epoch_hygiene_the_same_attack_doubles_lines() {
    let mut attacked = Attacked::new("attack-planted");
    let agent = attacked.agent(Some("NoEpochHygiene"));
    let (answer, agent) = attacked.attack(agent, ("late", "cut"), Some("NoEpochHygiene"));
    assert_eq!(answer, TAKEN, "the attack is no attack");
    let (proxied, _scratch, truth, _) = attacked.finish(agent);
    let doubled = checker::doubled(&proxied.kafka.brokers(), "attack-planted", &truth);
    assert!(doubled > 0, "the attack did no harm");
}

#[test]
fn slow_cut_and_half_open_connections_cost_no_line() {
    let moods = times("VIEWTAIL_MOODS", MOODS);
    let mut attacked = Attacked::new("network");
    let agent = attacked.agent(None);
    let seed = u64::from(std::process::id());
    println!("network: seed {seed}");
    let mut random = Random::new(seed);
    attacked.counter.wait_for(RATE / 2, CATCH_UP_LIMIT);
    for mood in 0..moods {
        match mood % 4 {
            0 => attacked.proxied.order("cut"),
            1 => attacked.proxied.order("delay 120"),
            2 => attacked.proxied.order("freeze"),
            _ => attacked.proxied.order("delay 0"),
        }
        pass_time(Duration::from_millis(300 + random.below(1500)));
    }
    attacked.proxied.order("delay 0");
    let (proxied, _scratch, truth, lines) = attacked.finish(agent);
    let verdict = checker::check(&proxied.kafka.brokers(), "network", &[], &[&truth]);
    println!("network: {moods} moods, {} aborted records, {lines} lines", verdict.aborted);
    assert_eq!(verdict.lines, lines);
}

//! Kafka is away for a minute, from the agent's start on; later it hangs.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use crate::stage::CATCH_UP_LIMIT;
use crate::support::agent::{Agent, Config};
use crate::support::checker;
use crate::support::kafka::Kafka;
use crate::support::scratch::Scratch;
use crate::support::topic::{self, Counter};
use crate::support::wait::pass_time;
use crate::support::writer::{Plan, Writer, lines_in};

const OUTAGE_SECONDS: u64 = 60;
/// By then the agent has started, found nobody and said so.
const SETTLED_SECONDS: u64 = 12;
/// Resident memory may move by a few pages' worth of allocator noise, not with the 120,000 lines that wait.
const GROWTH_KIB_MAX: u64 = 2048;
/// Long enough to be told from what was under way before, and shorter than a transaction may take.
const HANG: Duration = Duration::from_secs(6);

#[test]
fn row_09_kafka_away_for_a_minute_costs_neither_lines_nor_memory() {
    let kafka = Arc::new(Kafka::prepared());
    let scratch = Scratch::new("outage");
    let log = scratch.directory("logs").join("access.log");
    let writer =
        Writer::start(Plan::steady(&log, "w1", 2000).rotated(Duration::from_secs(9), Duration::from_secs(1)));
    let config = Config::new("outage", &scratch.join("state"), &log).to(&kafka.brokers(), "outage");
    let mut agent = Agent::spawn(scratch.path(), &config);

    pass_time(Duration::from_secs(SETTLED_SECONDS));
    let (rss_before, said_before) = (agent.process().rss_kib(), agent.words());
    let mut rss_max = rss_before;
    for _ in SETTLED_SECONDS..OUTAGE_SECONDS {
        pass_time(Duration::from_secs(1));
        rss_max = rss_max.max(agent.process().rss_kib());
    }
    let ended = agent.process().exited();
    assert!(ended.is_none(), "the agent did not wait for Kafka: {ended:?}\n{}", agent.words());
    println!(
        "outage: resident {rss_before} KiB after {SETTLED_SECONDS} s, at most {rss_max} KiB in {OUTAGE_SECONDS} s"
    );
    assert!(
        rss_max <= rss_before + GROWTH_KIB_MAX,
        "memory grew from {rss_before} to {rss_max} KiB while Kafka was away"
    );
    assert!(said_before.contains(&kafka.brokers()), "the agent does not say who is away:\n{said_before}");
    let repeated =
        agent.words().matches(&kafka.brokers()).count() - said_before.matches(&kafka.brokers()).count();
    assert_eq!(repeated, 0, "the agent says it again and again:\n{}", agent.words());

    // First a broker without the topic, then the topic: neither may cost a line.
    kafka.restart();
    pass_time(Duration::from_secs(2));
    topic::create(&kafka.brokers(), "outage", 3, &[]);
    let counter = Counter::start(&kafka.brokers(), "outage", scratch.path());
    counter.wait_for(writer.lines(), CATCH_UP_LIMIT);
    let busy = while_it_hangs(&kafka, || agent.process().cpu());
    println!("outage: {busy:?} of CPU in {HANG:?} in which the broker hung");
    assert!(busy < HANG / 5, "the agent was busy for {busy:?} with waiting for {HANG:?}");
    let truth = writer.finish();
    let lines = lines_in(&truth);
    counter.wait_for(lines, CATCH_UP_LIMIT);
    agent.stop();
    let verdict = checker::check(&kafka.brokers(), "outage", &[], &[&truth]);
    assert_eq!(verdict.lines, lines);
}

/// What is spent while the broker, with requests under way, does not answer.
fn while_it_hangs(kafka: &Kafka, mut spent: impl FnMut() -> Duration) -> Duration {
    kafka.signal(Signal::STOP);
    let before = spent();
    pass_time(HANG);
    let busy = spent().saturating_sub(before);
    kafka.signal(Signal::CONT);
    busy
}

//! An agent that sleeps past the transaction time-out and wakes up as a zombie.

use std::time::Duration;

use rustix::process::Signal;

use crate::stage::{CATCH_UP_LIMIT, Stage};
use crate::support::wait::{pass_time, wait_until};
use crate::support::writer::{Plan, Writer, lines_in};

/// transaction.timeout.ms is 20 s by default; the coordinator here looks every second.
const PAUSE: Duration = Duration::from_secs(24);

#[test]
fn an_agent_stopped_past_the_transaction_timeout_goes_on_without_a_gap() {
    let stage = Stage::shared("pause");
    let counter = stage.counter();
    let writer = Writer::start(Plan::steady(&stage.log(), "w1", 1000));
    let mut agent = stage.agent(&stage.config());
    counter.wait_for(1000, CATCH_UP_LIMIT);

    stop_in_a_transaction(&stage, &mut agent);
    let (stopped_at, written_at) = (counter.count(), writer.lines());
    pass_time(PAUSE);
    assert!(counter.count() <= written_at, "more is committed than was written: {stopped_at}, {written_at}");
    agent.process().signal(Signal::CONT);

    wait_until(CATCH_UP_LIMIT, "the agent goes on where it stopped", || counter.count() > written_at);
    let ended = agent.process().exited();
    assert!(ended.is_none(), "the agent did not survive its pause: {ended:?}\n{}", agent.words());
    let truth = writer.finish();
    let lines = lines_in(&truth);
    stage.finish(agent, &counter, lines, (&["--faults-required"], &[&truth]));
}

/// Stops the agent at an instant at which records are on the broker that are not committed.
fn stop_in_a_transaction(stage: &Stage, agent: &mut crate::support::agent::Agent) {
    let brokers = stage.kafka.brokers();
    // Another length each time: records linger first, and a transaction ends at once that grew old during a stop.
    let mut runs_ms = (30..200).step_by(23).cycle();
    wait_until(Duration::from_secs(60), "the agent is stopped inside a transaction", || {
        agent.process().signal(Signal::STOP);
        // Requests under way arrive yet; a commit among them moves both marks together.
        pass_time(Duration::from_millis(150));
        let open = crate::support::topic::open_records(&brokers, &stage.topic);
        if open == 0 {
            agent.process().signal(Signal::CONT);
            pass_time(Duration::from_millis(runs_ms.next().unwrap_or_default()));
        }
        open > 0
    });
}

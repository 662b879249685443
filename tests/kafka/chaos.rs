//! The proof: a log is written and rotated while the agent is killed at random instants and at named points, the
//! broker is killed and started again, and the state directory is deleted.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use crate::stage::{Stage, times};
use crate::support::access_log::Random;
use crate::support::agent::Agent;
use crate::support::kafka::Kafka;
use crate::support::process::ended_by_signal;
use crate::support::wait::{pass_time, wait_until};
use crate::support::writer::{Plan, Writer, lines_in};

/// A cold broker and an agent that starts.
const FIRST_COMMIT_LIMIT: Duration = Duration::from_secs(30);
/// Lines a second: enough that nearly every instant has a transaction open.
const RATE: u64 = 1500;
/// More than one rotation between two kills happens, and so does none.
const ROTATE_EVERY: Duration = Duration::from_millis(1700);
const LATE: Duration = Duration::from_millis(900);
/// Kills at random instants, in as many parts as the broker dies times; VIEWTAIL_KILLS and VIEWTAIL_BROKER_KILLS say
/// otherwise.
const RANDOM_KILLS: u64 = 42;
const BROKER_KILLS: u64 = 3;
/// Rounds of every named point.
const POINT_ROUNDS: u64 = 2;
/// What the issue asks for, all kinds together.
const KILLS_MIN: u64 = 60;
/// An agent passes each of its points within a few commits, rotations or starts. A transaction that its
/// predecessor left open has to be settled first.
const POINT_LIMIT: Duration = Duration::from_secs(30);

/// Every named crash point of the agent, in the order a transaction passes them.
const POINTS: [&str; 11] = [
    "after_init",
    "after_fetch",
    "after_begin",
    "after_produce",
    "after_flush",
    "after_send_offsets",
    "before_commit",
    "after_commit",
    "before_persist",
    "after_persist",
    "after_rename_seen",
];
/// Points that are passed once in the life of a producer.
const ONCE_A_LIFE: [&str; 2] = ["after_init", "after_fetch"];

#[test]
fn row_38_nothing_is_lost_or_doubled_whatever_is_killed_when() {
    if !cfg!(feature = "testing") {
        panic!("the named points need: cargo test --features testing (make kafka-tests does it)");
    }
    let stage = Stage::on(Arc::new(Kafka::start()), "chaos", &[]);
    let counter = stage.counter();
    let plan = Plan::steady(&stage.log(), "w1", RATE).rotated(ROTATE_EVERY, LATE);
    let writer = Writer::start(plan);
    let seed = u64::from(std::process::id());
    println!("chaos: seed {seed}");
    let mut faults = Faults { stage: &stage, random: Random::new(seed), kills: 0, states_deleted: 0 };

    // A file that is rotated out of the log's paths before anybody has recorded that it was there is a file that the
    // paths never matched: the promise begins with the first commit.
    let first = stage.agent(&stage.config());
    counter.wait_for(1, FIRST_COMMIT_LIMIT);
    first.kill9();
    let broker_kills = times("VIEWTAIL_BROKER_KILLS", BROKER_KILLS);
    for _ in 0..broker_kills {
        faults.kill_agents(times("VIEWTAIL_KILLS", RANDOM_KILLS) / broker_kills);
        faults.kill_broker();
    }
    for round in 0..POINT_ROUNDS {
        for point in POINTS {
            faults.kill_at(point, round);
        }
    }

    let agent = stage.agent(&stage.config());
    // The end is calm: what was written last is rotated away and drained like everything before.
    let rotations = writer.rotations();
    wait_until(Duration::from_secs(20), "the log is rotated once more", || writer.rotations() > rotations);
    let (kills, states_deleted, rotations) = (faults.kills, faults.states_deleted, writer.rotations());
    let truth = writer.finish();
    let lines = lines_in(&truth);
    let verdict = stage.finish(agent, &counter, lines, (&["--faults-required"], &[&truth]));
    println!(
        "chaos: {kills} kill -9 of the agent, {broker_kills} of the broker, {states_deleted} state directories \
         deleted, {rotations} rotations, {} aborted records, {lines} lines",
        verdict.aborted
    );
    assert!(kills >= KILLS_MIN, "{kills} kills are not the {KILLS_MIN} that were asked for");
    assert!(states_deleted > 0, "the state directory was never deleted");
    assert!(rotations >= 20, "only {rotations} rotations");
    assert_eq!(verdict.lines, lines);
}

struct Faults<'a> {
    stage: &'a Stage,
    random: Random,
    kills: u64,
    states_deleted: u64,
}

impl Faults<'_> {
    /// Kills at any instant of an agent's first one and a half seconds: start-up, recovery, full run.
    fn kill_agents(&mut self, times: u64) {
        for _ in 0..times {
            let agent = self.stage.agent(&self.stage.config());
            pass_time(Duration::from_millis(50 + self.random.below(1450)));
            agent.kill9();
            self.kills += 1;
            if self.random.below(5) == 0 {
                self.delete_state();
            }
        }
        self.delete_state();
    }

    /// The broker dies under a running agent, which stays up and goes on when it is back.
    fn kill_broker(&mut self) {
        let mut agent = self.stage.agent(&self.stage.config());
        pass_time(Duration::from_millis(700 + self.random.below(800)));
        self.stage.kafka.kill9();
        pass_time(Duration::from_millis(self.random.below(2000)));
        self.stage.kafka.restart();
        let counter = self.stage.counter();
        let before = self.written();
        counter.wait_for(before, crate::stage::CATCH_UP_LIMIT);
        let ended = agent.process().exited();
        assert!(
            ended.is_none(),
            "the agent did not survive the broker's death: {ended:?}\n{}",
            agent.words()
        );
        agent.kill9();
        self.kills += 1;
    }

    /// The agent aborts itself at a named point.
    fn kill_at(&mut self, point: &str, round: u64) {
        let passing = if ONCE_A_LIFE.contains(&point) { 1 } else { 1 + round + self.random.below(2) };
        let mut agent = Agent::spawn_failing(self.stage.scratch.path(), &self.stage.config(), point, passing);
        let status = {
            let process = agent.process();
            wait_until(POINT_LIMIT, &format!("the agent comes by {point} for the {passing}. time"), || {
                process.exited().is_some()
            });
            process.wait(POINT_LIMIT)
        };
        assert!(ended_by_signal(status), "at {point} the agent ended with {status}:\n{}", agent.words());
        self.kills += 1;
    }

    fn delete_state(&mut self) {
        let state = self.stage.scratch.join("state");
        if state.exists() {
            std::fs::remove_dir_all(&state).expect("the state directory of a dead agent can be deleted");
            self.states_deleted += 1;
        }
    }

    /// Lines that are in the truth by now.
    fn written(&self) -> u64 {
        lines_in(&self.stage.scratch.join("logs/truth-w1"))
    }
}

#[test]
fn a_log_that_is_written_slowly_arrives_line_by_line() {
    let stage = Stage::shared("chaos-slow");
    let counter = stage.counter();
    let writer = Writer::start(Plan::steady(&stage.log(), "s1", 5));
    let mut agent = stage.agent(&stage.config());
    counter.wait_for(15, crate::stage::CATCH_UP_LIMIT);
    // A kill between transactions, with nothing open: nothing to abort, nothing to repeat.
    agent.process().signal(Signal::KILL);
    agent.wait(Duration::from_secs(10));
    let agent = stage.agent(&stage.config());
    counter.wait_for(30, crate::stage::CATCH_UP_LIMIT);
    let truth = writer.finish();
    let lines = lines_in(&truth);
    stage.finish(agent, &counter, lines, (&[], &[&truth]));
}

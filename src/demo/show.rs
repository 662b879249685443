//! The course of the show: what happens when, until the totals are checked.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::agent::{Agent, AgentSettings};
use super::screen::{Moment, Screen, Style};
use super::tally::Tally;
use super::writer::{Pace, Writer};
use crate::io::clock::{self, Clock};
use crate::io::interrupt::Interrupt;
use crate::io::kafka::embedded::EmbeddedBroker;
use crate::io::kafka::topic::{self, Polled, ReadError, TopicReader};
use crate::io::table;
use crate::pipeline::action::Millis;
use crate::verify::{Audit, Report, SourceId};

/// Partitions of the topic.
const PARTITIONS: i32 = 3;

/// Steady and readable: about 7,000 lines of 200 bytes in all, far below the 5 MiB that a partition of the embedded broker keeps.
const LINES_PER_SECOND: u64 = 300;

/// Length of the writing with the embedded broker: with start, catching up and checking it stays below half a minute.
const CALM_MS: u64 = 22_000;

/// About 600 bytes an event, and all of them may go to one partition.
const _: () =
    assert!(CALM_MS / 1000 * LINES_PER_SECOND * 600 < 5 << 20, "the embedded broker keeps all of it");

/// Length of the writing under kills: a dozen of them.
const KILLS_MS: u64 = 38_000;

/// Pauses between two kills, taken in turn: some hit a starting agent (recovery takes up to 1.5 s), some a running one.
const KILL_PAUSES_MS: [u64; 5] = [3000, 2600, 3700, 1200, 3300];

/// How long the agent is down in a restart: long enough to see lines waiting.
const DOWN_MS: u64 = 700;

/// How long the agent may take to deliver the last lines: a broker settles the transaction of a killed agent within
/// its transaction timeout (20 s by default) and 10 s.
const CATCH_UP_MS: u64 = 35_000;

/// How long the agent may take to stop: what it promises.
const STOP_MS: u64 = 30_000;

/// How long a broker may take to answer and a topic to appear.
const TOPIC_MS: u64 = 20_000;

/// One wait for a record; also the pace of everything else.
const POLL: Duration = Duration::from_millis(50);

/// Records that are taken before the rest of the show is looked at again.
const RECORDS_PER_STEP: usize = 500;

/// Which broker takes the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broker {
    /// Inside this process.
    Embedded,
    /// A real one, and the agent is killed every few seconds.
    Real(String),
}

/// What the caller decides.
#[derive(Clone, Debug)]
pub struct Options {
    /// The broker.
    pub broker: Broker,
    /// How it is shown.
    pub style: Style,
}

/// How the show ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The audit of the topic.
    pub report: Report,
    /// What was read back at the end.
    pub read: Tally,
    /// What was written.
    pub written: Tally,
    /// Rotations of the log.
    pub rotations: u64,
    /// Graceful restarts of the agent.
    pub restarts: u64,
    /// kill -9 of the agent.
    pub kills: u64,
    /// The topic that was read.
    pub topic: String,
}

/// The show cannot begin: the broker does not answer.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Refused(#[from] pub ReadError);

/// The agent did not do what it promises.
#[derive(Debug, thiserror::Error)]
#[error("{fact}")]
pub struct AgentFailed {
    /// What happened.
    pub fact: String,
    /// The last lines of its own log, escaped.
    pub last_words: String,
}

/// Plays the show.
///
/// # Errors
/// The broker does not answer ([`Refused`]), the agent fails ([`AgentFailed`]), or Ctrl-C was pressed.
pub fn play(options: &Options) -> anyhow::Result<Outcome> {
    let interrupt = Interrupt::install().context("listen to Ctrl-C")?;
    let directory =
        tempfile::Builder::new().prefix("viewtail-demo-").tempdir().context("make a temporary directory")?;
    let (embedded, brokers, topic) = match &options.broker {
        Broker::Embedded => {
            let topic = "page-views".to_owned();
            let broker = EmbeddedBroker::start(&topic, PARTITIONS)?;
            let address = broker.address();
            (Some(broker), address, topic)
        }
        Broker::Real(brokers) => {
            let topic = format!("viewtail-demo-{}-{}", clock::unix_milliseconds(), std::process::id());
            (None, brokers.clone(), topic)
        }
    };
    let properties = vec![("bootstrap.servers".to_owned(), brokers.clone())];
    // A missing topic is an answer: the agent will make it.
    match topic::probe(&properties, &topic, Duration::from_millis(TOPIC_MS)) {
        Ok(_) | Err(ReadError::TopicMissing(_)) => {}
        Err(error) => return Err(Refused(error).into()),
    }
    let settings = AgentSettings {
        directory: directory.path(),
        brokers: &brokers,
        topic: &topic,
        create_partitions: embedded.is_none().then_some(PARTITIONS),
    };
    let mut agent = Agent::prepare(&settings).context("prepare the agent")?;
    let (pace, director) = script(&options.broker);
    let writer =
        Writer::start(&directory.path().join("access.log"), pace).context("begin to write the log")?;
    agent.start().context("start the agent")?;

    let screen = Screen::new(options.style);
    let mut show =
        Show { interrupt, properties, topic, writer, agent, director, screen, read: Tally::default() };
    show.say_what_happens(&options.broker)?;
    show.run()?;
    show.check()
}

/// What happens when.
fn script(broker: &Broker) -> (Pace, Director) {
    let (duration_ms, rotations_ms, plot) = match broker {
        Broker::Embedded => (CALM_MS, vec![6_000, 16_000], Plot::Restart { at_ms: 11_000 }),
        Broker::Real(_) => (KILLS_MS, vec![9_000, 24_000], Plot::Kills),
    };
    let pace = Pace { duration_ms, lines_per_second: LINES_PER_SECOND, rotations_ms };
    (
        pace,
        Director {
            clock: Clock::start(),
            plot,
            phase: Phase::Running,
            next_kill_ms: KILL_PAUSES_MS[0],
            restarts: 0,
            kills: 0,
        },
    )
}

/// What is done to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plot {
    Restart { at_ms: u64 },
    Kills,
}

/// Where the agent is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It is to run.
    Running,
    /// It was asked to stop.
    Stopping { since: Millis },
    /// It is down, on purpose.
    Down { since: Millis },
}

/// Restarts or kills the agent.
#[derive(Debug)]
struct Director {
    clock: Clock,
    plot: Plot,
    phase: Phase,
    next_kill_ms: u64,
    restarts: u64,
    kills: u64,
}

impl Director {
    fn step(&mut self, agent: &mut Agent) -> anyhow::Result<()> {
        let now = self.clock.now();
        let elapsed_ms = now.0;
        let ended = agent.poll().context("look at the agent")?;
        match (self.phase, ended) {
            (Phase::Running, Some(status)) => {
                return Err(failed(format!("the agent ended by itself ({status})"), agent));
            }
            (Phase::Running, None) => match self.plot {
                Plot::Restart { at_ms } if self.restarts == 0 && elapsed_ms >= at_ms => {
                    agent.ask_to_stop().context("stop the agent")?;
                    self.phase = Phase::Stopping { since: now };
                }
                Plot::Kills if elapsed_ms >= self.next_kill_ms && elapsed_ms < KILLS_MS => {
                    agent.kill().context("kill the agent")?;
                    self.kills += 1;
                    let turn = usize::try_from(self.kills).unwrap_or(0) % KILL_PAUSES_MS.len();
                    self.next_kill_ms = elapsed_ms + KILL_PAUSES_MS[turn];
                    agent.start().context("start the agent again")?;
                }
                Plot::Restart { .. } | Plot::Kills => {}
            },
            (Phase::Stopping { .. }, Some(status)) if status.success() => {
                self.phase = Phase::Down { since: now }
            }
            (Phase::Stopping { .. }, Some(status)) => {
                return Err(failed(format!("the agent did not stop well ({status})"), agent));
            }
            (Phase::Stopping { since }, None) if now.since(since) > STOP_MS => {
                return Err(failed(format!("the agent did not stop within {} s", STOP_MS / 1000), agent));
            }
            (Phase::Down { since }, _) if now.since(since) >= DOWN_MS => {
                agent.start().context("start the agent again")?;
                self.restarts += 1;
                self.phase = Phase::Running;
            }
            (Phase::Stopping { .. } | Phase::Down { .. }, _) => {}
        }
        Ok(())
    }

    fn fate(&self) -> String {
        match self.plot {
            Plot::Restart { .. } => table::count(self.restarts, "graceful restart"),
            Plot::Kills => table::count(self.kills, "kill -9").replace("9s", "9"),
        }
    }
}

fn failed(fact: String, agent: &Agent) -> anyhow::Error {
    AgentFailed { fact, last_words: agent.last_words() }.into()
}

struct Show {
    interrupt: Interrupt,
    properties: Vec<(String, String)>,
    topic: String,
    writer: Writer,
    agent: Agent,
    director: Director,
    screen: Screen,
    read: Tally,
}

impl Show {
    fn say_what_happens(&mut self, broker: &Broker) -> anyhow::Result<()> {
        let (where_to, what) = match broker {
            Broker::Embedded => ("an embedded broker".to_owned(), "restarted on the way"),
            Broker::Real(brokers) => {
                (format!("{brokers}, topic {}", self.topic), "killed with SIGKILL every few seconds")
            }
        };
        self.screen.say("viewtail demo: a log is written and rotated live; the real agent follows it,")?;
        self.screen.say(&format!("is {what}, and delivers to {where_to}."))?;
        if *broker == Broker::Embedded {
            self.screen.say(
                "The embedded broker shows the job but cannot prove exactly-once; `make demo-kill` does.",
            )?;
        }
        self.screen.say("A view here is a GET answered with 200 whose path has no file extension.\n")?;
        Ok(())
    }

    /// Until everything that was written is read back, or the time is over.
    fn run(&mut self) -> anyhow::Result<()> {
        let reader = self.open()?;
        let clock = Clock::start();
        let mut finished_at = None;
        loop {
            self.step(&reader)?;
            let (is_finished, lines, error) =
                self.writer.look(|written| (written.is_finished, written.truth.lines, written.error.clone()));
            if let Some(error) = error {
                bail!("write the log: {error}");
            }
            if !is_finished {
                continue;
            }
            let finished_at = *finished_at.get_or_insert_with(|| clock.now());
            if self.read.lines >= lines && self.director.phase == Phase::Running {
                return Ok(());
            }
            if clock.now().since(finished_at) > CATCH_UP_MS {
                let (read, seconds) = (self.read.lines, CATCH_UP_MS / 1000);
                let fact =
                    format!("{read} of {lines} lines were delivered within {seconds} s after the last one");
                return Err(failed(fact, &self.agent));
            }
        }
    }

    /// Stops the agent and compares the whole topic with the truth.
    fn check(mut self) -> anyhow::Result<Outcome> {
        self.agent.ask_to_stop().context("stop the agent")?;
        match self.agent.wait(STOP_MS).context("wait for the agent")? {
            Some(status) if status.success() => {}
            Some(status) => {
                return Err(failed(format!("the agent did not stop well ({status})"), &self.agent));
            }
            None => {
                return Err(failed(
                    format!("the agent did not stop within {} s", STOP_MS / 1000),
                    &self.agent,
                ));
            }
        }
        let (mut read, mut audit) = (Tally::default(), Audit::default());
        let reader = TopicReader::open(&self.properties, &self.topic)?;
        reader.read_to_end(&mut |record| {
            read.add_event(record.value);
            audit.feed(SourceId(record.partition.unsigned_abs()), record.value);
        })?;
        let (written, rotations) = self.writer.look(|written| (written.truth.clone(), written.rotations));
        let fate = self.director.fate();
        self.screen.end(&Moment { read: &read, written: written.lines, rotations, pid: None, fate })?;
        let (restarts, kills, topic) = (self.director.restarts, self.director.kills, self.topic);
        Ok(Outcome { report: audit.report(), read, written, rotations, restarts, kills, topic })
    }

    /// The reader of the live picture, as soon as the topic is there.
    fn open(&mut self) -> anyhow::Result<TopicReader> {
        let clock = Clock::start();
        loop {
            match TopicReader::open(&self.properties, &self.topic) {
                Ok(reader) => return Ok(reader),
                Err(error) if clock.now().0 >= TOPIC_MS => {
                    return Err(failed(format!("the topic did not appear: {error}"), &self.agent));
                }
                Err(_) => {
                    self.direct_and_draw()?;
                    std::thread::sleep(POLL);
                }
            }
        }
    }

    fn step(&mut self, reader: &TopicReader) -> anyhow::Result<()> {
        for _ in 0..RECORDS_PER_STEP {
            let read = &mut self.read;
            if reader.poll(POLL, &mut |record| read.add_event(record.value))? != Polled::Record {
                break;
            }
        }
        self.direct_and_draw()
    }

    fn direct_and_draw(&mut self) -> anyhow::Result<()> {
        if self.interrupt.is_wanted() {
            bail!("interrupted");
        }
        self.director.step(&mut self.agent)?;
        let (written, rotations) = self.writer.look(|written| (written.truth.lines, written.rotations));
        let (pid, fate) = (self.agent.pid(), self.director.fate());
        self.screen.show(&Moment { read: &self.read, written, rotations, pid, fate })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_scripts_rotate_twice_within_their_time() {
        for broker in [Broker::Embedded, Broker::Real("b:1".into())] {
            let (pace, director) = script(&broker);
            assert_eq!(pace.rotations_ms.len(), 2);
            // A rotation takes its course before the writing ends.
            assert!(pace.rotations_ms.iter().all(|at_ms| at_ms + 2000 < pace.duration_ms));
            assert_eq!(director.phase, Phase::Running);
        }
    }
}

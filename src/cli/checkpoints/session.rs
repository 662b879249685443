//! The locked positions of a stopped agent: read as a starting agent reads them (S1 to S4), written as it commits them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::Context as _;

use super::super::run::{durability, no_state};
use super::super::setup::Setup;
use super::super::{Exit, Failure};
use crate::event::StreamId;
use crate::io::clock::{self, Clock, Deadline};
use crate::io::kafka::{Edge, EdgeHandle};
use crate::io::state::{Saved, StateDir};
use crate::io::{identity, terminal};
use crate::pipeline::action::{Action, Exit as Ended, Millis, Reply};
use crate::pipeline::checkpoint::{FileSnapshot, Snapshot};
use crate::pipeline::delivery::{Delivery, Event, Out};
use crate::pipeline::notice::{Level, Notice};
use crate::pipeline::options::Mode;
use crate::pipeline::resolve::Truth;
use crate::pipeline::shard::Entry;

/// An election takes some seconds, and the transaction of an agent that was killed up to 30.
const PATIENCE: Duration = Duration::from_secs(45);
/// How often it is looked at whether something is due.
const SLICE: Duration = Duration::from_millis(100);

/// The positions, locked. Nothing is changed before [`Self::commit`].
pub struct Session {
    state: StateDir,
    agent_id: String,
    machine: String,
    snapshot: Snapshot,
    /// In modes without transactions the local state is the truth, and Kafka is not asked.
    link: Option<Link>,
}

impl Session {
    /// Locks the state directory, fences whoever had the agent's id before, and finds out which positions are true.
    ///
    /// # Errors
    /// The agent runs (exit 75), Kafka does not answer (75), it may not be done or the positions cannot be read (77, 78).
    pub fn open(setup: &Setup) -> anyhow::Result<Self> {
        let mode = setup.delivery().mode;
        let (state, saved) = StateDir::open(&setup.config.agent.state_dir, durability(mode))
            .map_err(|error| no_state(&error))?;
        let local = saved.map(|saved| saved.snapshot);
        let (snapshot, link) = match mode {
            Mode::ExactlyOnce => {
                let mut link = Link::open(setup, local.clone())?;
                let snapshot = link.resolve(setup, local)?;
                (snapshot, Some(link))
            }
            Mode::AtLeastOnce | Mode::BestEffort => (local.unwrap_or_default(), None),
        };
        let (agent_id, machine) = (setup.agent_id.clone(), setup.machine.clone());
        Ok(Self { state, agent_id, machine, snapshot, link })
    }

    /// The committed positions.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Makes these the committed positions and says by which number.
    ///
    /// # Errors
    /// Kafka does not answer, or somebody else commits under this agent's id. What was true before may be so still.
    pub fn commit(mut self, mut snapshot: Snapshot) -> anyhow::Result<u64> {
        snapshot.sequence = match &mut self.link {
            Some(link) => link.commit(snapshot.files.iter().map(|file| file.entry).collect())?,
            None => snapshot.sequence,
        };
        let sequence = snapshot.sequence;
        let saved = Saved {
            agent_id: self.agent_id.clone(),
            machine: self.machine.clone(),
            written_at_ms: clock::unix_milliseconds(),
            snapshot,
        };
        self.state.save(&saved).context("write the local state")?;
        self.close()?;
        Ok(sequence)
    }

    /// Lets the producer go.
    ///
    /// # Errors
    /// Kafka does not answer.
    pub fn close(self) -> anyhow::Result<()> {
        self.link.map_or(Ok(()), Link::close)
    }
}

/// The delivery machine without a tail: it never gets a line.
struct Link {
    delivery: Delivery,
    edge: EdgeHandle,
    replies: Receiver<Reply>,
    clock: Clock,
    /// How far the machine's time is ahead of the clock: what it would do in some hours, it does now.
    ahead_ms: u64,
    is_answer_due: bool,
    /// Why Kafka did not do what it was asked, lately.
    trouble: Option<Failure>,
}

impl Link {
    fn open(setup: &Setup, local: Option<Snapshot>) -> anyhow::Result<Self> {
        let (sender, replies) = mpsc::channel();
        let edge = Edge::spawn(setup.kafka()?, &Arc::default(), move |reply| {
            // Nobody listens any more when the command is over.
            let _ = sender.send(reply);
        })
        .context("start the Kafka thread")?;
        let options = setup.delivery();
        let nonce = identity::random().context("get random numbers from the system")?;
        let delivery = Delivery::new(options.clone(), options.anchor, nonce, local);
        Ok(Self {
            delivery,
            edge,
            replies,
            clock: Clock::start(),
            ahead_ms: 0,
            is_answer_due: false,
            trouble: None,
        })
    }

    fn resolve(&mut self, setup: &Setup, local: Option<Snapshot>) -> anyhow::Result<Snapshot> {
        let (truth, entries) = self.until(|event| match event {
            Event::Resolved(truth, entries) => Some((truth, entries)),
            Event::Committed(..) | Event::Rewound | Event::Spare(_) | Event::Say(_) | Event::Over(_) => None,
        })?;
        let sequence = self.sequence();
        let known = local.as_ref().filter(|local| local.sequence == sequence);
        let logs = match (truth, known) {
            (_, Some(local)) => local.logs.clone(),
            (Truth::FirstRun, None) => Vec::new(),
            (Truth::Kafka | Truth::Local, None) => setup.logs.iter().map(|log| log.key).collect(),
        };
        let Snapshot { files: places, forgotten, .. } = local.unwrap_or_default();
        let mut places: HashMap<StreamId, FileSnapshot> =
            places.into_iter().map(|file| (file.entry.stream, file)).collect();
        let file = |entry: Entry| {
            let place = places.remove(&entry.stream);
            FileSnapshot { entry, ..place.unwrap_or_else(|| FileSnapshot::nowhere(entry)) }
        };
        Ok(Snapshot {
            sequence,
            anchor: self.delivery.anchor().to_owned(),
            cluster_id: self.delivery.cluster_id().map(str::to_owned),
            logs,
            files: entries.into_iter().map(file).collect(),
            forgotten,
        })
    }

    fn commit(&mut self, entries: Vec<Entry>) -> anyhow::Result<u64> {
        self.delivery.replace(entries);
        let committed = self.until(|event| matches!(event, Event::Committed(..)).then_some(()));
        committed
            .context("whether the change is committed is not known: `viewtail checkpoints list` says it")?;
        Ok(self.sequence())
    }

    fn close(mut self) -> anyhow::Result<()> {
        self.delivery.stop();
        self.until(|event| matches!(event, Event::Over(Ended::Stopped)).then_some(()))
    }

    fn sequence(&self) -> u64 {
        self.delivery.checkpoint().map_or(0, crate::pipeline::checkpoint::Checkpoint::sequence)
    }

    /// Steps the machine until it tells what is waited for.
    fn until<T>(&mut self, wanted: impl Fn(Event) -> Option<T>) -> anyhow::Result<T> {
        let deadline = Deadline::after(PATIENCE);
        while !deadline.passed() {
            let mut out = Out::default();
            let now = self.now();
            self.delivery.pump(now, &mut out);
            if out.actions.is_empty() && out.events.is_empty() {
                self.wait(&mut out)?;
            }
            if let Some(found) = self.take(out, &wanted)? {
                return Ok(found);
            }
        }
        let silent = || Failure::new(Exit::Temporary, "Kafka does not answer: try again when it does");
        Err(self.trouble.take().unwrap_or_else(silent).into())
    }

    /// Waits for an answer, or for the next attempt. A machine that has nothing to wait for but its heartbeat, the
    /// transaction with all positions, need not wait.
    fn wait(&mut self, out: &mut Out) -> anyhow::Result<()> {
        if !self.is_answer_due && self.delivery.accepts() {
            self.ahead_ms += self.delivery.wake_at().since(self.now());
            return Ok(());
        }
        match self.replies.recv_timeout(SLICE) {
            Ok(reply) => {
                self.is_answer_due = false;
                let now = self.now();
                self.delivery.reply(now, reply, out);
                Ok(())
            }
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the Kafka thread ended"),
        }
    }

    fn take<T>(&mut self, out: Out, wanted: &impl Fn(Event) -> Option<T>) -> anyhow::Result<Option<T>> {
        for action in out.actions {
            // The delivery asks for nothing else: files and the local state are the tail's business.
            if let Action::Kafka(command) = action {
                self.is_answer_due = true;
                self.edge.send(command);
            }
        }
        let mut found = None;
        for event in out.events {
            match event {
                Event::Say(notice @ Notice::TopicMissing { .. }) => {
                    return Err(Failure::new(Exit::Configuration, notice.to_string()).into());
                }
                Event::Say(notice) => self.tell(&notice),
                Event::Over(Ended::Refused(why)) => return Err(Failure::new(Exit::Configuration, why).into()),
                event @ (Event::Resolved(..)
                | Event::Committed(..)
                | Event::Rewound
                | Event::Spare(_)
                | Event::Over(Ended::Stopped)) => found = found.or_else(|| wanted(event)),
            }
        }
        Ok(found)
    }

    fn tell(&mut self, notice: &Notice) {
        let text = notice.to_string();
        if matches!(notice, Notice::KafkaDown { .. }) {
            self.trouble = Some(Failure::new(Exit::Temporary, text));
        } else if notice.level() >= Level::Warning {
            anstream::eprintln!("viewtail: {}", terminal::escape(&text));
        }
    }

    fn now(&self) -> Millis {
        self.clock.now().plus(self.ahead_ms)
    }
}

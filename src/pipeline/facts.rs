//! What the machine knows of itself, for whoever looks at the agent: counters that are kept anyway, and where each file is.
//!
//! Counters are plain numbers, moved once per read and once per batch. Looking costs a walk over the files; the machine does
//! nothing for it until somebody asks.

use std::collections::BTreeMap;

use super::account::Account;
use super::action::{Millis, SharedPath};
use super::generation::{Generation, Whereabouts};
use super::histogram::Histogram;
use super::machine::Machine;
use super::notice::Notice;
use super::tally::{Outcome, Outcomes, Tally};
use super::times::Times;
use crate::event::StreamId;

/// Upper bounds of a transaction's duration, in seconds: around commit_interval's default of 1 s, up to the default
/// timeout of 20 s.
const TRANSACTION_S: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 5.0, 10.0, 20.0];

/// What was read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reads {
    /// Lines, those that were read again included.
    pub lines: u64,
    /// Their bytes, terminators included.
    pub bytes: u64,
    /// Files that were renamed while they were followed.
    pub renamed: u64,
    /// Files that were truncated or written anew while they were followed.
    pub truncated: u64,
}

impl Reads {
    /// Counts what was just told to the operator.
    pub(super) fn note(&mut self, notice: &Notice) {
        if matches!(notice, Notice::Rotated { .. }) {
            self.renamed += 1;
        }
        if matches!(notice, Notice::Truncated { .. }) {
            self.truncated += 1;
        }
    }
}

/// How a transaction ended; without transactions, a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionResult {
    /// It is in Kafka.
    Committed,
    /// It was aborted, and its lines are read again.
    Aborted,
    /// Its producer was given up with it, and its lines are read again.
    Lost,
}

impl TransactionResult {
    /// Every result.
    pub const ALL: [Self; 3] = [Self::Committed, Self::Aborted, Self::Lost];

    /// Its name for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Lost => "lost",
        }
    }
}

/// What was delivered.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Lines whose fate is known.
    pub outcomes: Outcomes,
    /// Page views in Kafka, by the number of their site.
    pub page_views: Vec<u64>,
    /// How transactions ended.
    pub transactions: [u64; TransactionResult::ALL.len()],
    /// From the beginning of a transaction to its commit, in seconds.
    pub durations: Histogram<{ TRANSACTION_S.len() }>,
    /// How often another producer had taken the transactional id, or the coordinator had given the transaction up.
    pub fenced: u64,
    /// When the lines were written that were committed since somebody took these.
    pub(super) times: Option<Times>,
}

impl Default for Delivered {
    fn default() -> Self {
        Self {
            outcomes: Outcomes::default(),
            page_views: Vec::new(),
            transactions: [0; TransactionResult::ALL.len()],
            durations: Histogram::new(&TRANSACTION_S),
            fenced: 0,
            times: None,
        }
    }
}

impl Delivered {
    /// These lines are in Kafka, or known there to have no event.
    pub(super) fn settle(&mut self, tally: &Tally) {
        self.outcomes.merge(&tally.outcomes);
        self.times.get_or_insert_default().merge(&tally.times);
        let sites = tally.page_views();
        self.page_views.resize(self.page_views.len().max(sites.len()), 0);
        for (all, some) in self.page_views.iter_mut().zip(sites) {
            *all += some;
        }
    }

    /// What was made of these lines is given up.
    pub(super) fn give_up(&mut self, tally: &Tally) {
        self.outcomes.add(Outcome::Reread, tally.outcomes.lines());
    }

    /// A transaction ended.
    pub(super) fn ended(&mut self, result: TransactionResult) {
        self.transactions[result as usize] += 1;
    }

    /// A transaction that is committed took so long.
    pub(super) fn took(&mut self, duration_ms: u64) {
        self.durations.add(std::time::Duration::from_millis(duration_ms).as_secs_f64(), 1);
    }
}

/// How things stand with Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The positions are asked for, for the first time; nothing failed yet.
    Connecting,
    /// Positions are known and nothing is wrong.
    Up,
    /// Something is, in one line; attempts go on.
    Down(String),
}

/// For how long there was something to read, and Kafka did not take it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backpressure {
    total_ms: u64,
    since: Option<Millis>,
}

impl Backpressure {
    fn note(&mut self, now: Millis, is_felt: bool) {
        if let Some(since) = self.since.take() {
            self.total_ms += now.since(since);
        }
        self.since = is_felt.then_some(now);
    }
}

/// Lines that were read, and what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Lines that were read.
    pub read: u64,
    /// Lines whose fate is known.
    pub settled: u64,
    /// Lines that are on their way.
    pub on_their_way: u64,
}

impl Balance {
    /// Whether every line is somewhere, and none is twice.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.read == self.settled + self.on_their_way
    }
}

/// Everything that the machine tells of itself.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What was read.
    pub reads: Reads,
    /// What was delivered.
    pub delivered: Delivered,
    /// Lines that were read and are not settled.
    pub lines_on_their_way: u64,
    /// Bytes of their events.
    pub bytes_on_their_way: u64,
    /// The sites that page views are counted by, by their number.
    pub sites: Vec<String>,
    /// How things stand with Kafka.
    pub standing: Standing,
    /// The number of the last committed transaction, once it is known.
    pub sequence: Option<u64>,
    /// Milliseconds during which there was something to read, and Kafka did not take it.
    pub backpressure_ms: u64,
    /// Descriptors of logs.
    pub files_open: usize,
    /// The generations that are followed or remembered.
    pub files: Vec<FileFacts>,
    /// What became of the bytes of each path, by the path under which files began.
    pub accounts: BTreeMap<SharedPath, Account>,
}

/// One generation.
#[derive(Clone, Debug)]
pub struct FileFacts {
    /// Its name for life.
    pub stream: StreamId,
    /// The path at first sight.
    pub home: Option<SharedPath>,
    /// Where it was last seen.
    pub path: Option<SharedPath>,
    /// Its size when last looked at.
    pub size: u64,
    /// How far it is read.
    pub position: u64,
    /// How far it is in Kafka.
    pub committed: u64,
    /// When the last line that was read of it was written, in milliseconds since the epoch.
    pub line_time_ms: Option<i64>,
    /// What it is to the agent.
    pub presence: Presence,
}

/// What a generation is to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is where its log names it.
    Active,
    /// It lost that name, and may still be written to.
    Rotated,
    /// No writer has it any more.
    Finished,
    /// It was looked for, and is not on the disk.
    Gone,
    /// Nobody has looked for it yet.
    Unlocated,
}

impl FileFacts {
    fn of(generation: &Generation) -> Self {
        let presence = match generation.whereabouts {
            Whereabouts::Unlocated => Presence::Unlocated,
            Whereabouts::Missing(_) => Presence::Gone,
            Whereabouts::Here | Whereabouts::Away if generation.finished => Presence::Finished,
            Whereabouts::Here | Whereabouts::Away if generation.is_rotated() => Presence::Rotated,
            Whereabouts::Here | Whereabouts::Away => Presence::Active,
        };
        Self {
            stream: generation.stream,
            home: generation.home.clone(),
            path: generation.path.clone(),
            size: generation.stat.size,
            position: generation.lines.cursor().position,
            committed: generation.committed.position,
            line_time_ms: generation.line_time_ms,
            presence,
        }
    }
}

impl Machine {
    /// Everything that the machine tells of itself.
    #[must_use]
    pub fn facts(&self, now: Millis) -> Facts {
        let since = self.backpressure.since.map_or(0, |since| now.since(since));
        Facts {
            reads: self.tail.reads,
            delivered: self.delivery.delivered().clone(),
            lines_on_their_way: self.balance().on_their_way,
            bytes_on_their_way: self.on_their_way().map(|tally| tally.event_bytes).sum(),
            sites: self.tail.sites.names().to_vec(),
            standing: self.delivery.standing(),
            sequence: self.delivery.checkpoint().map(super::checkpoint::Checkpoint::sequence),
            backpressure_ms: self.backpressure.total_ms + since,
            files_open: self.tail.by_file.len(),
            files: self.tail.generations.values().map(|generation| FileFacts::of(generation)).collect(),
            accounts: self.accounts(),
        }
    }

    /// Lines that were read, and what became of them.
    #[must_use]
    pub fn balance(&self) -> Balance {
        Balance {
            read: self.tail.reads.lines,
            settled: self.delivery.delivered().outcomes.lines(),
            on_their_way: self.on_their_way().map(|tally| tally.outcomes.lines()).sum(),
        }
    }

    /// When the lines were written that were committed since this was asked last; nothing if nothing was.
    pub fn take_committed_times(&mut self) -> Option<Times> {
        self.delivery.take_committed_times()
    }

    fn on_their_way(&self) -> impl Iterator<Item = &Tally> {
        self.delivery.on_their_way().chain([&self.tail.filling.tally])
    }

    /// Called after each step: is there something to read that Kafka does not take?
    pub(super) fn feel_pressure(&mut self, now: Millis) {
        let is_held_back = self.tail.is_full() || !self.delivery.accepts();
        self.backpressure.note(now, is_held_back && self.tail.has_turns());
    }
}

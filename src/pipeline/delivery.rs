//! The exactly-once machine: from a filled block to a commit that is known, whatever fails in between.
//!
//! One command is under way at a time; `State` says which. A transaction is open only while there is something to
//! send. Positions go into it last, shard 0 last of all, so that a torn transaction can repeat lines but never lose one.
//! The checkpoint moves in `Delivery::committed` and nowhere else. After any doubt the producer is dropped, a new one
//! fences whatever is still under way, and Kafka is asked what is true.

use std::collections::BTreeSet;

use super::action::{Action, Cause, Class, Command, Committed, Exit, Failure, Millis, Reply};
use super::batch::{Batch, Block, Filled};
use super::checkpoint::{Checkpoint, Proposal, Snapshot};
use super::facts::{Delivered, Standing, TransactionResult};
use super::notice::Notice;
use super::options::{DeliveryOptions, Mode};
use super::reload::Producer;
use super::resolve::{self, Confirmation, Expected, Fetched, Remote, Truth};
use super::shard::{Entry, Grid, ShardError};
use super::tally::Tally;
use super::times::Times;
use crate::event::StreamId;
use crate::planted::{self, Bug};

/// Waits between attempts to connect: short at first, because most failures are an election.
const RETRY_MS_MIN: u64 = 100;
const RETRY_MS_MAX: u64 = 10_000;

/// Group offsets and transactional ids expire after 7 days by default; every shard is written this often at least.
const HEARTBEAT_MS: u64 = 6 * 3600 * 1000;

/// Largest record that a broker takes by default (`message.max.bytes`), uncompressed as it may be.
pub const RECORD_BYTES_MAX: usize = 1_000_000;
/// The smallest batch worth going down to: an event without its long fields has to fit.
const BATCH_BYTES_MIN: usize = 1024;

const RIVAL: &str = "another viewtail commits under this agent's id (a cloned machine, a copied state directory?); \
    give one of the two its own agent.id";

/// What the delivery tells the rest of the machine.
#[derive(Debug)]
pub enum Event {
    /// Positions are known: reading may begin from these.
    Resolved(Truth, Vec<Entry>),
    /// These positions are committed.
    Committed(Vec<Entry>, Vec<StreamId>),
    /// What was not committed has to be read again.
    Rewound,
    /// A block's memory can be used again.
    Spare(Block),
    /// Something to tell the operator.
    Say(Notice),
    /// It is over.
    Over(Exit),
}

/// Where the delivery stands; every state but `Down`, `Ready`, `Open` and `Over` waits for one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No producer; the next attempt is due then.
    Down(Millis),
    Connecting,
    /// Reading the positions on the configured anchor, or on the one that the local state remembers.
    Fetching(Anchor),
    /// A producer without a transaction.
    Ready,
    Beginning,
    /// A transaction that began then.
    Open(Millis),
    Producing(Millis),
    Flushing,
    SendingOffsets,
    Committing,
    Aborting,
    /// Dropping the producer before the end.
    Leaving,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    Configured,
    Remembered,
}

impl State {
    /// The table of legal moves.
    fn may_become(self, next: Self) -> bool {
        match next {
            Self::Over => true,
            Self::Down(_) => !matches!(self, Self::Over),
            Self::Connecting => matches!(self, Self::Down(_)) || planted::is(Bug::FetchBeforeInit),
            Self::Fetching(_) => {
                matches!(self, Self::Connecting | Self::Fetching(_)) || planted::is(Bug::FetchBeforeInit)
            }
            Self::Ready => {
                matches!(self, Self::Fetching(_) | Self::Connecting | Self::Committing | Self::Flushing)
            }
            Self::Beginning => matches!(self, Self::Ready),
            Self::Open(_) => {
                matches!(self, Self::Ready | Self::Beginning | Self::Producing(_) | Self::SendingOffsets)
            }
            Self::Producing(_) | Self::Flushing => matches!(self, Self::Open(_)),
            Self::SendingOffsets => matches!(self, Self::Flushing | Self::Beginning),
            Self::Committing => matches!(self, Self::SendingOffsets | Self::Flushing),
            Self::Aborting => matches!(
                self,
                Self::Beginning
                    | Self::Open(_)
                    | Self::Producing(_)
                    | Self::Flushing
                    | Self::SendingOffsets
                    | Self::Committing
            ),
            Self::Leaving => matches!(self, Self::Ready),
        }
    }
}

/// The delivery machine.
#[derive(Debug)]
pub struct Delivery {
    options: DeliveryOptions,
    anchor: String,
    nonce: u64,
    state: State,
    /// What the local state said; taken when the positions are resolved for the first time.
    local: Option<Snapshot>,
    /// Known once the positions are resolved for the first time.
    checkpoint: Option<Checkpoint>,
    cluster_id: Option<String>,
    /// Of each topic of events, the anchor's first.
    partitions: Vec<u32>,
    fetched: Vec<Vec<Committed>>,
    /// The next block, while one is being produced or a commit is under way.
    waiting: Option<Filled>,
    /// Generations that left the disk; they ride in the next transaction.
    gone: Vec<StreamId>,
    batch: Batch,
    /// What the transaction carries once its positions are sent: committed, not committed, or in doubt.
    proposal: Option<Proposal>,
    /// What the lines of a proposal become whose outcome is not known.
    doubted: Tally,
    delivered: Delivered,
    /// When the last transaction began.
    began_at: Millis,
    refreshed_at: Millis,
    retry_ms: u64,
    down_since: Option<Millis>,
    /// What Kafka said last while it is down.
    trouble: Option<String>,
    /// Most bytes of a partition's batch before compression; halved each time a broker refuses one.
    batch_bytes_max: usize,
    stopping: bool,
    /// Nothing more is at hand; until it was looked whether that ends the batch.
    is_hurried: bool,
}

/// Where the delivery puts what it wants.
#[derive(Debug, Default)]
pub struct Out {
    /// For the shell.
    pub actions: Vec<Action>,
    /// For the rest of the machine.
    pub events: Vec<Event>,
}

impl Out {
    fn command(&mut self, command: Command) {
        self.actions.push(Action::Kafka(command));
    }

    fn say(&mut self, notice: Notice) {
        self.events.push(Event::Say(notice));
    }
}

impl Delivery {
    /// A delivery that will connect at the first opportunity.
    #[must_use]
    pub fn new(options: DeliveryOptions, anchor: String, nonce: u64, local: Option<Snapshot>) -> Self {
        Self {
            batch_bytes_max: options.batch_bytes_max,
            options,
            anchor,
            nonce,
            state: State::Down(Millis(0)),
            cluster_id: local.as_ref().and_then(|local| local.cluster_id.clone()),
            local,
            checkpoint: None,
            partitions: vec![1],
            fetched: Vec::new(),
            waiting: None,
            gone: Vec::new(),
            batch: Batch::default(),
            proposal: None,
            doubted: Tally::default(),
            delivered: Delivered::default(),
            began_at: Millis(0),
            refreshed_at: Millis(0),
            retry_ms: RETRY_MS_MIN,
            down_since: None,
            trouble: None,
            stopping: false,
            is_hurried: false,
        }
    }

    /// Whether a block can be handed over now.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.accepts() && self.waiting.is_none()
    }

    /// Whether lines that are read now can be delivered as things stand.
    #[must_use]
    pub fn accepts(&self) -> bool {
        self.checkpoint.is_some() && self.has_producer()
    }

    /// Whether a block that is handed over would go to Kafka at once, so that waiting for more lines gains nothing.
    #[must_use]
    pub fn is_hungry(&self) -> bool {
        self.waiting.is_none() && matches!(self.state, State::Ready | State::Open(_))
    }

    /// Largest record that the broker is known to take.
    #[must_use]
    pub fn record_bytes_max(&self) -> usize {
        self.batch_bytes_max.min(RECORD_BYTES_MAX)
    }

    /// Partitions of each topic of events, the anchor's first.
    #[must_use]
    pub fn partitions(&self) -> &[u32] {
        &self.partitions
    }

    fn grid(&self) -> Grid {
        Grid { partitions: self.partitions[0], metadata_bytes_max: self.options.metadata_bytes_max }
    }

    /// The committed positions, once they are known.
    #[must_use]
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// The cluster that was last spoken to.
    #[must_use]
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// The topic that carries the shards.
    #[must_use]
    pub fn anchor(&self) -> &str {
        &self.anchor
    }

    /// What was delivered so far.
    #[must_use]
    pub fn delivered(&self) -> &Delivered {
        &self.delivered
    }

    /// When the lines were written that were committed since this was asked last; nothing if nothing was.
    pub fn take_committed_times(&mut self) -> Option<Times> {
        self.delivered.times.take()
    }

    /// How things stand with Kafka.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match (&self.trouble, &self.checkpoint) {
            (Some(message), _) => Standing::Down(message.clone()),
            (None, None) => Standing::Connecting,
            (None, Some(_)) => Standing::Up,
        }
    }

    /// What was handed over and is not committed.
    pub fn on_their_way(&self) -> impl Iterator<Item = &Tally> {
        self.waiting.iter().map(|filled| &filled.tally).chain([&self.batch.tally, &self.doubted])
    }

    /// What was made of these lines is given up.
    pub fn give_up(&mut self, tally: &Tally) {
        self.delivered.give_up(tally);
    }

    /// When the delivery wants to be looked at again if nothing happens before.
    #[must_use]
    pub fn wake_at(&self) -> Millis {
        match self.state {
            State::Down(retry_at) => retry_at,
            State::Open(_) => self.batch_due(),
            State::Ready => self.refreshed_at.plus(HEARTBEAT_MS),
            State::Connecting
            | State::Fetching(_)
            | State::Beginning
            | State::Producing(_)
            | State::Flushing
            | State::SendingOffsets
            | State::Committing
            | State::Aborting
            | State::Leaving
            | State::Over => Millis(u64::MAX),
        }
    }

    /// Until when what is handed over still belongs to the open batch; the end of time if none is open.
    #[must_use]
    pub fn batch_due(&self) -> Millis {
        if let State::Open(since) | State::Producing(since) = self.state {
            since.plus(self.options.commit_interval_ms)
        } else {
            Millis(u64::MAX)
        }
    }

    /// Takes a block; [`has_room`](Self::has_room) was asked before.
    pub fn offer(&mut self, filled: Filled) {
        assert!(self.waiting.is_none(), "a block for which there is no room");
        self.waiting = Some(filled);
    }

    /// These generations left the disk with every line committed; the checkpoint may forget them.
    pub fn forget(&mut self, streams: impl IntoIterator<Item = StreamId>) {
        self.gone.extend(streams);
    }

    /// Puts other positions in the place of the committed ones, for an operator who moves them. They count once the
    /// transaction with all shards is committed that is due at [`wake_at`](Self::wake_at); before that, nothing has changed.
    pub fn replace(&mut self, entries: Vec<Entry>) {
        assert_eq!(self.state, State::Ready, "positions are replaced between transactions");
        self.checkpoint = Some(Checkpoint::restored(self.sequence(), entries, self.grid()));
    }

    /// Nothing more is at hand: what is due soon may be done now.
    pub fn hurry(&mut self) {
        self.is_hurried = true;
    }

    /// No more blocks will come.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Whether no transaction is open: what changes now changes whole batches.
    #[must_use]
    pub fn is_between_transactions(&self) -> bool {
        let is_torn = planted::is(Bug::ReloadInTransaction) && matches!(self.state, State::Open(_));
        matches!(self.state, State::Ready | State::Down(_)) || is_torn
    }

    /// Goes on with these options, between two transactions. A block that waits is read again.
    pub fn reconfigure(&mut self, now: Millis, options: DeliveryOptions, producer: Producer) {
        assert!(
            options.mode == self.options.mode && options.anchor == self.options.anchor,
            "the mode or the anchor of an agent at work was changed"
        );
        self.give_up_waiting();
        if options.batch_bytes_max != self.options.batch_bytes_max {
            self.batch_bytes_max = options.batch_bytes_max;
        }
        self.options = options;
        if producer == Producer::Replaced {
            if planted::is(Bug::ReloadWithoutDoubt) {
                self.give_up_doubted();
            }
            self.retry_ms = RETRY_MS_MIN;
            self.set(State::Down(now));
        }
    }

    /// Does whatever is due.
    pub fn pump(&mut self, now: Millis, out: &mut Out) {
        match self.state {
            State::Down(_) if self.stopping => self.end(Exit::Stopped, out),
            State::Down(retry_at) if now >= retry_at => self.connect(out),
            State::Ready => self.leave_ready(now, out),
            State::Open(since) => self.go_on(now, since, out),
            State::Down(_)
            | State::Connecting
            | State::Fetching(_)
            | State::Beginning
            | State::Producing(_)
            | State::Flushing
            | State::SendingOffsets
            | State::Committing
            | State::Aborting
            | State::Leaving
            | State::Over => {}
        }
        self.is_hurried = false;
    }

    /// Takes the answer to the command under way.
    pub fn reply(&mut self, now: Millis, reply: Reply, out: &mut Out) {
        match (self.state, reply) {
            (State::Over, _) => {}
            (State::Connecting, Reply::Connected { partitions, cluster_id }) => {
                self.connected(now, (partitions, cluster_id), out);
            }
            (State::Fetching(anchor), Reply::Fetched(groups)) => {
                self.fetched.extend(groups);
                if planted::is(Bug::FetchBeforeInit) {
                    self.make_producer(out);
                } else {
                    self.read_positions(now, anchor, out);
                }
            }
            (State::Beginning, Reply::Began) if planted::is(Bug::OffsetsFirst) => self.send_offsets(out),
            (State::Beginning, Reply::Began) => self.set(State::Open(now)),
            (State::Producing(since), Reply::Produced(block)) => {
                out.events.push(Event::Spare(block));
                self.set(State::Open(since));
            }
            (State::Flushing, Reply::Flushed { failed }) => self.flushed(now, failed, out),
            (State::SendingOffsets, Reply::OffsetsSent) if planted::is(Bug::OffsetsFirst) => {
                self.set(State::Open(now));
            }
            (State::SendingOffsets, Reply::OffsetsSent) => self.commit(out),
            (State::Committing, Reply::Committed { tainted }) => {
                self.delivered.took(now.since(self.began_at));
                self.committed(out);
                if tainted && !planted::is(Bug::NoEpochHygiene) {
                    // The next block is read again after the new producer is there, as after any loss of one.
                    self.give_up_waiting();
                    self.set(State::Down(now));
                } else {
                    self.set(State::Ready);
                }
            }
            (State::Aborting, Reply::Aborted) => {
                self.delivered.ended(TransactionResult::Aborted);
                self.lose_producer(now);
            }
            (State::Leaving, Reply::Disconnected | Reply::Failed(_)) => self.end(Exit::Stopped, out),
            (_, Reply::Failed(failure)) => self.failed(now, failure, out),
            (
                state,
                reply @ (Reply::Connected { .. }
                | Reply::Fetched(_)
                | Reply::Began
                | Reply::Produced(_)
                | Reply::Flushed { .. }
                | Reply::OffsetsSent
                | Reply::Committed { .. }
                | Reply::Aborted
                | Reply::Disconnected),
            ) => panic!("{reply:?} does not answer what was asked in {state:?}"),
        }
    }

    fn set(&mut self, next: State) {
        assert!(self.state.may_become(next), "{:?} cannot become {next:?}", self.state);
        self.state = next;
    }

    fn has_producer(&self) -> bool {
        !matches!(
            self.state,
            State::Down(_) | State::Connecting | State::Fetching(_) | State::Leaving | State::Over
        )
    }

    fn end(&mut self, exit: Exit, out: &mut Out) {
        self.set(State::Over);
        out.events.push(Event::Over(exit));
    }

    // Start: S2 to S4.

    fn connect(&mut self, out: &mut Out) {
        self.fetched.clear();
        if planted::is(Bug::FetchBeforeInit) {
            self.fetch(Anchor::Configured, 1, out);
        } else {
            self.make_producer(out);
        }
    }

    fn make_producer(&mut self, out: &mut Out) {
        self.set(State::Connecting);
        out.command(Command::Connect { batch_bytes_max: self.batch_bytes_max });
    }

    fn connected(
        &mut self,
        now: Millis,
        (partitions, cluster_id): (Vec<u32>, Option<String>),
        out: &mut Out,
    ) {
        self.say_up(now, out);
        assert!(
            !partitions.is_empty() && partitions.iter().all(|partitions| *partitions > 0),
            "a topic has at least one partition"
        );
        self.partitions = partitions;
        if cluster_id.is_some() && self.cluster_id.is_some() && cluster_id != self.cluster_id {
            out.say(Notice::OtherCluster);
        }
        self.cluster_id = cluster_id.or(self.cluster_id.take());
        match self.options.mode {
            Mode::ExactlyOnce if planted::is(Bug::FetchBeforeInit) => {
                self.read_positions(now, Anchor::Configured, out);
            }
            Mode::ExactlyOnce => self.fetch(Anchor::Configured, 1, out),
            Mode::AtLeastOnce | Mode::BestEffort if self.checkpoint.is_none() => {
                let truth = self.local.as_ref().map_or(Truth::FirstRun, |_| Truth::Local);
                self.restore_local(truth, out);
                self.set(State::Ready);
            }
            Mode::AtLeastOnce | Mode::BestEffort => {
                out.events.push(Event::Rewound);
                self.set(State::Ready);
            }
        }
    }

    /// Asks for the groups that are still missing of `needed`.
    fn fetch(&mut self, anchor: Anchor, needed: u32, out: &mut Out) {
        self.set(State::Fetching(anchor));
        let topic = match (anchor, &self.local) {
            (Anchor::Remembered, Some(local)) => local.anchor.clone(),
            (Anchor::Remembered, None) | (Anchor::Configured, _) => self.anchor.clone(),
        };
        let first = u32::try_from(self.fetched.len()).unwrap_or(needed).min(needed);
        out.command(Command::Fetch { anchor: topic, groups: first..needed });
    }

    fn read_positions(&mut self, now: Millis, anchor: Anchor, out: &mut Out) {
        match resolve::assemble(&self.fetched) {
            Err(error) => self.refuse(&error, out),
            Ok(Fetched::More(groups)) => self.fetch(anchor, groups, out),
            // Half of the positions is no position to go on from; whoever remembers the rest does not need them.
            Ok(Fetched::Torn) if self.local.is_none() && self.checkpoint.is_none() => {
                self.refuse(&ShardError::Damaged("a shard is missing beside shard 0"), out);
            }
            Ok(Fetched::Absent | Fetched::Torn) => self.resolve(now, (anchor, None), out),
            Ok(Fetched::Complete(remote)) => self.resolve(now, (anchor, Some(remote)), out),
        }
    }

    fn refuse(&mut self, error: &ShardError, out: &mut Out) {
        let place = format!("in the consumer groups of this agent's id on topic {:?}", self.anchor);
        self.end(Exit::Refused(format!("{place}: {error}")), out);
    }

    fn resolve(&mut self, now: Millis, (anchor, remote): (Anchor, Option<Remote>), out: &mut Out) {
        self.refreshed_at = now;
        if self.checkpoint.is_some() {
            self.settle(remote.as_ref(), out);
            return;
        }
        let truth = resolve::truth(remote.as_ref(), self.local.as_ref());
        let elsewhere = self.local.as_ref().is_some_and(|local| local.anchor != self.anchor);
        match (truth, anchor, remote) {
            (Truth::Local, Anchor::Configured, _) if elsewhere => {
                self.fetched.clear();
                self.fetch(Anchor::Remembered, 1, out);
                return;
            }
            (Truth::Kafka, _, Some(remote)) => {
                let checkpoint = self.take_over(anchor, &remote);
                self.resolved(truth, checkpoint, out);
            }
            (Truth::Local | Truth::FirstRun | Truth::Kafka, _, _) => self.restore_local(truth, out),
        }
        self.set(State::Ready);
    }

    /// The checkpoint that Kafka has: laid out as it is there, if it is there that it will be written.
    fn take_over(&mut self, anchor: Anchor, remote: &Remote) -> Checkpoint {
        // It is put together, and large where there are very many files.
        self.fetched = Vec::new();
        let (begun, grid) = (self.begun_since(remote), self.grid());
        let is_there = anchor == Anchor::Configured;
        let as_written = is_there.then(|| Checkpoint::as_written(remote, &begun, grid)).flatten();
        as_written.unwrap_or_else(|| {
            let entries = remote.entries().copied().chain(begun);
            Checkpoint::restored(remote.sequence, entries, grid)
        })
    }

    fn restore_local(&mut self, truth: Truth, out: &mut Out) {
        let local = self.local.as_ref().filter(|local| truth != Truth::FirstRun || local.sequence == 0);
        if truth == Truth::Local && self.options.mode == Mode::ExactlyOnce {
            out.say(Notice::RemoteLost);
        }
        let sequence = local.map_or(0, |local| local.sequence);
        let entries =
            local.map_or_else(Vec::new, |local| local.files.iter().map(|file| file.entry).collect());
        self.resolved(truth, Checkpoint::restored(sequence, entries, self.grid()), out);
    }

    /// Generations that began after the last commit, as far as the local state saw them: nothing of them is sent, but
    /// they may have been rotated out of their log's paths since.
    fn begun_since(&self, remote: &Remote) -> Vec<Entry> {
        let committed: BTreeSet<StreamId> = remote.entries().map(|entry| entry.stream).collect();
        let local = self.local.iter().filter(|local| local.sequence == remote.sequence);
        let entries = local.flat_map(|local| &local.files).map(|file| file.entry);
        entries.filter(|entry| !entry.begun && !committed.contains(&entry.stream)).collect()
    }

    fn resolved(&mut self, truth: Truth, checkpoint: Checkpoint, out: &mut Out) {
        let entries = checkpoint.entries().copied().collect();
        self.checkpoint = Some(checkpoint);
        self.local = None;
        out.events.push(Event::Resolved(truth, entries));
    }

    /// What became of the transaction that was in doubt when the producer was lost.
    fn settle(&mut self, remote: Option<&Remote>, out: &mut Out) {
        let sequence = self.sequence();
        let in_doubt = self.proposal.is_some();
        let expected = Expected { sequence, nonce: self.nonce, in_doubt };
        match resolve::confirm(expected, remote) {
            _ if planted::is(Bug::ResendAfterDoubt) => self.give_up_doubted(),
            Confirmation::Committed => self.committed(out),
            Confirmation::NotCommitted => self.give_up_doubted(),
            Confirmation::Lost => {
                self.give_up_doubted();
                out.say(Notice::RemoteLost);
                self.lay_out_anew();
            }
            Confirmation::Rival => {
                self.end(Exit::Refused(RIVAL.to_owned()), out);
                return;
            }
        }
        if self.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.grid() != self.grid()) {
            self.lay_out_anew();
        }
        if !planted::is(Bug::NoRewind) {
            out.events.push(Event::Rewound);
        }
        self.set(State::Ready);
    }

    fn lay_out_anew(&mut self) {
        if let Some(checkpoint) = self.checkpoint.take() {
            let entries: Vec<Entry> = checkpoint.entries().copied().collect();
            self.checkpoint = Some(Checkpoint::restored(checkpoint.sequence(), entries, self.grid()));
        }
    }

    fn sequence(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, Checkpoint::sequence)
    }

    // Loop: T1 to T7.

    fn leave_ready(&mut self, now: Millis, out: &mut Out) {
        let heartbeat = self.options.mode == Mode::ExactlyOnce && now >= self.refreshed_at.plus(HEARTBEAT_MS);
        if heartbeat {
            self.refreshed_at = now;
            if let Some(checkpoint) = &mut self.checkpoint {
                checkpoint.refresh();
            }
        }
        if self.waiting.is_none() && !heartbeat {
            if self.stopping {
                self.set(State::Leaving);
                out.command(Command::Disconnect);
            }
            return;
        }
        match self.options.mode {
            Mode::ExactlyOnce => {
                self.began_at = now;
                self.set(State::Beginning);
                out.command(Command::Begin);
            }
            Mode::AtLeastOnce | Mode::BestEffort => {
                self.began_at = now;
                self.set(State::Open(now));
                self.go_on(now, now, out);
            }
        }
    }

    fn go_on(&mut self, now: Millis, since: Millis, out: &mut Out) {
        let full = self.batch.is_full(self.options.batch_events_max);
        let aged = now >= since.plus(self.options.commit_interval_ms);
        match self.waiting.take() {
            Some(filled) if !full && !aged && self.may_add() => self.produce(filled, since, out),
            waiting => {
                let is_over = self.stopping || self.is_hurried && self.batch.ends_backlog();
                let nothing_more = waiting.is_none() && (is_over || self.batch.records == 0);
                let ending = full || aged || nothing_more || !self.may_add();
                self.waiting = waiting;
                if ending {
                    self.set(State::Flushing);
                    if planted::is(Bug::NotFlushed) {
                        return self.flushed(now, 0, out);
                    }
                    out.command(Command::Flush);
                }
            }
        }
    }

    /// One block after the other, but with the planted bug: there the positions are sent before the only block.
    fn may_add(&self) -> bool {
        !planted::is(Bug::OffsetsFirst) || self.batch.records == 0
    }

    fn produce(&mut self, filled: Filled, since: Millis, out: &mut Out) {
        let checkpoint = self.checkpoint.as_ref();
        let is_new = |stream| checkpoint.is_some_and(|known| known.get(stream).is_none());
        self.batch.take(&filled, is_new);
        self.set(State::Producing(since));
        out.command(Command::Produce(filled.block));
    }

    fn say_up(&mut self, now: Millis, out: &mut Out) {
        self.trouble = None;
        if let Some(since) = self.down_since.take() {
            out.say(Notice::KafkaUp { down_ms: now.since(since) });
        }
    }

    fn flushed(&mut self, now: Millis, failed: u64, out: &mut Out) {
        self.say_up(now, out);
        if failed > 0 {
            out.say(Notice::RecordsGivenUp { records: failed });
        }
        match self.options.mode {
            Mode::ExactlyOnce if planted::is(Bug::OffsetsFirst) => self.commit(out),
            Mode::ExactlyOnce => self.send_offsets(out),
            Mode::AtLeastOnce | Mode::BestEffort => {
                self.delivered.took(now.since(self.began_at));
                self.propose();
                self.committed(out);
                self.set(State::Ready);
            }
        }
    }

    fn propose(&mut self) {
        if planted::is(Bug::OffsetsFirst)
            && let Some(filled) = &self.waiting
        {
            self.batch.reaches.append(&filled.reaches);
        }
        self.batch.gone.append(&mut self.gone);
        let changed = self.batch.reaches.iter().map(|reach| reach.to).collect();
        let gone = self.batch.gone.clone();
        let checkpoint =
            self.checkpoint.as_mut().expect("a transaction begins after the positions are resolved");
        for reach in self.batch.reaches.iter() {
            let before = checkpoint.get(reach.to.stream).map(|entry| entry.mark.position);
            assert!(
                before.is_none_or(|before| before == reach.from),
                "a batch does not start where the last one ended"
            );
        }
        self.proposal = Some(checkpoint.propose(changed, gone));
    }

    fn send_offsets(&mut self, out: &mut Out) {
        self.propose();
        let (Some(proposal), Some(checkpoint)) = (&self.proposal, &self.checkpoint) else { return };
        let writes = checkpoint.writes(proposal, self.nonce);
        self.set(State::SendingOffsets);
        out.command(Command::SendOffsets(writes));
    }

    fn commit(&mut self, out: &mut Out) {
        self.set(State::Committing);
        if planted::is(Bug::PersistBeforeCommit)
            && let Some(proposal) = &self.proposal
        {
            out.events.push(Event::Committed(proposal.changed().to_vec(), Vec::new()));
        }
        out.command(Command::Commit);
    }

    /// The transaction IS committed: the only place from which the checkpoint moves.
    fn committed(&mut self, out: &mut Out) {
        let (Some(proposal), Some(checkpoint)) = (self.proposal.take(), &mut self.checkpoint) else { return };
        let changed = proposal.changed().to_vec();
        let next = self.batch.next();
        let Batch { gone, tally, .. } = std::mem::replace(&mut self.batch, next);
        checkpoint.advance(proposal);
        // A proposal that was in doubt left its batch long ago.
        self.delivered.settle(&tally);
        self.delivered.settle(&std::mem::take(&mut self.doubted));
        self.delivered.ended(TransactionResult::Committed);
        self.retry_ms = RETRY_MS_MIN;
        out.events.push(Event::Committed(changed, gone));
    }

    // Failure: T8 and T9.

    fn failed(&mut self, now: Millis, failure: Failure, out: &mut Out) {
        if failure.cause == Cause::Fenced {
            self.delivered.fenced += 1;
        }
        if failure.cause == Cause::TooLarge {
            self.batch_bytes_max = (self.batch_bytes_max / 2).max(BATCH_BYTES_MIN);
            out.say(Notice::TooLarge { batch_bytes_max: self.batch_bytes_max });
        }
        if matches!(failure.cause, Cause::Refused | Cause::Forbidden) && self.checkpoint.is_none() {
            self.end(Exit::Refused(failure.message), out);
            return;
        }
        match (failure.class, self.state) {
            (
                Class::Abortable | Class::Retriable,
                State::Beginning | State::Producing(_) | State::Flushing | State::SendingOffsets,
            ) if self.options.mode == Mode::ExactlyOnce => {
                self.report(now, failure, out);
                self.proposal = None;
                self.set(State::Aborting);
                out.command(Command::Abort);
            }
            // Nothing is given up: the records are still queued, and the wait is asked for again.
            (Class::Retriable, State::Flushing) => {
                self.report(now, failure, out);
                out.command(Command::Flush);
            }
            (Class::Abortable, State::Committing) if planted::is(Bug::CommittedOnAbort) => {
                self.committed(out);
                self.lose_producer(now);
            }
            (Class::Abortable, State::Committing) => {
                self.report(now, failure, out);
                self.proposal = None;
                self.set(State::Aborting);
                out.command(Command::Abort);
            }
            _ => {
                // A doubt about a commit lasts until Kafka's positions are read, however many attempts that takes.
                if !matches!(self.state, State::Committing | State::Connecting | State::Fetching(_)) {
                    self.proposal = None;
                    self.delivered.ended(TransactionResult::Lost);
                }
                self.report(now, failure, out);
                self.lose_producer(now);
            }
        }
    }

    fn report(&mut self, now: Millis, failure: Failure, out: &mut Out) {
        self.trouble = Some(failure.message.clone());
        if self.down_since.is_none() {
            self.down_since = Some(now);
            out.say(match failure.cause {
                Cause::TopicMissing => Notice::TopicMissing { message: failure.message },
                Cause::Unreachable
                | Cause::Fenced
                | Cause::TooLarge
                | Cause::Refused
                | Cause::Forbidden
                | Cause::Other => Notice::KafkaDown { message: failure.message },
            });
        }
    }

    fn give_up_waiting(&mut self) {
        if let Some(filled) = self.waiting.take() {
            self.delivered.give_up(&filled.tally);
        }
    }

    /// What was in doubt is not in Kafka.
    fn give_up_doubted(&mut self) {
        if self.proposal.take().is_some() {
            self.delivered.give_up(&std::mem::take(&mut self.doubted));
            self.delivered.ended(TransactionResult::Lost);
        }
    }

    /// Gives up the transaction and the producer with it; what was true is asked of Kafka at the next attempt. Positions
    /// that are in doubt stay in the proposal.
    fn lose_producer(&mut self, now: Millis) {
        self.give_up_waiting();
        let Batch { mut gone, tally, .. } = std::mem::take(&mut self.batch);
        self.gone.append(&mut gone);
        if self.proposal.is_some() {
            self.doubted.merge(&tally);
        } else {
            self.delivered.give_up(&tally);
        }
        self.set(State::Down(now.plus(self.retry_ms)));
        self.retry_ms = (self.retry_ms * 2).min(RETRY_MS_MAX);
    }
}

//! The machine: inputs enter, actions leave. It joins the tail, which knows files, with the delivery, which knows Kafka.

use std::collections::{BTreeMap, HashMap};

use super::account::{self, Account, Books};
use super::action::{Action, Exit, Input, Millis, SharedPath};
use super::checkpoint::{FileSnapshot, Snapshot};
use super::delivery::{Delivery, Event, Out};
use super::facts::Backpressure;
use super::notice::Notice;
use super::options::{Mode, Options};
use super::reload::Reload;
use super::resolve::Truth;
use super::tail::{Allowance, Tail, TailOptions};
use crate::event::StreamId;

/// Where Kafka holds the truth, the local state of so many files is written once a millisecond: it is written whole, and with a
/// hundred thousand files that takes a tenth of a second, which one busy file among them must not cost each second.
const FILES_PER_MS: u64 = 10;

/// And of those that are still being met, when nearly all are new with each commit.
const NEW_FILES_PER_MS: u64 = 1;

/// A block that Kafka waits for is handed over when it holds so much, although the next file is being read: handing over costs
/// as much as reading a few lines, which a hundred files of one line each would pay a hundred times.
const COMPANY_BYTES: usize = 64 * 1024;

/// Nor do its lines wait longer for company than this: what is unpacked on the way takes long.
const COMPANY_MS: u64 = 5;

/// The whole pipeline as one stepped machine. See [`super::action`] for the contract with its shell.
#[derive(Debug)]
pub struct Machine {
    pub(super) tail: Tail,
    pub(super) delivery: Delivery,
    /// What the local state remembers, until the positions are resolved.
    local: Option<Snapshot>,
    /// Positions moved since the local state was written, and it is written again then.
    persist_at: Option<Millis>,
    persisted_at: Millis,
    /// A configuration that waits for the end of a transaction.
    reload: Option<Box<Reload>>,
    stop_deadline_ms: u64,
    stop_at: Option<Millis>,
    over: bool,
    pub(super) backpressure: Backpressure,
    /// Since when there is something in the block.
    filled_at: Option<Millis>,
}

impl Machine {
    /// A machine that does nothing before its first step.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let Options { logs, delivery, open_files, deleted_bytes_max, local, nonce, stream_seed } = options;
        let tail = TailOptions {
            logs,
            mode: delivery.mode,
            partition_by: delivery.partition_by,
            rejects: delivery.rejects,
            timestamp: delivery.timestamp,
            quiet_grace_ms: delivery.quiet_grace_ms,
            open_files,
            deleted_bytes_max,
            stream_seed,
        };
        let tail = Tail::new(tail, local.as_ref());
        let stop_deadline_ms = delivery.stop_deadline_ms;
        let anchor = delivery.anchor.clone();
        let delivery = Delivery::new(delivery, anchor, nonce, local.clone());
        Self {
            tail,
            delivery,
            local,
            persist_at: None,
            persisted_at: Millis(0),
            reload: None,
            stop_deadline_ms,
            stop_at: None,
            over: false,
            backpressure: Backpressure::default(),
            filled_at: None,
        }
    }

    /// Takes one input; appends what is to be done to `actions`.
    pub fn step(&mut self, now: Millis, input: Input<'_>, actions: &mut Vec<Action>) {
        if self.over {
            return;
        }
        let mut out = Out { actions: std::mem::take(actions), events: Vec::new() };
        match input {
            Input::Tick => {}
            Input::Hint(path) => self.tail.hint(now, &path),
            Input::HintsLost => self.tail.hints_lost(now),
            Input::Listed(listings) => {
                let known = self.tail.known_logs.len();
                self.tail.listed(now, listings, &mut out.actions);
                self.delivery.forget(self.tail.forgettable(now));
                self.tail.has_unsaved |= self.tail.known_logs.len() > known;
            }
            Input::Opened(file, opened) => self.tail.opened(now, file, opened, &mut out.actions),
            Input::Read(_, result) => {
                let allowance = allowance(&self.delivery, self.stop_at);
                self.tail.was_read(now, result, allowance, &mut out.actions);
            }
            Input::Writers(file, writers) => self.tail.writers_found(now, file, writers, &mut out.actions),
            Input::Weighed(file, weight) => self.tail.weighed(now, file, weight, &mut out.actions),
            Input::Kafka(reply) => self.delivery.reply(now, reply, &mut out),
            Input::Reload(reload) => self.reload = Some(reload),
            Input::Stop => self.stop(now),
        }
        self.settle(now, &mut out);
        self.feel_pressure(now);
        *actions = out.actions;
    }

    /// When the machine wants a tick if nothing else comes before.
    #[must_use]
    pub fn wake_at(&self) -> Millis {
        let tail = if self.stop_at.is_none() { self.tail.wake_at() } else { Millis(u64::MAX) };
        let never = Millis(u64::MAX);
        let persist_at = self.persist_at.unwrap_or(never);
        tail.min(self.delivery.wake_at()).min(self.stop_at.unwrap_or(never)).min(persist_at)
    }

    /// What became of the bytes of each path so far; costs a look at every generation.
    #[must_use]
    pub fn accounts(&self) -> BTreeMap<SharedPath, Account> {
        account::accounts(&self.snapshot())
    }

    fn stop(&mut self, now: Millis) {
        self.stop_at.get_or_insert(now.plus(self.stop_deadline_ms));
    }

    /// Lets both halves do what is due until neither wants anything more.
    fn settle(&mut self, now: Millis, out: &mut Out) {
        loop {
            self.take_events(now, out);
            if self.over {
                return;
            }
            if self.stop_at.is_some_and(|deadline| now >= deadline) {
                out.events.push(Event::Say(Notice::StopDeadline));
                out.events.push(Event::Over(Exit::Stopped));
                continue;
            }
            if self.stop_at.is_none() {
                self.switch_if_due(now, out);
                let allowance = allowance(&self.delivery, self.stop_at);
                self.tail.pump(now, allowance, &mut out.actions);
            }
            let handed_over = self.hand_over(now);
            if self.tail.is_at_rest() {
                self.delivery.hurry();
            }
            self.delivery.pump(now, out);
            self.tail.batch_due = self.delivery.batch_due();
            if out.events.is_empty() && !handed_over {
                break;
            }
        }
        // A generation is remembered before its first commit too: it may be rotated out of its log's paths by then. Many
        // that begin together are remembered together.
        let has_news = self.tail.has_unsaved && self.tail.examining.is_over();
        let is_due = self.persist_at.is_some_and(|persist_at| now >= persist_at);
        if (has_news || is_due) && self.delivery.checkpoint().is_some() {
            self.persist(now, out);
        }
        // Often enough that no breach stays unseen, seldom enough that the simulator keeps its speed.
        if now.0.is_multiple_of(64) {
            self.tail.check_index();
        }
        for notice in self.tail.notices.drain(..) {
            self.tail.reads.note(&notice);
            out.actions.push(Action::Say(notice));
        }
    }

    /// Positions moved: the local state is written at once where it is the truth, and no more often than it is worth where Kafka
    /// has it.
    fn persist_soon(&mut self, now: Millis, out: &mut Out) {
        let files = self.tail.generations.len() as u64;
        let files_per_ms = if self.tail.examining.is_over() { FILES_PER_MS } else { NEW_FILES_PER_MS };
        let at = match self.tail.options.mode {
            Mode::ExactlyOnce => self.persisted_at.plus(files / files_per_ms),
            Mode::AtLeastOnce | Mode::BestEffort => now,
        };
        if now >= at {
            self.persist(now, out);
        } else {
            self.persist_at = Some(at);
        }
    }

    /// Lets a new configuration take effect, if there is one and no transaction is open. A look at everything that is under
    /// way looks with the eyes of the old one, so it is waited for.
    fn switch_if_due(&mut self, now: Millis, out: &mut Out) {
        if self.tail.sweeping || !self.delivery.is_between_transactions() {
            return;
        }
        let Some(reload) = self.reload.take() else { return };
        let Reload { logs, delivery, deleted_bytes_max, producer } = *reload;
        out.actions.push(Action::Switch);
        self.stop_deadline_ms = delivery.stop_deadline_ms;
        self.tail.options.deleted_bytes_max = deleted_bytes_max;
        let given_up = self.tail.reconfigure(now, logs, &delivery, &mut out.actions);
        self.delivery.give_up(&given_up);
        self.delivery.reconfigure(now, delivery, producer);
    }

    fn persist(&mut self, now: Millis, out: &mut Out) {
        self.tail.has_unsaved = false;
        self.persist_at = None;
        self.persisted_at = now;
        out.actions.push(Action::Persist(self.snapshot()));
    }

    /// Gives the delivery what was filled: soon if it waits for work, otherwise when the block is full.
    fn hand_over(&mut self, now: Millis) -> bool {
        let stopping = self.stop_at.is_some() && self.tail.reading.is_none();
        let is_wanted = self.delivery.is_hungry() && !self.waits_for_company(now);
        let is_due = self.tail.is_full() || is_wanted || stopping;
        let hands_over = is_due && !self.tail.filling.is_empty() && self.delivery.has_room();
        if hands_over {
            self.filled_at = None;
            let filled = self.tail.take_filled();
            self.delivery.offer(filled);
        }
        if stopping && (self.tail.filling.is_empty() || !self.delivery.accepts()) {
            self.delivery.stop();
        }
        hands_over
    }

    /// Whether the lines in the block wait for those that are being read.
    fn waits_for_company(&mut self, now: Millis) -> bool {
        if self.tail.filling.is_empty() {
            self.filled_at = None;
            return false;
        }
        let filled_at = *self.filled_at.get_or_insert(now);
        let is_small = self.tail.filling.block.arena.len() < COMPANY_BYTES;
        self.tail.reading.is_some() && is_small && now < filled_at.plus(COMPANY_MS)
    }

    fn take_events(&mut self, now: Millis, out: &mut Out) {
        for event in std::mem::take(&mut out.events) {
            match event {
                Event::Resolved(truth, entries) => {
                    self.begin_tail(truth, entries.len());
                    let paths = self.paths();
                    self.tail.adopt(entries, &paths);
                    self.tail.end_hold(&mut out.actions);
                    self.tail.hints_lost(now);
                    self.local = None;
                }
                Event::Committed(entries, gone) => {
                    self.tail.committed(now, &entries, &gone);
                    self.persist_soon(now, out);
                }
                Event::Rewound => {
                    let given_up = self.tail.rewind(now);
                    self.delivery.give_up(&given_up);
                }
                Event::Spare(block) => self.tail.keep(block),
                Event::Say(notice) => out.actions.push(Action::Say(notice)),
                Event::Over(exit) => {
                    if self.delivery.checkpoint().is_some() {
                        self.persist(now, out);
                    }
                    self.over = true;
                    out.actions.push(Action::Exit(exit));
                    return;
                }
            }
        }
    }

    /// Which logs are known from before, so that `start:` no longer applies to them: those the local state names, if it
    /// is as new as the positions. If it is older or lost they all count as known, because reading too much can be seen
    /// and reading too little cannot.
    fn begin_tail(&mut self, truth: Truth, files: usize) {
        let sequence = self.delivery.checkpoint().map_or(0, super::checkpoint::Checkpoint::sequence);
        let local = self.local.as_ref().filter(|local| local.sequence == sequence);
        self.tail.known_logs = match (truth, local) {
            (_, Some(local)) => local.logs.iter().copied().collect(),
            (Truth::FirstRun, None) => std::collections::BTreeSet::new(),
            (Truth::Kafka | Truth::Local, None) => self.tail.options.logs.iter().map(|log| log.key).collect(),
        };
        self.tail.notices.push(Notice::Resumed { files, sequence });
    }

    fn paths(&self) -> HashMap<StreamId, FileSnapshot> {
        let files = self.local.iter().flat_map(|local| &local.files);
        files.map(|file| (file.entry.stream, file.clone())).collect()
    }

    fn snapshot(&self) -> Snapshot {
        let nowhere = SharedPath::from(std::path::Path::new(""));
        let checkpoint = self.delivery.checkpoint();
        let committed = checkpoint.into_iter().flat_map(super::checkpoint::Checkpoint::entries).copied();
        let is_new = |stream| checkpoint.is_none_or(|checkpoint| checkpoint.get(stream).is_none());
        let begun = self.tail.generations.values().filter(|generation| is_new(generation.stream));
        let entries = committed.chain(begun.map(|generation| generation.committed_entry()));
        let files = entries.map(|entry| {
            let generation = self.tail.generations.get(&entry.stream);
            let home = generation.and_then(|generation| generation.home.clone());
            let path = generation.and_then(|generation| generation.path.clone());
            FileSnapshot {
                entry,
                home: home.unwrap_or_else(|| nowhere.clone()),
                path: path.unwrap_or_else(|| nowhere.clone()),
                is_rotated: generation.is_some_and(|known| known.is_rotated() || known.is_missing()),
                books: generation.map_or_else(|| Books::at(entry.mark.position), |known| known.books),
                modified_ns: generation.map_or(0, |known| known.stat.modified_ns),
                read_archive: generation.and_then(|known| known.done_archive()),
            }
        });
        Snapshot {
            sequence: checkpoint.map_or(0, super::checkpoint::Checkpoint::sequence),
            anchor: self.delivery.anchor().to_owned(),
            cluster_id: self.delivery.cluster_id().map(str::to_owned),
            logs: self.tail.known_logs.iter().copied().collect(),
            files: files.collect(),
            forgotten: self.tail.forgotten.iter().map(|(path, account)| (path.clone(), *account)).collect(),
        }
    }
}

/// What reading may do, as the delivery stands.
fn allowance(delivery: &Delivery, stop_at: Option<Millis>) -> Allowance<'_> {
    Allowance {
        may_read: stop_at.is_none() && delivery.accepts(),
        partitions: delivery.partitions(),
        record_bytes_max: delivery.record_bytes_max(),
    }
}

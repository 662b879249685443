//! The virtual world: one clock, one queue of events, one source of chance. A run has a phase in which faults happen and a
//! quiet one in which everything that is owed has to arrive.

use std::collections::BTreeMap;

use viewtail::pipeline::action::{Millis, SharedPath};
use viewtail::pipeline::checkpoint::Snapshot;

use crate::agent::Agent;
use crate::books::Shown;
use crate::edge::{Later, Seen};
use crate::oracle::Oracle;
use crate::plan::{AgentRates, Blow, FileRates, KafkaRates, Plan, ReadRates};
use crate::rng::Rng;
use crate::vfs::{Life, Vfs, shared};
use crate::vkafka::{Broker, Visible};
use crate::workload::Writer;

/// The directory with logs.
pub const DIRECTORY: &str = "/log";

/// The directory beside it in which rotated files may lie: `archive_dirs`.
pub const ARCHIVE_DIRECTORY: &str = "/old";

/// As viewtail's default.
pub const TRANSACTION_TIMEOUT_MS: u64 = 20_000;

/// The quiet phase is over by then, or something hangs: twice the transaction timeout, the longest sweep, back-off and
/// the grace of rotated files, with much to spare.
const QUIET_MS_MAX: u64 = 900_000;

/// Faults end by then.
const FAULTS_MS_MAX: u64 = 600_000;

/// After everything arrived: long enough that whatever comes twice would have come.
const AFTERMATH_MS: u64 = 90_000;

/// How long a stop may take: the deadline of systemd's unit and the slowest command.
const STOP_MS_MAX: u64 = 60_000;

/// More steps than any run needs that does not spin.
const STEPS_MAX: u64 = 100_000;

/// Crashes per run; more would only keep the agent from ever getting anywhere.
const CRASHES_MAX: u64 = 8;

#[derive(Debug)]
pub enum Event {
    Writer(usize),
    /// The agent's loop goes on, if it is still the process with this number.
    Turn(usize, u64),
    Wake(usize, u64),
    Execute(usize, u64),
    Reply(usize, u64),
    Hint(SharedPath),
    HintsLost,
    Later(Later),
    Start(usize),
}

/// What a run did, to show that the faults did happen.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub seeds: u64,
    pub lines: u64,
    pub events: u64,
    pub crashes: u64,
    pub pauses: u64,
    pub long_pauses: u64,
    pub stops: u64,
    pub reloads: u64,
    pub seconds: u64,
    pub refused: u64,
    pub torn_reads: u64,
    pub read_errors: u64,
    pub state_lost: u64,
    pub state_stale: u64,
    pub offsets_lost: u64,
    pub rotations: u64,
    pub copytruncates: u64,
    pub truncates: u64,
    pub deletes: u64,
    pub archives: u64,
    pub proofs: u64,
    pub effects: u64,
    pub committed: u64,
    pub aborted: u64,
    pub aborted_records: u64,
    pub timed_out: u64,
    pub met_later: u64,
    pub page_view_lives: u64,
    pub kafka: Seen,
}

pub struct World {
    pub now: Millis,
    pub rng: Rng,
    pub plan: Plan,
    pub vfs: Vfs,
    pub broker: Broker,
    pub oracle: Oracle,
    /// What is in the books of an agent that wrote them after it was shown that.
    pub shown: Shown,
    /// In boxes, as each turn takes one out and puts it back.
    pub agents: [Option<Box<Agent>>; 2],
    /// What each state directory holds, oldest first.
    pub states: [Vec<Snapshot>; 2],
    pub writers: Vec<Writer>,
    pub tally: Tally,
    pub trace: bool,
    pub processes: u64,
    pub steps: u64,
    pub quiet: bool,
    /// Whether rotated files are compressed and moved away in this life, at least while there are faults.
    pub has_archives: bool,
    /// A fault that waits for the next effect that it can hit.
    pub armed: Option<Blow>,
    pub stopping: bool,
    queue: BTreeMap<(Millis, u64, u64), Event>,
    queued: u64,
    /// Hash over everything that happened: the same seed gives the same.
    pub fingerprint: u64,
}

impl World {
    pub fn new(rng: Rng, plan: Plan) -> Self {
        let mut world = Self {
            now: Millis(1_000_000),
            has_archives: plan.files.compress > 0,
            vfs: Vfs::new(plan.births, plan.alerts_rewrites),
            broker: Broker::new(plan.partitions, plan.verification),
            oracle: Oracle::new(&plan),
            shown: Shown::default(),
            agents: [None, None],
            states: [Vec::new(), Vec::new()],
            writers: Vec::new(),
            tally: Tally { seeds: 1, ..Tally::default() },
            trace: false,
            processes: 0,
            steps: 0,
            quiet: false,
            armed: None,
            stopping: false,
            queue: BTreeMap::new(),
            queued: 0,
            fingerprint: 0,
            rng,
            plan,
        };
        world.add_writers();
        let delay = world.rng.pick(&[0, 0, 500, 5000]);
        world.at(delay, Event::Start(0));
        world
    }

    /// Runs the whole life; the violation, if there is one.
    pub fn run(&mut self) -> Result<(), String> {
        let faults_end = self.now.plus(FAULTS_MS_MAX);
        self.run_until(|world| world.now >= faults_end || world.writers.iter().all(Writer::is_done));
        self.become_quiet();
        let quiet_end = self.now.plus(QUIET_MS_MAX);
        self.run_until(|world| world.now >= quiet_end || world.oracle.owed() == 0);
        if self.now >= quiet_end {
            let (owed, lines) = (self.oracle.owed(), self.oracle.owed_lines());
            self.oracle.violated(|| format!("LOST or stuck: {owed} lines are not delivered, {lines:?}"));
        }
        let aftermath_end = self.now.plus(AFTERMATH_MS);
        self.run_until(|world| world.now >= aftermath_end);
        self.stopping = true;
        self.stop_all();
        let stop_end = self.now.plus(STOP_MS_MAX);
        self.run_until(|world| world.now >= stop_end || world.agents.iter().all(Option::is_none));
        if self.agents.iter().any(Option::is_some) {
            self.oracle.violated(|| "a stop was not carried out in time".to_owned());
        }
        self.broker.complete();
        self.deliver_visible();
        self.oracle.finish();
        self.close_books();
        self.sum_up();
        self.oracle.violation.take().map_or(Ok(()), Err)
    }

    pub fn at(&mut self, delay_ms: u64, event: Event) {
        self.queued += 1;
        // The order of what happens at the same time is chance.
        let tie = self.rng.below(8);
        self.queue.insert((self.now.plus(delay_ms), tie, self.queued), event);
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>9} {}", self.now.0, what());
        }
    }

    /// Passes to the oracle what readers of committed records see now.
    pub fn deliver_visible(&mut self) {
        for visible in std::mem::take(&mut self.broker.visible) {
            match visible {
                Visible::Record { partition, value } => {
                    self.say(|| format!("  reader: {partition} {}", String::from_utf8_lossy(&value)));
                    self.oracle.committed(partition, &value);
                }
                Visible::Positions { write } => {
                    let first = (write.group, write.partition) == (0, 0);
                    self.oracle.positions(first, write.sequence, &write.metadata);
                }
            }
        }
    }

    /// The world took something away: are the inode's lines still in reach?
    pub fn reconsider(&mut self, life: Life) {
        let inode = &self.vfs.inodes[life];
        if inode.lost || inode.has_readers() {
            return;
        }
        let reachable = match self.vfs.name_of(life) {
            None => false,
            Some(path) => self.plan.takes(path) || self.oracle.is_provable(inode.epoch),
        };
        if !reachable {
            self.forsake(life);
        }
    }

    /// The inode's lines no longer count as kept there.
    pub fn forsake(&mut self, life: Life) {
        self.say(|| format!("  out of reach: life {life}"));
        self.vfs.inodes[life].lost = true;
        for line in &self.vfs.inodes[life].lines {
            self.oracle.vanishes(*line);
        }
    }

    pub fn hint(&mut self, path: &str) {
        let rates = if self.quiet { ReadRates::default() } else { self.plan.reads.clone() };
        if self.rng.chance(rates.hints_overflow) {
            let delay = self.rng.below(20);
            return self.at(delay, Event::HintsLost);
        }
        if self.rng.chance(rates.hint_lost) {
            return;
        }
        let delay = if self.rng.chance(rates.hint_late) { self.rng.below(3000) } else { self.rng.below(3) };
        self.at(delay, Event::Hint(shared(path)));
        if self.rng.chance(rates.hint_doubled) {
            let delay = self.rng.below(100);
            self.at(delay, Event::Hint(shared(path)));
        }
    }

    pub fn may_crash(&self) -> bool {
        !self.quiet && self.tally.crashes < CRASHES_MAX
    }

    fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) && self.oracle.violation.is_none() {
            let Some(((at, _, _), event)) = self.queue.pop_first() else {
                return self.oracle.violated(|| "nothing will ever happen again".to_owned());
            };
            self.now = at;
            self.handle(event);
            if self.steps > STEPS_MAX {
                self.oracle.violated(|| "the machine spins".to_owned());
            }
        }
    }

    fn handle(&mut self, event: Event) {
        self.fingerprint = (self.fingerprint ^ self.now.0).wrapping_mul(0x0100_0000_01b3);
        match event {
            Event::Writer(writer) => self.writer_acts(writer),
            Event::Turn(slot, process) | Event::Wake(slot, process) => self.turn(slot, process),
            Event::Execute(slot, process) => self.edge_executes(slot, process),
            Event::Reply(slot, process) => self.edge_replies(slot, process),
            Event::Hint(path) => self.hint_arrives(Some(&path)),
            Event::HintsLost => self.hint_arrives(None),
            Event::Later(later) => self.network_acts(later),
            Event::Start(slot) => self.start_agent(slot),
        }
    }

    fn network_acts(&mut self, later: Later) {
        self.say(|| format!("network: {later:?}"));
        match later {
            Later::Arrives { request, during } => {
                let strayed = self.broker.counts.strayed;
                self.broker.arrives(request, during);
                if self.broker.counts.strayed > strayed {
                    self.oracle
                        .broke_rule("a late request was carried out in a later transaction".to_owned());
                }
            }
            Later::TimesOut(serial) => self.broker.time_out(serial),
            Later::Completes => self.broker.complete(),
        }
        self.deliver_visible();
    }

    /// Faults stop, whoever is dead or paused comes back.
    fn become_quiet(&mut self) {
        self.say(|| "faults end".to_owned());
        self.quiet = true;
        self.plan.files = FileRates::default();
        self.plan.reads = ReadRates::default();
        self.plan.kafka = KafkaRates::default();
        self.plan.agent = AgentRates { blow: self.plan.agent.blow, ..AgentRates::default() };
        self.broker.unreachable_until = Millis(0);
        self.broker.missing_until = Millis(0);
        if self.agents.iter().all(Option::is_none) {
            self.at(0, Event::Start(0));
        }
    }

    fn sum_up(&mut self) {
        let counts = &self.broker.counts;
        self.tally.committed = counts.committed;
        self.tally.aborted = counts.aborted;
        self.tally.aborted_records = counts.aborted_records;
        self.tally.timed_out = counts.timed_out;
        self.tally.met_later = counts.met_later;
        self.tally.page_view_lives = u64::from(self.plan.page_views);
        self.tally.lines = self.oracle.lines.len() as u64;
        self.tally.events = self.oracle.events;
        self.fingerprint ^= self.oracle.events << 32 ^ counts.committed << 16 ^ self.steps;
    }
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.numbers_mut().into_iter().zip(other.clone().numbers_mut()) {
            *mine += *theirs;
        }
    }

    /// Every number, for adding up.
    fn numbers_mut(&mut self) -> Vec<&mut u64> {
        let Self {
            seeds,
            lines,
            events,
            crashes,
            pauses,
            long_pauses,
            stops,
            reloads,
            seconds,
            refused,
            torn_reads,
            read_errors,
            state_lost,
            state_stale,
            offsets_lost,
            rotations,
            copytruncates,
            truncates,
            deletes,
            archives,
            proofs,
            effects,
            committed,
            aborted,
            aborted_records,
            timed_out,
            met_later,
            page_view_lives,
            kafka,
        } = self;
        let Seen {
            retriable,
            abortable,
            fatal,
            fatal_applied,
            fenced,
            lost_replies,
            delayed_end,
            delayed_offsets,
            unreachable,
            topic_missing,
            late_inits,
        } = kafka;
        vec![
            seeds,
            lines,
            events,
            crashes,
            pauses,
            long_pauses,
            stops,
            reloads,
            seconds,
            refused,
            torn_reads,
            read_errors,
            state_lost,
            state_stale,
            offsets_lost,
            rotations,
            copytruncates,
            truncates,
            deletes,
            archives,
            proofs,
            effects,
            committed,
            aborted,
            aborted_records,
            timed_out,
            met_later,
            page_view_lives,
            retriable,
            abortable,
            fatal,
            fatal_applied,
            fenced,
            lost_replies,
            delayed_end,
            delayed_offsets,
            unreachable,
            topic_missing,
            late_inits,
        ]
    }
}

//! The thread that owns the producer, as librdkafka behaves: one command at a time, each a few requests, each of which
//! can be lost, be held back, or succeed without its answer arriving. It also holds the machine to the protocol.

use std::collections::{BTreeSet, VecDeque};

use viewtail::pipeline::action::{Cause, Class, Command, Failure, Millis, Reply};
use viewtail::pipeline::batch::Block;
use viewtail::pipeline::options::Mode;
use viewtail::pipeline::shard::ShardWrite;

use crate::options::TOPIC;
use crate::plan::KafkaRates;
use crate::rng::Rng;
use crate::vkafka::{Broker, Epoch, Refusal, Request};

/// How far the producer is in its transaction, as an orderly machine drives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No producer, or one that is lost.
    Down,
    Idle,
    Open,
    Flushed,
    Positioned,
    /// A commit was tried.
    Committing,
    /// Only an abort or a new producer helps.
    MustAbort,
    /// It did its last transaction: aborted, or committed with doubts. A new producer has to be made.
    Worn,
}

#[derive(Debug)]
pub struct Edge {
    mode: Mode,
    epoch: Epoch,
    stage: Stage,
    /// Records taken but not sent.
    queue: VecDeque<(usize, Vec<u8>)>,
    /// Partitions that librdkafka believes to be in the transaction.
    added: BTreeSet<usize>,
    tainted: bool,
    /// Whether the coordinator may know of the transaction.
    contacted: bool,
}

/// Everything around the edge during one command.
pub struct Network<'a> {
    pub now: Millis,
    pub rng: &'a mut Rng,
    pub rates: &'a KafkaRates,
    pub transaction_timeout_ms: u64,
    pub broker: &'a mut Broker,
    /// What happens later because of this command.
    pub later: &'a mut Vec<(Millis, Later)>,
    pub seen: &'a mut Seen,
    /// What the next request meets whatever the rates say.
    pub forced: Option<Fate>,
    /// A rule of the protocol was broken.
    pub broken: Option<String>,
}

/// What the network does later.
#[derive(Debug)]
pub enum Later {
    /// A request that was sent during this transaction.
    Arrives {
        request: Request,
        during: u64,
    },
    TimesOut(u64),
    Completes,
}

/// How often each fault did occur.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub retriable: u64,
    pub abortable: u64,
    pub fatal: u64,
    pub fatal_applied: u64,
    pub fenced: u64,
    pub lost_replies: u64,
    pub delayed_end: u64,
    pub delayed_offsets: u64,
    pub unreachable: u64,
    pub topic_missing: u64,
    pub late_inits: u64,
}

/// A failure that happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Fine,
    Retriable,
    Abortable,
    Fatal,
    LostReply,
    Delayed,
    Unreachable,
}

impl Edge {
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            epoch: 0,
            stage: Stage::Down,
            queue: VecDeque::new(),
            added: BTreeSet::new(),
            tainted: false,
            contacted: false,
        }
    }

    /// Carries a command out; the answer comes after some time.
    pub fn execute(&mut self, command: Command, network: &mut Network<'_>) -> Reply {
        self.hold_to_protocol(&command, network);
        let reply = match command {
            Command::Connect { .. } => self.connect(network),
            Command::Fetch { anchor, groups } => Self::fetch(&anchor, groups, network),
            Command::Begin => {
                self.stage = Stage::Open;
                self.tainted = false;
                self.contacted = false;
                self.added.clear();
                Ok(Reply::Began)
            }
            Command::Produce(block) => self.produce(block, network),
            Command::Flush => self.flush(network),
            Command::SendOffsets(writes) => self.send_offsets(&writes, network),
            Command::Commit => self.commit(network),
            Command::Abort => self.abort(network),
            Command::Disconnect => {
                self.drop_producer();
                Ok(Reply::Disconnected)
            }
        };
        reply.unwrap_or_else(|failure| {
            match failure.class {
                Class::Retriable => network.seen.retriable += 1,
                Class::Abortable => {
                    network.seen.abortable += 1;
                    self.stage = Stage::MustAbort;
                }
                Class::Fatal => {
                    network.seen.fatal += 1;
                    self.drop_producer();
                }
            }
            Reply::Failed(failure)
        })
    }

    /// What leaves the process at once when it dies, although nobody waits for the answer.
    pub fn last_words(&self, command: &Command) -> Option<Request> {
        match command {
            Command::Commit => Some(Request::EndTxn { epoch: self.epoch, commit: true }),
            Command::Abort => Some(Request::EndTxn { epoch: self.epoch, commit: false }),
            Command::SendOffsets(writes) => {
                let write = writes.first()?.clone();
                Some(Request::TxnOffsetCommit { epoch: self.epoch, write })
            }
            Command::Connect { .. }
            | Command::Fetch { .. }
            | Command::Begin
            | Command::Produce(_)
            | Command::Flush
            | Command::Disconnect => None,
        }
    }

    /// The rules T1-T9: what an orderly machine may say at which stage.
    fn hold_to_protocol(&self, command: &Command, network: &mut Network<'_>) {
        let transactional = self.mode == Mode::ExactlyOnce;
        let allowed: &[Stage] = match command {
            Command::Connect { .. } | Command::Disconnect => return,
            Command::Fetch { .. } if transactional => &[Stage::Idle],
            Command::Fetch { .. } => return,
            Command::Begin => &[Stage::Idle],
            Command::Produce(_) => &[Stage::Open],
            Command::Flush => &[Stage::Open, Stage::Flushed],
            Command::SendOffsets(_) => &[Stage::Flushed],
            Command::Commit => &[Stage::Positioned, Stage::Committing],
            Command::Abort => &[Stage::Open, Stage::Flushed, Stage::Positioned, Stage::MustAbort],
        };
        if !allowed.contains(&self.stage) {
            let stage = self.stage;
            network.broken = Some(format!("protocol: {} while the producer is {stage:?}", name(command)));
        }
        if let Command::SendOffsets(writes) = command
            && writes.last().is_none_or(|last| (last.group, last.partition) != (0, 0))
        {
            network.broken = Some("protocol: shard 0 is not the last of the positions".to_owned());
        }
    }

    fn connect(&mut self, network: &mut Network<'_>) -> Result<Reply, Failure> {
        self.drop_producer();
        if network.now < network.broker.missing_until {
            network.seen.topic_missing += 1;
            return Err(failure(Class::Retriable, Cause::TopicMissing));
        }
        match network.fate() {
            Fate::Unreachable => return Err(failure(Class::Retriable, Cause::Unreachable)),
            Fate::Retriable | Fate::Abortable => return Err(failure(Class::Retriable, Cause::Other)),
            Fate::Fatal => return Err(failure(Class::Fatal, Cause::Other)),
            Fate::LostReply | Fate::Delayed => {
                // InitProducerId did its work, and librdkafka gives up all the same.
                if self.mode == Mode::ExactlyOnce {
                    network.broker.init();
                }
                network.seen.lost_replies += 1;
                return Err(failure(Class::Retriable, Cause::Unreachable));
            }
            Fate::Fine => {}
        }
        if self.mode == Mode::ExactlyOnce {
            self.epoch = network.broker.init();
            if network.rng.fault(network.rates.late_init) {
                network.seen.late_inits += 1;
                network.hold_back(Request::InitProducerId);
            }
        }
        // Without transactions there is nothing to begin.
        self.stage = if self.mode == Mode::ExactlyOnce { Stage::Idle } else { Stage::Open };
        Ok(Reply::Connected {
            partitions: vec![network.broker.partitions()],
            cluster_id: Some("cluster".to_owned()),
        })
    }

    fn fetch(
        anchor: &str,
        groups: std::ops::Range<u32>,
        network: &mut Network<'_>,
    ) -> Result<Reply, Failure> {
        match network.fate() {
            Fate::Unreachable => return Err(failure(Class::Retriable, Cause::Unreachable)),
            Fate::Retriable | Fate::Abortable | Fate::Fatal => {
                return Err(failure(Class::Retriable, Cause::Other));
            }
            Fate::Fine | Fate::LostReply | Fate::Delayed => {}
        }
        if anchor != TOPIC {
            return Ok(Reply::Fetched(groups.map(|_| Vec::new()).collect()));
        }
        let fetched: Option<Vec<_>> = groups.map(|group| network.broker.fetch(group)).collect();
        fetched.map(Reply::Fetched).ok_or_else(|| failure(Class::Retriable, Cause::Other))
    }

    fn produce(&mut self, block: Block, network: &mut Network<'_>) -> Result<Reply, Failure> {
        for record in &block.records {
            let partition = usize::try_from(record.partition).expect("partitions are not negative");
            self.queue.push_back((partition, block.bytes(record.value).to_vec()));
        }
        match network.fate() {
            Fate::Fatal => {
                self.send_some(network)?;
                return Err(failure(Class::Fatal, Cause::Other));
            }
            Fate::Abortable => return Err(failure(Class::Abortable, Cause::Other)),
            Fate::Fine if network.rng.chance(500) => self.send_some(network)?,
            Fate::Fine | Fate::Retriable | Fate::LostReply | Fate::Delayed | Fate::Unreachable => {}
        }
        Ok(Reply::Produced(block))
    }

    fn flush(&mut self, network: &mut Network<'_>) -> Result<Reply, Failure> {
        match network.fate() {
            Fate::Unreachable => {
                self.tainted = true;
                let class = if network.rng.chance(700) { Class::Retriable } else { Class::Abortable };
                return Err(failure(class, Cause::Unreachable));
            }
            Fate::Retriable => {
                self.send_some(network)?;
                return Err(failure(Class::Retriable, Cause::Other));
            }
            Fate::Abortable => {
                self.send_some(network)?;
                return Err(failure(Class::Abortable, Cause::Other));
            }
            Fate::Fatal => {
                self.send_some(network)?;
                return Err(failure(Class::Fatal, Cause::Other));
            }
            Fate::LostReply | Fate::Delayed => self.tainted = true,
            Fate::Fine => {}
        }
        self.send(self.queue.len(), network)?;
        if self.mode == Mode::ExactlyOnce {
            self.stage = Stage::Flushed;
        }
        Ok(Reply::Flushed { failed: 0 })
    }

    fn send_some(&mut self, network: &mut Network<'_>) -> Result<(), Failure> {
        let count = network.rng.index(self.queue.len() + 1);
        self.send(count, network)
    }

    fn send(&mut self, count: usize, network: &mut Network<'_>) -> Result<(), Failure> {
        for (partition, value) in self.queue.drain(..count).collect::<Vec<_>>() {
            if self.mode != Mode::ExactlyOnce {
                network.broker.append_plain(partition, value);
                continue;
            }
            self.contacted = true;
            if self.added.insert(partition) {
                let opened = network.broker.add_partition(self.epoch, partition);
                network.opened(opened)?;
            }
            let appended = network.broker.append(self.epoch, partition, value);
            appended.map_err(|refusal| network.refused(refusal))?;
        }
        Ok(())
    }

    fn send_offsets(&mut self, writes: &[ShardWrite], network: &mut Network<'_>) -> Result<Reply, Failure> {
        let fate = network.fate();
        let count = match fate {
            Fate::Fine | Fate::LostReply | Fate::Delayed => writes.len(),
            Fate::Unreachable => 0,
            Fate::Retriable | Fate::Abortable | Fate::Fatal => network.rng.index(writes.len() + 1),
        };
        self.contacted |= count > 0;
        for write in &writes[..count] {
            let opened = network.broker.add_group(self.epoch, write.group);
            network.opened(opened)?;
            let taken = network.broker.offset_commit(self.epoch, write.clone());
            taken.map_err(|refusal| network.refused(refusal))?;
        }
        match fate {
            Fate::Unreachable => {
                self.tainted = true;
                return Err(failure(Class::Retriable, Cause::Unreachable));
            }
            Fate::Retriable => {
                self.tainted = true;
                return Err(failure(Class::Retriable, Cause::Other));
            }
            Fate::Abortable => return Err(failure(Class::Abortable, Cause::Other)),
            Fate::Fatal => return Err(failure(Class::Fatal, Cause::Other)),
            Fate::LostReply => {
                self.tainted = true;
                network.seen.lost_replies += 1;
            }
            Fate::Delayed => {
                self.tainted = true;
                if let Some(write) = writes.last() {
                    network.seen.delayed_offsets += 1;
                    network.hold_back(Request::TxnOffsetCommit { epoch: self.epoch, write: write.clone() });
                }
            }
            Fate::Fine => {}
        }
        self.stage = Stage::Positioned;
        Ok(Reply::OffsetsSent)
    }

    fn commit(&mut self, network: &mut Network<'_>) -> Result<Reply, Failure> {
        let tried = self.stage == Stage::Committing;
        let fate = network.fate();
        if fate == Fate::Abortable && !tried {
            return Err(failure(Class::Abortable, Cause::Other));
        }
        self.stage = Stage::Committing;
        self.end(true, fate, network)?;
        self.stage = if self.tainted { Stage::Worn } else { Stage::Idle };
        Ok(Reply::Committed { tainted: self.tainted })
    }

    fn abort(&mut self, network: &mut Network<'_>) -> Result<Reply, Failure> {
        self.queue.clear();
        let fate = network.fate();
        // A transaction that the coordinator never heard of needs no request.
        if self.contacted {
            self.end(false, fate, network)?;
        }
        self.stage = Stage::Worn;
        Ok(Reply::Aborted)
    }

    /// EndTxn, with librdkafka's silent retries.
    fn end(&mut self, commit: bool, fate: Fate, network: &mut Network<'_>) -> Result<(), Failure> {
        let request = Request::EndTxn { epoch: self.epoch, commit };
        match fate {
            Fate::Unreachable => {
                self.tainted = true;
                if network.rng.chance(300) {
                    network.seen.delayed_end += 1;
                    network.hold_back(request);
                }
                let class = if network.rng.chance(800) { Class::Retriable } else { Class::Fatal };
                return Err(failure(class, Cause::Unreachable));
            }
            Fate::Retriable => {
                self.tainted = true;
                if network.rng.chance(500) {
                    self.apply_end(commit, network)?;
                }
                return Err(failure(Class::Retriable, Cause::Other));
            }
            Fate::Abortable | Fate::Fatal => {
                match network.rng.below(3) {
                    0 => {}
                    1 => {
                        network.seen.fatal_applied += 1;
                        self.apply_end(commit, network)?;
                    }
                    _ => network.hold_back(request),
                }
                return Err(failure(Class::Fatal, Cause::Other));
            }
            Fate::LostReply => {
                self.tainted = true;
                network.seen.lost_replies += 1;
            }
            Fate::Delayed => {
                self.tainted = true;
                network.seen.delayed_end += 1;
                network.hold_back(request);
            }
            Fate::Fine => {}
        }
        self.apply_end(commit, network)
    }

    fn apply_end(&mut self, commit: bool, network: &mut Network<'_>) -> Result<(), Failure> {
        network.broker.end(self.epoch, commit).map_err(|refusal| network.refused(refusal))?;
        let delay = network.rng.pick(&[0, 1, 5, 300]);
        network.later.push((network.now.plus(delay), Later::Completes));
        Ok(())
    }

    fn drop_producer(&mut self) {
        self.stage = Stage::Down;
        self.queue.clear();
        self.added.clear();
        self.tainted = false;
    }
}

impl Network<'_> {
    /// Draws what happens to the next request.
    fn fate(&mut self) -> Fate {
        if let Some(fate) = self.forced.take() {
            return fate;
        }
        if self.now < self.broker.unreachable_until {
            self.seen.unreachable += 1;
            return Fate::Unreachable;
        }
        let KafkaRates { retriable, abortable, fatal, lost_reply, delayed, .. } = *self.rates;
        let fates = [
            (retriable, Fate::Retriable),
            (abortable, Fate::Abortable),
            (fatal, Fate::Fatal),
            (lost_reply, Fate::LostReply),
            (delayed, Fate::Delayed),
        ];
        let drawn = fates.into_iter().find(|(rate, _)| *rate > 0 && self.rng.chance(*rate));
        drawn.map_or(Fate::Fine, |(_, fate)| fate)
    }

    fn hold_back(&mut self, request: Request) {
        let delay = self.rng.pick(&[1, 10, 100, 1000, 4000]);
        let delay = self.rng.range(delay / 2, delay);
        let during = self.broker.serial();
        self.later.push((self.now.plus(delay), Later::Arrives { request, during }));
    }

    /// The clock of a transaction starts when it is opened; the coordinator looks every ten seconds.
    fn opened(&mut self, opened: Result<Option<u64>, Refusal>) -> Result<(), Failure> {
        if let Some(serial) = opened.map_err(|refusal| self.refused(refusal))? {
            let delay = self.transaction_timeout_ms + self.rng.below(10_000);
            self.later.push((self.now.plus(delay), Later::TimesOut(serial)));
        }
        Ok(())
    }

    fn refused(&mut self, refusal: Refusal) -> Failure {
        match refusal {
            Refusal::Fenced => {
                self.seen.fenced += 1;
                failure(Class::Fatal, Cause::Fenced)
            }
            Refusal::State => failure(Class::Fatal, Cause::Other),
        }
    }
}

fn failure(class: Class, cause: Cause) -> Failure {
    Failure { class, cause, message: format!("{class:?} {cause:?}") }
}

pub fn name(command: &Command) -> &'static str {
    match command {
        Command::Connect { .. } => "Connect",
        Command::Fetch { .. } => "Fetch",
        Command::Begin => "Begin",
        Command::Produce(_) => "Produce",
        Command::Flush => "Flush",
        Command::SendOffsets(_) => "SendOffsets",
        Command::Commit => "Commit",
        Command::Abort => "Abort",
        Command::Disconnect => "Disconnect",
    }
}

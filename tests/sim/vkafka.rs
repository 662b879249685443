//! A virtual Kafka with its own truth: the transaction coordinator of one transactional id, partitions with records and
//! their outcomes, group offsets with those of the open transaction. Transactions version 1: one epoch for a
//! producer's whole life, so that a late EndTxn ends whatever transaction of that epoch is open when it arrives.

use std::collections::{BTreeMap, BTreeSet};

use viewtail::pipeline::action::{Committed, Millis};
use viewtail::pipeline::shard::ShardWrite;

/// A producer's epoch; an older one is fenced.
pub type Epoch = u32;

/// Which partition of which group.
type Place = (u32, u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The epoch is not the latest.
    Fenced,
    /// INVALID_TXN_STATE: the transaction is not what the producer thinks.
    State,
}

/// A request that the network can hold back.
#[derive(Clone, Debug)]
pub enum Request {
    /// Without a producer's id, as a new process sends it: it fences whoever is there.
    InitProducerId,
    EndTxn {
        epoch: Epoch,
        commit: bool,
    },
    TxnOffsetCommit {
        epoch: Epoch,
        write: ShardWrite,
    },
}

#[derive(Debug, PartialEq, Eq)]
enum Transaction {
    Empty,
    Ongoing(Ongoing),
    /// Decided, its markers on the partitions; the positions are not visible yet.
    Preparing {
        commit: bool,
    },
    Complete {
        commit: bool,
    },
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Ongoing {
    serial: u64,
    partitions: BTreeSet<usize>,
    groups: BTreeSet<u32>,
}

#[derive(Debug, Default)]
struct Partition {
    /// Records without an outcome yet. A marker decides all of them, as there is one producer id.
    undecided: Vec<Vec<u8>>,
}

/// What readers of committed records see, in order; the oracle takes it.
#[derive(Debug)]
pub enum Visible {
    Record { partition: usize, value: Vec<u8> },
    Positions { write: ShardWrite },
}

#[derive(Debug, Default)]
pub struct Counts {
    pub committed: u64,
    pub aborted: u64,
    pub aborted_records: u64,
    pub timed_out: u64,
    pub fenced: u64,
    /// Requests that arrived in a later transaction than they were made for, and those of them that were carried out.
    pub met_later: u64,
    pub strayed: u64,
}

#[derive(Debug)]
pub struct Broker {
    partitions: Vec<Partition>,
    verification: bool,
    epoch: Epoch,
    serial: u64,
    transaction: Transaction,
    offsets: BTreeMap<Place, Committed>,
    pending: BTreeMap<Place, ShardWrite>,
    pub visible: Vec<Visible>,
    pub counts: Counts,
    pub unreachable_until: Millis,
    pub missing_until: Millis,
}

impl Broker {
    pub fn new(partitions: u32, verification: bool) -> Self {
        Self {
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            verification,
            epoch: 0,
            serial: 0,
            transaction: Transaction::Empty,
            offsets: BTreeMap::new(),
            pending: BTreeMap::new(),
            visible: Vec::new(),
            counts: Counts::default(),
            unreachable_until: Millis(0),
            missing_until: Millis(0),
        }
    }

    pub fn partitions(&self) -> u32 {
        u32::try_from(self.partitions.len()).expect("few partitions")
    }

    /// InitProducerId: settles what is open and fences every older epoch.
    pub fn init(&mut self) -> Epoch {
        self.complete();
        self.abort_open();
        self.transaction = Transaction::Empty;
        self.epoch += 1;
        self.epoch
    }

    /// AddPartitionsToTxn; the number of the transaction it opened, if it did.
    pub fn add_partition(&mut self, epoch: Epoch, partition: usize) -> Result<Option<u64>, Refusal> {
        let (ongoing, opened) = self.open(epoch)?;
        ongoing.partitions.insert(partition);
        Ok(opened)
    }

    /// AddOffsetsToTxn.
    pub fn add_group(&mut self, epoch: Epoch, group: u32) -> Result<Option<u64>, Refusal> {
        let (ongoing, opened) = self.open(epoch)?;
        ongoing.groups.insert(group);
        Ok(opened)
    }

    /// Produce, in a transaction.
    pub fn append(&mut self, epoch: Epoch, partition: usize, value: Vec<u8>) -> Result<(), Refusal> {
        self.check(epoch)?;
        let taken =
            matches!(&self.transaction, Transaction::Ongoing(open) if open.partitions.contains(&partition));
        if self.verification && !taken {
            return Err(Refusal::State);
        }
        self.partitions[partition].undecided.push(value);
        Ok(())
    }

    /// Produce, without transactions.
    pub fn append_plain(&mut self, partition: usize, value: Vec<u8>) {
        self.visible.push(Visible::Record { partition, value });
    }

    /// TxnOffsetCommit: the group's coordinator verifies that the group is in the open transaction, but cannot know
    /// which transaction it is meant for.
    pub fn offset_commit(&mut self, epoch: Epoch, write: ShardWrite) -> Result<(), Refusal> {
        self.check(epoch)?;
        if !matches!(&self.transaction, Transaction::Ongoing(open) if open.groups.contains(&write.group)) {
            return Err(Refusal::State);
        }
        assert!(write.partition < self.partitions(), "positions for a partition that does not exist");
        self.pending.insert((write.group, write.partition), write);
        Ok(())
    }

    /// EndTxn: decides whatever transaction is open. Repeating the decision of the last one is a success.
    pub fn end(&mut self, epoch: Epoch, commit: bool) -> Result<(), Refusal> {
        self.check(epoch)?;
        match &self.transaction {
            Transaction::Empty => Err(Refusal::State),
            Transaction::Preparing { commit: decided } | Transaction::Complete { commit: decided } => {
                if *decided == commit {
                    Ok(())
                } else {
                    Err(Refusal::State)
                }
            }
            Transaction::Ongoing(_) => {
                self.decide(commit);
                Ok(())
            }
        }
    }

    /// The number of the last transaction that was opened.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// A request that was held back during that transaction arrives. Nobody waits for the answer any more.
    pub fn arrives(&mut self, request: Request, during: u64) {
        let is_late = matches!(&self.transaction, Transaction::Ongoing(open) if open.serial > during);
        let result = match request {
            Request::InitProducerId => {
                self.init();
                return;
            }
            Request::EndTxn { epoch, commit } => self.end(epoch, commit),
            Request::TxnOffsetCommit { epoch, write } => self.offset_commit(epoch, write),
        };
        self.counts.met_later += u64::from(is_late);
        self.counts.strayed += u64::from(is_late && result.is_ok());
    }

    /// The markers of a decided transaction are all written: its positions become visible.
    pub fn complete(&mut self) {
        if let Transaction::Preparing { commit } = self.transaction {
            let pending = std::mem::take(&mut self.pending);
            if commit {
                for (place, write) in pending {
                    let committed = Committed { sequence: Some(write.sequence), metadata: write.metadata };
                    self.offsets.insert(place, committed);
                }
            }
            self.transaction = Transaction::Complete { commit };
        }
    }

    /// The coordinator aborts a transaction that is open for too long and fences its producer.
    pub fn time_out(&mut self, serial: u64) {
        if matches!(&self.transaction, Transaction::Ongoing(open) if open.serial == serial) {
            self.abort_open();
            self.complete();
            self.epoch += 1;
            self.counts.timed_out += 1;
        }
    }

    /// OffsetFetch with require_stable; `None` is UNSTABLE_OFFSET_COMMIT.
    pub fn fetch(&self, group: u32) -> Option<Vec<Committed>> {
        if self.pending.keys().any(|(pending, _)| *pending == group) {
            return None;
        }
        let places = (0..self.partitions()).map(|partition| (group, partition));
        Some(places.map(|place| self.offsets.get(&place).cloned().unwrap_or_default()).collect())
    }

    /// The groups expire or are reset by somebody.
    pub fn forget_offsets(&mut self) {
        self.offsets.clear();
    }

    fn check(&mut self, epoch: Epoch) -> Result<(), Refusal> {
        if epoch == self.epoch {
            return Ok(());
        }
        self.counts.fenced += 1;
        Err(Refusal::Fenced)
    }

    fn open(&mut self, epoch: Epoch) -> Result<(&mut Ongoing, Option<u64>), Refusal> {
        self.check(epoch)?;
        // CONCURRENT_TRANSACTIONS: the client waits until the one before is complete.
        self.complete();
        let mut opened = None;
        if !matches!(self.transaction, Transaction::Ongoing(_)) {
            self.serial += 1;
            opened = Some(self.serial);
            self.transaction = Transaction::Ongoing(Ongoing { serial: self.serial, ..Ongoing::default() });
        }
        match &mut self.transaction {
            Transaction::Ongoing(ongoing) => Ok((ongoing, opened)),
            Transaction::Empty | Transaction::Preparing { .. } | Transaction::Complete { .. } => {
                unreachable!("it was opened above")
            }
        }
    }

    fn abort_open(&mut self) {
        if matches!(self.transaction, Transaction::Ongoing(_)) {
            self.decide(false);
            self.complete();
        }
    }

    fn decide(&mut self, commit: bool) {
        let before = std::mem::replace(&mut self.transaction, Transaction::Preparing { commit });
        let Transaction::Ongoing(ongoing) = before else {
            unreachable!("only an open transaction is decided")
        };
        if commit {
            self.counts.committed += 1;
        } else {
            self.counts.aborted += 1;
        }
        for partition in ongoing.partitions {
            for value in std::mem::take(&mut self.partitions[partition].undecided) {
                if commit {
                    self.visible.push(Visible::Record { partition, value });
                } else {
                    self.counts.aborted_records += 1;
                }
            }
        }
        if commit {
            let writes = self.pending.values().cloned();
            self.visible.extend(writes.map(|write| Visible::Positions { write }));
        }
    }
}

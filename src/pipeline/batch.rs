//! Blocks of records and the batch they make: the unit of everything that crosses to Kafka.

use std::collections::BTreeMap;

use super::shard::Entry;
use super::tally::Tally;
use crate::event::StreamId;

/// A block is handed over when it holds so much: a few milliseconds of work for the producer, and three of them
/// (one being filled, one waiting, one being produced) stay small against the memory limit.
pub const BLOCK_BYTES: usize = 1024 * 1024;

/// A batch is committed before its interval when it has grown so large, so that a rewind stays short: a second or two
/// of reading at full speed. Each commit drains the pipe, so it should not be much less.
const BATCH_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Or when so many generations are new in it: their positions fill new shards, a hundred of them, which takes Kafka a quarter of a
/// second. Meanwhile two blocks are filled, with about as many files of a line each, so that neither waits for the other.
const NEW_MAX: usize = 4096;

/// Or when it holds so many of them and nothing more is at hand: a start is over then, and its last lines need not wait. A few
/// new files now and then are no reason for further transactions.
const NEW_MANY: usize = 256;

/// The same for records: a backlog is read then, of which the batch behind may be the small end. A site that writes less in a
/// second has no further transactions by it.
const RECORDS_MANY: u64 = 100_000;

/// Records on their way to Kafka: their bytes in one arena. Reused, so that a record costs no allocation.
#[derive(Debug, Default)]
pub struct Block {
    /// Keys and values, one after another.
    pub arena: Vec<u8>,
    /// One entry per record, in the order of production.
    pub records: Vec<Record>,
}

/// One record: places in its block's arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key; empty for a record without key.
    pub key: Slice,
    /// The value.
    pub value: Slice,
    /// Which topic it goes to.
    pub destination: Destination,
    /// The partition, chosen by us; [`ANY_PARTITION`] leaves the choice to the producer, by the key.
    pub partition: i32,
    /// Milliseconds since the epoch; 0 lets the producer stamp the record when it is handed over.
    pub timestamp_ms: i64,
}

impl Record {
    /// Whether both go to the same place and are stamped when they are handed over, so that one call can take them.
    #[must_use]
    pub fn goes_with(&self, other: &Self) -> bool {
        let way = |record: &Self| (record.destination, record.partition, record.timestamp_ms);
        way(self) == way(other) && self.timestamp_ms == 0
    }
}

/// Which of the topics a record goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// The topic of events with this number: a log has one, and 0 is the anchor.
    Events(u16),
    /// The topic of lines that could not be parsed.
    Rejects,
}

/// librdkafka's name for "whichever": the number of partitions of the topic of rejects is not asked for.
pub const ANY_PARTITION: i32 = -1;

/// A range of an arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Slice {
    /// The range from `start` to `end`; an arena never grows to 4 GiB.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        let narrow = |at: usize| u32::try_from(at).expect("an arena is bounded far below 4 GiB");
        Self { start: narrow(start), end: narrow(end) }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

impl Block {
    /// The bytes of a slice.
    #[must_use]
    pub fn bytes(&self, slice: Slice) -> &[u8] {
        &self.arena[slice.start as usize..slice.end as usize]
    }

    /// Empties the block and keeps its memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.records.clear();
    }
}

/// How far one generation gets by a block or batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Where it starts.
    pub from: u64,
    /// What is committed of it if the batch is.
    pub to: Entry,
}

/// A block with the positions it reaches; without records, a mere registration of generations.
#[derive(Debug, Default)]
pub struct Filled {
    /// The records.
    pub block: Block,
    /// The generations it moves.
    pub reaches: Reaches,
    /// What its lines became.
    pub tally: Tally,
}

impl Filled {
    /// Whether there is nothing to deliver.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reaches.0.is_empty()
    }
}

/// What the open transaction holds.
#[derive(Debug, Default)]
pub struct Batch {
    /// How far its generations get.
    pub reaches: Reaches,
    /// Generations that are forgotten with it.
    pub gone: Vec<StreamId>,
    /// How many records there are.
    pub records: u64,
    /// Their bytes.
    bytes: usize,
    /// Generations of which nothing was committed before.
    new: usize,
    /// What its lines became.
    pub tally: Tally,
    /// Whether the one before it was large, so that this one is the end of a backlog if nothing more is at hand.
    follows_large: bool,
}

impl Batch {
    /// The one that follows it, which holds nothing yet.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { follows_large: self.is_large(), ..Self::default() }
    }

    /// Takes in what is produced of a block; `is_new` tells generations of which nothing was committed before.
    pub fn take(&mut self, filled: &Filled, is_new: impl Fn(StreamId) -> bool) {
        self.new += filled.reaches.iter().filter(|reach| is_new(reach.to.stream)).count();
        self.reaches.append(&filled.reaches);
        self.records += filled.block.records.len() as u64;
        self.bytes += filled.block.arena.len();
        self.tally.merge(&filled.tally);
    }

    /// Whether it is committed now and not at the end of its interval.
    #[must_use]
    pub fn is_full(&self, records_max: u64) -> bool {
        self.records >= records_max || self.bytes >= BATCH_BYTES_MAX || self.new >= NEW_MAX
    }

    /// Whether it is committed as soon as nothing more is at hand.
    #[must_use]
    pub fn ends_backlog(&self) -> bool {
        self.follows_large || self.is_large()
    }

    fn is_large(&self) -> bool {
        self.new >= NEW_MANY || self.records >= RECORDS_MANY
    }
}

/// The positions that something reaches, one per generation.
#[derive(Debug, Default)]
pub struct Reaches(BTreeMap<StreamId, Reach>);

impl Reaches {
    /// Adds what comes next of a generation: exactly where the last one ended.
    pub fn add(&mut self, next: Reach) {
        let reach = self.0.entry(next.to.stream).or_insert(next);
        if reach.to != next.to {
            assert_eq!(reach.to.mark.position, next.from, "a gap or an overlap between two blocks");
            reach.to = next.to;
        }
    }

    /// Adds all of another block.
    pub fn append(&mut self, later: &Self) {
        for reach in later.0.values() {
            self.add(*reach);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// One reach per generation.
    pub fn iter(&self) -> impl Iterator<Item = &Reach> {
        self.0.values()
    }
}

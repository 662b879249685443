//! Blocks and the batch they make: the unit of everything that crosses to Kafka.

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
    /// The partition, chosen by us.
    pub partition: i32,
    /// Milliseconds since the epoch; 0 lets the producer stamp the record when it is handed over.
    pub timestamp_ms: i64,
}

/// A range of an arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
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

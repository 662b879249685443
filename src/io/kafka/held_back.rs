//! What librdkafka may hold back: of each partition the part of a batch that waits for company.

use std::collections::HashMap;

use crate::pipeline::batch::{Destination, Record};

/// Counts what was queued since the queue was empty.
#[derive(Debug)]
pub struct HeldBack {
    /// Of a full batch, whichever is reached first.
    batch_records: usize,
    batch_bytes: usize,
    records: HashMap<(Destination, i32), usize>,
    bytes: usize,
}

impl HeldBack {
    /// Nothing yet, of batches that are full with so many records or bytes.
    pub fn new(batch_records: usize, batch_bytes: usize) -> Self {
        Self { batch_records, batch_bytes, records: HashMap::new(), bytes: 0 }
    }

    /// These were queued; they go together ([`Record::goes_with`]).
    pub fn add(&mut self, records: &[Record]) {
        let Some(first) = records.first() else { return };
        *self.records.entry((first.destination, first.partition)).or_default() += records.len();
        self.bytes += records.iter().map(|record| record.key.len() + record.value.len()).sum::<usize>();
    }

    /// The queue is empty.
    pub fn clear(&mut self) {
        self.records.clear();
        self.bytes = 0;
    }

    /// Whether all of so many records may be held back. If not, one partition at least has a full batch, and room comes as
    /// soon as the broker acknowledges it.
    pub fn may_be_all_of(&self, queued: usize) -> bool {
        let records: usize = self.records.values().sum();
        let batch = (self.batch_bytes * records).div_ceil(self.bytes.max(1)).min(self.batch_records);
        self.records.values().map(|&records| records.min(batch)).sum::<usize>() >= queued
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::batch::Slice;

    /// Ten records of 100 bytes.
    const TEN: [u32; 10] = [100; 10];

    fn add(held_back: &mut HeldBack, partition: i32, sizes: &[u32]) {
        let record = |&end: &u32| Record {
            key: Slice::default(),
            value: Slice { start: 0, end },
            destination: Destination::Events(0),
            partition,
            timestamp_ms: 0,
        };
        held_back.add(&sizes.iter().map(record).collect::<Vec<_>>());
    }

    #[test]
    fn of_one_partition_it_is_less_than_a_batch() {
        let mut held_back = HeldBack::new(1000, 500);
        (0..10).for_each(|_| add(&mut held_back, 0, &TEN));
        assert!(held_back.may_be_all_of(5));
        assert!(!held_back.may_be_all_of(6));
    }

    #[test]
    fn of_many_partitions_it_may_be_all() {
        let mut held_back = HeldBack::new(1000, 2000);
        (0..12).for_each(|partition| add(&mut held_back, partition, &TEN));
        assert!(held_back.may_be_all_of(120));
    }

    #[test]
    fn a_busy_partition_among_quiet_ones_counts_for_one_batch() {
        let mut held_back = HeldBack::new(20, 1_000_000);
        (0..10).for_each(|_| add(&mut held_back, 0, &TEN));
        (1..4).for_each(|partition| add(&mut held_back, partition, &TEN));
        assert!(!held_back.may_be_all_of(51));
        assert!(held_back.may_be_all_of(50));
    }

    #[test]
    fn nothing_is_left_of_what_was_before_the_queue_was_empty() {
        let mut held_back = HeldBack::new(1000, 1_000_000);
        add(&mut held_back, 0, &TEN);
        held_back.clear();
        assert!(!held_back.may_be_all_of(1));
        add(&mut held_back, 1, &[]);
        add(&mut held_back, 2, &TEN[..3]);
        assert!(held_back.may_be_all_of(3));
        assert!(!held_back.may_be_all_of(4));
    }
}

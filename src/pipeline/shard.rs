//! Positions as Kafka keeps them: committed offsets of private groups on the anchor topic's partitions.

/// One shard to be written in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardWrite {
    /// Which of our consumer groups: 0 is `viewtail-<agent id>`, n is `viewtail-<agent id>.n`.
    pub group: u32,
    /// Partition of the anchor topic.
    pub partition: u32,
    /// The committed offset: the transaction's number.
    pub sequence: u64,
    /// At most 4096 bytes of text.
    pub metadata: String,
}

//! Everything that can fail or block: Kafka, and time itself.
//!
//! Knows the pipeline's types and nothing of its decisions; nothing in here is imported by the pure parts.

pub mod clock;
pub mod kafka;

//! viewtail: access logs into Kafka, every line exactly once.

pub mod config;
pub mod event;
pub mod format;
pub mod pipeline;

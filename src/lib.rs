//! viewtail: access logs into Kafka, every line exactly once.

pub mod cli;
pub mod demo;
pub mod event;
pub mod format;
pub mod io;
pub mod pipeline;
pub mod verify;

//! viewtail: access logs into Kafka, every line exactly once. The modules stand in reading order.

pub mod agent;
pub mod cli;
pub mod demo;
pub mod event;
pub mod failpoint;
pub mod format;
pub mod io;
pub mod pipeline;
pub mod planted;
pub mod verify;

//! Everything that can fail or block: files, hints, Kafka, the local state, signals, the terminal, and time itself.
//!
//! Knows the pipeline's types and nothing of its decisions; nothing in here is imported by the pure parts.

pub mod account;
pub mod aliases;
pub mod archive;
pub mod clock;
pub mod diagnostics;
pub mod files;
pub mod http;
pub mod identity;
pub mod interrupt;
pub mod kafka;
pub mod lease;
pub mod limits;
pub mod packed;
pub mod process;
pub mod progress;
pub mod secret;
pub mod service;
pub mod state;
pub mod sys;
pub mod table;
pub mod terminal;
pub mod trust;
pub mod unit;
pub mod watch;

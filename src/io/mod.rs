//! Everything that can fail or block: files, Kafka, signals, the clock, the terminal.

pub mod clock;
pub mod interrupt;
pub mod kafka;
pub mod table;
pub mod terminal;

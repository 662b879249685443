//! PURE: which bytes are read, what becomes of them, when they count as delivered.

pub mod action;
mod archives;
pub mod batch;
mod chain;
pub mod checkpoint;
mod copies;
pub mod delivery;
mod descriptors;
mod discover;
mod generation;
mod heads;
mod held;
pub mod identity;
mod index;
pub mod line;
mod links;
pub mod machine;
pub mod notice;
pub mod options;
pub mod partition;
mod reading;
pub mod resolve;
pub mod shard;
mod tail;
mod turns;
mod unmatched;

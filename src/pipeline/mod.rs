//! PURE: which bytes are read, what becomes of them, when they count as delivered.

pub mod action;
pub mod batch;
pub mod checkpoint;
mod copies;
pub mod delivery;
mod descriptors;
mod discover;
pub mod facts;
mod generation;
mod held;
pub mod histogram;
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
pub mod tally;
pub mod times;
mod turns;
mod unmatched;

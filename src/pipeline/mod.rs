//! PURE: which bytes are read, what becomes of them, when they count as delivered.

pub mod account;
pub mod action;
pub mod batch;
pub mod checkpoint;
mod copies;
mod deleted;
pub mod delivery;
mod descriptors;
mod discover;
mod generation;
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
mod rewrite;
pub mod shard;
mod tail;
mod trouble;
mod turns;
mod unmatched;

//! PURE: which bytes are read, what becomes of them, when they count as delivered.

pub mod action;
pub mod batch;
pub mod checkpoint;
pub mod identity;
pub mod notice;
pub mod options;
pub mod shard;

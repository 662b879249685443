//! What the tests against real programs share: scratch directories, child processes that never outlive a test,
//! Kafka, nginx, logrotate, the agent itself, log writers and the checker.
//!
//! Nothing here knows how viewtail works inside: only its command line, its configuration and the topic.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub mod access_log;
pub mod agent;
pub mod checker;
pub mod events;
pub mod kafka;
pub mod load;
pub mod nginx;
pub mod page;
pub mod process;
pub mod schema;
pub mod scratch;
pub mod topic;
pub mod wait;
pub mod writer;

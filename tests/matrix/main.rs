//! The rows of the tailing matrix, for real: the agent's binary, a real Kafka, real files on a real ext4, logrotate, nginx.
//!
//! Each test is named by the number of its row; ROWS.md is the table of all rows, which `make matrix` prints with what
//! came of each. Tests share one broker, and each has its own topic, agent and directory, so many run side by side.
//! Whatever a row does, its end is the same: every line of the truth is there exactly once, and nothing else.

#[path = "../support/mod.rs"]
mod support;

mod archives;
mod ext4;
mod identity;
mod lines;
mod links;
mod losses;
mod nginx;
mod places;
mod restart;
mod rotation;
mod row;
mod table;
mod trouble;
mod truncation;

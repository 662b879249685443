//! Proof that what is read is what the servers wrote, and that the numbers are the numbers: real servers, other
//! people's counters and another language as the oracles. Needs no Kafka.

#[path = "../support/mod.rs"]
mod support;

mod apache;
mod compare;
mod downstream;
mod goaccess;
mod independent;
mod init;
mod many_days;
mod nginx;
mod numbers;
mod requests;
mod schema;
mod targets;

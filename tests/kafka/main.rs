//! The promise, against real programs: Apache Kafka, nginx, logrotate, kill -9.
//!
//! Each test writes a log, does its worst to the agent or the broker, waits until everything is committed, stops the
//! agent and asks the independent checker. Tests share a broker where they do it no harm; each has its own topic and
//! agent id. Run with two test threads: `make kafka-tests`.

#[path = "../support/mod.rs"]
mod support;

mod backlog;
mod chaos;
mod check;
mod checkpoints;
mod endpoints;
mod generations;
mod input;
mod network;
mod nginx;
mod outage;
mod pause;
mod pod;
mod proxy;
mod reload;
mod rivals;
mod sandbox;
mod security;
mod stage;
mod stop;
mod topics;

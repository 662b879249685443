//! viewtail: access logs into Kafka, every line exactly once. The modules stand in reading order.

pub mod cli;

pub mod config;

pub mod agent;

pub mod telemetry;

pub mod io;

pub mod pipeline;

pub mod format;

pub mod event;

pub mod servers;

pub mod report;

pub mod verify;

pub mod demo;

pub mod failpoint;
pub mod planted;

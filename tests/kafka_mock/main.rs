//! The Kafka edge against librdkafka's mock cluster: error classes, taint, bounds and latency.
//!
//! The mock has no fencing, no read_committed and stores no transactional offsets: nothing here proves exactly-once.

mod support;

mod commands;
mod failures;
mod outages;
mod taint;

//! The Kafka edge against librdkafka's mock cluster: error classes, taint, bounds and latency.
//!
//! The mock has no fencing, no read_committed and stores no transactional offsets: nothing here proves exactly-once.

// `cfg(test)` tells the linter that helpers may unwrap as well.
#[cfg(test)]
mod commands;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod support;
#[cfg(test)]
mod taint;

//! What the agent shows of itself: numbers for Prometheus, a status for people and programs, and whether it is ready.
//!
//! Everything here is a function of one [`Observation`]; nothing is counted, read or asked here. So all pages of one moment
//! agree with each other, and looking costs the data plane one observation.

mod losses;
mod metrics;
mod ready;
pub mod status;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use losses::LostBytes;
pub use metrics::{MEDIA_TYPE, metrics};
pub use ready::{readiness, reasons};

use crate::pipeline::facts::Facts;
use crate::pipeline::histogram::Histogram;

/// Upper bounds of the time from a line to its commit, in seconds: around commit_interval's default of 1 s, and up to the
/// hours that a backlog takes.
const LATENCY_S: [f64; 14] =
    [0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86_400.0];

/// Time from a line to its commit.
pub type Latencies = Histogram<{ LATENCY_S.len() }>;

/// None yet.
#[must_use]
pub fn latencies() -> Latencies {
    Histogram::new(&LATENCY_S)
}

/// The agent at one moment.
#[derive(Clone, Debug)]
pub struct Observation {
    /// When, in milliseconds since the epoch.
    pub at_ms: u64,
    /// What the pipeline says.
    pub facts: Facts,
    /// Who the agent is.
    pub agent: AgentFacts,
    /// How reading the configuration again went.
    pub reload: ReloadFacts,
    /// Bytes that were found lost by this process.
    pub lost: LostBytes,
    /// Time from each line's own time to its commit, of lines that tell one.
    pub latencies: Latencies,
    /// What the Kafka edge says.
    pub kafka: KafkaFacts,
    /// Messages that were held back because there were too many of their kind.
    pub messages_suppressed: u64,
}

/// Who the agent is and how it does.
#[derive(Clone, Debug)]
pub struct AgentFacts {
    /// `agent.id`.
    pub id: String,
    /// The state directory.
    pub state_dir: String,
    /// The process.
    pub pid: u32,
    /// When it was started, in milliseconds since the epoch.
    pub started_at_ms: u64,
    /// When positions were committed last, by this process or one before, in milliseconds since the epoch.
    pub committed_at_ms: Option<u64>,
    /// Whether the directories of the logs were looked at.
    pub is_discovered: bool,
    /// Whether it was asked to stop.
    pub is_stopping: bool,
    /// Whether the local state could not be written the last time.
    pub state_in_trouble: bool,
}

/// How reading the configuration again went; the start counts as the first time.
#[derive(Clone, Debug)]
pub struct ReloadFacts {
    /// Since when the configuration that counts does so, in milliseconds since the epoch.
    pub loaded_at_ms: u64,
    /// Why the one that was read last does not count, if it does not.
    pub refused: Option<String>,
}

/// What the Kafka edge says.
#[derive(Clone, Debug, Default)]
pub struct KafkaFacts {
    /// The brokers as configured.
    pub brokers: String,
    /// The topics that events go to.
    pub topics: Vec<String>,
    /// Records that were not delivered, by librdkafka's name of the reason.
    pub errors: Vec<(String, u64)>,
    /// Mean round trip to each broker that answered lately, by its address.
    pub round_trips: Vec<(String, Duration)>,
}

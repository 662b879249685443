//! What every test here begins with: a scratch directory, a topic on a broker, a log, a configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::support::agent::{Agent, Config};
use crate::support::checker::{self, Verdict};
use crate::support::kafka::Kafka;
use crate::support::scratch::Scratch;
use crate::support::topic::{self, Counter};

/// A backlog of a test is some hundred thousand lines; even a slow machine commits that in a fraction of this. A broker
/// that is killed at the instant of a commit has been seen to need more than a minute until the group's offsets are stable again.
pub const CATCH_UP_LIMIT: Duration = Duration::from_secs(180);

/// How often something is done: the small edition's number, unless a variable of the environment says another
/// (`make chaos`).
pub fn times(variable: &str, small: u64) -> u64 {
    std::env::var(variable).map_or(small, |text| {
        text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, found {text:?}"))
    })
}

/// A broker, a topic, a scratch directory.
pub struct Stage {
    pub kafka: Arc<Kafka>,
    pub topic: String,
    pub scratch: Scratch,
}

impl Stage {
    /// On the shared broker.
    pub fn shared(name: &str) -> Self {
        Self::on(Kafka::shared(), name, &[])
    }

    /// On this broker, with these settings of the topic.
    pub fn on(kafka: Arc<Kafka>, name: &str, settings: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new(name);
        scratch.directory("logs");
        // Three partitions: streams spread, and a transaction touches more than one.
        topic::create(&kafka.brokers(), name, 3, settings);
        Self { kafka, topic: name.to_owned(), scratch }
    }

    /// The log's path.
    pub fn log(&self) -> PathBuf {
        self.scratch.join("logs/access.log")
    }

    /// An agent's configuration for this log and topic; the agent's id is the topic's name.
    pub fn config(&self) -> Config {
        Config::new(&self.topic, &self.scratch.join("state"), &self.log())
            .to(&self.kafka.brokers(), &self.topic)
    }

    /// Starts an agent.
    pub fn agent(&self, config: &Config) -> Agent {
        Agent::spawn(self.scratch.path(), config)
    }

    /// Counts the committed records while they come.
    pub fn counter(&self) -> Counter {
        Counter::start(&self.kafka.brokers(), &self.topic, self.scratch.path())
    }

    /// Asks the checker.
    pub fn check(&self, options: &[&str], truth: &[&Path]) -> Verdict {
        checker::check(&self.kafka.brokers(), &self.topic, options, truth)
    }

    /// The usual end: wait until `lines` are committed, stop the agent, look at all of it, and at nothing more.
    pub fn finish(
        &self,
        agent: Agent,
        counter: &Counter,
        lines: u64,
        (options, truth): (&[&str], &[&Path]),
    ) -> Verdict {
        counter.wait_for(lines, CATCH_UP_LIMIT);
        let took = agent.stop();
        println!("{}: stopped in {took:?}", self.topic);
        let verdict = self.check(options, truth);
        assert_eq!(counter.count(), lines, "a reader that was there all the time saw each line once");
        verdict
    }
}

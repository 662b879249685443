//! A broker inside this process, for the demo: librdkafka's mock cluster.
//!
//! It speaks the protocol and keeps about 5 MiB a partition. It fences nobody, hides no uncommitted record and
//! stores no transactional offsets: it shows the job and proves nothing about exactly-once.

use anyhow::Context as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

/// A running mock broker on a free port of the loopback; it ends when this is dropped.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    /// Starts one broker with one topic.
    ///
    /// # Errors
    /// The broker or the topic could not be made.
    pub fn start(topic: &str, partitions: i32) -> anyhow::Result<Self> {
        let cluster = MockCluster::new(1).context("start the embedded broker")?;
        cluster.create_topic(topic, partitions, 1).context("create the topic of the embedded broker")?;
        Ok(Self { cluster })
    }

    /// Where it listens, as `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

impl std::fmt::Debug for EmbeddedBroker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EmbeddedBroker").field("address", &self.address()).finish()
    }
}

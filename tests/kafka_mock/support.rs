//! A mock cluster with an edge on it, and blocks to send through it.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use viewtail::io::kafka::{Edge, EdgeHandle, KafkaOptions, Mode};
use viewtail::pipeline::action::{Command, Failure, Reply};
use viewtail::pipeline::batch::{Block, Destination, Record, Slice};
use viewtail::pipeline::shard::ShardWrite;

pub const TOPIC: &str = "views";
pub const PARTITIONS: u32 = 3;

/// Longer than any command may take, so that a test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A mock cluster, an edge and its replies.
pub struct Rig {
    pub cluster: Cluster,
    pub edge: EdgeHandle,
    replies: Receiver<Reply>,
}

impl Rig {
    /// A cluster of one broker with the topic, and an edge that is not connected.
    pub fn new(adjust: impl FnOnce(&mut KafkaOptions)) -> Self {
        let cluster = cluster();
        Self::on(cluster, adjust)
    }

    pub fn on(cluster: Cluster, adjust: impl FnOnce(&mut KafkaOptions)) -> Self {
        let mut options = options(&cluster);
        adjust(&mut options);
        let (outbox, replies) = mpsc::channel();
        let edge = Edge::spawn(options, &Arc::default(), move |reply| drop(outbox.send(reply))).unwrap();
        Self { cluster, edge, replies }
    }

    /// A connected edge.
    pub fn connected(adjust: impl FnOnce(&mut KafkaOptions)) -> Self {
        let rig = Self::new(adjust);
        rig.connect();
        rig
    }

    pub fn ask(&self, command: Command) -> Reply {
        self.edge.send(command);
        self.replies.recv_timeout(PATIENCE).expect("an answer to every command")
    }

    pub fn fail(&self, command: Command) -> Failure {
        let reply = self.ask(command);
        let Reply::Failed(failure) = reply else { panic!("expected a failure, got {reply:?}") };
        failure
    }

    pub fn connect(&self) {
        let reply = self.ask(connect());
        let Reply::Connected { partitions, .. } = reply else { panic!("not connected: {reply:?}") };
        assert_eq!(partitions, [PARTITIONS]);
    }

    /// Begins a transaction with some records in it.
    pub fn begin_with(&self, block: Block) {
        assert!(matches!(self.ask(Command::Begin), Reply::Began));
        assert!(matches!(self.ask(Command::Produce(block)), Reply::Produced(_)));
    }

    /// Begins a transaction and brings it to where only the commit is missing.
    pub fn ready_to_commit(&self, sequence: u64) {
        self.begin_with(block(5));
        assert!(matches!(self.ask(Command::Flush), Reply::Flushed { failed: 0 }));
        assert!(matches!(self.ask(Command::SendOffsets(vec![write(0, sequence)])), Reply::OffsetsSent));
    }

    pub fn inject(&self, api: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        self.cluster.request_errors(api, errors);
    }
}

pub fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, i32::try_from(PARTITIONS).unwrap(), 1).unwrap();
    cluster
}

pub fn options(cluster: &Cluster) -> KafkaOptions {
    KafkaOptions::new(vec![cluster.bootstrap_servers()], TOPIC.into(), "test")
}

pub fn at_least_once(options: &mut KafkaOptions) {
    options.mode = Mode::AtLeastOnce;
}

pub fn best_effort(options: &mut KafkaOptions) {
    options.mode = Mode::BestEffort;
}

/// So many records, spread over the partitions, with keys and without.
pub fn block(records: u32) -> Block {
    let mut block = Block::default();
    for number in 0..records {
        let key = if number % 2 == 0 { format!("key-{number}") } else { String::new() };
        let partition = i32::try_from(number % PARTITIONS).unwrap();
        push(&mut block, &key, &format!("value-{number}"), partition, 0);
    }
    block
}

pub fn push(block: &mut Block, key: &str, value: &str, partition: i32, timestamp_ms: i64) {
    let key = append(block, key);
    let value = append(block, value);
    block.records.push(Record { key, value, destination: Destination::Events(0), partition, timestamp_ms });
}

fn append(block: &mut Block, text: &str) -> Slice {
    let start = u32::try_from(block.arena.len()).unwrap();
    block.arena.extend_from_slice(text.as_bytes());
    Slice { start, end: u32::try_from(block.arena.len()).unwrap() }
}

pub fn write(group: u32, sequence: u64) -> ShardWrite {
    ShardWrite { group, partition: 0, sequence, metadata: "x".repeat(4000) }
}

/// Connects without a limit of the broker's being known.
pub fn connect() -> Command {
    Command::Connect { batch_bytes_max: 1_000_000 }
}

/// Asks for the positions that the topic itself carries.
pub fn fetch(groups: std::ops::Range<u32>) -> Command {
    Command::Fetch { anchor: TOPIC.to_owned(), groups }
}

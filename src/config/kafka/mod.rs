//! `kafka:`: where events go and how they are delivered.

mod properties;
mod rules;
mod security;
mod topic;

pub use properties::Properties;
pub use security::{Credentials, Sasl, SaslMechanism, Tls, TlsIdentity};
pub use topic::Topic;
pub(in crate::config) use topic::{TopicName, judge as judge_topics};

use std::fmt;

use super::defaults;
use super::node::{Node, quoted};
use super::number::Written;
use super::reader::{Reader, Section};
use super::shape::Shape;
use super::survey::Presence;
use super::units::Measure;
use super::value::{Choice, Fault, Value};

/// Where events go and how they are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kafka {
    /// Brokers to begin with, `host` or `host:port`; at least one.
    pub brokers: Vec<Broker>,
    /// Where events go; the topic of the first log is the anchor of the positions.
    pub topic: Topic,
    /// What is promised.
    pub delivery: Delivery,
    /// Which brokers must have a record before it counts.
    pub acks: Acks,
    /// How batches are compressed.
    pub compression: Compression,
    /// The codec's level; `None`: its own default.
    pub compression_level: Option<i32>,
    /// In exactly_once the longest age of a transaction.
    pub commit_interval_ms: u32,
    /// Which time a record carries.
    pub timestamp: Timestamp,
    /// Which lines share a partition.
    pub partition_by: PartitionBy,
    /// When batches and transactions are closed.
    pub flush: Flush,
    /// How much may be on its way.
    pub buffer: Buffer,
    /// How to create the topic where it is absent; `None`: never.
    pub create_topic: Option<CreateTopic>,
    /// Encryption; `None`: none.
    pub tls: Option<Tls>,
    /// Authentication; `None`: none.
    pub sasl: Option<Sasl>,
    /// librdkafka's `transaction.timeout.ms`: from `properties`, or the default.
    pub transaction_timeout_ms: u32,
    /// librdkafka's `socket.timeout.ms`: from `properties`, or the default.
    pub socket_timeout_ms: u32,
    /// librdkafka's `message.max.bytes`: from `properties`, or the default. No record is larger.
    pub message_max_bytes: u32,
    /// Further properties of librdkafka, verbatim; none of them is one of the above.
    pub properties: Properties,
}

/// A host and port where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker(String);

impl Broker {
    /// `host` or `host:port`; librdkafka takes 9092 for the port.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for Broker {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        let wrong =
            |help: &str| Err(Fault::new(format!("must be `host:port`, found {}", quoted(&text)), help));
        if text.contains("://") {
            return wrong("leave out the scheme; encryption is switched on by `kafka.tls`");
        }
        if text.contains([',', ' ', '/']) {
            return wrong("write each broker as an item of its own");
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
            Some(_) if text.starts_with('[') && text.ends_with(']') => (text.as_str(), None),
            Some(_) => return wrong("write an IPv6 address in brackets and quotes: \"[::1]:9092\""),
            None => (text.as_str(), None),
        };
        if host.is_empty()
            || port.is_some_and(|port| {
                port.parse::<u16>().is_ok_and(|port| port == 0) || port.parse::<u16>().is_err()
            })
        {
            return wrong("a port is a number from 1 to 65535");
        }
        Ok(Self(text))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::matching("host:port", "^[^ ,/]+$")
    }
}

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Every line once for readers of committed records.
    ExactlyOnce,
    /// Every line; a crash repeats what was not acknowledged, with the same ids.
    AtLeastOnce,
    /// Lines may be lost.
    BestEffort,
}

impl Choice for Delivery {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("exactly_once", Self::ExactlyOnce),
        ("at_least_once", Self::AtLeastOnce),
        ("best_effort", Self::BestEffort),
    ];
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Which brokers must have a record before it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// All in-sync replicas.
    All,
    /// The leader of the partition.
    Leader,
    /// None.
    None,
}

impl Choice for Acks {
    const WORDS: &'static [(&'static str, Self)] =
        &[("all", Self::All), ("leader", Self::Leader), ("none", Self::None)];
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// Level 0 to 9.
    Gzip,
    /// Without levels.
    Snappy,
    /// Level 0 to 12.
    Lz4,
    /// Level 1 to 12.
    Zstd,
}

impl Choice for Compression {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("gzip", Self::Gzip),
        ("snappy", Self::Snappy),
        ("lz4", Self::Lz4),
        ("zstd", Self::Zstd),
    ];
}

/// Which time a record carries; the line's own time is in its event in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamp {
    /// When it is handed to Kafka.
    Now,
    /// The line's.
    Event,
}

impl Choice for Timestamp {
    const WORDS: &'static [(&'static str, Self)] = &[("now", Self::Now), ("event", Self::Event)];
}

/// Which lines share a partition, and with it an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionBy {
    /// Those of a file; the key is its stream id.
    File,
    /// Those of a site; the key is its name.
    Site,
    /// Those of a visitor; the key is the id, which changes every day without a cookie.
    Visitor,
    /// Those of a page; the key is its own.
    Page,
    /// Those of a client's address; the key is its hash.
    Client,
    /// Those of a batch; no key.
    Sticky,
}

impl Choice for PartitionBy {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("file", Self::File),
        ("site", Self::Site),
        ("visitor", Self::Visitor),
        ("page", Self::Page),
        ("client", Self::Client),
        ("sticky", Self::Sticky),
    ];
}

/// When batches and transactions are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flush {
    /// Longest wait of a record for others of its batch, as librdkafka's `linger.ms` says it.
    pub frequency_ms: u32,
    /// Largest batch: librdkafka's `batch.size`.
    pub bytes: u32,
    /// Most records of a batch: librdkafka's `batch.num.messages`.
    pub max_messages: u32,
    /// Records after which a transaction is committed before its interval; librdkafka has no such trigger.
    pub messages: u32,
}

/// How much may be on its way to the brokers; beyond it reading stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Records: librdkafka's `queue.buffering.max.messages`.
    pub messages: u32,
    /// Bytes: librdkafka's `queue.buffering.max.kbytes`.
    pub bytes: u64,
}

/// How to create a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateTopic {
    /// Partitions, at least 1.
    pub partitions: i32,
    /// Copies of each partition, at least 1.
    pub replication_factor: i32,
}

pub(super) fn read(mut section: Section<'_>, reader: &Reader) -> Kafka {
    let brokers = section.filled_list("brokers", "[localhost:9092]");
    let topic = section.required("topic", "page-views");
    let delivery = section.optional("delivery", defaults::DELIVERY);
    let acks = section.optional("acks", defaults::ACKS);
    let compression = section.optional("compression", defaults::COMPRESSION);
    let compression_level = section.nullable("compression_level");
    let commit_interval_ms = section.number(
        "commit_interval",
        Written::As(Measure::Duration),
        defaults::COMMIT_INTERVAL_MS,
        defaults::COMMIT_INTERVAL_MS_BOUNDS,
    );
    let timestamp = section.optional("timestamp", defaults::TIMESTAMP);
    let partition_by = section.optional("partition_by", defaults::PARTITION_BY);
    let flush = read_flush(section.section("flush"));
    let buffer = read_buffer(section.section("buffer"));
    let create_topic = section.nullable_section("create_topic").and_then(read_create_topic);
    let tls = security::read_tls(section.section("tls"), reader);
    let sasl = security::read_sasl(section.section("sasl"), reader);
    let words = "properties of librdkafka's producer";
    section.declare("properties", || (Some(Shape::open(words)), Presence::empty()));
    let given = properties::read(&section.section("properties"), flush.bytes);
    section.finish();
    let kafka = Kafka {
        brokers,
        topic: topic.unwrap_or_default(),
        delivery,
        acks,
        compression,
        compression_level,
        commit_interval_ms,
        timestamp,
        partition_by,
        flush,
        buffer,
        create_topic,
        tls,
        sasl,
        transaction_timeout_ms: given.transaction_timeout_ms,
        socket_timeout_ms: given.socket_timeout_ms,
        message_max_bytes: given.message_max_bytes,
        properties: given.verbatim,
    };
    rules::judge(&kafka, reader);
    kafka
}

fn read_flush(mut section: Section<'_>) -> Flush {
    let frequency_ms = section.number(
        "frequency",
        Written::As(Measure::Duration),
        defaults::FLUSH_FREQUENCY_MS,
        defaults::FLUSH_FREQUENCY_MS_BOUNDS,
    );
    let bytes = section.number(
        "bytes",
        Written::As(Measure::Size),
        defaults::FLUSH_BYTES,
        defaults::FLUSH_BYTES_BOUNDS,
    );
    let max_messages = section.number(
        "max_messages",
        Written::Count,
        defaults::FLUSH_MAX_MESSAGES,
        defaults::FLUSH_MAX_MESSAGES_BOUNDS,
    );
    let messages =
        section.number("messages", Written::Count, defaults::FLUSH_MESSAGES, defaults::FLUSH_MESSAGES_BOUNDS);
    section.finish();
    Flush { frequency_ms, bytes, max_messages, messages }
}

fn read_buffer(mut section: Section<'_>) -> Buffer {
    let messages = section.number(
        "messages",
        Written::Count,
        defaults::BUFFER_MESSAGES,
        defaults::BUFFER_MESSAGES_BOUNDS,
    );
    let bytes = section.number(
        "bytes",
        Written::As(Measure::Size),
        defaults::BUFFER_BYTES,
        defaults::BUFFER_BYTES_BOUNDS,
    );
    section.finish();
    Buffer { messages, bytes }
}

fn read_create_topic(mut section: Section<'_>) -> Option<CreateTopic> {
    let partitions = section.required::<Partitions>("partitions", "6");
    let replication_factor = section.required::<Replicas>("replication_factor", "3");
    section.finish();
    Some(CreateTopic { partitions: partitions?.0, replication_factor: replication_factor?.0 })
}

/// A number of partitions.
struct Partitions(i32);

impl Value for Partitions {
    fn read(node: &Node) -> Result<Self, Fault> {
        bounded(node, defaults::PARTITIONS_MAX).map(Self)
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::whole(1, defaults::PARTITIONS_MAX.into())
    }
}

/// A number of copies of a partition.
struct Replicas(i32);

impl Value for Replicas {
    fn read(node: &Node) -> Result<Self, Fault> {
        bounded(node, defaults::REPLICATION_FACTOR_MAX).map(Self)
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::whole(1, defaults::REPLICATION_FACTOR_MAX.into())
    }
}

fn bounded(node: &Node, max: i32) -> Result<i32, Fault> {
    let number = i32::read(node)?;
    if (1..=max).contains(&number) {
        return Ok(number);
    }
    Err(Fault::new(format!("must be 1 to {max}, found {number}"), format!("write a number from 1 to {max}")))
}

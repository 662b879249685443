//! What can be set about Kafka, and the one place where it becomes librdkafka properties.
//!
//! Each property stands with what librdkafka 2.12 really does with it. Nothing here reads files or the
//! environment: secrets arrive as values.

use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use super::classify::Resources;
use super::heard::STATISTICS_EVERY;
pub use crate::pipeline::options::Mode;

/// Everything the edge has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaOptions {
    /// host:port of at least one broker.
    pub brokers: Vec<String>,
    /// The topics of events, at least one; positions are committed on the partitions of the first, the anchor.
    pub event_topics: Vec<String>,
    /// Where records of lines that could not be parsed go, in the same transactions; `None`: to those of events.
    pub rejects_topic: Option<String>,
    /// How sure delivery is.
    pub mode: Mode,
    /// Which acknowledgement counts; only `All` in exactly_once.
    pub acks: Acks,
    /// The transactional id, also the name of group 0; groups n > 0 add `.n`. Starts with `viewtail-`.
    pub transactional_id: String,
    /// How batches are compressed.
    pub compression: Compression,
    /// The codec's own level; `None` lets librdkafka choose.
    pub compression_level: Option<i32>,
    /// When a partition's batch is sent.
    pub flush: Flush,
    /// How much may wait in the producer.
    pub buffer: QueueLimits,
    /// How long a transaction may stay open before the coordinator aborts it.
    pub transaction_timeout_ms: u32,
    /// How long a request may be under way.
    pub socket_timeout_ms: u32,
    /// Create topics that do not exist; `None`: never.
    pub create_topic: Option<CreateTopic>,
    /// What brokers see in their logs and quotas.
    pub client_id: String,
    /// TLS, SASL and verbatim librdkafka properties.
    pub properties: Vec<(String, String)>,
}

/// Which acknowledgement counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// All in-sync replicas.
    All,
    /// The partition's leader.
    Leader,
    /// None; only in best_effort.
    None,
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, levels 0-9.
    Gzip,
    /// snappy, no levels.
    Snappy,
    /// lz4, levels 0-12.
    Lz4,
    /// zstd, levels 1-12: librdkafka's property ends there, though zstd itself has 22.
    Zstd,
}

/// When a partition's batch is sent: at whatever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flush {
    /// Longest wait of a record for company.
    pub frequency_ms: u32,
    /// Most records of a batch.
    pub max_messages: u32,
}

/// How much may wait in the producer; full means that reading stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Records, queued and under way.
    pub messages: u32,
    /// Bytes, queued and under way.
    pub bytes: u64,
}

/// The topic to be created when it does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateTopic {
    /// Partitions, at least 1.
    pub partitions: i32,
    /// Replicas of each.
    pub replication_factor: i32,
}

/// How long best_effort tries to deliver a record: long enough for a leader election, too short for an outage.
const BEST_EFFORT_TIMEOUT_MS: u32 = 60_000;

/// The largest `linger.ms` of librdkafka.
const LINGER_MS_MAX: u32 = 900_000;

/// Properties that carry a promise of ours; as verbatim properties they are refused.
pub const RESERVED: &[&str] = &[
    "transactional.id",
    "transaction.timeout.ms",
    "enable.idempotence",
    "acks",
    "request.required.acks",
    "delivery.report.only.error",
    "allow.auto.create.topics",
    "isolation.level",
    "group.id",
    "log.queue",
    "log.connection.close",
    "bootstrap.servers",
    "metadata.broker.list",
];

impl KafkaOptions {
    /// Every topic that records go to.
    pub fn topics(&self) -> impl Iterator<Item = &String> {
        self.event_topics.iter().chain(&self.rejects_topic)
    }

    /// The topic that carries the positions.
    #[must_use]
    pub fn anchor(&self) -> &str {
        &self.event_topics[0]
    }

    /// The options with the product's defaults, for these brokers, this topic and this agent.
    #[must_use]
    pub fn new(brokers: Vec<String>, topic: String, agent_id: &str) -> Self {
        Self {
            brokers,
            event_topics: vec![topic],
            rejects_topic: None,
            mode: Mode::ExactlyOnce,
            acks: Acks::All,
            transactional_id: format!("viewtail-{agent_id}"),
            compression: Compression::Lz4,
            compression_level: None,
            flush: Flush { frequency_ms: 50, max_messages: 10_000 },
            buffer: QueueLimits { messages: 20_000, bytes: 16_000_000 },
            transaction_timeout_ms: 20_000,
            socket_timeout_ms: 8_000,
            create_topic: None,
            client_id: "viewtail".to_owned(),
            properties: Vec::new(),
        }
    }

    /// The name of one of our groups.
    #[must_use]
    pub fn group(&self, number: u32) -> String {
        if number == 0 {
            self.transactional_id.clone()
        } else {
            format!("{}.{number}", self.transactional_id)
        }
    }

    /// The first verbatim property that would break a promise.
    #[must_use]
    pub fn reserved_property(&self) -> Option<&str> {
        self.properties.iter().map(|(name, _)| name.as_str()).find(|name| RESERVED.contains(name))
    }

    /// A verbatim property.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn resources(&self) -> Resources<'_> {
        Resources { topics: &self.event_topics, prefix: "viewtail-" }
    }

    pub(super) fn transaction_timeout(&self) -> Duration {
        Duration::from_millis(self.transaction_timeout_ms.into())
    }

    /// How long a record without a transaction waits for others before what there is of its batch is sent.
    pub(super) fn flush_frequency(&self) -> Duration {
        Duration::from_millis(self.flush.frequency_ms.into())
    }

    pub(super) fn socket_timeout(&self) -> Duration {
        Duration::from_millis(self.socket_timeout_ms.into())
    }

    /// The properties of the producer, of which no batch is to be larger than `batch_bytes_max`.
    pub(super) fn producer_properties(&self, batch_bytes_max: usize) -> ClientConfig {
        let mut config = self.common_properties();
        let mut set = |name: &str, value: String| {
            config.set(name, value);
        };
        // Never by itself: the producer says when what has waited for `flush.frequency`, or for the commit, is sent.
        set("linger.ms", self.linger_ms().to_string());
        set("message.timeout.ms", self.message_timeout_ms().to_string());
        // Upper limits of one batch (one partition in one request). librdkafka has no lower limit, that is no
        // "send as soon as n records wait": a batch goes when it is full or when it is told to.
        set("batch.size", batch_bytes_max.to_string());
        set("batch.num.messages", self.flush.max_messages.to_string());
        // Limits of what is queued or under way, for all partitions together. At the limit produce() answers
        // QueueFull, and we stop reading. The default would be 1 GiB.
        set("queue.buffering.max.messages", self.buffer.messages.to_string());
        set("queue.buffering.max.kbytes", self.buffer.bytes.div_ceil(1024).max(1).to_string());
        set("compression.type", self.compression.name().to_owned());
        if let Some(level) = self.compression_level {
            set("compression.level", level.to_string());
        }
        // The round trips to brokers, for the metrics.
        set("statistics.interval.ms", STATISTICS_EVERY.as_millis().to_string());
        // For records whose partition is left to librdkafka, those of rejects_topic: as the Java client chooses it.
        set("partitioner", "murmur2_random".to_owned());
        // Successes are counted by librdkafka alone (rd_kafka_outq_len); only failures come back as events, so
        // that no report can be forgotten and fill the queue.
        set("delivery.report.only.error", "true".to_owned());
        // A producer creates missing topics by asking for their metadata unless told otherwise. librdkafka calls
        // this a consumer property, but obeys it here too (rd_kafka_conf_finalize sets it only if unset).
        set("allow.auto.create.topics", "false".to_owned());
        match self.mode {
            Mode::ExactlyOnce => self.set_transactional(&mut set),
            Mode::AtLeastOnce => self.set_at_least_once(&mut set),
            Mode::BestEffort => self.set_best_effort(&mut set),
        }
        self.finish(&mut config, self.producer_debug());
        config
    }

    /// The properties of the handle that looks the topic up and reads positions: a consumer that never subscribes.
    pub(super) fn reader_properties(&self) -> ClientConfig {
        let mut config = self.common_properties();
        // A consumer's metadata request creates no topic; this is its default, said again because it matters.
        config.set("allow.auto.create.topics", "false");
        // Without a subscription the group gets no member. The id is needed all the same: see ffi::committed.
        config.set("group.id", self.group(0));
        config.set("enable.auto.commit", "false");
        config.set("isolation.level", "read_committed");
        // `feature` writes the versions of every request that the broker knows: the only way to learn them.
        self.finish(&mut config, Some("feature"));
        config
    }

    /// The properties of the handle that creates the topic.
    pub(super) fn admin_properties(&self) -> ClientConfig {
        let mut config = self.common_properties();
        self.finish(&mut config, None);
        config
    }

    fn common_properties(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers.join(","));
        config.set("client.id", &self.client_id);
        // Off by default: a connection that a firewall forgot would stay "up" until a request times out.
        config.set("socket.keepalive.enable", "true");
        config.set("socket.timeout.ms", self.socket_timeout_ms.to_string());
        // The pause between connection attempts doubles from 100 ms up to this. With the default of 10 s a broker that
        // came back would be looked for again only half a transaction's life later.
        config.set("reconnect.backoff.max.ms", "1000");
        // Pushing client telemetry to brokers that ask for it is on by default; nobody asked for it here.
        config.set("enable.metrics.push", "false");
        // By default a client whose brokers are all away begins anew with the bootstrap servers, in librdkafka 2.12.1 again
        // and again without a pause: a core is busy until one answers. A name is resolved anew at every attempt anyway.
        config.set("metadata.recovery.strategy", "none");
        config.set("statistics.interval.ms", "0");
        // Epoch hygiene reads the log line about a closed connection.
        config.set("log.connection.close", "true");
        config
    }

    /// How long a record is tried to be delivered, in milliseconds; 0 is without end, where the default would be 5 minutes.
    fn message_timeout_ms(&self) -> u32 {
        match self.mode {
            // What is not delivered by then fails, which makes the transaction abortable. librdkafka refuses more than the
            // transaction's timeout.
            Mode::ExactlyOnce => self.transaction_timeout_ms,
            Mode::AtLeastOnce => 0,
            Mode::BestEffort => BEST_EFFORT_TIMEOUT_MS,
        }
    }

    /// As long as librdkafka lets records linger: below the time for which they are tried, if there is one.
    fn linger_ms(&self) -> u32 {
        self.message_timeout_ms().checked_sub(1).map_or(LINGER_MS_MAX, |limit| limit.min(LINGER_MS_MAX))
    }

    fn set_transactional(&self, set: &mut impl FnMut(&str, String)) {
        // Implies enable.idempotence, acks=all, at most 5 requests under way and unlimited retries.
        set("transactional.id", self.transactional_id.clone());
        set("transaction.timeout.ms", self.transaction_timeout_ms.to_string());
    }

    fn set_at_least_once(&self, set: &mut impl FnMut(&str, String)) {
        match self.acks {
            Acks::All => {
                // No doubles and no reordering by librdkafka's own retries; implies acks=all.
                set("enable.idempotence", "true".to_owned());
            }
            Acks::Leader | Acks::None => {
                set("acks", "1".to_owned());
                // With more than one request under way a retry could overtake: order per file is promised.
                set("max.in.flight.requests.per.connection", "1".to_owned());
            }
        }
    }

    fn set_best_effort(&self, set: &mut impl FnMut(&str, String)) {
        set("acks", self.acks.name().to_owned());
    }

    fn producer_debug(&self) -> Option<&'static str> {
        // `eos` writes every answer to EndTxn (see signals.rs), about twenty lines per transaction, none per record.
        (self.mode == Mode::ExactlyOnce).then_some("eos")
    }

    fn finish(&self, config: &mut ClientConfig, debug: Option<&str>) {
        let mut contexts: Vec<&str> = debug.into_iter().collect();
        for (name, value) in &self.properties {
            if name == "debug" {
                contexts.push(value);
            } else {
                config.set(name, value);
            }
        }
        if !contexts.is_empty() {
            config.set("debug", contexts.join(","));
        }
        config.set_log_level(RDKafkaLogLevel::Debug);
    }
}

impl Compression {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl Acks {
    fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Leader => "1",
            Self::None => "0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH_BYTES_MAX: usize = 1_000_000;

    fn options(mode: Mode, acks: Acks) -> KafkaOptions {
        KafkaOptions { mode, acks, ..KafkaOptions::new(vec!["localhost:9092".into()], "views".into(), "a1") }
    }

    #[test]
    fn librdkafka_takes_the_properties_of_every_mode() {
        for (mode, acks) in [
            (Mode::ExactlyOnce, Acks::All),
            (Mode::AtLeastOnce, Acks::All),
            (Mode::AtLeastOnce, Acks::Leader),
            (Mode::BestEffort, Acks::All),
            (Mode::BestEffort, Acks::Leader),
            (Mode::BestEffort, Acks::None),
        ] {
            let config = options(mode, acks).producer_properties(BATCH_BYTES_MAX);
            config.create_native_config().unwrap_or_else(|error| panic!("{mode:?} {acks:?}: {error}"));
        }
        options(Mode::ExactlyOnce, Acks::All).reader_properties().create_native_config().unwrap();
    }

    #[test]
    fn groups_are_numbered_behind_the_transactional_id() {
        let options = options(Mode::ExactlyOnce, Acks::All);
        assert_eq!(options.group(0), "viewtail-a1");
        assert_eq!(options.group(7), "viewtail-a1.7");
    }

    #[test]
    fn a_verbatim_property_wins_unless_it_carries_a_promise() {
        let mut options = options(Mode::ExactlyOnce, Acks::All);
        options.properties = vec![("linger.ms".into(), "7".into()), ("debug".into(), "broker".into())];
        let config = options.producer_properties(BATCH_BYTES_MAX);
        assert_eq!(config.get("linger.ms"), Some("7"));
        assert_eq!(config.get("debug"), Some("eos,broker"));
        assert_eq!(options.reserved_property(), None);
        options.properties.push(("acks".into(), "0".into()));
        assert_eq!(options.reserved_property(), Some("acks"));
    }

    #[test]
    fn no_mode_but_best_effort_gives_records_up_early() {
        let timeout = |mode| {
            options(mode, Acks::All)
                .producer_properties(BATCH_BYTES_MAX)
                .get("message.timeout.ms")
                .map(str::to_owned)
        };
        assert_eq!(timeout(Mode::AtLeastOnce).as_deref(), Some("0"));
        assert_eq!(timeout(Mode::ExactlyOnce).as_deref(), Some("20000"));
        assert_eq!(timeout(Mode::BestEffort).as_deref(), Some("60000"));
    }
}

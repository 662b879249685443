//! Reads topics back as a `read_committed` consumer sees them, and leaves no trace.
//!
//! No group is joined, no offset is stored, no topic is created by asking for it. One reader reads one topic, because
//! librdkafka's end-of-partition event names the partition but not the topic.
//!
//! The end of a read is the last stable offset that was seen when the reader was opened. It is recognised by
//! end-of-partition events and never by counting offsets: transaction markers take offsets too, so that the last
//! record of a topic need not stand directly before its end.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::classify::words;
use super::token::Context;
use crate::io::clock::Clock;

/// How long one request of the start may take: a metadata request over a slow line with TLS needs two or three
/// seconds, and a person waits for the answer.
const REQUEST_WAIT: Duration = Duration::from_secs(10);

/// One step of the first request, as long as a healthy cluster needs at most.
const METADATA_STEP: Duration = Duration::from_secs(1);

/// How long nothing at all may arrive before the read is given up: above librdkafka's longest reconnect back-off
/// (10 s) and a leader election.
const SILENCE_MS_MAX: u64 = 30_000;

/// How long one poll may wait, so that a caller sees time pass.
const POLL_WAIT: Duration = Duration::from_millis(200);

/// Properties of librdkafka that say how to reach the cluster: `bootstrap.servers`, TLS, SASL.
pub type Properties = [(String, String)];

/// Why a topic could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No broker answered in time.
    #[error("no Kafka broker answers at {brokers}: {reason}; check that the brokers run")]
    Unreachable {
        /// The brokers asked.
        brokers: String,
        /// What the client said last.
        reason: String,
    },
    /// The topic does not exist.
    #[error("topic {0} does not exist; create it, or name another one")]
    TopicMissing(String),
    /// Access rules forbid it.
    #[error("{topic}: {reason}; the user needs Read and Describe on the topic")]
    Refused {
        /// The topic.
        topic: String,
        /// What the broker said.
        reason: String,
    },
    /// Anything else.
    #[error("{topic}: {reason}")]
    Other {
        /// The topic, or what was done.
        topic: String,
        /// What the client said.
        reason: String,
    },
}

/// What a partition held when the reader was opened, in offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionRange {
    /// The partition.
    pub partition: i32,
    /// The first offset that retention left; 0 if nothing was ever removed.
    pub log_start: i64,
    /// Behind the last offset that a `read_committed` consumer may see.
    pub end: i64,
    /// Behind the last offset; above `end` while a transaction is open.
    pub high_watermark: i64,
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its value; empty for a tombstone.
    pub value: &'a [u8],
}

/// What a poll brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// A record was handed to the visitor.
    Record,
    /// This partition is read to its present end.
    End(i32),
    /// Nothing yet.
    Nothing,
}

/// A consumer of one topic, assigned to all its partitions from their beginning.
pub struct TopicReader {
    consumer: BaseConsumer<Context>,
    brokers: String,
    topic: String,
    partitions: Vec<PartitionRange>,
}

impl TopicReader {
    /// Looks the topic up, notes where its partitions end, and stands at their beginning.
    ///
    /// # Errors
    /// The cluster does not answer, or the topic is missing or forbidden.
    pub fn open(properties: &Properties, topic: &str) -> Result<Self, ReadError> {
        let consumer = client(properties, "read_committed")?;
        let uncommitted = client(properties, "read_uncommitted")?;
        let mut reader = Self {
            consumer,
            brokers: brokers_of(properties),
            topic: topic.to_owned(),
            partitions: Vec::new(),
        };
        for partition in reader.partition_numbers()? {
            let (log_start, end) = reader.watermarks(&reader.consumer, partition)?;
            let (_, high_watermark) = reader.watermarks(&uncommitted, partition)?;
            reader.partitions.push(PartitionRange { partition, log_start, end, high_watermark });
        }
        reader.assign()?;
        Ok(reader)
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partitions as they were when the reader was opened.
    #[must_use]
    pub fn partitions(&self) -> &[PartitionRange] {
        &self.partitions
    }

    /// Waits up to `wait` for one record and hands it to `visit`.
    ///
    /// # Errors
    /// The broker refuses; a lost connection is not an error, the client reconnects.
    pub fn poll(&self, wait: Duration, visit: &mut dyn FnMut(Record<'_>)) -> Result<Polled, ReadError> {
        match self.consumer.poll(wait) {
            None => Ok(Polled::Nothing),
            Some(Ok(message)) => {
                visit(Record {
                    partition: message.partition(),
                    offset: message.offset(),
                    value: message.payload().unwrap_or_default(),
                });
                Ok(Polled::Record)
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => Ok(Polled::End(partition)),
            Some(Err(error)) if is_transient(&error) => Ok(Polled::Nothing),
            Some(Err(error)) => Err(self.failure(&error)),
        }
    }

    /// Reads every partition up to the end it had when the reader was opened.
    ///
    /// # Errors
    /// The broker refuses, or nothing arrives for half a minute.
    pub fn read_to_end(&self, visit: &mut dyn FnMut(Record<'_>)) -> Result<(), ReadError> {
        let mut ends = Ends::new(&self.partitions);
        let clock = Clock::start();
        let mut last_arrival = clock.now();
        while !ends.are_reached() {
            let polled = self.poll(POLL_WAIT, &mut |record| {
                if ends.admit(record.partition, record.offset) {
                    visit(record);
                }
            })?;
            match polled {
                Polled::Record => last_arrival = clock.now(),
                Polled::End(partition) => {
                    ends.reach(partition);
                    last_arrival = clock.now();
                }
                Polled::Nothing if clock.now().since(last_arrival) > SILENCE_MS_MAX => {
                    let reason = format!("{}: nothing arrived for {} s", self.topic, SILENCE_MS_MAX / 1000);
                    return Err(ReadError::Unreachable { brokers: self.brokers.clone(), reason });
                }
                Polled::Nothing => {}
            }
        }
        Ok(())
    }

    /// Where the partitions begin now: retention may have moved on since the reader was opened.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub fn log_starts(&self) -> Result<Vec<(i32, i64)>, ReadError> {
        let mut starts = Vec::with_capacity(self.partitions.len());
        for range in &self.partitions {
            starts.push((range.partition, self.watermarks(&self.consumer, range.partition)?.0));
        }
        Ok(starts)
    }

    fn partition_numbers(&self) -> Result<Vec<i32>, ReadError> {
        let metadata =
            metadata(&self.consumer, &self.topic, REQUEST_WAIT).map_err(|error| self.failure(&error))?;
        let topic = metadata.topics().first();
        if let Some(code) = topic.and_then(|topic| topic.error()) {
            return Err(self.failure(&KafkaError::MetadataFetch(code.into())));
        }
        let partitions: Vec<i32> = topic
            .map(|topic| topic.partitions().iter().map(|partition| partition.id()).collect())
            .unwrap_or_default();
        if partitions.is_empty() { Err(ReadError::TopicMissing(self.topic.clone())) } else { Ok(partitions) }
    }

    fn watermarks(&self, consumer: &BaseConsumer<Context>, partition: i32) -> Result<(i64, i64), ReadError> {
        consumer.fetch_watermarks(&self.topic, partition, REQUEST_WAIT).map_err(|error| self.failure(&error))
    }

    fn assign(&self) -> Result<(), ReadError> {
        let mut list = TopicPartitionList::new();
        for range in &self.partitions {
            list.add_partition_offset(&self.topic, range.partition, Offset::Beginning)
                .map_err(|error| self.failure(&error))?;
        }
        self.consumer.assign(&list).map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &KafkaError) -> ReadError {
        classify(error, &self.brokers, &self.topic)
    }
}

impl std::fmt::Debug for TopicReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TopicReader")
            .field("topic", &self.topic)
            .field("partitions", &self.partitions)
            .finish()
    }
}

/// Whether a cluster answers and has this topic: the number of its brokers.
///
/// # Errors
/// No broker answers within `wait`, or the topic is missing or forbidden.
pub fn probe(properties: &Properties, topic: &str, wait: Duration) -> Result<usize, ReadError> {
    let brokers = brokers_of(properties);
    let consumer = client(properties, "read_committed")?;
    let metadata = metadata(&consumer, topic, wait).map_err(|error| classify(&error, &brokers, topic))?;
    match metadata.topics().first().and_then(|found| found.error()) {
        Some(code) => Err(classify(&KafkaError::MetadataFetch(code.into()), &brokers, topic)),
        None => Ok(metadata.brokers().len()),
    }
}

/// Which partitions still have something before the end that was noted for them.
#[derive(Debug)]
struct Ends {
    open: Vec<(i32, i64)>,
}

impl Ends {
    fn new(ranges: &[PartitionRange]) -> Self {
        let open = ranges.iter().filter(|range| range.end > range.log_start);
        Self { open: open.map(|range| (range.partition, range.end)).collect() }
    }

    /// Whether a record stands before its partition's end; one at or behind the end reaches it.
    fn admit(&mut self, partition: i32, offset: i64) -> bool {
        let Some((_, end)) = self.open.iter().find(|(number, _)| *number == partition) else { return false };
        let inside = offset < *end;
        if offset >= *end - 1 {
            self.reach(partition);
        }
        inside
    }

    fn reach(&mut self, partition: i32) {
        self.open.retain(|(number, _)| *number != partition);
    }

    fn are_reached(&self) -> bool {
        self.open.is_empty()
    }
}

fn client(properties: &Properties, isolation: &str) -> Result<BaseConsumer<Context>, ReadError> {
    let mut config = ClientConfig::new();
    for (name, value) in properties {
        config.set(name, value);
    }
    // librdkafka wants a group to assign partitions by hand; this one has no member and no offset. Its name stays
    // inside the prefix that the agent's own access rules allow.
    config.set("group.id", "viewtail-reader");
    config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
    config.set("auto.offset.reset", "earliest").set("allow.auto.create.topics", "false");
    config.set("isolation.level", isolation).set("enable.partition.eof", "true");
    // The default of 64 MiB a partition would make an audit of many partitions as large as the topic.
    config.set("queued.max.messages.kbytes", "16384");
    // And a full queue must not pause its partition for the default of a whole second.
    config.set("fetch.queue.backoff.ms", "10").set("fetch.wait.max.ms", "100");
    config
        .create_with_context(Context)
        .map_err(|error| classify(&error, &brokers_of(properties), "the Kafka client"))
}

/// Asks for the topic in short steps, and gives up before `wait` is over where every broker has refused the connection:
/// one long request would keep a person waiting for what is known at once.
fn metadata(consumer: &BaseConsumer<Context>, topic: &str, wait: Duration) -> KafkaResult<Metadata> {
    let clock = Clock::start();
    loop {
        let error = match consumer.fetch_metadata(Some(topic), METADATA_STEP.min(wait)) {
            Ok(metadata) => return Ok(metadata),
            Err(error) if !is_transient(&error) => return Err(error),
            Err(error) => error,
        };
        while let Some(Err(event)) = consumer.poll(Duration::ZERO) {
            if event.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
                return Err(event);
            }
        }
        if u128::from(clock.now().0) >= wait.as_millis() {
            return Err(error);
        }
    }
}

fn brokers_of(properties: &Properties) -> String {
    let found = properties.iter().find(|(name, _)| name == "bootstrap.servers");
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

fn classify(error: &KafkaError, brokers: &str, topic: &str) -> ReadError {
    let reason = error.rdkafka_error_code().map_or_else(|| error.to_string(), words);
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::WaitingForCoordinator
            | RDKafkaErrorCode::LeaderNotAvailable,
        ) => ReadError::Unreachable { brokers: brokers.to_owned(), reason },
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition,
        ) => ReadError::TopicMissing(topic.to_owned()),
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed,
        ) => ReadError::Refused { topic: topic.to_owned(), reason },
        Some(_) | None => ReadError::Other { topic: topic.to_owned(), reason },
    }
}

fn is_transient(error: &KafkaError) -> bool {
    matches!(classify(error, "", ""), ReadError::Unreachable { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(partition: i32, log_start: i64, end: i64) -> PartitionRange {
        PartitionRange { partition, log_start, end, high_watermark: end }
    }

    #[test]
    fn an_end_is_reached_by_its_event_or_by_a_record() {
        let mut ends = Ends::new(&[range(0, 0, 10), range(1, 5, 5), range(2, 0, 3)]);
        assert!(!ends.are_reached());
        assert!(ends.admit(0, 8));
        assert!(!ends.admit(1, 5), "an empty partition has no record of ours");
        // Offset 9 is a transaction marker: only the event tells.
        ends.reach(0);
        assert!(!ends.admit(0, 10), "what came later is not part of this read");
        assert!(ends.admit(2, 2));
        assert!(ends.are_reached());
    }

    #[test]
    fn a_record_behind_the_end_ends_the_partition() {
        let mut ends = Ends::new(&[range(0, 0, 10)]);
        assert!(!ends.admit(0, 11));
        assert!(ends.are_reached());
    }

    #[test]
    fn every_record_is_read_once_and_the_read_ends() {
        use crate::io::kafka::embedded::EmbeddedBroker;
        use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

        let broker = EmbeddedBroker::start("page-views", 3).unwrap();
        let properties = [("bootstrap.servers".to_owned(), broker.address())];
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", broker.address()).create().unwrap();
        for number in 0..1000 {
            let value = format!("{number}");
            // Partition 2 stays empty.
            let record = BaseRecord::<str, str>::to("page-views").payload(&value).partition(number % 2);
            producer.send(record).unwrap();
        }
        producer.flush(Duration::from_secs(10)).unwrap();

        assert_eq!(probe(&properties, "page-views", REQUEST_WAIT).unwrap(), 1);
        let reader = TopicReader::open(&properties, "page-views").unwrap();
        assert_eq!(reader.partitions().iter().map(|range| range.end).collect::<Vec<_>>(), [500, 500, 0]);
        let mut values = Vec::new();
        reader
            .read_to_end(&mut |record| {
                values.push(String::from_utf8_lossy(record.value).parse::<u32>().unwrap());
            })
            .unwrap();
        values.sort_unstable();
        assert_eq!(values, (0..1000).collect::<Vec<_>>());
        assert_eq!(reader.log_starts().unwrap(), [(0, 0), (1, 0), (2, 0)]);
    }
}

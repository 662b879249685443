//! Every default and every bound of agent.yaml, with its reason.

use std::ops::RangeInclusive;

use super::agent::DeletedSize;
use super::kafka::{Acks, Compression, Delivery, PartitionBy, Timestamp};
use super::log::{CatchUp, OnRewrite, Start};

/// Where the packages' service unit lets viewtail write.
pub const STATE_DIR: &str = "/var/lib/viewtail";

/// A tenth of the smallest disk that web servers are rented with today (40 GB): it never fills one, and keeps a day of Kafka's
/// absence on a site of twenty million requests.
pub const MAX_DELETED_SIZE: DeletedSize = DeletedSize::Bytes { bytes: 4_000_000_000 };

/// Whoever shares a network that is too narrow for it says so.
pub const CATCH_UP: CatchUp = CatchUp::Unlimited;

/// A truncated log that grew beyond its old size before anybody looked is a rewritten file too, and its lines are new.
pub const ON_REWRITE: OnRewrite = OnRewrite::Reread;

/// Nothing that is on disk is left out unless somebody says so.
pub const START: Start = Start::Beginning;
/// A request line and headers of nginx's largest default buffers (32 KiB) fit many times.
pub const MAX_LINE_BYTES: u32 = 1 << 20;
/// Below, ordinary lines are cut; above, one line fills the read buffers that all files share.
pub const MAX_LINE_BYTES_BOUNDS: RangeInclusive<u32> = 256..=16 << 20;

/// Every address by itself, as nginx logs it.
pub const IPV6_PREFIX: u8 = 128;
/// A provider gets a /32 or less of a registry: below, whole providers are one address.
pub const IPV6_PREFIX_BOUNDS: RangeInclusive<u8> = 32..=128;
/// HTTP's three digits.
pub const STATUS_BOUNDS: RangeInclusive<u32> = 100..=599;

/// What viewtail is for.
pub const DELIVERY: Delivery = Delivery::ExactlyOnce;
/// The only one that exactly_once can keep its word with.
pub const ACKS: Acks = Acks::All;
/// Most of the saving for the least CPU of the codecs.
pub const COMPRESSION: Compression = Compression::Lz4;
/// A reader sees a line about a second after it was written, and a broker writes one marker a second.
pub const COMMIT_INTERVAL_MS: u32 = 1000;
/// The floor: a commit takes milliseconds of broker work per partition. The ceiling: see the rule about
/// `transaction.timeout.ms`.
pub const COMMIT_INTERVAL_MS_BOUNDS: RangeInclusive<u32> = 50..=3_600_000;
/// An old log read late is not deleted by the topic's retention on arrival; the line's own time is in its event.
pub const TIMESTAMP: Timestamp = Timestamp::Now;
/// The order of a file is kept in its partition, and its audit needs one partition.
pub const PARTITION_BY: PartitionBy = PartitionBy::File;

/// As long as records wait in a full queue at full speed: with less, librdkafka's broker thread spins while its one
/// idempotent request per partition is under way (measured with `make bench`: a sixth of all CPU). A commit sends what
/// lingers at once, so latency is the commit interval's matter.
pub const FLUSH_FREQUENCY_MS: u32 = 50;
/// librdkafka's range of `linger.ms`.
pub const FLUSH_FREQUENCY_MS_BOUNDS: RangeInclusive<u32> = 0..=900_000;
/// One request per partition is under way at a time (librdkafka, idempotent), so a larger batch is fewer round trips:
/// measured with `make bench`. Brokers measure what arrives compressed, and these events shrink to a fifth.
pub const FLUSH_BYTES: u32 = 3_000_000;
/// librdkafka's range of `batch.size`, from a kilobyte on: below, each record is a request.
pub const FLUSH_BYTES_BOUNDS: RangeInclusive<u32> = 1000..=i32::MAX.unsigned_abs();
/// librdkafka's default of `batch.num.messages`.
pub const FLUSH_MAX_MESSAGES: u32 = 10_000;
/// librdkafka's range of `batch.num.messages`.
pub const FLUSH_MAX_MESSAGES_BOUNDS: RangeInclusive<u32> = 1..=1_000_000;
/// At full speed the interval ends a transaction, not this: each end drains the pipe, and at 50,000 events the pipe stood
/// still for half of the time (measured with `make bench`).
pub const FLUSH_MESSAGES: u32 = 500_000;
/// A transaction that is aborted is read again, so its size is bounded to what is read in seconds.
pub const FLUSH_MESSAGES_BOUNDS: RangeInclusive<u32> = 1..=10_000_000;

/// Keeps the fastest reader and a broker a millisecond away both busy.
pub const BUFFER_MESSAGES: u32 = 20_000;
/// librdkafka's range of `queue.buffering.max.messages` without its 0, which means unlimited.
pub const BUFFER_MESSAGES_BOUNDS: RangeInclusive<u32> = 1..=10_000_000;
/// librdkafka's own default is 1 GiB, far too much beside a web server; this is 20,000 events of 800 bytes.
pub const BUFFER_BYTES: u64 = 16_000_000;
/// Room for one record of the broker's default limit, and no more than librdkafka's own default.
pub const BUFFER_BYTES_BOUNDS: RangeInclusive<u64> = 1_000_000..=1 << 30;

/// A dead agent stalls the readers of its partitions for this time and a little more; librdkafka's default is 60 s.
pub const TRANSACTION_TIMEOUT_MS: u32 = 20_000;
/// librdkafka's range of `transaction.timeout.ms`; brokers allow 15 minutes unless told otherwise.
pub const TRANSACTION_TIMEOUT_MS_BOUNDS: RangeInclusive<u32> = 1000..=i32::MAX.unsigned_abs();
/// Leaves a transaction time for a second attempt on another broker.
pub const SOCKET_TIMEOUT_MS: u32 = 8000;
/// librdkafka's range of `socket.timeout.ms`.
pub const SOCKET_TIMEOUT_MS_BOUNDS: RangeInclusive<u32> = 10..=300_000;
/// librdkafka's default of `message.max.bytes`, just below the broker's 1,048,588.
pub const MESSAGE_MAX_BYTES: u32 = 1_000_000;
/// librdkafka's range of `message.max.bytes`.
pub const MESSAGE_MAX_BYTES_BOUNDS: RangeInclusive<u32> = 1000..=1_000_000_000;

/// librdkafka knows no topic with more partitions.
pub const PARTITIONS_MAX: i32 = 100_000;
/// Kafka's protocol counts replicas in 16 bits.
pub const REPLICATION_FACTOR_MAX: i32 = i16::MAX as i32;
/// Kafka's own limit of a topic's name.
pub const TOPIC_BYTES_MAX: usize = 249;
/// The id is a part of group names and of the transactional id, and stands in broker logs.
pub const AGENT_ID_BYTES_MAX: usize = 128;
/// A site is in every event; DNS has no longer name.
pub const SITE_BYTES_MAX: usize = 253;

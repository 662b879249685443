//! Every default and every bound of agent.yaml, with its reason.
//!
//! The comment of a default is what `viewtail config explain` answers to "why that default?", so it is written for whoever
//! asks there. An option whose default is nothing or a plain word that its reader names has its reason here too.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

use super::agent::DeletedSize;
use super::kafka::{Acks, Compression, Delivery, PartitionBy, Timestamp};
use super::log::{CatchUp, OnReadError, OnRewrite, Start};

/// Why a default is what it is.
#[derive(Debug)]
pub(super) struct Reason {
    /// The option, `[]` for any item of a list.
    pub option: &'static str,
    /// The comment above it, its lines joined.
    pub why: &'static str,
}

/// Makes constants of what follows, and a table of their comments.
macro_rules! defaults {
    ($( $(#[doc = $why:literal])+ [$option:literal] $(pub const $name:ident: $type:ty = $value:expr)?; )+) => {
        $($( #[doc = concat!("Default of `", $option, "`; the reason is above it.")] pub const $name: $type = $value; )?)+

        /// Every default's reason.
        pub(super) const REASONS: &[Reason] =
            &[$( Reason { option: $option, why: concat!($($why),+) } ),+];
    };
}

defaults! {
    /// Where the packages' service unit lets viewtail write.
    ["agent.state_dir"] pub const STATE_DIR: &str = "/var/lib/viewtail";
    /// A tenth of the smallest disk that web servers are rented with today (40 GB): it never fills one, and keeps a day of
    /// Kafka's absence on a site of twenty million requests.
    ["agent.max_deleted_size"] pub const MAX_DELETED_SIZE: DeletedSize = DeletedSize::Bytes { bytes: 4_000_000_000 };
    /// A truncated log that grew beyond its old size before anybody looked is a rewritten file too, and its lines are new.
    ["logs[].on_rewrite"] pub const ON_REWRITE: OnRewrite = OnRewrite::Reread;
    /// A disk that is repaired, or mounted again, gives them yet.
    ["logs[].on_read_error"] pub const ON_READ_ERROR: OnReadError = OnReadError::Retry;
    /// Whoever shares a network that is too narrow for it says so.
    ["logs[].catch_up"] pub const CATCH_UP: CatchUp = CatchUp::Unlimited;
    /// Nothing that is on disk is left out unless somebody says so.
    ["logs[].start"] pub const START: Start = Start::Beginning;
    /// A request line and headers of nginx's largest default buffers (32 KiB) fit many times.
    ["logs[].max_line_size"] pub const MAX_LINE_BYTES: u32 = 1 << 20;
    /// Every address by itself, as nginx logs it.
    ["client_address.ipv6_prefix"] pub const IPV6_PREFIX: u8 = 128;
    /// What viewtail is for.
    ["kafka.delivery"] pub const DELIVERY: Delivery = Delivery::ExactlyOnce;
    /// The only one that exactly_once can keep its word with.
    ["kafka.acks"] pub const ACKS: Acks = Acks::All;
    /// Most of the saving for the least CPU of the codecs.
    ["kafka.compression"] pub const COMPRESSION: Compression = Compression::Lz4;
    /// A reader sees a line about a second after it was written, and a broker writes one marker a second.
    ["kafka.commit_interval"] pub const COMMIT_INTERVAL_MS: u32 = 1000;
    /// An old log read late is not deleted by the topic's retention on arrival; the line's own time is in its event.
    ["kafka.timestamp"] pub const TIMESTAMP: Timestamp = Timestamp::Now;
    /// The order of a file is kept in its partition, and its audit needs one partition.
    ["kafka.partition_by"] pub const PARTITION_BY: PartitionBy = PartitionBy::File;
    /// A commit sends at once what waits for others, so latency is the commit interval's matter. Each time that librdkafka is
    /// told to send, its broker threads poll without a pause for a millisecond: with this, a fiftieth of the time.
    ["kafka.flush.frequency"] pub const FLUSH_FREQUENCY_MS: u32 = 50;
    /// One request per partition is under way at a time (librdkafka, idempotent), so a larger batch is fewer round trips; but
    /// its first bytes have left the core's cache when it is compressed: on a broker a millisecond away, batches of 3 MB took
    /// a sixth more CPU. Brokers measure what arrives compressed, and these events shrink to a fifth.
    ["kafka.flush.bytes"] pub const FLUSH_BYTES: u32 = 1_000_000;
    /// librdkafka's default of `batch.num.messages`.
    ["kafka.flush.max_messages"] pub const FLUSH_MAX_MESSAGES: u32 = 10_000;
    /// At full speed the interval ends a transaction, not this: each end drains the pipe, and at 50,000 events the pipe stood
    /// still for half of the time (measured with `make bench`).
    ["kafka.flush.messages"] pub const FLUSH_MESSAGES: u32 = 500_000;
    /// Keeps the fastest reader and a broker a millisecond away both busy.
    ["kafka.buffer.messages"] pub const BUFFER_MESSAGES: u32 = 10_000;
    /// librdkafka's own default is 1 GiB, far too much beside a web server; this is several batches, and no slower than twice
    /// as much.
    ["kafka.buffer.bytes"] pub const BUFFER_BYTES: u64 = 6_000_000;
    /// OpenTelemetry's customary port for Prometheus exporters, on the loopback: the pages name paths of the host.
    ["http.listen"] pub const HTTP_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);
    /// A service that shows how it does is looked after, and only this host can look.
    ["http"];
    /// One file is enough for a host with a few logs; packages bring the directory along for those with many.
    ["include"];
    /// The machine's id and the path of state_dir are the same after a restart, after an upgrade, and when state_dir was lost.
    ["agent.id"];
    /// What `paths` names is meant.
    ["logs[].exclude"];
    /// Rotated files stay where their log is unless logrotate was told otherwise.
    ["logs[].archive_dirs"];
    /// What nginx writes where nobody told it otherwise.
    ["logs[].format"];
    /// What nginx and Apache do unless they are told otherwise; a pattern is taken as it stands.
    ["logs[].format.escape"];
    /// With `escape: none` a request can write lines of its own, and they would count.
    ["logs[].format.forced"];
    /// One log may serve many sites, and the line says which.
    ["logs[].site"];
    /// A path is a name that nobody has to make up.
    ["logs[].name"];
    /// Whoever may write in a log directory could have any file sent that the agent may read.
    ["logs[].follow_symlinks"];
    /// A hard link may lead to a file of somebody else, as a symbolic link may.
    ["logs[].allow_hard_links"];
    /// Each codec's own default is its compromise between size and CPU.
    ["kafka.compression_level"];
    /// A topic that is created by accident has the wrong number of partitions for ever.
    ["kafka.create_topic"];
    /// Brokers say nothing about it before a connection is made; what is set here says it for them.
    ["kafka.tls"];
    /// One file of an authority or of a key is a clear wish for encryption.
    ["kafka.tls.enabled"];
    /// Public authorities are known to the system; a company's own has to be named.
    ["kafka.tls.ca_file"];
    /// Most brokers ask their clients for a password, not for a certificate.
    ["kafka.tls.cert_file"];
    /// It belongs to `cert_file`.
    ["kafka.tls.key_file"];
    /// As for `key_file`; it takes a unit that loads it.
    ["kafka.tls.key_credential"];
    /// A key that a service uses alone needs no passphrase beside its file's mode.
    ["kafka.tls.key_password_file"];
    /// As for `key_password_file`; it takes a unit that loads it.
    ["kafka.tls.key_password_credential"];
    /// Otherwise anybody with any certificate of the same authority could stand in for a broker.
    ["kafka.tls.verify_hostname"];
    /// Whoever is on the way could read and change what is sent.
    ["kafka.tls.unsafe_accept_any_certificate"];
    /// Brokers offer what they were set up with, and no mechanism is offered by all.
    ["kafka.sasl.mechanism"];
    /// Only the brokers' owner knows it.
    ["kafka.sasl.username"];
    /// Only the brokers' owner knows it; a file can be kept from other users, this one usually is not.
    ["kafka.sasl.password_file"];
    /// Only the brokers' owner knows it; a credential is seen by no user but the service's, and it takes a unit that loads it.
    ["kafka.sasl.password_credential"];
    /// As for `password_file`, which is the better place: a process's environment is inherited and shown by tools.
    ["kafka.sasl.password_env"];
    /// As for `password_file`, which is the better place: this file is copied and shown around.
    ["kafka.sasl.password"];
    /// Only OAUTHBEARER takes a token, and whoever issues it decides where it is written.
    ["kafka.sasl.token_file"];
    /// As for `token_file`; systemd copies a credential at the start, so it suits tokens that outlive the service.
    ["kafka.sasl.token_credential"];
    /// viewtail sets what its promises rest on; the rest is well with librdkafka's own defaults.
    ["kafka.properties"];
    /// A header that nobody vouches for can be written by any client.
    ["client_address.header"];
    /// Only you know your proxies.
    ["client_address.trusted"];
    /// Addresses and user agents are in every log; a cookie is in few.
    ["visitor.cookie"];
    /// One host needs no file of its own: a secret is made at the first start and stays.
    ["visitor.secret_file"];
    /// As for `secret_file`; it takes a unit that loads it.
    ["visitor.secret_credential"];
    /// The server's own midnight is the one that its owner means.
    ["day.zone"];
    /// Most parameters are campaigns and sessions, and would make a page of each visit.
    ["page.query"];
    /// The documents that nginx, Apache and PHP sites serve for a directory.
    ["page.index"];
    /// Readers mean the same page with and without it, and sites link to both.
    ["page.trailing_slash"];
    /// A path names a page on most sites.
    ["page.rules"];
    /// A page is looked at with GET; POST sends, HEAD asks only.
    ["page_views.methods"];
    /// 200 shows a page, and 304 says that the browser's copy is still right: it was looked at as well.
    ["page_views.statuses"];
    /// Nobody but you knows which of your paths are no pages.
    ["page_views.exclude.paths"];
    /// All hosts of a log are yours.
    ["page_views.exclude.hosts"];
    /// Your own visits are visits, until you say where they come from.
    ["page_views.exclude.addresses"];
    /// Images, styles, scripts, fonts and archives come along with pages and are none.
    ["page_views.static.extensions"];
    /// The built-in list has what is common.
    ["page_views.static.add"];
    /// They are fetched by programs on every site.
    ["page_views.static.paths"];
    /// A feed is fetched every few minutes by a program, whether somebody reads or not.
    ["page_views.feeds"];
    /// The built-in patterns are those of public lists.
    ["page_views.bots.add"];
    /// All built-in patterns are crawlers.
    ["page_views.bots.remove"];
    /// Every browser names itself.
    ["page_views.bots.empty_user_agent"];
    /// Counting needs no full address, and what is not sent cannot leak.
    ["privacy.client_address"];
    /// Queries carry names, addresses of mail and sessions.
    ["privacy.query"];
    /// Queries of other sites carry what people searched for.
    ["privacy.referrer_query"];
    /// It tells browsers and devices apart, and names nobody.
    ["privacy.user_agent"];
    /// A line that could not be read can be mended only by somebody who sees it.
    ["privacy.raw"];
    /// An event has what counting needs.
    ["fields"];
    /// Only with every line can be proven that none is missing.
    ["emit"];
    /// Beside the others a malformed line keeps its place in the order of its file.
    ["rejects_topic"];
}

/// Below, ordinary lines are cut; above, one line fills the read buffers that all files share.
pub const MAX_LINE_BYTES_BOUNDS: RangeInclusive<u32> = 256..=16 << 20;
/// A provider gets a /32 or less of a registry: below, whole providers are one address.
pub const IPV6_PREFIX_BOUNDS: RangeInclusive<u8> = 32..=128;
/// HTTP's three digits.
pub const STATUS_BOUNDS: RangeInclusive<u32> = 100..=599;
/// The floor: a commit takes milliseconds of broker work per partition. The ceiling: see the rule about
/// `transaction.timeout.ms`.
pub const COMMIT_INTERVAL_MS_BOUNDS: RangeInclusive<u32> = 50..=3_600_000;
/// The range of librdkafka's `linger.ms`, which says the same.
pub const FLUSH_FREQUENCY_MS_BOUNDS: RangeInclusive<u32> = 0..=900_000;
/// librdkafka's range of `batch.size`, from a kilobyte on: below, each record is a request.
pub const FLUSH_BYTES_BOUNDS: RangeInclusive<u32> = 1000..=i32::MAX.unsigned_abs();
/// librdkafka's range of `batch.num.messages`.
pub const FLUSH_MAX_MESSAGES_BOUNDS: RangeInclusive<u32> = 1..=1_000_000;
/// A transaction that is aborted is read again, so its size is bounded to what is read in seconds.
pub const FLUSH_MESSAGES_BOUNDS: RangeInclusive<u32> = 1..=10_000_000;
/// librdkafka's range of `queue.buffering.max.messages` without its 0, which means unlimited.
pub const BUFFER_MESSAGES_BOUNDS: RangeInclusive<u32> = 1..=10_000_000;
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
/// Each topic is looked up whenever a connection is made, a few milliseconds each, and a commit marks each that it wrote to.
pub const TOPICS_MAX: usize = 1000;
/// Kafka's own limit of a topic's name.
pub const TOPIC_BYTES_MAX: usize = 249;
/// The id is a part of group names and of the transactional id, and stands in broker logs.
pub const AGENT_ID_BYTES_MAX: usize = 128;
/// A site is in every event; DNS has no longer name.
pub const SITE_BYTES_MAX: usize = 253;

//! From a configuration to the parts of an agent: identity found, properties named.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use xxhash_rust::xxh3::xxh3_64;

use super::{Exit, Failure, visitors};
use crate::config::{
    self, CatchUp, Config, ConfigErrors, Credentials, Delivery, DirectoryPattern, Kafka, Log, PasswordError,
    SecretFile, Start as StartConfig, Style, Warning,
};
use crate::event::{Encoder, EncoderOptions, Site};
use crate::io::kafka::{
    Acks, Compression, CreateTopic, Flush, KafkaOptions, QueueLimits, TOKEN_FILE_PROPERTY,
};
use crate::io::{clock, identity};
use crate::pipeline::options::{
    DeliveryOptions, Links, LogOptions, Mode, OnReadError, OnRewrite, PartitionBy, PathMatcher, Rejects,
    Start, Timestamp,
};
use crate::pipeline::shard::METADATA_BYTES_MAX;

/// systemd waits 45 s; commit or give up well before.
const STOP_DEADLINE_MS: u64 = 25_000;

/// Where nothing proves that a rotated log has no writer any more. nginx closes it within moments of USR1, but a worker
/// that is shutting down may write for minutes.
pub(super) const QUIET_GRACE_MS: u64 = 5 * 60 * 1000;

/// A configuration with everything that follows from it.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What agent.yaml says.
    pub config: Config,
    /// What is doubtful about it, ready to be shown.
    pub warnings: Vec<Warning>,
    /// The agent's identity.
    pub agent_id: String,
    /// The machine's fingerprint, empty where there is none.
    pub machine: String,
    /// The logs.
    pub logs: Vec<LogOptions>,
}

impl Setup {
    /// Reads a configuration.
    ///
    /// # Errors
    /// A [`Failure`] with exit 77 or 78 that shows every mistake.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let (config, warnings) = config::load(path).map_err(|errors| shown(&errors))?;
        let machine = identity::machine_fingerprint().unwrap_or_default();
        let agent_id = match &config.agent.id {
            Some(id) => id.as_str().to_owned(),
            None if machine.is_empty() => {
                let name = path.display();
                let text = format!(
                    "{name}: this machine has no /etc/machine-id to derive agent.id from; set agent.id to a name that no other agent has"
                );
                return Err(Failure::new(Exit::Configuration, text).into());
            }
            None => identity::derived_agent_id(&machine, &config.agent.state_dir),
        };
        let topics = config.topics();
        let number = |log| topics.iter().position(|topic| *topic == config.kafka.topic.of(log));
        let options = |log| log_options(log, number(log).unwrap_or_default());
        let logs = config.logs.iter().map(options).collect::<anyhow::Result<_>>()?;
        Ok(Self { config, warnings, agent_id, machine, logs })
    }

    /// Every path of every log, as written, and the files of the directories with rotated ones.
    #[must_use]
    pub fn globs(&self) -> Vec<String> {
        let logs = || self.config.logs.iter();
        let paths = logs().flat_map(|log| &log.paths).map(|path| path.as_str().to_owned());
        let archives = logs().flat_map(|log| &log.archive_dirs).map(DirectoryPattern::files);
        paths.chain(archives).collect()
    }

    /// The topic that carries the positions.
    #[must_use]
    pub fn anchor(&self) -> String {
        self.config.topics().into_iter().next().expect("a configuration has a log, and it has a topic")
    }

    /// What the machine is told of delivery.
    #[must_use]
    pub fn delivery(&self) -> DeliveryOptions {
        let kafka = &self.config.kafka;
        DeliveryOptions {
            anchor: self.anchor(),
            mode: mode_of(kafka.delivery),
            commit_interval_ms: kafka.commit_interval_ms.into(),
            batch_events_max: kafka.flush.messages.into(),
            // A broker measures what arrives.
            batch_bytes_max: match kafka.compression {
                config::Compression::None => kafka.flush.bytes.min(config::defaults::MESSAGE_MAX_BYTES),
                config::Compression::Gzip
                | config::Compression::Snappy
                | config::Compression::Lz4
                | config::Compression::Zstd => kafka.flush.bytes,
            } as usize,
            metadata_bytes_max: METADATA_BYTES_MAX,
            partition_by: match kafka.partition_by {
                config::PartitionBy::File => PartitionBy::File,
                config::PartitionBy::Site => PartitionBy::Site,
                config::PartitionBy::Visitor => PartitionBy::Visitor,
                config::PartitionBy::Page => PartitionBy::Page,
                config::PartitionBy::Client => PartitionBy::Client,
                config::PartitionBy::Sticky => PartitionBy::Sticky,
            },
            rejects: match self.config.rejects_topic {
                Some(_) => Rejects::Apart,
                None => Rejects::Topic,
            },
            timestamp: match kafka.timestamp {
                config::Timestamp::Now => Timestamp::Now,
                config::Timestamp::Event => Timestamp::Event,
            },
            stop_deadline_ms: STOP_DEADLINE_MS,
            quiet_grace_ms: QUIET_GRACE_MS,
        }
    }

    /// What the Kafka edge is told.
    ///
    /// # Errors
    /// A password cannot be read: a [`Failure`] with exit 77 or 78.
    pub fn kafka(&self) -> anyhow::Result<KafkaOptions> {
        let kafka = &self.config.kafka;
        let brokers = kafka.brokers.iter().map(|broker| broker.as_str().to_owned()).collect();
        let defaults = KafkaOptions::new(brokers, self.anchor(), &self.agent_id);
        Ok(KafkaOptions {
            event_topics: self.config.topics(),
            mode: mode_of(kafka.delivery),
            acks: match kafka.acks {
                config::Acks::All => Acks::All,
                config::Acks::Leader => Acks::Leader,
                config::Acks::None => Acks::None,
            },
            compression: match kafka.compression {
                config::Compression::None => Compression::None,
                config::Compression::Gzip => Compression::Gzip,
                config::Compression::Snappy => Compression::Snappy,
                config::Compression::Lz4 => Compression::Lz4,
                config::Compression::Zstd => Compression::Zstd,
            },
            compression_level: kafka.compression_level,
            flush: Flush { frequency_ms: kafka.flush.frequency_ms, max_messages: kafka.flush.max_messages },
            buffer: QueueLimits { messages: kafka.buffer.messages, bytes: kafka.buffer.bytes },
            transaction_timeout_ms: kafka.transaction_timeout_ms,
            socket_timeout_ms: kafka.socket_timeout_ms,
            create_topic: kafka.create_topic.as_ref().map(|topic| CreateTopic {
                partitions: topic.partitions,
                replication_factor: topic.replication_factor,
            }),
            rejects_topic: self.config.rejects_topic.clone(),
            properties: client_properties(kafka)?,
            ..defaults
        })
    }
}

fn mode_of(delivery: Delivery) -> Mode {
    match delivery {
        Delivery::ExactlyOnce => Mode::ExactlyOnce,
        Delivery::AtLeastOnce => Mode::AtLeastOnce,
        Delivery::BestEffort => Mode::BestEffort,
    }
}

/// A failure that shows errors of a configuration.
fn shown(errors: &ConfigErrors) -> Failure {
    let exit = if errors.is_permission() { Exit::Permission } else { Exit::Configuration };
    Failure::Rendered { exit, text: errors.render(Style::Coloured) }
}

fn log_options(log: &Log, topic: usize) -> anyhow::Result<LogOptions> {
    let paths: Vec<String> = log.paths.iter().map(|path| path.as_str().to_owned()).collect();
    // An exclusion without a slash is over the name alone.
    let exclude: Vec<String> = log
        .exclude
        .iter()
        .map(|exclude| {
            if exclude.as_str().contains('/') {
                exclude.as_str().to_owned()
            } else {
                format!("**/{}", exclude.as_str())
            }
        })
        .collect();
    let archives: Vec<String> = log.archive_dirs.iter().map(DirectoryPattern::files).collect();
    let host = identity::host_name();
    let site = match &log.site {
        Some(site) => Site::Fixed(site.clone()),
        None => Site::Line { otherwise: host.clone() },
    };
    let encoder = EncoderOptions {
        format: log.format.clone(),
        site,
        host,
        log: log.name.clone(),
        rules: Arc::clone(&log.events.rules),
    };
    Encoder::new(encoder.clone()).map_err(|error| {
        Failure::new(Exit::Configuration, format!("page_views.bots of the log {}: {error}", log.name))
    })?;
    Ok(LogOptions {
        paths: PathMatcher::new(&paths, &exclude)?,
        archives: PathMatcher::new(&archives, &[])?,
        encoder,
        topic: u16::try_from(topic).context("there are too many topics")?,
        start: start_of(log.start),
        links: Links { follow_symlinks: log.follow_symlinks, allow_hard_links: log.allow_hard_links },
        line_bytes_max: log.max_line_bytes as usize,
        catch_up_bytes_per_s: match log.catch_up {
            CatchUp::Unlimited => None,
            CatchUp::Rate { bytes_per_s } => Some(bytes_per_s),
        },
        on_rewrite: match log.on_rewrite {
            config::OnRewrite::Reread => OnRewrite::Reread,
            config::OnRewrite::Skip => OnRewrite::Skip,
            config::OnRewrite::Alert => OnRewrite::Alert,
        },
        on_read_error: match log.on_read_error {
            config::OnReadError::Retry => OnReadError::Retry,
            config::OnReadError::Skip => OnReadError::Skip,
        },
        key: xxh3_64(paths.join("\n").as_bytes()),
    })
}

fn start_of(start: StartConfig) -> Start {
    match start {
        StartConfig::Beginning => Start::Beginning,
        StartConfig::End => Start::End,
        StartConfig::Within { age_ms } => {
            let since_ms = clock::unix_milliseconds().saturating_sub(age_ms);
            Start::ModifiedSince(i64::try_from(since_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000))
        }
    }
}

/// TLS, SASL and the verbatim properties, in librdkafka's names.
fn client_properties(kafka: &Kafka) -> anyhow::Result<Vec<(String, String)>> {
    let mut properties: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| properties.push((name.to_owned(), value.to_owned()));
    let protocol = match (&kafka.tls, &kafka.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    set("security.protocol", protocol);
    set("message.max.bytes", &kafka.message_max_bytes.to_string());
    if let Some(tls) = &kafka.tls {
        if let Some(file) = &tls.ca_file {
            set("ssl.ca.location", &file.to_string_lossy());
        }
        if let Some(identity) = &tls.identity {
            set("ssl.certificate.location", &identity.cert_file.to_string_lossy());
            set("ssl.key.location", &path_of(&identity.key_file)?);
            if let Some(password) = &identity.key_password {
                set("ssl.key.password", password.read().map_err(|error| no_password(&error))?.expose());
            }
        }
        set("ssl.endpoint.identification.algorithm", if tls.verify_hostname { "https" } else { "none" });
        if tls.unsafe_accept_any_certificate {
            set("enable.ssl.certificate.verification", "false");
        }
    }
    if let Some(sasl) = &kafka.sasl {
        set("sasl.mechanism", sasl.mechanism.as_str());
        match &sasl.credentials {
            Credentials::Password { username, password } => {
                set("sasl.username", username);
                set("sasl.password", password.read().map_err(|error| no_password(&error))?.expose());
            }
            Credentials::Token(file) => set(TOKEN_FILE_PROPERTY, &path_of(file)?),
        }
    }
    for (name, value) in kafka.properties.iter() {
        set(name, value);
    }
    Ok(properties)
}

/// Where a secret's file is.
fn path_of(file: &SecretFile) -> Result<String, Failure> {
    let path = file.path().map_err(|error| visitors::not_handed_over(&error))?;
    Ok(path.to_string_lossy().into_owned())
}

fn no_password(error: &PasswordError) -> Failure {
    let refused = matches!(error, PasswordError::File { error, .. } if error.kind() == std::io::ErrorKind::PermissionDenied);
    Failure::new(if refused { Exit::Permission } else { Exit::Configuration }, error.to_string())
}

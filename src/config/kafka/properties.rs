//! `kafka.properties`: what librdkafka can do and viewtail has no word for.
//!
//! Invariant: no property gets through that one of viewtail's promises rests on.

use std::fmt;
use std::ops::RangeInclusive;

use crate::config::defaults;
use crate::config::node::{Kind, Node};
use crate::config::reader::Section;
use crate::config::secret::{MASK, is_secret_key};
use crate::config::value::{Fault, Value as _};

/// Properties in the order in which they were given. Values that may be secrets are never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(Vec<(String, String)>);

impl Properties {
    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.iter().map(|(name, value)| (name, if is_secret_key(name) { MASK } else { value }));
        formatter.debug_map().entries(shown).finish()
    }
}

/// What was read: three that viewtail reckons with itself, and the rest.
pub(super) struct Given {
    pub transaction_timeout_ms: u32,
    pub socket_timeout_ms: u32,
    pub message_max_bytes: u32,
    pub verbatim: Properties,
}

/// Properties that viewtail sets, and by which of its options.
const OWNED: [(&str, &str); 29] = [
    ("bootstrap.servers", "kafka.brokers"),
    ("metadata.broker.list", "kafka.brokers"),
    ("transactional.id", "agent.id"),
    ("enable.idempotence", "kafka.delivery"),
    ("acks", "kafka.acks"),
    ("request.required.acks", "kafka.acks"),
    ("compression.codec", "kafka.compression"),
    ("compression.type", "kafka.compression"),
    ("compression.level", "kafka.compression_level"),
    ("linger.ms", "kafka.flush.frequency"),
    ("queue.buffering.max.ms", "kafka.flush.frequency"),
    ("batch.size", "kafka.flush.bytes"),
    ("batch.num.messages", "kafka.flush.max_messages"),
    ("queue.buffering.max.messages", "kafka.buffer.messages"),
    ("queue.buffering.max.kbytes", "kafka.buffer.bytes"),
    ("partitioner", "kafka.partition_by"),
    ("security.protocol", "kafka.tls and kafka.sasl"),
    ("ssl.ca.location", "kafka.tls.ca_file"),
    ("ssl.certificate.location", "kafka.tls.cert_file"),
    ("ssl.key.location", "kafka.tls.key_file"),
    ("ssl.key.password", "kafka.tls.key_password_file"),
    ("ssl.endpoint.identification.algorithm", "kafka.tls.verify_hostname"),
    ("enable.ssl.certificate.verification", "kafka.tls.unsafe_accept_any_certificate"),
    ("sasl.mechanism", "kafka.sasl.mechanism"),
    ("sasl.mechanisms", "kafka.sasl.mechanism"),
    ("sasl.username", "kafka.sasl.username"),
    ("sasl.password", "kafka.sasl.password_file"),
    ("sasl.oauthbearer.config", "kafka.sasl.token_file"),
    ("allow.auto.create.topics", "kafka.create_topic"),
];

/// Properties that viewtail's delivery rests on and nobody else can set, and why.
const RESERVED: [(&str, &str); 20] = [
    ("message.timeout.ms", "records would expire while the brokers are away"),
    ("delivery.timeout.ms", "records would expire while the brokers are away"),
    ("message.send.max.retries", "records would be given up while the brokers are away"),
    ("retries", "records would be given up while the brokers are away"),
    ("max.in.flight", "order rests on it"),
    ("max.in.flight.requests.per.connection", "order rests on it"),
    ("queuing.strategy", "order rests on it"),
    ("enable.gapless.guarantee", "recovery rests on it"),
    ("delivery.report.only.error", "positions rest on every report"),
    ("isolation.level", "positions are read committed"),
    ("group.id", "positions are kept in groups of the agent's own"),
    ("enable.auto.commit", "positions are committed with their records"),
    ("auto.commit.enable", "positions are committed with their records"),
    ("enable.auto.offset.store", "positions are committed with their records"),
    ("debug", "viewtail watches transactions by this log; -v shows more of it"),
    ("log_level", "viewtail watches transactions by this log; -v shows more of it"),
    ("log.queue", "viewtail reads this log"),
    ("log.connection.close", "viewtail reads this log"),
    ("statistics.interval.ms", "viewtail watches the brokers by it"),
    ("plugin.library.paths", "code of others has no place beside a promise"),
];

/// `flush_bytes` is the largest batch, which librdkafka ends at `message.max.bytes` unless that is larger.
pub(super) fn read(section: &Section<'_>, flush_bytes: u32) -> Given {
    let mut given = Given {
        transaction_timeout_ms: defaults::TRANSACTION_TIMEOUT_MS,
        socket_timeout_ms: defaults::SOCKET_TIMEOUT_MS,
        message_max_bytes: defaults::MESSAGE_MAX_BYTES.max(flush_bytes),
        verbatim: Properties::default(),
    };
    if section.open_entries().next().is_none() {
        section.record_empty();
    }
    for (name, entry) in section.open_entries() {
        match refuse(name).and_then(|()| take(&mut given, name, &entry.value)) {
            Ok(value) => {
                let shown = if is_secret_key(name) { MASK.to_owned() } else { value };
                section.record(name, shown.show(), Some(entry.key.place));
            }
            Err((fault, true)) => section.fault(entry.key.place, name, &fault),
            Err((fault, false)) => section.fault(entry.value.place, name, &fault),
        }
    }
    given
}

/// A fault, and whether the name is at fault rather than the value.
type Refusal = (Fault, bool);

fn refuse(name: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c);
    if let Some((_, option)) = OWNED.iter().find(|(owned, _)| *owned == name) {
        return Err((Fault::new("is set by an option of viewtail", format!("use {option}")), true));
    }
    if let Some((_, reason)) = RESERVED.iter().find(|(reserved, _)| *reserved == name) {
        return Err((Fault::new(format!("is viewtail's own: {reason}"), "remove the line"), true));
    }
    if name.is_empty() || !name.chars().all(allowed) {
        let help =
            "property names are made of a-z, 0-9, dots and underscores: see librdkafka's CONFIGURATION.md";
        return Err((Fault::new("is no name of a property", help), true));
    }
    Ok(())
}

fn take(given: &mut Given, name: &str, node: &Node) -> Result<String, Refusal> {
    let value = text(node, name).map_err(|fault| (fault, false))?;
    let (slot, bounds) = match name {
        "transaction.timeout.ms" => {
            (&mut given.transaction_timeout_ms, defaults::TRANSACTION_TIMEOUT_MS_BOUNDS)
        }
        "socket.timeout.ms" => (&mut given.socket_timeout_ms, defaults::SOCKET_TIMEOUT_MS_BOUNDS),
        "message.max.bytes" => (&mut given.message_max_bytes, defaults::MESSAGE_MAX_BYTES_BOUNDS),
        _ => {
            given.verbatim.0.push((name.to_owned(), value.clone()));
            return Ok(value);
        }
    };
    *slot = number(&value, &bounds).map_err(|fault| (fault, false))?;
    Ok(value)
}

fn number(value: &str, bounds: &RangeInclusive<u32>) -> Result<u32, Fault> {
    let number = value.parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| {
        let (low, high) = (bounds.start(), bounds.end());
        Fault::new(
            format!("must be a number from {low} to {high}"),
            "librdkafka's properties have no units: the name says which",
        )
    })
}

fn text(node: &Node, name: &str) -> Result<String, Fault> {
    match &node.kind {
        Kind::Bool(value) => Ok(value.to_string()),
        Kind::Integer(value) => Ok(value.to_string()),
        Kind::Float(value) => Ok(value.to_string()),
        Kind::Text(text) if !text.contains('\0') => Ok(text.clone()),
        Kind::Null | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => {
            let found = if is_secret_key(name) { "something else".to_owned() } else { node.describe() };
            Err(Fault::new(
                format!("must be text or a number, found {found}"),
                "write the value as librdkafka takes it",
            ))
        }
    }
}

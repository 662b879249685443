//! What must hold between options of Kafka. Each rule names the options it is about, the most blameworthy first.

use super::{Acks, Compression, Delivery, Kafka, SaslMechanism};
use crate::config::reader::Reader;
use crate::config::units::Measure;
use crate::config::value::{Choice as _, Fault};

pub(super) fn judge(kafka: &Kafka, reader: &Reader) {
    acks(kafka, reader);
    compression_level(kafka, reader);
    batches(kafka, reader);
    times(kafka, reader);
    let sent_openly = match kafka.sasl.as_ref().map(|sasl| sasl.mechanism) {
        Some(SaslMechanism::Plain) => Some("PLAIN sends the password"),
        Some(SaslMechanism::OauthBearer) => Some("OAUTHBEARER sends the token"),
        Some(SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512) | None => None,
    };
    let is_fine = sent_openly.is_none() || kafka.tls.is_some();
    reader.advice(&["kafka.sasl.mechanism"], is_fine, || {
        Fault::new(
            format!(
                "{} as it is, and without TLS everybody on the way can read it",
                sent_openly.unwrap_or_default()
            ),
            "set `kafka.tls`, or use SCRAM-SHA-512 where the brokers offer it",
        )
    });
}

fn acks(kafka: &Kafka, reader: &Reader) {
    let enough = match kafka.delivery {
        Delivery::ExactlyOnce => kafka.acks == Acks::All,
        Delivery::AtLeastOnce => kafka.acks != Acks::None,
        Delivery::BestEffort => true,
    };
    reader.rule(&["kafka.acks", "kafka.delivery"], enough, || {
        let (acks, delivery) = (kafka.acks.word(), kafka.delivery.word());
        let allowed =
            if kafka.delivery == Delivery::ExactlyOnce { "`acks: all`" } else { "`acks: all` or `leader`" };
        Fault::new(
            format!("`acks: {acks}` cannot keep the promise of `delivery: {delivery}`"),
            format!("write {allowed}, or give up the promise with `delivery: best_effort`"),
        )
    });
}

fn compression_level(kafka: &Kafka, reader: &Reader) {
    let levels = match kafka.compression {
        Compression::None | Compression::Snappy => None,
        Compression::Gzip => Some(0..=9),
        // librdkafka's property ends at 12, though zstd itself has 22 levels.
        Compression::Lz4 => Some(0..=12),
        Compression::Zstd => Some(1..=12),
    };
    let fits = kafka
        .compression_level
        .is_none_or(|level| levels.as_ref().is_some_and(|levels| levels.contains(&level)));
    reader.rule(&["kafka.compression_level", "kafka.compression"], fits, || {
        let (level, codec) = (kafka.compression_level.unwrap_or_default(), kafka.compression.word());
        match &levels {
            Some(levels) => Fault::new(
                format!("`compression_level: {level}` is none of {codec}"),
                format!(
                    "{codec} has the levels {} to {}; null is its own default",
                    levels.start(),
                    levels.end()
                ),
            ),
            None => Fault::new(
                format!("`compression: {codec}` has no levels"),
                "remove `compression_level`, or choose gzip, lz4 or zstd",
            ),
        }
    });
}

fn batches(kafka: &Kafka, reader: &Reader) {
    let size = |bytes: u64| Measure::Size.show(bytes);
    let (flush, buffer) = (kafka.flush, kafka.buffer);
    let max_bytes = u64::from(kafka.message_max_bytes);
    reader.rule(&["kafka.flush.bytes", "kafka.buffer.bytes"], u64::from(flush.bytes) <= buffer.bytes, || {
        let (flush, buffer) = (size(flush.bytes.into()), size(buffer.bytes));
        Fault::new(
            format!("a batch of `flush.bytes: {flush}` does not fit into `buffer.bytes: {buffer}`"),
            "make the buffer at least as large; several times the batch keeps the brokers busy",
        )
    });
    reader.rule(
        &["kafka.flush.max_messages", "kafka.buffer.messages"],
        flush.max_messages <= buffer.messages,
        || {
            let (most, room) = (flush.max_messages, buffer.messages);
            Fault::new(
                format!(
                    "a batch of `flush.max_messages: {most}` does not fit into `buffer.messages: {room}`"
                ),
                "make the buffer at least as large; several times the batch keeps the brokers busy",
            )
        },
    );
    // A record that is larger than the queue would wait for room for ever.
    reader.rule(
        &["kafka.properties.message.max.bytes", "kafka.buffer.bytes"],
        max_bytes <= buffer.bytes,
        || {
            let (record, room) = (size(max_bytes), size(buffer.bytes));
            Fault::new(
                format!(
                    "a record of `message.max.bytes`, {record}, does not fit into `buffer.bytes: {room}`"
                ),
                "make the buffer larger than the largest record",
            )
        },
    );
    reader.advice(
        &["kafka.flush.bytes", "kafka.properties.message.max.bytes"],
        u64::from(flush.bytes) <= max_bytes,
        || {
            Fault::new(
                format!("librdkafka ends a batch at `message.max.bytes`, {}, before `flush.bytes`", size(max_bytes)),
                "raise `message.max.bytes` under `kafka.properties`, and on the brokers, or lower `flush.bytes`",
            )
        },
    );
}

fn times(kafka: &Kafka, reader: &Reader) {
    /// librdkafka's own rule: a request must be given up while the transaction still lives.
    const SOCKET_MARGIN_MS: u32 = 100;
    const TRANSACTION: &str = "kafka.properties.transaction.timeout.ms";
    let once = kafka.delivery == Delivery::ExactlyOnce;
    let duration = |ms: u32| Measure::Duration.show(ms.into());
    let transaction = duration(kafka.transaction_timeout_ms);
    reader.rule(
        &["kafka.commit_interval", TRANSACTION, "kafka.delivery"],
        !once || kafka.commit_interval_ms <= kafka.transaction_timeout_ms / 2,
        || {
            let interval = duration(kafka.commit_interval_ms);
            Fault::new(
                format!("`commit_interval: {interval}` is more than half of `transaction.timeout.ms`, {transaction}"),
                "brokers abort a transaction at that age, and committing takes time: commit more often, or raise it",
            )
        },
    );
    reader.rule(
        &["kafka.properties.socket.timeout.ms", TRANSACTION, "kafka.delivery"],
        !once || kafka.socket_timeout_ms.saturating_add(SOCKET_MARGIN_MS) <= kafka.transaction_timeout_ms,
        || {
            let socket = duration(kafka.socket_timeout_ms);
            Fault::new(
                format!("`socket.timeout.ms`, {socket}, is not {SOCKET_MARGIN_MS}ms below `transaction.timeout.ms`, {transaction}"),
                "librdkafka refuses that: a request must be given up while its transaction lives",
            )
        },
    );
}

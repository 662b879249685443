//! The questions of `viewtail check`: do brokers answer, is the topic there, are transactions allowed.
//!
//! Changes nothing that a reader could see: the trial transaction holds one position of a group of its own and is
//! aborted. Its ids end with `-check`, under the prefix that the agent's rights are granted on, so that a running
//! agent is not fenced.

use super::edge::StopBy;
use super::options::{KafkaOptions, Mode};
use super::producer::Producer;
use super::reader::Reader;
use crate::pipeline::action::{Cause, Failure};
use crate::pipeline::delivery::RECORD_BYTES_MAX;
use crate::pipeline::shard::ShardWrite;

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Whether brokers answer, with TLS and SASL as configured.
    Brokers,
    /// Whether the topic exists.
    Topic,
    /// Whether the agent may do transactions.
    Transactions,
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub subject: Subject,
    /// What is good about it, or what is not.
    pub outcome: Result<String, Problem>,
}

/// Something that keeps the agent from working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether time, rights or the configuration is the remedy.
    pub cause: Cause,
    /// The fact, one line.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// Asks all questions, ending with the first that fails. Blocks, up to about a minute.
#[must_use]
pub fn examine(options: &KafkaOptions) -> Vec<Finding> {
    let stop = StopBy::default();
    let mut findings = Vec::new();
    match find_topic(options, &stop, &mut findings) {
        Some(()) if options.mode == Mode::ExactlyOnce => findings.push(try_transaction(options, &stop)),
        Some(()) | None => {}
    }
    findings
}

fn find_topic(options: &KafkaOptions, stop: &StopBy, findings: &mut Vec<Finding>) -> Option<()> {
    let brokers = options.brokers.join(", ");
    let looked_up = Reader::open(options, stop).and_then(|mut reader| {
        let partitions = reader.look_up(&options.topic)?;
        Ok((partitions, reader.require_new_broker()))
    });
    let (partitions, new_enough) = match looked_up {
        Ok(found) => found,
        Err(failure) if failure.cause == Cause::Refused && failure.message.starts_with("topic ") => {
            findings.push(good(Subject::Brokers, format!("{brokers} answer")));
            findings.push(bad(Subject::Topic, &failure, "see the message"));
            return None;
        }
        Err(failure) => {
            findings.push(bad(Subject::Brokers, &failure, BROKER_REMEDY));
            return None;
        }
    };
    findings.push(good(Subject::Brokers, format!("{brokers} answer")));
    match partitions {
        Some(count) => {
            findings.push(good(Subject::Topic, format!("{} has {count} partitions", options.topic)))
        }
        None => {
            findings.push(missing_topic(options));
            return None;
        }
    }
    if let Err(failure) = new_enough {
        findings.push(bad(Subject::Transactions, &failure, super::classify::OLD_BROKER));
        return None;
    }
    Some(())
}

const BROKER_REMEDY: &str = "check kafka.brokers, kafka.tls and kafka.sasl, and that the brokers' advertised \
                             listeners can be reached from here";

fn missing_topic(options: &KafkaOptions) -> Finding {
    let topic = &options.topic;
    if options.create_topic.is_some() {
        return good(Subject::Topic, format!("{topic} does not exist and will be created by `viewtail run`"));
    }
    let problem = Problem {
        cause: Cause::TopicMissing,
        message: format!("topic {topic} does not exist"),
        remedy: "create it, or set kafka.create_topic: {partitions: ..., replication_factor: ...}".to_owned(),
    };
    Finding { subject: Subject::Topic, outcome: Err(problem) }
}

fn try_transaction(options: &KafkaOptions, stop: &StopBy) -> Finding {
    let trial =
        KafkaOptions { transactional_id: format!("{}-check", options.transactional_id), ..options.clone() };
    let write = ShardWrite { group: 0, partition: 0, sequence: 0, metadata: String::new() };
    let result = Producer::open(&trial, stop, RECORD_BYTES_MAX).and_then(|mut producer| {
        producer.begin()?;
        producer.send_offsets(&[write])?;
        producer.abort()
    });
    match result {
        Ok(()) => good(Subject::Transactions, format!("allowed as {}", options.transactional_id)),
        Err(failure) => bad(Subject::Transactions, &failure, RIGHTS_REMEDY),
    }
}

const RIGHTS_REMEDY: &str = "exactly_once needs: transactional ids prefixed `viewtail-`: Write; the topic: Write and \
                             Read; groups prefixed `viewtail-`: Read; and Apache Kafka 2.5 or newer";

fn good(subject: Subject, message: String) -> Finding {
    Finding { subject, outcome: Ok(message) }
}

fn bad(subject: Subject, failure: &Failure, remedy: &str) -> Finding {
    let problem =
        Problem { cause: failure.cause, message: failure.message.clone(), remedy: remedy.to_owned() };
    Finding { subject, outcome: Err(problem) }
}

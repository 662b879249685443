//! The questions of `viewtail check`: do brokers answer, is the topic there, are transactions allowed.
//!
//! Changes nothing that a reader could see: the trial transaction holds one position of a group of its own and is
//! aborted. Its ids end with `-check`, under the prefix that the agent's rights are granted on, so that a running
//! agent is not fenced.

use std::ops::Range;

use super::classify::OLD_BROKER;
use super::edge::Common;
use super::options::{KafkaOptions, Mode};
use super::producer::Producer;
use super::reader::Reader;
use crate::pipeline::action::{Cause, Committed, Failure};
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

/// The committed positions of these groups of an agent, as [`Command::Fetch`](crate::pipeline::action::Command::Fetch) reads
/// them, but without a producer: nobody is fenced. None where the topic does not exist. Blocks, up to half a minute.
///
/// # Errors
/// No broker answers, or the positions may not be read.
pub fn committed(options: &KafkaOptions, groups: Range<u32>) -> Result<Vec<Vec<Committed>>, Failure> {
    let common = Common::default();
    let mut reader = Reader::open(options, &common)?;
    let partitions = reader.look_up(&options.topic)?.unwrap_or(0);
    groups.map(|group| reader.committed(&options.group(group), (&options.topic, partitions))).collect()
}

/// Asks all questions, ending with the first that fails. Blocks, up to about a minute.
#[must_use]
pub fn examine(options: &KafkaOptions) -> Vec<Finding> {
    let common = Common::default();
    let mut findings = Vec::new();
    let topic_is_there = find_topic(options, &common, &mut findings);
    if topic_is_there && options.mode == Mode::ExactlyOnce {
        findings.push(try_transaction(options, &common));
    }
    findings
}

fn find_topic(options: &KafkaOptions, common: &Common, findings: &mut Vec<Finding>) -> bool {
    let brokers = options.brokers.join(", ");
    let mut reader = match Reader::open(options, common) {
        Ok(reader) => reader,
        Err(failure) => {
            findings.push(bad(Subject::Brokers, &failure, BROKER_REMEDY));
            return false;
        }
    };
    let looked_up = reader.look_up(&options.topic);
    // Who refuses the topic has answered.
    match &looked_up {
        Err(failure) if failure.cause != Cause::Refused => {
            findings.push(bad(Subject::Brokers, failure, BROKER_REMEDY));
            return false;
        }
        Ok(_) | Err(_) => findings.push(good(Subject::Brokers, format!("{brokers} answer"))),
    }
    let (finding, is_there) = match looked_up {
        Ok(Some(count)) => (good(Subject::Topic, format!("{} has {count} partitions", options.topic)), true),
        Ok(None) => (missing_topic(options, &options.topic), false),
        Err(failure) => (bad(Subject::Topic, &failure, TOPIC_REMEDY), false),
    };
    findings.push(finding);
    if let Some(rejects) = &options.rejects_topic {
        findings.push(match reader.look_up(rejects) {
            Ok(Some(count)) => good(Subject::Topic, format!("{rejects} has {count} partitions")),
            Ok(None) => missing_topic(options, rejects),
            Err(failure) => bad(Subject::Topic, &failure, REJECTS_REMEDY),
        });
    }
    if let Err(failure) = reader.require_new_broker() {
        findings.push(bad(Subject::Transactions, &failure, OLD_BROKER));
        return false;
    }
    is_there
}

const REJECTS_REMEDY: &str = "correct rejects_topic, or grant Write and Read on it";

const TOPIC_REMEDY: &str = "correct kafka.topic, or grant Write and Read on it";

const BROKER_REMEDY: &str = "check kafka.brokers, kafka.tls and kafka.sasl, and that the brokers' advertised \
                             listeners can be reached from here";

fn missing_topic(options: &KafkaOptions, topic: &str) -> Finding {
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

fn try_transaction(options: &KafkaOptions, common: &Common) -> Finding {
    let trial =
        KafkaOptions { transactional_id: format!("{}-check", options.transactional_id), ..options.clone() };
    let write = ShardWrite { group: 0, partition: 0, sequence: 0, metadata: String::new() };
    let result = Producer::open(&trial, common, RECORD_BYTES_MAX).and_then(|mut producer| {
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

//! The questions of `viewtail check`: do brokers answer, is the topic there, which right is missing, are transactions
//! allowed, how long are records and positions kept.
//!
//! Changes nothing that a reader could see: the trial transaction holds one position of a group of its own and is
//! aborted. Its ids end with `-check`, under the prefix that the agent's rights are granted on, so that a running
//! agent is not fenced.

use super::admin::{Owner, setting};
use super::classify::OLD_BROKER;
use super::connection::Blame;
use super::edge::Common;
use super::ffi::Operation;
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
    /// Whether a topic exists.
    Topic,
    /// Whether the agent may do with it what it has to.
    Rights,
    /// Whether the agent may do transactions.
    Transactions,
    /// How long a topic keeps records.
    Retention,
    /// How long positions are kept while no agent runs.
    Positions,
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub subject: Subject,
    /// Which one: a topic, a transactional id; empty for the brokers.
    pub name: String,
    /// What is good about it, or what is not.
    pub outcome: Outcome,
}

/// How it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Good(String),
    /// The agent works, but somebody should know: the fact and the remedy.
    Doubtful(String, String),
    /// The agent does not work so.
    Bad(Problem),
}

/// Something that keeps the agent from working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Who can remove it; `None` where that is not known.
    pub blame: Option<Blame>,
    /// The fact, one line.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// How old the oldest record will be that is still to be sent, in milliseconds, where records carry the time of their
/// events.
pub type Oldest = Option<u64>;

/// Asks all questions, ending with the first whose answer the others need. Blocks, up to about a minute.
#[must_use]
pub fn examine(options: &KafkaOptions, oldest: Oldest) -> Vec<Finding> {
    let common = Common::default();
    let mut findings = Vec::new();
    let Some(mut reader) = reach(options, &common, &mut findings) else { return findings };
    let are_there = options.topics().fold(true, |all, topic| {
        let is_there = find_topic(&mut reader, options, topic, &mut findings);
        all && is_there
    });
    if let Err(failure) = reader.require_new_broker() {
        let finding = bad(Subject::Transactions, &options.transactional_id, problem(&failure, OLD_BROKER));
        findings.push(finding);
        return findings;
    }
    if !are_there {
        return findings;
    }
    if options.mode == Mode::ExactlyOnce {
        findings.push(try_transaction(options, &common));
        findings.extend(positions_kept(&reader, options));
    }
    let kept = |age_ms| options.event_topics.iter().map(move |topic| records_kept(options, topic, age_ms));
    findings.extend(oldest.into_iter().flat_map(kept));
    findings
}

/// The handle of a client that brokers answer.
fn reach<'a>(
    options: &'a KafkaOptions,
    common: &'a Common,
    findings: &mut Vec<Finding>,
) -> Option<Reader<'a>> {
    let opened = Reader::open(options, common);
    let mut reader = match opened {
        Ok(reader) => reader,
        Err(failure) => {
            findings.push(bad(Subject::Brokers, "", problem(&failure, "correct what is named")));
            return None;
        }
    };
    match reader.look_up(options.anchor()) {
        // Who refuses the topic has answered.
        Err(failure) if !matches!(failure.cause, Cause::Refused | Cause::Forbidden) => {
            let known = reader.obstacle().map(|obstacle| Problem {
                blame: Some(obstacle.blame),
                message: obstacle.fact,
                remedy: obstacle.remedy,
            });
            let problem = known.unwrap_or_else(|| problem(&failure, BROKER_REMEDY));
            findings.push(bad(Subject::Brokers, "", problem));
            None
        }
        Ok(_) | Err(_) => {
            findings.push(good(Subject::Brokers, "", "they answer".to_owned()));
            Some(reader)
        }
    }
}

const TOPIC_REMEDY: &str = "correct kafka.topic, or rejects_topic";

const BROKER_REMEDY: &str = "check kafka.brokers, kafka.tls and kafka.sasl, and that the brokers' advertised \
                             listeners can be reached from here";

/// Whether a topic is there, and the agent has its rights on it.
fn find_topic(
    reader: &mut Reader<'_>,
    options: &KafkaOptions,
    topic: &str,
    findings: &mut Vec<Finding>,
) -> bool {
    match reader.look_up(topic) {
        Ok(Some(count)) => {
            findings.push(good(Subject::Topic, topic, format!("it has {count} partitions")));
            // Brokers that do not say what is allowed will refuse the trial.
            let missing = reader.allowed(topic).and_then(|allowed| missing_right(options, topic, &allowed));
            let is_allowed = missing.is_none();
            findings.extend(missing);
            is_allowed
        }
        Ok(None) => {
            findings.push(missing_topic(options, topic));
            false
        }
        Err(failure) if failure.cause == Cause::Forbidden => {
            let rights = if reads(options, topic) { "Write --operation Read" } else { "Write" };
            findings.push(forbidden(options, topic, "Describe", rights));
            false
        }
        Err(failure) => {
            findings.push(bad(Subject::Topic, topic, problem(&failure, TOPIC_REMEDY)));
            false
        }
    }
}

/// The first right on a topic that is missing.
fn missing_right(options: &KafkaOptions, topic: &str, allowed: &[Operation]) -> Option<Finding> {
    let needed = [(Operation::Write, "Write", true), (Operation::Read, "Read", reads(options, topic))];
    let missing = needed.into_iter().find(|(right, _, is_needed)| *is_needed && !allowed.contains(right));
    missing.map(|(_, name, _)| forbidden(options, topic, name, name))
}

/// Positions are committed on the partitions of the first topic, which takes the right to read it.
fn reads(options: &KafkaOptions, topic: &str) -> bool {
    options.mode == Mode::ExactlyOnce && topic == options.anchor()
}

/// A missing right, and those that are to be given: Write and Read bring Describe along.
fn forbidden(options: &KafkaOptions, topic: &str, missing: &str, given: &str) -> Finding {
    let problem = Problem {
        blame: Some(Blame::Rights),
        message: format!("the right {missing} on topic {topic} is missing"),
        remedy: grant(options, given, &format!("--topic {topic}")),
    };
    bad(Subject::Rights, topic, problem)
}

/// The command that gives a right.
fn grant(options: &KafkaOptions, right: &str, resource: &str) -> String {
    let user = options.property("sasl.username").unwrap_or("NAME");
    format!(
        "kafka-acls.sh --bootstrap-server {} --add --allow-principal User:{user} --operation {right} {resource}",
        first_broker(options)
    )
}

fn first_broker(options: &KafkaOptions) -> &str {
    options.brokers.first().map_or("", String::as_str)
}

fn missing_topic(options: &KafkaOptions, topic: &str) -> Finding {
    if options.create_topic.is_some() {
        let fact = format!("{topic} does not exist and will be created by `viewtail run`");
        return good(Subject::Topic, topic, fact);
    }
    let problem = Problem {
        blame: Some(Blame::Configuration),
        message: format!("topic {topic} does not exist"),
        remedy: format!(
            "kafka-topics.sh --bootstrap-server {} --create --topic {topic}; or set kafka.create_topic: {{partitions: ..., \
             replication_factor: ...}}",
            first_broker(options)
        ),
    };
    bad(Subject::Topic, topic, problem)
}

fn try_transaction(options: &KafkaOptions, common: &Common) -> Finding {
    let id = &options.transactional_id;
    let trial = KafkaOptions { transactional_id: format!("{id}-check"), ..options.clone() };
    let refused = |failure: Failure, right: &str, resource: &str| {
        let remedy = match failure.cause {
            Cause::Forbidden => {
                grant(options, right, &format!("{resource} viewtail- --resource-pattern-type prefixed"))
            }
            Cause::Unreachable
            | Cause::TopicMissing
            | Cause::Fenced
            | Cause::TooLarge
            | Cause::Refused
            | Cause::Other => RIGHTS_REMEDY.to_owned(),
        };
        bad(Subject::Transactions, id, problem(&failure, &remedy))
    };
    let mut producer = match Producer::open(&trial, common, RECORD_BYTES_MAX) {
        Ok(producer) => producer,
        Err(failure) => return refused(failure, "Write", "--transactional-id"),
    };
    let write = ShardWrite { group: 0, partition: 0, sequence: 0, metadata: String::new() };
    let result = producer.begin().and_then(|()| {
        let sent = producer.send_offsets(&[write]);
        // What was begun is ended in any case; why it could not be used says more than how it ended.
        let ended = producer.abort();
        sent.and(ended)
    });
    match result {
        Ok(()) => good(Subject::Transactions, id, "allowed under this id".to_owned()),
        Err(failure) => refused(failure, "Read", "--group"),
    }
}

const RIGHTS_REMEDY: &str = "exactly_once needs: transactional ids prefixed `viewtail-`: Write; the topic: Write and \
                             Read; groups prefixed `viewtail-`: Read; and Apache Kafka 2.5 or newer";

/// How long a broker keeps the positions of an agent that is away. Told to clients with the right to ask alone.
fn positions_kept(reader: &Reader<'_>, options: &KafkaOptions) -> Option<Finding> {
    let minutes: u64 =
        setting(options, Owner::Broker(reader.broker()?), "offsets.retention.minutes")?.parse().ok()?;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let span = if minutes == 0 { format!("{hours} h") } else { format!("{hours} h {minutes} min") };
    let fact = format!(
        "brokers forget the positions of an agent that is away for {span} (offsets.retention.minutes); after that it \
         goes on from its state directory, or begins anew without one"
    );
    Some(good(Subject::Positions, &options.transactional_id, fact))
}

fn records_kept(options: &KafkaOptions, topic: &str, age_ms: u64) -> Finding {
    let Some(kept) = setting(options, Owner::Topic(topic), "retention.ms") else {
        let fact = "brokers do not tell how long the topic keeps records".to_owned();
        let remedy = grant(options, "DescribeConfigs", &format!("--topic {topic}"));
        return finding(Subject::Retention, topic, Outcome::Doubtful(fact, remedy));
    };
    let hours = age_ms / 3_600_000;
    match kept.parse::<u64>() {
        Ok(kept_ms) if kept_ms < age_ms => {
            let fact = format!(
                "the oldest line that is not sent yet is {hours} h old, and the topic keeps records for {} h \
                 (retention.ms): with `timestamp: event` it is deleted as soon as it arrives",
                kept_ms / 3_600_000
            );
            let remedy = "set `timestamp: now`, or raise retention.ms of the topic until the backlog is read";
            finding(Subject::Retention, topic, Outcome::Doubtful(fact, remedy.to_owned()))
        }
        // -1: for ever.
        Ok(_) | Err(_) => good(
            Subject::Retention,
            topic,
            format!("keeps records longer than the oldest unread line, {hours} h"),
        ),
    }
}

fn good(subject: Subject, name: &str, message: String) -> Finding {
    finding(subject, name, Outcome::Good(message))
}

fn bad(subject: Subject, name: &str, problem: Problem) -> Finding {
    finding(subject, name, Outcome::Bad(problem))
}

fn finding(subject: Subject, name: &str, outcome: Outcome) -> Finding {
    Finding { subject, name: name.to_owned(), outcome }
}

fn problem(failure: &Failure, remedy: &str) -> Problem {
    let blame = match failure.cause {
        Cause::Unreachable => Some(Blame::Time),
        Cause::Forbidden => Some(Blame::Rights),
        Cause::TopicMissing | Cause::Refused => Some(Blame::Configuration),
        Cause::Fenced | Cause::TooLarge | Cause::Other => None,
    };
    Problem { blame, message: failure.message.clone(), remedy: remedy.to_owned() }
}

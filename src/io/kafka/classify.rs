//! Which class and cause an error of librdkafka has.
//!
//! Three classes and nothing finer leave this edge; what is not known is fatal, because a new producer that asks
//! Kafka for the truth is always right, and only slower.

use rdkafka::error::RDKafkaErrorCode as Code;

use super::ffi::{Flag, TransactionError};
use crate::pipeline::action::{Cause, Class, Failure};

/// How far the transaction had come when a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing has been asked of the coordinator that could end the transaction.
    Open,
    /// The commit was called: EndTxn may have been sent, and may have been carried out.
    Ending,
}

const UNREACHABLE: &[Code] = &[
    Code::BrokerTransportFailure,
    Code::AllBrokersDown,
    Code::OperationTimedOut,
    Code::MessageTimedOut,
    Code::TimedOutQueue,
    Code::Resolve,
    Code::SSL,
    Code::Authentication,
    Code::SaslAuthenticationFailed,
    Code::UnsupportedSASLMechanism,
    Code::RequestTimedOut,
    Code::NetworkException,
    Code::BrokerNotAvailable,
];

const TOPIC_MISSING: &[Code] = &[Code::UnknownTopicOrPartition, Code::UnknownTopic, Code::UnknownPartition];

const FENCED: &[Code] = &[Code::Fenced, Code::ProducerFenced, Code::InvalidProducerEpoch];

const TOO_LARGE: &[Code] = &[Code::MessageSizeTooLarge, Code::MessageBatchTooLarge];

/// What only a person can change, and what that person has to change.
const REFUSED: &[(Code, Remedy)] = &[
    (Code::TopicAuthorizationFailed, Remedy::TopicRights),
    (Code::GroupAuthorizationFailed, Remedy::GroupRights),
    (Code::ClusterAuthorizationFailed, Remedy::ClusterRights),
    (Code::TransactionalIdAuthorizationFailed, Remedy::TransactionRights),
    (Code::UnsupportedVersion, Remedy::NewerBroker),
    (Code::UnsupportedFeature, Remedy::NewerBroker),
    (Code::UnsupportedForMessageFormat, Remedy::NewerBroker),
    (Code::UnsupportedCompressionType, Remedy::OtherCompression),
    (Code::InvalidTransactionTimeout, Remedy::ShorterTransactions),
    (Code::InvalidRequiredAcks, Remedy::OtherAcks),
];

#[derive(Clone, Copy, Debug)]
enum Remedy {
    TopicRights,
    GroupRights,
    ClusterRights,
    TransactionRights,
    NewerBroker,
    OtherCompression,
    ShorterTransactions,
    OtherAcks,
}

/// What the machine acts on.
pub fn cause(code: Code) -> Cause {
    let is_in = |codes: &[Code]| codes.contains(&code);
    if is_in(UNREACHABLE) {
        Cause::Unreachable
    } else if is_in(TOPIC_MISSING) {
        Cause::TopicMissing
    } else if is_in(FENCED) {
        Cause::Fenced
    } else if is_in(TOO_LARGE) {
        Cause::TooLarge
    } else {
        match refusal(code) {
            Some(remedy) if remedy.is_right() => Cause::Forbidden,
            Some(_) => Cause::Refused,
            None => Cause::Other,
        }
    }
}

fn refusal(code: Code) -> Option<Remedy> {
    REFUSED.iter().find(|(refused, _)| *refused == code).map(|(_, remedy)| *remedy)
}

impl Remedy {
    /// Whether somebody has to give a right.
    fn is_right(self) -> bool {
        match self {
            Self::TopicRights | Self::GroupRights | Self::ClusterRights | Self::TransactionRights => true,
            Self::NewerBroker | Self::OtherCompression | Self::ShorterTransactions | Self::OtherAcks => false,
        }
    }
}

/// The class of a transactional call's error.
///
/// Once the commit was called, only one abortable error proves that EndTxn was never sent: `_INCONSISTENT`, which
/// librdkafka gives when it counts undelivered records just before it would send it. Every other one may hide a
/// commit that took place.
pub fn class(error: &TransactionError, stage: Stage) -> Class {
    match (error.flag, stage) {
        (Flag::Retriable, Stage::Open | Stage::Ending) => Class::Retriable,
        (Flag::RequiresAbort, Stage::Open) => Class::Abortable,
        (Flag::RequiresAbort, Stage::Ending) if error.code == Code::Inconsistent => Class::Abortable,
        (Flag::RequiresAbort, Stage::Ending) | (Flag::Fatal | Flag::None, Stage::Open | Stage::Ending) => {
            Class::Fatal
        }
    }
}

/// What a person can do about a code, as a clause that follows the fact; `None` if time is the remedy.
pub fn remedy(code: Code, resources: &Resources<'_>) -> Option<String> {
    let prefix = resources.prefix;
    Some(match refusal(code)? {
        Remedy::TopicRights => format!("grant Write and Read on {}", resources.topics()),
        Remedy::GroupRights => format!("grant Read on groups prefixed {prefix}"),
        Remedy::TransactionRights => format!("grant Write on transactional ids prefixed {prefix}"),
        Remedy::ClusterRights => {
            format!(
                "grant Write on {}; brokers before 2.8 also want IdempotentWrite on the cluster",
                resources.topics()
            )
        }
        Remedy::NewerBroker => OLD_BROKER.to_owned(),
        Remedy::OtherCompression => "choose another kafka.compression".to_owned(),
        Remedy::ShorterTransactions => {
            "raise the broker's transaction.max.timeout.ms, or choose delivery: at_least_once".to_owned()
        }
        Remedy::OtherAcks => "choose another kafka.acks".to_owned(),
    })
}

/// librdkafka's own words for a code; as it is displayed, a name of the Rust library stands before them.
pub fn words(code: Code) -> String {
    let shown = code.to_string();
    let words = shown.split_once(" (").and_then(|(_, words)| words.strip_suffix(')'));
    words.unwrap_or(&shown).to_owned()
}

/// The sentence on brokers that lack what exactly-once needs (KIP-447: group metadata in transactions).
pub const OLD_BROKER: &str =
    "exactly_once needs Apache Kafka 2.5 or newer; on older brokers choose delivery: at_least_once";

/// The names that a message on missing rights has to say.
#[derive(Clone, Copy, Debug)]
pub struct Resources<'a> {
    /// The topics of events.
    pub topics: &'a [String],
    /// What transactional id and groups start with.
    pub prefix: &'a str,
}

impl Resources<'_> {
    fn topics(&self) -> String {
        let noun = if self.topics.len() == 1 { "topic" } else { "topics" };
        format!("{noun} {}", self.topics.join(", "))
    }
}

/// The failure of a transactional call.
pub fn transaction_failure(error: &TransactionError, stage: Stage, resources: &Resources<'_>) -> Failure {
    let message = with_remedy(&error.text, error.code, resources);
    Failure { class: class(error, stage), cause: cause(error.code), message }
}

/// The fact, followed by the remedy if there is one.
pub fn with_remedy(fact: &str, code: Code, resources: &Resources<'_>) -> String {
    // OpenSSL's reasons come on several lines.
    let fact = fact.trim_end_matches(['.', '\n']).replace('\n', " ");
    match remedy(code, resources) {
        Some(remedy) => format!("{fact}: {remedy}"),
        None => fact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESOURCES: Resources<'_> = Resources { topics: &[], prefix: "viewtail-" };

    fn error(code: Code, flag: Flag) -> TransactionError {
        TransactionError { code, flag, text: "it failed.".to_owned() }
    }

    #[test]
    fn librdkafkas_flag_decides_while_the_transaction_is_open() {
        let class_of = |flag| class(&error(Code::Inconsistent, flag), Stage::Open);
        assert_eq!(class_of(Flag::Retriable), Class::Retriable);
        assert_eq!(class_of(Flag::RequiresAbort), Class::Abortable);
        assert_eq!(class_of(Flag::Fatal), Class::Fatal);
    }

    #[test]
    fn a_person_reads_no_rust_names() {
        assert_eq!(words(Code::BrokerTransportFailure), "Local: Broker transport failure");
        assert_eq!(words(Code::TopicAuthorizationFailed), "Broker: Topic authorization failed");
    }

    #[test]
    fn what_is_not_classified_is_fatal_at_any_stage() {
        for stage in [Stage::Open, Stage::Ending] {
            assert_eq!(class(&error(Code::Unknown, Flag::None), stage), Class::Fatal);
            assert_eq!(class(&error(Code::OperationTimedOut, Flag::None), stage), Class::Fatal);
        }
    }

    #[test]
    fn an_abortable_error_of_a_commit_is_fatal_unless_end_txn_was_certainly_not_sent() {
        assert_eq!(class(&error(Code::Inconsistent, Flag::RequiresAbort), Stage::Ending), Class::Abortable);
        for code in [Code::UnknownProducerId, Code::InvalidProducerIdMapping, Code::MessageTimedOut] {
            assert_eq!(class(&error(code, Flag::RequiresAbort), Stage::Ending), Class::Fatal);
        }
    }

    #[test]
    fn causes_are_told_apart() {
        assert_eq!(cause(Code::AllBrokersDown), Cause::Unreachable);
        assert_eq!(cause(Code::Authentication), Cause::Unreachable);
        assert_eq!(cause(Code::UnknownTopicOrPartition), Cause::TopicMissing);
        assert_eq!(cause(Code::Fenced), Cause::Fenced);
        assert_eq!(cause(Code::InvalidProducerEpoch), Cause::Fenced);
        assert_eq!(cause(Code::MessageSizeTooLarge), Cause::TooLarge);
        assert_eq!(cause(Code::InvalidTransactionTimeout), Cause::Refused);
        assert_eq!(cause(Code::CoordinatorNotAvailable), Cause::Other);
    }

    #[test]
    fn every_refusal_names_a_remedy_and_nothing_else_does() {
        for (code, _) in REFUSED {
            assert!(remedy(*code, &RESOURCES).is_some(), "{code}");
        }
        assert_eq!(remedy(Code::AllBrokersDown, &RESOURCES), None);
        let message = with_remedy("it failed.", Code::TransactionalIdAuthorizationFailed, &RESOURCES);
        assert_eq!(message, "it failed: grant Write on transactional ids prefixed viewtail-");
        let topics = ["views.a".to_owned(), "views.b".to_owned()];
        for (topics, named) in [(&topics[..1], "topic views.a"), (&topics, "topics views.a, views.b")] {
            let message = remedy(Code::TopicAuthorizationFailed, &Resources { topics, ..RESOURCES });
            assert_eq!(message, Some(format!("grant Write and Read on {named}")));
        }
    }
}

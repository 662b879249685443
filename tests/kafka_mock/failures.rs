//! Error injection, class by class.

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Code};
use viewtail::io::kafka::connection::Blame;
use viewtail::io::kafka::lookup::{Outcome, Subject, examine};
use viewtail::pipeline::action::{Cause, Class, Command, Reply};

use crate::support::{
    PARTITIONS, Rig, at_least_once, best_effort, block, cluster, connect, fetch, options, push, write,
};

#[test]
fn a_fenced_commit_is_fatal() {
    for error in [Code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, Code::RD_KAFKA_RESP_ERR_PRODUCER_FENCED] {
        let rig = Rig::connected(|_| {});
        rig.ready_to_commit(1);
        rig.inject(RDKafkaApiKey::EndTxn, &[error]);
        let failure = rig.fail(Command::Commit);
        assert_eq!((failure.class, failure.cause), (Class::Fatal, Cause::Fenced), "{failure:?}");
        rig.connect();
    }
}

#[test]
fn an_abortable_answer_to_end_txn_leaves_the_outcome_unknown() {
    for error in [Code::RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, Code::RD_KAFKA_RESP_ERR_UNKNOWN] {
        let rig = Rig::connected(|_| {});
        rig.ready_to_commit(1);
        rig.inject(RDKafkaApiKey::EndTxn, &[error]);
        assert_eq!(rig.fail(Command::Commit).class, Class::Fatal, "{error:?}");
    }
}

#[test]
fn a_commit_without_the_flush_still_notices_lost_records_and_sends_no_end_txn() {
    let rig = Rig::connected(|_| {});
    rig.inject(RDKafkaApiKey::Produce, &[Code::RD_KAFKA_RESP_ERR_INVALID_RECORD]);
    rig.begin_with(block(1));
    // If EndTxn were sent, this error would make the commit fatal.
    rig.inject(RDKafkaApiKey::EndTxn, &[Code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH]);
    let failure = rig.fail(Command::Commit);
    assert_eq!(failure.class, Class::Abortable, "{failure:?}");
}

#[test]
fn a_record_that_the_broker_finds_too_large_makes_the_transaction_abortable() {
    let rig = Rig::connected(|_| {});
    rig.inject(RDKafkaApiKey::Produce, &[Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    rig.begin_with(block(1));
    let failure = rig.fail(Command::Flush);
    assert_eq!((failure.class, failure.cause), (Class::Abortable, Cause::TooLarge), "{failure:?}");
    assert!(matches!(rig.ask(Command::Abort), Reply::Aborted));
}

#[test]
fn a_record_that_librdkafka_finds_too_large_is_not_queued() {
    let mut large = block(0);
    push(&mut large, "", &"x".repeat(2_000_000), 0, 0);
    let rig = Rig::connected(|_| {});
    assert!(matches!(rig.ask(Command::Begin), Reply::Began));
    let failure = rig.fail(Command::Produce(large));
    assert_eq!((failure.class, failure.cause), (Class::Abortable, Cause::TooLarge), "{failure:?}");
    assert!(failure.message.contains("2000000 bytes"), "{failure:?}");
    assert!(matches!(rig.ask(Command::Abort), Reply::Aborted));
}

#[test]
fn missing_rights_on_the_topic_are_named() {
    for api in [RDKafkaApiKey::Produce, RDKafkaApiKey::AddPartitionsToTxn] {
        let rig = Rig::connected(|_| {});
        rig.inject(api, &[Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
        rig.begin_with(block(50));
        let failure = rig.fail(Command::Flush);
        assert_eq!(
            (failure.class, failure.cause),
            (Class::Abortable, Cause::Forbidden),
            "{api:?} {failure:?}"
        );
        assert!(failure.message.contains("grant Write and Read on topic views"), "{failure:?}");
        assert!(matches!(rig.ask(Command::Abort), Reply::Aborted));
    }
}

#[test]
fn missing_rights_on_the_group_are_named() {
    let rig = Rig::connected(|_| {});
    assert!(matches!(rig.ask(Command::Begin), Reply::Began));
    rig.inject(RDKafkaApiKey::AddOffsetsToTxn, &[Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED]);
    let failure = rig.fail(Command::SendOffsets(vec![write(0, 1)]));
    assert_eq!((failure.class, failure.cause), (Class::Abortable, Cause::Forbidden), "{failure:?}");
    assert!(failure.message.contains("groups prefixed viewtail-"), "{failure:?}");
}

#[test]
fn a_refused_init_is_said_with_its_remedy() {
    for (error, cause, remedy) in [
        (
            Code::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            Cause::Forbidden,
            "grant Write on transactional ids prefixed viewtail-",
        ),
        (Code::RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, Cause::Refused, "transaction.max.timeout.ms"),
    ] {
        let rig = Rig::new(|_| {});
        rig.inject(RDKafkaApiKey::InitProducerId, &[error]);
        let failure = rig.fail(connect());
        assert_eq!((failure.class, failure.cause), (Class::Fatal, cause), "{failure:?}");
        assert!(failure.message.contains(remedy), "{failure:?}");
    }
}

#[test]
fn a_coordinator_that_is_loading_is_waited_for_at_init() {
    let rig = Rig::new(|_| {});
    let loading = Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
    rig.inject(RDKafkaApiKey::InitProducerId, &[loading, loading]);
    rig.connect();
}

#[test]
fn brokers_older_than_2_5_are_refused_for_transactions_alone() {
    let old = || {
        let cluster = cluster();
        cluster.apiversion(RDKafkaApiKey::TxnOffsetCommit, Some(0), Some(2)).unwrap();
        cluster
    };
    let failure = Rig::on(old(), |_| {}).fail(connect());
    assert_eq!((failure.class, failure.cause), (Class::Fatal, Cause::Refused));
    assert!(failure.message.contains("Apache Kafka 2.5"), "{failure:?}");
    Rig::on(old(), at_least_once).connect();
}

#[test]
fn positions_are_read_again_until_the_answer_is_clean() {
    let rig = Rig::connected(|_| {});
    let errors = [
        Code::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
        Code::RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
        Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        Code::RD_KAFKA_RESP_ERR__TRANSPORT,
    ];
    rig.inject(RDKafkaApiKey::OffsetFetch, &errors);
    let Reply::Fetched(groups) = rig.ask(fetch(0..1)) else { panic!("not fetched") };
    assert_eq!(groups[0].len(), PARTITIONS as usize);
}

#[test]
fn positions_that_never_become_stable_are_not_guessed() {
    let rig = Rig::connected(|options| {
        options.transaction_timeout_ms = 1_500;
        options.socket_timeout_ms = 1_000;
    });
    rig.inject(RDKafkaApiKey::OffsetFetch, &[Code::RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT; 200]);
    assert_eq!(rig.fail(fetch(0..1)).class, Class::Retriable);
}

#[test]
fn undelivered_records_are_fatal_in_at_least_once_and_counted_in_best_effort() {
    let error = [Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE];
    let rig = Rig::connected(at_least_once);
    rig.inject(RDKafkaApiKey::Produce, &error);
    rig.begin_with(block(1));
    let failure = rig.fail(Command::Flush);
    assert_eq!((failure.class, failure.cause), (Class::Fatal, Cause::TooLarge), "{failure:?}");

    let rig = Rig::connected(best_effort);
    rig.inject(RDKafkaApiKey::Produce, &error);
    rig.begin_with(block(1));
    assert!(matches!(rig.ask(Command::Flush), Reply::Flushed { failed: 1 }));
    assert!(matches!(rig.ask(Command::Produce(block(1))), Reply::Produced(_)));
    assert!(matches!(rig.ask(Command::Flush), Reply::Flushed { failed: 0 }));
}

#[test]
fn check_names_the_missing_right() {
    let cluster = cluster();
    cluster.request_errors(
        RDKafkaApiKey::InitProducerId,
        &[Code::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED],
    );
    let finding = examine(&options(&cluster), None).pop().unwrap();
    assert_eq!(finding.subject, Subject::Transactions);
    let Outcome::Bad(problem) = finding.outcome else { panic!("{finding:?}") };
    assert_eq!(problem.blame, Some(Blame::Rights));
    assert!(problem.message.contains("transactional ids prefixed viewtail-"), "{problem:?}");
    assert!(problem.remedy.contains("--operation Write --transactional-id viewtail-"), "{problem:?}");
}

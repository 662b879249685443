//! Epoch hygiene: a commit that hid a retry is known. These tests fail if librdkafka's log texts change.

use std::time::Duration;

use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Code};
use viewtail::pipeline::action::{Command, Reply};

use crate::support::{Rig, TOPIC, write};

fn tainted(reply: &Reply) -> bool {
    let Reply::Committed { tainted } = reply else { panic!("not committed: {reply:?}") };
    *tainted
}

/// The retry of each of these is hidden inside a commit that succeeds. COORDINATOR_LOAD_IN_PROGRESS closes no
/// connection and changes no coordinator, so only the `ENDTXN` line can tell of it.
#[test]
fn a_hidden_retry_of_the_commit_taints() {
    for error in [
        Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        Code::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
        Code::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
        Code::RD_KAFKA_RESP_ERR__TRANSPORT,
    ] {
        let rig = Rig::connected(|_| {});
        rig.ready_to_commit(1);
        rig.inject(RDKafkaApiKey::EndTxn, &[error]);
        assert!(tainted(&rig.ask(Command::Commit)), "{error:?}");
    }
}

#[test]
fn the_taint_of_one_transaction_is_not_that_of_the_next() {
    let rig = Rig::connected(|_| {});
    rig.ready_to_commit(1);
    rig.inject(RDKafkaApiKey::EndTxn, &[Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS]);
    assert!(tainted(&rig.ask(Command::Commit)));
    rig.connect();
    rig.ready_to_commit(2);
    assert!(!tainted(&rig.ask(Command::Commit)));
}

/// With another broker up there is no client error "all brokers are down": only the log line tells of it.
#[test]
fn a_connection_that_closes_under_a_request_taints() {
    let rig = two_brokers();
    for partition in 0..3 {
        rig.cluster.partition_leader(TOPIC, partition, Some(2)).unwrap();
    }
    rig.connect();
    rig.inject(RDKafkaApiKey::Produce, &[Code::RD_KAFKA_RESP_ERR__TRANSPORT]);
    rig.ready_to_commit(1);
    assert!(tainted(&rig.ask(Command::Commit)));
}

#[test]
fn a_new_coordinator_taints() {
    let rig = two_brokers();
    rig.connect();
    assert!(matches!(rig.ask(Command::Begin), Reply::Began));
    rig.cluster.coordinator(transaction(), 2).unwrap();
    rig.inject(RDKafkaApiKey::AddOffsetsToTxn, &[Code::RD_KAFKA_RESP_ERR_NOT_COORDINATOR]);
    assert!(matches!(rig.ask(Command::SendOffsets(vec![write(0, 1)])), Reply::OffsetsSent));
    assert!(tainted(&rig.ask(Command::Commit)));
}

/// Two brokers, of which the first coordinates transactions.
fn two_brokers() -> Rig {
    let cluster = MockCluster::new(2).unwrap();
    cluster.create_topic(TOPIC, 3, 1).unwrap();
    cluster.coordinator(transaction(), 1).unwrap();
    Rig::on(cluster, |_| {})
}

fn transaction() -> MockCoordinator {
    MockCoordinator::Transaction("viewtail-test".into())
}

#[test]
fn a_slow_commit_taints() {
    let rig = Rig::connected(|options| options.socket_timeout_ms = 1_000);
    rig.ready_to_commit(1);
    rig.cluster.broker_round_trip_time(-1, Duration::from_millis(700)).unwrap();
    assert!(tainted(&rig.ask(Command::Commit)));
}

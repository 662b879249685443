//! Brokers that are away: nothing hangs, nothing is dropped, and what is said names the brokers.

use std::net::TcpListener;
use std::time::Duration;

use rdkafka::mocking::{MockCluster, MockCoordinator};
use viewtail::io::clock;
use viewtail::io::kafka::{KafkaOptions, QueueLimits};
use viewtail::pipeline::action::{Cause, Class, Command, Reply};

use crate::support::{Cluster, Rig, TOPIC, at_least_once, block, cluster, connect, fetch, write};

#[test]
fn brokers_that_are_away_are_named_within_ten_seconds() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let rig = Rig::new(|options| options.brokers = vec![address.clone()]);
    let started = clock::now();
    let failure = rig.fail(connect());
    assert!(started.elapsed() < Duration::from_secs(11), "{:?}", started.elapsed());
    assert_eq!((failure.class, failure.cause), (Class::Retriable, Cause::Unreachable));
    assert!(failure.message.contains(&address) && failure.message.contains("refused"), "{failure:?}");
}

/// A name with two addresses of which only the second answers: "all brokers are down" comes before that is tried.
#[test]
fn a_name_whose_first_address_is_dead_is_no_outage() {
    let cluster = cluster();
    let port = cluster.bootstrap_servers().rsplit_once(':').unwrap().1.to_owned();
    let rig = Rig::on(cluster, |options| options.brokers = vec![format!("localhost:{port}")]);
    rig.connect();
}

#[test]
fn tls_against_a_plain_listener_is_explained() {
    let property = ("security.protocol".to_owned(), "ssl".to_owned());
    let failure = Rig::new(|options| options.properties.push(property)).fail(connect());
    assert_eq!((failure.class, failure.cause), (Class::Retriable, Cause::Unreachable));
    assert!(failure.message.contains("does not answer to TLS: it expects plain text"), "{failure:?}");
    assert!(!failure.message.contains('\n'), "{failure:?}");
}

#[test]
fn a_broker_that_accepts_and_says_nothing_is_given_up_within_ten_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let rig = Rig::new(|options| options.brokers = vec![address]);
    let started = clock::now();
    let failure = rig.fail(connect());
    assert!(started.elapsed() < Duration::from_secs(11), "{:?}", started.elapsed());
    assert_eq!((failure.class, failure.cause), (Class::Retriable, Cause::Unreachable));
}

#[test]
fn an_outage_delays_records_without_transactions_and_loses_none() {
    let rig = Rig::connected(|options| {
        at_least_once(options);
        options.buffer = QueueLimits { messages: 100, bytes: 100_000 };
    });
    rig.cluster.broker_down(-1).unwrap();
    rig.edge.send(Command::Produce(block(1_000)));
    rig.edge.send(Command::Flush);
    rig.cluster.broker_up(-1).unwrap();
    assert!(matches!(rig.ask(Command::Begin), Reply::Produced(_)));
    assert!(matches!(rig.ask(Command::Disconnect), Reply::Flushed { failed: 0 }));
}

#[test]
fn an_outage_makes_a_transaction_abortable() {
    let rig = Rig::connected(|options| {
        options.transaction_timeout_ms = 2_000;
        options.socket_timeout_ms = 1_000;
    });
    assert!(matches!(rig.ask(Command::Begin), Reply::Began));
    rig.cluster.broker_down(-1).unwrap();
    assert!(matches!(rig.ask(Command::Produce(block(10))), Reply::Produced(_)));
    let failure = rig.fail(Command::Flush);
    assert_eq!(failure.class, Class::Abortable, "{failure:?}");
    assert!(matches!(rig.ask(Command::Disconnect), Reply::Disconnected));
}

#[test]
fn a_stop_ends_waiting_for_room() {
    let rig = Rig::connected(|options| {
        at_least_once(options);
        options.buffer = QueueLimits { messages: 100, bytes: 100_000 };
    });
    rig.cluster.broker_down(-1).unwrap();
    rig.edge.stop_by(clock::now() + Duration::from_millis(200));
    let started = clock::now();
    assert_eq!(rig.fail(Command::Produce(block(1_000))).cause, Cause::Unreachable);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn dropping_the_producer_does_not_wait_for_what_is_queued() {
    let rig = Rig::connected(at_least_once);
    rig.cluster.broker_down(-1).unwrap();
    assert!(matches!(rig.ask(Command::Produce(block(1_000))), Reply::Produced(_)));
    let started = clock::now();
    assert!(matches!(rig.ask(Command::Disconnect), Reply::Disconnected));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn an_abort_takes_the_reports_of_what_it_gives_up() {
    let rig = Rig::connected(|options| options.flush.frequency_ms = 10_000);
    rig.begin_with(block(5_000));
    let started = clock::now();
    assert!(matches!(rig.ask(Command::Abort), Reply::Aborted));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// Of which librdkafka would end the process: see `ffi/offsets.rs`.
#[test]
fn positions_are_asked_for_anew_when_their_coordinator_comes_back_late() {
    let (cluster, adjust) = with_a_coordinator_apart();
    let rig = Rig::on(cluster, |options| {
        adjust(options);
        options.transaction_timeout_ms = 20_000;
    });
    rig.connect();
    rig.cluster.broker_down(2).unwrap();
    rig.edge.send(fetch(0..1));
    // Behind the first answer that is late, before the last one.
    std::thread::sleep(Duration::from_millis(2_500));
    rig.cluster.broker_up(2).unwrap();
    let Reply::Fetched(groups) = rig.ask(Command::Begin) else { panic!("not fetched") };
    assert_eq!(groups[0].len(), 3);
    assert!(matches!(rig.ask(Command::Disconnect), Reply::Began));
}

/// librdkafka's issue 5456: with the group's coordinator gone, writing positions blocks past its own timeout. The
/// watchdog answers in its place, and the next producer works.
#[test]
fn writing_positions_to_a_lost_coordinator_does_not_hang() {
    let (cluster, adjust) = with_a_coordinator_apart();
    let rig = Rig::on(cluster, adjust);
    rig.connect();
    rig.begin_with(block(5));
    assert!(matches!(rig.ask(Command::Flush), Reply::Flushed { failed: 0 }));
    rig.cluster.broker_down(2).unwrap();
    let started = clock::now();
    let failure = rig.fail(Command::SendOffsets(vec![write(0, 1)]));
    assert_eq!(failure.class, Class::Fatal, "{failure:?}");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    rig.cluster.broker_up(2).unwrap();
    rig.connect();
    rig.ready_to_commit(1);
}

/// Two brokers, of which the second has the group's positions and nothing else; and timeouts that are short.
fn with_a_coordinator_apart() -> (Cluster, fn(&mut KafkaOptions)) {
    let cluster = MockCluster::new(2).unwrap();
    cluster.create_topic(TOPIC, 3, 1).unwrap();
    cluster.coordinator(MockCoordinator::Transaction("viewtail-test".into()), 1).unwrap();
    cluster.coordinator(MockCoordinator::Group("viewtail-test".into()), 2).unwrap();
    for partition in 0..3 {
        cluster.partition_leader(TOPIC, partition, Some(1)).unwrap();
    }
    (cluster, |options| {
        options.transaction_timeout_ms = 2_000;
        options.socket_timeout_ms = 1_000;
    })
}

//! Every command does what it says when nothing goes wrong.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use viewtail::io::clock;
use viewtail::io::kafka::lookup::{Outcome, Subject, examine};
use viewtail::io::kafka::{Acks, Compression, CreateTopic, QueueLimits};
use viewtail::pipeline::action::{Cause, Class, Command, Reply};
use viewtail::pipeline::batch::{ANY_PARTITION, Destination};

use crate::support::{
    PARTITIONS, Rig, TOPIC, at_least_once, best_effort, block, cluster, connect, fetch, options, push, write,
};

#[test]
fn a_transaction_runs_from_connect_to_disconnect() {
    let rig = Rig::new(|_| {});
    let Reply::Connected { partitions, cluster_id } = rig.ask(connect()) else { panic!("not connected") };
    assert_eq!(partitions, [PARTITIONS]);
    assert!(cluster_id.is_some_and(|id| id.starts_with("mockCluster")));

    let Reply::Fetched(groups) = rig.ask(fetch(0..2)) else { panic!("not fetched") };
    assert_eq!(groups.len(), 2);
    for group in groups {
        assert_eq!(group.len(), PARTITIONS as usize);
        assert!(group.iter().all(|committed| committed.sequence.is_none() && committed.metadata.is_empty()));
    }

    assert!(matches!(rig.ask(Command::Begin), Reply::Began));
    let Reply::Produced(returned) = rig.ask(Command::Produce(block(7))) else { panic!("not produced") };
    assert_eq!(returned.records.len(), 7, "the block comes back for reuse");
    assert!(matches!(rig.ask(Command::Flush), Reply::Flushed { failed: 0 }));
    let writes = vec![write(1, 1), write(2, 1), write(0, 1)];
    assert!(matches!(rig.ask(Command::SendOffsets(writes)), Reply::OffsetsSent));
    assert!(matches!(rig.ask(Command::Commit), Reply::Committed { tainted: false }));

    rig.ready_to_commit(2);
    assert!(matches!(rig.ask(Command::Commit), Reply::Committed { tainted: false }));
    assert!(matches!(rig.ask(Command::Disconnect), Reply::Disconnected));
    assert_eq!(rig.fail(Command::Begin).class, Class::Fatal);
    rig.connect();
}

#[test]
fn an_empty_transaction_and_one_of_positions_alone_commit() {
    let rig = Rig::connected(|_| {});
    assert!(matches!(rig.ask(Command::Begin), Reply::Began));
    assert!(matches!(rig.ask(Command::Commit), Reply::Committed { tainted: false }));
    assert!(matches!(rig.ask(Command::Begin), Reply::Began));
    assert!(matches!(rig.ask(Command::SendOffsets(vec![write(0, 1)])), Reply::OffsetsSent));
    assert!(matches!(rig.ask(Command::Commit), Reply::Committed { tainted: false }));
}

#[test]
fn records_arrive_with_key_value_partition_and_timestamp() {
    let rig = Rig::connected(|_| {});
    let before = i64::try_from(clock::unix_milliseconds()).unwrap();
    let mut sent = block(0);
    push(&mut sent, "k", "stamped", 1, 1_234_567);
    push(&mut sent, "", "unstamped", 1, 0);
    push(&mut sent, "", "", 1, 7);
    rig.begin_with(sent);
    assert!(matches!(rig.ask(Command::Flush), Reply::Flushed { failed: 0 }));
    assert!(matches!(rig.ask(Command::Commit), Reply::Committed { .. }));

    let found = read(&rig.cluster.bootstrap_servers(), 1, 3);
    assert_eq!(found[0], (Some("k".into()), "stamped".into(), 1_234_567));
    assert_eq!((&found[1].0, found[1].1.as_str()), (&None, "unstamped"));
    assert!(found[1].2 >= before, "stamped when it was handed over");
    assert_eq!(found[2], (None, String::new(), 7));
}

#[test]
fn rejects_have_a_topic_of_their_own_in_the_same_transaction() {
    let cluster = cluster();
    cluster.create_topic("rejects", 1, 1).unwrap();
    let rig = Rig::on(cluster, |options| options.rejects_topic = Some("rejects".into()));
    rig.connect();
    let mut sent = block(0);
    push(&mut sent, "k", "event", 1, 0);
    push(&mut sent, "k", "reject", ANY_PARTITION, 7);
    push(&mut sent, "k", "another", ANY_PARTITION, 0);
    for record in &mut sent.records[1..] {
        record.destination = Destination::Rejects;
    }
    rig.begin_with(sent);
    assert!(matches!(rig.ask(Command::Flush), Reply::Flushed { failed: 0 }));
    assert!(matches!(rig.ask(Command::Commit), Reply::Committed { .. }));

    let brokers = rig.cluster.bootstrap_servers();
    let rejects = read_topic(&brokers, ("rejects", 0), 2);
    assert_eq!(rejects[0], (Some("k".into()), "reject".into(), 7));
    assert_eq!(rejects[1].1, "another");
    assert_eq!(read(&brokers, 1, 1)[0].1, "event");
}

#[test]
fn a_missing_topic_of_rejects_is_missed_before_anything_is_sent() {
    let rig = Rig::new(|options| options.rejects_topic = Some("absent".into()));
    let failure = rig.fail(connect());
    assert_eq!(failure.cause, Cause::TopicMissing);
    assert!(failure.message.contains("topic absent does not exist"), "{}", failure.message);
}

#[test]
fn a_commit_does_not_wait_for_a_polling_slice() {
    let rig = Rig::connected(|_| {});
    let mut times: Vec<Duration> = (1..=20)
        .map(|sequence| {
            rig.begin_with(block(100));
            let started = clock::now();
            assert!(matches!(rig.ask(Command::Flush), Reply::Flushed { failed: 0 }));
            assert!(matches!(rig.ask(Command::SendOffsets(vec![write(0, sequence)])), Reply::OffsetsSent));
            assert!(matches!(rig.ask(Command::Commit), Reply::Committed { tainted: false }));
            started.elapsed()
        })
        .collect();
    times.sort();
    assert!(times[10] < Duration::from_millis(50), "from last record to committed: {times:?}");
}

#[test]
fn a_tiny_queue_takes_any_number_of_records_in_every_mode() {
    let tiny = QueueLimits { messages: 10, bytes: 2048 };
    for adjust in [None, Some(at_least_once as fn(&mut _)), Some(best_effort as fn(&mut _))] {
        let rig = Rig::connected(|options| {
            options.buffer = tiny;
            if let Some(adjust) = adjust {
                adjust(options);
            }
        });
        rig.begin_with(block(300));
        assert!(matches!(rig.ask(Command::Produce(block(300))), Reply::Produced(_)));
        assert!(matches!(rig.ask(Command::Flush), Reply::Flushed { failed: 0 }));
    }
}

/// Of each partition there is a part of a batch, which librdkafka would not send before its time.
#[test]
fn a_queue_that_is_full_is_sent_though_no_batch_in_it_is() {
    let started = clock::now();
    for adjust in [at_least_once as fn(&mut _), best_effort, |_| {}] {
        let rig = Rig::connected(|options| {
            options.buffer = QueueLimits { messages: 30, bytes: 1_000_000 };
            options.flush.frequency_ms = 20_000;
            adjust(options);
        });
        rig.begin_with(block(300));
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_record_waits_for_the_commit_and_not_for_the_frequency_where_nobody_sees_it_before() {
    let ends = |rig: &Rig| {
        let consumer = consumer(&rig.cluster.bootstrap_servers());
        let end = |partition| consumer.fetch_watermarks(TOPIC, partition, Duration::from_secs(10)).unwrap().1;
        (0..i32::try_from(PARTITIONS).unwrap()).map(end).sum::<i64>()
    };
    let rig = Rig::connected(|options| options.flush.frequency_ms = 1);
    rig.begin_with(block(5));
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(ends(&rig), 0);
    assert!(matches!(rig.ask(Command::Flush), Reply::Flushed { failed: 0 }));
    assert_eq!(ends(&rig), 5);

    let rig = Rig::connected(at_least_once);
    rig.begin_with(block(5));
    let deadline = clock::now() + Duration::from_secs(10);
    while ends(&rig) < 5 {
        assert!(before(deadline), "it waited for a flush");
    }
}

#[test]
fn modes_without_transactions_have_none() {
    for adjust in [at_least_once, best_effort] {
        let rig = Rig::connected(adjust);
        rig.begin_with(block(3));
        assert!(matches!(rig.ask(Command::Flush), Reply::Flushed { failed: 0 }));
        assert_eq!(rig.fail(Command::Commit).class, Class::Fatal);
    }
    let rig = Rig::connected(|options| {
        best_effort(options);
        options.acks = Acks::None;
    });
    rig.begin_with(block(3));
    assert!(matches!(rig.ask(Command::Flush), Reply::Flushed { failed: 0 }));
}

#[test]
fn every_codec_is_built_in() {
    for compression in
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
    {
        let rig = Rig::connected(|options| options.compression = compression);
        rig.ready_to_commit(1);
        assert!(matches!(rig.ask(Command::Commit), Reply::Committed { tainted: false }), "{compression:?}");
    }
}

#[test]
fn a_missing_topic_is_said_and_not_created() {
    let rig = Rig::new(|options| options.event_topics = vec!["absent".into()]);
    for _ in 0..2 {
        let failure = rig.fail(connect());
        assert_eq!((failure.class, failure.cause), (Class::Retriable, Cause::TopicMissing));
        assert!(
            failure.message.contains("absent") && failure.message.contains("create_topic"),
            "{failure:?}"
        );
    }
    assert!(!topics(&rig.cluster.bootstrap_servers()).contains("absent"));
    rig.cluster.create_topic("absent", i32::try_from(PARTITIONS).unwrap(), 1).unwrap();
    rig.connect();
}

/// The mock cluster creates no topics on request.
#[test]
fn a_topic_that_cannot_be_created_stays_missing() {
    let rig = Rig::new(|options| {
        options.event_topics = vec!["absent".into()];
        options.create_topic = Some(CreateTopic { partitions: 3, replication_factor: 1 });
    });
    let failure = rig.fail(connect());
    assert_eq!((failure.class, failure.cause), (Class::Retriable, Cause::TopicMissing));
    assert!(failure.message.contains("cannot be created"), "{failure:?}");
}

#[test]
fn a_verbatim_property_is_checked() {
    let with = |name: &str, value: &str| {
        let property = (name.to_owned(), value.to_owned());
        Rig::new(|options| options.properties.push(property)).fail(connect())
    };
    for (failure, name) in [(with("acks", "0"), "acks"), (with("no.such.thing", "1"), "no.such.thing")] {
        assert_eq!((failure.class, failure.cause), (Class::Fatal, Cause::Refused));
        assert!(failure.message.contains(name), "{failure:?}");
    }
}

#[test]
fn check_finds_brokers_topic_and_transactions() {
    let cluster = cluster();
    let findings = examine(&options(&cluster), None);
    let subjects: Vec<Subject> = findings.iter().map(|finding| finding.subject).collect();
    assert_eq!(subjects, [Subject::Brokers, Subject::Topic, Subject::Transactions]);
    assert!(findings.iter().all(|finding| matches!(finding.outcome, Outcome::Good(_))), "{findings:?}");

    let mut elsewhere = options(&cluster);
    elsewhere.event_topics = vec!["absent".into()];
    let finding = examine(&elsewhere, None).pop().unwrap();
    assert_eq!(finding.subject, Subject::Topic);
    let Outcome::Bad(problem) = finding.outcome else { panic!("{finding:?}") };
    assert!(problem.remedy.contains("create_topic"), "{problem:?}");
}

type Found = (Option<String>, String, i64);

fn read(brokers: &str, partition: i32, count: usize) -> Vec<Found> {
    read_topic(brokers, (TOPIC, partition), count)
}

fn read_topic(brokers: &str, (topic, partition): (&str, i32), count: usize) -> Vec<Found> {
    let consumer = consumer(brokers);
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    consumer.assign(&from).unwrap();
    let deadline = clock::now() + Duration::from_secs(20);
    let mut found = Vec::new();
    while found.len() < count && before(deadline) {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        let value = text(message.payload()).unwrap_or_default();
        found.push((text(message.key()), value, message.timestamp().to_millis().unwrap()));
    }
    assert_eq!(found.len(), count, "{found:?}");
    found
}

fn before(deadline: Instant) -> bool {
    clock::now() < deadline
}

fn topics(brokers: &str) -> BTreeSet<String> {
    let metadata = consumer(brokers).fetch_metadata(None, Duration::from_secs(10)).unwrap();
    metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
}

fn consumer(brokers: &str) -> BaseConsumer {
    ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", "reader").create().unwrap()
}

//! `viewtail report --from kafka`, over the embedded broker.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use viewtail::io::kafka::embedded::EmbeddedBroker;

use crate::binary::call;

const TOPIC: &str = "page-views";

/// A view of `/a` by the visitor of the stream.
fn event(stream: u8, position: u64, time: &str) -> String {
    format!(
        r#"{{"v":1,"id":"00000000000000{stream:02x}:{position}","line_size":10,"time":"{time}Z","day":"2026-11-22","site":"blog","page":"/a","is_page_view":true,"visitor_id":"visitor-------{stream:02x}","client_key":"client--------00","client_address":"203.0.113.0","host":"web{stream}","log":"l"}}"#
    )
}

fn produce(broker: &EmbeddedBroker, values: &[String]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.address())
        .create()
        .expect("a producer can be made");
    for (partition, value) in (0_i32..).zip(values) {
        producer
            .send(BaseRecord::<str, str>::to(TOPIC).payload(value).partition(partition % 2))
            .expect("there is room");
    }
    producer.flush(Duration::from_secs(10)).expect("the broker takes them");
}

#[test]
fn events_of_the_topic_count_once_and_each_host_says_how_far_it_reaches() {
    let broker = EmbeddedBroker::start(TOPIC, 2).unwrap();
    let twice = event(1, 0, "2026-11-22T10:00:00");
    let later = event(2, 0, "2026-11-22T11:30:00.250");
    produce(
        &broker,
        &[twice.clone(), later, twice, event(1, 10, "2026-11-22T10:00:07"), "no event".to_owned()],
    );
    let address = broker.address();
    let arguments = ["report", "--from", "kafka", "--brokers", &address, "--topic", TOPIC];

    let json = call(&[&arguments[..], &["--json"]].concat());
    assert_eq!(json.code, Some(0), "{}", json.stderr);
    let expect = concat!(
        r#"{"days":[{"day":"2026-11-22","site":"blog","page_views":3,"visitors":2,"addresses":1,"events":3,"excluded":{}}],"#,
        r#""pages":[{"day":"2026-11-22","site":"blog","page":"/a","page_views":3,"visitors":2,"addresses":1}],"#,
        r#""totals":{"events":3,"page_views":3,"malformed":0,"undated":0}}"#,
        "\n"
    );
    assert_eq!(json.stdout, expect);
    assert!(json.stderr.contains("1 event came more than once and counted once"), "{}", json.stderr);
    assert!(json.stderr.contains("1 record not counted"), "{}", json.stderr);

    let text = call(&arguments);
    assert!(text.stdout.contains("The data of web1 reaches 2026-11-22T10:00:07Z.\n"), "{}", text.stdout);
    assert!(text.stdout.contains("The data of web2 reaches 2026-11-22T11:30:00.250Z.\n"), "{}", text.stdout);
}

#[test]
fn a_topic_without_events_and_a_silent_broker_are_two_things() {
    let broker = EmbeddedBroker::start(TOPIC, 2).unwrap();
    let called = call(&["report", "--from", "kafka", "--brokers", &broker.address(), "--topic", TOPIC]);
    assert_eq!((called.code, called.stdout.as_str()), (Some(1), ""));
    assert!(called.stderr.contains("topic page-views: it holds no event of viewtail"), "{}", called.stderr);
    let called = call(&["report", "--from", "kafka", "--brokers", "127.0.0.1:1", "--topic", TOPIC]);
    assert_eq!(called.code, Some(75), "{}", called.stderr);
}

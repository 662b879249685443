//! Topics: made for a test, and counted while an agent writes them.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::process::{Process, command};
use super::wait::{now, wait_until};

/// A look at a broker that may be down must not take long.
const LOOK_LIMIT: Duration = Duration::from_millis(500);

/// Whether the broker hands out metadata.
pub fn broker_answers(brokers: &str) -> bool {
    let client: Result<BaseConsumer, _> =
        ClientConfig::new().set("bootstrap.servers", brokers).set("log_level", "0").create();
    client.is_ok_and(|client| {
        client.fetch_metadata(None, LOOK_LIMIT).is_ok_and(|answer| !answer.brokers().is_empty())
    })
}

/// Creates a topic with these settings and waits until it has leaders.
pub fn create(brokers: &str, name: &str, partitions: i32, settings: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .expect("an admin client needs nothing but an address");
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for (key, value) in settings {
        topic = topic.set(key, value);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let answer = runtime
        .expect("a runtime can be built")
        .block_on(admin.create_topics([&topic], &AdminOptions::new()))
        .expect("the broker answers");
    assert!(answer.iter().all(Result::is_ok), "the topic {name} was not created: {answer:?}");
    wait_until(Duration::from_secs(30), "the new topic has leaders", || {
        admin.inner().fetch_metadata(Some(name), LOOK_LIMIT).is_ok_and(|answer| {
            answer.topics().iter().all(|topic| {
                !topic.partitions().is_empty() && topic.partitions().iter().all(|one| one.leader() >= 0)
            })
        })
    });
}

/// Records (and markers) behind the last stable offset: what open transactions hold back from readers.
pub fn open_records(brokers: &str, topic: &str) -> u64 {
    ends(brokers, topic, "read_uncommitted").saturating_sub(ends(brokers, topic, "read_committed"))
}

/// Sum of the partitions' ends as a reader of this isolation level is told them.
fn ends(brokers: &str, topic: &str, isolation: &str) -> u64 {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("isolation.level", isolation)
        .create()
        .expect("a consumer needs nothing but an address");
    let metadata = client.fetch_metadata(Some(topic), LOOK_LIMIT);
    let metadata = metadata.expect("the broker answers");
    let partitions = metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions);
    let end = |partition: &rdkafka::metadata::MetadataPartition| {
        let (_, high) =
            client.fetch_watermarks(topic, partition.id(), LOOK_LIMIT).expect("the broker answers");
        u64::try_from(high).unwrap_or(0)
    };
    partitions.map(end).sum()
}

/// Counts what a read_committed consumer sees, while it is written.
///
/// kcat reads, one byte a record comes out. It survives a broker's restart; if it ends, it starts over from the
/// beginning, so the count may step back but never counts a record twice.
#[derive(Debug)]
pub struct Counter {
    count: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Counter {
    /// Starts to count; kcat's words go to `directory`.
    pub fn start(brokers: &str, topic: &str, directory: &Path) -> Self {
        let (count, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (shared_count, shared_stop) = (Arc::clone(&count), Arc::clone(&stop));
        let (brokers, topic, directory) = (brokers.to_owned(), topic.to_owned(), directory.to_owned());
        let thread = std::thread::spawn(move || {
            while !shared_stop.load(Ordering::Relaxed) {
                shared_count.store(0, Ordering::Relaxed);
                read_once(&brokers, &topic, &directory, (&shared_count, &shared_stop));
            }
        });
        Self { count, stop, thread: Some(thread) }
    }

    /// Records seen so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits until at least `wanted` records are committed.
    ///
    /// # Panics
    /// When they are not within `limit`, with how many are.
    pub fn wait_for(&self, wanted: u64, limit: Duration) {
        let began = now();
        while self.count() < wanted {
            assert!(
                began.elapsed() < limit,
                "waited {limit:?} in vain until {wanted} records are committed: there are {}",
                self.count()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn read_once(brokers: &str, topic: &str, directory: &Path, shared: (&AtomicU64, &AtomicBool)) {
    let (count, stop) = shared;
    let mut kcat = command("kcat");
    kcat.args(["-C", "-q", "-u", "-E", "-b", brokers, "-t", topic, "-o", "beginning", "-f", "."])
        .args(["-X", "isolation.level=read_committed"]);
    let (mut process, mut pipe) = Process::start_piped("counter", directory, kcat);
    let reader = std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut block = [0; 65_536];
            while let Ok(length) = pipe.read(&mut block) {
                if length == 0 {
                    break;
                }
                count.fetch_add(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
            }
        });
        while !stop.load(Ordering::Relaxed) && process.exited().is_none() {
            std::thread::sleep(Duration::from_millis(20));
        }
        process.kill();
        reading.join()
    });
    reader.expect("reading a pipe does not panic");
}

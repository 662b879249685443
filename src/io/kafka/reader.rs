//! Looks the topic up without creating it, and reads committed positions.
//!
//! One consumer handle that never subscribes serves the topic, the cluster id and all groups: OffsetFetch needs no
//! member, and one handle instead of one per group keeps threads and connections few. It must not guess: an
//! answer with any error in any element is no answer.

use std::ops::Range;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaType;

use super::admin::create_topic;
use super::classify::{OLD_BROKER, cause, remedy, with_remedy, words};
use super::connection::Obstacle;
use super::edge::Common;
use super::ffi::{FetchError, Native, Operation};
use super::options::{KafkaOptions, Mode};
use super::signals::Signals;
use crate::io::clock::Deadline;
use crate::pipeline::action::{Cause, Class, Committed, Failure};

/// How long brokers that do not answer are waited for: two connection attempts with back-off on a slow network, and
/// short enough that the machine, which tries again, counts and tells soon.
pub(super) const LOOKUP_MAX: Duration = Duration::from_secs(9);
/// One metadata request; between two of them it is looked whether waiting is of any use.
const LOOKUP_SLICE: Duration = Duration::from_millis(500);
/// Pause before a question is repeated: the first OffsetFetch of a new group is often answered NOT_COORDINATOR, and
/// markers of a transaction that was just settled take some milliseconds.
const ASK_PAUSE: Duration = Duration::from_millis(50);
/// So many groups are asked for at once: enough for the broker to answer without a pause, few enough that all answer in time.
pub(super) const GROUPS_AT_ONCE: usize = 64;
/// TxnOffsetCommit carries group metadata from this version on (Apache Kafka 2.5, KIP-447).
const OFFSET_COMMIT_VERSION_MIN: i16 = 3;

/// The handle for everything that is read.
pub struct Reader<'a> {
    native: Native,
    signals: Signals<'a>,
    options: &'a KafkaOptions,
    common: &'a Common,
}

/// What is known of the topics once they were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// Partitions of each topic of events, at least 1.
    pub partitions: Vec<u32>,
    /// The cluster's id, where the broker tells it.
    pub cluster_id: Option<String>,
}

/// What one metadata answer says.
enum Found {
    Partitions(u32),
    Missing,
    /// Known, but not ready: an election is under way.
    Later(Code),
    Refused(Code),
}

impl<'a> Reader<'a> {
    /// Opens the handle; connections are made in the background.
    pub fn open(options: &'a KafkaOptions, common: &'a Common) -> Result<Self, Failure> {
        let native = Native::open(RDKafkaType::RD_KAFKA_CONSUMER, &options.reader_properties())
            .map_err(|error| bad_configuration(&error))?;
        Ok(Self { native, signals: Signals::new(&common.heard), options, common })
    }

    /// Finds the topics of events, and that of rejects if there is one; creates what is missing if that is configured.
    pub fn topics(&mut self) -> Result<Topics, Failure> {
        let options = self.options;
        let found: Result<_, Failure> =
            options.event_topics.iter().map(|topic| self.find_or_create(topic)).collect();
        let partitions = found?;
        if let Some(rejects) = &options.rejects_topic {
            self.find_or_create(rejects)?;
        }
        self.require_new_broker()?;
        let cluster_id = self.native.client().fetch_cluster_id(Duration::ZERO);
        Ok(Topics { partitions, cluster_id })
    }

    /// Looks the topic up; `None` if the cluster says that it does not exist.
    pub fn look_up(&mut self, topic: &str) -> Result<Option<u32>, Failure> {
        let deadline = Deadline::after(LOOKUP_MAX);
        loop {
            let last = match self.ask_once(topic) {
                Ok(Found::Partitions(count)) => return Ok(Some(count)),
                Ok(Found::Missing) => return Ok(None),
                Ok(Found::Refused(code)) => return Err(self.refused(topic, code)),
                Ok(Found::Later(code)) | Err(code) => code,
            };
            if self.signals.hopeless() || deadline.passed() || self.common.must_stop() {
                return Err(self.unreachable(last));
            }
            self.signals.wait(&self.native, LOOKUP_SLICE / 5);
        }
    }

    /// The committed positions of groups, each on every partition of a topic, asked for again until they are stable and free
    /// of errors. A topic without partitions, that is one that does not exist, has none.
    pub fn committed(
        &mut self,
        groups: Range<u32>,
        place: (&str, u32),
    ) -> Result<Vec<Vec<Committed>>, Failure> {
        let names: Vec<String> = groups.map(|group| self.options.group(group)).collect();
        if place.1 == 0 {
            return Ok(names.iter().map(|_| Vec::new()).collect());
        }
        let mut all = Vec::with_capacity(names.len());
        for some in names.chunks(GROUPS_AT_ONCE) {
            all.extend(self.committed_of_some(some, place)?);
        }
        Ok(all)
    }

    fn committed_of_some(
        &mut self,
        groups: &[String],
        place: (&str, u32),
    ) -> Result<Vec<Vec<Committed>>, Failure> {
        let deadline = Deadline::after(self.options.transaction_timeout());
        let wait = self.options.socket_timeout();
        let mut found = vec![None; groups.len()];
        loop {
            let missing: Vec<usize> = (0..groups.len()).filter(|number| found[*number].is_none()).collect();
            let names: Vec<String> = missing.iter().map(|number| groups[*number].clone()).collect();
            let answers = self.native.committed(&names, place, wait);
            self.signals.drain(&self.native);
            let is_any_late =
                answers.iter().flat_map(|answer| answer.as_ref().err()).any(FetchError::is_late);
            let mut failed = None;
            for (number, answer) in missing.into_iter().zip(answers) {
                match answer {
                    Ok(committed) => found[number] = Some(committed),
                    Err(error) => failed = Some((number, error)),
                }
            }
            let Some((number, error)) = failed else { return Ok(found.into_iter().flatten().collect()) };
            if matches!(cause(error.code), Cause::Refused | Cause::Forbidden)
                || deadline.passed()
                || self.common.must_stop()
            {
                return Err(self.fetch_failure(&groups[number], &error));
            }
            if is_any_late {
                self.begin_anew(place.0)?;
            }
            self.signals.wait(&self.native, ASK_PAUSE);
        }
    }

    /// With a new handle, and so with new connections, behind which no question waits for its answer.
    fn begin_anew(&mut self, topic: &str) -> Result<(), Failure> {
        *self = Self::open(self.options, self.common)?;
        self.look_up(topic).map(drop)
    }

    /// What keeps connections from coming about, where that is known.
    pub fn obstacle(&self) -> Option<Obstacle> {
        self.signals.obstacle()
    }

    /// The number of one of the brokers, once the topic was looked up.
    pub fn broker(&self) -> Option<i32> {
        let metadata = self.native.client().fetch_metadata(Some(self.options.anchor()), LOOKUP_SLICE).ok()?;
        metadata.brokers().first().map(|broker| broker.id())
    }

    /// What the brokers allow this client on a topic; `None` if they do not say.
    pub fn allowed(&mut self, topic: &str) -> Option<Vec<Operation>> {
        let answer = self.native.allowed(topic, self.options.socket_timeout());
        self.signals.drain(&self.native);
        answer.ok()
    }

    fn ask_once(&mut self, name: &str) -> Result<Found, Code> {
        let answer = self.native.client().fetch_metadata(Some(name), LOOKUP_SLICE);
        self.signals.drain(&self.native);
        let metadata = answer.map_err(|error| error.rdkafka_error_code().unwrap_or(Code::Unknown))?;
        let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
            return Ok(Found::Missing);
        };
        let code = topic.error().map_or(Code::NoError, Code::from);
        let count = u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX);
        Ok(match cause(code) {
            Cause::TopicMissing => Found::Missing,
            Cause::Refused | Cause::Forbidden => Found::Refused(code),
            Cause::Other if code == Code::InvalidTopic => Found::Refused(code),
            Cause::Other if code == Code::NoError && count > 0 => Found::Partitions(count),
            Cause::Other | Cause::Unreachable | Cause::Fenced | Cause::TooLarge => Found::Later(code),
        })
    }

    fn find_or_create(&mut self, topic: &str) -> Result<u32, Failure> {
        if let Some(partitions) = self.look_up(topic)? {
            return Ok(partitions);
        }
        let Some(wanted) = self.options.create_topic else {
            let message = format!(
                "topic {topic} does not exist on {}: create it, or set kafka.create_topic",
                self.brokers()
            );
            return Err(Failure { class: Class::Retriable, cause: Cause::TopicMissing, message });
        };
        create_topic(self.options, topic, wanted)?;
        self.await_created(topic)
    }

    /// The controller answers before every broker has heard of the new topic.
    fn await_created(&mut self, topic: &str) -> Result<u32, Failure> {
        let deadline = Deadline::after(LOOKUP_MAX);
        loop {
            if let Some(partitions) = self.look_up(topic)? {
                return Ok(partitions);
            }
            if deadline.passed() || self.common.must_stop() {
                let message = format!("topic {topic} was created, but the brokers do not know it yet");
                return Err(Failure { class: Class::Retriable, cause: Cause::TopicMissing, message });
            }
            self.signals.wait(&self.native, ASK_PAUSE);
        }
    }

    /// Refuses brokers that lack what exactly_once needs, where they said so; after a look-up.
    pub fn require_new_broker(&self) -> Result<(), Failure> {
        let old = |version: i16| version < OFFSET_COMMIT_VERSION_MIN;
        let too_old = self.signals.offset_commit_version.is_some_and(old);
        if self.options.mode == Mode::ExactlyOnce && too_old {
            let message = format!("the brokers at {} are too old: {OLD_BROKER}", self.brokers());
            return Err(Failure { class: Class::Fatal, cause: Cause::Refused, message });
        }
        Ok(())
    }

    fn unreachable(&self, last: Code) -> Failure {
        let is_known = self.signals.reason.is_some() || self.signals.obstacle().is_some();
        let reason = if is_known { self.signals.reason_text() } else { words(last) };
        let fact = format!("no answer from Kafka at {}: {reason}", self.brokers());
        let message = with_remedy(&fact, last, &self.options.resources());
        Failure { class: Class::Retriable, cause: Cause::Unreachable, message }
    }

    fn refused(&self, topic: &str, code: Code) -> Failure {
        let fact = format!("topic {topic} is refused ({})", words(code));
        let message = with_remedy(&fact, code, &self.options.resources());
        let cause = if cause(code) == Cause::Forbidden { Cause::Forbidden } else { Cause::Refused };
        Failure { class: Class::Fatal, cause, message }
    }

    fn fetch_failure(&self, group: &str, error: &FetchError) -> Failure {
        let fact = format!("cannot read the positions of group {group}: {}", error.text);
        let message = with_remedy(&fact, error.code, &self.options.resources());
        let class = if remedy(error.code, &self.options.resources()).is_some() {
            Class::Fatal
        } else {
            Class::Retriable
        };
        Failure { class, cause: cause(error.code), message }
    }

    fn brokers(&self) -> String {
        self.options.brokers.join(", ")
    }
}

/// Files of TLS, by the property that librdkafka names where it cannot use one: the option, and what it wants to be.
const TLS_FILES: [(&str, &str); 3] = [
    ("ssl.ca.location", "kafka.tls.ca_file must be certificates in PEM that this user can read"),
    ("ssl.certificate.location", "kafka.tls.cert_file must be a certificate in PEM that this user can read"),
    (
        "ssl.key.location",
        "kafka.tls.key_file must be the private key of kafka.tls.cert_file, in PEM and readable by this user; one with a \
         passphrase needs kafka.tls.key_password_file",
    ),
];

/// The failure of a client that cannot even be made: a property is wrong.
pub fn bad_configuration(error: &KafkaError) -> Failure {
    let message = if let KafkaError::ClientConfig(_, description, name, _) = error {
        format!("kafka.properties: {name}: {description}: correct or remove it")
    } else {
        let text = error.to_string();
        let file = TLS_FILES.iter().find(|(property, _)| text.contains(&format!("{property} failed")));
        match file {
            // OpenSSL's own reason is the last of its words.
            Some((_, rule)) => format!("{rule} ({})", text.rsplit(':').next().unwrap_or_default()),
            None => format!("librdkafka does not take the configuration: {text}"),
        }
    };
    Failure { class: Class::Fatal, cause: Cause::Refused, message }
}

//! The thin layer over librdkafka's C interface: one client handle, its event queue and the calls we need.
//!
//! Why not the safe interface alone: its `send` costs 300 ns more per record, its `flush` and
//! `commit_transaction` poll in slices of 100 ms, its `abort_transaction` does not poll, and group metadata can
//! only be had from one consumer per group. Knows nothing of modes, retries or classes.
//!
//! Invariants: a [`Native`] never leaves the thread that opened it (it is neither `Send` nor `Sync`); the topic
//! handle and the queue are released before the client; every event that is taken from the queue is destroyed.

#![allow(unsafe_code, reason = "librdkafka is a C library; this is its only home")]

mod identity;
mod offsets;
mod rights;

pub use identity::give_token;
pub use rights::Operation;

use std::ffi::{CStr, CString, NulError, c_char, c_int, c_void};
use std::ptr;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::client::Client;
use rdkafka::config::{ClientConfig, NativeClientConfig};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaType;

use super::token::Context;
use crate::pipeline::batch::{Block, Destination, Record};

/// A client of librdkafka and its main event queue.
pub struct Native {
    client: Client<Context>,
    queue: *mut rd::rd_kafka_queue_t,
    /// Those of events, by their numbers.
    topics: Vec<*mut rd::rd_kafka_topic_t>,
    rejects_topic: *mut rd::rd_kafka_topic_t,
    /// Those of one call; they point nowhere that is used between two.
    messages: Vec<rd::rd_kafka_message_t>,
}

/// Most records of one call: a few, so that the array of their places stays in a core's cache.
pub const CALL_MAX: usize = 256;

/// What librdkafka tells on its main queue.
#[derive(Debug)]
pub enum Event {
    /// A line of its log.
    Log {
        /// syslog's severity, 0 to 7.
        severity: i32,
        /// The code word that names the kind of line.
        facility: String,
        /// The line.
        text: String,
    },
    /// A client-wide error.
    Error {
        /// What it is.
        code: RDKafkaErrorCode,
        /// librdkafka's sentence about it.
        reason: String,
    },
    /// Records that were not delivered; successes are not reported (`delivery.report.only.error`).
    Undelivered(Vec<RDKafkaErrorCode>),
    /// Its statistics, JSON, every `statistics.interval.ms`.
    Statistics(String),
    /// Something that nobody asked for.
    Other,
}

/// The answer of a transactional call that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionError {
    /// What it is.
    pub code: RDKafkaErrorCode,
    /// The three flags; librdkafka sets at most one.
    pub flag: Flag,
    /// librdkafka's sentence about it.
    pub text: String,
}

/// librdkafka's own opinion on what may be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// The same call may be made again.
    Retriable,
    /// The transaction must be aborted.
    RequiresAbort,
    /// The client is lost.
    Fatal,
    /// No opinion, which its documentation tells to treat as fatal.
    None,
}

/// Why the offsets of a group could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    /// What it is.
    pub code: RDKafkaErrorCode,
    /// One line on it.
    pub text: String,
}

impl Native {
    /// Opens a producer or consumer handle whose events all arrive on its main queue.
    ///
    /// # Errors
    /// A property that librdkafka does not know or take.
    pub fn open(kind: RDKafkaType, config: &ClientConfig) -> Result<Self, KafkaError> {
        let native = config.create_native_config()?;
        enable_events(&native);
        identity::name_verdicts(&native);
        let client = Client::new(config, native, kind, Context)?;
        // SAFETY: the client is alive; the call returns a new reference that `drop` releases.
        let queue = unsafe { rd::rd_kafka_queue_get_main(client.native_ptr()) };
        Ok(Self { client, queue, topics: Vec::new(), rejects_topic: ptr::null_mut(), messages: Vec::new() })
    }

    /// The safe handle, for metadata.
    pub fn client(&self) -> &Client<Context> {
        &self.client
    }

    /// Opens a topic of events; the first has number 0.
    ///
    /// # Errors
    /// A name that holds a NUL byte or that librdkafka does not take.
    pub fn open_topic(&mut self, name: &str) -> Result<(), KafkaError> {
        let topic = self.new_topic(name)?;
        self.topics.push(topic);
        Ok(())
    }

    /// Opens the topic of records that are no events.
    ///
    /// # Errors
    /// As for [`Native::open_topic`].
    pub fn open_rejects_topic(&mut self, name: &str) -> Result<(), KafkaError> {
        let topic = self.new_topic(name)?;
        close(&mut self.rejects_topic);
        self.rejects_topic = topic;
        Ok(())
    }

    /// A topic handle, which is to be closed before the client is.
    fn new_topic(&self, name: &str) -> Result<*mut rd::rd_kafka_topic_t, KafkaError> {
        let name = CString::new(name)?;
        // SAFETY: client and name are alive; a null configuration means the client's default one.
        let topic = unsafe { rd::rd_kafka_topic_new(self.ptr(), name.as_ptr(), ptr::null_mut()) };
        if topic.is_null() { Err(KafkaError::Global(last_error())) } else { Ok(topic) }
    }

    /// Queues copies of records that go together ([`Record::goes_with`]), in their order and no more than [`CALL_MAX`] of
    /// them; answers how many, and why the next one is not queued: [`RDKafkaErrorCode::QueueFull`], or why it never can be. In
    /// the latter case some behind it may be queued, so that only an abort or another producer helps.
    pub fn produce(&mut self, block: &Block, records: &[Record]) -> (usize, Option<RDKafkaErrorCode>) {
        let first = records[0];
        let topic = match first.destination {
            Destination::Events(number) => self.topics[usize::from(number)],
            Destination::Rejects => self.rejects_topic,
        };
        assert!(!topic.is_null(), "a topic is opened before records are produced");
        if first.timestamp_ms != 0 {
            let refusal = self.produce_stamped(topic, block, first).err();
            return (usize::from(refusal.is_none()), refusal);
        }
        self.messages.clear();
        self.messages.extend(records.iter().take(CALL_MAX).map(|record| message(block, record)));
        let count = c_int::try_from(self.messages.len()).expect("a call takes few");
        let flags = rd::RD_KAFKA_MSG_F_COPY;
        // SAFETY: the topic handle is alive (asserted), and `messages` holds `count` elements, whose keys and values are
        // valid for their lengths during the call; F_COPY makes librdkafka copy them before it returns and never write to
        // them.
        let queued = unsafe {
            rd::rd_kafka_produce_batch(topic, first.partition, flags, self.messages.as_mut_ptr(), count)
        };
        if queued == count {
            return (self.messages.len(), None);
        }
        let refused = |message: &rd::rd_kafka_message_t| {
            message.err != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        };
        let place = self.messages.iter().position(refused).expect("librdkafka tells which it did not queue");
        (place, Some(self.messages[place].err.into()))
    }

    fn produce_stamped(
        &self,
        topic: *mut rd::rd_kafka_topic_t,
        block: &Block,
        record: Record,
    ) -> Result<(), RDKafkaErrorCode> {
        use rd::rd_kafka_vtype_t as Type;
        let message = message(block, &record);
        let fields = [
            field(Type::RD_KAFKA_VTYPE_RKT, rd::rd_kafka_vu_s__bindgen_ty_1 { rkt: topic }),
            field(Type::RD_KAFKA_VTYPE_PARTITION, rd::rd_kafka_vu_s__bindgen_ty_1 { i32_: record.partition }),
            field(
                Type::RD_KAFKA_VTYPE_MSGFLAGS,
                rd::rd_kafka_vu_s__bindgen_ty_1 { i: rd::RD_KAFKA_MSG_F_COPY },
            ),
            field(
                Type::RD_KAFKA_VTYPE_TIMESTAMP,
                rd::rd_kafka_vu_s__bindgen_ty_1 { i64_: record.timestamp_ms },
            ),
            field(Type::RD_KAFKA_VTYPE_KEY, memory(message.key, message.key_len)),
            field(Type::RD_KAFKA_VTYPE_VALUE, memory(message.payload, message.len)),
        ];
        // SAFETY: as in `produce`; the fields live until the call returns and their tags match their unions.
        let error = unsafe { rd::rd_kafka_produceva(self.ptr(), fields.as_ptr(), fields.len()) };
        transaction_result(error).map_err(|error| error.code)
    }

    /// The next event, waiting for it at most this long.
    pub fn next_event(&self, wait: Duration) -> Option<Event> {
        // SAFETY: the queue is alive until `drop`.
        let event = unsafe { rd::rd_kafka_queue_poll(self.queue, milliseconds(wait)) };
        if event.is_null() {
            return None;
        }
        let event = OwnedEvent(event);
        // SAFETY: the event is alive until the end of this call, here and below.
        if unsafe { rd::rd_kafka_event_type(event.0) } == rd::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH {
            // SAFETY: of this kind, as just asked, and of this client, as its queue gave it.
            unsafe { identity::answer_wish(&self.client, event.0) };
        }
        Some(event.read())
    }

    /// Asks for the queue to be sent now instead of after `linger.ms`, waiting at most this long. As long as the call
    /// lasts librdkafka's broker threads poll without a pause.
    pub fn send_now(&self, wait: Duration) {
        // SAFETY: the client is alive. The result only says whether the queue is empty, which `queued` does too.
        unsafe { rd::rd_kafka_flush(self.ptr(), milliseconds(wait)) };
    }

    /// Records that are queued or under way, and reports that wait to be taken.
    pub fn queued(&self) -> i32 {
        // SAFETY: the client is alive.
        unsafe { rd::rd_kafka_outq_len(self.ptr()) }
    }

    /// Gives up all records, also those under way; their reports follow.
    pub fn purge(&self) {
        // SAFETY: the client is alive. The result can only tell that the flags are wrong or that it is a consumer.
        unsafe { rd::rd_kafka_purge(self.ptr(), rd::RD_KAFKA_PURGE_F_QUEUE | rd::RD_KAFKA_PURGE_F_INFLIGHT) };
    }

    /// `rd_kafka_init_transactions`: can be called again while retriable.
    ///
    /// # Errors
    /// As librdkafka says.
    pub fn init_transactions(&self, wait: Duration) -> Result<(), TransactionError> {
        // SAFETY: the client is alive; the error is taken over by `transaction_result`.
        transaction_result(unsafe { rd::rd_kafka_init_transactions(self.ptr(), milliseconds(wait)) })
    }

    /// `rd_kafka_begin_transaction`: local only.
    ///
    /// # Errors
    /// As librdkafka says.
    pub fn begin_transaction(&self) -> Result<(), TransactionError> {
        // SAFETY: as above.
        transaction_result(unsafe { rd::rd_kafka_begin_transaction(self.ptr()) })
    }

    /// `rd_kafka_commit_transaction`: can be called again while retriable.
    ///
    /// # Errors
    /// As librdkafka says.
    pub fn commit_transaction(&self, wait: Duration) -> Result<(), TransactionError> {
        // SAFETY: as above.
        transaction_result(unsafe { rd::rd_kafka_commit_transaction(self.ptr(), milliseconds(wait)) })
    }

    /// `rd_kafka_abort_transaction`: can be called again while retriable; the reports of the records it gives up
    /// must be taken from the queue in between.
    ///
    /// # Errors
    /// As librdkafka says.
    pub fn abort_transaction(&self, wait: Duration) -> Result<(), TransactionError> {
        // SAFETY: as above.
        transaction_result(unsafe { rd::rd_kafka_abort_transaction(self.ptr(), milliseconds(wait)) })
    }

    /// `rd_kafka_send_offsets_to_transaction` for a group that has no members. Can block for longer than `wait`.
    ///
    /// # Errors
    /// As librdkafka says.
    pub fn send_offsets(
        &self,
        group: &str,
        offsets: &TopicPartitionList,
        wait: Duration,
    ) -> Result<(), TransactionError> {
        let group = CString::new(group).map_err(|error| bad_name(&error))?;
        // SAFETY: the group's name is alive; the metadata is released below, after its only use.
        let metadata = unsafe { rd::rd_kafka_consumer_group_metadata_new(group.as_ptr()) };
        // SAFETY: client, list and metadata are alive; librdkafka copies the latter two.
        let error = unsafe {
            rd::rd_kafka_send_offsets_to_transaction(self.ptr(), offsets.ptr(), metadata, milliseconds(wait))
        };
        // SAFETY: made above, not used any more.
        unsafe { rd::rd_kafka_consumer_group_metadata_destroy(metadata) };
        transaction_result(error)
    }

    fn ptr(&self) -> *mut rd::rd_kafka_t {
        self.client.native_ptr()
    }
}

/// Releases a topic handle, if it is one. Its client must still be alive.
fn close(topic: &mut *mut rd::rd_kafka_topic_t) {
    let topic = std::mem::replace(topic, ptr::null_mut());
    if !topic.is_null() {
        // SAFETY: made by `new_topic`, and forgotten here, so released once; the caller keeps the client alive.
        unsafe { rd::rd_kafka_topic_destroy(topic) };
    }
}

/// librdkafka's name of a code, as its log writes it.
pub fn name_of(code: RDKafkaErrorCode) -> String {
    let named = descriptions().iter().find(|entry| RDKafkaErrorCode::from(entry.code) == code);
    named.map_or_else(|| format!("{code:?}"), |entry| owned(entry.name))
}

/// The code that librdkafka's log calls by this name.
pub fn code_named(name: &str) -> Option<RDKafkaErrorCode> {
    let found = descriptions().iter().find(|entry| !entry.name.is_null() && owned(entry.name) == name)?;
    Some(found.code.into())
}

/// All codes with their names.
fn descriptions() -> &'static [rd::rd_kafka_err_desc] {
    let (mut descriptions, mut count) = (ptr::null(), 0);
    // SAFETY: lends a constant table of librdkafka and its length.
    unsafe { rd::rd_kafka_get_err_descs(&raw mut descriptions, &raw mut count) };
    // SAFETY: the table lives as long as the process and holds `count` elements.
    unsafe { std::slice::from_raw_parts(descriptions, count) }
}

impl Drop for Native {
    fn drop(&mut self) {
        self.topics.iter_mut().for_each(close);
        close(&mut self.rejects_topic);
        // SAFETY: taken in `open`, released once; the client is dropped after this.
        unsafe { rd::rd_kafka_queue_destroy(self.queue) };
    }
}

impl FetchError {
    fn new(code: RDKafkaErrorCode, text: &dyn std::fmt::Display) -> Self {
        Self { code, text: text.to_string() }
    }

    fn late() -> Self {
        Self::new(RDKafkaErrorCode::OperationTimedOut, &"no answer in time")
    }

    /// Whether there was no answer in time.
    pub fn is_late(&self) -> bool {
        self.code == RDKafkaErrorCode::OperationTimedOut
    }
}

/// An event that is destroyed when it was read.
struct OwnedEvent(*mut rd::rd_kafka_event_t);

impl OwnedEvent {
    fn read(&self) -> Event {
        // SAFETY: the event is alive until `drop`, here and below.
        match unsafe { rd::rd_kafka_event_type(self.0) } {
            rd::RD_KAFKA_EVENT_LOG => self.read_log(),
            rd::RD_KAFKA_EVENT_ERROR => Event::Error { code: self.code(), reason: self.reason() },
            rd::RD_KAFKA_EVENT_DR => Event::Undelivered(self.read_reports()),
            // SAFETY: the event is alive, and so is the string it lends.
            rd::RD_KAFKA_EVENT_STATS => Event::Statistics(owned(unsafe { rd::rd_kafka_event_stats(self.0) })),
            _ => Event::Other,
        }
    }

    fn read_log(&self) -> Event {
        let (mut facility, mut text, mut severity) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the event is alive, and so are the strings it lends.
        let result =
            unsafe { rd::rd_kafka_event_log(self.0, &raw mut facility, &raw mut text, &raw mut severity) };
        if result != 0 {
            return Event::Other;
        }
        Event::Log { severity, facility: owned(facility), text: owned(text) }
    }

    fn read_reports(&self) -> Vec<RDKafkaErrorCode> {
        let mut codes = Vec::new();
        loop {
            // SAFETY: the event is alive, and so is the message it lends, until the next call.
            let message = unsafe { rd::rd_kafka_event_message_next(self.0).as_ref() };
            let Some(message) = message else { return codes };
            if message.err != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                codes.push(message.err.into());
            }
        }
    }

    fn check(&self) -> Result<(), FetchError> {
        let code = self.code();
        if code == RDKafkaErrorCode::NoError { Ok(()) } else { Err(FetchError::new(code, &self.reason())) }
    }

    fn code(&self) -> RDKafkaErrorCode {
        // SAFETY: the event is alive.
        unsafe { rd::rd_kafka_event_error(self.0) }.into()
    }

    fn reason(&self) -> String {
        // SAFETY: the event is alive, and so is the string it lends.
        owned(unsafe { rd::rd_kafka_event_error_string(self.0) })
    }
}

impl Drop for OwnedEvent {
    fn drop(&mut self) {
        // SAFETY: taken from a queue and not destroyed yet; null is allowed.
        unsafe { rd::rd_kafka_event_destroy(self.0) };
    }
}

/// What every question to the cluster needs: its options, and a queue of its own for the answer.
struct Question {
    options: *mut rd::rd_kafka_AdminOptions_t,
    queue: *mut rd::rd_kafka_queue_t,
}

impl Question {
    fn new(native: &Native, operation: rd::rd_kafka_admin_op_t, wait: Duration) -> Self {
        // SAFETY: the client is alive; `drop` releases what is made here.
        let question = unsafe {
            Self {
                options: rd::rd_kafka_AdminOptions_new(native.ptr(), operation),
                queue: rd::rd_kafka_queue_new(native.ptr()),
            }
        };
        // SAFETY: the options are alive; without an error buffer librdkafka only returns the code.
        unsafe {
            rd::rd_kafka_AdminOptions_set_request_timeout(
                question.options,
                milliseconds(wait),
                ptr::null_mut(),
                0,
            );
        }
        question
    }

    /// The answer, which outlives the queue it is taken from.
    fn answer(&self, wait: Duration) -> Result<OwnedEvent, FetchError> {
        let event = self.next(wait).ok_or_else(FetchError::late)?;
        event.check()?;
        Ok(event)
    }

    /// The next answer, whatever it says; nothing if none came in time.
    fn next(&self, wait: Duration) -> Option<OwnedEvent> {
        // SAFETY: the queue is alive until `drop`.
        let event = unsafe { rd::rd_kafka_queue_poll(self.queue, milliseconds(wait + ANSWER_GRACE)) };
        (!event.is_null()).then(|| OwnedEvent(event))
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        // SAFETY: made in `new`, released once.
        unsafe {
            rd::rd_kafka_queue_destroy(self.queue);
            rd::rd_kafka_AdminOptions_destroy(self.options);
        }
    }
}

/// librdkafka answers a request that timed out by itself; this is how long we wait for that answer.
const ANSWER_GRACE: Duration = Duration::from_millis(500);

fn enable_events(config: &NativeClientConfig) {
    let events = rd::RD_KAFKA_EVENT_DR
        | rd::RD_KAFKA_EVENT_ERROR
        | rd::RD_KAFKA_EVENT_STATS
        | rd::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH;
    // SAFETY: the configuration is alive.
    unsafe { rd::rd_kafka_conf_set_events(config.ptr(), events) };
}

fn transaction_result(error: *mut rd::rd_kafka_error_t) -> Result<(), TransactionError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error is alive until it is destroyed on the last line; its string is copied before that.
    unsafe {
        let flag = if rd::rd_kafka_error_is_fatal(error) != 0 {
            Flag::Fatal
        } else if rd::rd_kafka_error_txn_requires_abort(error) != 0 {
            Flag::RequiresAbort
        } else if rd::rd_kafka_error_is_retriable(error) != 0 {
            Flag::Retriable
        } else {
            Flag::None
        };
        let code = rd::rd_kafka_error_code(error).into();
        let text = owned(rd::rd_kafka_error_string(error));
        rd::rd_kafka_error_destroy(error);
        Err(TransactionError { code, flag, text })
    }
}

fn bad_name(error: &NulError) -> TransactionError {
    TransactionError { code: RDKafkaErrorCode::InvalidArgument, flag: Flag::None, text: error.to_string() }
}

fn last_error() -> RDKafkaErrorCode {
    // SAFETY: reads the calling thread's own variable.
    unsafe { rd::rd_kafka_last_error() }.into()
}

fn owned(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: librdkafka's strings end with NUL and live as long as what lends them, which the callers hold.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().trim().to_owned()
}

/// A record for librdkafka, which leaves its bytes alone where it is told to copy them; an empty key is no key.
fn message(block: &Block, record: &Record) -> rd::rd_kafka_message_t {
    let (key, value) = (block.bytes(record.key), block.bytes(record.value));
    rd::rd_kafka_message_t {
        err: rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
        rkt: ptr::null_mut(),
        partition: record.partition,
        payload: value.as_ptr().cast_mut().cast(),
        len: value.len(),
        key: if key.is_empty() { ptr::null_mut() } else { key.as_ptr().cast_mut().cast() },
        key_len: key.len(),
        offset: 0,
        _private: ptr::null_mut(),
    }
}

fn field(vtype: rd::rd_kafka_vtype_t, u: rd::rd_kafka_vu_s__bindgen_ty_1) -> rd::rd_kafka_vu_t {
    rd::rd_kafka_vu_t { vtype, u }
}

fn memory(ptr: *mut c_void, size: usize) -> rd::rd_kafka_vu_s__bindgen_ty_1 {
    rd::rd_kafka_vu_s__bindgen_ty_1 { mem: rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr, size } }
}

fn milliseconds(wait: Duration) -> i32 {
    i32::try_from(wait.as_millis()).unwrap_or(i32::MAX)
}

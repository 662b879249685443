//! The producer: queues records, runs transactions, and says when it must be replaced.
//!
//! Every loop in here has an end: a deadline, the agent's stop, or a fatal error of the client. Nothing is ever
//! dropped for want of room: a full queue means waiting. Reports are taken from the queue in every loop, so that
//! they can never fill it.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaType;

use super::classify::{Resources, Stage, cause, class, transaction_failure, with_remedy, words};
use super::edge::Common;
use super::ffi::{Native, TransactionError};
use super::held_back::HeldBack;
use super::options::{KafkaOptions, Mode};
use super::reader::bad_configuration;
use super::signals::Signals;
use crate::io::clock::{self, Deadline};
use crate::pipeline::action::{Cause, Class, Failure};
use crate::pipeline::batch::{Block, Record};
use crate::pipeline::shard::ShardWrite;

/// One call of init_transactions, doubled from call to call. By itself librdkafka looks for the coordinator, and asks
/// again after CONCURRENT_TRANSACTIONS, only every 500 ms; each call makes it try at once.
const INIT_SLICE_MIN: Duration = Duration::from_millis(25);
const INIT_SLICE_MAX: Duration = Duration::from_millis(500);
/// Settling the transaction of a dead incarnation takes 0.5-1 s; a coordinator that moves may take several.
const INIT_MAX: Duration = Duration::from_secs(20);
/// Longest sleep while the queue is full: a thousandth of it drains in this time at full speed.
const FULL_PAUSE: Duration = Duration::from_millis(1);
/// A queue that had no room for so long is emptied in any case: what is held back of it is reckoned with a mean size.
const FULL_MAX: Duration = Duration::from_millis(100);
/// How long librdkafka is told to send what lingers: a moment is enough for it to begin, and its broker threads spin for
/// as long as they are told (measured: a third of all CPU at full speed when whole flushes were asked for).
const SEND_NOW: Duration = Duration::from_millis(1);
/// And so long where a full queue is to be emptied: to compress a batch takes a millisecond, and there are many.
const SEND_ALL: Duration = Duration::from_millis(5);
/// Where all of it has to go, at the end of a transaction or for room, it is told again, because a partition that only joins
/// the transaction now, or has a request under way, or whose broker has five of others, did not hear it: at once if that
/// moved something, and otherwise after a quarter of the time in which nothing moved, within these limits.
const SEND_AGAIN_MIN: Duration = Duration::from_millis(4);
const SEND_AGAIN_MAX: Duration = Duration::from_millis(64);
/// One wait for acknowledgements. Successes make no event, so this is how late the last one is noticed at most.
const FLUSH_PAUSE: Duration = Duration::from_millis(1);
/// Without transactions no record times out, so a flush is answered "not yet" after this and may be asked for again.
pub const FLUSH_MAX: Duration = Duration::from_secs(20);
/// One call of commit or abort. librdkafka goes on in the background and the next call resumes.
const END_SLICE: Duration = Duration::from_millis(250);
/// Pause where a retriable error came back at once.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// A producer of one incarnation.
pub struct Producer<'a> {
    native: Native,
    signals: Signals<'a>,
    options: &'a KafkaOptions,
    common: &'a Common,
    /// When what is queued has waited long enough for company.
    send_at: Deadline,
    /// What of the queue librdkafka may not have sent.
    held_back: HeldBack,
    /// Records that were left when it was sent last.
    left: i32,
    /// When they were fewer than before, or began to wait for that.
    moved_at: Instant,
}

/// Why it is sent before its batches are full.
#[derive(Clone, Copy)]
enum Haste {
    /// It has waited for `flush.frequency`.
    Lingers,
    /// The transaction, or without one the batch, ends.
    Ends,
    /// There is no room for more.
    IsFull,
}

impl<'a> Producer<'a> {
    /// Opens the producer; in exactly_once this fences older incarnations and settles their last transaction.
    /// No batch is made larger than `batch_bytes_max`.
    pub fn open(
        options: &'a KafkaOptions,
        common: &'a Common,
        batch_bytes_max: usize,
    ) -> Result<Self, Failure> {
        let mut native =
            Native::open(RDKafkaType::RD_KAFKA_PRODUCER, &options.producer_properties(batch_bytes_max))
                .map_err(|error| bad_configuration(&error))?;
        for topic in &options.event_topics {
            native.open_topic(topic).map_err(|error| bad_configuration(&error))?;
        }
        if let Some(topic) = &options.rejects_topic {
            native.open_rejects_topic(topic).map_err(|error| bad_configuration(&error))?;
        }
        let signals = Signals::new(&common.heard);
        let (send_at, moved_at) = (Deadline::NEVER, clock::now());
        let held_back = HeldBack::new(options.flush.max_messages as usize, batch_bytes_max);
        let mut producer = Self { native, signals, options, common, send_at, held_back, left: 0, moved_at };
        if options.mode == Mode::ExactlyOnce {
            producer.init()?;
        }
        producer.signals.forget();
        Ok(producer)
    }

    /// Opens a transaction: local only, no broker hears of it yet. Without transactions there is nothing to open.
    pub fn begin(&mut self) -> Result<(), Failure> {
        self.signals.drain(&self.native);
        if self.options.mode != Mode::ExactlyOnce {
            return Ok(());
        }
        self.signals.forget();
        self.native.begin_transaction().map_err(|error| self.failure(&error, Stage::Open))
    }

    /// When it wants to be told that it is idle.
    pub fn send_at(&self) -> Deadline {
        self.send_at
    }

    /// While there is nothing else to do, takes what librdkafka has to say and sends what has waited long enough.
    pub fn idle(&mut self) {
        self.signals.drain(&self.native);
        self.send_what_is_due(Haste::Lingers);
    }

    /// Queues all records of a block, however long that takes.
    pub fn produce(&mut self, block: &Block) -> Result<(), Failure> {
        self.signals.drain(&self.native);
        if self.native.queued() == 0 {
            self.held_back.clear();
        }
        for run in block.records.chunk_by(Record::goes_with) {
            let mut rest = run;
            let mut stalled_at = Deadline::NEVER;
            while !rest.is_empty() {
                let (queued, refusal) = self.native.produce(block, rest);
                self.held_back.add(&rest[..queued]);
                rest = &rest[queued..];
                if queued > 0 {
                    stalled_at = Deadline::NEVER;
                }
                match refusal {
                    None => {}
                    Some(Code::QueueFull) if stalled_at.passed() || self.may_hold_back_all() => {
                        self.empty()?;
                    }
                    Some(Code::QueueFull) => {
                        stalled_at = stalled_at.or_earlier(Deadline::after(FULL_MAX));
                        self.wait_for_room(Haste::Lingers)?;
                    }
                    Some(code) => return Err(self.not_queued(code, rest[0].value.len())),
                }
            }
        }
        self.linger();
        self.send_what_is_due(Haste::Lingers);
        Ok(())
    }

    /// Something is queued that waits for company: in a transaction until it is committed, because nobody reads it before.
    fn linger(&mut self) {
        if self.options.mode == Mode::ExactlyOnce {
            return;
        }
        self.send_at = self.send_at.or_earlier(Deadline::after(self.options.flush_frequency()));
    }

    /// Has sent what has waited long enough, and what is then left as soon as that may help.
    ///
    /// librdkafka would send by itself what has waited for `linger.ms`. But a partition has one request under way, and as
    /// long as one record behind it has waited longer, the broker's thread polls without a pause: a broker that takes its
    /// time, or hangs, would cost a whole core. So librdkafka alone sends full batches, and the others when it is told to.
    fn send_what_is_due(&mut self, haste: Haste) {
        if !self.send_at.passed() {
            return;
        }
        if self.native.queued() > 0 {
            self.native.send_now(if matches!(haste, Haste::IsFull) { SEND_ALL } else { SEND_NOW });
        }
        let left = self.native.queued();
        let moved = left < std::mem::replace(&mut self.left, left);
        if moved {
            self.moved_at = clock::now();
        }
        let again = match haste {
            Haste::Lingers => self.options.flush_frequency().max(SEND_AGAIN_MIN),
            Haste::Ends | Haste::IsFull if moved => Duration::ZERO,
            Haste::Ends | Haste::IsFull => {
                (self.moved_at.elapsed() / 4).clamp(SEND_AGAIN_MIN, SEND_AGAIN_MAX)
            }
        };
        self.send_at = if left > 0 { Deadline::after(again) } else { Deadline::NEVER };
    }

    /// Of many partitions each may have a part of a batch, and none of them would be sent before its time.
    fn may_hold_back_all(&self) -> bool {
        self.held_back.may_be_all_of(usize::try_from(self.native.queued()).unwrap_or(0))
    }

    /// Empties the queue.
    fn empty(&mut self) -> Result<(), Failure> {
        self.send_from_now();
        while self.native.queued() > 0 {
            self.wait_for_room(Haste::IsFull)?;
        }
        self.held_back.clear();
        Ok(())
    }

    fn send_from_now(&mut self) {
        (self.left, self.moved_at) = (self.native.queued(), clock::now());
        self.send_at = Deadline::at(self.moved_at);
    }

    /// Waits until every record is acknowledged; answers how many were given up (best_effort alone).
    pub fn flush(&mut self) -> Result<u64, Failure> {
        let limit = self.in_transaction(self.options.transaction_timeout(), FLUSH_MAX);
        let deadline = Deadline::after(limit);
        self.send_from_now();
        loop {
            self.send_what_is_due(Haste::Ends);
            let done = self.native.queued() == 0;
            self.signals.drain(&self.native);
            self.check_fatal()?;
            if self.options.mode != Mode::BestEffort {
                self.check_undelivered()?;
            }
            if done {
                self.send_at = Deadline::NEVER;
                return Ok(std::mem::take(&mut self.signals.undelivered));
            }
            if deadline.passed() || self.common.must_stop() {
                return Err(self.not_acknowledged());
            }
            self.signals.wait(&self.native, FLUSH_PAUSE);
        }
    }

    /// Puts positions into the transaction, one call per group, in the order given.
    pub fn send_offsets(&mut self, writes: &[ShardWrite]) -> Result<(), Failure> {
        let deadline = Deadline::after(self.options.transaction_timeout());
        for group in writes.chunk_by(|one, two| one.group == two.group) {
            let name = self.options.group(group[0].group);
            let offsets = offsets_of(self.options.anchor(), group)?;
            loop {
                let wait = deadline.remaining(self.options.transaction_timeout());
                let result = self.native.send_offsets(&name, &offsets, wait);
                self.signals.drain(&self.native);
                let Err(error) = result else { break };
                self.retry_or_fail(&error, Stage::Open, deadline)?;
            }
        }
        Ok(())
    }

    /// Commits; `true` if a request of the transaction may still be under way.
    ///
    /// Waits for acknowledgements itself first: that costs nothing after a flush, and whatever fails in there is known
    /// to have failed before EndTxn was sent.
    pub fn commit(&mut self) -> Result<bool, Failure> {
        self.flush()?;
        let started = clock::now();
        let deadline = Deadline::after(self.options.transaction_timeout());
        loop {
            let result = self.native.commit_transaction(END_SLICE);
            // librdkafka queues the ENDTXN line before it answers the call, so after this drain it was heard.
            self.signals.drain(&self.native);
            let Err(error) = result else { break };
            self.signals.taint(&error.text);
            self.retry_or_fail(&error, Stage::Ending, deadline)?;
        }
        if started.elapsed() > self.options.socket_timeout() / 2 {
            self.signals.taint("the commit took longer than half the socket timeout");
        }
        if let Some(reason) = &self.signals.taint {
            tracing::debug!(
                "the transaction is committed, but a request of it may still be under way: {reason}"
            );
        }
        Ok(self.signals.taint.is_some())
    }

    /// Aborts the transaction. librdkafka waits for the reports of the records it gives up, which only we can take:
    /// so in slices, and taking reports in between.
    pub fn abort(&mut self) -> Result<(), Failure> {
        let deadline = Deadline::after(self.options.transaction_timeout());
        loop {
            let result = self.native.abort_transaction(END_SLICE);
            self.signals.drain(&self.native);
            match result {
                Ok(()) => return Ok(()),
                Err(error) => self.retry_or_fail(&error, Stage::Open, deadline)?,
            }
        }
    }

    fn init(&mut self) -> Result<(), Failure> {
        let deadline = Deadline::after(INIT_MAX);
        let mut slice = INIT_SLICE_MIN;
        loop {
            let result = self.native.init_transactions(slice);
            slice = INIT_SLICE_MAX.min(slice * 2);
            self.signals.drain(&self.native);
            let Err(error) = result else { return Ok(()) };
            let refused = matches!(cause(error.code), Cause::Refused | Cause::Forbidden);
            if class(&error, Stage::Open) != Class::Retriable || refused {
                let mut failure = self.failure(&error, Stage::Open);
                failure.class = Class::Fatal;
                return Err(failure);
            }
            if deadline.passed() || self.common.must_stop() || self.signals.hopeless() {
                return Err(self.init_failure(&error));
            }
        }
    }

    fn init_failure(&self, error: &TransactionError) -> Failure {
        let reason = self.signals.reason_text();
        let message = format!(
            "no transactions from Kafka at {} yet: {} ({reason})",
            self.options.brokers.join(", "),
            error.text
        );
        let cause = if self.signals.hopeless() { Cause::Unreachable } else { cause(error.code) };
        Failure { class: Class::Retriable, cause, message }
    }

    fn wait_for_room(&mut self, haste: Haste) -> Result<(), Failure> {
        self.signals.wait(&self.native, FULL_PAUSE);
        self.linger();
        self.send_what_is_due(haste);
        self.check_fatal()?;
        if self.options.mode != Mode::BestEffort {
            self.check_undelivered()?;
        }
        if self.common.must_stop() {
            return Err(self.not_acknowledged());
        }
        Ok(())
    }

    fn check_fatal(&self) -> Result<(), Failure> {
        let Some((code, text)) = self.native.client().fatal_error() else { return Ok(()) };
        let message = with_remedy(&text, code, &self.resources());
        Err(Failure { class: Class::Fatal, cause: cause(code), message })
    }

    fn check_undelivered(&self) -> Result<(), Failure> {
        if self.signals.undelivered == 0 {
            return Ok(());
        }
        let code = self.signals.first_failure.unwrap_or(Code::Unknown);
        let fact =
            format!("{} records were not delivered: {}", self.signals.undelivered, self.reason_of(code));
        let message = with_remedy(&fact, code, &self.resources());
        Err(Failure {
            class: self.in_transaction(Class::Abortable, Class::Fatal),
            cause: cause(code),
            message,
        })
    }

    fn not_queued(&mut self, code: Code, size: usize) -> Failure {
        self.signals.drain(&self.native);
        // After the transaction failed librdkafka answers _STATE, and the reports say why; a fatal error says more.
        if let Err(failure) = self.check_fatal().and_then(|()| self.check_undelivered()) {
            return failure;
        }
        let fact = format!("a record of {size} bytes cannot be produced: {}", self.reason_of(code));
        let message = with_remedy(&fact, code, &self.resources());
        Failure { class: self.in_transaction(Class::Abortable, Class::Fatal), cause: cause(code), message }
    }

    /// librdkafka's line on the transaction says more than a code.
    fn reason_of(&self, code: Code) -> String {
        self.signals.transaction_error.clone().unwrap_or_else(|| words(code))
    }

    fn not_acknowledged(&self) -> Failure {
        let reason = self.signals.reason_text();
        let message = format!("Kafka at {} does not acknowledge: {reason}", self.options.brokers.join(", "));
        let class = self.in_transaction(Class::Abortable, Class::Retriable);
        Failure { class, cause: Cause::Unreachable, message }
    }

    fn retry_or_fail(
        &mut self,
        error: &TransactionError,
        stage: Stage,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let mut failure = self.failure(error, stage);
        if failure.class != Class::Retriable {
            return Err(failure);
        }
        if deadline.passed() || self.common.must_stop() {
            failure.class = Class::Fatal;
            return Err(failure);
        }
        self.signals.wait(&self.native, RETRY_PAUSE);
        Ok(())
    }

    fn failure(&self, error: &TransactionError, stage: Stage) -> Failure {
        transaction_failure(error, stage, &self.resources())
    }

    fn in_transaction<T>(&self, inside: T, outside: T) -> T {
        if self.options.mode == Mode::ExactlyOnce { inside } else { outside }
    }

    fn resources(&self) -> Resources<'a> {
        self.options.resources()
    }
}

impl Drop for Producer<'_> {
    /// Gives up what is queued, so that releasing the handle waits for nothing.
    fn drop(&mut self) {
        self.native.purge();
        self.signals.drain(&self.native);
    }
}

fn offsets_of(topic: &str, writes: &[ShardWrite]) -> Result<TopicPartitionList, Failure> {
    let mut list = TopicPartitionList::with_capacity(writes.len());
    for write in writes {
        let impossible = |what: &dyn std::fmt::Display| Failure {
            class: Class::Fatal,
            cause: Cause::Other,
            message: format!(
                "position {} of partition {} cannot be written: {what}",
                write.sequence, write.partition
            ),
        };
        let partition = i32::try_from(write.partition).map_err(|error| impossible(&error))?;
        let sequence = i64::try_from(write.sequence).map_err(|error| impossible(&error))?;
        let mut element = list.add_partition(topic, partition);
        element.set_offset(Offset::Offset(sequence)).map_err(|error| impossible(&error))?;
        element.set_metadata(&write.metadata);
    }
    Ok(list)
}

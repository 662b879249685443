//! The handle of the edge, its thread, and the watchdog over calls that may never return.
//!
//! `rd_kafka_send_offsets_to_transaction` can block for ever when a group's coordinator is gone (librdkafka issue
//! 5456), and the agent must not. So two threads: `kafka` owns the producer and carries the commands out;
//! `kafka-watch` hands them over, waits for each answer at most as long as it may take, and otherwise answers
//! that the producer is lost, forgets the thread and gives the next command to a new one. A forgotten thread answers
//! into a channel that nobody reads, which ends it; the new producer's epoch fences what it may have left behind.
//!
//! Invariant: every command is answered exactly once.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::heard::Heard;
use super::options::KafkaOptions;
use super::producer::FLUSH_MAX;
use super::reader::{GROUPS_AT_ONCE, LOOKUP_MAX};
use super::worker::Worker;
use crate::io::clock::Deadline;
use crate::pipeline::action::{Cause, Class, Command, Failure, Reply};

/// What a call may take longer than its own bound: the slices of its loops and the release of an old producer.
const GRACE: Duration = Duration::from_secs(10);
/// Looking up (9 s), creating the topic (10 s, and twice 9 s until it is known) and init_transactions (20 s), each
/// bounded by itself.
const CONNECT_MAX: Duration = Duration::from_secs(60);
/// How often an idle worker takes what librdkafka has to say, which would pile up otherwise.
const IDLE: Duration = Duration::from_secs(5);
/// How often the watchdog looks whether the agent has to stop.
const WATCH_SLICE: Duration = Duration::from_millis(500);

/// Where the edge is made.
#[derive(Debug)]
pub struct Edge;

/// The agent's end of the edge. Dropping it ends the threads, and with them the producer.
#[derive(Debug)]
pub struct EdgeHandle {
    commands: Sender<Command>,
    common: Arc<Common>,
}

/// What outlives a working thread and all that it owns.
#[derive(Debug, Default)]
pub struct Common {
    /// When the agent will be gone, once that is known: no call waits longer than that.
    stop_by: OnceLock<Instant>,
    /// What is shown of librdkafka.
    pub heard: Arc<Heard>,
}

impl Edge {
    /// Starts the edge's threads. `reply` is called from one of them, once per command; what librdkafka tells besides is
    /// added to what was heard before.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn spawn(
        options: KafkaOptions,
        heard: &Arc<Heard>,
        reply: impl Fn(Reply) + Send + 'static,
    ) -> io::Result<EdgeHandle> {
        let (commands, inbox) = mpsc::channel();
        let common = Arc::new(Common { heard: Arc::clone(heard), ..Common::default() });
        let watch = Watch { options: Arc::new(options), common: Arc::clone(&common), thread: None };
        thread::Builder::new().name("kafka-watch".into()).spawn(move || watch.run(&inbox, reply))?;
        Ok(EdgeHandle { commands, common })
    }
}

impl EdgeHandle {
    /// Gives a command; its reply comes through the function given to [`Edge::spawn`].
    pub fn send(&self, command: Command) {
        // The thread lives as long as this handle: it ends only when the channel does.
        let _ = self.commands.send(command);
    }

    /// Tells when the agent will be gone: from then on whatever still waits fails. Only the first call counts.
    pub fn stop_by(&self, instant: Instant) {
        let _ = self.common.stop_by.set(instant);
    }
}

impl Common {
    /// Whether the agent has to be gone.
    pub fn must_stop(&self) -> bool {
        self.stop_by.get().is_some_and(|instant| Deadline::at(*instant).passed())
    }
}

/// The thread that hands over and watches.
struct Watch {
    options: Arc<KafkaOptions>,
    common: Arc<Common>,
    thread: Option<WorkerThread>,
}

/// The ends of one incarnation of the working thread.
struct WorkerThread {
    commands: Sender<Command>,
    replies: Receiver<Reply>,
}

impl Watch {
    fn run(mut self, inbox: &Receiver<Command>, reply: impl Fn(Reply)) {
        while let Ok(command) = inbox.recv() {
            let answer = self.carry_out(command);
            reply(answer);
        }
    }

    fn carry_out(&mut self, command: Command) -> Reply {
        let limit = limit_of(&command, &self.options);
        let name = name_of(&command);
        let thread = match self.thread.take() {
            Some(thread) => thread,
            None => match WorkerThread::spawn(&self.options, &self.common) {
                Ok(thread) => thread,
                Err(error) => return lost(format!("no thread for Kafka: {error}")),
            },
        };
        // A thread that ended is noticed below, when it does not answer.
        let _ = thread.commands.send(command);
        match thread.answer(limit, &self.common) {
            Some(reply) => {
                self.thread = Some(thread);
                reply
            }
            None => lost(format!("{name} does not come back from librdkafka; its thread is given up")),
        }
    }
}

impl WorkerThread {
    fn spawn(options: &Arc<KafkaOptions>, common: &Arc<Common>) -> io::Result<Self> {
        let (commands, inbox) = mpsc::channel();
        let (outbox, replies) = mpsc::channel();
        let (options, common) = (Arc::clone(options), Arc::clone(common));
        thread::Builder::new().name("kafka".into()).spawn(move || {
            let mut worker = Worker::new(&options, &common);
            loop {
                match inbox.recv_timeout(worker.idle_at().remaining(IDLE)) {
                    Ok(command) => {
                        if outbox.send(worker.carry_out(command)).is_err() {
                            return;
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => worker.idle(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(Self { commands, replies })
    }

    /// The answer, or `None` if the thread is stuck or gone.
    fn answer(&self, limit: Option<Duration>, common: &Common) -> Option<Reply> {
        let deadline = limit.map_or(Deadline::NEVER, Deadline::after);
        let mut grace: Option<Deadline> = None;
        loop {
            match self.replies.recv_timeout(WATCH_SLICE) {
                Ok(reply) => return Some(reply),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if common.must_stop() && grace.is_none() {
                grace = Some(Deadline::after(STOP_GRACE));
            }
            if deadline.passed() || grace.is_some_and(Deadline::passed) {
                return None;
            }
        }
    }
}

/// The loops of the worker notice a stop within one of their slices, of which 500 ms is the longest.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// How long a command may take before its thread counts as stuck. Producing only ever waits in a loop of ours, which
/// ends by itself, and without transactions it may wait for Kafka as long as Kafka is away.
fn limit_of(command: &Command, options: &KafkaOptions) -> Option<Duration> {
    match command {
        Command::Produce(_) => None,
        Command::Connect { .. } => Some(CONNECT_MAX + GRACE),
        Command::Fetch { groups, .. } => {
            let questions = groups.len().div_ceil(GROUPS_AT_ONCE);
            let each = options.transaction_timeout() + LOOKUP_MAX + options.socket_timeout();
            Some(each.saturating_mul(u32::try_from(questions).unwrap_or(u32::MAX)) + GRACE)
        }
        // A commit waits for acknowledgements first, each part for one timeout.
        Command::Flush | Command::Commit => Some(FLUSH_MAX + options.transaction_timeout() * 2 + GRACE),
        Command::Begin | Command::SendOffsets(_) | Command::Abort | Command::Disconnect => {
            Some(options.transaction_timeout() + GRACE)
        }
    }
}

fn name_of(command: &Command) -> &'static str {
    match command {
        Command::Connect { .. } => "connecting",
        Command::Fetch { .. } => "reading positions",
        Command::Begin => "beginning a transaction",
        Command::Produce(_) => "producing",
        Command::Flush => "waiting for acknowledgements",
        Command::SendOffsets(_) => "writing positions",
        Command::Commit => "the commit",
        Command::Abort => "the abort",
        Command::Disconnect => "dropping the producer",
    }
}

fn lost(message: String) -> Reply {
    Reply::Failed(Failure { class: Class::Fatal, cause: Cause::Other, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread() -> (WorkerThread, Sender<Reply>) {
        let (commands, _) = mpsc::channel();
        let (outbox, replies) = mpsc::channel();
        (WorkerThread { commands, replies }, outbox)
    }

    #[test]
    fn a_thread_that_does_not_answer_is_given_up() {
        let (thread, outbox) = thread();
        assert!(thread.answer(Some(Duration::from_millis(1)), &Common::default()).is_none());
        drop(thread);
        assert!(outbox.send(Reply::OffsetsSent).is_err(), "its late answer reaches nobody");
    }

    #[test]
    fn a_thread_that_ended_is_noticed() {
        let (thread, outbox) = thread();
        drop(outbox);
        assert!(thread.answer(None, &Common::default()).is_none());
    }

    #[test]
    fn an_answer_in_time_is_passed_on() {
        let (thread, outbox) = thread();
        outbox.send(Reply::Began).unwrap();
        assert!(matches!(
            thread.answer(Some(Duration::from_secs(5)), &Common::default()),
            Some(Reply::Began)
        ));
    }

    #[test]
    fn a_stop_ends_the_wait_for_a_stuck_thread() {
        let (thread, _outbox) = thread();
        let common = Common::default();
        common.stop_by.set(crate::io::clock::now()).unwrap();
        assert!(thread.answer(None, &common).is_none());
    }
}

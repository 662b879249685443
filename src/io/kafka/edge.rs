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

use super::options::KafkaOptions;
use super::worker::Worker;
use crate::io::clock::Deadline;
use crate::pipeline::action::{Cause, Class, Command, Failure, Reply};

/// What a call may take longer than its own bound: the slices of its loops and the release of an old producer.
const GRACE: Duration = Duration::from_secs(10);
/// Looking up (9 s), creating the topic (20 s) and init_transactions (20 s), each bounded by itself.
const CONNECT_MAX: Duration = Duration::from_secs(50);
/// How often the watchdog looks whether the agent has to stop.
const WATCH_SLICE: Duration = Duration::from_millis(500);

/// Where the edge is made.
#[derive(Debug)]
pub struct Edge;

/// The agent's end of the edge. Dropping it ends the threads, and with them the producer.
#[derive(Debug)]
pub struct EdgeHandle {
    commands: Sender<Command>,
    stop: Arc<StopBy>,
}

/// When the agent will be gone, once that is known: no call waits longer than that.
#[derive(Debug, Default)]
pub struct StopBy(OnceLock<Instant>);

impl Edge {
    /// Starts the edge's threads. `reply` is called from one of them, once per command.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn spawn(options: KafkaOptions, reply: impl Fn(Reply) + Send + 'static) -> io::Result<EdgeHandle> {
        let (commands, inbox) = mpsc::channel();
        let stop = Arc::new(StopBy::default());
        let watch = Watch { options: Arc::new(options), stop: Arc::clone(&stop), thread: None };
        thread::Builder::new().name("kafka-watch".into()).spawn(move || watch.run(&inbox, reply))?;
        Ok(EdgeHandle { commands, stop })
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
        let _ = self.stop.0.set(instant);
    }
}

impl StopBy {
    /// Whether the time is over.
    pub fn passed(&self) -> bool {
        self.0.get().is_some_and(|instant| Deadline::at(*instant).passed())
    }
}

/// The thread that hands over and watches.
struct Watch {
    options: Arc<KafkaOptions>,
    stop: Arc<StopBy>,
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
            None => match WorkerThread::spawn(&self.options, &self.stop) {
                Ok(thread) => thread,
                Err(error) => return lost(format!("no thread for Kafka: {error}")),
            },
        };
        // A thread that ended is noticed below, when it does not answer.
        let _ = thread.commands.send(command);
        match thread.answer(limit, &self.stop) {
            Some(reply) => {
                self.thread = Some(thread);
                reply
            }
            None => lost(format!("{name} does not come back from librdkafka; its thread is given up")),
        }
    }
}

impl WorkerThread {
    fn spawn(options: &Arc<KafkaOptions>, stop: &Arc<StopBy>) -> io::Result<Self> {
        let (commands, inbox) = mpsc::channel();
        let (outbox, replies) = mpsc::channel();
        let (options, stop) = (Arc::clone(options), Arc::clone(stop));
        thread::Builder::new().name("kafka".into()).spawn(move || {
            let mut worker = Worker::new(&options, &stop);
            while let Ok(command) = inbox.recv() {
                if outbox.send(worker.carry_out(command)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { commands, replies })
    }

    /// The answer, or `None` if the thread is stuck or gone.
    fn answer(&self, limit: Option<Duration>, stop: &StopBy) -> Option<Reply> {
        let deadline = limit.map_or(Deadline::NEVER, Deadline::after);
        let mut grace: Option<Deadline> = None;
        loop {
            match self.replies.recv_timeout(WATCH_SLICE) {
                Ok(reply) => return Some(reply),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if stop.passed() && grace.is_none() {
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
            let each = options.transaction_timeout() + options.socket_timeout();
            Some(each.saturating_mul(u32::try_from(groups.len()).unwrap_or(u32::MAX)) + GRACE)
        }
        Command::Begin
        | Command::Flush
        | Command::SendOffsets(_)
        | Command::Commit
        | Command::Abort
        | Command::Disconnect => Some(options.transaction_timeout() + GRACE),
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

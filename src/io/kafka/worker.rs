//! One command in, one reply out: the state of the edge's thread.
//!
//! Holds the producer and, between connecting and the first transaction, the reader. Whether a command makes sense
//! now is the machine's business; one that cannot be carried out is answered with a fatal failure.

use std::ops::Range;

use super::edge::Common;
use super::options::{KafkaOptions, Mode};
use super::producer::Producer;
use super::reader::Reader;
use crate::io::clock::Deadline;
use crate::pipeline::action::{Cause, Class, Command, Committed, Failure, Reply};
use crate::pipeline::batch::Block;

/// What the edge's thread owns.
pub struct Worker<'a> {
    options: &'a KafkaOptions,
    common: &'a Common,
    producer: Option<Producer<'a>>,
    /// Dropped with the first transaction, or when idle: it is seldom needed again, and keeps connections and threads.
    reader: Option<Reader<'a>>,
    /// Of the anchor.
    partitions: u32,
}

impl<'a> Worker<'a> {
    /// A worker that is not connected.
    pub fn new(options: &'a KafkaOptions, common: &'a Common) -> Self {
        Self { options, common, producer: None, reader: None, partitions: 0 }
    }

    /// Carries one command out. Blocks.
    pub fn carry_out(&mut self, command: Command) -> Reply {
        self.try_carry_out(command).unwrap_or_else(Reply::Failed)
    }

    /// When it wants to be told that it is idle, if that is before long.
    pub fn idle_at(&self) -> Deadline {
        self.producer.as_ref().map_or(Deadline::NEVER, Producer::send_at)
    }

    /// Nothing was commanded for a while: what is kept only for the next moment goes.
    pub fn idle(&mut self) {
        self.reader = None;
        if let Some(producer) = &mut self.producer {
            producer.idle();
        }
    }

    fn try_carry_out(&mut self, command: Command) -> Result<Reply, Failure> {
        Ok(match command {
            Command::Connect { batch_bytes_max } => self.connect(batch_bytes_max)?,
            Command::Fetch { anchor, groups } => Reply::Fetched(self.fetch(&anchor, groups)?),
            Command::Begin => {
                self.reader = None;
                self.producer()?.begin()?;
                Reply::Began
            }
            Command::Produce(block) => self.produce(block)?,
            Command::Flush => Reply::Flushed { failed: self.producer()?.flush()? },
            Command::SendOffsets(writes) => {
                self.transactional_producer()?.send_offsets(&writes)?;
                Reply::OffsetsSent
            }
            Command::Commit => Reply::Committed { tainted: self.transactional_producer()?.commit()? },
            Command::Abort => {
                self.transactional_producer()?.abort()?;
                Reply::Aborted
            }
            Command::Disconnect => {
                self.disconnect();
                Reply::Disconnected
            }
        })
    }

    fn connect(&mut self, batch_bytes_max: usize) -> Result<Reply, Failure> {
        self.disconnect();
        if let Some(name) = self.options.reserved_property() {
            let message = format!("kafka.properties: {name} is set by viewtail itself: remove it");
            return Err(Failure { class: Class::Fatal, cause: Cause::Refused, message });
        }
        let mut reader = Reader::open(self.options, self.common)?;
        let topics = reader.topics()?;
        self.producer = Some(Producer::open(self.options, self.common, batch_bytes_max)?);
        self.reader = Some(reader);
        self.partitions = topics.partitions[0];
        Ok(Reply::Connected { partitions: topics.partitions, cluster_id: topics.cluster_id })
    }

    fn disconnect(&mut self) {
        self.reader = None;
        self.producer = None;
    }

    fn fetch(&mut self, anchor: &str, groups: Range<u32>) -> Result<Vec<Vec<Committed>>, Failure> {
        self.producer()?;
        let reader = match &mut self.reader {
            Some(reader) => reader,
            empty @ None => empty.insert(Reader::open(self.options, self.common)?),
        };
        let partitions = if anchor == self.options.anchor() {
            self.partitions
        } else {
            reader.look_up(anchor)?.unwrap_or(0)
        };
        reader.committed(groups, (anchor, partitions))
    }

    fn produce(&mut self, block: Block) -> Result<Reply, Failure> {
        self.producer()?.produce(&block)?;
        Ok(Reply::Produced(block))
    }

    fn transactional_producer(&mut self) -> Result<&mut Producer<'a>, Failure> {
        if self.options.mode == Mode::ExactlyOnce {
            self.producer()
        } else {
            Err(out_of_place("there are no transactions in this mode"))
        }
    }

    fn producer(&mut self) -> Result<&mut Producer<'a>, Failure> {
        self.producer.as_mut().ok_or_else(|| out_of_place("there is no producer"))
    }
}

fn out_of_place(message: &str) -> Failure {
    Failure { class: Class::Fatal, cause: Cause::Other, message: message.to_owned() }
}

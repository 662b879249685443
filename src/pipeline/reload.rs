//! Another configuration for a machine that is at work.
//!
//! It takes effect between two transactions, and what was read and is not committed yet is read again under the new
//! rules: a batch knows one configuration only, and to the positions a reload looks like the loss of a producer, which is
//! safe at any instant. Files stay open throughout, so a log that was rotated and deleted meanwhile is not lost by it.
//! What stays is what the positions hang on: the agent's id, their anchor and the mode of delivery.

use super::account::Loss;
use super::action::{Action, Millis};
use super::generation::Whereabouts;
use super::options::{DeliveryOptions, LogOptions};
use super::tail::Tail;
use super::tally::Tally;
use super::turns::Throttle;
use crate::event::{Encoder, StreamId};
use crate::format::Format;
use crate::planted::{self, Bug};

/// What changes.
#[derive(Clone, Debug)]
pub struct Reload {
    /// The entries of `logs:`, each with the format that the same log had before, if that was another one: the web
    /// server may still write it, and has written it to what is not read yet.
    pub logs: Vec<(LogOptions, Option<Format>)>,
    /// How events are delivered; anchor and mode are those from before.
    pub delivery: DeliveryOptions,
    /// How much of the disk deleted files may hold; nothing where there is no limit.
    pub deleted_bytes_max: Option<u64>,
    /// What becomes of the producer.
    pub producer: Producer,
}

/// What becomes of the producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Producer {
    /// It goes on.
    Kept,
    /// Another one takes its place, as after a loss: brokers or their properties changed.
    Replaced,
}

impl Tail {
    /// Follows these logs from now on. Generations of logs that are no longer there are let go of, their positions kept:
    /// when their log comes back, they are read on. What was being filled is given up, and told.
    pub fn reconfigure(
        &mut self,
        now: Millis,
        logs: Vec<(LogOptions, Option<Format>)>,
        delivery: &DeliveryOptions,
        actions: &mut Vec<Action>,
    ) -> Tally {
        self.encoders = logs.iter().map(|(log, before)| encoder(log, before.as_ref())).collect();
        self.options.logs = logs.into_iter().map(|(log, _)| log).collect();
        self.sites.renew(&self.options.logs);
        self.options.partition_by = delivery.partition_by;
        self.options.rejects = delivery.rejects;
        self.options.timestamp = delivery.timestamp;
        self.options.quiet_grace_ms = delivery.quiet_grace_ms;
        let waiting: Vec<StreamId> = self.throttles.drain(..).flat_map(Throttle::into_waiting).collect();
        self.ready.extend(waiting);
        self.throttles = self.options.logs.iter().map(Throttle::of).collect();
        let streams: Vec<StreamId> = self.generations.keys().copied().collect();
        for stream in &streams {
            let log = self.log_of_generation(*stream);
            self.generation(*stream).log = log;
            self.renew_kin(*stream);
        }
        let given_up =
            if planted::is(Bug::ReloadWithoutRewind) { Tally::default() } else { self.rewind(now) };
        for stream in streams {
            if self.generations[&stream].log.is_some() {
                self.poll(stream, now);
            } else {
                self.detach(now, stream, actions);
            }
        }
        self.look_at_everything_anew(now);
        given_up
    }

    /// What was found out about files and directories was found out for other logs.
    fn look_at_everything_anew(&mut self, now: Millis) {
        self.rejected.clear();
        self.directories.clear();
        self.listings.clear();
        self.told.clear();
        self.unmatched_told = false;
        self.hints_lost(now);
    }

    /// The log of a generation by the path where it began, or by the one that its name continues.
    fn log_of_generation(&self, stream: StreamId) -> Option<usize> {
        let generation = &self.generations[&stream];
        let of_path = |path: &std::path::Path| {
            self.log_of(path).or_else(|| self.home_by_name(path).and_then(|home| self.log_of(&home)))
        };
        let home = generation.home.as_deref().and_then(of_path);
        home.or_else(|| generation.path.as_deref().and_then(of_path))
    }

    /// Lets go of a generation that no log wants. An open file would keep a deleted log on the disk.
    pub fn detach(&mut self, now: Millis, stream: StreamId, actions: &mut Vec<Action>) {
        self.close(stream, actions);
        if self.generations[&stream].whereabouts == Whereabouts::Away {
            self.lose_inode(now, stream, Loss::Deleted);
        }
    }
}

/// The encoder of a log, with the format from before as second try.
fn encoder(log: &LogOptions, before: Option<&Format>) -> Encoder {
    let make = |options| Encoder::new(options).expect("the rules were compiled when the options were made");
    let encoder = make(log.encoder.clone());
    match before {
        None => encoder,
        Some(format) => {
            let mut options = log.encoder.clone();
            options.format = format.clone();
            encoder.or_else(make(options))
        }
    }
}

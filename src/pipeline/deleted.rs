//! Deleted files that live by our descriptors alone: how much of the disk they hold, and which are given up when that is too
//! much.
//!
//! A log that was deleted before its lines are in Kafka stays on the disk for as long as it is open here. That is what keeps
//! its lines, and what fills a disk when Kafka is away for long: somebody has to say how much is too much.

use std::collections::BTreeMap;

use super::account::Loss;
use super::action::{Action, FileError, FileId, Millis, Weight};
use super::generation::Whereabouts;
use super::notice::Notice;
use super::tail::Tail;
use crate::event::StreamId;
use crate::planted::{self, Bug};

/// What deleted files hold of the disk, in bytes, as far as it was asked.
pub(super) type Deleted = BTreeMap<StreamId, u64>;

impl Tail {
    /// Asks what the files hold that no listed path leads to. There are few of them, and they change slowly: once a sweep.
    pub fn weigh_deleted(&self, actions: &mut Vec<Action>) {
        if self.options.deleted_bytes_max.is_some() {
            let nameless = self
                .by_file
                .iter()
                .filter(|(_, stream)| self.generations[stream].whereabouts == Whereabouts::Away);
            let mut nameless: Vec<FileId> = nameless.map(|(file, _)| *file).collect();
            // Equal inputs have equal answers, whatever order a hash gives.
            nameless.sort_unstable();
            actions.extend(nameless.into_iter().map(Action::Weigh));
            self.weigh_held(actions);
        }
    }

    /// What one file holds; beyond the limit those that have not grown for the longest are given up.
    pub fn weighed(
        &mut self,
        now: Millis,
        file: FileId,
        weight: Result<Weight, FileError>,
        actions: &mut Vec<Action>,
    ) {
        let (Some(limit), Ok(weight)) = (self.options.deleted_bytes_max, weight) else { return };
        let Some(stream) = self.by_file.get(&file).copied() else {
            self.held_weighed((file, weight), limit, actions);
            return;
        };
        if weight.links > 0 {
            self.deleted.remove(&stream);
            return;
        }
        self.generation(stream).books.reaches(weight.size);
        self.deleted.insert(stream, weight.disk_bytes);
        let generations = &self.generations;
        self.deleted.retain(|stream, _| {
            generations.get(stream).is_some_and(|generation| {
                generation.whereabouts == Whereabouts::Away && generation.file.is_some()
            })
        });
        while let Some(stream) = self.longest_quiet().filter(|_| self.deleted_bytes() > limit) {
            self.give_up(now, stream, actions);
        }
    }

    fn deleted_bytes(&self) -> u64 {
        if planted::is(Bug::DeletedHeld) { 0 } else { self.deleted.values().sum() }
    }

    fn longest_quiet(&self) -> Option<StreamId> {
        self.deleted.keys().copied().min_by_key(|stream| (self.generations[stream].grown_at, *stream))
    }

    /// Lets go of what is not read of a deleted file; it is lost as soon as what is on its way is settled.
    fn give_up(&mut self, now: Millis, stream: StreamId, actions: &mut Vec<Action>) {
        let held_bytes = self.deleted_bytes();
        self.deleted.remove(&stream);
        if let Some(path) = self.generations[&stream].path.clone() {
            self.notices.push(Notice::GivenUp { path, held_bytes });
        }
        self.close(stream, actions);
        self.lose_inode(now, stream, Loss::GivenUp);
        if self.generations[&stream].is_settled() {
            self.end(stream);
        }
    }
}

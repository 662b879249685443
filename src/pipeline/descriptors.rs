//! Which files are open: few of those that have nothing to give, and never more than the process may have.
//!
//! A descriptor is what keeps a deleted file readable, so none is given back that bytes may still be needed from: those
//! of files that no listed path leads to, and those of which something was read and is not committed. All others can be
//! opened again, and what is behind them is verified then.

use std::collections::{BTreeSet, VecDeque};

use super::action::{Action, Millis};
use super::examination::EXAMINED_MAX;
use super::generation::{Generation, Turn, Whereabouts};
use super::options::OpenFiles;
use super::tail::{ROTATED_POLL_MS, Tail};
use super::turns::is_fresh;
use crate::event::StreamId;

/// So many closed files are on their way to be opened again: no more, or what is open would not be read meanwhile.
const OPENING_MAX: usize = 4;

/// The open files that may be closed, and the closed ones that wait for a descriptor.
#[derive(Debug)]
pub(super) struct Descriptors {
    limits: OpenFiles,
    /// Read to their end and committed, the longest unread first. Whether they still are is looked at when it matters.
    idle: BTreeSet<(Millis, StreamId)>,
    /// The same of rotated files, which are looked at again and again until nobody writes to them.
    rotated: BTreeSet<(Millis, StreamId)>,
    /// Closed files that are to be read and wait until others are closed.
    waiting: VecDeque<StreamId>,
}

impl Descriptors {
    pub fn new(limits: OpenFiles) -> Self {
        Self { limits, idle: BTreeSet::new(), rotated: BTreeSet::new(), waiting: VecDeque::new() }
    }

    fn forget(&mut self, generation: &mut Generation) {
        if let Some(since) = generation.idle_since.take() {
            self.idle.remove(&(since, generation.stream));
            self.rotated.remove(&(since, generation.stream));
        }
    }
}

impl Tail {
    /// Notes a file that has nothing to give as things stand.
    pub fn note_idle(&mut self, stream: StreamId) {
        let generation = self.generations.get_mut(&stream).expect("an index names a forgotten generation");
        self.descriptors.forget(generation);
        if is_idle(generation) {
            generation.idle_since = Some(generation.read_at);
            let list = if generation.is_rotated() {
                &mut self.descriptors.rotated
            } else {
                &mut self.descriptors.idle
            };
            list.insert((generation.read_at, stream));
        }
    }

    /// Closes files that have nothing to give beyond the number that may stay open, the longest unread first.
    pub fn close_idle(&mut self, now: Millis, actions: &mut Vec<Action>) {
        while self.by_file.len() > self.descriptors.limits.idle + self.descriptors.rotated.len() {
            let Some((_, stream)) = self.descriptors.idle.pop_first() else { break };
            let generation = self.generation(stream);
            generation.idle_since = None;
            // One that is about to be looked at is noted again behind that look.
            if generation.poll_at.is_none() && generation.turn == Turn::Later {
                self.close_if_idle(stream, actions);
            }
        }
        while !self.descriptors.waiting.is_empty() && self.by_file.len() >= self.descriptors.limits.all {
            let Some((_, stream)) = self.descriptors.rotated.pop_first() else { break };
            self.generation(stream).idle_since = None;
            self.close_if_idle(stream, actions);
            self.poll(stream, now.plus(ROTATED_POLL_MS));
        }
    }

    /// Closes a few files that have nothing to give, because the process has no descriptor left: no more than are opened at a
    /// time, as whatever was deleted since the last listing is gone with its descriptor.
    pub fn close_longest_idle(&mut self, actions: &mut Vec<Action>) {
        for _ in 0..OPENING_MAX {
            let Some((_, stream)) = self.descriptors.idle.pop_first() else { return };
            self.generation(stream).idle_since = None;
            self.close_if_idle(stream, actions);
        }
    }

    /// Whether files that are met may stay open until they are read and committed.
    pub fn has_room_for_fresh(&self) -> bool {
        self.by_file.len() + 2 * EXAMINED_MAX <= self.descriptors.limits.all
    }

    /// Closes a file that was only looked at, if others need the room more: it is opened again when its turn comes.
    pub fn close_unread(&mut self, stream: StreamId, actions: &mut Vec<Action>) {
        let generation = &self.generations[&stream];
        if self.reads_at_once && is_fresh(generation) {
            return;
        }
        let can_wait = generation.whereabouts == Whereabouts::Here
            && !generation.is_rotated()
            && generation.is_settled();
        if can_wait && self.by_file.len() > self.descriptors.limits.idle {
            self.close(stream, actions);
        }
    }

    /// Whether another file may be opened to be read.
    pub fn may_open(&self, now: Millis) -> bool {
        let opening = self.examining.len();
        let is_short = self.troubles.short_until().is_some_and(|until| now < until);
        opening < OPENING_MAX && self.by_file.len() + opening < self.descriptors.limits.all && !is_short
    }

    /// When those that wait for a descriptor may try again after none was to be had.
    pub fn waiting_until(&self) -> Millis {
        let until = self.troubles.short_until().filter(|_| !self.descriptors.waiting.is_empty());
        until.unwrap_or(Millis(u64::MAX))
    }

    /// Lets a closed file wait for a descriptor.
    pub fn wait_for_descriptor(&mut self, stream: StreamId) {
        self.generation(stream).turn = Turn::Waits;
        self.descriptors.waiting.push_back(stream);
    }

    /// The longest waiting of those that wait for a descriptor, if there is one.
    pub fn next_waiting_for_descriptor(&mut self, now: Millis) -> Option<StreamId> {
        while self.may_open(now) {
            let stream = self.descriptors.waiting.pop_front()?;
            if self.generations.get(&stream).is_some_and(|generation| generation.turn == Turn::Waits) {
                return Some(stream);
            }
        }
        None
    }

    fn close_if_idle(&mut self, stream: StreamId, actions: &mut Vec<Action>) {
        let is_read = self.reading.as_ref().is_some_and(|reading| reading.stream == stream);
        if is_idle(&self.generations[&stream]) && !is_read {
            self.close(stream, actions);
        }
    }

    /// Gives a descriptor back, if there is one.
    pub fn close(&mut self, stream: StreamId, actions: &mut Vec<Action>) {
        let generation = self.generations.get_mut(&stream).expect("an index names a forgotten generation");
        self.descriptors.forget(generation);
        if let Some(file) = generation.file.take() {
            self.by_file.remove(&file);
            actions.push(Action::Close(file));
        }
    }
}

/// Whether a file is open, can be found again, and has been read and committed to its end, as far as anybody knows: one
/// that was written to since, or cannot be read, may have bytes that its descriptor alone leads to.
fn is_idle(generation: &Generation) -> bool {
    generation.file.is_some()
        && generation.whereabouts == Whereabouts::Here
        && generation.is_drained()
        && generation.is_settled()
        && !generation.is_hinted
        && generation.trouble.is_none()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::action::{FileId, SharedPath, Stat};
    use super::super::identity::Tuple;
    use super::super::tail::{Birth, TailOptions};
    use super::*;

    #[test]
    fn a_file_that_was_opened_while_it_waited_for_a_descriptor_is_read_with_the_one_it_has() {
        let mut options = TailOptions::of_log("/log/*");
        options.open_files.all = 1;
        let mut tail = Tail::new(options, None);
        let path = SharedPath::from(Path::new("/log/access.log"));
        let tuple = Tuple { device: 1, inode: 7, birth_ns: Some(1) };
        let stat = Stat { tuple, size: 10, modified_ns: 1, links: 1 };
        let stream = tail.begin(Millis(0), Birth::of_file(&path, stat, FileId(1)));
        tail.close(stream, &mut Vec::new());
        tail.wait_for_descriptor(stream);
        tail.queue(stream);
        assert!(!tail.has_turns(), "it waits as before");
        tail.generation(stream).file = Some(FileId(2));
        tail.by_file.insert(FileId(2), stream);
        tail.queue(stream);
        assert_eq!(tail.next_turn(Millis(0)), Some(stream));
        tail.generation(stream).turn = Turn::Later;
        tail.close(stream, &mut Vec::new());
        assert_eq!(tail.next_waiting_for_descriptor(Millis(0)), None, "it waits no more");
    }
}

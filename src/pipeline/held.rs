//! Before the committed positions are known: nothing can be read yet, but files are rotated and deleted all the same.
//!
//! Kafka may be away when the agent starts. What it will have to read is opened and held meanwhile, without a verdict;
//! when the positions are known, each descriptor is looked at again and judged like any other file.

use std::collections::{BTreeMap, HashSet};

use super::action::{
    Action, Ask, Boundary, FileError, FileId, FileSeen, Form, Listing, Millis, Opened, Weight,
};
use super::checkpoint::Snapshot;
use super::generation::Whereabouts;
use super::identity::Tuple;
use super::notice::Notice;
use super::tail::Tail;

/// Half of the descriptors that a process may have by default.
pub(super) const HELD_FILES_MAX: usize = 512;

/// What is held until the positions are known.
#[derive(Debug, Default)]
pub(super) struct Held {
    files: BTreeMap<FileId, HeldFile>,
    /// Inodes that are held or being opened.
    tuples: HashSet<Tuple>,
    /// Inodes that the local state remembers, wherever their names lead.
    remembered: HashSet<Tuple>,
    /// Whether everything was listed once: what appears later did not exist when the log was first configured.
    has_swept: bool,
}

/// A descriptor without a verdict.
#[derive(Clone, Debug)]
pub(super) struct HeldFile {
    /// Where it was first seen.
    seen: FileSeen,
    /// Where reading begins if it is a new file of a log that begins at the end.
    boundary: Option<Boundary>,
    /// What it holds of the disk, if it was deleted.
    deleted_bytes: u64,
    /// How its bytes are stored. Where what is compressed ends is known when it is unpacked.
    form: Form,
    /// Whether it was there before its log, which begins at the end.
    at_end: bool,
}

impl Held {
    /// Nothing yet; `local` says which inodes matter besides those that the logs match.
    pub fn new(local: Option<&Snapshot>) -> Self {
        let files = local.into_iter().flat_map(|local| &local.files);
        Self { remembered: files.map(|file| file.entry.tuple).collect(), ..Self::default() }
    }
}

impl Tail {
    /// Opens what the listings show and the positions may ask for.
    pub fn hold(&mut self, now: Millis, listings: Vec<Listing>, actions: &mut Vec<Action>) {
        let swept = std::mem::take(&mut self.sweeping);
        for listing in listings {
            self.note_listed(now, &listing);
            for file in self.readable(now, listing.directory, listing.files).unwrap_or_default() {
                self.hold_file(now, file, actions);
            }
        }
        if let Some(held) = &mut self.held {
            held.has_swept |= swept;
        }
    }

    fn hold_file(&mut self, now: Millis, file: FileSeen, actions: &mut Vec<Action>) {
        if let Some(error) = file.kind.refusal() {
            self.refuse(file.path, error);
            return;
        }
        let log = self.log_of(&file.path);
        let is_held_back = self.opens_at(now, &file.path).is_some();
        let Some(held) = &mut self.held else { return };
        let wanted = log.is_some() || held.remembered.contains(&file.stat.tuple);
        let room = held.tuples.len() < HELD_FILES_MAX;
        if !wanted || is_held_back || !room || !held.tuples.insert(file.stat.tuple) {
            return;
        }
        let is_first = !held.has_swept;
        let boundary = is_first && log.is_some_and(|log| self.starts_at_end(log, &file.stat));
        let id = self.next_file();
        actions.push(Action::Open(id, file.path.clone(), Ask { markers: Vec::new(), boundary }));
        self.holding.insert(id, file);
        if boundary {
            self.holding_at_end.insert(id);
        }
    }

    /// A file that was opened to be held is there, or not; or another file took its place since it was listed.
    pub fn was_held_open(
        &mut self,
        now: Millis,
        id: FileId,
        (mut seen, opened): (FileSeen, Result<Opened, FileError>),
        actions: &mut Vec<Action>,
    ) {
        let at_end = self.holding_at_end.remove(&id);
        let Opened { stat, boundary, form, .. } = match opened {
            Ok(opened) => opened,
            Err(error) => {
                if let Some(held) = &mut self.held {
                    held.tuples.remove(&seen.stat.tuple);
                }
                if error != FileError::NotFound {
                    let retry_at = self.opening_failed(now, &seen.path, error, actions);
                    self.list_after(retry_at, &seen.path);
                }
                return;
            }
        };
        self.opening_succeeded(now, &seen.path);
        if form != Form::Plain && self.is_archive(&seen.path) {
            // There are many, they seldom go, and what a descriptor shows of one takes long: the next listing finds it again.
            actions.push(Action::Close(id));
            return;
        }
        let listed = std::mem::replace(&mut seen.stat, stat).tuple;
        let is_other = listed != stat.tuple;
        if is_other {
            self.list_after(now, &seen.path);
        }
        let file = HeldFile { seen, boundary, form, at_end, deleted_bytes: 0 };
        let is_taken = self.by_tuple.contains_key(&stat.tuple);
        match &mut self.held {
            Some(held) => {
                if is_other {
                    held.tuples.remove(&listed);
                }
                if is_other && !held.tuples.insert(stat.tuple) {
                    actions.push(Action::Close(id));
                } else {
                    held.files.insert(id, file);
                }
            }
            None if is_taken => actions.push(Action::Close(id)),
            None => self.look_as_held(id, file, actions),
        }
    }

    /// Asks what the files hold of the disk that are open without a verdict.
    pub fn weigh_held(&self, actions: &mut Vec<Action>) {
        let files = self.held.iter().flat_map(|held| held.files.keys());
        actions.extend(files.map(|file| Action::Weigh(*file)));
    }

    /// What one of them holds; beyond the limit the first that was opened is given up. How much of it was delivered before is
    /// not known yet.
    pub fn held_weighed(&mut self, (id, weight): (FileId, Weight), limit: u64, actions: &mut Vec<Action>) {
        let Some(held) = &mut self.held else { return };
        let Some(file) = held.files.get_mut(&id) else { return };
        file.deleted_bytes = if weight.links == 0 { weight.disk_bytes } else { 0 };
        loop {
            let held_bytes: u64 = held.files.values().map(|file| file.deleted_bytes).sum();
            let first = held.files.iter().find(|(_, file)| file.deleted_bytes > 0).map(|(id, _)| *id);
            let Some(id) = first.filter(|_| held_bytes > limit) else { return };
            if let Some(file) = held.files.remove(&id) {
                self.notices.push(Notice::GivenUp { path: file.seen.path, held_bytes });
                actions.push(Action::Close(id));
            }
        }
    }

    /// The positions are known: everything that is held is judged, files whose inode is known before their copies.
    pub fn end_hold(&mut self, actions: &mut Vec<Action>) {
        let Some(held) = self.held.take() else { return };
        let (known, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            held.files.into_iter().partition(|(_, file)| self.has_unlocated(file.seen.stat.tuple.inode));
        for files in [known, others] {
            for (id, file) in files {
                self.look_as_held(id, file, actions);
            }
        }
    }

    fn look_as_held(&mut self, id: FileId, file: HeldFile, actions: &mut Vec<Action>) {
        let HeldFile { seen, boundary, form, at_end, .. } = file;
        // Only with the positions it is known which logs were followed before.
        let log = self.log_of(&seen.path).map(|log| self.options.logs[log].key);
        let is_first = log.is_some_and(|key| !self.known_logs.contains(&key));
        let (boundary, at_end) = (boundary.filter(|_| is_first), at_end && is_first);
        let boundary_ask = at_end && form != Form::Plain;
        self.look_as(id, (seen, boundary), &Ask { markers: Vec::new(), boundary: boundary_ask }, actions);
    }

    /// Whether a generation was in this inode and nobody knows yet whether it still is.
    pub fn has_unlocated(&self, inode: u64) -> bool {
        let mut known = self.index.of_inode(inode);
        known.any(|stream| self.generations[&stream].whereabouts == Whereabouts::Unlocated)
    }
}

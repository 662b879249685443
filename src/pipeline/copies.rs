//! Files whose bytes another generation has: what copytruncate, a backup or an editor leaves beside a log.
//!
//! A copy is never read on its own. As long as its original may go on, it waits; if the original is lost, it goes on in the
//! copy ([`super::discover`] does that). Once everything in it is delivered, and nobody has changed it for a while, it is
//! registered as a generation that is read to its end, so that it stays known when its original is long forgotten. No
//! clock decides what is a copy, only when to stop asking.

use super::action::{Action, FileId, FileSeen, Millis, Opened, SharedPath, Stat};
use super::discover::Examination;
use super::generation::{Whereabouts, path_hash};
use super::identity::{HEAD_BYTES_MAX, Head, Mark, Verdict};
use super::notice::Notice;
use super::tail::{Birth, TROUBLE_POLL_MS, Tail};
use crate::event::StreamId;

/// A copy that did not change for so long is complete: copying a log never stalls longer.
const COPY_QUIET_MS: u64 = 10_000;

/// A copy whose original is not read so far yet is looked at again at most so seldom.
const COPY_POLL_MS_MAX: u64 = 60_000;

/// A file that is not read, until it changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rejected {
    stat: Stat,
    /// It is looked at again when a generation has gone missing since.
    searches: u64,
    /// What it is a copy of.
    copy: Option<Copied>,
}

#[derive(Clone, Copy, Debug)]
struct Copied {
    original: StreamId,
    /// When it was first seen as it is.
    since: Millis,
    /// When it is looked at again.
    look_at: Millis,
}

impl Tail {
    /// Whether a file was looked at in vain and nothing has changed since.
    pub fn is_rejected(&self, now: Millis, stat: &Stat) -> bool {
        self.rejected.get(&stat.tuple).is_some_and(|rejected| {
            rejected.is_unchanged(stat)
                && rejected.searches == self.searches
                && rejected.copy.is_none_or(|copy| now < copy.look_at)
        })
    }

    /// A file that is not to be read.
    pub fn reject(&mut self, stat: &Stat) {
        self.rejected.insert(stat.tuple, Rejected { stat: *stat, searches: self.searches, copy: None });
    }

    /// The generation that a file is a copy of, wholly or as far as it goes. Few equal bytes make no copy, as many files
    /// begin alike, but where the name says the same.
    pub fn original(&self, verdicts: &[(StreamId, Verdict)], file: &FileSeen) -> Option<StreamId> {
        let home = self.home_by_name(&file.path).map(|home| path_hash(&home));
        let is_copy = |stream: &StreamId| {
            let generation = &self.generations[stream];
            file.stat.size >= HEAD_BYTES_MAX as u64
                || home == Some(generation.home_hash)
                || generation.whereabouts == Whereabouts::Unlocated
        };
        let all = |wanted: Verdict| {
            let found = verdicts.iter().filter(move |(_, verdict)| *verdict == wanted);
            let found = found.map(|(stream, _)| *stream).filter(is_copy);
            found.max_by_key(|stream| self.generations[stream].lines.cursor().position)
        };
        all(Verdict::Copy).or_else(|| all(Verdict::Part))
    }

    /// A file turned out to be a copy: it waits, unless it is done with or has become a file of its own.
    pub fn meet_copy(
        &mut self,
        now: Millis,
        original: StreamId,
        (id, examination, opened): (FileId, &Examination, Opened),
        actions: &mut Vec<Action>,
    ) {
        let Examination { seen, candidates, .. } = examination;
        let size = opened.stat.size;
        let since = self.copied_since(now, original, &opened.stat);
        let is_delivered = self.generations[&original].committed.position >= size;
        let before = opened.markers.get(candidates.len()).and_then(Option::as_deref);
        let before = before.filter(|_| seen.stat.size == size);
        if let (true, Some(before)) = (is_delivered && now.since(since) >= COPY_QUIET_MS, before) {
            let mark = Mark::at(size, before);
            self.begin_delivered(now, (id, mark), (&seen.path, opened), actions);
            return;
        }
        if !is_delivered && self.has_outgrown(original, since, size) {
            self.take_in(now, id, (seen, opened, None), actions);
            return;
        }
        let look_at = if is_delivered {
            now.plus(TROUBLE_POLL_MS).max(since.plus(COPY_QUIET_MS))
        } else {
            self.ask_original(now, original);
            now.plus((now.since(since) / 2).clamp(TROUBLE_POLL_MS, COPY_POLL_MS_MAX))
        };
        let copy = Some(Copied { original, since, look_at });
        let rejected = Rejected { stat: opened.stat, searches: self.searches, copy };
        self.rejected.insert(opened.stat.tuple, rejected);
        self.tell_copy(original, &seen.path);
        self.list_after(look_at, &seen.path);
        actions.push(Action::Close(id));
    }

    /// Whether a generation began empty under a name that a copy would have, as copies begin. One that was renamed to such a
    /// name is none; but without a birth the file there may be another in the same inode.
    pub fn may_be_copy(&self, stream: StreamId) -> bool {
        let generation = &self.generations[&stream];
        let is_one_file = generation.tuple.birth_ns.is_some();
        let name = if is_one_file { &generation.home } else { &generation.path };
        let name = name.as_deref().filter(|_| !generation.head.is_known());
        name.is_some_and(|name| self.home_by_name(name).is_some())
    }

    fn copied_since(&self, now: Millis, original: StreamId, stat: &Stat) -> Millis {
        let noted = self.rejected.get(&stat.tuple).filter(|rejected| rejected.is_unchanged(stat));
        let noted = noted.and_then(|rejected| rejected.copy).filter(|copy| copy.original == original);
        noted.map_or(now, |copy| copy.since)
    }

    /// Whether a live original ends where the file goes on, read after the file was seen: then it is none. What a listing
    /// says of a closed file proves nothing before it is opened: it may have been truncated.
    fn has_outgrown(&self, original: StreamId, since: Millis, size: u64) -> bool {
        let generation = &self.generations[&original];
        let is_verified = generation.file.is_some() || !generation.is_hinted;
        generation.whereabouts == Whereabouts::Here
            && is_verified
            && generation.read_at > since
            && generation.is_drained()
            && generation.stat.size < size
    }

    fn ask_original(&mut self, now: Millis, original: StreamId) {
        match self.generations[&original].whereabouts {
            Whereabouts::Here | Whereabouts::Away => self.look(original, now),
            Whereabouts::Unlocated | Whereabouts::Missing(_) => {}
        }
    }

    /// Everything in the file was delivered as part of another: what may come behind it is its own.
    fn begin_delivered(
        &mut self,
        now: Millis,
        (file, mark): (FileId, Mark),
        (path, opened): (&SharedPath, Opened),
        actions: &mut Vec<Action>,
    ) {
        let Some(log) = self.log_of(path) else {
            self.reject(&opened.stat);
            actions.push(Action::Close(file));
            return;
        };
        let mut head = Head::default();
        head.learn(&opened.head);
        let (home, path) = (path.clone(), path.clone());
        self.begin(now, Birth { log, home, path, stat: opened.stat, head, mark, file });
    }

    fn tell_copy(&mut self, stream: StreamId, path: &SharedPath) {
        if let Some(original) = self.generations[&stream].path.clone()
            && self.told.insert(path.clone())
        {
            self.notices.push(Notice::CopyIgnored { path: path.clone(), original });
        }
    }
}

impl Rejected {
    fn is_unchanged(&self, stat: &Stat) -> bool {
        self.stat.size == stat.size
            && self.stat.modified_ns == stat.modified_ns
            && self.stat.links == stat.links
    }
}

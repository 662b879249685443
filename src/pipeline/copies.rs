//! Files whose bytes another generation has: what copytruncate, a backup or an editor leaves beside a log.
//!
//! A copy is never read on its own. As long as its original may go on, it waits; if the original is lost, it goes on in the
//! copy ([`super::discover`] does that). Once everything in it is delivered, and nobody has changed it for a while, it is
//! registered as a generation that is read to its end, so that it stays known when its original is long forgotten. No
//! clock decides what is a copy, only when to stop asking.

use super::action::{Action, FileId, FileSeen, Form, Millis, Opened, SharedPath, Stat};
use super::archives::is_known_since;
use super::comparison::Ending;
use super::examination::Examination;
use super::generation::{Whereabouts, path_hash};
use super::identity::{HEAD_BYTES_MAX, Head, Mark, Verdict, marker_length};
use super::notice::Notice;
use super::tail::{Birth, TROUBLE_POLL_MS, Tail};
use crate::event::StreamId;

/// A copy that did not change for so long is complete: copying a log never stalls longer.
const COPY_QUIET_MS: u64 = 10_000;

/// A copy whose original is not read so far yet is looked at again at most so seldom.
const COPY_POLL_MS_MAX: u64 = 60_000;

/// A file that is not read, until it changes.
#[derive(Clone, Debug)]
pub(super) struct Rejected {
    stat: Stat,
    /// It is looked at again when a generation has gone missing since.
    searches: u64,
    /// When it was first seen as it is.
    since: Millis,
    /// When it is looked at again although nothing happened.
    look_at: Option<Millis>,
    /// What it is a copy of, and where it was seen as that.
    copied: Option<(StreamId, SharedPath)>,
    /// What is known of its end beside what generations have there that begin alike.
    endings: Vec<(StreamId, Ending)>,
}

impl Tail {
    /// Whether a file was looked at in vain and nothing has changed since. If it is to be looked at later, it still will be: a
    /// listing that was due then may have come earlier, because something else happened.
    pub fn is_rejected(&mut self, now: Millis, FileSeen { path, stat, .. }: &FileSeen) -> bool {
        let noted = self.rejected_as_it_is(stat).filter(|rejected| rejected.searches == self.searches);
        let Some(look_at) = noted.map(|rejected| rejected.look_at) else { return false };
        let later = look_at.filter(|look_at| now < *look_at);
        later.into_iter().for_each(|look_at| self.list_after(look_at, path));
        look_at.is_none() || later.is_some()
    }

    /// A file that is not to be read.
    pub fn reject(&mut self, now: Millis, stat: &Stat) {
        let since = self.rejected_since(now, None, stat);
        self.set_aside(stat, (since, None));
    }

    /// A file that is looked at again a while after it was first seen as it is now; whether that time is over.
    pub fn has_rested(&mut self, now: Millis, (seen, rest_ms): (&FileSeen, u64)) -> bool {
        let since = self.rejected_since(now, None, &seen.stat);
        if now.since(since) >= rest_ms {
            return true;
        }
        self.look_again(now, since.plus(rest_ms), seen);
        false
    }

    /// A file that is looked at again at that time, and not before unless it changes.
    pub fn look_again(&mut self, now: Millis, at: Millis, seen: &FileSeen) {
        let since = self.rejected_since(now, None, &seen.stat);
        self.set_aside(&seen.stat, (since, Some(at)));
        self.list_after(at, &seen.path);
    }

    /// The generation that a file is a copy of, wholly or as far as it goes. Few equal bytes make no copy, as many files
    /// begin alike, but where the name says the same.
    pub fn original(
        &self,
        verdicts: &[(StreamId, Verdict)],
        (file, size): (&FileSeen, u64),
    ) -> Option<StreamId> {
        let homes = self.homes_by_name(&file.path);
        let is_copy = |stream: &StreamId| {
            let generation = &self.generations[stream];
            // One that is missing is never read further, and what cannot go on in this file would have it wait for ever.
            let is_alike = !generation.is_missing() || self.may_have_moved(*stream, &file.path);
            size >= HEAD_BYTES_MAX as u64 && is_alike
                || generation.may_have_begun_at(&homes)
                || generation.whereabouts == Whereabouts::Unlocated
        };
        // So many bytes of the file are known to be this one's.
        let proven = |stream: &StreamId| self.generations[stream].lines.cursor().position.min(size);
        let found = verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Copy | Verdict::Part));
        let found = found.filter(|(stream, _)| is_copy(stream));
        let is_none = |stream: StreamId| self.ending(&file.stat, stream) == Some(Ending::Other);
        let found = found.filter(|(stream, _)| !is_none(*stream));
        let best = found.max_by_key(|(stream, verdict)| (proven(stream), *verdict == Verdict::Copy));
        best.map(|(stream, _)| *stream)
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
        let size = opened.size();
        let looked_at = FileSeen { stat: opened.stat, ..seen.clone() };
        let since = self.rejected_since(now, Some(original), &opened.stat);
        if opened.form != Form::Plain {
            // It does not change any more, and unpacking it again would show the same.
            self.set_aside_copy(&opened.stat, (original, &seen.path), (since, None));
            self.tell_copy(original, &seen.path);
            actions.push(Action::Close(id));
            return;
        }
        let is_delivered = self.is_delivered_as(original, size);
        let before = opened.markers.get(candidates.len()).and_then(Option::as_deref);
        let before = before.filter(|before| seen.stat.size == size && before.len() >= marker_length(size));
        let end = before.map(|before| Mark::at(size, before));
        let is_proven =
            !self.can_compare(original, size) || self.ending(&opened.stat, original) == Some(Ending::Same);
        let has_rested = now.since(since) >= COPY_QUIET_MS;
        if let (true, Some(mark)) = (is_delivered && is_proven && has_rested, end) {
            self.begin_delivered(now, (id, mark), (&seen.path, opened), actions);
            return;
        }
        if !is_delivered && self.has_outgrown(original, since, size) {
            self.set_aside_copy(&opened.stat, (original, &seen.path), (since, None));
            self.note_ending(now, original, (&looked_at, Ending::Other));
            self.take_in(now, id, (seen, opened, None), actions);
            return;
        }
        let look_at = if is_delivered {
            now.plus(TROUBLE_POLL_MS).max(since.plus(COPY_QUIET_MS))
        } else {
            self.ask_original(now, original);
            now.plus((now.since(since) / 2).clamp(TROUBLE_POLL_MS, COPY_POLL_MS_MAX))
        };
        self.set_aside_copy(&opened.stat, (original, &seen.path), (since, Some(look_at)));
        self.list_after(look_at, &seen.path);
        actions.push(Action::Close(id));
        match end {
            Some(end) if !is_proven => self.compare_end(original, (&looked_at, end), actions),
            Some(_) | None => self.tell_copy(original, &seen.path),
        }
    }

    /// Whether as many bytes as a copy has are delivered of its original.
    fn is_delivered_as(&self, original: StreamId, size: u64) -> bool {
        self.generations[&original].committed.position >= size
    }

    /// The generation of which nothing is read yet in a file that seems to be a copy, if our descriptor is all that leads to the file
    /// and not every byte of it is known to be the original's: so few may be equal that both only begin alike.
    pub fn may_only_seem(
        &self,
        original: StreamId,
        verdicts: &[(StreamId, Verdict)],
        opened: &Opened,
    ) -> Option<StreamId> {
        if opened.stat.links > 0 || self.is_delivered_as(original, opened.size()) {
            return None;
        }
        let mut own =
            verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Same).map(|(stream, _)| *stream);
        own.find(|stream| {
            let generation = &self.generations[stream];
            generation.tuple == opened.stat.tuple && !generation.head.is_known() && !self.is_wanted(*stream)
        })
    }

    /// Such a file could not be looked at again once it is closed: it is held until its original is read so far that both differ,
    /// or all of it is delivered.
    pub fn hold_copy(
        &mut self,
        now: Millis,
        (own, original): (StreamId, StreamId),
        (id, seen, opened): (FileId, &FileSeen, &Opened),
        actions: &mut Vec<Action>,
    ) {
        let since = self.rejected_since(now, Some(original), &opened.stat);
        self.set_aside_copy(&opened.stat, (original, &seen.path), (since, None));
        if self.has_outgrown(original, since, opened.size()) {
            let looked_at = FileSeen { stat: opened.stat, ..seen.clone() };
            self.note_ending(now, original, (&looked_at, Ending::Other));
        } else {
            self.ask_original(now, original);
        }
        self.hold_on(now, own, id, actions);
    }

    /// What a file is to its generation depends on what becomes of lines that are under way or of another file: it is asked again a
    /// while later.
    pub fn hold_on(&mut self, now: Millis, stream: StreamId, id: FileId, actions: &mut Vec<Action>) {
        let generation = self.generation(stream);
        if generation.file.is_none() {
            generation.file = Some(id);
            self.by_file.insert(id, stream);
        } else {
            actions.push(Action::Close(id));
        }
        self.poll(stream, now.plus(TROUBLE_POLL_MS));
    }

    /// Whether a generation that may be a copy cannot be read yet: of another one, of which it may have been made, nobody knows the
    /// bytes that were there when this one had its first.
    pub fn waits_for_others(
        &mut self,
        now: Millis,
        own: StreamId,
        (seen, opened): (&FileSeen, &Opened),
    ) -> bool {
        if opened.form != Form::Plain || opened.size() == 0 || !self.may_be_copy(own) {
            self.generation(own).held_since = None;
            return false;
        }
        let since = *self.generation(own).held_since.get_or_insert(now);
        let unread = self.unread_since(own, since, seen);
        unread.into_iter().for_each(|stream| self.ask_original(now, stream));
        unread.is_some()
    }

    /// Another generation of which this one may have been made, and which was not read since.
    fn unread_since(&self, own: StreamId, since: Millis, seen: &FileSeen) -> Option<StreamId> {
        // Of two that may each be a copy of the other, one has to be read first: the older one.
        let age = |stream: StreamId| {
            let generation = &self.generations[&stream];
            (generation.tuple.birth_ns, generation.held_since, stream)
        };
        let may_be_it = |stream: &StreamId| {
            let generation = &self.generations[stream];
            let born = generation.tuple.birth_ns;
            let is_before = born.is_none_or(|born| born <= seen.stat.modified_ns)
                && (!self.may_be_copy(*stream) || age(*stream) < age(own));
            is_before && !generation.is_missing() && !is_known_since(generation, Some(since))
        };
        let others =
            self.homes_by_name(&seen.path).into_iter().flat_map(|home| self.index.of_home(path_hash(&home)));
        others.filter(|stream| *stream != own).find(may_be_it)
    }

    /// It is asked again a while later. Where descriptors are short, those that it waits for may need one: it is found again by its
    /// name.
    pub fn hold_for_others(&mut self, now: Millis, own: StreamId, actions: &mut Vec<Action>) {
        let generation = &self.generations[&own];
        let waited_ms = generation.held_since.map_or(0, |since| now.since(since));
        if generation.stat.links > 0 && !self.has_room_for_fresh() {
            self.close(own, actions);
        }
        self.poll(own, now.plus((waited_ms / 2).clamp(TROUBLE_POLL_MS, COPY_POLL_MS_MAX)));
    }

    /// What is known of the end of a file that did not change since it was compared with that generation's.
    fn ending(&self, stat: &Stat, original: StreamId) -> Option<Ending> {
        let noted = self.rejected.get(&stat.tuple).filter(|rejected| rejected.is_unchanged(stat))?;
        noted.endings.iter().find(|(stream, _)| *stream == original).map(|(_, ending)| *ending)
    }

    /// A file that was set aside as a copy was compared: one that is none is looked at again at once.
    pub fn note_ending(&mut self, now: Millis, original: StreamId, (copy, ending): (&FileSeen, Ending)) {
        let noted = self.rejected.get_mut(&copy.stat.tuple);
        let Some(noted) = noted.filter(|rejected| rejected.is_unchanged(&copy.stat)) else { return };
        noted.endings.retain(|(stream, _)| *stream != original);
        noted.endings.push((original, ending));
        match ending {
            Ending::Same => self.tell_copy(original, &copy.path),
            Ending::Other => {
                noted.look_at = Some(now);
                self.list_after(now, &copy.path);
            }
        }
    }

    /// A generation is lost: wherever a copy of it was seen, that is looked at again.
    pub fn seek_in_copies(&mut self, now: Millis, original: StreamId) {
        let copies = self.rejected.values().filter_map(|rejected| rejected.copied.as_ref());
        let copies = copies.filter(|(stream, _)| *stream == original);
        let places: Vec<SharedPath> = copies.map(|(_, path)| path.clone()).collect();
        places.iter().for_each(|path| self.list_after(now, path));
    }

    /// Whether a generation may be a copy that had not a byte yet when it was first seen: then its first bytes tell.
    pub fn may_be_copy(&self, stream: StreamId) -> bool {
        let generation = &self.generations[&stream];
        generation.is_named_as_copy && !generation.head.is_known()
    }

    fn set_aside(&mut self, stat: &Stat, (since, look_at): (Millis, Option<Millis>)) {
        let searches = self.searches;
        let noted = self.rejected.remove(&stat.tuple).filter(|rejected| rejected.is_unchanged(stat));
        let endings = noted.map(|rejected| rejected.endings).unwrap_or_default();
        let rejected = Rejected { stat: *stat, searches, since, look_at, copied: None, endings };
        self.rejected.insert(stat.tuple, rejected);
    }

    fn set_aside_copy(
        &mut self,
        stat: &Stat,
        (original, path): (StreamId, &SharedPath),
        times: (Millis, Option<Millis>),
    ) {
        self.set_aside(stat, times);
        if let Some(rejected) = self.rejected.get_mut(&stat.tuple) {
            rejected.copied = Some((original, path.clone()));
        }
    }

    /// Since when a file that was set aside is as it is.
    pub fn unchanged_since(&self, stat: &Stat) -> Option<Millis> {
        self.rejected_as_it_is(stat).map(|rejected| rejected.since)
    }

    fn rejected_as_it_is(&self, stat: &Stat) -> Option<&Rejected> {
        self.rejected.get(&stat.tuple).filter(|rejected| rejected.is_unchanged(stat))
    }

    /// Since when a file is as it is, for all that is known of it as a copy of this one, or of none.
    fn rejected_since(&self, now: Millis, original: Option<StreamId>, stat: &Stat) -> Millis {
        let noted = self.rejected_as_it_is(stat);
        let noted = noted.filter(|rejected| rejected.copied.as_ref().map(|(stream, _)| *stream) == original);
        noted.map_or(now, |rejected| rejected.since)
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
            && generation.size() < size
    }

    pub fn ask_original(&mut self, now: Millis, original: StreamId) {
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
            self.reject(now, &opened.stat);
            actions.push(Action::Close(file));
            return;
        };
        let mut head = Head::default();
        head.learn(&opened.head);
        let (home, path) = (path.clone(), path.clone());
        let Opened { stat, form, .. } = opened;
        self.begin(now, Birth { log, home, path, stat, form, head, mark, file });
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::account::Loss;
    use super::super::action::FileKind;
    use super::super::tail::TailOptions;
    use super::*;
    use crate::pipeline::action::Listing;
    use crate::pipeline::identity::Tuple;

    #[test]
    fn what_is_to_be_looked_at_later_still_is_when_its_directory_is_listed_before() {
        let mut tail = Tail::new(TailOptions::of_log("/log/access.log"), None);
        tail.end_hold(&mut Vec::new());
        let directory = SharedPath::from(Path::new("/log"));
        let tuple = Tuple { device: 1, inode: 7, birth_ns: Some(1) };
        let stat = Stat { tuple, size: 100, modified_ns: 1, links: 1 };
        let path = SharedPath::from(Path::new("/log/access.log.1.gz"));
        let seen = FileSeen { path, kind: FileKind::Regular, stat };
        let list = |tail: &mut Tail, now: Millis| {
            let mut actions = Vec::new();
            tail.list_what_is_due(now, &mut actions);
            let is_listed = actions.iter().any(|action| matches!(action, Action::List(_)));
            if is_listed {
                let files = Ok(vec![seen.clone()]);
                let listing = Listing { directory: directory.clone(), files, exists: true };
                tail.listed(now, vec![listing], &mut Vec::new());
            }
            is_listed
        };
        let listing = Listing { directory: directory.clone(), files: Ok(Vec::new()), exists: true };
        tail.listed(Millis(0), vec![listing], &mut Vec::new());
        tail.look_again(Millis(0), Millis(1000), &seen);
        tail.list_soon(Millis(100), &directory);
        assert!(list(&mut tail, Millis(100)), "something else happened there");
        assert!(!list(&mut tail, Millis(999)));
        assert!(list(&mut tail, Millis(1000)), "its time has come");
    }

    #[test]
    fn a_log_that_was_renamed_is_no_copy_and_one_that_began_under_such_a_name_may_be() {
        for (name, may_be_copy) in [("access.log", false), ("access.log.1", true)] {
            let mut tail = Tail::new(TailOptions::of_log("/log/access.log*"), None);
            let path = |name: &str| SharedPath::from(Path::new("/log").join(name));
            let stat = Stat {
                tuple: Tuple { device: 1, inode: 7, birth_ns: None },
                size: 0,
                modified_ns: 1,
                links: 1,
            };
            let stream = tail.begin(Millis(0), Birth::of_file(&path(name), stat, FileId(1)));
            tail.end_hold(&mut Vec::new());
            let files = Ok(vec![FileSeen { path: path("access.log.2"), kind: FileKind::Regular, stat }]);
            let directory = SharedPath::from(Path::new("/log"));
            tail.listed(Millis(1), vec![Listing { directory, files, exists: true }], &mut Vec::new());
            assert_eq!(tail.generations[&stream].path, Some(path("access.log.2")));
            assert_eq!(tail.may_be_copy(stream), may_be_copy, "{name}");
        }
    }

    #[test]
    fn what_may_be_a_copy_waits_until_those_that_were_there_before_were_read() {
        let mut tail = Tail::new(TailOptions::of_log("/log/access.log*"), None);
        let mut begin = |name: &str, inode: u64| {
            let path = SharedPath::from(Path::new("/log").join(name));
            let birth_ns = Some(inode.cast_signed());
            let tuple = Tuple { device: 1, inode, birth_ns };
            let stat = Stat { tuple, size: 10, modified_ns: 9, links: 1 };
            let stream = tail.begin(Millis(0), Birth::of_file(&path, stat, FileId(inode)));
            (stream, FileSeen { path, kind: FileKind::Regular, stat })
        };
        let (original, _) = begin("access.log", 1);
        let (older, older_seen) = begin("access.log.2", 2);
        let (younger, younger_seen) = begin("access.log.1", 3);
        let waits = |tail: &mut Tail, now, own, seen: &FileSeen| {
            let opened = Opened {
                stat: seen.stat,
                form: Form::Plain,
                is_sole_name: true,
                head: b"123456789\n".to_vec(),
                markers: Vec::new(),
                boundary: None,
            };
            tail.waits_for_others(Millis(now), own, (seen, &opened))
        };
        assert!(waits(&mut tail, 5, older, &older_seen), "nobody knows a byte of the log");
        assert!(waits(&mut tail, 5, younger, &younger_seen));
        tail.generation(original).head.learn(b"987654321\n");
        tail.generation(original).read_at = Millis(5);
        assert!(waits(&mut tail, 9, older, &older_seen), "it may have been read just before");
        tail.generation(original).read_at = Millis(6);
        assert!(!waits(&mut tail, 9, older, &older_seen), "how it grew since says nothing");
        assert!(waits(&mut tail, 9, younger, &younger_seen), "the older one is not read yet");
        tail.lose_inode(Millis(9), older, Loss::Deleted);
        assert!(!waits(&mut tail, 9, younger, &younger_seen));
        assert!(
            !waits(&mut tail, 9, original, &older_seen),
            "a log that began under its own name waits for none"
        );
    }
}

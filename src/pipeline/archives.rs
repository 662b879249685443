//! Compressed files: the archives that rotation leaves, and logs that their server compresses itself.
//!
//! An archive is a copy as all others are: never read on its own while its original may go on, and read on in plain
//! positions once the original is lost. What is new is that looking at all of it takes time, so that needs a reason.

use std::collections::VecDeque;

use super::action::{Action, Ask, COMPRESSED_ENDINGS, FileId, FileSeen, Form, Millis, Opened, Rest, Stat};
use super::examination::Examination;
use super::generation::{Generation, Whereabouts, path_hash};
use super::identity::{HeadEvidence, Mark, Verdict};
use super::notice::Notice;
use super::tail::{TROUBLE_POLL_MS, Tail};
use super::unreadable::PATIENCE_MS;
use crate::event::StreamId;

/// So many archives are unpacked at the same time: xz and zstd remember up to 64 and 128 MiB for each.
const UNPACKING_MAX: usize = 2;

/// An archive that did not change for so long is unpacked: one that is being written is not looked through again and again.
const REST_MS: u64 = 1000;

/// The archives that are being read, few at a time, and those that wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Decoding {
    at_work: Vec<StreamId>,
    waiting: VecDeque<StreamId>,
}

impl Tail {
    /// Whether a compressed file under this name is an archive of a log, and not a log that its server compresses.
    pub fn is_archive(&self, path: &std::path::Path) -> bool {
        self.home_by_name(path).is_some() || self.log_of(path).is_none()
    }

    /// Whether a file that holds nothing is an archive that is being made: nothing is lost by waiting for its first byte. Others
    /// are held, as a log that was rotated before its first line came may be deleted before it comes.
    pub fn will_be_archive(&self, path: &std::path::Path, form: Form) -> bool {
        let ending = path.extension().and_then(std::ffi::OsStr::to_str);
        let is_named_so = ending.is_some_and(|ending| COMPRESSED_ENDINGS.contains(&ending));
        self.is_archive(path) && (form != Form::Plain || is_named_so)
    }

    /// A compressed file was opened, and its first plain bytes are known: is there a reason to unpack all of it?
    pub fn meet_packed(
        &mut self,
        now: Millis,
        id: FileId,
        (examination, opened): (Examination, Opened),
        actions: &mut Vec<Action>,
    ) {
        if self.refuse_anothers(now, id, (&examination, &opened), actions) {
            return;
        }
        let Examination { seen, mut candidates, at_end, boundary, is_narrow, .. } = examination;
        if is_narrow {
            candidates = self.candidates(&seen);
        }
        let elsewhere = self.elsewhere((&seen, &opened), &candidates);
        candidates.extend(elsewhere);
        let seen = FileSeen { stat: opened.stat, ..seen };
        let is_archive = self.is_archive(&seen.path);
        let is_own = |(stream, _): &(StreamId, Mark)| self.generations[stream].tuple == seen.stat.tuple;
        let is_followed = candidates.iter().any(is_own);
        let begins_alike = |(stream, _): &(StreamId, Mark)| {
            self.generations[stream].head.compare(&opened.head) == HeadEvidence::Equal
        };
        let is_known = candidates.iter().any(begins_alike);
        if is_archive && !is_followed && !is_known && self.chain_home(&seen, Some(opened.form)).is_none() {
            self.leave_archive(now, &seen);
            actions.push(Action::Close(id));
        } else if is_archive
            && !self.by_tuple.contains_key(&seen.stat.tuple)
            && self.unpacking.len() >= UNPACKING_MAX
        {
            self.wait_to_unpack(now, &seen);
            actions.push(Action::Close(id));
        } else if !is_archive || is_followed || self.has_rested(now, (&seen, REST_MS)) {
            self.unpacking.extend(is_archive.then_some((id, seen.path.clone())));
            let is_new = !is_archive && !is_followed;
            let examination = Examination { candidates, boundary, ..Examination::of(seen) };
            let ask = Ask { boundary: at_end && is_new, ..examination.ask() };
            self.examine(id, (examination, ask), actions);
        } else {
            actions.push(Action::Close(id));
        }
    }

    /// A file was looked at: if it was unpacked for that, others may be now.
    pub fn was_unpacked(&mut self, now: Millis, id: FileId) {
        let is_over = self.unpacking.remove(&id).is_some();
        if is_over && let Some(path) = self.unpacking_waits.pop_first() {
            self.list_after(now, &path);
        }
    }

    fn wait_to_unpack(&mut self, now: Millis, seen: &FileSeen) {
        // It is found again by the next listing, which has the oldest first.
        self.unpacking_waits.insert(seen.path.clone());
        self.list_after(now.plus(TROUBLE_POLL_MS), &seen.path);
    }

    /// Whether an archive has to wait until another one is read to its end. A log that is compressed as it is written has
    /// small members and waits for nobody.
    pub fn must_wait_for_decoder(&mut self, stream: StreamId) -> bool {
        let generation = &self.generations[&stream];
        if !generation.is_packed() || !generation.is_rotated() || generation.is_drained() {
            return false;
        }
        let Decoding { at_work, waiting } = &mut self.decoding;
        if !at_work.contains(&stream) {
            if at_work.len() >= UNPACKING_MAX {
                waiting.push_back(stream);
                return true;
            }
            at_work.push(stream);
        }
        false
    }

    /// The archive that waited longest, if it need not wait any more.
    pub fn next_to_decode(&mut self) -> Option<StreamId> {
        let Decoding { at_work, waiting } = &mut self.decoding;
        at_work.retain(|stream| {
            let generation = self.generations.get(stream);
            generation.is_some_and(|generation| generation.file.is_some() && !generation.is_drained())
        });
        if at_work.len() < UNPACKING_MAX { waiting.pop_front() } else { None }
    }

    /// Whether a file is an archive that was read to its end before the agent was started, and nothing happened to it since: it
    /// need not be unpacked to be known.
    pub fn is_read_archive(&mut self, file: &FileSeen) -> bool {
        let is_it = |stream: &StreamId| {
            let generation = &self.generations[stream];
            let Stat { tuple, size, modified_ns, .. } = file.stat;
            generation.whereabouts == Whereabouts::Unlocated
                && generation.tuple == tuple
                && generation.read_archive == Some(size)
                && generation.stat.modified_ns == modified_ns
        };
        let Some(stream) = self.index.of_inode(file.stat.tuple.inode).find(is_it) else { return false };
        self.change(stream, |generation| {
            generation.path = Some(file.path.clone());
            generation.whereabouts = Whereabouts::Here;
        });
        let generation = self.generation(stream);
        generation.stat = file.stat;
        generation.form = Form::Unpacked { size: generation.looked_to, rest: Rest::None };
        generation.finished = true;
        self.by_tuple.insert(file.stat.tuple, stream);
        self.by_path.insert(file.path.clone(), stream);
        true
    }

    /// Whether a file under a rotated name may be a copy or an archive of a generation that nobody has looked at since the file is
    /// there: that is read first.
    pub fn asks_others(&mut self, now: Millis, seen: &FileSeen) -> bool {
        let unread = self.unread_beside(seen);
        unread.into_iter().for_each(|stream| self.ask_original(now, stream));
        unread.is_some()
    }

    /// A generation of which this file may have been made, and which may hold other bytes than are known.
    fn unread_beside(&self, seen: &FileSeen) -> Option<StreamId> {
        let since = self.unchanged_since(&seen.stat);
        let may_be_it = |stream: &StreamId| {
            let generation = &self.generations[stream];
            let is_read =
                is_known_since(generation, since) && (generation.trouble.is_some() || !generation.is_hinted);
            let born = generation.tuple.birth_ns;
            !is_read && !generation.is_missing() && born.is_none_or(|born| born <= seen.stat.modified_ns)
        };
        let homes = self.homes_by_name(&seen.path);
        homes.iter().flat_map(|home| self.index.of_home(path_hash(home))).find(may_be_it)
    }

    /// The generation of which nothing is delivered and nothing known but its name, if this archive may be what is left of it,
    /// and of none that is still there:
    /// the one that was written to last when the content of the archive was, or else began last before that, if the archive
    /// cannot be an early one of a generation that was read further.
    pub fn unread_in(
        &self,
        (seen, opened): (&FileSeen, &Opened),
        early: Option<StreamId>,
    ) -> Option<StreamId> {
        if opened.form == Form::Plain || opened.size() == 0 || self.unread_beside(seen).is_some() {
            return None;
        }
        let homes = self.homes_by_name(&seen.path);
        let known = homes.iter().flat_map(|home| self.index.of_home(path_hash(home)));
        let written = opened.stat.modified_ns;
        let unread = known.filter_map(|stream| {
            let Generation { tuple, stat, head, lines, finished, .. } = &*self.generations[&stream];
            // One that was read to its end had no byte.
            let is_unread = !head.is_known() && lines.cursor().position == 0 && !finished;
            let is_last = stat.modified_ns == written;
            let is_it = is_last || early.is_none() && tuple.birth_ns.is_none_or(|born| born <= written);
            (self.generations[&stream].is_missing() && is_unread && is_it).then_some((
                is_last,
                tuple.birth_ns,
                stream,
            ))
        });
        unread.max().map(|(_, _, stream)| stream)
    }

    /// The generation of which this archive may have been made before its last lines came, if no more is known of it than that
    /// it is longer: nothing in the archive is new then.
    pub fn early_in(
        &self,
        verdicts: &[(StreamId, Verdict)],
        seen: &FileSeen,
        opened: &Opened,
    ) -> Option<StreamId> {
        if opened.form == Form::Plain || opened.size() == 0 {
            return None;
        }
        let homes = self.homes_by_name(&seen.path);
        let may_be_it = |stream: &StreamId| {
            let generation = &self.generations[stream];
            let (written, made) = (generation.stat.modified_ns, opened.stat.modified_ns);
            generation.head.is_only_known_beyond(opened.head.len())
                && (written == 0 || made <= written)
                && generation.may_have_begun_at(&homes)
        };
        let foreign = verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Foreign);
        foreign.map(|(stream, _)| *stream).find(may_be_it)
    }

    /// Nothing connects an archive with what is followed.
    fn leave_archive(&mut self, now: Millis, seen: &FileSeen) {
        let is_first = !self.rejected.contains_key(&seen.stat.tuple);
        self.reject(now, &seen.stat);
        if is_first && self.log_of(&seen.path).is_some() {
            self.notices.push(Notice::Compressed { path: seen.path.clone() });
        }
    }

    /// Whether a generation goes on in this copy of it: if it is lost, or if it had to make do with an archive and this is
    /// the file itself. A file that nothing but our descriptor leads to does not wait until the generation is found.
    pub fn goes_on_in_copy(&self, stream: StreamId, copy: &Opened) -> bool {
        let generation = &self.generations[&stream];
        let is_in_archive =
            generation.is_packed() && generation.path.as_ref().is_some_and(|path| self.is_archive(path));
        let is_better = is_in_archive && copy.form == Form::Plain;
        let is_last_chance = generation.whereabouts == Whereabouts::Unlocated && copy.stat.links == 0;
        generation.is_missing() || is_better || is_last_chance
    }
}

/// Whether the bytes are known that a generation had when another file appeared at this time.
pub(super) fn is_known_since(generation: &Generation, since: Option<Millis>) -> bool {
    let is_known = generation.head.is_known();
    match generation.trouble {
        // It may never be read again, and what is known of it has to do.
        Some(trouble) => is_known && trouble.lasts_ms() >= PATIENCE_MS,
        None => {
            let is_current = generation.finished || since.is_some_and(|since| generation.read_at > since);
            is_current && (is_known || generation.is_drained())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::action::{FileKind, SharedPath};
    use super::super::identity::Tuple;
    use super::super::tail::{Birth, TailOptions};
    use super::*;

    fn opened(size: u64, links: u64) -> Opened {
        let tuple = Tuple { device: 1, inode: 7, birth_ns: Some(1) };
        Opened {
            stat: Stat { tuple, size, modified_ns: 1, links },
            form: Form::Plain,
            is_sole_name: true,
            head: Vec::new(),
            markers: Vec::new(),
            boundary: None,
        }
    }

    #[test]
    fn an_empty_file_is_held_but_where_an_archive_begins() {
        for (name, is_held) in [
            ("access.log", true),
            ("access.log.1", true),
            ("access.log-20261128", true),
            ("access.log.1.gz", false),
        ] {
            let mut tail = Tail::new(TailOptions::of_log("/log/access.log*"), None);
            let (path, opened) = (SharedPath::from(Path::new("/log").join(name)), opened(0, 1));
            let seen = FileSeen { path, kind: FileKind::Regular, stat: opened.stat };
            tail.take_in(Millis(0), FileId(1), (&seen, opened, None), &mut Vec::new());
            assert_eq!(tail.generations.len() == 1, is_held, "{name}");
        }
    }

    fn begin(tail: &mut Tail, size: u64) -> StreamId {
        let path = SharedPath::from(Path::new("/log/access.log"));
        tail.begin(Millis(0), Birth::of_file(&path, opened(size, 1).stat, FileId(1)))
    }

    #[test]
    fn others_are_read_first_if_nobody_looked_at_them_since_the_file_is_there() {
        let mut tail = Tail::new(TailOptions::of_log("/log/access.log*"), None);
        let stream = begin(&mut tail, 0);
        let tuple = Tuple { device: 1, inode: 8, birth_ns: Some(2) };
        let stat = Stat { tuple, size: 10, modified_ns: 2, links: 1 };
        let path = SharedPath::from(Path::new("/log/access.log.1.gz"));
        let seen = FileSeen { path, kind: FileKind::Regular, stat };
        assert!(tail.asks_others(Millis(5), &seen), "it was never read");
        tail.look_again(Millis(5), Millis(10), &seen);
        let mut asks = |read_at, is_hinted| {
            let generation = tail.generation(stream);
            (generation.read_at, generation.is_hinted) = (Millis(read_at), is_hinted);
            tail.asks_others(Millis(10), &seen)
        };
        assert!(asks(4, false), "it may have grown since");
        assert!(asks(5, false), "it may have grown since in the same moment");
        assert!(asks(6, true), "something happened to it");
        assert!(!asks(6, false));
        let older = FileSeen { stat: Stat { modified_ns: 0, ..stat }, ..seen };
        assert!(!tail.asks_others(Millis(10), &older), "it was written before that one was born");
    }

    #[test]
    fn a_copy_that_only_a_descriptor_leads_to_is_not_left_for_an_original_that_may_be_found() {
        let mut tail = Tail::new(TailOptions::of_log("/log/access.log*"), None);
        let stream = begin(&mut tail, 10);
        assert!(!tail.goes_on_in_copy(stream, &opened(10, 0)), "the original is here");
        tail.change(stream, |generation| generation.whereabouts = Whereabouts::Unlocated);
        assert!(!tail.goes_on_in_copy(stream, &opened(10, 1)), "it can wait");
        assert!(tail.goes_on_in_copy(stream, &opened(10, 0)));
    }
}

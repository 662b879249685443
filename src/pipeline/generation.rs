//! One inode in one life: what is known of it and how far it is read.

use xxhash_rust::xxh3::xxh3_64;

use super::account::{Account, Books, End, Loss, Losses};
use super::action::{FileId, Form, Millis, SharedPath, Stat};
use super::heads::Noted;
use super::identity::{Head, Mark, Tuple};
use super::line::{Gap, Splitter};
use super::shard::Entry;
use super::trouble::Trouble;
use super::unreadable::Stop;
use crate::event::StreamId;
use crate::planted::{self, Bug};

/// A generation.
#[derive(Debug)]
pub struct Generation {
    /// Its name for life.
    pub stream: StreamId,
    /// Which entry of `logs:` it belongs to; none if the configuration no longer has one.
    pub log: Option<usize>,
    /// The path at first sight; unknown if only Kafka remembered the generation.
    pub home: Option<SharedPath>,
    /// Hash of that path.
    pub home_hash: u32,
    /// Hashes of the paths that it continues, as rotation names files: whoever renamed it before it was first seen found it
    /// at one of them. And that of the path at first sight, if another process saw it first elsewhere.
    pub kin: Box<[u32]>,
    /// Where it was last seen.
    pub path: Option<SharedPath>,
    /// Its inode.
    pub tuple: Tuple,
    /// Its first bytes.
    pub head: Head,
    /// By which of its first bytes it is found.
    pub noted_head: Noted,
    /// How far it is read.
    pub lines: Splitter,
    /// How far it is in Kafka.
    pub committed: Mark,
    /// What lies before that without an event.
    pub committed_gap: Gap,
    /// Whether an event of it was made, and whether one is committed.
    pub begun: bool,
    /// Whether an event of it is committed.
    pub committed_begun: bool,
    /// The descriptor, if the shell holds one.
    pub file: Option<FileId>,
    /// Its file was first opened under a name that a copy would have. One that was renamed to such a name is none; but where
    /// files have no birth, what is opened there may be another in the same inode.
    pub is_named_as_copy: bool,
    /// Size, time and links when last looked at.
    pub stat: Stat,
    /// How its file holds its bytes.
    pub form: Form,
    /// Size of the archive in which it was read to its end before the agent was started.
    pub read_archive: Option<u64>,
    /// How far its bytes were looked at, an unfinished line at the end included.
    pub looked_to: u64,
    /// Where it is.
    pub whereabouts: Whereabouts,
    /// Whether its name and starting position are safe.
    pub registration: Registration,
    /// When it was last read, and when it was last seen to grow.
    pub read_at: Millis,
    /// When the last line that was read of it was written, in milliseconds since the epoch, as far as lines say so.
    pub line_time_ms: Option<i64>,
    /// When it was last seen to grow.
    pub grown_at: Millis,
    /// Since when it is held with bytes that may be another's: none were known before.
    pub held_since: Option<Millis>,
    /// When it will be read again without a hint.
    pub poll_at: Option<Millis>,
    /// Whether it is to be read.
    pub turn: Turn,
    /// Something happened at its path since it was last opened or read.
    pub is_hinted: bool,
    /// How many bytes more than its turns were worth were read of it.
    pub overdrawn_bytes: u64,
    /// Since when it is among the files that may be closed.
    pub idle_since: Option<Millis>,
    /// It ended: no writer has it any more, and its unfinished last line counts as one.
    pub finished: bool,
    /// Reading it fails.
    pub trouble: Option<Trouble>,
    /// Where that is, if it is the bytes that cannot be read.
    pub stop: Option<Stop>,
    /// The end of bytes that were passed over, and how many they are, until that is committed.
    pub passed_over: Option<(u64, u64)>,
    /// What became of its bytes.
    pub books: Books,
    /// The furthest place that was ever looked at.
    pub read_to: u64,
    /// What took its inode away, if anything did: why its unread bytes are lost if they do not turn up.
    pub vanished: Loss,
}

/// Where a generation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Nothing was looked at yet, or it could not be.
    Unlocated,
    /// A listed path leads to its inode.
    Here,
    /// No listed path leads to it; our descriptor does.
    Away,
    /// Its inode is not where it was, as a listing that succeeded showed; it may turn up elsewhere.
    Missing(Millis),
}

/// Whether a generation is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Not before something happens to it or its time comes.
    Later,
    /// It is among those that are read as soon as something may be read.
    Due,
    /// It is closed, and among those that wait for a descriptor.
    Waits,
}

/// Whether a generation's name must be safe before its first event is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// It must, and is not on its way.
    Due,
    /// It is on its way.
    Offered,
    /// It is safe, or its first events bring it along.
    Done,
}

impl Generation {
    /// What the checkpoint says of it once everything read is committed.
    #[must_use]
    pub fn entry(&self) -> Entry {
        let mark = self.lines.cursor();
        let head_hash = self.head.hash_at(mark.position);
        Entry {
            stream: self.stream,
            home_hash: self.home_hash,
            tuple: self.tuple,
            head_hash: head_hash.expect("a head is learnt before the lines behind it"),
            mark,
            gap: self.lines.behind(),
            begun: self.begun,
        }
    }

    /// What the checkpoint says of it as things stand in Kafka.
    #[must_use]
    pub fn committed_entry(&self) -> Entry {
        let head_hash = self.head.hash_at(self.committed.position);
        Entry {
            mark: self.committed,
            gap: self.committed_gap,
            head_hash: head_hash.expect("a head is learnt before the lines behind it"),
            begun: self.committed_begun,
            ..self.entry()
        }
    }

    /// How many plain bytes are known to be in its file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.form.size(&self.stat)
    }

    /// Whether its file is compressed.
    #[must_use]
    pub fn is_packed(&self) -> bool {
        self.form != Form::Plain
    }

    /// Whether every byte that is known to be there was looked at.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.looked_to >= self.size()
    }

    /// Whether it is in an archive of which every byte is committed.
    #[must_use]
    pub fn is_done_with(&self) -> bool {
        self.is_packed() && self.finished && self.is_drained() && self.is_settled()
    }

    /// Whether everything that was read is committed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.committed == self.lines.cursor()
    }

    /// Hashes of all paths at which it may have begun.
    pub fn homes(&self) -> impl Iterator<Item = u32> {
        self.kin.iter().copied().chain([self.home_hash])
    }

    /// Whether it may have begun at one of these paths; where its first one is not known, none is excluded.
    #[must_use]
    pub fn may_have_begun_at(&self, paths: &[SharedPath]) -> bool {
        let is_one = |home: u32| paths.iter().any(|path| path_hash(path) == home);
        !paths.is_empty() && (self.home.is_none() || self.homes().any(is_one))
    }

    /// Whether it is no longer what its first path leads to.
    #[must_use]
    pub fn is_rotated(&self) -> bool {
        self.whereabouts == Whereabouts::Away || (self.home.is_some() && self.path != self.home)
    }

    /// Whether it may be in an inode like that, because nobody has looked yet.
    #[must_use]
    pub fn may_be_in(&self, is_it: impl Fn(u64) -> bool) -> bool {
        self.whereabouts == Whereabouts::Unlocated && is_it(self.tuple.inode)
    }

    /// Whether its inode was looked for and not found.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.whereabouts, Whereabouts::Missing(_))
    }

    /// Whether a closed file has to be opened: nothing else shows what became of it.
    #[must_use]
    pub fn wants_look(&self) -> bool {
        self.is_hinted || !self.is_drained() || (self.is_rotated() && !self.finished)
    }

    /// Size of the archive in which it was read to its end.
    #[must_use]
    pub fn done_archive(&self) -> Option<u64> {
        let found = self.is_done_with().then_some(self.stat.size);
        found.or(self.read_archive.filter(|_| self.whereabouts == Whereabouts::Unlocated))
    }

    /// Whether it was live when its positions were last kept, and nothing was found of it since: nobody knows what was
    /// written to it meanwhile.
    #[must_use]
    pub fn has_vanished(&self) -> bool {
        let is_of_before = self.committed.position > 0 && self.read_at == Millis::default();
        self.is_missing() && is_of_before && self.home.is_some() && self.path == self.home
    }

    /// Bytes that are known to have been in it and were not read.
    #[must_use]
    pub fn unread_bytes(&self) -> u64 {
        self.books.size.saturating_sub(self.lines.cursor().position + self.lines.gap())
    }

    /// Its bytes were looked at up to here; `looked_to` is not moved back by that.
    pub fn note_read(&mut self, looked_to: u64) {
        let before = self.looked_to;
        self.books.reread += looked_to.min(self.read_to).saturating_sub(before);
        self.books.read += looked_to.saturating_sub(self.read_to);
        self.read_to = self.read_to.max(looked_to);
        self.looked_to = looked_to;
    }

    /// It is over: what is known of it and was not committed gave no event or is lost. It has to be settled. How much is
    /// lost.
    pub fn end(&mut self) -> u64 {
        let lost = if planted::is(Bug::LossForgotten) { 0 } else { self.unread_bytes() };
        let end = End { without_event: self.lines.gap(), lost: Losses::of(self.vanished, lost) };
        self.books.end = Some(end);
        lost
    }

    /// What became of its bytes so far.
    #[must_use]
    pub fn account(&self) -> Account {
        Account::of(&self.books, self.committed.position, self.is_rotated() || self.is_missing())
    }

    /// What its descriptor says of its size, which is less than it was where something was cut away.
    pub fn learns_size(&mut self, stat: Stat, form: Form) {
        let before = self.size();
        (self.stat, self.form) = (stat, form);
        self.books.is_cut(before.saturating_sub(self.size()));
        self.books.reaches(self.size());
    }

    /// Goes on behind bytes that cannot be read, at the start of a line; how many are lost.
    pub fn pass_over(&mut self, to: Mark) -> u64 {
        let bytes = self.lines.pass_over(to);
        self.passed_over = Some((to.position, bytes));
        (self.looked_to, self.read_to) = (to.position, self.read_to.max(to.position));
        bytes
    }

    /// It is committed up to here.
    pub fn is_committed(&mut self, entry: &Entry) {
        if entry.mark != self.committed {
            // It ended while nobody knew whether this was committed, and less of it is lost.
            self.books.end = None;
        }
        self.committed = entry.mark;
        self.committed_gap = entry.gap;
        self.committed_begun = entry.begun;
        self.head.settle(entry.mark.position);
        self.books.is_committed(entry.mark.position);
        let passed_over = self.passed_over.take_if(|(end, _)| *end <= entry.mark.position);
        if let Some((_, bytes)) = passed_over.filter(|_| !planted::is(Bug::PassedOverUncounted)) {
            self.books.is_passed_over(bytes);
        }
    }

    /// Goes back to what is committed.
    pub fn rewind(&mut self, line_bytes_max: usize) {
        self.lines = Splitter::behind_gap(self.committed, self.committed_gap, line_bytes_max);
        self.looked_to = self.committed.position;
        self.begun = self.committed_begun;
        (self.passed_over, self.stop) = (None, None);
        if self.registration == Registration::Offered {
            self.registration = Registration::Due;
        }
    }
}

/// The hash that stands for a path where there is no room for the path.
#[must_use]
pub fn path_hash(path: &std::path::Path) -> u32 {
    let hash = xxh3_64(path.as_os_str().as_encoded_bytes()).to_le_bytes();
    u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::action::{FileKind, FileSeen, Stat};
    use super::super::options::PathMatcher;
    use super::super::tail::{Birth, Tail, TailOptions};
    use super::*;

    fn tail_of_one(path: &str) -> (Tail, StreamId) {
        let mut options = TailOptions::of_log("/log/access.log*");
        options.logs[0].archives = PathMatcher::new(&["/old/*".to_owned()], &[]).unwrap();
        let mut tail = Tail::new(options, None);
        let path = SharedPath::from(Path::new(path));
        let tuple = Tuple { device: 1, inode: 1, birth_ns: None };
        let stat = Stat { tuple, size: 10, modified_ns: 1, links: 1 };
        let mut birth = Birth::of_file(&path, stat, FileId(1));
        birth.head.learn(b"123456789\n");
        let stream = tail.begin(Millis(0), birth);
        (tail, stream)
    }

    #[test]
    fn what_was_renamed_before_it_was_first_seen_is_found_by_the_name_that_it_had() {
        let (mut tail, stream) = tail_of_one("/log/access.log.1");
        let tuple = Tuple { device: 1, inode: 2, birth_ns: None };
        let stat = Stat { tuple, size: 10, modified_ns: 1, links: 1 };
        let path = SharedPath::from(Path::new("/old/access.log.2"));
        let moved = FileSeen { path, kind: FileKind::Regular, stat };
        let found = |tail: &Tail| tail.candidates(&moved).iter().any(|(found, _)| *found == stream);
        assert!(found(&tail));
        assert!(tail.generations[&stream].may_have_begun_at(&tail.homes_by_name(&moved.path)));
        tail.options.logs[0].paths = PathMatcher::none();
        tail.renew_kin(stream);
        assert!(
            !tail.generations[&stream].may_have_begun_at(&[SharedPath::from(Path::new("/log/access.log"))])
        );
    }

    #[test]
    fn what_proves_to_be_committed_after_the_end_is_not_lost() {
        let (mut tail, stream) = tail_of_one("/log/access.log");
        let generation = tail.generation(stream);
        generation.vanished = Loss::GivenUp;
        assert_eq!(generation.end(), 10);
        let mark = Mark::at(6, b"12345\n");
        generation.is_committed(&Entry { mark, ..generation.entry() });
        assert_eq!(generation.books.end, None, "nobody knows yet");
        generation.rewind(1000);
        assert_eq!(generation.end(), 4);
    }
}

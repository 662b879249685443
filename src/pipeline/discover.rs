//! From listings to generations: which files are known, new, moved, copied or gone.
//!
//! Nothing here is decided by a name but which log a new file belongs to; identity is [`judge`]'s.

use std::cell::LazyCell;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::account::Loss;
use super::action::{
    Action, Ask, Boundary, FileError, FileId, FileKind, FileSeen, Form, Listing, Millis, Opened, Rest,
    SharedPath, Stat,
};
use super::chain::is_named_after;
use super::examination::Examination;
use super::generation::{Generation, Whereabouts, path_hash};
use super::identity::{
    Evidence, Head, HeadEvidence, MARKER_BYTES_MAX, Mark, MarkerEvidence, TELLING_BYTES, Tuple,
    TupleEvidence, Verdict, judge, marker_length,
};
use super::notice::Notice;
use super::options::{OnRewrite, Start};
use super::tail::{Birth, TROUBLE_POLL_MS, Tail};
use super::trouble::Trouble;
use crate::event::StreamId;
use crate::planted::{self, Bug};

/// A directory is listed at most so often, however many hints there are.
const LIST_MS: u64 = 50;

/// One of very many files still more seldom: 40 take a tenth of a millisecond, and no more than a tenth of the time goes into
/// listing, or busy logs among a hundred thousand would have all of them listed again and again while most are still unknown.
const LISTED_PER_MS: u64 = 40;

/// A file is held against so many generations at most; those with its inode come first.
pub(super) const CANDIDATES_MAX: usize = 64;

/// Of these so many began at a path that the name of the file continues, in any directory.
const AKIN_MAX: usize = 16;

/// And so many are generations that went missing lately in other directories.
const ELSEWHERE_MAX: usize = 16;

/// A directory that was listed.
#[derive(Debug, Default)]
pub(super) struct Directory {
    listed_at: Millis,
    /// How many files were in it.
    files: u64,
    due: Option<Millis>,
    pub trouble: Option<Trouble>,
}

/// What a file that was looked at turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// This generation goes on here.
    Continues(StreamId),
    /// The tail of this generation was cut off.
    Cut(StreamId),
    /// As far as it goes, it is a copy of this generation, which may go on elsewhere.
    CopyOf(StreamId),
    /// None that is known.
    New,
}

impl Tail {
    /// Lists a known directory soon; `false` if it is not one.
    pub fn list_soon(&mut self, now: Millis, path: &SharedPath) -> bool {
        let Some(directory) = self.directories.get_mut(path) else { return false };
        let at = now.max(directory.listed_at.plus(LIST_MS.max(directory.files / LISTED_PER_MS)));
        if directory.due.is_none_or(|due| at < due) {
            if let Some(due) = directory.due.replace(at) {
                self.listings.remove(&(due, path.clone()));
            }
            self.listings.insert((at, path.clone()));
        }
        true
    }

    pub fn list_what_is_due(&mut self, now: Millis, actions: &mut Vec<Action>) {
        while let Some((at, path)) = self.listings.pop_first() {
            if at > now {
                self.listings.insert((at, path));
                return;
            }
            if let Some(directory) = self.directories.get_mut(&path) {
                directory.due = None;
                directory.listed_at = now;
                actions.push(Action::List(path));
            }
        }
    }

    /// Takes listings in: what is where, what is new, what is no longer there.
    pub fn listed(&mut self, now: Millis, listings: Vec<Listing>, actions: &mut Vec<Action>) {
        self.tell_unmatched(&listings);
        if self.held.is_some() {
            self.hold(now, listings, actions);
            return;
        }
        let swept = std::mem::take(&mut self.sweeping);
        let mut seen: Vec<FileSeen> = Vec::new();
        let mut directories = HashSet::new();
        for listing in listings {
            self.note_listed(now, &listing);
            if let Some(files) = self.readable(now, listing.directory.clone(), listing.files) {
                self.locate(now, &listing.directory, &files);
                seen.extend(files);
                directories.insert(listing.directory);
            }
        }
        self.examining.forget_seen(&directories);
        self.miss_what_has_no_path(now, swept, &seen);
        // A file whose inode is known is held against its own generation before any other is taken for its copy, and first of
        // all those that have something new: after a restart that are few of many. The others in the order in which they were
        // written, as far as that can be told.
        let (mut own, mut other): (Vec<_>, Vec<_>) =
            seen.into_iter().partition(|file| self.has_unlocated(file.stat.tuple.inode));
        own.sort_by_cached_key(|file| self.is_as_remembered(&file.stat));
        other.sort_by_key(|file| file.stat.modified_ns);
        own.into_iter().chain(other).for_each(|file| self.meet(file));
        self.examine_what_waits(now, actions);
        if swept {
            let known: BTreeSet<u64> = self.options.logs.iter().map(|log| log.key).collect();
            self.known_logs.extend(known);
        }
    }

    /// Whether a file looks as it did when a generation in its inode was last known to be committed to its end.
    fn is_as_remembered(&self, stat: &Stat) -> bool {
        self.index.of_inode(stat.tuple.inode).any(|stream| {
            let known = &self.generations[&stream].stat;
            (known.tuple, known.size, known.modified_ns) == (stat.tuple, stat.size, stat.modified_ns)
        })
    }

    /// Remembers a directory, when it was looked at and how much was there.
    pub fn note_listed(&mut self, now: Millis, listing: &Listing) {
        let directory = self.directories.entry(listing.directory.clone()).or_default();
        directory.listed_at = now;
        if let Ok(files) = &listing.files {
            directory.files = files.len() as u64;
        }
    }

    /// Updates where the known generations of one directory are.
    fn locate(&mut self, now: Millis, directory: &Path, files: &[FileSeen]) {
        // Of several names of one inode the one it is known by stays its name.
        let mut present = HashSet::new();
        let is_name = |generation: &Generation, file: &FileSeen| generation.path.as_ref() == Some(&file.path);
        // The inode of a link that is not followed says nothing.
        let known = |tail: &Self, file: &FileSeen| {
            tail.by_tuple.get(&file.stat.tuple).copied().filter(|_| file.kind == FileKind::Regular)
        };
        let (named, others): (Vec<_>, Vec<_>) = files
            .iter()
            .filter_map(|file| known(self, file).map(|stream| (stream, file)))
            .partition(|(stream, file)| is_name(&self.generations[stream], file));
        for (stream, file) in named.into_iter().chain(others) {
            if present.insert(stream) {
                self.see(now, stream, file);
            }
        }
        let Some(near) = self.index.near(directory) else { return };
        let absent = near.here.iter().chain(&near.unlocated).copied();
        let absent = self.unclaimed(absent.filter(|stream| !present.contains(stream)), files);
        for stream in absent {
            self.unlocate(now, stream);
        }
    }

    /// A listed path leads to this generation's inode.
    fn see(&mut self, now: Millis, stream: StreamId, file: &FileSeen) {
        let moved = self.generations[&stream].path.as_ref() != Some(&file.path);
        if moved {
            self.forget_path(stream);
            self.notices.push(Notice::Rotated { path: file.path.clone() });
        }
        self.by_path.insert(file.path.clone(), stream);
        if moved || self.generations[&stream].whereabouts != Whereabouts::Here {
            self.change(stream, |generation| {
                generation.path = Some(file.path.clone());
                generation.whereabouts = Whereabouts::Here;
            });
        }
        let generation = self.generation(stream);
        let changed =
            generation.stat.size != file.stat.size || generation.stat.modified_ns != file.stat.modified_ns;
        if generation.file.is_none() {
            generation.stat = file.stat;
        }
        if changed {
            generation.finished = false;
            generation.books.end = None;
        }
        // An archive that is read to its end is not unpacked again for every new name that it gets.
        if changed || moved && !generation.is_done_with() {
            self.look(stream, now);
        }
    }

    /// No path of the directory it was in leads to this generation any more.
    fn unlocate(&mut self, now: Millis, stream: StreamId) {
        let generation = self.generation(stream);
        match (generation.whereabouts, generation.file) {
            (Whereabouts::Here | Whereabouts::Unlocated, Some(_))
                if !planted::is(Bug::DroppedWithItsName) =>
            {
                self.change(stream, |generation| generation.whereabouts = Whereabouts::Away);
                self.forget_path(stream);
                self.look(stream, now);
            }
            (Whereabouts::Here | Whereabouts::Unlocated, _) => self.lose_inode(now, stream, Loss::Deleted),
            (Whereabouts::Away | Whereabouts::Missing(_), _) => {}
        }
    }

    /// After a look at everything: a generation whose path nobody remembers and whose inode is nowhere is missing.
    fn miss_what_has_no_path(&mut self, now: Millis, swept: bool, seen: &[FileSeen]) {
        if !swept || self.directories.values().any(|directory| directory.trouble.is_some()) {
            return;
        }
        for stream in self.unclaimed(self.index.unlocated(), seen) {
            self.lose_inode(now, stream, Loss::Deleted);
        }
    }

    /// Those of some generations that can be in none of these files. In one of their inode they may be until it is known as another.
    /// Usually there are none to ask about.
    fn unclaimed(&self, streams: impl Iterator<Item = StreamId>, files: &[FileSeen]) -> Vec<StreamId> {
        let mut streams: Vec<StreamId> = streams.collect();
        if !streams.is_empty() {
            let unknown = files.iter().filter(|file| !self.by_tuple.contains_key(&file.stat.tuple));
            let inodes: HashSet<u64> = unknown.map(|file| file.stat.tuple.inode).collect();
            streams.retain(|stream| !self.generations[stream].may_be_in(|inode| inodes.contains(&inode)));
        }
        streams
    }

    /// Looks closer at a file that belongs to no located generation, if there is a reason to.
    pub fn consider(&mut self, now: Millis, file: FileSeen, actions: &mut Vec<Action>) {
        let log = self.log_of(&file.path);
        if self.is_known_or_examined(&file.stat.tuple)
            || self.is_rejected(now, &file)
            || self.is_read_archive(&file)
        {
            return;
        }
        // What is compressed is smaller than what is in it, and only opening shows that it is.
        let is_rotated = LazyCell::new(|| self.home_by_name(&file.path).is_some());
        let is_searched = |(stream, mark): (StreamId, Mark)| {
            let generation = &self.generations[&stream];
            let is_named_so = || {
                let home = generation.home.as_deref();
                *is_rotated || home.is_some_and(|home| is_named_after(&file.path, home))
            };
            let may_hold = file.stat.size >= mark.position || is_named_so();
            generation.may_be_in(|inode| inode == file.stat.tuple.inode)
                || self.is_wanted(stream) && may_hold && mark.position > 0
        };
        let is_wanted = log.is_some() || self.candidates(&file).into_iter().any(is_searched);
        if !is_wanted && self.chain_home(&file, None).is_none() {
            return;
        }
        if let Some(at) = self.opens_at(now, &file.path) {
            self.list_after(at, &file.path);
            return;
        }
        let at_end = self.examining.begins_at_end(&file);
        let candidates = self.own_candidates(&file, None);
        let examination = Examination { candidates, is_narrow: true, at_end, ..Examination::of(file) };
        let (id, path) = (self.next_file(), examination.seen.path.clone());
        actions.push(Action::Open(id, path, Ask { boundary: at_end, ..examination.ask() }));
        self.examining.insert(id, examination);
    }

    /// The generations that a file may be: those with its inode first, then those that are missing, then the live
    /// ones of its directory, of which it may be a copy.
    pub fn candidates(&self, file: &FileSeen) -> Vec<(StreamId, Mark)> {
        let own = self.index.of_inode(file.stat.tuple.inode).filter(|stream| self.is_wanted(*stream));
        let mut streams: Vec<StreamId> = own.take(CANDIDATES_MAX).collect();
        let directory = file.path.parent().and_then(|directory| self.index.near(directory));
        let places = directory.into_iter().chain([self.index.nowhere()]);
        let wanted = places.flat_map(|near| {
            near.unlocated.iter().take(CANDIDATES_MAX).chain(near.missing.iter().take(CANDIDATES_MAX))
        });
        let wanted: BTreeSet<StreamId> = wanted.copied().filter(|stream| !streams.contains(stream)).collect();
        let live = directory.into_iter().flat_map(|near| near.here.iter().chain(&near.away)).copied();
        let live = live.filter(|stream| self.generations[stream].log.is_some());
        streams.extend(wanted);
        streams.truncate(CANDIDATES_MAX - ELSEWHERE_MAX - AKIN_MAX);
        let homes = self.homes_by_name(&file.path);
        let akin: Vec<StreamId> = self.akin(&homes).filter(|stream| !streams.contains(stream)).collect();
        streams.extend(akin.into_iter().take(AKIN_MAX));
        let live: Vec<StreamId> =
            live.filter(|stream| !streams.contains(stream)).take(CANDIDATES_MAX).collect();
        streams.extend(live);
        streams.truncate(CANDIDATES_MAX - ELSEWHERE_MAX);
        if self.log_of(&file.path).is_some() || !homes.is_empty() {
            let elsewhere = self.index.missing_last().take(ELSEWHERE_MAX);
            let elsewhere: Vec<StreamId> = elsewhere.filter(|stream| !streams.contains(stream)).collect();
            streams.extend(elsewhere);
        }
        streams.into_iter().map(|stream| (stream, self.generations[&stream].lines.cursor())).collect()
    }

    /// The generations of these paths, in whichever directory they are: those that are followed, then those that went missing
    /// last.
    fn akin(&self, homes: &[SharedPath]) -> impl Iterator<Item = StreamId> {
        let mut all: Vec<StreamId> =
            homes.iter().flat_map(|home| self.index.of_home(path_hash(home))).collect();
        all.sort_by_key(|stream| match self.generations[stream].whereabouts {
            Whereabouts::Here | Whereabouts::Away | Whereabouts::Unlocated => (false, Reverse(Millis(0))),
            Whereabouts::Missing(since) => (true, Reverse(since)),
        });
        all.into_iter()
    }

    /// The generations that begin as a file does, beside those that it was held against: in other directories, and of an
    /// archive also those that began while it was unpacked.
    pub fn elsewhere(
        &self,
        (seen, opened): (&FileSeen, &Opened),
        candidates: &[(StreamId, Mark)],
    ) -> Vec<(StreamId, Mark)> {
        let is_packed = opened.form != Form::Plain;
        let lately = if is_packed { self.candidates(seen) } else { Vec::new() };
        let lately = lately.into_iter().map(|(stream, _)| stream);
        let is_new = |stream: &StreamId| candidates.iter().all(|(candidate, _)| candidate != stream);
        let begins_alike =
            |stream: &StreamId| self.generations[stream].head.compare(&opened.head) == HeadEvidence::Equal;
        let found = self.of_head(&opened.head).chain(lately).filter(is_new).filter(begins_alike);
        let found: BTreeSet<StreamId> = found.collect();
        found.into_iter().map(|stream| (stream, self.generations[&stream].lines.cursor())).collect()
    }

    /// Whether a file is looked for that is this generation.
    pub fn is_wanted(&self, stream: StreamId) -> bool {
        match self.generations[&stream].whereabouts {
            Whereabouts::Unlocated | Whereabouts::Missing(_) => true,
            Whereabouts::Here | Whereabouts::Away => false,
        }
    }

    /// Whether `start:` lets this file begin at its end.
    pub fn starts_at_end(&self, log: usize, stat: &Stat) -> bool {
        let log = &self.options.logs[log];
        match log.start {
            _ if self.known_logs.contains(&log.key) => false,
            Start::Beginning => false,
            Start::End => true,
            Start::ModifiedSince(since_ns) => stat.modified_ns < since_ns,
        }
    }

    /// Opens a generation's file again, to be verified before it is read; once, or the second look would find it taken
    /// and begin another generation.
    pub fn reopen(&mut self, stream: StreamId, actions: &mut Vec<Action>) {
        let tuple = self.generation(stream).tuple;
        if self.is_examined(&tuple) {
            return;
        }
        let generation = self.generation(stream);
        let (Whereabouts::Here, Some(path)) = (generation.whereabouts, generation.path.clone()) else {
            return;
        };
        let id = self.next_file();
        let (examination, ask) = self.doubt(stream, path.clone());
        actions.push(Action::Open(id, path, ask));
        self.examining.insert(id, examination);
    }

    /// The bytes behind a descriptor no longer continue what was read of its generation: what are they? The descriptor
    /// may be all that still leads to them.
    pub fn suspect(&mut self, stream: StreamId, actions: &mut Vec<Action>) {
        let generation = self.generation(stream);
        let (Some(path), Some(file)) = (generation.path.clone(), generation.file.take()) else { return };
        generation.is_hinted = true;
        self.by_file.remove(&file);
        let doubt = self.doubt(stream, path);
        self.examine(file, doubt, actions);
    }

    /// What to ask a generation's file. If it turns out to be something else, it may be a copy in a reused inode.
    fn doubt(&mut self, stream: StreamId, path: SharedPath) -> (Examination, Ask) {
        let stat = self.generation(stream).stat;
        let seen = FileSeen { path, kind: FileKind::Regular, stat };
        let candidates = self.own_candidates(&seen, Some(stream));
        let examination = Examination { candidates, is_narrow: true, ..Examination::of(seen) };
        let ask = examination.ask();
        (examination, ask)
    }

    /// A file was opened, or not: what is it?
    pub fn opened(
        &mut self,
        now: Millis,
        id: FileId,
        opened: Result<Opened, FileError>,
        actions: &mut Vec<Action>,
    ) {
        if let Some(seen) = self.holding.remove(&id) {
            self.was_held_open(now, id, (seen, opened), actions);
            return;
        }
        if let Some(comparison) = self.comparing.remove(&id) {
            self.compared(now, (id, &comparison), opened, actions);
            return;
        }
        let Some(mut examination) = self.examining.remove(id) else { return };
        self.was_unpacked(now, id);
        let seen = &mut examination.seen;
        let opened = match opened {
            Ok(opened) => Opened { boundary: opened.boundary.or(examination.boundary.take()), ..opened },
            Err(error) => {
                self.could_not_open(now, seen, (&examination.candidates, error), actions);
                return;
            }
        };
        self.told.remove(&seen.path);
        self.opening_succeeded(now, &seen.path);
        self.examining.is_opened(&examination.seen);
        let seen = &mut examination.seen;
        if opened.stat.tuple != seen.stat.tuple {
            // Whoever was looked for under this name is looked for again, where it has gone.
            if let Some(stream) = self.by_tuple.get(&seen.stat.tuple).copied() {
                self.poll(stream, now.plus(TROUBLE_POLL_MS));
            }
            let seen = FileSeen { stat: opened.stat, ..seen.clone() };
            self.meet_another(now, id, (seen, opened), actions);
        } else if self.was_found_meanwhile(&opened.stat.tuple, &examination.candidates) {
            self.list_after(now, &seen.path);
            actions.push(Action::Close(id));
        } else if opened.form == Form::Packed {
            self.meet_packed(now, id, (examination, opened), actions);
        } else if let Some((stream, position)) = examination.cut {
            self.begin_behind_cut(now, (stream, position), id, (&examination.seen, opened), actions);
        } else if examination.skips {
            self.begin_behind_rewrite(now, id, (&examination.seen, opened), actions);
        } else {
            self.examined(now, id, (examination, opened), actions);
        }
    }

    /// A file was renamed since it was listed, and another took its place. That one may lose its name as quickly: the descriptor is
    /// not given back but looked at as what it is.
    pub fn meet_another(
        &mut self,
        now: Millis,
        id: FileId,
        (seen, opened): (FileSeen, Opened),
        actions: &mut Vec<Action>,
    ) {
        self.list_after(now, &seen.path);
        if planted::is(Bug::DescriptorGivenBack) {
            actions.push(Action::Close(id));
        } else if opened.form == Form::Packed {
            let candidates = self.candidates(&seen);
            let examination = Examination { candidates, ..Examination::of(seen) };
            self.meet_packed(now, id, (examination, opened), actions);
        } else {
            self.look_as_new(id, (seen, opened.boundary), actions);
        }
    }

    /// All is known that can be known of a file.
    fn examined(
        &mut self,
        now: Millis,
        id: FileId,
        (examination, opened): (Examination, Opened),
        actions: &mut Vec<Action>,
    ) {
        let seen = &examination.seen;
        if self.refuse_anothers(now, id, (&examination, &opened), actions) {
            return;
        }
        if let Form::Unpacked { size: bytes, rest: Rest::Damaged } = opened.form
            && self.told.insert(seen.path.clone())
        {
            self.notices.push(Notice::Damaged { path: seen.path.clone(), bytes });
        }
        let verdicts = self.judge_all(&examination.candidates, &opened);
        let others = self.other_candidates(&examination, &opened, &verdicts);
        if !others.is_empty() || self.was_set_back(&examination.candidates) {
            self.look_wider(id, (examination, opened), others, actions);
            return;
        }
        let inode = opened.stat.tuple.inode;
        match self.find(&verdicts, (seen, &opened)) {
            Finding::Continues(stream) => {
                self.dismiss(now, inode, &verdicts, Some(stream));
                let is_its_turn = self.by_tuple.get(&opened.stat.tuple) == Some(&stream);
                // After a remount its descriptor and its path are two ways to the same file.
                self.close(stream, actions);
                if self.waits_for_others(now, stream, (seen, &opened)) {
                    // Its head stays unknown.
                    let opened = Opened { head: Vec::new(), ..opened };
                    self.attach(now, stream, id, (&seen.path, &opened));
                    self.hold_for_others(now, stream, actions);
                    return;
                }
                self.attach(now, stream, id, (&seen.path, &opened));
                self.poll(stream, now);
                if !is_its_turn {
                    self.close_unread(stream, actions);
                }
            }
            Finding::Cut(stream) if !self.generations[&stream].is_settled() => {
                self.hold_on(now, stream, id, actions);
            }
            Finding::Cut(stream) => {
                self.dismiss(now, inode, &verdicts, None);
                self.look_behind_cut(stream, id, (seen.clone(), opened.size()), actions);
            }
            Finding::New if !self.elsewhere((seen, &opened), &examination.candidates).is_empty() => {
                self.look_elsewhere(id, examination, opened, actions);
            }
            Finding::CopyOf(stream) => match self.may_only_seem(stream, &verdicts, &opened) {
                Some(own) => self.hold_copy(now, (own, stream), (id, seen, &opened), actions),
                None => {
                    self.dismiss(now, inode, &verdicts, None);
                    self.meet_copy(now, stream, (id, &examination, opened), actions);
                }
            },
            Finding::New => {
                self.dismiss(now, inode, &verdicts, None);
                match self.on_rewrite(&verdicts, seen, &opened) {
                    OnRewrite::Reread => {
                        let home = self.home_of_rewritten(&verdicts, &seen.path);
                        self.take_in(now, id, (seen, opened, home), actions);
                    }
                    OnRewrite::Skip => self.look_for_end(id, seen.clone(), actions),
                    OnRewrite::Alert => self.leave_alone(now, id, (seen, &opened), actions),
                }
            }
        }
    }

    /// What the verdicts amount to. Of several generations that fit, it is the one of which the most bytes do; an inode
    /// decides against that only if its birth proves that it is the same.
    fn find(&self, verdicts: &[(StreamId, Verdict)], (file, opened): (&FileSeen, &Opened)) -> Finding {
        let position = |stream: &StreamId| self.generations[stream].lines.cursor().position;
        let all = |wanted: Verdict| {
            verdicts.iter().filter(move |(_, verdict)| *verdict == wanted).map(|(stream, _)| *stream)
        };
        let is_one_inode = file.stat.tuple.birth_ns.is_some();
        // An inode without a line of evidence yields to bytes that prove something else.
        let may_be_copy =
            || verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::Copy | Verdict::Part));
        let original = may_be_copy().then(|| self.original(verdicts, (file, opened.size()))).flatten();
        let is_read_alone = planted::is(Bug::CopyReadOnItsOwn)
            || opened.form != Form::Plain && planted::is(Bug::ArchiveReadOnItsOwn);
        let original = original.filter(|_| !is_read_alone);
        // So many bytes of the file are known to be the original's.
        let copied = original.map_or(0, |stream| position(&stream).min(opened.size()));
        let going_on = all(Verdict::Copy).filter(|stream| self.goes_on_in_copy(*stream, opened));
        let going_on = going_on.filter(|stream| position(stream) >= copied);
        let moved = going_on.filter(|stream| self.may_have_moved(*stream, &file.path)).max_by_key(position);
        // Nor do a few equal bytes, if the file may have been made of one that was read further than it goes.
        let early = self.early_in(verdicts, file, opened);
        let moved = moved.filter(|stream| early.is_none() || position(stream) >= TELLING_BYTES as u64);
        // Another file that begins alike and is where it was says nothing of this one.
        let rivals = all(Verdict::Copy).filter(|stream| [moved, original].contains(&Some(*stream)));
        let copied_to = rivals.map(|stream| position(&stream)).max().unwrap_or(0);
        let may_be_early = !is_one_inode && early.is_some();
        let is_copy = original.is_some() || copied_to > 0 || may_be_early;
        let evidence = |stream: &StreamId| (position(stream), self.generations[stream].head.is_known());
        let same = all(Verdict::Same).max_by_key(evidence);
        let same = same.filter(|stream| {
            let is_best = is_one_inode || position(stream) >= copied_to.max(copied);
            is_best && evidence(stream) > (0, false) || !is_copy
        });
        if let Some(stream) = same.or(moved) {
            return Finding::Continues(stream);
        }
        if let Some(stream) = self.unread_in((file, opened), early).filter(|_| original.is_none()) {
            return Finding::Continues(stream);
        }
        let cut = all(Verdict::Cut).next().filter(|_| is_one_inode || original.is_none()).map(Finding::Cut);
        let original = original.or(early);
        cut.or_else(|| original.map(Finding::CopyOf)).unwrap_or(Finding::New)
    }

    /// Whether a missing generation may go on under this name, given that the bytes say so. Logs that begin alike are many:
    /// under the name of another log a few equal bytes prove nothing. And whoever keeps an equal file beside a log under a name
    /// of its own did not rotate the log: the log itself may be where nobody looked yet.
    pub fn may_have_moved(&self, stream: StreamId, path: &Path) -> bool {
        let generation = &self.generations[&stream];
        if self.log_of(path).is_none() {
            let is_rotated = match &generation.home {
                Some(home) => is_named_after(path, home),
                None => self.home_by_name(path).is_some(),
            };
            return is_rotated || planted::is(Bug::ForeignCopyAdopted);
        }
        let is_anothers = self.home_by_name(path).is_none() && path_hash(path) != generation.home_hash;
        !is_anothers || generation.lines.cursor().position >= MARKER_BYTES_MAX as u64
    }

    /// Looks at a descriptor of which only now is known what it may be.
    pub fn look_as_new(
        &mut self,
        id: FileId,
        (seen, boundary): (FileSeen, Option<Boundary>),
        actions: &mut Vec<Action>,
    ) {
        self.look_as(id, (seen, boundary), &Ask::default(), actions);
    }

    /// As [`Tail::look_as_new`], and asks for more than what identifies it.
    pub fn look_as(
        &mut self,
        id: FileId,
        (seen, boundary): (FileSeen, Option<Boundary>),
        ask: &Ask,
        actions: &mut Vec<Action>,
    ) {
        let candidates = self.candidates(&seen);
        let examination = Examination { candidates, boundary, ..Examination::of(seen) };
        let ask = Ask { boundary: ask.boundary, ..examination.ask() };
        self.examine(id, (examination, ask), actions);
    }

    /// Looks at a file once more, which begins as generations of other directories do.
    fn look_elsewhere(
        &mut self,
        id: FileId,
        examination: Examination,
        opened: Opened,
        actions: &mut Vec<Action>,
    ) {
        let Examination { seen, mut candidates, .. } = examination;
        let elsewhere = self.elsewhere((&seen, &opened), &candidates);
        candidates.extend(elsewhere);
        let (seen, boundary) = (FileSeen { stat: opened.stat, ..seen }, opened.boundary);
        let examination = Examination { candidates, boundary, ..Examination::of(seen) };
        let ask = examination.ask();
        self.examine(id, (examination, ask), actions);
    }

    /// Whether another descriptor of the inode was understood while this one was looked at.
    fn was_found_meanwhile(&self, tuple: &Tuple, candidates: &[(StreamId, Mark)]) -> bool {
        let found = self.by_tuple.get(tuple);
        found.is_some_and(|stream| candidates.iter().all(|(candidate, _)| candidate != stream))
    }

    /// Whether the inode belongs to a generation, or somebody is about to find out to which.
    pub fn is_known_or_examined(&self, tuple: &Tuple) -> bool {
        self.by_tuple.contains_key(tuple) || self.is_examined(tuple)
    }

    fn is_examined(&self, tuple: &Tuple) -> bool {
        let held = self.holding.values().map(|seen| &seen.stat.tuple);
        self.examining.of_inode(tuple.inode).chain(held).any(|examined| examined == tuple)
    }

    fn judge_all(&self, candidates: &[(StreamId, Mark)], opened: &Opened) -> Vec<(StreamId, Verdict)> {
        let asked = candidates.iter().zip(&opened.markers);
        let known = asked.filter_map(|((stream, mark), before)| {
            let generation = self.generations.get(stream)?;
            let marker = match before {
                // They cannot be read: nothing speaks against it, and nothing is read there before they can.
                Some(before) if before.len() < marker_length(mark.position) => MarkerEvidence::Equal,
                Some(before) if mark.fits(before) => MarkerEvidence::Equal,
                Some(_) => MarkerEvidence::Differs,
                None => MarkerEvidence::TooShort,
            };
            let tuple = match generation.tuple.compare(&opened.stat.tuple) {
                // No log is reborn in an archive: it got the inode that its original gave back.
                TupleEvidence::Reborn if opened.form != Form::Plain => TupleEvidence::Other,
                tuple @ (TupleEvidence::Same
                | TupleEvidence::Reborn
                | TupleEvidence::OtherDevice
                | TupleEvidence::Other) => tuple,
            };
            let head = generation.head.compare(&opened.head);
            Some((*stream, judge(Evidence { tuple, head, marker, size: opened.size() })))
        });
        known.collect()
    }

    /// Generations that were thought to be in this inode and are not.
    fn dismiss(
        &mut self,
        now: Millis,
        inode: u64,
        verdicts: &[(StreamId, Verdict)],
        chosen: Option<StreamId>,
    ) {
        for (stream, verdict) in verdicts {
            let generation = self.generation(*stream);
            let is_inode = generation.tuple.inode == inode;
            let was_here = match (verdict, generation.whereabouts) {
                _ if chosen == Some(*stream) => false,
                (
                    Verdict::Rewritten | Verdict::Cut | Verdict::Same,
                    Whereabouts::Here | Whereabouts::Away | Whereabouts::Unlocated,
                ) => true,
                (Verdict::Foreign | Verdict::Copy | Verdict::Part, Whereabouts::Unlocated) => is_inode,
                (_, Whereabouts::Here | Whereabouts::Away | Whereabouts::Missing(_)) => false,
            };
            let why = match verdict {
                Verdict::Rewritten => Loss::Truncated,
                Verdict::Cut => Loss::Cut,
                Verdict::Same | Verdict::Foreign | Verdict::Copy | Verdict::Part => Loss::Deleted,
            };
            if was_here {
                if let (Verdict::Rewritten, Some(path)) = (verdict, generation.path.clone()) {
                    let unread_bytes = generation.unread_bytes();
                    self.notices.push(Notice::Truncated { path, unread_bytes });
                }
                self.lose_inode(now, *stream, why);
            }
        }
    }

    /// The file is this generation: read on in it.
    fn attach(&mut self, now: Millis, stream: StreamId, id: FileId, (path, opened): (&SharedPath, &Opened)) {
        let home = if self.log_of(path).is_some() { Some(path.clone()) } else { self.home_by_name(path) };
        let log = home.as_ref().and_then(|home| self.log_of(home));
        let live = home.clone().filter(|_| self.home_by_name(path).is_none());
        let generation = self.generation(stream);
        let was_unlocated = generation.path.as_ref() != Some(path);
        let (old, position) = (generation.tuple, generation.lines.cursor().position);
        if position == 0 && opened.size() == 0 {
            // Not a byte is left of what was seen of it, and the next one may be another file's.
            generation.head = Head::default();
        }
        generation.head.learn(&opened.head);
        generation.file = Some(id);
        (generation.stat, generation.form) = (opened.stat, opened.form);
        generation.is_hinted = false;
        generation.grown_at = now;
        // It may live on under another name, and whoever writes to it now has not been waited for.
        generation.finished = false;
        generation.books.end = None;
        if old == opened.stat.tuple {
            generation.books.is_cut(generation.books.size.saturating_sub(opened.size()));
        }
        generation.books.reaches(opened.size());
        if generation.log.is_none() {
            generation.log = log;
        }
        let first = home.filter(|home| path_hash(home) == generation.home_hash).or(Some(path.clone()));
        // Not a byte ties it to the file that had the inode when it was first seen.
        let moves_home = position == 0 && live.is_some() && live != generation.home;
        self.change(stream, |generation| {
            generation.tuple = opened.stat.tuple;
            generation.path = Some(path.clone());
            generation.whereabouts = Whereabouts::Here;
            generation.home = generation.home.take().or(first);
            if moves_home {
                generation.home_hash = path_hash(path);
                (generation.home, generation.log) = (live, log);
            }
        });
        if self.by_tuple.get(&old) == Some(&stream) {
            self.by_tuple.remove(&old);
        }
        let is_one_file = old == opened.stat.tuple && old.birth_ns.is_some();
        let is_named_as_copy = self.home_by_name(path).is_some();
        let line_bytes_max = self.line_bytes_max(self.generations[&stream].log);
        let generation = self.generation(stream);
        if !is_one_file {
            generation.is_named_as_copy = is_named_as_copy;
        }
        let (cursor, gap) = (generation.lines.cursor(), generation.lines.behind());
        generation.lines = super::line::Splitter::behind_gap(cursor, gap, line_bytes_max);
        self.note_head(stream);
        self.by_tuple.insert(opened.stat.tuple, stream);
        self.by_path.insert(path.clone(), stream);
        self.by_file.insert(id, stream);
        if was_unlocated {
            self.notices.push(Notice::Following { path: path.clone(), position });
        }
    }

    /// The log and the first path of what goes on where a generation was.
    pub fn belonging(&self, stream: StreamId, path: &SharedPath) -> Option<(usize, SharedPath)> {
        let generation: &Generation = self.generations.get(&stream)?;
        let log = generation.log.or_else(|| self.log_of(path))?;
        Some((log, generation.home.clone().unwrap_or_else(|| path.clone())))
    }

    /// The path of a log whose file was rewritten and then rotated before anybody looked: what is in it now began there.
    fn home_of_rewritten(&self, verdicts: &[(StreamId, Verdict)], path: &Path) -> Option<SharedPath> {
        let mut rewritten = verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Rewritten).peekable();
        rewritten.peek()?;
        let home = self.home_by_name(path)?;
        rewritten.any(|(stream, _)| self.generations[stream].home.as_ref() == Some(&home)).then_some(home)
    }

    /// A file that is no known generation: a new one if a log wants it.
    pub fn take_in(
        &mut self,
        now: Millis,
        id: FileId,
        (seen, opened, before): (&FileSeen, Opened, Option<SharedPath>),
        actions: &mut Vec<Action>,
    ) {
        let home = match self.log_of(&seen.path) {
            _ if opened.form != Form::Plain && self.is_archive(&seen.path) => {
                self.chain_home(seen, Some(opened.form))
            }
            Some(_) => Some(seen.path.clone()),
            None => before.or_else(|| self.chain_home(seen, Some(opened.form))),
        };
        let is_early = self.asks_others(now, seen);
        if is_early && opened.form != Form::Plain {
            self.look_again(now, now.plus(TROUBLE_POLL_MS), seen);
            actions.push(Action::Close(id));
            return;
        }
        let log = home.as_ref().and_then(|home| self.log_of(home));
        let is_nothing_yet = opened.size() == 0 && self.will_be_archive(&seen.path, opened.form);
        let (Some(home), Some(log), false) = (home, log, is_nothing_yet) else {
            self.reject(now, &opened.stat);
            actions.push(Action::Close(id));
            return;
        };
        let mark = opened
            .boundary
            .as_ref()
            .map_or(Mark::start(), |boundary| Mark::at(boundary.position, &boundary.before));
        let mut head = Head::default();
        if !is_early || mark.position > 0 {
            head.learn(&opened.head);
        }
        // Otherwise it is held, and asked once more whose copy it is when it is read.
        let path = seen.path.clone();
        let Opened { stat, form, .. } = opened;
        let stream = self.begin(now, Birth { log, home, path, stat, form, head, mark, file: id });
        self.close_unread(stream, actions);
    }

    pub fn list_after(&mut self, at: Millis, path: &Path) {
        if let Some(parent) = path.parent() {
            self.list_soon(at, &SharedPath::from(parent));
        }
    }
}

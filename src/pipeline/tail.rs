//! The generations that are followed: when each is read, polled, closed and forgotten.
//!
//! Discovery (`discover`) and reading (`reading`) are further parts of the same [`Tail`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::account::{Account, Books, Loss};
use super::action::{Action, FileId, FileSeen, Form, Millis, SharedPath, Stat, Writers};
use super::archives::Decoding;
use super::batch::{BLOCK_BYTES, Block, Filled, Reach};
use super::checkpoint::{FileSnapshot, Snapshot};
use super::comparison::Comparison;
use super::copies::Rejected;
use super::deleted::Deleted;
use super::descriptors::Descriptors;
use super::discover::Directory;
use super::examination::Examinations;
use super::facts::Reads;
use super::generation::{Generation, Registration, Turn, Whereabouts, path_hash};
use super::heads::{Heads, Noted};
use super::held::Held;
use super::identity::{Head, Mark, Tuple};
use super::index::Index;
use super::line::{Gap, Splitter};
use super::notice::Notice;
use super::options::{LogOptions, Mode, OpenFiles, PartitionBy, Rejects, Timestamp};
use super::reading::Reading;
use super::shard::Entry;
use super::tally::{Sites, Tally};
use super::trouble::Troubles;
use super::turns::{Throttle, is_fresh};
use crate::event::{Encoder, StreamId};
use crate::planted::{self, Bug};

/// A file that just grew is read again after so long, instead of once per hint: a busy log makes one hint per line.
const HOT_POLL_MS: u64 = 50;

/// Or so shortly before its batch is due: what is written in time does not wait for the next one.
const IN_TIME_MS: u64 = 3;

/// A rotated file that may still be written to is looked at so often; nothing else tells when it has left the
/// directories that are watched.
pub(super) const ROTATED_POLL_MS: u64 = 1000;

/// After a read error the next attempt waits so long.
pub(super) const TROUBLE_POLL_MS: u64 = 1000;

/// Everything is listed so often whatever the hints say.
const SWEEP_MS: u64 = 60_000;

/// How long a file with unread bytes may be missing before they count as lost: its copy or new name may still appear.
const LOST_AFTER_MS: u64 = 60_000;

/// How long a generation is remembered after it left the disk, so that a restored or unpacked copy is not sent again.
const REMEMBER_MS: u64 = 7 * 24 * 3600 * 1000;

/// What the tail was told at its start.
#[derive(Debug)]
pub(super) struct TailOptions {
    pub logs: Vec<LogOptions>,
    pub mode: Mode,
    pub partition_by: PartitionBy,
    pub rejects: Rejects,
    pub timestamp: Timestamp,
    pub quiet_grace_ms: u64,
    pub open_files: OpenFiles,
    pub deleted_bytes_max: Option<u64>,
    pub stream_seed: u64,
}

/// What a tail of one log is told in tests: exactly once, one partition per file, a few descriptors.
#[cfg(test)]
impl TailOptions {
    pub fn of_log(pattern: &str) -> Self {
        use super::options::{Links, OnReadError, OnRewrite, PathMatcher, Start};
        let encoder = crate::event::EncoderOptions {
            format: crate::format::Format::combined(),
            site: crate::event::Site::Fixed("example.net".to_owned()),
            host: "h".to_owned(),
            log: "l".to_owned(),
            rules: std::sync::Arc::default(),
        };
        let log = LogOptions {
            paths: PathMatcher::new(&[pattern.to_owned()], &[]).expect("a pattern of a test is one"),
            archives: PathMatcher::none(),
            encoder,
            topic: 0,
            start: Start::Beginning,
            links: Links::default(),
            line_bytes_max: 1000,
            catch_up_bytes_per_s: None,
            on_rewrite: OnRewrite::default(),
            on_read_error: OnReadError::default(),
            key: 1,
        };
        Self {
            logs: vec![log],
            mode: Mode::ExactlyOnce,
            partition_by: PartitionBy::File,
            rejects: Rejects::Topic,
            timestamp: Timestamp::Now,
            quiet_grace_ms: 0,
            open_files: OpenFiles { idle: 8, all: 1000 },
            deleted_bytes_max: None,
            stream_seed: 1,
        }
    }
}

/// All generations and what is being done with them.
#[derive(Debug)]
pub(super) struct Tail {
    pub options: TailOptions,
    pub encoders: Vec<Encoder>,
    pub sites: Sites,
    pub reads: Reads,
    /// Boxed: they are large, and the tree moves what it holds with every insertion.
    pub generations: BTreeMap<StreamId, Box<Generation>>,
    pub index: Index,
    pub heads: Heads,
    pub by_tuple: HashMap<Tuple, StreamId>,
    pub by_path: HashMap<SharedPath, StreamId>,
    pub by_file: HashMap<FileId, StreamId>,
    pub examining: Examinations,
    /// Files of generations that were asked what stands where a copy of them ends.
    pub comparing: HashMap<FileId, Comparison>,
    /// What is held until the committed positions are known.
    pub held: Option<Held>,
    /// Files that are being opened to be held.
    pub holding: HashMap<FileId, FileSeen>,
    /// Those of them that were there before their log, which begins at the end.
    pub holding_at_end: HashSet<FileId>,
    /// Files that were opened and are not to be read, until they change or a generation goes missing.
    pub rejected: HashMap<Tuple, Rejected>,
    /// Files that were rewritten and are not to be read because of that.
    pub left_alone: HashSet<Tuple>,
    /// Archives that are being looked through, and some of those that wait for that.
    pub unpacking: HashMap<FileId, SharedPath>,
    pub unpacking_waits: BTreeSet<SharedPath>,
    /// Archives that are being read.
    pub decoding: Decoding,
    /// Grows whenever a generation goes missing.
    pub searches: u64,
    pub directories: HashMap<SharedPath, Directory>,
    /// Directories that are to be listed, by when.
    pub listings: BTreeSet<(Millis, SharedPath)>,
    /// Whether the operator was told which configured paths match nothing.
    pub unmatched_told: bool,
    /// Whether the operator was told that writers cannot be asked about.
    pub no_proof_told: bool,
    /// What cannot be opened.
    pub troubles: Troubles,
    /// Paths of which something was told that time does not change.
    pub told: HashSet<SharedPath>,
    /// Logs whose existing files were seen.
    pub known_logs: BTreeSet<u64>,
    pub ready: VecDeque<StreamId>,
    /// Those of them that were just met, and of which one read shows all: see [`Tail::next_turn`].
    pub fresh: VecDeque<StreamId>,
    /// Whether the last turn was one of theirs.
    pub had_fresh_turn: bool,
    /// Whether what is met can be read soon, so that its descriptor is not given back before.
    pub reads_at_once: bool,
    /// Until when what is read still belongs to the open batch.
    pub batch_due: Millis,
    /// Since when the block has been full.
    pub full_since: Option<Millis>,
    /// What each log may read of a backlog.
    pub throttles: Vec<Throttle>,
    pub descriptors: Descriptors,
    pub timers: BTreeSet<(Millis, StreamId)>,
    pub reading: Option<Reading>,
    pub filling: Filled,
    pub spare: Vec<Block>,
    pub sticky_partition: u32,
    pub sweep_at: Millis,
    pub sweeping: bool,
    pub files_opened: u64,
    pub streams_named: u64,
    pub notices: Vec<Notice>,
    /// Generations began that the local state does not know yet.
    pub has_unsaved: bool,
    /// Losses of generations that went missing before this were told.
    pub lost_told_to: Millis,
    /// When the next losses are told.
    pub tells_losses_at: Millis,
    /// What deleted files hold of the disk.
    pub deleted: Deleted,
    /// What became of the bytes of generations that were forgotten.
    pub forgotten: BTreeMap<SharedPath, Account>,
}

/// What reading may do at this moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance<'a> {
    /// Whether what is read can be delivered.
    pub may_read: bool,
    /// Partitions of each topic of events.
    pub partitions: &'a [u32],
    /// Largest record that is taken.
    pub record_bytes_max: usize,
}

impl Tail {
    pub fn new(options: TailOptions, local: Option<&Snapshot>) -> Self {
        let encoder = |log: &LogOptions| {
            Encoder::new(log.encoder.clone()).expect("the rules were compiled when the options were made")
        };
        let encoders = options.logs.iter().map(encoder).collect();
        Self {
            descriptors: Descriptors::new(options.open_files),
            throttles: options.logs.iter().map(Throttle::of).collect(),
            sites: Sites::new(&options.logs),
            reads: Reads::default(),
            options,
            encoders,
            generations: BTreeMap::new(),
            index: Index::default(),
            heads: Heads::default(),
            by_tuple: HashMap::new(),
            by_path: HashMap::new(),
            by_file: HashMap::new(),
            examining: Examinations::default(),
            comparing: HashMap::new(),
            held: Some(Held::new(local)),
            holding: HashMap::new(),
            holding_at_end: HashSet::new(),
            rejected: HashMap::new(),
            left_alone: HashSet::new(),
            unpacking: HashMap::new(),
            unpacking_waits: BTreeSet::new(),
            decoding: Decoding::default(),
            searches: 0,
            directories: HashMap::new(),
            listings: BTreeSet::new(),
            unmatched_told: false,
            no_proof_told: false,
            troubles: Troubles::default(),
            told: HashSet::new(),
            known_logs: local.map(|local| local.logs.iter().copied().collect()).unwrap_or_default(),
            ready: VecDeque::new(),
            fresh: VecDeque::new(),
            had_fresh_turn: false,
            reads_at_once: false,
            batch_due: Millis(u64::MAX),
            full_since: None,
            timers: BTreeSet::new(),
            reading: None,
            filling: Filled::default(),
            spare: Vec::new(),
            sticky_partition: 0,
            sweep_at: Millis(0),
            sweeping: false,
            files_opened: 0,
            streams_named: 0,
            notices: Vec::new(),
            has_unsaved: false,
            lost_told_to: Millis(0),
            tells_losses_at: Millis(LOST_AFTER_MS),
            deleted: Deleted::new(),
            forgotten: local.map(|local| local.forgotten.iter().cloned().collect()).unwrap_or_default(),
        }
    }

    /// Takes over the committed generations; where they are has to be found out.
    pub fn adopt(&mut self, entries: Vec<Entry>, paths: &HashMap<StreamId, FileSnapshot>) {
        for entry in entries {
            let remembered = paths.get(&entry.stream);
            let known = |path: &SharedPath| (!path.as_os_str().is_empty()).then(|| path.clone());
            // The local state may be older than what another process committed of the generation since.
            let home = remembered.and_then(|file| known(&file.home));
            let home = home.filter(|home| path_hash(home) == entry.home_hash);
            let path = remembered.and_then(|file| known(&file.path));
            let log = home.as_ref().and_then(|home| self.log_of(home));
            let line_bytes_max = self.line_bytes_max(log);
            let mut books = remembered.map_or_else(|| unknown_books(&entry, paths), |file| file.books);
            books.is_committed(entry.mark.position);
            // More of it was committed since its books were closed.
            let is_as_known = remembered.is_some_and(|file| file.entry.mark.position == entry.mark.position);
            books.end = books.end.filter(|_| is_as_known);
            let read_archive = remembered.and_then(|file| file.read_archive).filter(|_| is_as_known);
            let modified_ns = remembered.filter(|_| is_as_known).map_or(0, |file| file.modified_ns);
            let generation = Generation {
                read_archive,
                stream: entry.stream,
                log,
                home,
                home_hash: entry.home_hash,
                kin: Box::default(),
                tuple: entry.tuple,
                head: Head::remembered(entry.mark.position, entry.head_hash),
                noted_head: Noted::default(),
                lines: Splitter::behind_gap(entry.mark, entry.gap, line_bytes_max),
                committed: entry.mark,
                committed_gap: entry.gap,
                begun: entry.begun,
                committed_begun: entry.begun,
                file: None,
                is_named_as_copy: path.as_ref().is_some_and(|path| self.home_by_name(path).is_some()),
                path,
                stat: Stat { tuple: entry.tuple, size: entry.mark.position, modified_ns, links: 1 },
                form: Form::Plain,
                looked_to: entry.mark.position,
                whereabouts: Whereabouts::Unlocated,
                registration: Registration::Done,
                read_at: Millis::default(),
                line_time_ms: None,
                grown_at: Millis::default(),
                held_since: None,
                poll_at: None,
                turn: Turn::Later,
                is_hinted: false,
                overdrawn_bytes: 0,
                idle_since: None,
                finished: false,
                trouble: None,
                stop: None,
                passed_over: None,
                books,
                read_to: entry.mark.position,
                vanished: Loss::Cut,
            };
            self.insert(generation);
        }
    }

    /// The first log that a path belongs to.
    pub fn log_of(&self, path: &std::path::Path) -> Option<usize> {
        self.options.logs.iter().position(|log| log.paths.matches(path))
    }

    pub fn line_bytes_max(&self, log: Option<usize>) -> usize {
        log.and_then(|log| self.options.logs.get(log)).map_or(usize::MAX / 2, |log| log.line_bytes_max)
    }

    /// A generation that is expected to be there.
    pub fn generation(&mut self, stream: StreamId) -> &mut Generation {
        self.generations.get_mut(&stream).expect("an index names a generation that was forgotten")
    }

    /// Something happened at this path.
    pub fn hint(&mut self, now: Millis, path: &SharedPath) {
        if let Some(stream) = self.by_path.get(path).copied() {
            let read_at = self.generation(stream).read_at;
            self.look(stream, now.max(self.read_again_at(read_at)));
            return;
        }
        if self.list_soon(now, path) {
            return;
        }
        let parent: Option<SharedPath> = path.parent().map(SharedPath::from);
        if !parent.is_some_and(|parent| self.list_soon(now, &parent)) {
            self.sweep_at = self.sweep_at.min(now.plus(TROUBLE_POLL_MS));
        }
    }

    /// When a file is read again that was read then and still grows.
    pub fn read_again_at(&self, read_at: Millis) -> Millis {
        let (paced, in_time) = (read_at.plus(HOT_POLL_MS), Millis(self.batch_due.since(Millis(IN_TIME_MS))));
        if in_time > read_at { paced.min(in_time) } else { paced }
    }

    /// Hints were lost, so everything has to be looked at.
    pub fn hints_lost(&mut self, now: Millis) {
        self.sweep_at = now;
    }

    /// As [`Tail::poll`], and opens the file for that even if nothing is known to be new in it.
    pub fn look(&mut self, stream: StreamId, at: Millis) {
        self.generation(stream).is_hinted = true;
        self.poll(stream, at);
    }

    /// Reads a generation at this time at the latest.
    pub fn poll(&mut self, stream: StreamId, at: Millis) {
        let generation = self.generation(stream);
        if let Some(planned) = generation.poll_at {
            if planned <= at {
                return;
            }
            self.timers.remove(&(planned, stream));
        }
        self.generation(stream).poll_at = Some(at);
        self.timers.insert((at, stream));
    }

    /// When the tail wants to be looked at again if nothing happens before.
    pub fn wake_at(&self) -> Millis {
        let timer = self.timers.first().map_or(Millis(u64::MAX), |(at, _)| *at);
        let listing = self.listings.first().map_or(Millis(u64::MAX), |(at, _)| *at);
        let waiting = self.waiting_until().min(self.examines_at());
        timer
            .min(self.sweep_at)
            .min(self.tells_losses_at)
            .min(listing)
            .min(self.throttled_until())
            .min(waiting)
    }

    /// Does whatever is due: lists, opens and reads.
    pub fn pump(&mut self, now: Millis, allowance: Allowance<'_>, actions: &mut Vec<Action>) {
        while let Some((at, stream)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, stream));
            self.generation(stream).poll_at = None;
            self.queue(stream);
        }
        if now >= self.sweep_at && !self.sweeping {
            self.sweeping = true;
            self.sweep_at =
                if planted::is(Bug::HintsTrusted) { Millis(u64::MAX) } else { now.plus(SWEEP_MS) };
            actions.push(Action::Sweep);
            self.weigh_deleted(actions);
        }
        if now >= self.tells_losses_at {
            self.tell_losses(now);
        }
        self.list_what_is_due(now, actions);
        self.feel_room(now, allowance);
        self.examine_what_waits(now, actions);
        self.close_idle(now, actions);
        while allowance.may_read && self.reading.is_none() && !self.is_full() {
            let Some(stream) = self.next_turn(now) else { break };
            if let Some(generation) = self.generations.get_mut(&stream) {
                generation.turn = Turn::Later;
            }
            self.go_on_with(now, stream, actions);
        }
    }

    /// Puts a generation at the end of those to be read, once: while nothing may be read its polls add up.
    pub fn queue(&mut self, stream: StreamId) {
        let generation = self.generation(stream);
        let has_turn = match generation.turn {
            Turn::Later => false,
            Turn::Due => true,
            // One that was opened meanwhile holds what the others wait for.
            Turn::Waits => generation.file.is_none(),
        };
        if !has_turn {
            generation.turn = Turn::Due;
            let queue = if is_fresh(generation) { &mut self.fresh } else { &mut self.ready };
            queue.push_back(stream);
        }
    }

    /// The next step with a generation that is to be read.
    fn go_on_with(&mut self, now: Millis, stream: StreamId, actions: &mut Vec<Action>) {
        let Some(generation) = self.generations.get(&stream) else { return };
        if let Some(at) = self.held_back_until(now, generation) {
            self.poll(stream, at);
            return;
        }
        let generation = self.generation(stream);
        match (generation.registration, generation.file, generation.log) {
            (_, Some(_), None) => self.detach(now, stream, actions),
            (_, None, None) => {}
            (Registration::Due, _, Some(_)) => {
                generation.registration = Registration::Offered;
                let entry = generation.entry();
                self.filling.reaches.add(Reach { from: entry.mark.position, to: entry });
            }
            (Registration::Offered, _, Some(_)) => {}
            (Registration::Done, Some(file), Some(_)) => self.read(now, (stream, file), actions),
            (Registration::Done, None, Some(_)) if !generation.wants_look() => {}
            (Registration::Done, None, Some(_)) if !self.may_open(now) => self.wait_for_descriptor(stream),
            (Registration::Done, None, Some(_)) => self.reopen(stream, actions),
        }
    }

    /// Whether the block holds as much as one may.
    pub fn is_full(&self) -> bool {
        self.filling.block.arena.len() >= BLOCK_BYTES
    }

    /// Hands over what was made of the lines so far.
    pub fn take_filled(&mut self) -> Filled {
        let mut next = Filled { block: self.spare.pop().unwrap_or_default(), ..Filled::default() };
        next.block.clear();
        self.sticky_partition = self.sticky_partition.wrapping_add(1);
        std::mem::replace(&mut self.filling, next)
    }

    /// A block's memory to be used again; two are enough, one being filled and one on its way back.
    pub fn keep(&mut self, block: Block) {
        if self.spare.len() < 2 {
            self.spare.push(block);
        }
    }

    /// These positions are committed.
    pub fn committed(&mut self, now: Millis, entries: &[Entry], gone: &[StreamId]) {
        for entry in entries {
            let Some(generation) = self.generations.get_mut(&entry.stream) else { continue };
            generation.is_committed(entry);
            let is_rotated = generation.is_rotated();
            let is_hot = generation.poll_at.is_some_and(|poll_at| poll_at <= now.plus(HOT_POLL_MS));
            let was_registered = std::mem::replace(&mut generation.registration, Registration::Done);
            if was_registered != Registration::Done || is_hot {
                // What was written meanwhile begins the next batch, and its lines wait from here on.
                self.poll(entry.stream, now);
            } else if is_rotated {
                self.poll(entry.stream, now.plus(ROTATED_POLL_MS));
            }
            self.note_idle(entry.stream);
        }
        for stream in gone {
            self.forget(*stream);
        }
    }

    /// Everything that is not committed will be read again; what was being filled is given up, and told.
    pub fn rewind(&mut self, now: Millis) -> Tally {
        let old = self.take_filled();
        self.keep(old.block);
        if let Some(reading) = &mut self.reading {
            reading.outdated = true;
        }
        self.lost_told_to = Millis(0);
        self.tells_losses_at = self.tells_losses_at.min(now.plus(TROUBLE_POLL_MS));
        let streams: Vec<StreamId> = self.generations.keys().copied().collect();
        for stream in streams {
            let line_bytes_max = self.line_bytes_max(self.generations[&stream].log);
            let generation = self.generation(stream);
            let moved = !generation.is_settled() || generation.registration == Registration::Offered;
            generation.rewind(line_bytes_max);
            let is_missing = generation.is_missing();
            if moved {
                self.poll(stream, now);
            }
            if moved && is_missing && !planted::is(Bug::SetAsideForGood) {
                // What held less than was read of it, as an archive that was made early, may hold what is wanted again.
                self.searches += 1;
                self.seek_in_copies(now, stream);
            }
        }
        old.tally
    }

    /// Begins a generation at `mark`; it is read as soon as it may be.
    pub fn begin(&mut self, now: Millis, birth: Birth) -> StreamId {
        let stream = self.name_stream();
        let Birth { log, home, path, stat, form, head, mark, file } = birth;
        let must_register = self.options.mode != Mode::ExactlyOnce || mark.position > 0;
        let registration = if must_register { Registration::Due } else { Registration::Done };
        let generation = Generation {
            stream,
            read_archive: None,
            log: Some(log),
            home_hash: path_hash(&home),
            kin: Box::default(),
            is_named_as_copy: self.home_by_name(&path).is_some(),
            home: Some(home),
            path: Some(path.clone()),
            tuple: stat.tuple,
            head,
            noted_head: Noted::default(),
            lines: Splitter::at(mark, self.line_bytes_max(Some(log))),
            committed: mark,
            committed_gap: Gap::default(),
            begun: false,
            committed_begun: false,
            file: Some(file),
            stat,
            form,
            looked_to: mark.position,
            whereabouts: Whereabouts::Here,
            registration,
            read_at: Millis::default(),
            line_time_ms: None,
            grown_at: now,
            held_since: None,
            poll_at: None,
            turn: Turn::Later,
            is_hinted: false,
            overdrawn_bytes: 0,
            idle_since: None,
            finished: false,
            trouble: None,
            stop: None,
            passed_over: None,
            books: Books { size: form.size(&stat), ..Books::at(mark.position) },
            read_to: mark.position,
            vanished: Loss::Cut,
        };
        self.notices.push(Notice::Following { path: path.clone(), position: mark.position });
        self.has_unsaved = true;
        self.left_alone.remove(&stat.tuple);
        self.insert(generation);
        self.by_tuple.insert(stat.tuple, stream);
        self.by_path.insert(path, stream);
        self.by_file.insert(file, stream);
        self.poll(stream, now);
        stream
    }

    fn name_stream(&mut self) -> StreamId {
        self.streams_named += 1;
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&self.options.stream_seed.to_le_bytes());
        seed[8..].copy_from_slice(&self.streams_named.to_le_bytes());
        StreamId(xxhash_rust::xxh3::xxh3_64(&seed))
    }

    /// The inode is no longer this generation's: its bytes may turn up elsewhere.
    pub fn lose_inode(&mut self, now: Millis, stream: StreamId, why: Loss) {
        self.searches += 1;
        self.tells_losses_at = self.tells_losses_at.min(now.plus(LOST_AFTER_MS));
        self.change(stream, |generation| generation.whereabouts = Whereabouts::Missing(now));
        let generation = self.generation(stream);
        generation.vanished = why;
        if why == Loss::Deleted {
            // What a listing showed last; where something else took the place of its bytes, that says nothing of them.
            generation.books.reaches(generation.size());
        }
        let (tuple, file, path) = (generation.tuple, generation.file.take(), generation.path.clone());
        self.deleted.remove(&stream);
        self.seek_in_copies(now, stream);
        if self.by_tuple.get(&tuple) == Some(&stream) {
            self.by_tuple.remove(&tuple);
        }
        if let Some(file) = file {
            self.by_file.remove(&file);
        }
        self.forget_path(stream);
        if let Some(parent) = path.as_ref().and_then(|path| path.parent()) {
            self.list_soon(now, &SharedPath::from(parent));
        }
    }

    /// The path under which a generation was last seen no longer leads to it.
    pub fn forget_path(&mut self, stream: StreamId) {
        if let Some(path) = &self.generations[&stream].path
            && self.by_path.get(path) == Some(&stream)
        {
            self.by_path.remove(path);
        }
    }

    /// A rotated generation at its end: is it finished? Called after a read that brought nothing new, and again with what
    /// the shell found out about its writers.
    ///
    /// A generation is declared finished here and nowhere else: it is rotated, read to its end, and no process has it open
    /// for writing. Where that cannot be found out, a grace without a new byte stands in for it. What was written between
    /// the last read and the proof is read afterwards, because a finished generation is read once more.
    pub fn finish_if_proven(
        &mut self,
        now: Millis,
        stream: StreamId,
        writers: Option<Writers>,
        actions: &mut Vec<Action>,
    ) {
        let grace = self.options.quiet_grace_ms;
        let generation = &self.generations[&stream];
        if generation.finished || !generation.is_drained() {
            return;
        }
        if !self.has_lost_its_name(stream) && !planted::is(Bug::ProofOfActiveFile) {
            return;
        }
        let generation = self.generation(stream);
        let quiet = now.since(generation.grown_at) >= grace;
        let finished = match (writers, generation.file) {
            _ if planted::is(Bug::FinishedAtFirstEof) => true,
            (None, Some(file)) => {
                actions.push(Action::ProveWriterGone(file));
                return;
            }
            (Some(Writers::Gone), _) => true,
            (Some(Writers::Possible), _) => quiet && planted::is(Bug::QuietAgainstProof),
            (Some(Writers::Unknowable(_)), _) => quiet,
            (None, None) => false,
        };
        if !finished {
            self.poll(stream, now.plus(ROTATED_POLL_MS));
            return;
        }
        generation.finished = true;
        if planted::is(Bug::NoReadAfterProof) {
            self.release(now, stream, actions);
        } else {
            self.queue(stream);
        }
    }

    /// The shell asked who writes to a file.
    pub fn writers_found(&mut self, now: Millis, file: FileId, writers: Writers, actions: &mut Vec<Action>) {
        let Some(stream) = self.by_file.get(&file).copied() else { return };
        if let (Writers::Unknowable(why), Some(path)) = (writers, self.generation(stream).path.clone())
            && !std::mem::replace(&mut self.no_proof_told, true)
        {
            let grace_ms = self.options.quiet_grace_ms;
            self.notices.push(Notice::NoWriterProof { path, why, grace_ms });
        }
        self.finish_if_proven(now, stream, Some(writers), actions);
    }

    /// Lets a finished, committed generation go; its descriptor is closed and, if it left the disk, it is forgotten.
    pub fn release(&mut self, now: Millis, stream: StreamId, actions: &mut Vec<Action>) {
        let generation = self.generation(stream);
        if !generation.finished || !generation.is_settled() {
            self.poll(stream, now.plus(ROTATED_POLL_MS));
            return;
        }
        let unlinked = generation.stat.links == 0 || generation.whereabouts == Whereabouts::Away;
        if generation.books.end.is_none() {
            self.end(stream);
        }
        let generation = self.generation(stream);
        if let Some(file) = generation.file.take() {
            self.by_file.remove(&file);
            actions.push(Action::Close(file));
        }
        if unlinked {
            self.lose_inode(now, stream, Loss::Deleted);
        }
    }

    /// A generation is over: its books are closed, and what is lost is told.
    pub fn end(&mut self, stream: StreamId) {
        self.has_unsaved = true;
        let generation = self.generation(stream);
        let (bytes, why) = (generation.end(), generation.vanished);
        let (position, has_vanished) = (generation.lines.cursor().position, generation.has_vanished());
        let Some(path) = generation.path.clone() else { return };
        if bytes > 0 {
            self.notices.push(Notice::Lost { path, bytes, why });
        } else if has_vanished {
            self.notices.push(Notice::Vanished { path, position });
        }
    }

    /// Closes the books of what has been missing for long.
    fn tell_losses(&mut self, now: Millis) {
        let Some(until) = now.0.checked_sub(LOST_AFTER_MS).map(Millis) else {
            self.tells_losses_at = Millis(LOST_AFTER_MS);
            return;
        };
        let from = std::mem::replace(&mut self.lost_told_to, until.plus(1));
        let missing: Vec<StreamId> = self.index.missing_since(from..=until.max(from)).collect();
        let next = self.index.next_missing(self.lost_told_to);
        self.tells_losses_at = next.map_or(Millis(u64::MAX), |since| since.plus(LOST_AFTER_MS));
        for stream in missing {
            let generation = &self.generations[&stream];
            match (generation.whereabouts, generation.books.end) {
                // What is on its way may be set back yet.
                (Whereabouts::Missing(since), None) if !generation.is_settled() => {
                    self.lost_told_to = self.lost_told_to.min(since);
                    self.tells_losses_at = self.tells_losses_at.min(now.plus(TROUBLE_POLL_MS));
                }
                (_, None) => self.end(stream),
                (_, Some(_)) => {}
            }
        }
    }

    /// Generations that left the disk long ago with everything read of them committed.
    pub fn forgettable(&self, now: Millis) -> Vec<StreamId> {
        let remembered_ms = if planted::is(Bug::ForgottenAtOnce) { 0 } else { REMEMBER_MS };
        let Some(until) = now.0.checked_sub(remembered_ms).map(Millis) else { return Vec::new() };
        let gone = self.index.missing_since(..=until);
        gone.filter(|stream| self.generations[stream].is_settled()).collect()
    }

    /// Forgets a generation; what became of its bytes stays in the account of its path, or of none if it was the last one.
    fn forget(&mut self, stream: StreamId) {
        let Some(generation) = self.take_out(stream) else { return };
        if let Some(poll_at) = generation.poll_at {
            self.timers.remove(&(poll_at, stream));
        }
        let nowhere = || SharedPath::from(std::path::Path::new(""));
        let home = generation.home.clone().unwrap_or_else(nowhere);
        let mut account = generation.account();
        account.merge(&self.forgotten.remove(&home).unwrap_or_default());
        let is_of_it = |stream| self.generations[&stream].home_hash == generation.home_hash;
        let is_last = !self.index.of_home(generation.home_hash).any(is_of_it);
        self.forgotten.entry(if is_last { nowhere() } else { home }).or_default().merge(&account);
    }

    pub fn next_file(&mut self) -> FileId {
        self.files_opened += 1;
        FileId(self.files_opened)
    }
}

/// The books of a generation that the local state does not know: if there is one it missed no more than the first commit,
/// and if there is none they begin now.
fn unknown_books(entry: &Entry, remembered: &HashMap<StreamId, FileSnapshot>) -> Books {
    let began = if entry.begun && !remembered.is_empty() { 0 } else { entry.mark.position };
    Books { began, ..Books::at(entry.mark.position) }
}

/// What a new generation starts from.
#[derive(Debug)]
pub(super) struct Birth {
    pub log: usize,
    pub home: SharedPath,
    pub path: SharedPath,
    pub stat: Stat,
    pub form: Form,
    pub head: Head,
    pub mark: Mark,
    pub file: FileId,
}

#[cfg(test)]
impl Birth {
    /// A plain file of the first log, of which no byte is known.
    pub fn of_file(path: &SharedPath, stat: Stat, file: FileId) -> Self {
        let (home, path, head) = (path.clone(), path.clone(), Head::default());
        Self { log: 0, home, path, stat, form: Form::Plain, head, mark: Mark::start(), file }
    }
}

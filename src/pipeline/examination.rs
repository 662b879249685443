//! The files that are opened to find out what they are: few at a time, however many there are.
//!
//! Each costs a descriptor, and a read for each generation whose place is looked for in it. So a file is held against those of
//! its inode first, and then against others that begin as it does: most begin like none.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::action::{Action, Ask, Boundary, FileId, FileSeen, Millis, Opened, SharedPath};
use super::discover::CANDIDATES_MAX;
use super::identity::{HeadEvidence, Mark, Tuple, Verdict};
use super::options::{LogOptions, Start};
use super::tail::{Allowance, Tail};
use crate::event::StreamId;

/// So many files are examined at a time: as many as may be idle by default. What is found is closed or read before more
/// are opened.
pub(super) const EXAMINED_MAX: usize = 32;

/// A full block is a matter of a commit, which takes less. As long as Kafka is not stuck, no more files are met meanwhile than
/// can wait for it open; then all are, because what is rotated and deleted must be seen whatever Kafka does.
const BLOCK_WAIT_MS: u64 = 2000;

/// A file that is to be opened to find out what it is, or was.
#[derive(Debug)]
pub(super) struct Examination {
    pub seen: FileSeen,
    /// Generations it may be, each with the place where it was read to when its marker was asked for: reading goes on.
    pub candidates: Vec<(StreamId, Mark)>,
    /// They are those of its inode alone, and there may be others.
    pub is_narrow: bool,
    /// It is known to be this one, cut to so many bytes, whose marker was asked for.
    pub cut: Option<(StreamId, u64)>,
    /// Whether reading begins at its end if it turns out to be new.
    pub at_end: bool,
    /// Where that is; known if it was held before the positions were.
    pub boundary: Option<Boundary>,
    /// It was rewritten, and what it holds is to be left out.
    pub skips: bool,
}

impl Examination {
    /// Of a file that can be nothing that is known.
    pub fn of(seen: FileSeen) -> Self {
        Self {
            seen,
            candidates: Vec::new(),
            is_narrow: false,
            cut: None,
            at_end: false,
            boundary: None,
            skips: false,
        }
    }

    /// What the file is asked: the bytes before a position prove something, at the candidates' and at its end as it was seen.
    pub fn ask(&self) -> Ask {
        let positions = self.candidates.iter().map(|(_, mark)| mark.position);
        Ask { markers: positions.chain([self.seen.stat.size]).collect(), boundary: false }
    }
}

/// The files that are being examined, and those that wait for that.
#[derive(Debug, Default)]
pub(super) struct Examinations {
    files: HashMap<FileId, Examination>,
    by_inode: BTreeSet<(u64, FileId)>,
    waiting: VecDeque<FileSeen>,
    /// Inodes that were there before their log was first configured, and begin at their end; until they are opened.
    begin_at_end: HashSet<Tuple>,
}

impl Examinations {
    pub fn insert(&mut self, id: FileId, examination: Examination) {
        self.by_inode.insert((examination.seen.stat.tuple.inode, id));
        self.files.insert(id, examination);
    }

    pub fn remove(&mut self, id: FileId) -> Option<Examination> {
        let examination = self.files.remove(&id)?;
        self.by_inode.remove(&(examination.seen.stat.tuple.inode, id));
        Some(examination)
    }

    /// Whether all that was seen is understood.
    pub fn is_over(&self) -> bool {
        self.files.is_empty() && self.waiting.is_empty()
    }

    /// Whether reading begins at the end of a file, should it turn out to be new.
    pub fn begins_at_end(&self, seen: &FileSeen) -> bool {
        self.begin_at_end.contains(&seen.stat.tuple)
    }

    /// A file was opened: where it begins is decided with what it is.
    pub fn is_opened(&mut self, seen: &FileSeen) {
        self.begin_at_end.remove(&seen.stat.tuple);
    }

    /// How many files are open for it.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// The tuples of that inode number that are being examined.
    pub fn of_inode(&self, inode: u64) -> impl Iterator<Item = &Tuple> {
        let all = (inode, FileId(u64::MIN))..=(inode, FileId(u64::MAX));
        self.by_inode.range(all).map(|(_, id)| &self.files[id].seen.stat.tuple)
    }

    /// What was seen in these directories before is not what is there now.
    pub fn forget_seen(&mut self, directories: &HashSet<SharedPath>) {
        let is_outdated = |seen: &FileSeen| seen.path.parent().is_some_and(|path| directories.contains(path));
        self.waiting.retain(|seen| !is_outdated(seen));
    }
}

impl Tail {
    /// A file of a listing that belongs to no located generation waits for its turn to be looked at closer.
    pub fn meet(&mut self, seen: FileSeen) {
        if let Some(error) = seen.kind.refusal() {
            self.refuse(seen.path, error);
            return;
        }
        if self.is_known_or_examined(&seen.stat.tuple) {
            return;
        }
        // Now, or what is made while others are examined would count as there before its log.
        if self.may_start_at_end()
            && self.log_of(&seen.path).is_some_and(|log| self.starts_at_end(log, &seen.stat))
        {
            self.examining.begin_at_end.insert(seen.stat.tuple);
        }
        self.examining.waiting.push_back(seen);
    }

    /// Whether there is any log whose files begin elsewhere than at their start.
    fn may_start_at_end(&self) -> bool {
        let is_open = |log: &LogOptions| log.start != Start::Beginning && !self.known_logs.contains(&log.key);
        self.options.logs.iter().any(is_open)
    }

    /// Whether what is met now will be read soon, as reading stands.
    pub fn feel_room(&mut self, now: Millis, allowance: Allowance<'_>) {
        let full_since = if self.is_full() { Some(self.full_since.unwrap_or(now)) } else { None };
        self.full_since = full_since;
        let is_stuck = full_since.is_some_and(|since| now >= since.plus(BLOCK_WAIT_MS));
        self.reads_at_once = allowance.may_read && !is_stuck && self.has_room_for_fresh();
    }

    /// When files are looked at again that wait behind a full block.
    pub fn examines_at(&self) -> Millis {
        let since = self.full_since.filter(|_| self.reads_at_once && !self.examining.waiting.is_empty());
        since.map_or(Millis(u64::MAX), |since| since.plus(BLOCK_WAIT_MS))
    }

    /// Looks closer at the files whose turn it is; where what is found is read at once, at no more than that comes up with.
    pub fn examine_what_waits(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let unread = if self.reads_at_once { self.fresh.len() } else { 0 };
        while self.examining.len() + unread < EXAMINED_MAX {
            let Some(seen) = self.examining.waiting.pop_front() else {
                // What a first listing of very many files needed is not needed again.
                self.examining.waiting.shrink_to_fit();
                return;
            };
            self.consider(now, seen, actions);
        }
    }

    /// The generations that are thought to be in a file's inode, or may come back to it; `doubted` first.
    pub fn own_candidates(&self, seen: &FileSeen, doubted: Option<StreamId>) -> Vec<(StreamId, Mark)> {
        let wanted = self.index.of_inode(seen.stat.tuple.inode).filter(|stream| self.is_wanted(*stream));
        let wanted = wanted.filter(|stream| doubted != Some(*stream)).take(CANDIDATES_MAX);
        let own = doubted.into_iter().chain(wanted);
        own.map(|stream| (stream, self.generations[&stream].lines.cursor())).collect()
    }

    /// The generations that a file has to be held against besides those of its inode: those that begin as it does, unless it
    /// proved to be one of its inode, whose birth says that it can be no other.
    pub fn other_candidates(
        &self,
        examination: &Examination,
        opened: &Opened,
        verdicts: &[(StreamId, Verdict)],
    ) -> Vec<(StreamId, Mark)> {
        let is_known = |stream: &StreamId| self.generations[stream].head.is_known();
        let is_own = |(stream, verdict): &(StreamId, Verdict)| *verdict == Verdict::Same && is_known(stream);
        let is_proven = opened.stat.tuple.birth_ns.is_some() && verdicts.iter().any(is_own);
        if !examination.is_narrow || is_proven || !self.heads.may_begin_so(&opened.head) {
            return Vec::new();
        }
        let mut others = self.candidates(&examination.seen);
        others.retain(|(stream, _)| {
            let is_new = examination.candidates.iter().all(|(known, _)| known != stream);
            let head = &self.generations[stream].head;
            let begins_alike =
                matches!(head.compare(&opened.head), HeadEvidence::Equal | HeadEvidence::Scant);
            is_new && (begins_alike || head.is_only_known_beyond(opened.head.len()))
        });
        others
    }

    /// Whether positions were set back since a file was asked about them: it may hold what is wanted again.
    pub fn was_set_back(&self, asked: &[(StreamId, Mark)]) -> bool {
        let now = |stream| self.generations.get(stream).map(|generation| generation.lines.cursor());
        asked.iter().any(|(stream, mark)| now(stream).is_some_and(|now| now.position < mark.position))
    }

    /// Looks at an open file, or once more, to find out what it is.
    pub fn examine(&mut self, id: FileId, (examination, ask): (Examination, Ask), actions: &mut Vec<Action>) {
        actions.push(Action::Look(id, ask));
        self.examining.insert(id, examination);
    }

    /// Looks once more at a file that begins as others do, or that was asked about places that count no more.
    pub fn look_wider(
        &mut self,
        id: FileId,
        (examination, opened): (Examination, Opened),
        others: Vec<(StreamId, Mark)>,
        actions: &mut Vec<Action>,
    ) {
        let Examination { seen, candidates, at_end, .. } = examination;
        let seen = FileSeen { stat: opened.stat, ..seen };
        let known = candidates.into_iter().filter_map(|(stream, _)| {
            let generation = self.generations.get(&stream)?;
            Some((stream, generation.lines.cursor()))
        });
        let (candidates, boundary) = (known.chain(others).collect(), opened.boundary);
        let examination = Examination { candidates, at_end, boundary, ..Examination::of(seen) };
        let ask = examination.ask();
        self.examine(id, (examination, ask), actions);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::super::action::{Chunk, FileKind, Form, Listing, Stat};
    use super::super::checkpoint::FileSnapshot;
    use super::super::generation::path_hash;
    use super::super::held::HELD_FILES_MAX;
    use super::super::identity::Head;
    use super::super::line::Gap;
    use super::super::shard::Entry;
    use super::super::tail::TailOptions;
    use super::*;

    const IDLE: usize = 8;
    /// More than are held before positions are known.
    const FILES: u64 = 2 * HELD_FILES_MAX as u64;

    /// A directory of files of one line each, no two alike, and what is asked of them.
    struct World {
        tail: Tail,
        files: Vec<FileSeen>,
        open: HashSet<FileId>,
        open_most: usize,
        opened: usize,
        questions: usize,
        may_read: bool,
    }

    impl World {
        fn new(start: Start) -> Self {
            let mut options = TailOptions::of_log("/log/*.log");
            options.logs[0].start = start;
            options.open_files.idle = IDLE;
            let mut tail = Tail::new(options, None);
            (tail.sweeping, tail.sweep_at) = (true, Millis(u64::MAX));
            let files = (0..FILES).map(file).collect();
            let open = HashSet::new();
            Self { tail, files, open, open_most: 0, opened: 0, questions: 0, may_read: false }
        }

        fn list(&mut self, now: Millis, actions: &mut Vec<Action>) {
            let (directory, files) = (SharedPath::from(Path::new("/log")), Ok(self.files.clone()));
            self.tail.listed(now, vec![Listing { directory, files, exists: true }], actions);
        }

        /// Carries actions out, one after the other, and what follows from them.
        fn carry_out(&mut self, now: Millis, mut actions: Vec<Action>) {
            let allowance = Allowance { may_read: self.may_read, partitions: &[1], record_bytes_max: 1000 };
            loop {
                self.tail.pump(now, allowance, &mut actions);
                if actions.is_empty() {
                    return;
                }
                for action in std::mem::take(&mut actions) {
                    if let Action::Open(id, path, ask) = &action {
                        self.open.insert(*id);
                        self.opened += 1;
                        self.open_most = self.open_most.max(self.open.len());
                        self.questions += ask.markers.len();
                        let opened = self.look(path, ask);
                        self.tail.opened(now, *id, Ok(opened), &mut actions);
                    } else if let Action::Look(id, ask) = &action {
                        let path = self.tail.examining.files[id].seen.path.clone();
                        let opened = self.look(&path, ask);
                        self.tail.opened(now, *id, Ok(opened), &mut actions);
                    } else if let Action::Close(id) = &action {
                        assert!(self.open.remove(id), "it is open");
                    } else if let Action::Read { file, position: 0, .. } = &action {
                        let stat = self.tail.generations[&self.tail.by_file[file]].stat;
                        let data = &text_of(stat.tuple.inode)[..];
                        let (before, form, is_cut_short) = (&[][..], Form::Plain, false);
                        let chunk = Chunk { data, before, stat, form, is_cut_short };
                        self.tail.was_read(now, Ok(chunk), allowance, &mut actions);
                        self.commit(now);
                    } else {
                        panic!("nothing else is wanted: {action:?}");
                    }
                }
            }
        }

        fn commit(&mut self, now: Millis) {
            let filled = self.tail.take_filled();
            let entries: Vec<Entry> = filled.reaches.iter().map(|reach| reach.to).collect();
            self.tail.committed(now, &entries, &[]);
            self.tail.keep(filled.block);
        }

        fn look(&self, path: &Path, ask: &Ask) -> Opened {
            let seen = self.files.iter().find(|file| &*file.path == path).unwrap();
            let text = text_of(seen.stat.tuple.inode);
            let before = |position: &u64| text.get(..usize::try_from(*position).unwrap()).map(<[u8]>::to_vec);
            let boundary = Boundary { position: text.len() as u64, before: text.clone() };
            Opened {
                stat: seen.stat,
                form: Form::Plain,
                is_sole_name: true,
                markers: ask.markers.iter().map(before).collect(),
                boundary: ask.boundary.then_some(boundary),
                head: text,
            }
        }

        fn positions(&self) -> Vec<u64> {
            self.tail.generations.values().map(|generation| generation.lines.cursor().position).collect()
        }
    }

    /// What an earlier process committed of a file as it is.
    fn committed(file: &FileSeen) -> FileSnapshot {
        let text = text_of(file.stat.tuple.inode);
        let mark = Mark::at(text.len() as u64, &text);
        let mut head = Head::default();
        head.learn(&text);
        let entry = Entry {
            stream: StreamId(file.stat.tuple.inode),
            home_hash: path_hash(&file.path),
            tuple: file.stat.tuple,
            head_hash: head.hash_at(mark.position).unwrap(),
            mark,
            gap: Gap::default(),
            begun: true,
        };
        let path = file.path.clone();
        FileSnapshot {
            home: path.clone(),
            path,
            modified_ns: file.stat.modified_ns,
            ..FileSnapshot::nowhere(entry)
        }
    }

    fn text_of(inode: u64) -> Vec<u8> {
        format!("line of {inode:06}\n").into_bytes()
    }

    fn file(number: u64) -> FileSeen {
        let size = text_of(number).len() as u64;
        let tuple = Tuple { device: 1, inode: number, birth_ns: Some(1) };
        let path = SharedPath::from(Path::new(&format!("/log/{number}.log")));
        FileSeen { path, kind: FileKind::Regular, stat: Stat { tuple, size, modified_ns: 1, links: 1 } }
    }

    #[test]
    fn very_many_files_are_met_with_few_descriptors_and_one_question_each() {
        let mut world = World::new(Start::Beginning);
        let mut actions = Vec::new();
        world.tail.end_hold(&mut actions);
        world.list(Millis(0), &mut actions);
        world.carry_out(Millis(0), actions);
        assert_eq!(world.positions(), vec![0; world.files.len()]);
        assert!(world.tail.examining.is_over());
        let most = world.open_most;
        assert!(most <= EXAMINED_MAX + IDLE, "{most} descriptors");
        assert_eq!(world.questions, world.files.len(), "nothing is asked about files that begin otherwise");
    }

    #[test]
    fn very_many_files_are_opened_once_each_where_they_can_be_read_at_once() {
        let mut world = World::new(Start::Beginning);
        world.may_read = true;
        let mut actions = Vec::new();
        world.tail.end_hold(&mut actions);
        world.list(Millis(1), &mut actions);
        world.carry_out(Millis(1), actions);
        let lengths: Vec<u64> = (0..FILES).map(|number| text_of(number).len() as u64).collect();
        assert_eq!(world.positions(), lengths, "all of each is read");
        assert_eq!(world.opened, world.files.len());
        let most = world.open_most;
        assert!(most <= 2 * EXAMINED_MAX + IDLE, "{most} descriptors");
    }

    #[test]
    fn after_a_restart_the_files_with_something_new_are_looked_at_first() {
        let mut world = World::new(Start::Beginning);
        let known: Vec<FileSnapshot> = world.files.iter().map(committed).collect();
        let entries = known.iter().map(|file| file.entry).collect();
        let paths = known.into_iter().map(|file| (file.entry.stream, file)).collect();
        world.tail.adopt(entries, &paths);
        let (grown, written) = (700, 800);
        world.files[grown].stat.size += 1;
        world.files[written].stat.modified_ns += 1;
        let mut actions = Vec::new();
        world.tail.end_hold(&mut actions);
        world.list(Millis(1), &mut actions);
        let opened = actions.iter().filter_map(|action| {
            if let Action::Open(_, path, _) = action { Some(path.clone()) } else { None }
        });
        let first: Vec<SharedPath> = opened.take(2).collect();
        assert_eq!(first, [grown, written].map(|number| world.files[number].path.clone()));
    }

    #[test]
    fn a_directory_of_very_many_files_is_listed_more_seldom() {
        let mut world = World::new(Start::Beginning);
        let directory = SharedPath::from(Path::new("/log"));
        for (files, rest_ms) in [(FILES, 50), (8 * FILES, 204)] {
            world.files = (0..files).map(file).collect();
            world.list(Millis(1), &mut Vec::new());
            assert!(world.tail.list_soon(Millis(2), &directory));
            assert_eq!(world.tail.listings.pop_first(), Some((Millis(1 + rest_ms), directory.clone())));
            world.tail.directories.clear();
        }
    }

    #[test]
    fn each_of_very_many_files_begins_at_its_end_where_that_is_said_and_what_comes_later_does_not() {
        let mut world = World::new(Start::End);
        let mut actions = Vec::new();
        world.list(Millis(0), &mut actions);
        world.carry_out(Millis(0), actions);
        let mut actions = Vec::new();
        world.tail.end_hold(&mut actions);
        world.tail.sweeping = true;
        world.list(Millis(1), &mut actions);
        // While these are looked at another one is made.
        world.files.push(file(FILES));
        world.list(Millis(2), &mut actions);
        world.carry_out(Millis(2), actions);
        let at_start = world.positions().iter().filter(|position| **position == 0).count();
        assert_eq!((world.positions().len(), at_start), (world.files.len(), 1));
    }
}

//! Whose turn it is to be read: fair between files by bytes, and no faster through what has piled up than configured.
//!
//! Deficit round robin: each turn is worth one read, and who took more (a long line is read at once) sits out as many
//! turns as that was worth. So a backlog of any size delays a live file by one read, and no number of lines by more.
//!
//! A file that was just met and is read with one read has every second turn: it is open, and would have to be closed and
//! opened again if it waited behind all others.

use std::collections::VecDeque;

use super::action::Millis;
use super::generation::{Generation, Registration};
use super::line::READ_BYTES;
use super::options::LogOptions;
use super::tail::Tail;
use crate::event::StreamId;

/// What a turn is worth.
const QUANTUM_BYTES: u64 = READ_BYTES as u64;

/// What was not read within this time is not caught up with, or a pause would be followed by a flood.
const CREDIT_MS: u64 = 1000;

/// What one log may read of what has piled up.
#[derive(Debug)]
pub(super) struct Throttle {
    /// Bytes per second; nothing where there is no limit.
    rate: Option<u64>,
    /// The next read of a backlog is due then.
    free_at: Millis,
    /// Files with a backlog, in the order of their turns.
    waiting: VecDeque<StreamId>,
}

impl Throttle {
    pub fn of(log: &LogOptions) -> Self {
        Self { rate: log.catch_up_bytes_per_s, free_at: Millis(0), waiting: VecDeque::new() }
    }

    /// The files that waited for it.
    pub fn into_waiting(self) -> VecDeque<StreamId> {
        self.waiting
    }
}

impl Tail {
    /// The generation whose turn it is: one that was just met, and then one of the others.
    pub fn next_turn(&mut self, now: Millis) -> Option<StreamId> {
        let had_fresh_turn = std::mem::take(&mut self.had_fresh_turn);
        let other = if had_fresh_turn || self.fresh.is_empty() { self.next_known(now) } else { None };
        other.or_else(|| {
            let fresh = self.fresh.pop_front();
            self.had_fresh_turn = fresh.is_some();
            fresh
        })
    }

    /// The next of the others: first of those that waited for a descriptor.
    fn next_known(&mut self, now: Millis) -> Option<StreamId> {
        for throttle in self.throttles.iter_mut().filter(|throttle| throttle.free_at <= now) {
            self.ready.extend(throttle.waiting.pop_front());
        }
        if let Some(stream) = self.next_waiting_for_descriptor(now) {
            return Some(stream);
        }
        let next = self.next_to_decode();
        self.ready.extend(next);
        while let Some(stream) = self.ready.pop_front() {
            let Some(generation) = self.generations.get_mut(&stream) else { continue };
            if generation.overdrawn_bytes >= QUANTUM_BYTES {
                generation.overdrawn_bytes -= QUANTUM_BYTES;
                self.ready.push_back(stream);
                continue;
            }
            if self.must_wait_for_decoder(stream) {
                continue;
            }
            let generation = &self.generations[&stream];
            let is_backlog = generation.size().saturating_sub(generation.looked_to) > QUANTUM_BYTES;
            match generation.log.map(|log| &mut self.throttles[log]) {
                Some(throttle) if is_backlog && throttle.rate.is_some() && now < throttle.free_at => {
                    throttle.waiting.push_back(stream);
                }
                Some(_) | None => return Some(stream),
            }
        }
        None
    }

    /// Whether any file is to be read.
    pub fn has_turns(&self) -> bool {
        !self.ready.is_empty() || !self.fresh.is_empty()
    }

    /// Whether nothing is being read, to be read or to be met.
    pub fn is_at_rest(&self) -> bool {
        self.reading.is_none() && !self.has_turns() && self.filling.is_empty() && self.examining.is_over()
    }

    /// When a throttled file may be read again.
    pub fn throttled_until(&self) -> Millis {
        let waiting = self.throttles.iter().filter(|throttle| !throttle.waiting.is_empty());
        waiting.map(|throttle| throttle.free_at).min().unwrap_or(Millis(u64::MAX))
    }

    /// So many bytes were read of a generation, to the end of its file or not.
    pub fn charge(&mut self, now: Millis, stream: StreamId, bytes: u64) {
        let generation = self.generation(stream);
        if generation.is_drained() {
            generation.overdrawn_bytes = 0;
            return;
        }
        generation.overdrawn_bytes += bytes.saturating_sub(QUANTUM_BYTES);
        let Some(log) = generation.log else { return };
        let throttle = &mut self.throttles[log];
        if let Some(rate) = throttle.rate {
            let earliest = Millis(now.0.saturating_sub(CREDIT_MS));
            throttle.free_at = throttle.free_at.max(earliest).plus((bytes * 1000).div_ceil(rate));
        }
    }
}

/// Whether a file is open, was never read, and gives all that it is known to hold with one read of what lies on the disk. One whose
/// head is not taken for granted is asked whose copy it is when it is read, and others come before it.
pub(super) fn is_fresh(generation: &Generation) -> bool {
    let rest = generation.size().saturating_sub(generation.looked_to);
    generation.file.is_some()
        && generation.head.is_known()
        && generation.registration == Registration::Done
        && generation.read_at == Millis::default()
        && !generation.is_packed()
        && (1..=QUANTUM_BYTES).contains(&rest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::super::action::{Action, Chunk, FileId, Form, SharedPath, Stat};
    use super::super::identity::{HEAD_BYTES_MAX, Tuple};
    use super::super::tail::{Allowance, Birth, TailOptions};
    use super::*;

    const ALLOWANCE: Allowance<'_> =
        Allowance { may_read: true, partitions: &[1], record_bytes_max: 1_000_000 };
    /// 50 GB: nothing here is as large, because no byte of a file exists before it is read.
    const BACKLOG_BYTES: u64 = 50_000_000_000;

    /// Files whose lines all have the same size, made up as they are read.
    struct World {
        tail: Tail,
        files: BTreeMap<FileId, File>,
    }

    struct File {
        size: u64,
        line_bytes: u64,
        read_bytes: u64,
        path: SharedPath,
    }

    impl World {
        fn new(catch_up_bytes_per_s: Option<u64>) -> Self {
            let mut options = TailOptions::of_log("/log/*");
            options.open_files.idle = 1000;
            options.logs[0].line_bytes_max = 1 << 20;
            options.logs[0].catch_up_bytes_per_s = catch_up_bytes_per_s;
            Self { tail: Tail::new(options, None), files: BTreeMap::new() }
        }

        fn file(&mut self, size: u64, line_bytes: u64) -> FileId {
            let id = FileId(self.files.len() as u64 + 1);
            let path = SharedPath::from(Path::new(&format!("/log/{}", id.0)));
            let file = File { size, line_bytes, read_bytes: 0, path: path.clone() };
            let mut birth = Birth::of_file(&path, file.stat(id), id);
            birth.head.learn(&file.bytes(0, HEAD_BYTES_MAX as u64));
            self.files.insert(id, file);
            self.tail.begin(Millis(0), birth);
            id
        }

        fn append_line(&mut self, now: Millis, id: FileId) {
            let file = self.files.get_mut(&id).unwrap();
            file.size += file.line_bytes;
            let path = file.path.clone();
            self.tail.hint(now, &path);
        }

        /// Carries out one read, if one is wanted; whose it was.
        fn turn(&mut self, now: Millis) -> Option<FileId> {
            if self.tail.is_full() {
                let filled = self.tail.take_filled();
                self.tail.keep(filled.block);
            }
            let mut actions = Vec::new();
            self.tail.pump(now, ALLOWANCE, &mut actions);
            let wanted = actions.into_iter().find(|action| matches!(action, Action::Read { .. }));
            let Some(Action::Read { file: id, position, length, before }) = wanted else { return None };
            let file = self.files.get_mut(&id).unwrap();
            let data = file.bytes(position, length as u64);
            file.read_bytes += data.len() as u64;
            let before = file.bytes(position - before as u64, before as u64);
            let chunk = Chunk {
                data: &data,
                before: &before,
                stat: file.stat(id),
                form: Form::Plain,
                is_cut_short: false,
            };
            self.tail.was_read(now, Ok(chunk), ALLOWANCE, &mut Vec::new());
            Some(id)
        }

        fn read_bytes(&self, id: FileId) -> u64 {
            self.files[&id].read_bytes
        }
    }

    impl File {
        fn stat(&self, id: FileId) -> Stat {
            let tuple = Tuple { device: 1, inode: id.0, birth_ns: None };
            Stat { tuple, size: self.size, modified_ns: 0, links: 1 }
        }

        fn bytes(&self, from: u64, length: u64) -> Vec<u8> {
            let to = (from + length).min(self.size);
            let mut bytes = vec![b'x'; usize::try_from(to - from).unwrap()];
            let first = self.line_bytes - 1 - from % self.line_bytes;
            let newlines = (first..to - from).step_by(usize::try_from(self.line_bytes).unwrap());
            newlines.for_each(|at| bytes[usize::try_from(at).unwrap()] = b'\n');
            bytes
        }
    }

    #[test]
    fn row_49_a_backlog_of_50_gb_delays_500_live_files_by_one_read() {
        let mut world = World::new(None);
        let backlog = world.file(BACKLOG_BYTES, 100_000);
        let live: Vec<FileId> = (0..500).map(|_| world.file(0, 100)).collect();
        for round in 1..8 {
            // Later than a file is left alone after it grew.
            let now = Millis(round * 100);
            let (of_backlog, of_live) = (world.read_bytes(backlog), 100 * (round - 1));
            assert!(live.iter().all(|id| world.read_bytes(*id) == of_live), "round {round}");
            live.iter().for_each(|id| world.append_line(now, *id));
            let mut turns = 0;
            while live.iter().any(|id| world.read_bytes(*id) == of_live) {
                assert!(world.turn(now).is_some());
                turns += 1;
                assert!(turns <= 2 * (live.len() + 1), "{turns} turns");
            }
            let delay = world.read_bytes(backlog) - of_backlog;
            assert!(delay <= 2 * QUANTUM_BYTES, "{delay} bytes of the backlog came first");
        }
    }

    #[test]
    fn row_49_files_that_were_just_met_have_every_second_turn_and_no_more() {
        let mut world = World::new(None);
        let backlogs: Vec<FileId> = (0..50).map(|_| world.file(BACKLOG_BYTES, 100_000)).collect();
        let met: Vec<FileId> = (0..10).map(|_| world.file(100, 100)).collect();
        for _ in 0..met.len() {
            let turns = [(); 2].map(|()| world.turn(Millis(1)).unwrap());
            assert!(turns.iter().any(|id| met.contains(id)), "{turns:?}");
            assert!(turns.iter().any(|id| backlogs.contains(id)), "{turns:?}");
        }
        assert!(met.iter().all(|id| world.read_bytes(*id) == 100));
        assert!(world.turn(Millis(1)).is_some_and(|id| backlogs.contains(&id)), "they are as others now");
    }

    #[test]
    fn row_49_long_lines_get_no_more_bytes_than_short_ones() {
        let mut world = World::new(None);
        let long = world.file(BACKLOG_BYTES, 1 << 20);
        let short = world.file(BACKLOG_BYTES, 100_000);
        while world.read_bytes(long) + world.read_bytes(short) < 20 << 20 {
            assert!(world.turn(Millis(1)).is_some());
        }
        let difference = world.read_bytes(long).abs_diff(world.read_bytes(short));
        assert!(difference <= 2 << 20, "{difference} bytes");
    }

    #[test]
    fn a_busy_file_is_read_every_50_ms_and_once_more_before_its_batch_is_due() {
        let mut world = World::new(None);
        let busy = world.file(0, 100);
        world.tail.batch_due = Millis(980);
        let mut reads = Vec::new();
        for now in (1..=1000).map(Millis) {
            world.append_line(now, busy);
            while world.turn(now).is_some() {
                reads.push(now.0);
            }
        }
        assert_eq!(reads[..4], [1, 51, 101, 151]);
        assert_eq!(reads[reads.len() - 3..], [901, 951, 977], "{reads:?}");
    }

    #[test]
    fn a_busy_file_is_read_as_soon_as_its_batch_is_committed() {
        let mut world = World::new(None);
        let busy = world.file(0, 100);
        let commit = |world: &mut World, now| {
            let entry = world.tail.generations.values().next().unwrap().entry();
            world.tail.committed(now, &[entry], &[]);
        };
        world.append_line(Millis(1), busy);
        commit(&mut world, Millis(1));
        while world.turn(Millis(60)).is_some() {}
        world.append_line(Millis(61), busy);
        assert_eq!(world.turn(Millis(110)), Some(busy));
        world.append_line(Millis(115), busy);
        assert_eq!(world.turn(Millis(120)), None);
        commit(&mut world, Millis(120));
        assert_eq!(world.turn(Millis(120)), Some(busy));
        assert_eq!(world.turn(Millis(170)), Some(busy), "whether it still grows");
        commit(&mut world, Millis(180));
        assert_eq!(world.turn(Millis(180)), None, "it does not");
    }

    #[test]
    fn catch_up_limits_what_has_piled_up_and_nothing_else() {
        const RATE: u64 = 1_000_000;
        let mut world = World::new(Some(RATE));
        let backlogs = [world.file(BACKLOG_BYTES, 100_000), world.file(BACKLOG_BYTES, 100_000)];
        let live = world.file(0, 100);
        let seconds = 10;
        for now in (0..seconds * 1000).step_by(50).map(Millis) {
            world.append_line(now, live);
            let wanted = world.files[&live].size;
            let mut turns = 0;
            while world.turn(now).is_some() {
                turns += 1;
                assert!(turns < 100, "it spins");
            }
            assert_eq!(world.read_bytes(live), wanted, "a live file never waits");
        }
        let read: u64 = backlogs.iter().map(|id| world.read_bytes(*id)).sum();
        let allowed = RATE * seconds;
        assert!((allowed * 9 / 10..=allowed + QUANTUM_BYTES).contains(&read), "{read} of {allowed} bytes");
        let difference = world.read_bytes(backlogs[0]).abs_diff(world.read_bytes(backlogs[1]));
        assert!(difference <= QUANTUM_BYTES, "{difference} bytes");
        assert!(world.tail.wake_at() > Millis(seconds * 1000 - 50), "nothing is due before the limit allows");
    }
}

//! What writes the logs and rotates them: web servers, logrotate and careless people.

use std::collections::VecDeque;

use viewtail::pipeline::identity::HEAD_BYTES_MAX;

use crate::oracle::{Kind, LineId};
use crate::vfs::{Life, Packing};
use crate::world::{ARCHIVE_DIRECTORY, DIRECTORY, Event, World};

/// Rotated files that are kept: `.1` to `.3`.
const ROTATED_MAX: u64 = 3;

/// The longest gap between two late writes to a renamed or unlinked file: well within the grace of the quickest plan.
const LATE_GAP_MS_MAX: u64 = 5_000;

/// Where the kernel says who writes, a writer may be silent for longer than any grace.
const PROVEN_GAP_MS: u64 = 45_000;

/// What a disk gives or does not give as a whole.
const BLOCK_BYTES: usize = 4096;

/// So many that each is far from what was there before.
const BLOCKS_APPENDED: usize = 5;

/// Lines of this size are longer than the agent's limit in every plan.
pub const LINE_BYTES_MAX: usize = 400;

/// Longer than it takes to see several times what is held meanwhile.
const KAFKA_AWAY_MS: u64 = 400_000;

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A few lines into the file that the writer has open.
    Append,
    /// Lines that fill several blocks of the disk.
    AppendBlocks,
    /// Some of these blocks can no longer be read.
    BlocksFail,
    /// Nor will they ever be.
    BlocksAreLost,
    /// They can be read again.
    BlocksRecover,
    /// The beginning of a line.
    Partial,
    /// Its rest.
    Finish,
    /// `.1` becomes `.2` and so on, the log becomes `.1`; the writer goes on writing into it.
    Rotate,
    /// The writer opens the log anew, creating it.
    Reopen,
    /// Lines into the file that the writer had open before.
    AppendLate,
    CloseOld,
    /// A copy is begun: at first it is shorter than what it is a copy of.
    Copy,
    /// It is complete.
    CopyRest,
    /// `.1` is read, and what gzip wrote so far lies beside it.
    Compress,
    /// gzip is done: the archive is complete, and the file that it was made of deleted.
    CompressRest,
    /// What was rotated longest ago moves to the other directory, another file system: it is copied, and then deleted.
    MoveAway,
    Truncate,
    /// All but a few lines at the start are cut away.
    CutTail,
    Unlink,
    /// A line into one of very many files.
    Wide,
    /// The file server forgets every open descriptor.
    FileServerRestarts,
    /// No broker answers for very long.
    KafkaLeaves,
}

/// A line whose end is not written yet.
#[derive(Debug)]
struct Partial {
    life: Life,
    epoch: u32,
    line: LineId,
    rest: Vec<u8>,
}

#[derive(Debug)]
pub struct Writer {
    base: String,
    lines_left: u64,
    active: Option<Life>,
    old: Option<Life>,
    partial: Option<Partial>,
    /// Where the server writes the same lines, if it does.
    twin: Option<Life>,
    /// A copy that is not complete.
    copy: Option<Life>,
    /// A file that is being compressed, and its archive.
    archive: Option<(Life, Life)>,
    steps: VecDeque<(u64, Step)>,
}

impl Writer {
    pub fn is_done(&self) -> bool {
        self.lines_left == 0 && self.steps.is_empty()
    }
}

impl World {
    pub fn add_writers(&mut self) {
        if self.plan.hostile {
            let epoch = self.oracle.new_epoch();
            let secret = access_line("GET", "/t/4000000000/", 0, 0);
            self.vfs.link_secret(self.now, &format!("{DIRECTORY}/access.log.9"), epoch, &secret);
        }
        if self.plan.files.compress > 0 {
            let epoch = self.oracle.new_epoch();
            let old = access_line("GET", "/t/4000000001/", 0, 0);
            self.vfs.archive_of_before(&format!("{DIRECTORY}/access.log.9.gz"), epoch, &old);
        }
        for number in 0..self.plan.logs {
            let base = format!("{DIRECTORY}/{}.log", ["access", "other"][number]);
            let lines_left = self.plan.lines / self.plan.logs as u64;
            let steps = VecDeque::new();
            let twin = self.plan.twin.then(|| {
                let epoch = self.oracle.new_epoch();
                self.vfs.create_twin(self.now, &format!("{DIRECTORY}/truth-{number}"), epoch)
            });
            self.writers.push(Writer {
                base,
                lines_left,
                active: None,
                old: None,
                partial: None,
                twin,
                copy: None,
                archive: None,
                steps,
            });
            self.at(0, Event::Writer(number));
        }
    }

    /// The first writer does this, each step and then so many milliseconds of nothing, and no more.
    pub fn script(&mut self, steps: &[(u64, Step)]) {
        self.writers[0].lines_left = 0;
        self.writers[0].steps = steps.iter().copied().collect();
    }

    /// The next step of a writer, and when the one after it comes.
    pub fn writer_acts(&mut self, number: usize) {
        if self.writers[number].is_done() {
            return;
        }
        let gap = self.plan.gap_ms;
        let delay = match self.writers[number].steps.pop_front() {
            Some((delay, step)) => {
                self.carry_out_step(number, step);
                delay
            }
            None => {
                self.choose_steps(number);
                self.rng.below(gap * 2 + 1)
            }
        };
        self.at(delay, Event::Writer(number));
    }

    /// Lets the world change in the middle of something.
    pub fn disturb(&mut self) {
        let number = self.rng.index(self.writers.len());
        if let Some((_, step)) = self.writers[number].steps.pop_front() {
            self.carry_out_step(number, step);
        }
    }

    fn choose_steps(&mut self, number: usize) {
        let files = self.plan.files.clone();
        let gap = self.plan.gap_ms;
        let steps: Vec<(u64, Step)> = if self.plan.wide.is_some() {
            vec![(gap, Step::Wide)]
        } else if self.writers[number].active.is_none() {
            vec![(gap, Step::Reopen)]
        } else if self.rng.chance(files.rename) {
            self.rotation()
        } else if self.rng.chance(files.copytruncate) {
            let between = self.rng.pick(&[0, 0, 2, 200]);
            let while_copying = self.rng.pick(&[0, 0, 0, 1, 100]);
            let mut steps = vec![(while_copying, Step::Copy), (between, Step::CopyRest)];
            if self.rng.chance(300) {
                steps.push((self.rng.below(3), Step::Append));
            }
            steps.push((gap, Step::Truncate));
            steps
        } else if self.rng.chance(files.truncate) {
            vec![(gap, Step::Truncate)]
        } else if self.rng.chance(files.regrow) {
            vec![(0, Step::Truncate), (0, Step::Append), (0, Step::Append), (gap, Step::Append)]
        } else if self.rng.chance(files.tail_cut) {
            vec![(gap, Step::CutTail)]
        } else if self.rng.chance(files.delete) {
            let mut steps = vec![(self.rng.below(100), Step::Unlink)];
            steps.extend(self.late(Step::Append));
            steps.extend([(0, Step::Reopen), (gap, Step::CloseOld)]);
            steps
        } else if self.rng.chance(files.recreate) {
            vec![(0, Step::Unlink), (0, Step::Reopen), (0, Step::CloseOld), (gap, Step::Append)]
        } else if self.rng.chance(files.partial) {
            let pause = self.rng.pick(&[0, 5, 500, LATE_GAP_MS_MAX]);
            vec![(pause, Step::Partial), (gap, Step::Finish)]
        } else {
            vec![(self.rng.below(gap + 1), Step::Append)]
        };
        self.writers[number].steps.extend(steps);
    }

    fn rotation(&mut self) -> Vec<(u64, Step)> {
        let mut steps = vec![(self.rng.pick(&[0, 0, 50]), Step::Rotate)];
        steps.extend(self.late(Step::Append));
        steps.push((self.rng.below(20), Step::Reopen));
        steps.extend(self.late(Step::AppendLate));
        // Without a draw where there are no archives, so that all other lives stay as they are.
        let compress = self.plan.files.compress;
        if compress > 0 && self.rng.chance(compress) {
            // Where only quiet proves that a writer is gone, no writer is quiet for so long.
            let pauses = [0, 1, 50, 1500, if self.plan.leases { 30_000 } else { 1500 }];
            steps.push((self.rng.pick(&pauses), Step::Compress));
            steps.push((self.rng.pick(&pauses), Step::CompressRest));
            if self.rng.chance(300) {
                steps.push((self.rng.pick(&pauses), Step::MoveAway));
            }
            steps.extend(self.late(Step::AppendLate));
        }
        steps.push((self.rng.below(self.plan.gap_ms + 1), Step::CloseOld));
        steps
    }

    /// Writes that come after the file lost its name.
    fn late(&mut self, step: Step) -> Vec<(u64, Step)> {
        if !self.rng.chance(self.plan.files.late_writes) {
            return Vec::new();
        }
        let count = self.rng.range(1, 3);
        let longest = if self.plan.leases { PROVEN_GAP_MS } else { LATE_GAP_MS_MAX };
        (0..count).map(|_| (self.rng.pick(&[1, 50, 1000, longest]), step)).collect()
    }

    fn carry_out_step(&mut self, number: usize, step: Step) {
        let base = self.writers[number].base.clone();
        self.say(|| format!("writer {base}: {step:?}"));
        let active = self.writers[number].active;
        let named = active.filter(|life| self.vfs.lookup(base.as_ref()) == Some(*life));
        match (step, active, named) {
            (Step::Append, Some(life), _) => self.append_lines(number, life),
            (Step::AppendBlocks, Some(life), _) => self.append_blocks(number, life),
            (Step::BlocksFail, Some(life), _) => self.fail_blocks(life),
            (Step::BlocksAreLost, Some(life), _) => self.lose_blocks(life),
            (Step::BlocksRecover, Some(life), _) => self.vfs.inodes[life].unreadable.clear(),
            (Step::Partial, Some(life), _) => self.begin_partial(number, life),
            (Step::Finish, _, _) => self.finish_partial(number),
            (Step::Rotate, _, Some(life)) => self.rotate(&base, life),
            (Step::Reopen, _, _) => self.reopen(number),
            (Step::AppendLate, _, _) => {
                if let Some(life) = self.writers[number].old {
                    self.append_lines(number, life);
                }
            }
            (Step::CloseOld, _, _) => self.close_old(number),
            (Step::Copy, _, Some(life)) => self.copy(number, life),
            (Step::CopyRest, Some(life), _) => self.complete_copy(number, life),
            (Step::Truncate, _, Some(life)) => self.truncate(number, life),
            (Step::Compress, _, _) => self.compress(number),
            (Step::CompressRest, _, _) => self.complete_archive(number),
            (Step::MoveAway, _, _) => self.move_away(&base),
            (Step::CutTail, _, Some(life)) => self.cut_tail(life),
            (Step::Unlink, _, Some(life)) => {
                self.tally.deletes += 1;
                self.vfs.unlink(&base);
                self.reconsider(life);
                self.forsake_unseen_epoch(life);
            }
            (Step::Wide, _, _) => self.append_wide(number),
            (Step::FileServerRestarts, _, _) => self.file_server_restarts(),
            (Step::KafkaLeaves, _, _) => self.broker.unreachable_until = self.now.plus(KAFKA_AWAY_MS),
            (
                Step::Append
                | Step::AppendBlocks
                | Step::BlocksFail
                | Step::BlocksAreLost
                | Step::BlocksRecover
                | Step::Partial
                | Step::Rotate
                | Step::Copy
                | Step::CopyRest
                | Step::Truncate
                | Step::CutTail
                | Step::Unlink,
                _,
                _,
            ) => {}
        }
        if !matches!(step, Step::Append | Step::AppendLate | Step::Partial | Step::Finish | Step::Truncate) {
            self.hint(DIRECTORY);
        }
        if self.vfs.lookup(base.as_ref()).is_some() {
            self.hint(&base);
        }
    }

    fn append_lines(&mut self, number: usize, life: Life) {
        if self.writers[number].partial.as_ref().is_some_and(|partial| partial.life == life) {
            self.finish_partial(number);
        }
        for _ in 0..self.rng.range(1, 5) {
            self.append_line(number, life);
        }
        if let Some(path) = self.vfs.name_of(life).map(|path| path.to_string_lossy().into_owned()) {
            self.hint(&path);
        }
    }

    fn append_blocks(&mut self, number: usize, life: Life) {
        let end = self.vfs.inodes[life].data.len() + BLOCKS_APPENDED * BLOCK_BYTES;
        while self.vfs.inodes[life].data.len() < end {
            self.append_line(number, life);
        }
    }

    /// One or two of the last blocks, with at least a whole one behind them.
    fn fail_blocks(&mut self, life: Life) {
        let inode = &mut self.vfs.inodes[life];
        let last = inode.data.len() / BLOCK_BYTES;
        let first = last - 3 - self.rng.index(2);
        let end = first + 1 + self.rng.index(2);
        inode.unreadable.push((first * BLOCK_BYTES) as u64..(end * BLOCK_BYTES) as u64);
    }

    fn lose_blocks(&mut self, life: Life) {
        let inode = &mut self.vfs.inodes[life];
        let Some(blocks) = inode.unreadable.last() else { return };
        let lines = self.oracle.is_unreadable(inode.epoch, blocks);
        inode.lines.retain(|line| !lines.contains(line));
        lines.into_iter().for_each(|line| self.oracle.vanishes(line));
    }

    fn append_line(&mut self, number: usize, life: Life) {
        self.write_head(life);
        let (line, text) = self.begin_line(number, life);
        self.write(life, line, &text);
    }

    fn begin_partial(&mut self, number: usize, life: Life) {
        if self.writers[number].partial.is_some() {
            return;
        }
        self.write_head(life);
        let (line, text) = self.begin_line(number, life);
        if text.len() < 75 {
            return self.write(life, line, &text);
        }
        // Not within the token, which would read as another line's.
        let cut = 70 + self.rng.index(text.len() - 71);
        self.write(life, line, &text[..cut]);
        let (epoch, rest) = (self.vfs.inodes[life].epoch, text[cut..].to_vec());
        self.writers[number].partial = Some(Partial { life, epoch, line, rest });
    }

    /// Writes the rest, unless the beginning was cut away in between.
    fn finish_partial(&mut self, number: usize) {
        let Some(Partial { life, epoch, line, rest }) = self.writers[number].partial.take() else { return };
        if self.vfs.inodes[life].epoch == epoch {
            self.write(life, line, &rest);
        }
    }

    /// Some files begin with the same line.
    fn write_head(&mut self, life: Life) {
        if self.plan.equal_heads && self.vfs.inodes[life].data.is_empty() {
            let line = self.oracle.line_begins(self.vfs.inodes[life].epoch, 0, Kind::Head);
            self.vfs.inodes[life].lines.push(line);
            self.write(life, line, &access_line("GET", "/health", 0, 7));
        }
    }

    fn begin_line(&mut self, number: usize, life: Life) -> (LineId, Vec<u8>) {
        let writer = &mut self.writers[number];
        writer.lines_left = writer.lines_left.saturating_sub(1);
        let files = self.plan.files.clone();
        let id = self.oracle.next_line();
        let padding = if self.rng.chance(files.long_line) { LINE_BYTES_MAX * 2 } else { self.rng.index(60) };
        let (text, kind) = if self.rng.chance(files.empty_line) {
            (b"\n".to_vec(), Kind::Empty)
        } else if self.rng.chance(files.garbage) {
            (garbage_line(id, padding), Kind::Noise)
        } else if self.plan.page_views && self.rng.chance(300) {
            (access_line("POST", &format!("/t/{id}/"), padding, id), Kind::Noise)
        } else {
            let text = access_line("GET", &format!("/t/{id}/"), padding, id);
            let kind = if text.len() > LINE_BYTES_MAX { Kind::Noise } else { Kind::View };
            (text, kind)
        };
        let inode = &mut self.vfs.inodes[life];
        let line = self.oracle.line_begins(inode.epoch, inode.data.len() as u64, kind);
        inode.lines.push(line);
        if inode.lost {
            self.oracle.vanishes(line);
        }
        (line, text)
    }

    fn write(&mut self, life: Life, line: LineId, bytes: &[u8]) {
        self.vfs.append(self.now, life, bytes);
        if let Some(twin) = self.vfs.inodes[life].twin {
            self.vfs.append(self.now, twin, bytes);
        }
        self.oracle.line_grows(line, bytes);
    }

    fn rotate(&mut self, base: &str, life: Life) {
        self.tally.rotations += 1;
        self.shift(base);
        let to = format!("{base}.1");
        self.vfs.rename(base, &to);
        self.reconsider(life);
    }

    /// Makes room at `.1`.
    fn shift(&mut self, base: &str) {
        for ending in ["", ".gz"] {
            if let Some(life) = self.vfs.unlink(&format!("{base}.{ROTATED_MAX}{ending}")) {
                self.reconsider(life);
                self.forsake_unseen_epoch(life);
            }
        }
        for number in (1..ROTATED_MAX).rev() {
            for ending in ["", ".gz"] {
                let (from, to) =
                    (format!("{base}.{number}{ending}"), format!("{base}.{}{ending}", number + 1));
                if self.vfs.lookup(from.as_ref()).is_some() {
                    self.vfs.rename(&from, &to);
                }
            }
        }
    }

    fn compress(&mut self, number: usize) {
        let base = self.writers[number].base.clone();
        let (path, archive) = (format!("{base}.1"), format!("{base}.1.gz"));
        let Some(life) = self.vfs.lookup(path.as_ref()) else { return };
        if self.writers[number].archive.is_some()
            || self.vfs.inodes[life].is_copy
            || self.vfs.lookup(archive.as_ref()).is_some()
        {
            return;
        }
        self.tally.archives += 1;
        let copy = self.vfs.create(self.now, &archive, self.vfs.inodes[life].epoch);
        if !self.plan.archives_begin_empty {
            self.vfs.pack(self.now, copy, (life, Packing::Half));
        }
        self.vfs.inodes[copy].is_copy = true;
        self.writers[number].archive = Some((life, copy));
    }

    fn move_away(&mut self, base: &str) {
        let mut names = (1..=ROTATED_MAX)
            .rev()
            .flat_map(|number| ["", ".gz"].map(|ending| format!("{base}.{number}{ending}")));
        let found = names.find_map(|name| Some((self.vfs.lookup(name.as_ref())?, name)));
        let Some((life, from)) = found else { return };
        let inode = &self.vfs.inodes[life];
        let is_whole = inode.lines.iter().all(|line| self.oracle.lines[*line as usize].complete);
        let to = from.replacen(DIRECTORY, ARCHIVE_DIRECTORY, 1);
        if inode.packing == Some(Packing::Half) || !is_whole || self.vfs.lookup(to.as_ref()).is_some() {
            return;
        }
        let epoch = inode.epoch;
        let copy = self.vfs.copy(self.now, life, &to);
        if self.oracle.is_provable(epoch) && !self.vfs.inodes[life].lost {
            let lines = self.vfs.inodes[life].lines.clone();
            lines.iter().for_each(|line| self.oracle.appears(*line));
            self.vfs.inodes[copy].lines = lines;
        } else {
            self.vfs.inodes[copy].lost = true;
        }
        self.vfs.unlink(&from);
        self.reconsider(life);
        self.reconsider(copy);
        self.hint(ARCHIVE_DIRECTORY);
    }

    fn complete_archive(&mut self, number: usize) {
        let Some((life, copy)) = self.writers[number].archive.take() else { return };
        self.vfs.writer_closes(copy);
        let lines = &self.vfs.inodes[life].lines;
        if !lines.iter().all(|line| self.oracle.lines[*line as usize].complete) {
            // Whatever the agent made of the half of a line would be right, and the oracle knows whole ones.
            let path = self.vfs.name_of(copy).map(|path| path.to_string_lossy().into_owned());
            path.map(|path| self.vfs.unlink(&path));
            return;
        }
        self.vfs.pack(self.now, copy, (life, Packing::Whole));
        self.oracle.is_archived(self.vfs.inodes[copy].epoch);
        // An archive is found by who knows what it is an archive of, whatever its name.
        if self.oracle.is_provable(self.vfs.inodes[copy].epoch) {
            let lines = self.vfs.inodes[life].lines.clone();
            lines.iter().for_each(|line| self.oracle.appears(*line));
            self.vfs.inodes[copy].lines = lines;
        } else {
            self.vfs.inodes[copy].lost = true;
        }
        let path = self.vfs.name_of(life).map(|path| path.to_string_lossy().into_owned());
        if let Some(path) = path {
            self.vfs.unlink(&path);
            self.reconsider(life);
        }
        self.reconsider(copy);
    }

    fn reopen(&mut self, number: usize) {
        let base = self.writers[number].base.clone();
        if self.vfs.lookup(base.as_ref()).is_some() {
            return;
        }
        self.close_old(number);
        let epoch = self.oracle.new_epoch();
        let life = self.vfs.create(self.now, &base, epoch);
        self.vfs.inodes[life].twin = self.writers[number].twin;
        self.writers[number].old = self.writers[number].active.replace(life);
    }

    fn close_old(&mut self, number: usize) {
        if let Some(life) = self.writers[number].old.take() {
            if self.writers[number].partial.as_ref().is_some_and(|partial| partial.life == life) {
                self.finish_partial(number);
            }
            self.vfs.writer_closes(life);
        }
    }

    fn copy(&mut self, number: usize, life: Life) {
        let base = self.writers[number].base.clone();
        self.tally.copytruncates += 1;
        self.shift(&base);
        let epoch = self.vfs.inodes[life].epoch;
        let copy = self.vfs.create(self.now, &format!("{base}.1"), epoch);
        self.vfs.inodes[copy].is_copy = true;
        let begun = self.rng.index(self.vfs.inodes[life].data.len() + 1);
        let data = self.vfs.inodes[life].data[..begun].to_vec();
        self.vfs.append(self.now, copy, &data);
        if !self.oracle.is_provable(epoch) {
            self.oracle.is_copied_unproven(epoch);
        }
        self.writers[number].copy = Some(copy);
    }

    fn complete_copy(&mut self, number: usize, life: Life) {
        let Some(copy) = self.writers[number].copy.take() else { return };
        let epoch = self.vfs.inodes[copy].epoch;
        let rest = self.vfs.inodes[life].data[self.vfs.inodes[copy].data.len()..].to_vec();
        self.vfs.append(self.now, copy, &rest);
        self.vfs.writer_closes(copy);
        // A copy that belongs to no log can be found only by who knows what it is a copy of.
        if self.plan.glob_takes_rotated || self.oracle.is_provable(epoch) {
            let lines = self.vfs.inodes[life].lines.clone();
            lines.iter().for_each(|line| self.oracle.appears(*line));
            self.vfs.inodes[copy].lines = lines;
        } else {
            self.vfs.inodes[copy].lost = true;
        }
    }

    fn truncate(&mut self, number: usize, life: Life) {
        self.tally.truncates += 1;
        let inode = &self.vfs.inodes[life];
        let copied = self.vfs.inodes.iter().filter(|copy| copy.is_copy && copy.epoch == inode.epoch);
        let longest = copied.map(|copy| copy.data.len()).max();
        if longest.is_some_and(|size| size < HEAD_BYTES_MAX && inode.data.len() >= HEAD_BYTES_MAX) {
            // Of so much only the hash of the head is kept, which says nothing of a shorter copy.
            self.oracle.is_copied_unproven(inode.epoch);
        } else if longest.is_some_and(|size| size < inode.data.len()) {
            self.oracle.is_copied_short(inode.epoch);
        }
        self.cut_lines(life, 0);
        self.vfs.truncate(self.now, life, 0);
        self.vfs.inodes[life].epoch = self.oracle.new_epoch();
        self.vfs.inodes[life].truncated = true;
        if self.writers[number].partial.as_ref().is_some_and(|partial| partial.life == life) {
            self.writers[number].partial = None;
        }
    }

    /// A copy that nobody had to look at while the original was there, or a file that was truncated or cut, and then lost its name before anybody looked: a descriptor from before the truncation still
    /// reaches the new bytes, but nothing says that they are new but themselves, and no name leads back to them.
    fn forsake_unseen_epoch(&mut self, life: Life) {
        let inode = &self.vfs.inodes[life];
        let unseen = inode.truncated && !self.oracle.is_known(inode.epoch);
        if !inode.lost && (unseen || inode.is_copy || self.oracle.was_cut(inode.epoch)) {
            self.forsake(life);
        }
    }

    fn cut_tail(&mut self, life: Life) {
        let lines = &self.vfs.inodes[life].lines;
        let whole = lines.iter().all(|line| self.oracle.lines[*line as usize].complete);
        if lines.len() < 2 || !whole {
            return;
        }
        self.tally.truncates += 1;
        let kept = 1 + self.rng.index(lines.len() - 1);
        let end = self.oracle.lines[self.vfs.inodes[life].lines[kept - 1] as usize].end();
        self.cut_lines(life, kept);
        self.oracle.is_cut(self.vfs.inodes[life].epoch, self.vfs.inodes[life].data.len() as u64);
        self.vfs.truncate(self.now, life, usize::try_from(end).expect("files are small"));
    }

    fn cut_lines(&mut self, life: Life, kept: usize) {
        let inode = &mut self.vfs.inodes[life];
        let cut = inode.lines.split_off(kept);
        if !inode.lost {
            cut.into_iter().for_each(|line| self.oracle.vanishes(line));
        }
    }

    fn append_wide(&mut self, number: usize) {
        let files = self.plan.wide.unwrap_or(1);
        let path = format!("{DIRECTORY}/wide-{}.log", self.rng.below(files));
        let life = self.vfs.lookup(path.as_ref()).unwrap_or_else(|| {
            let epoch = self.oracle.new_epoch();
            self.vfs.create(self.now, &path, epoch)
        });
        self.append_line(number, life);
        self.hint(&path);
    }
}

/// A line of nginx's `combined`. Its beginning and its end are its own too, as times and sizes see to in real logs: the bytes before a position
/// are what proves it.
fn access_line(method: &str, target: &str, padding: usize, client: LineId) -> Vec<u8> {
    let filler = "x".repeat(padding);
    format!(
        "192.0.{}.{} - - [23/Nov/2025:06:28:00 +0000] \"{method} {target} HTTP/1.1\" 200 {padding} \"-\" \"{filler} {target}\"\n",
        client / 250 % 250,
        client % 250
    )
    .into_bytes()
}

/// What no log format takes: the front of a torn line, with bytes that are no text.
fn garbage_line(id: LineId, padding: usize) -> Vec<u8> {
    let mut line = format!("%%% /t/{id}/ torn and more of it \\x \u{7}").into_bytes();
    line.extend([0xff, 0xfe, b'"', b'\\', b'\t']);
    line.extend(std::iter::repeat_n(b'z', padding));
    line.extend(format!(" {id}\n").bytes());
    line
}

//! Places of a file that cannot be read, and what its log says of that: wait for them, or pass them over and count them.
//!
//! A disk that is away for a while and one that lost a block fail alike. So a place is passed over only where its log says so,
//! after it failed for long, and while the bytes behind it can be read. Reading goes on at the start of a line which has all
//! of its marker behind the place: from there on it is verified as ever, over a restart too.

use super::account::Loss;
use super::action::{Action, Chunk, FileError, Millis};
use super::batch::Reach;
use super::generation::Generation;
use super::identity::{MARKER_BYTES_MAX, Mark};
use super::line::READ_BYTES;
use super::notice::Notice;
use super::options::OnReadError;
use super::tail::Tail;
use crate::event::StreamId;
use crate::planted::{self, Bug};

/// A place that fails for so long is not waited for: NFS gives up on its server after 3 minutes by default (`timeo=600`,
/// `retrans=2`), and disks, controllers and paths to them are reset and tried again in less.
pub(super) const PATIENCE_MS: u64 = 300_000;

/// The kernel reads pages, and a page fails as a whole; sectors and file system blocks are no larger, or a multiple of it.
const BLOCK_BYTES: u64 = 4096;

/// So much is read to find out whether a block can be: all of it.
const PROBE_BYTES: usize = 4096;

/// Where reading a file stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    position: u64,
    since: Millis,
    search: Option<Search>,
}

/// The search for the next line behind a place that cannot be read; each step is one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// The first block that can be read lies behind `bad`, and not behind `good` once there is one. Until then each step
    /// is twice as long as the one before, so that no file is too large.
    Block { bad: u64, good: Option<u64>, step: u64 },
    /// From here on a line is looked for.
    Line { from: u64 },
    /// It starts here. Reading goes on there if the place fails once more.
    Found(Mark),
}

/// What a step of a search reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub position: u64,
    pub length: usize,
}

impl Search {
    fn behind(position: u64) -> Self {
        // Where the bytes before the position are what fails, its own block may be good.
        let bad = position.saturating_sub(1) / BLOCK_BYTES * BLOCK_BYTES;
        Self::Block { bad, good: None, step: BLOCK_BYTES }
    }

    /// What to read next in a file of this size; nothing if there is nothing behind the place, or nothing more to find.
    fn probe(self, size: u64) -> Option<Probe> {
        match self {
            Self::Block { bad, good: None, step } => {
                let last = size.saturating_sub(1) / BLOCK_BYTES * BLOCK_BYTES;
                let position = (bad + step).min(last);
                (position > bad).then_some(Probe { position, length: PROBE_BYTES })
            }
            Self::Block { bad, good: Some(good), .. } => {
                let blocks = (good - bad) / BLOCK_BYTES;
                Some(Probe { position: bad + blocks / 2 * BLOCK_BYTES, length: PROBE_BYTES })
            }
            Self::Line { from } => Some(Probe { position: from, length: READ_BYTES }),
            Self::Found(_) => None,
        }
    }

    /// What was wanted cannot be read.
    fn fails(self, probe: Probe) -> Self {
        match self {
            Self::Block { good, step, .. } => {
                Self::Block { bad: probe.position, good, step: step.saturating_mul(2) }.settled()
            }
            Self::Line { from } => Self::behind(from + 1),
            Self::Found(_) => self,
        }
    }

    /// What was wanted was read, all of it or up to another place that cannot be read; nothing if the file ends there.
    fn succeeds(self, probe: Probe, chunk: &Chunk<'_>) -> Option<Self> {
        match self {
            _ if chunk.data.is_empty() => None,
            Self::Block { .. } if chunk.is_cut_short => Some(self.fails(probe)),
            Self::Block { bad, step, .. } => {
                Some(Self::Block { bad, good: Some(probe.position), step }.settled())
            }
            Self::Line { from } => {
                let end = from + chunk.data.len() as u64;
                let behind_marker = chunk.data.get(MARKER_BYTES_MAX - 1..).unwrap_or_default();
                match memchr::memchr(b'\n', behind_marker) {
                    Some(newline) => {
                        let length = MARKER_BYTES_MAX + newline;
                        Some(Self::Found(Mark::at(from + length as u64, &chunk.data[..length])))
                    }
                    None if chunk.is_cut_short => Some(Self::behind(end + 1)),
                    None if chunk.data.len() < READ_BYTES => None,
                    None => Some(Self::Line { from: end }),
                }
            }
            Self::Found(_) => Some(self),
        }
    }

    /// Between a block that fails and one that does not there is no other.
    fn settled(self) -> Self {
        match self {
            Self::Block { bad, good: Some(good), .. } if good - bad <= BLOCK_BYTES => {
                Self::Line { from: good }
            }
            Self::Block { .. } | Self::Line { .. } | Self::Found(_) => self,
        }
    }
}

impl Generation {
    /// What is to be read to find the end of a place that cannot be read, if that is looked for.
    pub fn probe(&self) -> Option<Probe> {
        self.stop?.search?.probe(self.size())
    }

    /// Whether the end of a place that cannot be read is being looked for, or was found: then nothing is waited for.
    pub fn is_searching(&self) -> bool {
        self.stop.is_some_and(|stop| stop.search.is_some())
    }
}

impl Tail {
    /// An open file cannot be read from this position on. Nothing moves, unless that is so for long and its log says that
    /// such a place is passed over.
    pub fn reading_stopped(
        &mut self,
        now: Millis,
        stream: StreamId,
        position: u64,
        actions: &mut Vec<Action>,
    ) {
        self.reading_failed(now, stream, FileError::Unreadable, actions);
        let passes_over = self.passes_over(stream);
        let generation = self.generation(stream);
        let known = generation.stop.filter(|stop| stop.position == position);
        let mut stop = known.unwrap_or(Stop { position, since: now, search: None });
        let is_for_good = now.since(stop.since) >= PATIENCE_MS || planted::is(Bug::PassedOverAtOnce);
        match stop.search {
            Some(Search::Found(mark)) if passes_over => self.pass_over(stream, mark),
            _ if passes_over && is_for_good => {
                stop.search = Some(Search::behind(position));
                generation.stop = Some(stop);
                self.search_on(stream);
            }
            _ => generation.stop = Some(Stop { search: None, ..stop }),
        }
    }

    /// A step of the search for the end of a place that cannot be read.
    pub fn probed(
        &mut self,
        now: Millis,
        (stream, probe): (StreamId, Probe),
        result: Result<Chunk<'_>, FileError>,
        actions: &mut Vec<Action>,
    ) {
        let generation = self.generation(stream);
        let Some(stop) = &mut generation.stop else { return };
        stop.search = match (stop.search, result) {
            (Some(search), Err(FileError::Unreadable)) => Some(search.fails(probe)),
            (Some(search), Ok(chunk)) => search.succeeds(probe, &chunk),
            (_, Err(error)) => {
                stop.search = None;
                return self.reading_failed(now, stream, error, actions);
            }
            (None, Ok(_)) => None,
        };
        self.search_on(stream);
    }

    /// Whether a place of this file may be passed over now. What is compressed has no lines behind a place that is missing;
    /// and what was read before has to be committed, so that no more than one such place is on its way.
    fn passes_over(&self, stream: StreamId) -> bool {
        let generation = &self.generations[&stream];
        let on_read_error = generation.log.map(|log| self.options.logs[log].on_read_error);
        on_read_error == Some(OnReadError::Skip) && !generation.is_packed() && generation.is_settled()
    }

    /// The next step has its turn like any read; if there is none, the place is tried again when it is due.
    fn search_on(&mut self, stream: StreamId) {
        let generation = self.generation(stream);
        let is_found = matches!(generation.stop, Some(Stop { search: Some(Search::Found(_)), .. }));
        if is_found || generation.probe().is_some() {
            self.queue(stream);
        } else if let Some(stop) = &mut generation.stop {
            stop.search = None;
        }
    }

    /// The place is given up: what lies before the line that starts at `to` is lost.
    fn pass_over(&mut self, stream: StreamId, to: Mark) {
        let generation = self.generation(stream);
        generation.stop = None;
        // Of a file whose first bytes were never read there is nothing by which it would be known.
        if generation.head.hash_at(to.position).is_none() {
            return;
        }
        generation.trouble = None;
        let from = generation.lines.cursor().position;
        let bytes = generation.pass_over(to);
        let reach = Reach { from, to: generation.entry() };
        let path = generation.path.clone();
        self.filling.reaches.add(reach);
        let why = Loss::Unreadable;
        self.notices.extend(path.map(|path| Notice::Lost { path, bytes, why }));
        self.queue(stream);
    }
}

#[cfg(test)]
mod tests {
    use super::super::action::{Form, Stat};
    use super::super::identity::Tuple;
    use super::*;

    /// A file of lines of the same size, made up as they are read, of which some blocks cannot be.
    struct Disk {
        size: u64,
        line_bytes: u64,
        /// From and to.
        bad: Vec<(u64, u64)>,
    }

    impl Disk {
        fn read(&self, Probe { position, length }: Probe) -> Result<(Vec<u8>, bool), FileError> {
            let end = (position + length as u64).min(self.size).max(position);
            let failing = self.bad.iter().filter(|(from, to)| *from < end && *to > position);
            let stop = failing.map(|(from, _)| *from.max(&position)).min().unwrap_or(end);
            if stop == position && position < end {
                return Err(FileError::Unreadable);
            }
            let byte = |at: u64| if at % self.line_bytes == self.line_bytes - 1 { b'\n' } else { b'x' };
            Ok(((position..stop).map(byte).collect(), stop < end))
        }

        /// Where reading goes on behind this place, if anywhere, and how many reads that takes.
        fn search(&self, position: u64) -> (Option<u64>, u32) {
            let mut search = Some(Search::behind(position));
            for steps in 0.. {
                let Some(now) = search else { return (None, steps) };
                if let Search::Found(mark) = now {
                    let before = self.read(Probe { position: mark.position - 256, length: 256 });
                    assert!(mark.fits(&before.unwrap().0), "its marker cannot be read");
                    return (Some(mark.position), steps);
                }
                let Some(probe) = now.probe(self.size) else { return (None, steps) };
                let tuple = Tuple { device: 1, inode: 1, birth_ns: None };
                let stat = Stat { tuple, size: self.size, modified_ns: 0, links: 1 };
                search = match self.read(probe) {
                    Err(_) => Some(now.fails(probe)),
                    Ok((data, is_cut_short)) => {
                        let chunk = Chunk { data: &data, before: &[], stat, form: Form::Plain, is_cut_short };
                        now.succeeds(probe, &chunk)
                    }
                };
            }
            unreachable!("the loop has no end")
        }
    }

    #[test]
    fn reading_goes_on_at_the_first_line_with_its_marker_behind_the_place() {
        let disk = |bad| Disk { size: 1 << 20, line_bytes: 100, bad };
        // 12,288 + 256 lies within the line that ends at 12,600.
        for position in [8192, 8193, 12_287] {
            assert_eq!(disk(vec![(8192, 12_288)]).search(position).0, Some(12_600), "{position}");
        }
        // The bytes before the position fail, and it stands where the next block begins.
        assert_eq!(disk(vec![(4096, 8192)]).search(8192).0, Some(8500));
        assert_eq!(disk(vec![(8192, 40_960)]).search(8192).0, Some(41_300));
        // Behind what can be read again there is not one whole line before the next place.
        let two = Disk { line_bytes: 5000, ..disk(vec![(8192, 12_288), (16_384, 20_480)]) };
        assert_eq!(two.search(8192).0, Some(25_000));
        // A line longer than one read.
        let long = Disk { line_bytes: 600_000, ..disk(vec![(8192, 12_288)]) };
        assert_eq!(long.search(8192).0, Some(600_000));
    }

    #[test]
    fn nothing_is_passed_over_where_nothing_can_be_read_behind() {
        let disk = |bad, line_bytes| Disk { size: 100_000, line_bytes, bad };
        assert_eq!(disk(vec![(8192, 200_000)], 100).search(8192).0, None);
        assert_eq!(disk(vec![(98_304, 102_400)], 100).search(98_304).0, None, "the last block");
        assert_eq!(disk(vec![(8192, 12_288)], 1_000_000).search(8192).0, None, "no line ends behind");
    }

    #[test]
    fn no_file_is_too_large_to_be_searched() {
        let half: u64 = 1 << 40;
        let disk = Disk { size: 2 * half, line_bytes: 128, bad: vec![(4096, half)] };
        assert_eq!(disk.search(4096).0, Some(half + 256));
        assert!(disk.search(4096).1 <= 2 * 40, "{} reads", disk.search(4096).1);
        let away = Disk { bad: vec![(4096, 2 * half)], ..disk };
        assert!(matches!(away.search(4096), (None, reads) if reads <= 40));
    }
}

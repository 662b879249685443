//! From bytes to lines: whole ones, whatever pieces they arrive in.
//!
//! A [`Splitter`] stands at the end of the last line that became an event or was left out by choice. What lies beyond
//! without being a whole line (NUL runs, the beginning of a long line) is looked at but never taken: the position that
//! is committed is always the end of a line. Bytes before it that gave no event are committed with it, so that the next
//! event tells of them after a restart too.

use memchr::memchr;

use super::identity::{MARKER_BYTES_MAX, Mark};
use crate::event::SkipReason;
use crate::planted::{self, Bug};

/// How much is read at once: large enough that the system call costs nothing per line, small enough for the cache.
pub const READ_BYTES: usize = 256 * 1024;

/// One line, borrowed from the bytes that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Where it starts.
    pub position: u64,
    /// Its bytes without terminator, at most the longest line allowed.
    pub bytes: &'a [u8],
    /// Its size with terminator.
    pub size: u64,
    /// Bytes between the last event and this line that gave no event.
    pub skipped: Option<(u64, SkipReason)>,
    /// It was longer than the longest line allowed.
    pub truncated: bool,
    /// Its generation ended without a terminator.
    pub partial: bool,
}

/// What the receiver of lines says to each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It became an event.
    Event,
    /// It could give none and never will; the next event says so.
    Skipped,
    /// It gives none by choice: the position moves on, and the next event says so.
    Filtered,
    /// There is no room: offer it again later.
    Full,
}

/// Whether more bytes may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The generation may grow: what has no terminator waits.
    Open,
    /// These bytes reach the end of a generation that is finished: what has no terminator is a line all the same.
    Closed,
}

/// Bytes that were read, with those before them.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a> {
    /// At most [`MARKER_BYTES_MAX`] bytes before the data, fewer only at the start of the generation.
    pub before: &'a [u8],
    /// The bytes that were wanted.
    pub data: &'a [u8],
}

/// Bytes directly before a place that gave no event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// How many.
    pub bytes: u64,
    /// Why, if there are any.
    pub reason: SkipReason,
}

impl Gap {
    fn add(&mut self, bytes: u64, reason: SkipReason) {
        self.reason = if self.bytes == 0 { reason } else { self.reason.max(reason) };
        self.bytes += bytes;
    }

    fn told(self) -> Option<(u64, SkipReason)> {
        (self.bytes > 0).then_some((self.bytes, self.reason))
    }
}

/// What is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Where; its hash proves the bytes before.
    pub from: Mark,
    /// How many bytes.
    pub length: usize,
}

/// Where a generation's lines stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splitter {
    line_bytes_max: usize,
    /// End of the last line that is done: an event, or left out by choice.
    cursor: Mark,
    /// What lies before the cursor without an event.
    behind: Gap,
    /// The same before the line.
    before_line: Gap,
    /// Where the next line starts.
    line: Mark,
    /// How far that line was searched in vain for a terminator, if it is longer than one read.
    searched: Option<Mark>,
    /// Where that long line ends, once this is known; it is then read again to be offered.
    long: Option<Long>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Long {
    end: Mark,
    partial: bool,
}

impl Splitter {
    /// A splitter behind the last event at `cursor`.
    #[must_use]
    pub fn at(cursor: Mark, line_bytes_max: usize) -> Self {
        Self::behind_gap(cursor, Gap::default(), line_bytes_max)
    }

    /// A splitter at `cursor`, before which there is a gap.
    #[must_use]
    pub fn behind_gap(cursor: Mark, gap: Gap, line_bytes_max: usize) -> Self {
        Self {
            line_bytes_max,
            cursor,
            behind: gap,
            before_line: gap,
            line: cursor,
            searched: None,
            long: None,
        }
    }

    /// What lies before the cursor without an event; it is committed with the cursor.
    #[must_use]
    pub fn behind(&self) -> Gap {
        self.behind
    }

    /// End of the last line that is done.
    #[must_use]
    pub fn cursor(&self) -> Mark {
        self.cursor
    }

    /// Bytes behind the cursor which are known to give no event.
    #[must_use]
    pub fn gap(&self) -> u64 {
        self.line.position - self.cursor.position
    }

    /// Whether the end of a long line was found, so that the line is read again to be offered.
    #[must_use]
    pub fn has_long_line(&self) -> bool {
        self.long.is_some()
    }

    /// Goes on behind bytes that cannot be read, at the start of a line; how many are lost.
    pub fn pass_over(&mut self, to: Mark) -> u64 {
        let lost = to.position - self.line.position;
        let mut gap = self.before_line;
        gap.add(lost, SkipReason::Unreadable);
        *self = Self::behind_gap(to, gap, self.line_bytes_max);
        lost
    }

    /// What to read next.
    #[must_use]
    pub fn want(&self) -> Want {
        match (self.long, self.searched) {
            (Some(long), _) => {
                let size = usize::try_from(long.end.position - self.line.position).unwrap_or(usize::MAX);
                Want { from: self.line, length: size.min(self.line_bytes_max + 1) }
            }
            (None, Some(searched)) => Want { from: searched, length: READ_BYTES },
            (None, None) => Want { from: self.line, length: READ_BYTES },
        }
    }

    /// Takes the bytes that were wanted and offers each line that is whole. Stops when a line is not taken for want
    /// of room; the same bytes are then wanted again.
    pub fn feed(&mut self, bytes: Bytes<'_>, ending: Ending, mut offer: impl FnMut(Line<'_>) -> Taken) {
        match (self.long, self.searched) {
            (Some(long), _) => self.offer_long(long, bytes.data, &mut offer),
            (None, Some(searched)) => self.search_on(searched, bytes, ending),
            (None, None) => self.split(bytes, ending, &mut offer),
        }
    }

    fn split(&mut self, bytes: Bytes<'_>, ending: Ending, offer: &mut impl FnMut(Line<'_>) -> Taken) {
        let data = bytes.data;
        let from = self.line.position;
        let (mut cursor_at, mut at) = (None, 0);
        let mut gap = self.before_line;
        let mut full = false;
        while at < data.len() {
            let nuls = data[at..].iter().take_while(|byte| **byte == 0).count();
            if nuls > 0 {
                at += nuls;
                gap.add(nuls as u64, SkipReason::Hole);
            }
            let (length, size) = match (memchr(b'\n', &data[at..]), ending) {
                (Some(length), _) => (length, length + 1),
                (None, Ending::Closed) if at < data.len() => (data.len() - at, data.len() - at),
                (None, Ending::Open) if planted::is(Bug::UnfinishedLineForgotten) => {
                    at = data.len();
                    break;
                }
                (None, Ending::Closed | Ending::Open) => break,
            };
            let line = Line {
                position: from + at as u64,
                bytes: self.keep(&data[at..at + length]),
                size: size as u64,
                skipped: gap.told(),
                truncated: length > self.line_bytes_max,
                partial: length == size,
            };
            match offer(line) {
                Taken::Event => {
                    (cursor_at, gap) = (Some(at + size), Gap::default());
                    self.behind = gap;
                }
                Taken::Filtered => {
                    gap.add(size as u64, SkipReason::Filtered);
                    cursor_at = Some(at + size);
                    self.behind = gap;
                }
                Taken::Skipped => gap.add(size as u64, SkipReason::Unreadable),
                Taken::Full => {
                    full = true;
                    break;
                }
            }
            at += size;
        }
        if let Some(cursor_at) = cursor_at {
            self.cursor = mark_in(bytes, from, cursor_at);
        }
        self.line = mark_in(bytes, from, at);
        self.before_line = gap;
        if !full && data.len() - at >= READ_BYTES {
            self.searched = Some(mark_in(bytes, from, data.len()));
        }
    }

    /// Looks for the end of a line that is longer than one read, without keeping it.
    fn search_on(&mut self, searched: Mark, bytes: Bytes<'_>, ending: Ending) {
        let from = searched.position;
        match (memchr(b'\n', bytes.data), ending) {
            (Some(length), _) => {
                self.long = Some(Long { end: mark_in(bytes, from, length + 1), partial: false });
            }
            (None, Ending::Closed) => {
                self.long = Some(Long { end: mark_in(bytes, from, bytes.data.len()), partial: true });
            }
            (None, Ending::Open) => self.searched = Some(mark_in(bytes, from, bytes.data.len())),
        }
    }

    fn offer_long(&mut self, long: Long, data: &[u8], offer: &mut impl FnMut(Line<'_>) -> Taken) {
        let size = long.end.position - self.line.position;
        let length = if long.partial { size } else { size - 1 };
        let kept = usize::try_from(length).map_or(data.len(), |length| length.min(data.len()));
        let mut gap = self.before_line;
        let line = Line {
            position: self.line.position,
            bytes: self.keep(&data[..kept]),
            size,
            skipped: gap.told(),
            truncated: length > self.line_bytes_max as u64,
            partial: long.partial,
        };
        match offer(line) {
            Taken::Event => *self = Self::at(long.end, self.line_bytes_max),
            Taken::Filtered => {
                gap.add(size, SkipReason::Filtered);
                *self = Self::behind_gap(long.end, gap, self.line_bytes_max);
            }
            Taken::Skipped => {
                gap.add(size, SkipReason::Unreadable);
                let (cursor, behind) = (self.cursor, self.behind);
                *self = Self { cursor, behind, ..Self::behind_gap(long.end, gap, self.line_bytes_max) };
            }
            Taken::Full => {}
        }
    }

    /// The part of a line that is passed on: a CR before the terminator belongs to the terminator.
    fn keep<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        let kept = &line[..line.len().min(self.line_bytes_max)];
        kept.strip_suffix(b"\r").unwrap_or(kept)
    }
}

/// The mark behind the first `length` bytes of data that start at `from`.
fn mark_in(bytes: Bytes<'_>, from: u64, length: usize) -> Mark {
    let position = from + length as u64;
    if length >= MARKER_BYTES_MAX {
        return Mark::at(position, &bytes.data[..length]);
    }
    let mut joined = Vec::with_capacity(bytes.before.len() + length);
    joined.extend_from_slice(bytes.before);
    joined.extend_from_slice(&bytes.data[..length]);
    Mark::at(position, &joined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE_BYTES_MAX: usize = 300_000;

    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Owned {
        position: u64,
        bytes: Vec<u8>,
        size: u64,
        skipped: Option<(u64, SkipReason)>,
        truncated: bool,
        partial: bool,
    }

    fn owned(line: Line<'_>) -> Owned {
        let Line { position, bytes, size, skipped, truncated, partial } = line;
        Owned { position, bytes: bytes.to_vec(), size, skipped, truncated, partial }
    }

    /// Reads `file` to its end as a shell would, never more than `pieces` says at once.
    fn lines_of(file: &[u8], pieces: &[usize]) -> Vec<Owned> {
        let mut splitter = Splitter::at(Mark::start(), LINE_BYTES_MAX);
        let mut lines = Vec::new();
        let mut pieces = pieces.iter().copied().cycle();
        let mut visible = 0;
        loop {
            visible = (visible + pieces.next().unwrap()).min(file.len());
            let ending = if visible == file.len() { Ending::Closed } else { Ending::Open };
            let want = splitter.want();
            let start = usize::try_from(want.from.position).unwrap();
            let before = &file[start.saturating_sub(MARKER_BYTES_MAX)..start];
            assert!(want.from.fits(before), "the mark at {start} is wrong");
            let data = &file[start..(start + want.length).min(visible)];
            let reaches_end = start + data.len() == file.len();
            let ending = if reaches_end { ending } else { Ending::Open };
            splitter.feed(Bytes { before, data }, ending, |line| {
                lines.push(owned(line));
                Taken::Event
            });
            if splitter.want().from.position == file.len() as u64 && splitter.long.is_none() {
                return lines;
            }
        }
    }

    fn check(file: &[u8], expected: &[(u64, &[u8], u64)]) {
        let found = lines_of(file, &[usize::MAX / 2]);
        let found: Vec<_> =
            found.iter().map(|line| (line.position, line.bytes.as_slice(), line.size)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn lines_keep_their_places() {
        check(b"", &[]);
        check(b"a\nbc\n", &[(0, b"a", 2), (2, b"bc", 3)]);
        check(b"a\r\n\n\nb", &[(0, b"a", 3), (3, b"", 1), (4, b"", 1), (5, b"b", 1)]);
        check(b"\0\0a\0b\n\0", &[(2, b"a\0b", 4)]);
    }

    #[test]
    fn a_hole_is_told_with_the_line_behind_it() {
        let lines = lines_of(b"a\n\0\0\0b\n", &[1]);
        assert_eq!(lines[1].skipped, Some((3, SkipReason::Hole)));
    }

    #[test]
    fn a_line_that_gives_no_event_is_told_with_the_next_one() {
        let mut splitter = Splitter::at(Mark::start(), 10);
        let mut last = None;
        splitter.feed(Bytes { before: b"", data: b"a\nbb\nc\n" }, Ending::Open, |line| {
            last = Some(owned(line));
            if line.bytes == b"bb" { Taken::Skipped } else { Taken::Event }
        });
        assert_eq!(last.unwrap().skipped, Some((3, SkipReason::Unreadable)));
        assert_eq!(splitter.cursor().position, 7);
    }

    #[test]
    fn lines_left_out_by_choice_move_the_position_and_are_told_after_a_restart() {
        let mut splitter = Splitter::at(Mark::start(), 10);
        splitter.feed(Bytes { before: b"", data: b"a\nbb\n\0\0bb\n" }, Ending::Open, |_| Taken::Filtered);
        assert_eq!(splitter.cursor().position, 10);
        assert_eq!(splitter.behind(), Gap { bytes: 10, reason: SkipReason::Hole });
        let mut restarted = Splitter::behind_gap(splitter.cursor(), splitter.behind(), 10);
        assert_eq!(restarted, splitter);
        let mut told = None;
        restarted.feed(Bytes { before: b"a\nbb\n\0\0bb\n", data: b"c\n" }, Ending::Open, |line| {
            told = line.skipped;
            Taken::Event
        });
        assert_eq!(told, Some((10, SkipReason::Hole)));
        assert_eq!((restarted.cursor().position, restarted.behind()), (12, Gap::default()));
    }

    #[test]
    fn a_long_line_is_kept_in_part_and_the_next_is_whole() {
        let mut file = vec![b'x'; 700_000];
        file.extend_from_slice(b"\nnext\n");
        let lines = lines_of(&file, &[100_000]);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].truncated && lines[0].bytes.len() == LINE_BYTES_MAX && lines[0].size == 700_001);
        assert_eq!((lines[1].bytes.as_slice(), lines[1].position), (b"next".as_slice(), 700_001));
    }

    #[test]
    fn a_line_for_which_there_is_no_room_is_offered_again() {
        let mut splitter = Splitter::at(Mark::start(), 10);
        let bytes = Bytes { before: b"", data: b"a\nb\n" };
        splitter.feed(
            bytes,
            Ending::Open,
            |line| if line.bytes == b"a" { Taken::Event } else { Taken::Full },
        );
        assert_eq!(splitter.want().from.position, 2);
    }

    proptest! {
        #[test]
        fn events_and_what_they_tell_cover_the_file_over_restarts(
            lines in prop::collection::vec(prop_oneof!["[efs]{1,5}\n", "\0{1,3}"], 0..20),
            pieces in prop::collection::vec((1..9_usize, any::<bool>()), 1..9),
        ) {
            let file = lines.concat().into_bytes();
            let mut splitter = Splitter::at(Mark::start(), 100);
            let (mut told_to, mut visible) = (0, 0);
            for (piece, restarts) in pieces.iter().cycle().take(500) {
                visible = (visible + piece).min(file.len());
                if *restarts {
                    splitter = Splitter::behind_gap(splitter.cursor(), splitter.behind(), 100);
                    told_to = splitter.cursor().position - splitter.behind().bytes;
                }
                let start = usize::try_from(splitter.want().from.position).unwrap();
                let before = &file[start.saturating_sub(MARKER_BYTES_MAX)..start];
                let mut broken = None;
                splitter.feed(Bytes { before, data: &file[start..visible.max(start)] }, Ending::Open, |line| {
                    match line.bytes[0] {
                        b'e' => {
                            let from = line.position - line.skipped.map_or(0, |(size, _)| size);
                            broken = broken.or((from != told_to).then_some(line.position));
                            told_to = line.position + line.size;
                            Taken::Event
                        }
                        b'f' => Taken::Filtered,
                        _ => Taken::Skipped,
                    }
                });
                prop_assert_eq!(broken, None);
            }
            let last = lines.iter().rposition(|line| line.starts_with(['e', 'f'])).map_or(0, |last| last + 1);
            prop_assert_eq!(splitter.cursor().position, lines[..last].concat().len() as u64);
        }

        #[test]
        fn any_pieces_give_the_same_lines(
            parts in prop::collection::vec(
                prop_oneof![
                    8 => "[a-c\r]{0,6}\n".prop_map(String::into_bytes),
                    1 => (0..3_usize).prop_map(|n| vec![0; n]),
                    1 => (260_000..620_000_usize).prop_map(|n| vec![b'y'; n]),
                ],
                0..12,
            ),
            pieces in prop::collection::vec(1..400_000_usize, 1..6),
        ) {
            let file = parts.concat();
            let small = file.len() < 10_000;
            let pieces: Vec<usize> = pieces.into_iter().map(|n| if small { n % 7 + 1 } else { n }).collect();
            let whole = lines_of(&file, &[usize::MAX / 2]);
            prop_assert_eq!(&lines_of(&file, &pieces), &whole);
            let mut end = 0;
            for line in &whole {
                prop_assert_eq!(line.position, end + line.skipped.map_or(0, |(size, _)| size));
                end = line.position + line.size;
            }
            prop_assert!(file[usize::try_from(end).unwrap()..].iter().all(|byte| *byte == 0));
        }
    }
}

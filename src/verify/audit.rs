//! The audit itself: records in, verdict out.

use std::collections::HashMap;

use super::coverage::{Arrival, Coverage, Fate, Reason};
use super::event::{self, Claim};
use super::report::{Gap, Report, StreamReport};

/// A partition of one of the topics that are read; the caller gives the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// What is known of all streams so far.
///
/// Records are fed in the order of their offsets within a partition, partitions in any interleaving. Memory grows with
/// the streams and their gaps, not with the events.
#[derive(Debug, Default)]
pub struct Audit {
    streams: HashMap<u64, Stream>,
    foreign: u64,
}

#[derive(Debug, Default)]
struct Stream {
    coverage: Coverage,
    lines: u64,
    doubled: u64,
    out_of_order: u64,
    /// One entry per partition that the stream was seen in: one, unless records are partitioned by something else
    /// than the file.
    tracks: Vec<Track>,
}

/// A stream's way through one partition.
#[derive(Clone, Copy, Debug)]
struct Track {
    source: SourceId,
    /// Where its first record's line starts: retention can have removed only what stood before it.
    first: u64,
    /// Where its furthest line starts.
    highest: u64,
}

impl Audit {
    /// Takes the next record of a partition.
    pub fn feed(&mut self, source: SourceId, value: &[u8]) {
        match event::read(value) {
            Some(claim) => self.streams.entry(claim.stream).or_default().take(source, claim),
            None => self.foreign += 1,
        }
    }

    /// Says that the partition begins at an offset above 0: what is missing at the beginning of its streams was removed
    /// by the topic's retention.
    pub fn retention_began(&mut self, source: SourceId) {
        for stream in self.streams.values_mut() {
            let Some(track) = stream.tracks.iter().find(|track| track.source == source) else { continue };
            stream.coverage.explain(0, track.first, Reason::Retention);
        }
    }

    /// What became of `[start, end)` of a stream; `Ahead` for a stream that was never seen.
    #[must_use]
    pub fn fate(&self, stream: u64, start: u64, end: u64) -> Fate {
        self.streams.get(&stream).map_or(Fate::Ahead, |stream| stream.coverage.fate(start, end))
    }

    /// Behind the last line of a stream; 0 for one that was never seen.
    #[must_use]
    pub fn frontier(&self, stream: u64) -> u64 {
        self.streams.get(&stream).map_or(0, |stream| stream.coverage.frontier())
    }

    /// Events so far, doubled ones too.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.streams.values().map(|stream| stream.lines + stream.doubled).sum()
    }

    /// The verdict on everything that was fed.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut streams: Vec<(u64, StreamReport)> =
            self.streams.iter().map(|(id, stream)| (*id, stream.report(*id))).collect();
        streams.sort_unstable_by_key(|(id, _)| *id);
        Report::new(streams.into_iter().map(|(_, report)| report).collect(), self.foreign)
    }
}

impl Stream {
    fn take(&mut self, source: SourceId, claim: Claim) {
        let arrival = self.coverage.add_line(claim.start, claim.end);
        if let Some((from, reason)) = claim.skipped {
            self.coverage.explain(from, claim.start, reason);
        }
        let is_late = self.advance(source, claim.start);
        match arrival {
            Arrival::Doubled => self.doubled += 1,
            Arrival::New => {
                self.lines += 1;
                self.out_of_order += u64::from(is_late);
            }
        }
    }

    /// Whether a line further on was seen in the same partition before.
    fn advance(&mut self, source: SourceId, start: u64) -> bool {
        match self.tracks.iter_mut().find(|track| track.source == source) {
            Some(track) => {
                let is_late = start < track.highest;
                track.highest = track.highest.max(start);
                is_late
            }
            None => {
                self.tracks.push(Track { source, first: start, highest: start });
                false
            }
        }
    }

    fn report(&self, id: u64) -> StreamReport {
        let gaps = self.coverage.gaps().into_iter();
        StreamReport {
            stream: format!("{id:016x}"),
            lines: self.lines,
            bytes: self.coverage.bytes(),
            doubled: self.doubled,
            gaps: gaps
                .map(|(from, to, reason)| Gap { from, to, reason: reason.map(Reason::as_str) })
                .collect(),
            out_of_order: self.out_of_order,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const P0: SourceId = SourceId(0);
    const P1: SourceId = SourceId(1);

    fn line(start: u64, size: u64) -> String {
        format!(r#"{{"v":1,"id":"00000000000000aa:{start}","line_size":{size}}}"#)
    }

    fn skipping(start: u64, size: u64, skipped: u64, reason: &str) -> String {
        format!(
            r#"{{"id":"00000000000000aa:{start}","line_size":{size},"skipped_size":{skipped},"skipped_reason":"{reason}"}}"#
        )
    }

    fn audit(events: &[(SourceId, String)]) -> Audit {
        let mut audit = Audit::default();
        for (source, value) in events {
            audit.feed(*source, value.as_bytes());
        }
        audit
    }

    fn gap(from: u64, to: u64, reason: Option<&'static str>) -> Gap {
        Gap { from, to, reason }
    }

    #[test]
    fn a_complete_stream_is_ok() {
        let report = audit(&[(P0, line(0, 10)), (P0, line(10, 5)), (P0, line(15, 1))]).report();
        assert!(report.ok);
        assert_eq!((report.lines, report.bytes, report.doubled, report.missing_bytes), (3, 16, 0, 0));
        assert_eq!(report.streams[0].stream, "00000000000000aa");
    }

    #[test]
    fn a_missing_line_is_a_gap() {
        let report = audit(&[(P0, line(0, 10)), (P0, line(15, 1))]).report();
        assert!(!report.ok);
        assert_eq!(report.missing_bytes, 5);
        assert_eq!(report.streams[0].gaps, [gap(10, 15, None)]);
    }

    #[test]
    fn a_missing_beginning_is_a_gap_unless_retention_took_it() {
        let mut audit = audit(&[(P0, line(10, 10))]);
        assert_eq!(audit.report().missing_bytes, 10);
        audit.retention_began(P1);
        assert!(!audit.report().ok, "another partition's retention explains nothing");
        audit.retention_began(P0);
        assert!(audit.report().ok);
        assert_eq!(audit.report().streams[0].gaps, [gap(0, 10, Some("retention"))]);
    }

    #[test]
    fn retention_explains_no_gap_behind_the_first_record() {
        let mut audit = audit(&[(P0, line(10, 10)), (P0, line(30, 10))]);
        audit.retention_began(P0);
        assert_eq!(audit.report().missing_bytes, 10);
    }

    #[test]
    fn the_agent_explains_what_it_skipped() {
        let report =
            audit(&[(P0, skipping(100, 10, 100, "start")), (P0, skipping(150, 10, 30, "hole"))]).report();
        assert_eq!(report.missing_bytes, 10);
        let gaps = [gap(0, 100, Some("start")), gap(110, 120, None), gap(120, 150, Some("hole"))];
        assert_eq!(report.streams[0].gaps, gaps);
    }

    #[test]
    fn a_repetition_is_doubled_and_not_out_of_order() {
        let events = [line(0, 10), line(10, 10), line(20, 10), line(10, 10), line(20, 10), line(30, 10)];
        let report = audit(&events.map(|event| (P0, event))).report();
        assert!(!report.ok);
        assert_eq!((report.lines, report.doubled, report.streams[0].out_of_order), (4, 2, 0));
    }

    #[test]
    fn order_is_judged_within_a_partition() {
        let report = audit(&[(P0, line(0, 10)), (P0, line(20, 10)), (P1, line(10, 10))]).report();
        assert!(report.ok, "between partitions there is no order");
        let report = audit(&[(P0, line(0, 10)), (P0, line(20, 10)), (P0, line(10, 10))]).report();
        assert!(!report.ok);
        assert_eq!((report.streams[0].out_of_order, report.missing_bytes), (1, 0));
    }

    #[test]
    fn records_of_others_are_counted_and_judged_by_nobody() {
        let report = audit(&[(P0, "hello".into()), (P0, line(0, 10))]).report();
        assert!(report.ok);
        assert_eq!(report.foreign, 1);
    }

    /// A line that arrives: where from, where it starts, its size, and how many bytes before it are said to be skipped.
    type Arriving = (SourceId, u64, u64, u64);

    /// Lines of 1 to 9 bytes that tile a stream, then any selection of them with repetitions, in any order, over two
    /// partitions, some of them with a claim on what stands before them.
    fn history() -> impl Strategy<Value = Vec<Arriving>> {
        let sizes = proptest::collection::vec(1..10_u64, 1..40);
        sizes.prop_flat_map(|sizes| {
            let mut start = 0;
            let place = |size: &u64| {
                start += size;
                (start - size, *size)
            };
            let lines: Vec<(u64, u64)> = sizes.iter().map(place).collect();
            let pick = (0..2_u32, 0..lines.len(), prop_oneof![3 => Just(0), 1 => 1..30_u64]);
            proptest::collection::vec(pick, 0..120).prop_map(move |picks| {
                let arriving = |(source, index, skipped): &(u32, usize, u64)| {
                    let (start, size) = lines[*index];
                    (SourceId(*source), start, size, (*skipped).min(start))
                };
                picks.iter().map(arriving).collect()
            })
        })
    }

    /// Lines that came after a later one of their partition, without those that were there already.
    fn late(history: &[Arriving]) -> u64 {
        let is_late = |(index, (source, start, ..)): &(usize, &Arriving)| {
            let earlier = &history[..*index];
            let is_new = !earlier.iter().any(|(_, other, ..)| other == start);
            is_new && earlier.iter().any(|(at, other, ..)| at == source && other > start)
        };
        history.iter().enumerate().filter(is_late).count() as u64
    }

    proptest! {
        #[test]
        fn agrees_with_sets_of_bytes_and_lines(history in history()) {
            let event = |(source, start, size, skipped): &Arriving| (*source, skipping(*start, *size, *skipped, "hole"));
            let report = audit(&history.iter().map(event).collect::<Vec<_>>()).report();

            let lines: BTreeSet<u64> = history.iter().map(|(_, start, ..)| *start).collect();
            let covered: BTreeSet<u64> = history.iter().flat_map(|(_, start, size, _)| *start..start + size).collect();
            let claimed: BTreeSet<u64> =
                history.iter().flat_map(|(_, start, _, skipped)| start - skipped..*start).collect();
            let missing = |byte: &u64| !covered.contains(byte) && !claimed.contains(byte);
            let end = covered.last().map_or(0, |last| last + 1);
            prop_assert_eq!(report.lines, lines.len() as u64);
            prop_assert_eq!(report.doubled, (history.len() - lines.len()) as u64);
            prop_assert_eq!(report.bytes, covered.len() as u64);
            prop_assert_eq!(report.missing_bytes, (0..end).filter(missing).count() as u64);
            prop_assert_eq!(report.streams.iter().map(|stream| stream.out_of_order).sum::<u64>(), late(&history));
            let gaps: Vec<&Gap> = report.streams.iter().flat_map(|stream| &stream.gaps).collect();
            prop_assert_eq!(gaps.iter().map(|gap| gap.size()).sum::<u64>(), end - covered.len() as u64);
            for gap in gaps {
                prop_assert!(gap.from < gap.to);
                prop_assert!((gap.from..gap.to).all(|byte| missing(&byte) == gap.reason.is_none()));
            }
        }
    }
}

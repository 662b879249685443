//! Which bytes of one stream are covered by lines.
//!
//! Kept as the opposite: the ranges below the frontier that no line covers. A stream that is read in order leaves
//! none, so that its memory does not grow with the number of its lines.

use std::collections::BTreeMap;

/// Why a range has no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A run of NUL bytes.
    Hole,
    /// Reading began behind it, as configured.
    Start,
    /// It was read and left out, as configured.
    Filtered,
    /// It could not be read or was not accepted by the broker.
    Unreadable,
    /// The topic's retention removed the records.
    Retention,
    /// The agent gave a reason that this version does not know.
    Other,
}

impl Reason {
    /// The reason that an event's `skipped_reason` names.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "hole" => Self::Hole,
            "start" => Self::Start,
            "filtered" => Self::Filtered,
            "unreadable" => Self::Unreadable,
            _ => Self::Other,
        }
    }

    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hole => "hole",
            Self::Start => "start",
            Self::Filtered => "filtered",
            Self::Unreadable => "unreadable",
            Self::Retention => "retention",
            Self::Other => "other",
        }
    }
}

/// What a range of bytes turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Lines cover all of it.
    Covered,
    /// What is not covered has a reason.
    Explained(Reason),
    /// Something in it is gone without a reason.
    Missing,
    /// Some of it lies behind everything that was seen.
    Ahead,
}

/// What a line did to the coverage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// None of its bytes were covered before.
    New,
    /// Some or all of its bytes were covered before.
    Doubled,
}

/// The covered bytes of one stream.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Everything at or above it is uncovered and unknown.
    frontier: u64,
    /// Uncovered ranges below the frontier: start to (end, reason). Disjoint and not empty.
    uncovered: BTreeMap<u64, (u64, Option<Reason>)>,
    /// Bytes covered by lines.
    bytes: u64,
}

impl Coverage {
    /// Covers `[start, end)`.
    pub fn add_line(&mut self, start: u64, end: u64) -> Arrival {
        if start >= self.frontier {
            if start > self.frontier {
                self.uncovered.insert(self.frontier, (start, None));
            }
            self.frontier = end;
            self.bytes += end - start;
            return Arrival::New;
        }
        let mut fresh = end.saturating_sub(self.frontier);
        self.frontier = self.frontier.max(end);
        for (from, to, reason) in self.overlapping(start, end) {
            self.uncovered.remove(&from);
            if from < start {
                self.uncovered.insert(from, (start, reason));
            }
            if to > end {
                self.uncovered.insert(end, (to, reason));
            }
            fresh += to.min(end) - from.max(start);
        }
        self.bytes += fresh;
        if fresh == end - start { Arrival::New } else { Arrival::Doubled }
    }

    /// Gives what is uncovered in `[start, end)` a reason, unless it has one. The range ends where a line starts that
    /// was added before.
    pub fn explain(&mut self, start: u64, end: u64, reason: Reason) {
        for (from, to, known) in self.overlapping(start, end) {
            if known.is_some() {
                continue;
            }
            self.uncovered.remove(&from);
            if from < start {
                self.uncovered.insert(from, (start, None));
            }
            self.uncovered.insert(from.max(start), (to.min(end), Some(reason)));
            if to > end {
                self.uncovered.insert(end, (to, None));
            }
        }
    }

    /// Behind the last covered byte.
    #[must_use]
    pub fn frontier(&self) -> u64 {
        self.frontier
    }

    /// Bytes covered by lines.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The uncovered ranges in order, neighbours of the same reason joined.
    #[must_use]
    pub fn gaps(&self) -> Vec<(u64, u64, Option<Reason>)> {
        let mut gaps: Vec<(u64, u64, Option<Reason>)> = Vec::with_capacity(self.uncovered.len());
        for (from, (to, reason)) in &self.uncovered {
            match gaps.last_mut() {
                Some(last) if last.1 == *from && last.2 == *reason => last.1 = *to,
                Some(_) | None => gaps.push((*from, *to, *reason)),
            }
        }
        gaps
    }

    /// What became of `[start, end)`.
    #[must_use]
    pub fn fate(&self, start: u64, end: u64) -> Fate {
        let mut fate = Fate::Covered;
        for (_, _, reason) in self.overlapping(start, end) {
            match reason {
                None => return Fate::Missing,
                Some(reason) => fate = Fate::Explained(reason),
            }
        }
        if end > self.frontier { Fate::Ahead } else { fate }
    }

    fn overlapping(&self, start: u64, end: u64) -> Vec<(u64, u64, Option<Reason>)> {
        // The last range that begins before `start` may reach into it; ranges do not overlap, so no earlier one can.
        let before = self.uncovered.range(..start).next_back().filter(|(_, (to, _))| *to > start);
        let within = self.uncovered.range(start..end);
        before.into_iter().chain(within).map(|(from, (to, reason))| (*from, *to, *reason)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_order_leave_nothing_to_remember() {
        let mut coverage = Coverage::default();
        for line in 0..1000 {
            assert_eq!(coverage.add_line(line * 10, line * 10 + 10), Arrival::New);
        }
        assert_eq!(coverage.bytes(), 10_000);
        assert!(coverage.uncovered.is_empty());
    }

    #[test]
    fn a_late_line_fills_its_gap() {
        let mut coverage = Coverage::default();
        coverage.add_line(0, 10);
        coverage.add_line(30, 40);
        assert_eq!(coverage.gaps(), [(10, 30, None)]);
        assert_eq!(coverage.add_line(15, 20), Arrival::New);
        assert_eq!(coverage.gaps(), [(10, 15, None), (20, 30, None)]);
        assert_eq!(coverage.add_line(15, 20), Arrival::Doubled);
        assert_eq!(coverage.fate(0, 10), Fate::Covered);
        assert_eq!(coverage.fate(5, 12), Fate::Missing);
        assert_eq!(coverage.fate(30, 41), Fate::Ahead);
    }

    #[test]
    fn an_overlap_is_doubled_and_covers_what_is_new() {
        let mut coverage = Coverage::default();
        coverage.add_line(0, 10);
        assert_eq!(coverage.add_line(5, 15), Arrival::Doubled);
        assert_eq!((coverage.bytes(), coverage.frontier()), (15, 15));
    }

    #[test]
    fn a_reason_holds_for_what_has_none() {
        let mut coverage = Coverage::default();
        coverage.add_line(100, 110);
        coverage.explain(40, 100, Reason::Hole);
        coverage.explain(0, 60, Reason::Start);
        assert_eq!(coverage.gaps(), [(0, 40, Some(Reason::Start)), (40, 100, Some(Reason::Hole))]);
        assert_eq!(coverage.fate(20, 30), Fate::Explained(Reason::Start));
    }
}

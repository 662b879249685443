//! What became of lines, as plain numbers: kept per block, added up per batch, settled when its fate is known.
//!
//! Every line that is read ends in exactly one [`Outcome`] or is still on its way. So at any instant
//! lines read = lines of all outcomes + lines on their way, which the simulator asserts and a user can check.

use super::times::Times;
use crate::event::{Encoded, Site};

use super::options::LogOptions;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its event is in Kafka and counts as a page view.
    PageView,
    /// Its event is in Kafka and says why it is no page view.
    Excluded,
    /// Its event is in Kafka and says that the line could not be read.
    Malformed,
    /// It has no event, because `emit` leaves it out.
    Filtered,
    /// It has no event, because that would be larger than the topic takes.
    TooLarge,
    /// What was made of it was not committed: it is read again, and counted as read again.
    Reread,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] =
        [Self::PageView, Self::Excluded, Self::Malformed, Self::Filtered, Self::TooLarge, Self::Reread];

    /// Its name for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PageView => "page_view",
            Self::Excluded => "excluded",
            Self::Malformed => "malformed",
            Self::Filtered => "filtered",
            Self::TooLarge => "too_large",
            Self::Reread => "reread",
        }
    }

    /// What a line with this event becomes once that is committed.
    #[must_use]
    pub fn of(encoded: &Encoded) -> Self {
        match encoded {
            encoded if encoded.is_malformed() => Self::Malformed,
            encoded if encoded.view => Self::PageView,
            _ => Self::Excluded,
        }
    }

    /// Whether the line has an event in Kafka.
    #[must_use]
    pub fn is_event(self) -> bool {
        matches!(self, Self::PageView | Self::Excluded | Self::Malformed)
    }
}

/// How many lines had which outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes([u64; Outcome::ALL.len()]);

impl Outcomes {
    /// Adds lines of one outcome.
    pub fn add(&mut self, outcome: Outcome, lines: u64) {
        self.0[outcome as usize] += lines;
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(outcome, lines)| self.add(outcome, lines));
    }

    /// Each outcome with its lines.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> {
        Outcome::ALL.into_iter().map(|outcome| (outcome, self.0[outcome as usize]))
    }

    /// Lines of all outcomes.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Lines that have an event in Kafka.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.iter().filter(|(outcome, _)| outcome.is_event()).map(|(_, lines)| lines).sum()
    }
}

/// What is in a block or a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Its lines, by what becomes of them if it is committed.
    pub outcomes: Outcomes,
    /// Bytes of its events.
    pub event_bytes: u64,
    /// When the lines were written, of those that say so and have an event.
    pub times: Times,
    /// Page views by the number of their site.
    page_views: Vec<u64>,
}

impl Tally {
    /// Counts a line without an event.
    pub fn leave_out(&mut self, outcome: Outcome) {
        self.outcomes.add(outcome, 1);
    }

    /// Counts a line with this event of so many bytes; `site` is the number that [`Sites`] gave its log.
    pub fn take(&mut self, encoded: &Encoded, bytes: usize, site: usize) {
        let outcome = Outcome::of(encoded);
        self.outcomes.add(outcome, 1);
        self.event_bytes += bytes as u64;
        if outcome == Outcome::PageView {
            self.add_page_views(site, 1);
        }
        if let Some(time_ms) = encoded.time_ms {
            self.times.add(time_ms, 1);
        }
    }

    /// Adds another block's.
    pub fn merge(&mut self, other: &Self) {
        self.outcomes.merge(&other.outcomes);
        self.event_bytes += other.event_bytes;
        self.times.merge(&other.times);
        for (site, page_views) in other.page_views.iter().enumerate() {
            self.add_page_views(site, *page_views);
        }
    }

    /// Page views by the number of their site.
    #[must_use]
    pub fn page_views(&self) -> &[u64] {
        &self.page_views
    }

    fn add_page_views(&mut self, site: usize, page_views: u64) {
        if self.page_views.len() <= site {
            self.page_views.resize(site + 1, 0);
        }
        self.page_views[site] += page_views;
    }
}

/// The sites that page views are counted by: those that the configuration names. What a line says about its site makes no
/// new one, because whoever sends requests could make as many as he likes.
#[derive(Clone, Debug)]
pub struct Sites {
    names: Vec<String>,
    of_log: Vec<usize>,
}

impl Sites {
    /// Of logs whose lines name their site themselves.
    const OTHER: &'static str = "other";

    /// The sites of these logs.
    #[must_use]
    pub fn new(logs: &[LogOptions]) -> Self {
        let mut sites = Self { names: vec![Self::OTHER.to_owned()], of_log: Vec::new() };
        sites.renew(logs);
        sites
    }

    /// Other logs take the place of those from before. A site keeps its number, and what was counted for it.
    pub fn renew(&mut self, logs: &[LogOptions]) {
        self.of_log.clear();
        for log in logs {
            let name = match &log.encoder.site {
                Site::Fixed(name) => name,
                Site::Line { .. } => Self::OTHER,
            };
            let known = self.names.iter().position(|known| known == name);
            let site = known.unwrap_or_else(|| {
                self.names.push(name.to_owned());
                self.names.len() - 1
            });
            self.of_log.push(site);
        }
    }

    /// The number of a log's site.
    #[must_use]
    pub fn of(&self, log: usize) -> usize {
        self.of_log[log]
    }

    /// Every site's name, by its number.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(view: bool, time_ms: Option<i64>) -> Encoded {
        Encoded { parsed: true, view, reason: None, time_ms, places: crate::event::Places::default() }
    }

    #[test]
    fn what_is_added_up_is_what_was_counted() {
        let mut block = Tally::default();
        block.take(&encoded(true, Some(64_000)), 10, 2);
        block.take(&encoded(false, None), 20, 2);
        block.leave_out(Outcome::Filtered);
        let mut batch = Tally::default();
        batch.merge(&block);
        batch.merge(&block);
        assert_eq!((batch.outcomes.lines(), batch.outcomes.events(), batch.event_bytes), (6, 4, 60));
        assert_eq!(batch.page_views(), [0, 0, 2]);
        assert_eq!(batch.times.iter().collect::<Vec<_>>(), [(64_000, 2)]);
    }

    #[test]
    fn the_names_of_outcomes_are_distinct_and_in_place() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
            assert_eq!(Outcome::ALL.iter().filter(|other| other.name() == outcome.name()).count(), 1);
        }
    }
}

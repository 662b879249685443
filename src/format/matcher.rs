//! A compiled text format, and the match of a line against it.
//!
//! A format is a literal, then variables with a literal behind each. Where a variable ends is not always told by the
//! next occurrence of its literal, because values hold spaces and brackets. So the match goes from left to right,
//! checks each value by its kind, and where something does not fit it goes back to the last variable that could have
//! ended later. The whole line must be used up. The work on one line is bounded by its length, whatever it holds.

use std::sync::Arc;

use memchr::{memchr, memmem};

use super::escape::Escape;
use super::fields::{Span, Spans};
use super::variable::Kind;

/// Work allowed per byte of a line, in bytes looked at. One variable that ends at any space costs below 20 for lines
/// made of nothing but spaces; real lines need 2.
const WORK_PER_BYTE: usize = 32;
/// Work allowed for a line beside that, so that short lines of many variables have enough.
const WORK_BASE: usize = 4096;
/// What each attempt counts, however few bytes it looks at.
const WORK_PER_ATTEMPT: usize = 8;

/// A compiled format. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    pub(super) escape: Escape,
    pub(super) lead: Arc<[u8]>,
    pub(super) steps: Arc<[Step]>,
}

/// A variable and the literal behind it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    kind: Kind,
    terminator: Box<[u8]>,
    end: End,
}

/// How the end of a variable's value is found.
#[derive(Clone, Debug)]
enum End {
    /// All values have this many bytes.
    Width(usize),
    /// The literal begins with a quote, which no value holds unescaped: the first one is the end.
    Quote,
    /// The literal begins with another byte that no value holds: the first one is the end.
    Byte(u8),
    /// The last variable: what is left of the line, but for the literal.
    Rest,
    /// Any occurrence of the literal may be the end.
    Any(Box<memmem::Finder<'static>>),
}

impl Step {
    /// A variable of `kind` with `terminator` behind it; `None` where nothing would tell its end.
    pub(super) fn new(kind: Kind, terminator: &[u8], escape: Escape, at: Order) -> Option<Self> {
        let end = match (kind.width(), terminator.first(), at) {
            (Some(width), _, _) => End::Width(width),
            (None, Some(b'"'), _) => End::Quote,
            (None, Some(&byte), _) if escape.never_writes(byte) => End::Byte(byte),
            (None, _, Order::Last) => End::Rest,
            (None, None, Order::Inner) => return None,
            (None, Some(_), Order::Inner) => End::Any(Box::new(memmem::Finder::new(terminator).into_owned())),
        };
        Some(Self { kind, terminator: terminator.into(), end })
    }

    /// Whether another end may be tried behind one that did not lead to a match.
    fn has_choice(&self) -> bool {
        matches!(self.end, End::Any(_))
    }

    /// Whether only the rest of the line tells where a value ends.
    pub(super) fn is_open(&self, escape: Escape) -> bool {
        self.has_choice() && self.kind.may_hold(&self.terminator) && !self.is_anchored(escape)
    }

    /// Whether the literal holds a byte that no value holds, which ends all doubt about what is before it.
    pub(super) fn is_anchored(&self, escape: Escape) -> bool {
        self.terminator.iter().any(|byte| *byte == b'"' || escape.never_writes(*byte))
    }

    /// Whether a value of this variable could hold the literal behind `earlier`, and so begin inside its value.
    pub(super) fn may_swallow(&self, earlier: &Self) -> bool {
        self.kind.may_hold(&earlier.terminator)
    }
}

/// Where a variable stands in its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Others follow.
    Inner,
    /// It is the last one.
    Last,
}

impl Matcher {
    /// Fills `spans` with one range per variable if the whole line is of this format.
    pub(super) fn run(&self, line: &[u8], spans: &mut Spans) -> bool {
        if !line.starts_with(&self.lead) {
            return false;
        }
        spans.prepare(self.steps.len());
        let mut attempt = Attempt {
            line,
            escape: self.escape,
            work_left: line.len().saturating_mul(WORK_PER_BYTE).saturating_add(WORK_BASE),
        };
        let (mut at, mut search_from, mut index) = (self.lead.len(), self.lead.len(), 0);
        while index < self.steps.len() || at < line.len() {
            let end =
                self.steps.get(index).and_then(|step| attempt.end_of_value(step, at, search_from, spans));
            if let Some(end) = end {
                spans.values[index] = Span { start: at, end };
                at = end + self.steps[index].terminator.len();
                (search_from, index) = (at, index + 1);
            } else {
                let Some(previous) = self.steps[..index].iter().rposition(Step::has_choice) else {
                    return false;
                };
                let Span { start, end } = spans.values[previous];
                (at, search_from, index) = (start, end + 1, previous);
            }
            if attempt.work_left == 0 {
                return false;
            }
        }
        true
    }
}

/// The match of one line.
struct Attempt<'a> {
    line: &'a [u8],
    escape: Escape,
    work_left: usize,
}

impl Attempt<'_> {
    /// Where the value that starts at `at` ends, if not before `search_from`.
    fn end_of_value(
        &mut self,
        step: &Step,
        at: usize,
        search_from: usize,
        spans: &mut Spans,
    ) -> Option<usize> {
        let rest = &self.line[at..];
        let length = match &step.end {
            End::Width(width) => Some(*width),
            End::Quote => self.escape.quote_end(rest),
            End::Byte(byte) => memchr(*byte, rest),
            End::Rest => rest.len().checked_sub(step.terminator.len()),
            End::Any(finder) => return self.next_end(step, finder, at, search_from),
        };
        self.work(length.unwrap_or(rest.len()));
        let (value, behind) = rest.split_at_checked(length?)?;
        let fits = behind.starts_with(&step.terminator) && self.holds(step, value, spans);
        fits.then_some(at + value.len())
    }

    /// The first occurrence of the literal from `search_from` that leaves a value of the right kind.
    fn next_end(
        &mut self,
        step: &Step,
        finder: &memmem::Finder<'_>,
        at: usize,
        search_from: usize,
    ) -> Option<usize> {
        let window_end = at.saturating_add(step.kind.width_max()).saturating_add(step.terminator.len());
        let window = &self.line[..window_end.min(self.line.len())];
        let mut from = search_from;
        while self.work_left > 0 {
            let found = finder.find(window.get(from..)?);
            self.work(found.unwrap_or(window.len() - from));
            let end = from + found?;
            if self.verify(step.kind, &self.line[at..end]) {
                // A value with a byte that would have been escaped is two lines glued together: no later end helps.
                let is_whole = self.escape.quote_end(&self.line[from..end]).is_none();
                return is_whole.then_some(end);
            }
            from = end + 1;
        }
        None
    }

    fn holds(&mut self, step: &Step, value: &[u8], spans: &mut Spans) -> bool {
        match step.end {
            End::Width(_) if matches!(step.kind, Kind::TimeLocal | Kind::TimeIso8601) => {
                spans.knows_time(value, |text| step.kind.verify(text))
            }
            End::Rest => self.escape.quote_end(value).is_none() && self.verify(step.kind, value),
            End::Width(_) | End::Quote | End::Byte(_) | End::Any(_) => self.verify(step.kind, value),
        }
    }

    fn verify(&mut self, kind: Kind, value: &[u8]) -> bool {
        match kind {
            Kind::Text | Kind::List => true,
            Kind::Word
            | Kind::Address
            | Kind::TimeLocal
            | Kind::TimeIso8601
            | Kind::Msec
            | Kind::Status
            | Kind::Uint
            | Kind::UintOrNone
            | Kind::Decimal
            | Kind::Id
            | Kind::Pipe => {
                self.work(value.len());
                kind.verify(value)
            }
        }
    }

    fn work(&mut self, bytes: usize) {
        self.work_left = self.work_left.saturating_sub(bytes.saturating_add(WORK_PER_ATTEMPT));
    }
}

//! What a split line gives: places of its values, without a copy.

use std::ops::Range;

use super::Format;
use super::escape::Escape;
use super::variable::{Field, Unit};

/// The longest text that may stand for "no value": `-`, and Apache's two quotes.
const ABSENT_BYTES_MAX: usize = 2;

/// The longest text of a time that is remembered.
const TIME_BYTES_MAX: usize = super::time::LOCAL_BYTES;

/// The memory that lines are split into, one after another; keeps its size, so that a line costs no allocation.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    pub(super) values: Vec<Span>,
    /// The last text that was a time: most lines show the second of the line before.
    time: [u8; TIME_BYTES_MAX],
    time_length: usize,
    /// The memory of the last regular expression, and the expression that it belongs to.
    pub(super) captures: Option<(regex::bytes::Regex, regex::bytes::CaptureLocations)>,
    /// A key of JSON with its escapes resolved.
    pub(super) key: Vec<u8>,
}

/// A place in a line, from the first byte to behind the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Spans {
    pub(super) fn prepare(&mut self, variables: usize) {
        self.values.resize(variables, Span::default());
    }

    /// As [`Self::prepare`], for dialects that need not show every variable: all are empty.
    pub(super) fn clear(&mut self, variables: usize) {
        self.values.clear();
        self.prepare(variables);
    }

    /// Whether `text` is a time: the one of the line before, or one that `verify` accepts.
    pub(super) fn knows_time(&mut self, text: &[u8], verify: impl FnOnce(&[u8]) -> bool) -> bool {
        if &self.time[..self.time_length] == text {
            return true;
        }
        if !verify(text) {
            return false;
        }
        if let Some(place) = self.time.get_mut(..text.len()) {
            place.copy_from_slice(text);
            self.time_length = text.len();
        }
        true
    }
}

/// The number of a variable in its format, from [`Format::slot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub(super) usize);

/// How the values of a variable are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writing {
    pub(super) escape: Escape,
    /// What durations count.
    pub(super) unit: Unit,
}

/// A line split by its format.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    pub(super) format: &'a Format,
    pub(super) line: &'a [u8],
    pub(super) spans: &'a [Span],
}

/// A value as the line shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    text: &'a [u8],
    escape: Escape,
    unit: Unit,
}

impl<'a> Fields<'a> {
    /// Whether the format has a well-known variable.
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.format.has(field)
    }

    /// A well-known variable's value; `None` where the format does not have it or the line shows that it is absent.
    #[must_use]
    #[inline]
    pub fn get(&self, field: Field) -> Option<Value<'a>> {
        self.at(self.format.slot_of(field)?)
    }

    /// The value of any variable of the format; `None` where the line shows that it is absent.
    #[must_use]
    #[inline]
    pub fn at(&self, slot: Slot) -> Option<Value<'a>> {
        let value = self.written(slot);
        let is_there =
            value.text.len() > ABSENT_BYTES_MAX || !self.format.is_absent(value.escape, value.text);
        is_there.then_some(value)
    }

    /// All variables in the order of the format, absent ones too: name and value as written.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let fields = *self;
        fields.format.names().enumerate().map(move |(index, name)| (name, fields.written(Slot(index))))
    }

    /// Where all variables stand in the line, in the order of the format.
    pub fn places(&self) -> impl Iterator<Item = Range<usize>> + use<'a> {
        self.spans.iter().map(|span| span.start..span.end)
    }

    #[inline]
    fn written(&self, slot: Slot) -> Value<'a> {
        let Span { start, end } = self.spans[slot.0];
        let Writing { escape, unit } = self.format.writings[slot.0];
        Value { text: &self.line[start..end], escape, unit }
    }
}

impl<'a> Value<'a> {
    /// The text in the line, with its escapes.
    #[must_use]
    pub fn text(self) -> &'a [u8] {
        self.text
    }

    /// A duration in milliseconds, whatever unit the server writes it in; `None` for what is no duration.
    #[must_use]
    pub fn milliseconds(self) -> Option<u64> {
        self.unit.milliseconds(self.text)
    }

    /// The value itself; written to `scratch` only where the line escapes something.
    pub fn decode<'b>(self, scratch: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        self.escape.decode(self.text, scratch)
    }
}

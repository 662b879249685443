//! A range of bytes of the configuration's text.

use std::ops::Range;

/// Where something stands in the text of a configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// First byte.
    start: usize,
    /// Behind the last byte.
    end: usize,
}

impl Place {
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }

    /// The same place in a text that begins so many bytes later.
    pub(super) fn shifted(self, bytes: usize) -> Self {
        Self { start: self.start + bytes, end: self.end + bytes }
    }

    /// The first byte.
    #[must_use]
    pub fn start(self) -> usize {
        self.start
    }

    /// The bytes as a range.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// Whether this is a point between two bytes.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

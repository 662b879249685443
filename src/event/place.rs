//! Where a line stands, as far as its event has to say.

/// The random name of a generation, 16 hexadecimal digits in text; given at first sight and kept for life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

impl std::fmt::Display for StreamId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// A line's place in its generation, in plain bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The generation.
    pub stream: StreamId,
    /// Where the line starts.
    pub position: u64,
    /// Bytes of the line with its terminator, so that `position + line_size` is where the next line starts.
    pub line_size: u64,
    /// Bytes directly before the line that gave no event, and why.
    pub skipped: Option<(u64, SkipReason)>,
    /// The line had no terminator when its generation ended.
    pub partial: bool,
    /// The line was longer than `max_line_size`; only its beginning is here.
    pub truncated: bool,
}

/// Why bytes before a line gave no event.
///
/// Where bytes of several kinds lie together, the last of these kinds is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// Their lines are no page views, and `emit: page_views` leaves those out.
    #[default]
    Filtered,
    /// Reading began behind them, as `start:` says.
    Start,
    /// A run of NUL bytes: a sparse file or a lost write.
    Hole,
    /// They could not be read, or their event was not accepted by the broker.
    Unreadable,
}

impl SkipReason {
    /// The word in the event's `skipped_reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hole => "hole",
            Self::Start => "start",
            Self::Filtered => "filtered",
            Self::Unreadable => "unreadable",
        }
    }
}

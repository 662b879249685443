//! Why a line is no page view.

/// The first rule that fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The line is none of its format, or its request is none.
    Malformed,
    /// The method does not count.
    Method,
    /// The path or host is excluded.
    Path,
    /// The client's address is excluded.
    InternalIp,
    /// The browser asked ahead of the reader.
    Prefetch,
    /// The status does not count.
    Status,
    /// The answer sends the client elsewhere.
    Redirect,
    /// A file that is no page.
    Static,
    /// A feed.
    Feed,
    /// A crawler.
    Bot,
    /// The answer is no page.
    ContentType,
}

impl Reason {
    /// The word in the event's `exclude_reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Method => "method",
            Self::Path => "path",
            Self::InternalIp => "internal_ip",
            Self::Prefetch => "prefetch",
            Self::Status => "status",
            Self::Redirect => "redirect",
            Self::Static => "static",
            Self::Feed => "feed",
            Self::Bot => "bot",
            Self::ContentType => "content_type",
        }
    }
}

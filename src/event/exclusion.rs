//! What is a page view, and why something is none: the rules in their order, of which the first that fires is the reason.
//!
//! Knows nothing of lines and formats: the caller says what the log shows, `None` for what it does not log. A rule whose
//! fact is not logged never fires.

use std::net::IpAddr;

use globset::{Candidate, GlobSet};

use super::rules::{Feeds, ViewRules};

/// Why a line is no page view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The line does not match its format, or its request is none.
    Malformed,
    /// The request method does not count.
    Method,
    /// The path or the host is on a list of the configuration.
    Path,
    /// The client's address is.
    InternalIp,
    /// The browser asked for it in advance.
    Prefetch,
    /// The status sends elsewhere.
    Redirect,
    /// The status does not count.
    Status,
    /// A part of a page, or a download.
    Static,
    /// For feed readers.
    Feed,
    /// The user agent is a bot's.
    Bot,
    /// The answer was no HTML.
    ContentType,
}

impl Reason {
    /// All, in the order in which the rules are asked.
    pub const ALL: [Self; 11] = [
        Self::Malformed,
        Self::Method,
        Self::Path,
        Self::InternalIp,
        Self::Prefetch,
        Self::Redirect,
        Self::Status,
        Self::Static,
        Self::Feed,
        Self::Bot,
        Self::ContentType,
    ];

    /// The reason's name in events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Method => "method",
            Self::Path => "path",
            Self::InternalIp => "internal_ip",
            Self::Prefetch => "prefetch",
            Self::Redirect => "redirect",
            Self::Status => "status",
            Self::Static => "static",
            Self::Feed => "feed",
            Self::Bot => "bot",
            Self::ContentType => "content_type",
        }
    }
}

/// What a line shows; `None` for what its format does not log, or logs as absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Whether the line, or its request, could not be read.
    pub malformed: bool,
    /// The request method.
    pub method: Option<&'a [u8]>,
    /// The path of the target as it was asked for: the log's escapes undone, percent-encoded, without query.
    pub path: Option<&'a [u8]>,
    /// What stands behind the `?`.
    pub query: Option<&'a [u8]>,
    /// The host, lower-case, without port.
    pub host: Option<&'a [u8]>,
    /// The client's address, after proxies.
    pub address: Option<IpAddr>,
    /// `Sec-Purpose` or `Purpose`.
    pub purpose: Option<&'a [u8]>,
    /// The status of the response.
    pub status: Option<u16>,
    /// The response's content type.
    pub content_type: Option<&'a [u8]>,
}

/// The rules, ready to be asked.
#[derive(Clone, Debug)]
pub struct Exclusion {
    rules: ViewRules,
}

impl Exclusion {
    /// Takes over what the rules say.
    #[must_use]
    pub fn new(rules: &ViewRules) -> Self {
        Self { rules: rules.clone() }
    }

    /// The first rule that fires; `None` for a page view. `is_bot` is asked at most once, and only if no rule before
    /// that one fires.
    pub fn first(&self, facts: &Facts<'_>, is_bot: impl FnOnce() -> bool) -> Option<Reason> {
        let mut is_bot = Some(is_bot);
        Reason::ALL.into_iter().find(|&reason| match reason {
            Reason::Bot => is_bot.take().is_some_and(|is_bot| is_bot()),
            Reason::Malformed
            | Reason::Method
            | Reason::Path
            | Reason::InternalIp
            | Reason::Prefetch
            | Reason::Redirect
            | Reason::Status
            | Reason::Static
            | Reason::Feed
            | Reason::ContentType => self.fires(reason, facts),
        })
    }

    /// All rules in their order: whether each fires, and why or why not. `bot` is the crawler's name.
    #[must_use]
    pub fn explain(&self, facts: &Facts<'_>, bot: Option<&str>) -> Vec<(Reason, bool, String)> {
        Reason::ALL
            .into_iter()
            .map(|reason| {
                let fires = if reason == Reason::Bot { bot.is_some() } else { self.fires(reason, facts) };
                (reason, fires, String::new())
            })
            .collect()
    }

    fn fires(&self, reason: Reason, facts: &Facts<'_>) -> bool {
        let rules = &self.rules;
        let counts = |status| rules.statuses.contains(&status);
        let is_redirect = |status| (300..400).contains(&status) && status != 304;
        match reason {
            Reason::Malformed => facts.malformed,
            Reason::Method => facts
                .method
                .is_some_and(|method| !rules.methods.iter().any(|counted| counted.as_bytes() == method)),
            Reason::Path => {
                facts.path.is_some_and(|path| matches(&rules.excluded_paths, path))
                    || facts.host.is_some_and(|host| matches(&rules.excluded_hosts, host))
            }
            Reason::InternalIp => facts
                .address
                .is_some_and(|address| rules.excluded_addresses.iter().any(|net| net.contains(&address))),
            Reason::Prefetch => facts.purpose.is_some_and(is_prefetch),
            Reason::Redirect => facts.status.is_some_and(|status| is_redirect(status) && !counts(status)),
            Reason::Status => facts.status.is_some_and(|status| !counts(status)),
            Reason::Static => facts.path.is_some_and(|path| self.is_static(path)),
            Reason::Feed => {
                rules.feeds == Feeds::Exclude
                    && (facts.path.is_some_and(is_feed_path) || facts.query.is_some_and(is_feed_query))
            }
            Reason::Bot => false,
            Reason::ContentType => facts.content_type.is_some_and(is_other_than_html),
        }
    }

    fn is_static(&self, path: &[u8]) -> bool {
        let extension = extension(path);
        self.rules
            .static_extensions
            .iter()
            .any(|known| extension.is_some_and(|extension| extension.eq_ignore_ascii_case(known.as_bytes())))
            || matches(&self.rules.static_paths, path)
    }
}

fn matches(globs: &GlobSet, text: &[u8]) -> bool {
    !globs.is_empty() && globs.is_match_candidate(&Candidate::from_bytes(text))
}

/// What follows the last point of the last segment.
fn extension(path: &[u8]) -> Option<&[u8]> {
    let segment = last_segment(path);
    memchr::memrchr(b'.', segment).map(|point| &segment[point + 1..])
}

fn last_segment(path: &[u8]) -> &[u8] {
    &path[memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1)..]
}

fn is_prefetch(purpose: &[u8]) -> bool {
    purpose.windows(b"prefetch".len()).any(|window| window.eq_ignore_ascii_case(b"prefetch"))
}

fn is_feed_path(path: &[u8]) -> bool {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let name = last_segment(path);
    ["feed", "rss.xml", "atom.xml", "feed.xml", "index.xml"]
        .iter()
        .any(|feed| name.eq_ignore_ascii_case(feed.as_bytes()))
        || path.eq_ignore_ascii_case(b"/rss")
        || extension(path).is_some_and(|extension| {
            extension.eq_ignore_ascii_case(b"rss") || extension.eq_ignore_ascii_case(b"atom")
        })
}

fn is_feed_query(query: &[u8]) -> bool {
    query.split(|&byte| byte == b'&').any(|pair| pair.len() > 5 && pair.starts_with(b"feed="))
}

fn is_other_than_html(content_type: &[u8]) -> bool {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    let essence = content_type[..end].trim_ascii();
    !essence.is_empty()
        && !essence.eq_ignore_ascii_case(b"text/html")
        && !essence.eq_ignore_ascii_case(b"application/xhtml+xml")
}

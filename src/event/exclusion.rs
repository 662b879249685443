//! What is a page view, and why something is none: the rules in their order, of which the first that fires is the reason.
//!
//! Knows nothing of lines and formats: the caller says what the log shows, `None` for what it does not log. A rule whose
//! fact is not logged never fires.

use std::net::IpAddr;
use std::sync::Arc;

use super::percent::{decode_within, push_readable};
use super::rules::{Feeds, Rules, ViewRules};

/// The longest path that is decoded before it is asked about; longer ones are no article's.
const DECODED_BYTES_MAX: usize = 1024;

/// Bytes that stay encoded, because they would divide the path elsewhere.
const KEPT_IN_PATH: &[u8] = b"/?#";

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
    /// Shared by all logs that have them.
    rules: Arc<Rules>,
    /// The extensions of files that are no pages, by their length.
    extensions: Vec<Extensions>,
}

/// Extensions of one length.
#[derive(Clone, Debug, Default)]
struct Extensions {
    /// Behind each other.
    texts: Vec<u8>,
    /// A bit for each first letter that one of them has: almost no page's extension begins so.
    beginnings: u32,
}

/// The bit of a first letter, whatever its case; of other bytes some bit.
fn bit_of(letter: u8) -> u32 {
    1 << (letter % 32)
}

impl Exclusion {
    /// Takes over what the rules say.
    #[must_use]
    pub fn new(rules: &Arc<Rules>) -> Self {
        let mut extensions: Vec<Extensions> = Vec::new();
        for extension in rules.views.static_extensions.iter().map(String::as_bytes) {
            let size = extension.len();
            extensions.resize(extensions.len().max(size + 1), Extensions::default());
            extensions[size].texts.extend_from_slice(extension);
            extensions[size].beginnings |= extension.first().map_or(0, |letter| bit_of(*letter));
        }
        Self { rules: Arc::clone(rules), extensions }
    }

    fn rules(&self) -> &ViewRules {
        &self.rules.views
    }

    /// The first rule that fires; `None` for a page view. `is_bot` is asked at most once, and only if no rule before
    /// that one fires.
    pub fn first(&self, facts: &Facts<'_>, is_bot: impl FnOnce() -> bool) -> Option<Reason> {
        // Room is only made for what has to be decoded: few paths are.
        if facts.path.is_some_and(|path| memchr::memchr(b'%', path).is_some()) {
            self.first_of(&facts.decoded(&mut [0; DECODED_BYTES_MAX]), is_bot)
        } else {
            self.first_of(facts, is_bot)
        }
    }

    /// As [`Self::first`], where nothing of the path is encoded.
    pub(super) fn first_of(&self, facts: &Facts<'_>, is_bot: impl FnOnce() -> bool) -> Option<Reason> {
        // In the order of `Reason::ALL`, but not as a loop over it, which would choose anew what to ask in each round.
        let fires = |reason| self.fires(reason, facts).then_some(reason);
        fires(Reason::Malformed)
            .or_else(|| fires(Reason::Method))
            .or_else(|| fires(Reason::Path))
            .or_else(|| fires(Reason::InternalIp))
            .or_else(|| fires(Reason::Prefetch))
            .or_else(|| fires(Reason::Redirect))
            .or_else(|| fires(Reason::Status))
            .or_else(|| fires(Reason::Static))
            .or_else(|| fires(Reason::Feed))
            .or_else(|| is_bot().then_some(Reason::Bot))
            .or_else(|| fires(Reason::ContentType))
    }

    /// All rules in their order: whether each fires, and why or why not. `bot` is the crawler's name.
    #[must_use]
    pub fn explain(&self, facts: &Facts<'_>, bot: Option<&str>) -> Vec<(Reason, bool, String)> {
        let mut buffer = [0; DECODED_BYTES_MAX];
        let facts = facts.decoded(&mut buffer);
        let rules = Reason::ALL.into_iter();
        let judged = rules.map(|reason| match (reason, bot) {
            (Reason::Bot, Some(bot)) => (reason, true, format!("the user agent is that of {bot}")),
            (Reason::Bot, None) => (reason, false, "no pattern of a crawler matches".to_owned()),
            _ => {
                let fires = self.fires(reason, &facts);
                (reason, fires, self.why(reason, &facts))
            }
        });
        judged.collect()
    }

    #[inline(always)]
    fn fires(&self, reason: Reason, facts: &Facts<'_>) -> bool {
        let rules = self.rules();
        let counts = |status| rules.statuses.contains(&status);
        match reason {
            Reason::Malformed => facts.malformed,
            Reason::Method => facts.method.is_some_and(|method| !self.method_counts(method)),
            Reason::Path => {
                facts.path.is_some_and(|path| rules.excluded_paths.is_match(path))
                    || facts.host.is_some_and(|host| rules.excluded_hosts.is_match(host))
            }
            Reason::InternalIp => facts
                .address
                .is_some_and(|address| rules.excluded_addresses.iter().any(|net| net.contains(&address))),
            Reason::Prefetch => facts.purpose.is_some_and(is_prefetch),
            Reason::Redirect => facts.status.is_some_and(|status| is_redirect(status) && !counts(status)),
            Reason::Status => facts.status.is_some_and(|status| !counts(status)),
            Reason::Static => facts.path.is_some_and(|path| {
                self.static_extension(path).is_some() || rules.static_paths.is_match(path)
            }),
            Reason::Feed => {
                rules.feeds == Feeds::Exclude
                    && (facts.path.is_some_and(is_feed_path) || facts.query.is_some_and(is_feed_query))
            }
            Reason::Bot => false,
            Reason::ContentType => facts.content_type.is_some_and(is_other_than_html),
        }
    }

    fn method_counts(&self, method: &[u8]) -> bool {
        self.rules().methods.iter().any(|counted| counted.as_bytes() == method)
    }

    /// The extension of a path, if it is on the list.
    fn static_extension<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        let extension = extension(path)?;
        let known = self.extensions.get(extension.len())?;
        if known.beginnings & bit_of(*extension.first()?) == 0 {
            return None;
        }
        let mut texts = known.texts.chunks_exact(extension.len());
        texts.any(|known| known.eq_ignore_ascii_case(extension)).then_some(extension)
    }

    /// Why a rule fires, or does not.
    fn why(&self, reason: Reason, facts: &Facts<'_>) -> String {
        let rules = self.rules();
        let fires = self.fires(reason, facts);
        match reason {
            Reason::Malformed if fires => "the line or its request cannot be read".to_owned(),
            Reason::Malformed => "the line and its request can be read".to_owned(),
            Reason::Method => match facts.method {
                None => not_logged("method"),
                Some(method) if fires => {
                    format!("method {} is not {}", shown(method), rules.methods.join(", "))
                }
                Some(method) => format!("method {} counts", shown(method)),
            },
            Reason::Path => self.why_path(facts),
            Reason::InternalIp => match facts.address {
                None => not_logged("client address"),
                Some(address) if fires => format!("{address} is in page_views.exclude.addresses"),
                Some(address) => format!("{address} is not in page_views.exclude.addresses"),
            },
            Reason::Prefetch => facts.purpose.map_or_else(
                || not_logged("purpose"),
                |purpose| format!("the request's purpose is {}", shown(purpose)),
            ),
            Reason::Redirect | Reason::Status => match facts.status {
                None => not_logged("status"),
                Some(status) if fires && is_redirect(status) => format!("status {status} sends elsewhere"),
                Some(status) if fires => format!("status {status} is not in page_views.statuses"),
                Some(status) if reason == Reason::Redirect => {
                    format!("status {status} is no redirect, or counts")
                }
                Some(status) => format!("status {status} counts"),
            },
            Reason::Static => self.why_static(facts),
            Reason::Feed if fires => "feed readers ask for this".to_owned(),
            Reason::Feed if rules.feeds == Feeds::Count => "feeds count by page_views.feeds".to_owned(),
            Reason::Feed => "neither path nor query is a feed's".to_owned(),
            Reason::Bot => String::new(),
            Reason::ContentType => facts.content_type.map_or_else(
                || not_logged("content type"),
                |content_type| format!("the content type is {}", shown(content_type)),
            ),
        }
    }

    fn why_path(&self, facts: &Facts<'_>) -> String {
        let Facts { path, host, .. } = facts;
        match (path, host) {
            (Some(path), _) if self.rules().excluded_paths.is_match(path) => {
                format!("{} is in page_views.exclude.paths", shown(path))
            }
            (_, Some(host)) if self.rules().excluded_hosts.is_match(host) => {
                format!("{} is in page_views.exclude.hosts", shown(host))
            }
            _ => "neither path nor host is in page_views.exclude".to_owned(),
        }
    }

    fn why_static(&self, facts: &Facts<'_>) -> String {
        let Some(path) = facts.path else {
            return not_logged("path");
        };
        match self.static_extension(path) {
            Some(extension) => format!(".{} is in page_views.static.extensions", shown(extension)),
            None if self.rules().static_paths.is_match(path) => {
                format!("{} is in page_views.static.paths", shown(path))
            }
            None => "neither the path nor its extension is in page_views.static".to_owned(),
        }
    }
}

impl<'a> Facts<'a> {
    /// The same with the path decoded.
    fn decoded(&self, buffer: &'a mut [u8]) -> Self {
        Self { path: self.path.map(|path| decode_within(path, KEPT_IN_PATH, buffer)), ..*self }
    }
}

fn not_logged(what: &str) -> String {
    format!("no {what} is logged")
}

/// A value of the line for people to read, without anything that a terminal obeys.
fn shown(value: &[u8]) -> String {
    let mut out = Vec::new();
    push_readable(value, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn is_redirect(status: u16) -> bool {
    (300..400).contains(&status) && status != 304
}

/// What follows the last point of the last segment, without the segment's parameters (`;name=value`).
fn extension(path: &[u8]) -> Option<&[u8]> {
    let is_mark = |byte: &u8| matches!(byte, b'.' | b'/' | b';');
    // Extensions are short, so that a walk from the end costs less than a search; parameters are rare.
    let mark = path.iter().rposition(is_mark)?;
    let begins_before = memchr::memrchr2(b'/', b';', &path[..mark]);
    match (path[mark], begins_before.map(|place| path[place])) {
        (b'/', _) => None,
        (b'.', None | Some(b'/')) => Some(&path[mark + 1..]),
        _ => {
            let segment = last_segment(path);
            let name = &segment[..memchr::memchr(b';', segment).unwrap_or(segment.len())];
            memchr::memrchr(b'.', name).map(|point| &name[point + 1..])
        }
    }
}

fn last_segment(path: &[u8]) -> &[u8] {
    &path[memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1)..]
}

fn is_prefetch(purpose: &[u8]) -> bool {
    purpose.windows(b"prefetch".len()).any(|window| window.eq_ignore_ascii_case(b"prefetch"))
}

/// Whether feed readers ask for such a path: by the names that blog software gives to feeds, at any depth; but for
/// `/rss` and `/atom`, which deeper down may be articles or tags about them.
fn is_feed_path(path: &[u8]) -> bool {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    // How all of these names end; almost no other path does.
    let end: Option<&[u8; 3]> = path.last_chunk();
    let end = end.map(|end| end.map(|byte| byte.to_ascii_lowercase()));
    if !matches!(end.as_ref(), Some(b"eed" | b"xml" | b"rss" | b"ss2" | b"rdf" | b"tom")) {
        return false;
    }
    let name = last_segment(path);
    let is =
        |text: &[u8], known: &[&str]| known.iter().any(|known| text.eq_ignore_ascii_case(known.as_bytes()));
    let parent = last_segment(path[..path.len() - name.len()].strip_suffix(b"/").unwrap_or_default());
    is(name, &["feed", "rss.xml", "atom.xml", "feed.xml", "index.xml"])
        || is(path, &["/rss", "/atom"])
        || (is(parent, &["feed"]) && is(name, &["rss", "rss2", "rdf", "atom"]))
        || extension(path).is_some_and(|extension| is(extension, &["rss", "atom"]))
}

/// Whether a query asks for a feed, as WordPress has it without rewritten paths: `?feed=rss2`.
fn is_feed_query(query: &[u8]) -> bool {
    query
        .split(|&byte| byte == b'&')
        .any(|pair| pair.strip_prefix(b"feed=").is_some_and(|name| !name.is_empty()))
}

fn is_other_than_html(content_type: &[u8]) -> bool {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    let essence = content_type[..end].trim_ascii();
    !matches!(essence, b"" | b"-")
        && !essence.eq_ignore_ascii_case(b"text/html")
        && !essence.eq_ignore_ascii_case(b"application/xhtml+xml")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use super::{Exclusion, Facts, Reason};
    use crate::event::globs::Globs;
    use crate::event::rules::{Feeds, Rules, ViewRules};

    /// Takes away what a rule fires at.
    type Repair = fn(&mut Facts<'_>);

    fn view(path: &'static str) -> Facts<'static> {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        Facts {
            method: Some(b"GET"),
            path: Some(path.as_bytes()),
            query: query.map(str::as_bytes),
            host: Some(b"blog.example.com"),
            address: Some([192, 0, 2, 7].into()),
            status: Some(200),
            ..Facts::default()
        }
    }

    fn exclusion(views: &ViewRules) -> Exclusion {
        Exclusion::new(&Arc::new(Rules { views: views.clone(), ..Rules::default() }))
    }

    fn check(rules: &ViewRules, facts: &Facts<'_>, expect: Option<Reason>) {
        let exclusion = exclusion(rules);
        assert_eq!(exclusion.first(facts, || false), expect, "{facts:?}");
        let explained = exclusion.explain(facts, None);
        assert_eq!(
            explained.iter().find(|(_, fires, _)| *fires).map(|(reason, ..)| *reason),
            expect,
            "{facts:?}"
        );
        assert!(explained.iter().all(|(_, _, why)| !why.is_empty()), "{explained:?}");
    }

    fn check_path(path: &'static str, expect: Option<Reason>) {
        check(&ViewRules::default(), &view(path), expect);
    }

    #[test]
    fn the_first_rule_in_the_order_of_the_contract_is_the_reason() {
        let rules = ViewRules {
            excluded_paths: Globs::new(&["/admin/**"]).unwrap(),
            excluded_addresses: vec!["192.0.2.0/24".parse().unwrap()],
            ..ViewRules::default()
        };
        let mut facts = Facts {
            malformed: true,
            method: Some(b"POST"),
            path: Some(b"/admin/feed/x.css"),
            query: Some(b"a=b"),
            address: Some([192, 0, 2, 7].into()),
            purpose: Some(b"prefetch"),
            status: Some(302),
            content_type: Some(b"text/css"),
            ..Facts::default()
        };
        let repairs: [(Reason, Repair); 9] = [
            (Reason::Malformed, |facts| facts.malformed = false),
            (Reason::Method, |facts| facts.method = Some(b"GET")),
            (Reason::Path, |facts| facts.path = Some(b"/feed/x.css")),
            (Reason::InternalIp, |facts| facts.address = None),
            (Reason::Prefetch, |facts| facts.purpose = None),
            (Reason::Redirect, |facts| facts.status = Some(404)),
            (Reason::Status, |facts| facts.status = Some(304)),
            (Reason::Static, |facts| facts.path = Some(b"/feed")),
            (Reason::Feed, |facts| facts.path = Some(b"/")),
        ];
        let exclusion = exclusion(&rules);
        for (reason, repair) in repairs {
            assert_eq!(exclusion.first(&facts, || true), Some(reason));
            repair(&mut facts);
        }
        assert_eq!(exclusion.first(&facts, || true), Some(Reason::Bot));
        assert_eq!(exclusion.first(&facts, || false), Some(Reason::ContentType));
        facts.content_type = Some(b"text/html");
        assert_eq!(exclusion.first(&facts, || false), None);
    }

    #[test]
    fn the_bot_is_looked_up_only_when_it_matters() {
        let asked = Cell::new(0);
        let is_bot = || {
            asked.set(asked.get() + 1);
            true
        };
        let exclusion = exclusion(&ViewRules::default());
        assert_eq!(exclusion.first(&view("/a.css"), is_bot), Some(Reason::Static));
        assert_eq!(asked.get(), 0);
        assert_eq!(exclusion.first(&view("/a"), is_bot), Some(Reason::Bot));
        assert_eq!(asked.get(), 1);
    }

    #[test]
    fn what_is_not_logged_excludes_nothing() {
        check(&ViewRules::default(), &Facts::default(), None);
        let dashes = Facts { content_type: Some(b"-"), purpose: Some(b"-"), ..view("/") };
        check(&ViewRules::default(), &dashes, None);
    }

    #[test]
    fn methods_and_statuses_that_count_are_configured() {
        let rules = ViewRules {
            methods: vec!["GET".to_owned(), "POST".to_owned()],
            statuses: vec![200, 301],
            ..ViewRules::default()
        };
        for (method, status, by_default, by_rules) in [
            ("GET", 200, None, None),
            ("get", 200, Some(Reason::Method), Some(Reason::Method)),
            ("HEAD", 200, Some(Reason::Method), Some(Reason::Method)),
            ("POST", 200, Some(Reason::Method), None),
            ("GET", 304, None, Some(Reason::Status)),
            ("GET", 301, Some(Reason::Redirect), None),
            ("GET", 308, Some(Reason::Redirect), Some(Reason::Redirect)),
            ("GET", 206, Some(Reason::Status), Some(Reason::Status)),
            ("GET", 404, Some(Reason::Status), Some(Reason::Status)),
            ("GET", 0, Some(Reason::Status), Some(Reason::Status)),
            ("GET", 499, Some(Reason::Status), Some(Reason::Status)),
        ] {
            let facts = Facts { method: Some(method.as_bytes()), status: Some(status), ..view("/") };
            check(&ViewRules::default(), &facts, by_default);
            check(&rules, &facts, by_rules);
        }
    }

    #[test]
    fn lists_of_paths_hosts_and_addresses() {
        let rules = ViewRules {
            excluded_paths: Globs::new(&["/admin/**", "/关于/*"]).unwrap(),
            excluded_hosts: Globs::new(&["*.internal"]).unwrap(),
            excluded_addresses: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            ..ViewRules::default()
        };
        check(&rules, &view("/admin/a/b"), Some(Reason::Path));
        check(&rules, &view("/%61dmin/a"), Some(Reason::Path));
        check(&rules, &view("/%E5%85%B3%E4%BA%8E/x"), Some(Reason::Path));
        check(&rules, &view("/administrators"), None);
        check(&rules, &Facts { host: Some(b"ci.internal"), ..view("/") }, Some(Reason::Path));
        check(&rules, &Facts { host: Some(b"internal.example.com"), ..view("/") }, None);
        check(&rules, &Facts { address: Some([10, 1, 2, 3].into()), ..view("/") }, Some(Reason::InternalIp));
        let v6 = "2001:db8::1".parse().unwrap();
        check(&rules, &Facts { address: Some(v6), ..view("/") }, Some(Reason::InternalIp));
        check(&rules, &view("/"), None);
    }

    #[test]
    fn pages_asked_for_in_advance() {
        for (purpose, expect) in [
            ("prefetch", Some(Reason::Prefetch)),
            ("prefetch;prerender", Some(Reason::Prefetch)),
            ("Prefetch", Some(Reason::Prefetch)),
            ("", None),
            ("-", None),
            ("preview", None),
        ] {
            check(&ViewRules::default(), &Facts { purpose: Some(purpose.as_bytes()), ..view("/") }, expect);
        }
    }

    #[test]
    fn files_that_are_no_pages() {
        for path in [
            "/a.css",
            "/A.JPEG",
            "/a/b.min.js?v=1",
            "/a%2Ecss",
            "/a.css;jsessionid=1",
            "/robots.txt",
            "/favicon.ico",
            "/sitemap.xml",
            "/sitemap-posts.xml.gz",
            "/.well-known/security.txt",
            "/a.webmanifest",
        ] {
            check_path(path, Some(Reason::Static));
        }
        for path in [
            "/",
            "/a.html",
            "/a.css/",
            "/a.css/b",
            "/css",
            "/a.",
            "/v1.2",
            "/?a.css",
            "/a.xml",
            "/a.css%2Fb",
            "/a.csss",
        ] {
            check_path(path, None);
        }
        let rules = ViewRules { static_extensions: vec!["xml".to_owned()], ..ViewRules::default() };
        check(&rules, &view("/a.css"), None);
        check(&rules, &view("/feed.xml"), Some(Reason::Static));
    }

    #[test]
    fn feeds_are_excluded_by_themselves() {
        for path in [
            "/feed",
            "/feed/",
            "/2026/post/feed/",
            "/feed/atom/",
            "/rss",
            "/rss/",
            "/rss.xml",
            "/atom.xml",
            "/feed.xml",
            "/index.xml",
            "/posts/index.xml",
            "/news.rss",
            "/news.Atom",
            "/?feed=rss2",
            "/index.php?p=1&feed=atom",
        ] {
            check_path(path, Some(Reason::Feed));
            check(&ViewRules { feeds: Feeds::Count, ..ViewRules::default() }, &view(path), None);
        }
        for path in ["/tags/rss", "/feeds", "/my-feed", "/feed/me", "/?feed=", "/?newsfeed=1", "/rss.html"] {
            check_path(path, None);
        }
    }

    #[test]
    fn answers_other_than_html() {
        for (content_type, expect) in [
            ("text/html", None),
            ("Text/HTML; charset=utf-8", None),
            ("application/xhtml+xml", None),
            ("", None),
            ("application/json", Some(Reason::ContentType)),
            ("text/html5", Some(Reason::ContentType)),
        ] {
            let facts = Facts { content_type: Some(content_type.as_bytes()), ..view("/") };
            check(&ViewRules::default(), &facts, expect);
        }
    }

    #[test]
    fn an_explanation_has_every_rule_and_nothing_that_a_terminal_obeys() {
        let facts = Facts { method: Some(b"\x1b[31m"), ..view("/a.css") };
        let explained = exclusion(&ViewRules::default()).explain(&facts, Some("Googlebot"));
        let reasons: Vec<_> = explained.iter().map(|(reason, ..)| *reason).collect();
        assert_eq!(reasons, Reason::ALL);
        let fired: Vec<_> =
            explained.iter().filter(|(_, fires, _)| *fires).map(|(_, _, why)| why.as_str()).collect();
        assert_eq!(
            fired,
            [
                "method %1B[31m is not GET",
                ".css is in page_views.static.extensions",
                "the user agent is that of Googlebot"
            ]
        );
    }
}

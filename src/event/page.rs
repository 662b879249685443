//! What is one page: the key under which the views of an article are counted.
//!
//! Two ways to ask for the same page give one key, and the key of a key is the key itself (article rules apart, whose
//! keys the owner of the site makes up). Keys are UTF-8, at most [`PAGE_BYTES_MAX`] bytes, and hold no character that
//! makes a text look like another. Most paths need no change: they are recognised and copied.

use regex::{CaptureLocations, Regex};

use super::percent::{decode, decoded, push_encoded, push_readable};
use super::rules::{ArticleRule, PageRules, TrailingSlash};
use super::text::any_pair;
use crate::format::request::Target;

/// The longest key in bytes: longer than any path that people write, short enough for a key in a database.
pub const PAGE_BYTES_MAX: usize = 1024;

/// What is read of a target: more than any server takes without being told to (Apache and nginx take 8 KiB).
const TARGET_BYTES_MAX: usize = 16 * 1024;

/// Bytes that stay encoded in a path, where they would end or divide it; `%` does so everywhere.
const KEPT_IN_PATH: &[u8] = b"/?#";

/// Bytes that stay encoded in the value of a parameter: separators, and the `+` that stands for a space.
const KEPT_IN_QUERY: &[u8] = b"&#+";

/// What application servers append to a path instead of a cookie.
const SESSION: &[u8] = b";jsessionid=";

/// One step on the way to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageStep {
    /// What was done.
    pub what: String,
    /// What came out.
    pub key: String,
}

/// Makes page keys; keeps its buffers, so that a key costs no allocation.
#[derive(Clone, Debug)]
pub struct PageKeys {
    /// In the order of their names.
    query: Vec<Parameter>,
    index: Vec<Vec<u8>>,
    trailing_slash: TrailingSlash,
    articles: Vec<Article>,
    key: Vec<u8>,
    spare: Vec<u8>,
}

/// A parameter that stays in the key.
#[derive(Clone, Debug)]
struct Parameter {
    name: Vec<u8>,
    /// The name as it is written in a key.
    written: Vec<u8>,
}

/// An article rule, compiled.
#[derive(Clone, Debug)]
struct Article {
    pattern: Regex,
    found: CaptureLocations,
    page: Vec<Piece>,
}

/// A piece of the key that an article rule makes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The number of a capture.
    Capture(usize),
    /// A name that the pattern does not have; it stays as it is written.
    Unknown(String),
}

impl PageKeys {
    /// Compiles the rules.
    #[must_use]
    pub fn new(rules: &PageRules) -> Self {
        let mut query: Vec<_> = rules.query.iter().map(|name| Parameter::new(name)).collect();
        query.sort_by(|left, right| left.name.cmp(&right.name));
        query.dedup_by(|left, right| left.name == right.name);
        Self {
            query,
            index: rules.index.iter().map(|name| readable(name.as_bytes())).collect(),
            trailing_slash: rules.trailing_slash,
            articles: rules.articles.iter().map(Article::new).collect(),
            key: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Appends the key of a target (the log's escapes undone, absolute form too) to `out`; nothing where there is none.
    pub fn write(&mut self, target: &[u8], out: &mut Vec<u8>) {
        let target = shortened(target);
        let path_size = memchr::memchr2(b'?', b'#', target).unwrap_or(target.len());
        let has_query = !self.query.is_empty() && path_size < target.len();
        let plain = if has_query { None } else { self.plain(&target[..path_size]) };
        match plain {
            Some(key) if self.articles.is_empty() => {
                out.extend_from_slice(key);
                return;
            }
            Some(key) => {
                self.key.clear();
                self.key.extend_from_slice(key);
                self.apply_articles(&mut None);
            }
            None => self.make(target, &mut None),
        }
        out.extend_from_slice(&self.key);
    }

    /// The steps that change something on the way to the key of a target; the last has the key.
    pub fn explain(&mut self, target: &[u8]) -> Vec<PageStep> {
        let mut steps = Vec::new();
        self.make(shortened(target), &mut Some(&mut steps));
        steps
    }

    /// The key of a target where it is a part of that, which is seen without a copy: no rule of the configuration asks for more
    /// than the path, and that has nothing to change.
    pub(super) fn part_of<'a>(&self, target: &Target<'a>) -> Option<&'a [u8]> {
        let is_path_alone = self.query.is_empty() || target.query.is_none();
        if is_path_alone && self.articles.is_empty() { self.plain(target.path) } else { None }
    }

    /// The key of a path of printable ASCII that has nothing to change, but for a slash at its end that goes.
    fn plain<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        let without_slash = || path.strip_suffix(b"/").filter(|path| !path.is_empty());
        let path = match self.trailing_slash {
            TrailingSlash::Strip => without_slash().unwrap_or(path),
            TrailingSlash::Keep => path,
        };
        if path.first() != Some(&b'/') || path.len() > PAGE_BYTES_MAX || any_pair(path, is_to_change) {
            return None;
        }
        let last_goes = path.ends_with(b"/") && path.len() > 1 && self.trailing_slash == TrailingSlash::Strip;
        (!last_goes && !self.ends_in_index(path)).then_some(path)
    }

    /// Whether the last segment of a path is the name of an index document.
    fn ends_in_index(&self, path: &[u8]) -> bool {
        self.index.iter().filter(|index| !index.is_empty()).any(|index| {
            // Where the name would have to begin, almost no path has a slash.
            let slash = path.len().checked_sub(index.len() + 1);
            slash.is_some_and(|slash| path[slash] == b'/' && path[slash + 1..] == index[..])
        })
    }

    /// Makes the key of a target in `key`.
    fn make(&mut self, target: &[u8], steps: &mut Steps<'_>) {
        self.normalise(target, steps);
        if !self.key.starts_with(b"/") {
            return;
        }
        if self.key.len() > PAGE_BYTES_MAX {
            // The end of a cut key can look like something that a step removes.
            let mut cut = std::mem::take(&mut self.key);
            cut.truncate(boundary(&cut, PAGE_BYTES_MAX));
            self.normalise(&cut, &mut None);
            note(steps, &self.key, || format!("cut to at most {PAGE_BYTES_MAX} bytes"));
        }
        self.apply_articles(steps);
    }

    /// Makes the key without its limit and without article rules.
    fn normalise(&mut self, target: &[u8], steps: &mut Steps<'_>) {
        self.key.clear();
        let Some(path) = path_of(target) else {
            return;
        };
        if !path.starts_with(b"/") {
            // `*` of OPTIONS, `host:port` of CONNECT, or the key that an article rule made: no path to normalise.
            push_readable(path, &mut self.key);
            self.key.truncate(boundary(&self.key, PAGE_BYTES_MAX));
            note(steps, &self.key, || "not a path: taken as it is".to_owned());
            return;
        }
        note(steps, path, || "path of the request".to_owned());
        self.decode_path(path);
        note(steps, &self.key, || "percent-decoded once".to_owned());
        self.merge_segments();
        note(steps, &self.key, || "empty and dot segments and session ids removed".to_owned());
        self.finish_path(steps);
        if let Some(query) = query_of(target) {
            self.push_query(query);
            note(steps, &self.key, || "listed parameters of the query kept".to_owned());
        }
    }

    fn decode_path(&mut self, path: &[u8]) {
        self.spare.clear();
        decode(path, KEPT_IN_PATH, &mut self.spare);
        push_readable(&self.spare, &mut self.key);
    }

    /// Removes what does not lead anywhere: empty segments, `.`, `..` with what it leaves, session ids.
    fn merge_segments(&mut self) {
        let Self { key, spare: path, .. } = self;
        std::mem::swap(key, path);
        key.clear();
        let mut is_directory = false;
        for segment in path[1..].split(|&byte| byte == b'/') {
            let parent_size = key.len();
            key.push(b'/');
            push_without_session(segment, key);
            is_directory = true;
            match &key[parent_size + 1..] {
                b"" | b"." => key.truncate(parent_size),
                b".." => {
                    key.truncate(parent_size);
                    key.truncate(memchr::memrchr(b'/', key).unwrap_or(0));
                }
                _ => is_directory = false,
            }
        }
        if is_directory {
            key.push(b'/');
        }
    }

    /// Removes the name of an index document, and the slash at the end if it goes.
    fn finish_path(&mut self, steps: &mut Steps<'_>) {
        loop {
            let name_start = memchr::memrchr(b'/', &self.key).map_or(0, |slash| slash + 1);
            let name_is_index = self.is_index(&self.key[name_start..]);
            if name_is_index {
                self.key.truncate(name_start);
                note(steps, &self.key, || "index document is its directory".to_owned());
            }
            if self.trailing_slash == TrailingSlash::Keep {
                return;
            }
            if self.key.len() > 1 && self.key.ends_with(b"/") {
                self.key.pop();
                note(steps, &self.key, || "slash at the end removed".to_owned());
            } else if !name_is_index {
                return;
            }
        }
    }

    fn is_index(&self, name: &[u8]) -> bool {
        !name.is_empty() && self.index.iter().any(|index| index == name)
    }

    /// Appends the parameters that stay, in the order of their names.
    fn push_query(&mut self, query: &[u8]) {
        let Self { query: parameters, key, spare, .. } = self;
        let mut separator = b'?';
        for parameter in parameters.iter() {
            for pair in query.split(|&byte| byte == b'&') {
                let (name, value) = pair.split_at(memchr::memchr(b'=', pair).unwrap_or(pair.len()));
                if key.len() > PAGE_BYTES_MAX || !parameter.is_named(name) {
                    continue;
                }
                key.push(separator);
                separator = b'&';
                key.extend_from_slice(&parameter.written);
                spare.clear();
                decode(value, KEPT_IN_QUERY, spare);
                if value.len() > 1 {
                    spare.iter_mut().filter(|byte| **byte == b'+').for_each(|plus| *plus = b' ');
                    push_readable(spare, key);
                }
            }
        }
    }

    /// Replaces the key by that of the first article rule that matches.
    fn apply_articles(&mut self, steps: &mut Steps<'_>) {
        let Self { articles, key, spare, .. } = self;
        if articles.is_empty() {
            return;
        }
        let Ok(text) = std::str::from_utf8(key) else {
            return;
        };
        spare.clear();
        let Some(rule) = articles.iter_mut().filter_map(|article| article.matching(text)).next() else {
            return;
        };
        rule.push(text, spare);
        spare.truncate(boundary(spare, PAGE_BYTES_MAX));
        if !spare.is_empty() {
            std::mem::swap(key, spare);
            note(steps, key, || format!("article rule {}", rule.pattern));
        }
    }
}

/// The names in braces of an article rule's `page` that are no captures of its pattern.
#[must_use]
pub fn unknown_captures(rule: &ArticleRule) -> Vec<String> {
    let pieces = pieces(rule).into_iter();
    pieces.filter_map(|piece| if let Piece::Unknown(name) = piece { Some(name) } else { None }).collect()
}

/// Where steps are written down, if anybody wants them.
type Steps<'a> = Option<&'a mut Vec<PageStep>>;

/// Writes a step down, but for one that changed nothing.
fn note(steps: &mut Steps<'_>, key: &[u8], what: impl FnOnce() -> String) {
    let Some(steps) = steps else {
        return;
    };
    let key = String::from_utf8(readable(key)).unwrap_or_default();
    if steps.last().is_none_or(|last| last.key != key) {
        steps.push(PageStep { what: what(), key });
    }
}

impl Parameter {
    fn new(name: &str) -> Self {
        let mut written = Vec::new();
        for &byte in name.as_bytes() {
            if b"&#+=%".contains(&byte) { push_encoded(byte, &mut written) } else { written.push(byte) }
        }
        let written = readable(&written);
        Self { name: name.as_bytes().to_vec(), written }
    }

    /// Whether an encoded name is this one.
    fn is_named(&self, encoded: &[u8]) -> bool {
        let mut rest = encoded;
        for &wanted in &self.name {
            let (byte, size) = match (decoded(rest), rest.first()) {
                (Some(byte), _) => (byte, 3),
                (None, Some(b'+')) => (b' ', 1),
                (None, Some(&byte)) => (byte, 1),
                (None, None) => return false,
            };
            if byte != wanted {
                return false;
            }
            rest = &rest[size..];
        }
        rest.is_empty()
    }
}

impl Article {
    fn new(rule: &ArticleRule) -> Self {
        let pattern = rule.pattern.clone();
        Self { found: pattern.capture_locations(), page: pieces(rule), pattern }
    }

    /// The rule itself, if it matches.
    fn matching(&mut self, path: &str) -> Option<&Self> {
        self.pattern.captures_read(&mut self.found, path)?;
        Some(self)
    }

    /// Appends the key of a path that has just matched.
    fn push(&self, path: &str, out: &mut Vec<u8>) {
        for piece in &self.page {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Capture(number) => {
                    let (start, end) = self.found.get(*number).unwrap_or_default();
                    out.extend_from_slice(&path.as_bytes()[start..end]);
                }
                Piece::Unknown(name) => out.extend([b"{", name.as_bytes(), b"}"].concat()),
            }
        }
    }
}

fn pieces(rule: &ArticleRule) -> Vec<Piece> {
    let capture_names: Vec<_> = rule.pattern.capture_names().collect();
    let mut pieces = Vec::new();
    let mut rest = rule.page.as_str();
    while let Some((text, (name, after))) =
        rest.split_once('{').and_then(|(text, behind)| Some((text, behind.split_once('}')?)))
    {
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        let by_name = capture_names.iter().position(|capture| *capture == Some(name));
        let by_number = || name.parse().ok().filter(|number: &usize| *number < capture_names.len());
        pieces
            .push(by_name.or_else(by_number).map_or_else(|| Piece::Unknown(name.to_owned()), Piece::Capture));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}

/// Whether the key of a path is another because of a byte or the one before it: an escape, a parameter, an empty segment, one
/// that begins with a point, or what is no printable ASCII.
#[inline]
fn is_to_change(before: u8, byte: u8) -> bool {
    !(b' '..0x7F).contains(&byte)
        | (byte == b'%')
        | (byte == b';')
        | ((before == b'/') & ((byte == b'/') | (byte == b'.')))
}

fn shortened(target: &[u8]) -> &[u8] {
    &target[..target.len().min(TARGET_BYTES_MAX)]
}

/// The path of a target, or what it has instead of one. Something that still has a user before it is split again, so
/// that what comes out is what it will be read as.
fn path_of(target: &[u8]) -> Option<&[u8]> {
    let mut path = Target::split(target)?.path;
    loop {
        let again = if path.starts_with(b"/") { path } else { Target::split(path)?.path };
        if again.len() == path.len() {
            return Some(path);
        }
        path = again;
    }
}

fn query_of(target: &[u8]) -> Option<&[u8]> {
    let target = &target[..memchr::memchr(b'#', target).unwrap_or(target.len())];
    memchr::memchr(b'?', target).map(|mark| &target[mark + 1..])
}

/// Appends a segment without the parameters that name a session.
fn push_without_session(segment: &[u8], out: &mut Vec<u8>) {
    let mut rest = segment;
    while let Some(start) = memchr::memchr(b';', rest) {
        out.extend_from_slice(&rest[..start]);
        rest = &rest[start..];
        let end = memchr::memchr(b';', &rest[1..]).map_or(rest.len(), |next| next + 1);
        if !rest.get(..SESSION.len()).is_some_and(|name| name.eq_ignore_ascii_case(SESSION)) {
            out.extend_from_slice(&rest[..end]);
        }
        rest = &rest[end..];
    }
    out.extend_from_slice(rest);
}

/// The longest cut of a key that divides neither a character nor a `%HH`.
fn boundary(key: &[u8], size_max: usize) -> usize {
    if key.len() <= size_max {
        return key.len();
    }
    let mut end = size_max;
    while end > 0 && key[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    let escape = key[end.saturating_sub(2)..end].iter().position(|&byte| byte == b'%');
    escape.map_or(end, |place| end.saturating_sub(2) + place)
}

fn readable(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_readable(bytes, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use regex::Regex;

    use super::{PAGE_BYTES_MAX, PageKeys, PageStep, unknown_captures};
    use crate::event::rules::{ArticleRule, PageRules, TrailingSlash};

    fn rules(query: &[&str]) -> PageRules {
        PageRules { query: query.iter().map(|&name| name.to_owned()).collect(), ..PageRules::default() }
    }

    fn article(pattern: &str, page: &str) -> ArticleRule {
        ArticleRule { pattern: Regex::new(pattern).unwrap(), page: page.to_owned() }
    }

    fn key_of(keys: &mut PageKeys, target: impl AsRef<[u8]>) -> String {
        let mut out = b"before".to_vec();
        keys.write(target.as_ref(), &mut out);
        String::from_utf8(out.split_off("before".len())).unwrap()
    }

    fn check(target: &str, expect: &str) {
        assert_eq!(key_of(&mut PageKeys::new(&PageRules::default()), target), expect, "{target}");
    }

    fn check_query(target: &str, expect: &str) {
        assert_eq!(key_of(&mut PageKeys::new(&rules(&["p", "id", "a b"])), target), expect, "{target}");
    }

    #[test]
    fn what_is_the_same_page_has_one_key() {
        for (target, expect) in [
            ("/", "/"),
            ("/posts/a.html", "/posts/a.html"),
            ("/posts/a.html?utm_source=x#top", "/posts/a.html"),
            ("/posts/a.html#top?x", "/posts/a.html"),
            ("http://blog.example.com/a?b", "/a"),
            ("https://user:pass@blog.example.com", "/"),
            ("//a///b//", "/a/b"),
            ("/a/./b/../c", "/a/c"),
            ("/../../a", "/a"),
            ("/a/..", "/"),
            ("/a/b/.", "/a/b"),
            ("/%2e%2E/a/%2e/b", "/a/b"),
            ("/a/...", "/a/..."),
            ("/.well-known/x", "/.well-known/x"),
            ("/a;jsessionid=1F", "/a"),
            ("/a;v=1;JSESSIONID=1F;w=2/b", "/a;v=1;w=2/b"),
            ("/a%3Bjsessionid=1F/", "/a"),
            ("/a/..;jsessionid=1/b", "/b"),
            ("/a/;jsessionid=1/b", "/a/b"),
            ("/a;jsessionids", "/a;jsessionids"),
        ] {
            check(target, expect);
        }
    }

    #[test]
    fn percent_encoding_is_undone_where_it_means_nothing() {
        for (target, expect) in [
            ("/%61%20b", "/a b"),
            ("/%E5%85%B3%E4%BA%8E", "/关于"),
            ("/关于", "/关于"),
            ("/a%2fb%3fc%23d%25e", "/a%2Fb%3Fc%23d%25e"),
            ("/a%252Fb", "/a%252Fb"),
            ("/%e5%85/x", "/%E5%85/x"),
            ("/100%", "/100%25"),
            ("/%%36%31", "/%2561"),
        ] {
            check(target, expect);
        }
        assert_eq!(key_of(&mut PageKeys::new(&PageRules::default()), b"/\xFF\xE5\x85\xB3"), "/%FF关");
    }

    #[test]
    fn control_and_bidirectional_characters_stay_encoded() {
        check("/a%00%0Ab\u{7}", "/a%00%0Ab%07");
        check("/%E2%80%AEgpj.exe", "/%E2%80%AEgpj.exe");
        check("/x\u{2067}y", "/x%E2%81%A7y");
        check("*\u{202E}\n", "*%E2%80%AE%0A");
    }

    #[test]
    fn an_index_document_is_its_directory() {
        for (target, expect) in [
            ("/index.html", "/"),
            ("/a/index.php?p=1", "/a"),
            ("/a/index.html;jsessionid=1", "/a"),
            ("/a/index.html/index.htm", "/a"),
            ("/a/index.html/", "/a"),
            ("/a/Index.html", "/a/Index.html"),
            ("/a/my-index.html", "/a/my-index.html"),
        ] {
            check(target, expect);
        }
    }

    #[test]
    fn the_slash_at_the_end_can_stay() {
        let mut keys =
            PageKeys::new(&PageRules { trailing_slash: TrailingSlash::Keep, ..PageRules::default() });
        for (target, expect) in [
            ("/a/", "/a/"),
            ("/a", "/a"),
            ("/a//", "/a/"),
            ("/a/index.html", "/a/"),
            ("/a/b/..", "/a/"),
            ("/", "/"),
        ] {
            assert_eq!(key_of(&mut keys, target), expect, "{target}");
        }
    }

    #[test]
    fn listed_parameters_stay_in_the_order_of_their_names() {
        for (target, expect) in [
            ("/?p=7&utm_source=x&id=3", "/?id=3&p=7"),
            ("/?p=7&p=6", "/?p=7&p=6"),
            ("/index.php?p=7", "/?p=7"),
            ("/?p", "/?p"),
            ("/?p=", "/?p"),
            ("/?P=7&pp=1&&=", "/"),
            ("/?%70=7", "/?p=7"),
            ("/?p=a%20b+c", "/?p=a b c"),
            ("/?a+b=1", "/?a b=1"),
            ("/?a%20b=1", "/?a b=1"),
            ("/?p=a%26id=3", "/?p=a%26id=3"),
            ("/?p=a=b?c/d", "/?p=a=b?c/d"),
            ("/?p=%2B%2541%E2%80%AE", "/?p=%2B%2541%E2%80%AE"),
            ("/?x#?p=1", "/"),
            ("http://h/a/?p=1", "/a?p=1"),
        ] {
            check_query(target, expect);
        }
    }

    #[test]
    fn article_rules_make_keys_of_captures_and_the_first_wins() {
        let mut keys = PageKeys::new(&PageRules {
            query: vec!["p".to_owned()],
            articles: vec![
                article(r"^/posts/(?P<slug>[^/]+)\.html$", "post:{slug}"),
                article(r"^/\?p=(\d+)$", "post:{1}"),
                article(r"^/posts/", "list"),
                article(r"^/amp(?P<path>/.*)$", "{path}{nothing}"),
                article(r"^/empty(?P<rest>.*)$", "{rest}"),
            ],
            ..PageRules::default()
        });
        for (target, expect) in [
            ("/posts/%E5%85%B3.html", "post:关"),
            ("/posts//a.html?utm_medium=x", "post:a"),
            ("/?p=12", "post:12"),
            ("/posts/2024/a.html", "list"),
            ("/amp/x", "/x{nothing}"),
            ("/empty", "/empty"),
            ("/other", "/other"),
            ("post:关", "post:关"),
        ] {
            assert_eq!(key_of(&mut keys, target), expect, "{target}");
        }
    }

    #[test]
    fn captures_that_a_pattern_lacks_are_found() {
        let rule = article(r"^/(?P<slug>.*)$", "{slug}{1}{0}{slag}{2}{}{");
        assert_eq!(unknown_captures(&rule), ["slag", "2", ""]);
    }

    #[test]
    fn what_is_no_path_is_taken_as_it_is() {
        for (target, expect) in [
            ("", ""),
            ("*", "*"),
            ("example.com:443", "example.com:443"),
            ("user:pass@example.com:443", "example.com:443"),
            ("a@http://b//c/", "/c"),
            ("?p=1", ""),
        ] {
            check(target, expect);
        }
    }

    #[test]
    fn a_key_has_a_limit_that_divides_nothing() {
        let mut keys = PageKeys::new(&PageRules::default());
        let fill = "a".repeat(PAGE_BYTES_MAX - 2);
        for (target, expect) in [
            (format!("/{fill}关"), format!("/{fill}")),
            (format!("/{fill}%FF"), format!("/{fill}")),
            (format!("/{fill}b"), format!("/{fill}b")),
            (format!("/{fill}/b"), format!("/{fill}")),
            (format!("/{}/..b", &fill[3..]), "/".to_owned() + &fill[3..] + "/..b"),
            (format!("/{}/..bcd", &fill[2..]), "/".to_owned()),
            ("/a".repeat(1 << 19), "/a".repeat(PAGE_BYTES_MAX / 2)),
        ] {
            assert_eq!(key_of(&mut keys, &target), expect);
        }
        let mut doubling =
            PageKeys::new(&PageRules { articles: vec![article("^.*$", "{0}{0}")], ..PageRules::default() });
        assert_eq!(key_of(&mut doubling, "/x".repeat(400)).len(), PAGE_BYTES_MAX);
    }

    #[test]
    fn the_steps_that_change_something_are_told() {
        let mut keys =
            PageKeys::new(&PageRules { articles: vec![article("^/a/(.+)$", "post:{1}")], ..rules(&["p"]) });
        let steps = keys.explain(b"http://h//a/%62/index.html?p=1&q=2");
        let steps: Vec<_> =
            steps.iter().map(|PageStep { what, key }| (what.as_str(), key.as_str())).collect();
        assert_eq!(
            steps,
            [
                ("path of the request", "//a/%62/index.html"),
                ("percent-decoded once", "//a/b/index.html"),
                ("empty and dot segments and session ids removed", "/a/b/index.html"),
                ("index document is its directory", "/a/b/"),
                ("slash at the end removed", "/a/b"),
                ("listed parameters of the query kept", "/a/b?p=1"),
                ("article rule ^/a/(.+)$", "post:b?p=1"),
            ]
        );
        assert_eq!(keys.explain(b"/x").len(), 1);
        assert!(keys.explain(b"").is_empty());
    }

    /// Targets of the pieces that steps look for, and of any bytes.
    fn targets() -> impl Strategy<Value = Vec<u8>> {
        let piece = select(vec![
            "/",
            "//",
            ".",
            "..",
            "%2e",
            "%2F",
            "%",
            "%2",
            "5",
            "41",
            "%25",
            ";jsessionid=",
            ";",
            "index.html",
            "a",
            "关",
            "%E5%85%B3",
            "%E2%80%AE",
            "%FF",
            "?",
            "&",
            "=",
            "+",
            "#",
            "p",
            "id",
            "p=",
            "@",
            ":",
            "://",
            "http",
            " ",
            "\u{1}",
            "\u{202E}",
            "%3B",
            "%3F",
            "%26",
        ]);
        let pieces = vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes());
        let rooted = pieces.clone().prop_map(|rest| [b"/".as_slice(), &rest].concat());
        let long = (rooted.clone(), 1_000..1_030_usize)
            .prop_map(|(rest, size)| [b"/".as_slice(), &vec![b'x'; size], &rest].concat());
        prop_oneof![rooted, long, pieces, vec(any::<u8>(), 0..64)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn the_key_of_a_key_is_the_key(target in targets(), keep in any::<bool>(), query in any::<bool>()) {
            let mut rules = rules(if query { &["p", "id", "%&= "] } else { &[] });
            rules.trailing_slash = if keep { TrailingSlash::Keep } else { TrailingSlash::Strip };
            let mut keys = PageKeys::new(&rules);
            let key = key_of(&mut keys, &target);
            prop_assert!(key.len() <= PAGE_BYTES_MAX);
            prop_assert!(!key.chars().any(char::is_control));
            prop_assert_eq!(&key_of(&mut keys, &key), &key);
        }

        #[test]
        fn the_explanation_ends_with_the_key(target in targets()) {
            let mut keys = PageKeys::new(&rules(&["p"]));
            let key = key_of(&mut keys, &target);
            let explained = keys.explain(&target).pop().map_or_else(String::new, |step| step.key);
            prop_assert_eq!(explained, key);
        }
    }
}

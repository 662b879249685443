//! A compiled text format, and the match of a line against it.
//!
//! A format is a literal, then variables with a literal behind each. Where a variable ends is not always told by the
//! next occurrence of its literal, because values hold spaces and brackets. So the match goes from left to right,
//! checks each value by its kind, and where something does not fit it goes back to the last variable that could have
//! ended later. The whole line must be used up. The work on one line is bounded by its length, whatever it holds.

use std::sync::Arc;

use memchr::memchr;

use super::escape::Escape;
use super::fields::{Span, Spans};
use super::variable::Kind;

/// Work allowed per byte of a line, in bytes looked at. One variable that ends at any space costs below 20 for lines
/// made of nothing but spaces; real lines need 2.
const WORK_PER_BYTE: usize = 32;
/// Work allowed for a line beside that, so that short lines of many variables have enough.
const WORK_BASE: usize = 4096;
/// So many bytes are looked at one by one before memchr is called: that call costs as much as they do, and what ends an address,
/// a user or a number is near.
const NEAR_BYTES: usize = 16;
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
    /// Any occurrence of the literal, which begins with this byte, may be the end.
    Any(u8),
}

impl Step {
    /// A variable of `kind` with `terminator` behind it; `None` where nothing would tell its end.
    pub(super) fn new(kind: Kind, terminator: &[u8], escape: Escape, at: Order) -> Option<Self> {
        let end = match (kind.width(), terminator.first(), at) {
            (Some(width), _, _) => End::Width(width),
            (None, Some(b'"'), _) if escape.guards_quotes() => End::Quote,
            (None, Some(&byte), _) if escape.never_writes(byte) => End::Byte(byte),
            (None, _, Order::Last) => End::Rest,
            (None, None, Order::Inner) => return None,
            (None, Some(&byte), Order::Inner) => End::Any(byte),
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
        self.terminator
            .iter()
            .any(|byte| (*byte == b'"' && escape.guards_quotes()) || escape.never_writes(*byte))
    }

    /// Whether the literal behind this variable holds a byte that no value of `earlier` holds.
    pub(super) fn is_beyond(&self, earlier: &Self) -> bool {
        self.terminator.iter().any(|byte| !earlier.kind.may_hold(std::slice::from_ref(byte)))
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
        self.run_straight(line, spans) || self.run_with_choice(line, spans)
    }

    /// The match of almost all lines: each value ends at the first place where it could, and the line with the last. That is
    /// what [`Self::run_with_choice`] finds in this case too, which keeps account of its work. `false` says nothing of a line.
    fn run_straight(&self, line: &[u8], spans: &mut Spans) -> bool {
        let mut at = self.lead.len();
        for (index, step) in self.steps.iter().enumerate() {
            let rest = &line[at..];
            let length = match step.end {
                End::Width(width) => Some(width),
                End::Quote => self.escape.quote_end(rest),
                End::Byte(byte) => memchr(byte, rest),
                End::Rest => rest.len().checked_sub(step.terminator.len()),
                End::Any(first) => near(first, rest),
            };
            let split = length.and_then(|length| rest.split_at_checked(length));
            let Some((value, behind)) = split else { return false };
            if !begins_with(behind, &step.terminator) || !self.fits_straight(step, value, spans) {
                return false;
            }
            let end = at + value.len();
            spans.values[index] = Span { start: at, end };
            at = end + step.terminator.len();
        }
        at == line.len()
    }

    #[inline]
    fn fits_straight(&self, step: &Step, value: &[u8], spans: &mut Spans) -> bool {
        if matches!(step.kind, Kind::TimeLocal | Kind::TimeIso8601) {
            return spans.knows_time(value, |text| step.kind.verify(text));
        }
        let is_unquoted = matches!(step.end, End::Any(_) | End::Rest);
        (!is_unquoted || is_whole(self.escape, value)) && step.kind.verify(value)
    }

    fn run_with_choice(&self, line: &[u8], spans: &mut Spans) -> bool {
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
            End::Any(first) => return self.next_end(step, *first, at, search_from),
        };
        self.work(length.unwrap_or(rest.len()));
        let (value, behind) = rest.split_at_checked(length?)?;
        let fits = begins_with(behind, &step.terminator) && self.holds(step, value, spans);
        fits.then_some(at + value.len())
    }

    /// The first occurrence of the literal (which begins with `first`) from `search_from` that leaves a value of the
    /// right kind.
    fn next_end(&mut self, step: &Step, first: u8, at: usize, search_from: usize) -> Option<usize> {
        let window_end = at.saturating_add(step.kind.width_max()).saturating_add(step.terminator.len());
        let window = &self.line[..window_end.min(self.line.len())];
        let mut from = search_from;
        while self.work_left > 0 {
            let rest = window.get(from..)?;
            let found = near(first, rest);
            self.work(found.unwrap_or(rest.len()));
            let end = from + found?;
            if begins_with(&rest[end - from..], &step.terminator)
                && self.verify(step.kind, &self.line[at..end])
            {
                // A value with a byte that would have been escaped is two lines glued together: no later end helps.
                let is_whole = is_whole(self.escape, &self.line[search_from..end]);
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
            End::Rest => is_whole(self.escape, value) && self.verify(step.kind, value),
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
            | Kind::StatusOrNone
            | Kind::Time
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

/// Whether no byte of an unquoted value would have been escaped. Apache writes an empty user as two quotes.
fn is_whole(escape: Escape, value: &[u8]) -> bool {
    !escape.guards_everywhere()
        || near(b'"', value).is_none()
        || escape.quote_end(value).is_none()
        || (escape == Escape::Apache && value == b"\"\"")
}

/// As `memchr`, for what is near as a rule.
fn near(byte: u8, text: &[u8]) -> Option<usize> {
    let (begin, rest) = text.split_at(text.len().min(NEAR_BYTES));
    let found = begin.iter().position(|other| *other == byte);
    found.or_else(|| Some(begin.len() + memchr(byte, rest)?))
}

/// As `starts_with`, without the call that a comparison of unknown length costs: literals have a few bytes.
fn begins_with(text: &[u8], literal: &[u8]) -> bool {
    text.len() >= literal.len() && text.iter().zip(literal).all(|(byte, expect)| byte == expect)
}

#[cfg(test)]
mod tests {
    use crate::format::{Escape, Format, Spans};

    /// Shows the values joined by `|`.
    fn split(format: &Format, line: &str) -> Option<String> {
        let mut spans = Spans::default();
        let fields = format.split(line.as_bytes(), &mut spans)?;
        let texts = fields.iter().map(|(_, value)| String::from_utf8_lossy(value.text()).into_owned());
        Some(texts.collect::<Vec<_>>().join("|"))
    }

    fn check(template: &str, line: &str, expect: Option<&str>) {
        let format = Format::nginx(template, Escape::Default).unwrap();
        assert_eq!(split(&format, line).as_deref(), expect, "{template} {line}");
    }

    fn check_json(template: &str, line: &str, expect: Option<&str>) {
        let format = Format::nginx(template, Escape::Json).unwrap();
        assert_eq!(split(&format, line).as_deref(), expect, "{template} {line}");
    }

    /// Puts a user into a combined line; the other values are as expected.
    fn check_user(user: &str, fits: bool) {
        let rest = r#"[22/Nov/2026:10:13:39 +0000] "GET / HTTP/1.1" 200 612 "-" "curl/8""#;
        let expect = fits
            .then(|| format!("127.0.0.1|{user}|22/Nov/2026:10:13:39 +0000|GET / HTTP/1.1|200|612|-|curl/8"));
        assert_eq!(split(&Format::combined(), &format!("127.0.0.1 - {user} {rest}")), expect, "{user}");
    }

    #[test]
    fn users_with_spaces_and_brackets() {
        check_user("-", true);
        check_user("", true);
        check_user("alice", true);
        check_user("al ice [x]", true);
        check_user("a [ [ [[ b", true);
        check_user("x [22/Nov/2026:10:13:39 +0000", true);
        check_user("x [22/Nov/2026:10:13:39 +0000] ", true);
        check_user("x [22/Nov/2026:10:13:39 +0000] 'GET / HTTP/1.1' 200 1", true);
        check_user(&" [".repeat(4000), true);
        check_user(&" [22/Nov/2026:10:13:39 +0000]".repeat(300), true);
        check_user(r#"a"b"#, false);
    }

    #[test]
    fn torn_and_glued_lines_do_not_fit() {
        let line = r#"127.0.0.1 - - [22/Nov/2026:10:13:39 +0000] "GET / HTTP/1.1" 200 612 "-" "curl/8""#;
        let combined = Format::combined();
        assert!(split(&combined, line).is_some());
        for cut in 0..line.len() {
            assert_eq!(split(&combined, &line[..cut]), None, "{}", &line[..cut]);
            // Before the request, the cut line and the next one together are a line with a strange user.
            if line[..cut].contains('"') {
                assert_eq!(split(&combined, &format!("{}{line}", &line[..cut])), None, "{}", &line[..cut]);
            }
        }
        assert_eq!(split(&combined, &format!("{line} ")), None);
        assert_eq!(split(&combined, &format!("{line}\"")), None);
        assert_eq!(split(&combined, &format!("\0{line}")), None);
    }

    #[test]
    fn oddities_of_requests_and_addresses() {
        for request in
            ["", "-", r"\x16\x03\x01\x00\xA5", "GET /nine", "GET /a b c HTTP/1.1", "FOO / HTTP/1.1"]
        {
            for address in ["192.0.2.1", "2001:db8::1", "unix:"] {
                let line = format!(r#"{address} - - [22/Nov/2026:10:13:39 +0000] "{request}" 009 0 "-" "-""#);
                let expect = format!("{address}|-|22/Nov/2026:10:13:39 +0000|{request}|009|0|-|-");
                assert_eq!(split(&Format::combined(), &line), Some(expect));
            }
        }
    }

    #[test]
    fn typed_variables_find_their_end_behind_what_looks_like_it() {
        check("$remote_addr:$remote_port $status", "192.0.2.1:5 200", Some("192.0.2.1|5|200"));
        check("$remote_addr:$remote_port $status", "2001:db8::1:5 200", Some("2001:db8::1|5|200"));
        check("$remote_addr:$remote_port $status", "1::2:3:44 200", Some("1::2:3|44|200"));
        check("$remote_addr:$remote_port $status", "unix:: 200", Some("unix:||200"));
        check("$http_x $status", "a 200 404", Some("a 200|404"));
        check("$http_x-$status-", "a-200-404-", Some("a-200|404"));
        check("$status$pipe$request_time", "200p0.002", Some("200|p|0.002"));
        check("$status $http_x", "200 rest of the line", Some("200|rest of the line"));
    }

    #[test]
    fn lists_and_unquoted_values() {
        let template = r#"$upstream_status $upstream_response_time $request_time "$request""#;
        check(template, r#"502 0.1 0.2 "x""#, Some("502|0.1|0.2|x"));
        check(
            "$upstream_response_time $request_time",
            "0.002, 0.000 : - 0.004",
            Some("0.002, 0.000 : -|0.004"),
        );
        check("\"$upstream_status\" $status", "\"502, 502\" 502", Some("502, 502|502"));
        check("$http_x\t$status", "a b\t200", Some("a b|200"));
        check("$http_x\t$status", "a\tb\t200", None);
    }

    #[test]
    fn json_shaped_formats_need_not_be_json() {
        let template = r#"{"urt":$upstream_response_time,"ua":"$http_user_agent","st":$status}"#;
        check_json(template, r#"{"urt":,"ua":"a\"b\\","st":200}"#, Some(r#"|a\"b\\|200"#));
        check_json(template, r#"{"urt":0.1, 0.2,"ua":"","st":200}"#, Some("0.1, 0.2||200"));
        check_json(template, r#"{"urt":,"ua":"x","st":200,"st":404}"#, None);
        check_json(template, r#"{"urt":,"ua":"x"y","st":200}"#, None);
        check_json(template, r#"{"urt":,"ua":"x\","st":200}"#, None);
        check(template, r#"{"urt":-,"ua":"a\x22b","st":200}"#, Some(r"-|a\x22b|200"));
        check_json(r#"{"a":"$http_a","b":$http_b}"#, r#"{"a":"1","b":x}y}"#, Some("1|x}y"));
        check_json(r#"{"a":"$http_a","b":$http_b}"#, r#"{"a":"1","b":2,"c":"3"}"#, None);
    }

    #[test]
    fn hostile_lines_cost_a_bounded_time() {
        let format = Format::nginx("$http_a $http_b $http_c $host-$http_d $status", Escape::Default).unwrap();
        for line in
            [" ".repeat(1 << 20), "a ".repeat(1 << 19), "-".repeat(1 << 20), "a - 200 ".repeat(1 << 17)]
        {
            let mut spans = Spans::default();
            // Without the bound, this would run for years: that it ends is the assertion.
            assert!(format.split(line.as_bytes(), &mut spans).is_none());
        }
    }
}

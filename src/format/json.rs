//! Lines that are real JSON: one object each, whose values are found by their paths.
//!
//! A small scanner of its own, because it must give places in the line instead of copies. It checks the whole line, so
//! that a torn or glued one does not fit, in one pass whose work is bounded by the line's length.

use std::ops::Range;
use std::sync::Arc;

use super::escape::Escape;
use super::fields::{Span, Spans};
use super::template::{Advice, FormatError, Remark, absences, remark};
use super::variable::{Field, Kind, Unit, misspelled};

/// Far deeper than any log, and shallow enough for the stack.
const DEPTH_MAX: usize = 64;

const JSON: Advice = Advice {
    example: "write `{json: {time: ts, request_uri: path}}`",
    time: "`time` to the map",
    request: "`request` or `request_uri` to the map",
};

/// A compiled field map. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Map {
    /// The tree of keys; the first node is the line's object.
    nodes: Arc<[Node]>,
    entries: Arc<[Entry]>,
    /// How many entries are variables; those behind them stand in for one that a line does not have.
    variables: usize,
}

#[derive(Debug, Default)]
struct Node {
    children: Vec<(Box<[u8]>, usize)>,
    entries: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    /// The variable that it is for: its own number, but for stand-ins.
    variable: usize,
    /// Of several lines of this header, only the last is sure to be the nearest proxy's.
    takes_last: bool,
    /// Without any of these a line is no request's.
    is_request: bool,
}

/// A compiled map and what it shows.
pub(super) struct Compiled {
    pub(super) map: Map,
    pub(super) names: Vec<String>,
    pub(super) units: Vec<Unit>,
    pub(super) warnings: Vec<Remark>,
}

/// Compiles pairs of a variable's name and the path of its key. A name that comes again stands in where a line does not
/// have the first. Places of remarks are the number of the pair.
pub(super) fn compile(pairs: &[(&str, &str)]) -> Result<Compiled, FormatError> {
    let mut errors = Vec::new();
    let (mut names, mut units) = (Vec::<String>::new(), Vec::new());
    let (mut first, mut later) = (Vec::new(), Vec::new());
    for (index, (name, path)) in pairs.iter().enumerate() {
        let lower = name.to_ascii_lowercase();
        let (meant, unit) = Unit::of(&lower);
        if let Err(message) = check(meant, path) {
            errors.push(remark(index..index + 1, message));
        }
        let known = names.iter().position(|known| known == meant);
        let entry = Entry::new(meant, known.unwrap_or(names.len()));
        if known.is_some() {
            later.push((*path, entry));
        } else {
            names.push(meant.to_owned());
            units.push(unit);
            first.push((*path, entry));
        }
    }
    if pairs.is_empty() {
        errors.push(remark(0..0, format!("the map is empty: {}", JSON.example)));
    }
    if !errors.is_empty() {
        return Err(FormatError { remarks: errors });
    }
    let mut warnings = absences(|name| names.iter().any(|known| known == name), "", &JSON);
    for warning in &mut warnings {
        warning.span = 0..0;
    }
    let variables = first.len();
    Ok(Compiled { map: Map::new(first.into_iter().chain(later), variables), names, units, warnings })
}

/// Whether a name of a map or of a regular expression's group can be meant, and a path be found.
fn check(name: &str, path: &str) -> Result<(), String> {
    check_name(name)?;
    if path.split('.').any(str::is_empty) {
        return Err(format!("the path of {name} has an empty key: write the keys with one dot between them"));
    }
    Ok(())
}

/// Whether a name can be meant.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if let Some(meant) = misspelled(name) {
        return Err(format!("no variable is called {name}: did you mean `{meant}`?"));
    }
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name { Ok(()) } else { Err(format!("{name:?} is no variable's name: use letters, digits and `_`")) }
}

impl Entry {
    fn new(name: &str, variable: usize) -> Self {
        let requests = [Field::Request, Field::RequestUri, Field::Uri, Field::RequestMethod];
        Self {
            kind: Kind::meant_by(name),
            variable,
            takes_last: matches!(name, "http_x_forwarded_for" | "http_forwarded"),
            is_request: requests.iter().any(|field| field.name() == name),
        }
    }
}

impl Map {
    fn new<'a>(pairs: impl Iterator<Item = (&'a str, Entry)>, variables: usize) -> Self {
        let mut nodes = vec![Node::default()];
        let mut entries = Vec::new();
        for (path, entry) in pairs {
            let mut at = 0;
            for key in path.split('.') {
                let known = nodes[at].child(key.as_bytes());
                at = known.unwrap_or_else(|| {
                    nodes.push(Node::default());
                    let child = nodes.len() - 1;
                    nodes[at].children.push((key.as_bytes().into(), child));
                    child
                });
            }
            nodes[at].entries.push(entries.len());
            entries.push(entry);
        }
        Self { nodes: nodes.into(), entries: entries.into(), variables }
    }

    /// Fills `spans` with one range per variable if the whole line is one object whose values are of the right kinds.
    pub(super) fn run(&self, line: &[u8], spans: &mut Spans) -> bool {
        spans.clear(self.entries.len());
        let key = std::mem::take(&mut spans.key);
        let mut scan = Scan { map: self, line, at: 0, values: &mut spans.values, key };
        let fits = scan.line().is_some();
        spans.key = scan.key;
        fits && self.settle(line, spans)
    }

    /// Lets stand-ins stand in, and checks kinds.
    fn settle(&self, line: &[u8], spans: &mut Spans) -> bool {
        for (index, entry) in self.entries.iter().enumerate().skip(self.variables) {
            let span = spans.values[index];
            let place = &mut spans.values[entry.variable];
            if place.start == place.end {
                *place = span;
            }
        }
        spans.values.truncate(self.variables);
        let mut wants_request = false;
        let mut has_request = false;
        for (entry, span) in self.entries.iter().zip(&spans.values) {
            let value = &line[span.start..span.end];
            if !Escape::JsonText.is_absent(value) && !entry.kind.verify(value) {
                return false;
            }
            wants_request |= entry.is_request;
            has_request |= entry.is_request && !value.is_empty();
        }
        has_request || (!wants_request && spans.values.iter().any(|span| span.start < span.end))
    }
}

impl Node {
    fn child(&self, key: &[u8]) -> Option<usize> {
        self.children.iter().find(|(known, _)| **known == *key).map(|(_, child)| *child)
    }
}

/// The pass over one line. `None` of its methods means that the line is not of this format.
struct Scan<'a> {
    map: &'a Map,
    line: &'a [u8],
    at: usize,
    values: &'a mut [Span],
    key: Vec<u8>,
}

impl Scan<'_> {
    fn line(&mut self) -> Option<()> {
        self.blanks();
        self.expect(b'{')?;
        self.object(Some(0), 0)?;
        self.blanks();
        (self.at == self.line.len()).then_some(())
    }

    /// The members of an object behind its brace. `node` is where its keys are looked up, if anything in it is wanted.
    fn object(&mut self, node: Option<usize>, depth: usize) -> Option<()> {
        self.blanks();
        if self.take(b'}') {
            return Some(());
        }
        loop {
            self.blanks();
            self.expect(b'"')?;
            let key = self.string()?;
            let child = node.and_then(|node| self.lookup(node, key));
            self.blanks();
            self.expect(b':')?;
            self.value(child, depth)?;
            self.blanks();
            if self.take(b'}') {
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    /// A key may hold dots itself: each part goes one step down.
    fn lookup(&mut self, node: usize, key: Range<usize>) -> Option<usize> {
        let key = Escape::JsonText.decode(&self.line[key], &mut self.key);
        key.split(|byte| *byte == b'.').try_fold(node, |node, part| self.map.nodes[node].child(part))
    }

    fn value(&mut self, node: Option<usize>, depth: usize) -> Option<()> {
        self.blanks();
        let span = match self.line.get(self.at)? {
            b'{' | b'[' if depth == DEPTH_MAX => return None,
            b'{' => {
                self.at += 1;
                return self.object(node, depth + 1);
            }
            b'[' => {
                self.at += 1;
                return self.array(node, depth + 1);
            }
            b'"' => {
                self.at += 1;
                self.string()?
            }
            _ => self.scalar()?,
        };
        node.map_or(Some(()), |node| self.keep(node, span))
    }

    fn array(&mut self, node: Option<usize>, depth: usize) -> Option<()> {
        self.blanks();
        if self.take(b']') {
            return Some(());
        }
        let mut is_first = true;
        loop {
            self.blanks();
            let start = self.at;
            self.value(None, depth)?;
            if let Some(node) = node {
                self.keep_element(node, start..self.at, is_first)?;
            }
            is_first = false;
            self.blanks();
            if self.take(b']') {
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    /// Remembers a value where it is wanted. A key that comes twice would let a writer without escapes be deceived.
    fn keep(&mut self, node: usize, span: Range<usize>) -> Option<()> {
        for entry in &self.map.nodes[node].entries {
            let place = &mut self.values[*entry];
            if place.start < place.end {
                return None;
            }
            *place = Span { start: span.start, end: span.end };
        }
        Some(())
    }

    /// The first element of a list, or the last, where it is a text or a number.
    fn keep_element(&mut self, node: usize, element: Range<usize>, is_first: bool) -> Option<()> {
        let span = match self.line[element.start] {
            b'{' | b'[' => return Some(()),
            b'"' => element.start + 1..element.end - 1,
            _ => element,
        };
        if is_first {
            return self.keep(node, span);
        }
        for entry in &self.map.nodes[node].entries {
            if self.map.entries[*entry].takes_last {
                self.values[*entry] = Span { start: span.start, end: span.end };
            }
        }
        Some(())
    }

    /// What stands between the quotes, from behind the first.
    fn string(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let length = Escape::JsonText.quote_end(self.line.get(start..)?)?;
        let text = &self.line[start..start + length];
        if text.iter().any(|byte| *byte < b' ') || !has_valid_escapes(text) {
            return None;
        }
        self.at = start + length + 1;
        Some(start..start + length)
    }

    /// A number or one of the three words; `null` is an empty range.
    fn scalar(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        let length = self.line[start..].iter().take_while(is_part).count();
        let text = &self.line[start..start + length];
        self.at = start + length;
        match text {
            b"null" => Some(start..start),
            b"true" | b"false" => Some(start..self.at),
            _ => is_number(text).then_some(start..self.at),
        }
    }

    fn blanks(&mut self) {
        while matches!(self.line.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.line.get(self.at) == Some(&byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }
}

fn has_valid_escapes(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let length = match rest.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') if rest.get(at + 2..at + 6).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit)) => {
                6
            }
            _ => return false,
        };
        rest = &rest[at + length..];
    }
    true
}

fn is_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (number, exponent) = match memchr::memchr2(b'e', b'E', text) {
        Some(mark) => (&text[..mark], Some(&text[mark + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = match memchr::memchr(b'.', number) {
        Some(point) => (&number[..point], Some(&number[point + 1..])),
        None => (number, None),
    };
    let is_digits = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let unsigned =
        |text: &[u8]| is_digits(text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text));
    is_digits(whole)
        && (whole.len() == 1 || whole[0] != b'0')
        && fraction.is_none_or(is_digits)
        && exponent.is_none_or(unsigned)
}

#[cfg(test)]
mod tests {
    use crate::format::{Field, Format, Spans};

    fn check(pairs: &[(&str, &str)], line: &str, expect: Option<&[&str]>) {
        let format = Format::json(pairs).unwrap();
        let mut spans = Spans::default();
        let fields = format.split(line.as_bytes(), &mut spans);
        let read = fields.map(|fields| {
            let shown = |(_, value): (_, crate::format::Value<'_>)| {
                String::from_utf8_lossy(value.decode(&mut Vec::new())).into_owned()
            };
            fields.iter().map(shown).collect::<Vec<_>>()
        });
        assert_eq!(
            read.as_deref(),
            expect.map(|it| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()).as_deref(),
            "{line}"
        );
    }

    #[test]
    fn values_are_found_by_their_paths() {
        let pairs =
            [("request_uri", "req.uri"), ("status", "http.status"), ("http_user_agent", "h.User-Agent")];
        check(
            &pairs,
            r#"{"req":{"uri":"/"},"http.status":200,"h":{"User-Agent":["a","b"]}}"#,
            Some(&["/", "200", "a"]),
        );
        check(&pairs, r#" { "x" : [ {"y":[]}, 1.5e+3 ] , "req.uri" : "\u002f" } "#, Some(&["/", "", ""]));
        check(
            &pairs,
            r#"{"req":{"uri":"\ud83d\ude00"},"http":{"status":null},"h":true}"#,
            Some(&["😀", "", ""]),
        );
        check(&pairs, r#"{"\u0072eq":{"uri":"/","uri2":"x"},"h":{"User-Agent":[]}}"#, Some(&["/", "", ""]));
        check(&[("http_x_forwarded_for", "x")], r#"{"x":["forged","192.0.2.1"]}"#, Some(&["192.0.2.1"]));
    }

    #[test]
    fn what_is_not_one_object_does_not_fit() {
        let pairs = [("request_uri", "u"), ("status", "s")];
        for line in [
            "",
            "{",
            "{}",
            "[]",
            "x",
            r#"{"u":"/"}{"u":"/"}"#,
            r#"{"u":"/"} x"#,
            r#"{"u":"/",}"#,
            r#"{"u":"/""#,
            r#"{"u":"/"#,
            r#"{"u":"\x"}"#,
            r#"{"u":"\u12"}"#,
            "{\"u\":\"\t\"}",
            r#"{"u":"/","s":"abc"}"#,
            r#"{"u":"/","s":01}"#,
            r#"{"u":"/","s":1.}"#,
            r#"{"u":"/","s":tru}"#,
            r#"{"u":"/","u":"/forged"}"#,
            r#"{"s":200}"#,
            r#"{"u":"/","s":}"#,
            r#"{u:"/"}"#,
            r#"{"u":"/" "s":1}"#,
            r#"{"u":"/","a":[1,]}"#,
        ] {
            check(&pairs, line, None);
        }
        check(&pairs, &format!(r#"{{"u":"/","d":{}{}}}"#, "[".repeat(1 << 19), "]".repeat(1 << 19)), None);
        let (written, meant) = ("\\".repeat(1 << 20), "\\".repeat(1 << 19));
        check(&pairs, &format!(r#"{{"u":"{written}"}}"#), Some(&[&meant, ""]));
    }

    #[test]
    fn names_are_checked() {
        for (name, path, words) in [
            ("remote_adr", "a", "did you mean `remote_addr`"),
            ("a b", "a", "letters, digits"),
            ("status", "a..b", "empty key"),
        ] {
            let error = Format::json(&[("request_uri", "u"), (name, path)]).unwrap_err();
            assert_eq!(error.remarks[0].span, 1..2);
            assert!(error.remarks[0].message.contains(words), "{error}");
        }
        assert!(Format::json(&[]).is_err());
        assert_eq!(Format::json(&[("tenant", "a")]).unwrap().warnings().len(), 2);
    }

    #[test]
    fn units_go_with_names() {
        let format = Format::json(&[("request_uri", "u"), ("request_time_ns", "d")]).unwrap();
        let mut spans = Spans::default();
        let fields = format.split(br#"{"u":"/","d":1234567890}"#, &mut spans).unwrap();
        assert_eq!(fields.get(Field::RequestTime).unwrap().milliseconds(), Some(1234));
    }
}

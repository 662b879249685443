//! The places of all values, and the bounds that keep parsing cheap. The home of `saphyr_parser`.
//!
//! Looks at events one at a time and stops at the first that is out of bounds, so that no text can cost more than
//! its length: anchors and aliases are refused before anything is expanded, depth before anything recurses.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::finding::Finding;
use super::place::Place;
use super::secret::is_secret_key;
use super::source::ConfigSource;

/// agent.yaml needs 5 levels; twice that and a margin leaves room for what is to come.
const DEPTH_MAX: usize = 16;

/// The scanner keeps every open bracket in mind until it is closed, and looks at all of them for each token: the work
/// is at most brackets times bytes, and this many steps take about a second. A file of 3000 logs stays below.
const BRACKET_STEPS_MAX: usize = 2_000_000_000;

/// What a scan gives.
#[derive(Default)]
pub(super) struct Scan {
    /// One place per node, in the order in which the nodes begin.
    pub places: Vec<Place>,
    /// Values that must not be shown.
    pub secrets: Vec<Place>,
    /// Why the scan stopped before the end.
    pub stopped: Option<Stop>,
}

/// Why a text is not scanned to its end.
pub(super) enum Stop {
    /// It is YAML, but of a kind that is not accepted.
    Refused(Finding),
    /// It is not YAML: where, and what the scanner says.
    Syntax(Place, String),
}

/// Finds the places of all nodes.
pub(super) fn scan(source: &ConfigSource) -> Scan {
    let text = source.text();
    if let Some(bracket) = bracket_too_many(text) {
        let fact = "there are more brackets before this one than can be read in bounded time";
        let finding =
            Finding::error(bracket, fact, "write lists and mappings as indented lines, without brackets");
        return Scan { stopped: Some(Stop::Refused(finding)), ..Scan::default() };
    }
    let mut scanner =
        Scanner { text, bytes: Offsets::of(text), found: Scan::default(), open: Vec::new(), documents: 0 };
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => scanner.event(&event, span).map_err(Stop::Refused),
            Err(error) => {
                let point = scanner.bytes.of_marker(*error.marker());
                Err(Stop::Syntax(Place::new(point, point), error.info().to_owned()))
            }
        };
        if let Err(stop) = step {
            scanner.found.stopped = Some(stop);
            scanner.hide_the_rest(text.len());
            break;
        }
    }
    scanner.found
}

/// A list or mapping that is not closed yet.
struct Open {
    /// Its number among the nodes.
    node: usize,
    /// In a mapping: whether a key comes next. `None` in a list.
    key_next: Option<bool>,
    /// It is the value of a key that names a secret.
    secret: bool,
    /// The key before was one that names a secret: what comes next is not shown.
    secret_next: bool,
}

struct Scanner<'a> {
    text: &'a str,
    bytes: Offsets,
    found: Scan,
    open: Vec<Open>,
    documents: usize,
}

impl Scanner<'_> {
    fn event(&mut self, event: &Event<'_>, span: Span) -> Result<(), Finding> {
        let place = self.bytes.of_span(span);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                let second = self.documents > 1;
                refuse(
                    second,
                    place,
                    "a second document begins here",
                    "agent.yaml is one document: remove the `---`",
                )
            }
            Event::Alias(_) => refuse(
                true,
                place,
                "aliases are not accepted",
                "write the value out; a text that begins with `*`, such as a glob, needs quotes: \"*.log\"",
            ),
            Event::Scalar(text, style, anchor, tag) => {
                self.bounds(place, *anchor, tag.is_some())?;
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                self.scalar(text, if is_block { with_header(self.text, place) } else { place });
                Ok(())
            }
            Event::SequenceStart(anchor, tag) => {
                self.bounds(place, *anchor, tag.is_some())?;
                self.begin(place, None);
                Ok(())
            }
            Event::MappingStart(anchor, tag) => {
                self.bounds(place, *anchor, tag.is_some())?;
                self.begin(place, Some(true));
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.end(place);
                Ok(())
            }
        }
    }

    fn bounds(&self, place: Place, anchor: usize, tagged: bool) -> Result<(), Finding> {
        let deep = format!("nested deeper than {DEPTH_MAX} levels");
        refuse(
            self.open.len() >= DEPTH_MAX,
            place,
            &deep,
            "no option of viewtail is nested that deep: see the shipped agent.yaml",
        )?;
        refuse(
            anchor != 0,
            place,
            "anchors are not accepted",
            "write the value out where it is needed; a text that begins with `&` needs quotes",
        )?;
        refuse(
            tagged,
            place,
            "tags are not accepted",
            "remove the tag; a text that begins with `!` needs quotes",
        )
    }

    fn scalar(&mut self, text: &str, place: Place) {
        self.found.places.push(place);
        let Some(parent) = self.open.last_mut() else { return };
        match parent.key_next {
            Some(true) => {
                parent.key_next = Some(false);
                parent.secret_next = is_secret_key(text);
            }
            Some(false) => {
                parent.key_next = Some(true);
                if std::mem::take(&mut parent.secret_next) {
                    self.found.secrets.push(place);
                }
            }
            None => {}
        }
    }

    fn begin(&mut self, place: Place, key_next: Option<bool>) {
        let secret = self.open.last_mut().is_some_and(|parent| std::mem::take(&mut parent.secret_next));
        if let Some(parent) = self.open.last_mut() {
            parent.key_next = parent.key_next.map(|key| !key);
        }
        self.open.push(Open { node: self.found.places.len(), key_next, secret, secret_next: false });
        self.found.places.push(place);
    }

    fn end(&mut self, place: Place) {
        let Some(open) = self.open.pop() else { return };
        let whole = Place::new(self.found.places[open.node].start(), place.range().end);
        self.found.places[open.node] = whole;
        if open.secret {
            self.found.secrets.push(whole);
        }
    }

    /// Where a secret was being read when the scan stopped, nothing behind it is shown.
    fn hide_the_rest(&mut self, end: usize) {
        let secret =
            self.open.iter().find(|open| open.secret).map(|open| self.found.places[open.node].start());
        let last = || self.found.places.last().map_or(0, |place| place.range().end);
        let awaited = self.open.last().filter(|open| open.secret_next).map(|_| last());
        if let Some(start) = secret.or(awaited) {
            self.found.secrets.push(Place::new(start, end));
        }
    }
}

fn refuse(refused: bool, place: Place, message: &str, help: &str) -> Result<(), Finding> {
    if refused { Err(Finding::error(place, message, help)) } else { Ok(()) }
}

/// The place of a block scalar from its `|` or `>` on; the scanner begins at its first character.
fn with_header(text: &str, body: Place) -> Place {
    let before = text[..body.start()].trim_end();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = &before[line_start..];
    let header = line.split(" #").next().unwrap_or(line).rfind(['|', '>']);
    header.map_or(body, |header| Place::new(line_start + header, body.range().end))
}

/// The first opening bracket that is too many. Whether it stands in a quote or is closed at once does not count:
/// whoever wants the work done finds a way to hide it from anything less than a parser.
fn bracket_too_many(text: &str) -> Option<Place> {
    let brackets_max = BRACKET_STEPS_MAX / text.len().max(1);
    text.match_indices(['[', '{']).nth(brackets_max).map(|(bracket, _)| Place::new(bracket, bracket + 1))
}

/// From the scanner's characters to bytes.
struct Offsets {
    /// Byte of each character, and the text's length; empty for ASCII, where both are the same.
    bytes: Vec<usize>,
    length: usize,
}

impl Offsets {
    fn of(text: &str) -> Self {
        let bytes =
            if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(byte, _)| byte).collect() };
        Self { bytes, length: text.len() }
    }

    fn of_marker(&self, marker: Marker) -> usize {
        if self.bytes.is_empty() {
            return marker.index().min(self.length);
        }
        self.bytes.get(marker.index()).copied().unwrap_or(self.length)
    }

    fn of_span(&self, span: Span) -> Place {
        Place::new(self.of_marker(span.start), self.of_marker(span.end))
    }
}

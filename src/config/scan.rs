//! The places of all values, and the bounds that keep parsing cheap. The home of `saphyr_parser`.
//!
//! Looks at events one at a time and stops at the first that is out of bounds, so that no text can cost more than
//! its length: anchors and aliases are refused before anything is expanded, depth before anything recurses.

use saphyr_parser::{Event, Marker, Parser, Span};

use super::finding::Finding;
use super::place::Place;
use super::secret::is_secret_key;
use super::source::ConfigSource;

/// agent.yaml needs 5 levels; twice that and a margin leaves room for what is to come.
const DEPTH_MAX: usize = 16;

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
    let mut scanner =
        Scanner { bytes: Offsets::of(source.text()), found: Scan::default(), open: Vec::new(), documents: 0 };
    for event in Parser::new_from_str(source.text()) {
        let step = match event {
            Ok((event, span)) => scanner.event(&event, span).map_err(Stop::Refused),
            Err(error) => {
                let point = scanner.bytes.of_marker(*error.marker());
                Err(Stop::Syntax(Place::new(point, point), error.info().to_owned()))
            }
        };
        if let Err(stop) = step {
            scanner.found.stopped = Some(stop);
            scanner.hide_the_rest(source.text().len());
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

struct Scanner {
    bytes: Offsets,
    found: Scan,
    open: Vec<Open>,
    documents: usize,
}

impl Scanner {
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
            Event::Scalar(text, _, anchor, tag) => {
                self.bounds(place, *anchor, tag.is_some())?;
                self.scalar(text, place);
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

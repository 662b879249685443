//! Reads typed options out of the tree, collects everything that is wrong, and remembers what was read.
//!
//! Whoever reads an option names its key, its type and its default here and nowhere else: the known keys (for unknown
//! ones), the effective values (for `config show`) and the list of all options (for the shipped file's test) follow
//! from the reading itself. A wrong value is reported and its default taken, so that reading goes on to the next;
//! the result is thrown away at the end.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::finding::{Finding, Severity};
use super::node::{Entry, Kind, Node, quoted};
use super::path::Path;
use super::place::Place;
use super::units::Measure;
use super::value::{Fault, Value};

/// An option as it counts, in the order of reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// Where it belongs.
    pub path: Path,
    /// Its value in YAML; secrets masked.
    pub value: String,
    /// Where it was given; `None` for a default.
    pub place: Option<Place>,
}

/// What reading has brought so far.
#[derive(Default)]
pub(super) struct Reader {
    findings: RefCell<Vec<Finding>>,
    settings: RefCell<Vec<Setting>>,
    /// Options whose value is wrong, so that no rule builds on their defaults.
    broken: RefCell<HashSet<String>>,
}

impl Reader {
    /// The document itself.
    pub(super) fn root<'a>(&'a self, node: &'a Node) -> Section<'a> {
        Section::open(self, Path::default(), Place::default(), Some(node))
    }

    /// Reports a mistake that involves several options, at the first of them that was given, unless one of them is
    /// wrong by itself. `fault` is asked only if the rule does not hold.
    pub(super) fn rule(&self, paths: &[&str], holds: bool, fault: impl FnOnce() -> Fault) {
        self.judge(Severity::Error, paths, holds, fault);
    }

    /// As [`Reader::rule`], for what is doubtful only.
    pub(super) fn advice(&self, paths: &[&str], holds: bool, fault: impl FnOnce() -> Fault) {
        self.judge(Severity::Warning, paths, holds, fault);
    }

    fn judge(&self, severity: Severity, paths: &[&str], holds: bool, fault: impl FnOnce() -> Fault) {
        if holds || paths.iter().any(|path| self.broken.borrow().contains(*path)) {
            return;
        }
        let place = paths.iter().find_map(|path| self.place(path));
        let Fault { message, help } = fault();
        self.report(Finding { severity, place, message, help });
    }

    /// Where an option was given.
    pub(super) fn place(&self, path: &str) -> Option<Place> {
        let settings = self.settings.borrow();
        settings.iter().find(|setting| setting.path.to_string() == path).and_then(|setting| setting.place)
    }

    pub(super) fn report(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }

    /// Everything found, and everything read.
    pub(super) fn finish(self) -> (Vec<Finding>, Vec<Setting>) {
        (self.findings.into_inner(), self.settings.into_inner())
    }
}

/// How a number is written.
#[derive(Clone, Copy)]
pub(super) enum Written {
    /// Without a unit.
    Count,
    /// With one.
    As(Measure),
}

/// A mapping that is being read.
pub(super) struct Section<'a> {
    reader: &'a Reader,
    path: Path,
    /// What to point at if a key is missing.
    place: Place,
    entries: &'a [Entry],
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    fn open(reader: &'a Reader, path: Path, place: Place, node: Option<&'a Node>) -> Self {
        let entries = match node.map(|node| &node.kind) {
            Some(Kind::Map(entries)) => entries.as_slice(),
            None | Some(Kind::Null) => &[],
            Some(_) => {
                let node = node.expect("a kind was just matched, so there is a node");
                let found = node.describe();
                reader.report(Finding::error(
                    node.place,
                    &format!("{} must hold `key: value` lines, found {found}", path.name()),
                    "see the shipped agent.yaml for the shape",
                ));
                reader.broken.borrow_mut().insert(path.to_string());
                &[]
            }
        };
        let section = Self { reader, path, place, entries, known: Vec::new() };
        section.refuse_doubles();
        section
    }

    /// An option that must be given; `None` once it was reported. `example` is a value to copy.
    pub(super) fn required<T: Value>(&mut self, key: &'static str, example: &str) -> Option<T> {
        match self.given(key) {
            Some(entry) if !matches!(entry.value.kind, Kind::Null) => self.read(entry),
            Some(entry) => {
                self.fault(
                    entry.key.place,
                    key,
                    &Fault::new("has no value", format!("write `{key}: {example}`")),
                );
                None
            }
            None => {
                self.missing(key, example);
                None
            }
        }
    }

    /// An option with a default.
    pub(super) fn optional<T: Value>(&mut self, key: &'static str, default: T) -> T {
        match self.given(key) {
            Some(entry) if matches!(entry.value.kind, Kind::Null) => {
                self.no_value(entry, &default.show());
                default
            }
            Some(entry) => self.read(entry).unwrap_or(default),
            None => {
                self.record(key, default.show(), None);
                default
            }
        }
    }

    /// An option that may be absent, empty or `null`.
    pub(super) fn nullable<T: Value>(&mut self, key: &'static str) -> Option<T> {
        match self.given(key) {
            Some(entry) if !matches!(entry.value.kind, Kind::Null) => self.read(entry),
            entry => {
                self.record(key, "null".to_owned(), entry.map(|entry| entry.key.place));
                None
            }
        }
    }

    /// A list; absent, empty or `null` is an empty one. Wrong items are reported one by one and left out.
    pub(super) fn list<T: Value>(&mut self, key: &'static str) -> Vec<T> {
        let Some(entry) = self.given(key) else {
            self.record(key, "[]".to_owned(), None);
            return Vec::new();
        };
        let nodes = match &entry.value.kind {
            Kind::List(nodes) => nodes.as_slice(),
            Kind::Null => &[],
            Kind::Text(text) => {
                let fault = format!("must be a list, found {}", entry.value.describe());
                self.fault(
                    entry.value.place,
                    key,
                    &Fault::new(fault, format!("write it in brackets: `{key}: [{text}]`")),
                );
                &[]
            }
            Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Map(_) => {
                let fault = format!("must be a list, found {}", entry.value.describe());
                self.fault(
                    entry.value.place,
                    key,
                    &Fault::new(fault, format!("write it in brackets: `{key}: [...]`")),
                );
                &[]
            }
        };
        let mut items = Vec::with_capacity(nodes.len());
        for node in nodes {
            match T::read(node) {
                Ok(item) => items.push(item),
                Err(fault) => self.fault(node.place, key, &fault),
            }
        }
        let shown: Vec<String> = items.iter().map(T::show).collect();
        self.record(key, format!("[{}]", shown.join(", ")), Some(entry.key.place));
        items
    }

    /// A list that must have an item.
    pub(super) fn filled_list<T: Value>(&mut self, key: &'static str, example: &str) -> Vec<T> {
        let items = self.list(key);
        match self.entry(key) {
            None => self.missing(key, example),
            Some(entry) => {
                if matches!(&entry.value.kind, Kind::Null)
                    || matches!(&entry.value.kind, Kind::List(nodes) if nodes.is_empty())
                {
                    self.fault(
                        entry.key.place,
                        key,
                        &Fault::new("is empty", format!("write at least one: `{key}: {example}`")),
                    );
                }
            }
        }
        items
    }

    /// A number with a default, within bounds that include both ends.
    pub(super) fn number<T>(
        &mut self,
        key: &'static str,
        written: Written,
        default: T,
        bounds: RangeInclusive<T>,
    ) -> T
    where
        T: Copy + TryFrom<u64> + Into<u64>,
    {
        let show = |number: T| show_number(written, number.into());
        let Some(entry) = self.given(key) else {
            self.record(key, show(default), None);
            return default;
        };
        if matches!(entry.value.kind, Kind::Null) {
            self.no_value(entry, &show(default));
            return default;
        }
        let (low, high): (u64, u64) = ((*bounds.start()).into(), (*bounds.end()).into());
        let number = read_number(written, &entry.value).and_then(|number| {
            let fits = (low..=high).contains(&number).then(|| T::try_from(number).ok()).flatten();
            fits.ok_or_else(|| {
                let (low, high) = (show(*bounds.start()), show(*bounds.end()));
                let fault = format!("must be {low} to {high}, found {}", show_number(written, number));
                Fault::new(
                    fault,
                    format!("write a value from {low} to {high}; the default is {}", show(default)),
                )
            })
        });
        match number {
            Ok(number) => {
                self.record(key, show(number), Some(entry.key.place));
                number
            }
            Err(fault) => {
                self.fault(entry.value.place, key, &fault);
                default
            }
        }
    }

    /// A mapping within this one, with nothing in it where it is absent.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        let entry = self.given(key);
        let place = entry.map_or(self.place, |entry| entry.key.place);
        Section::open(self.reader, self.path.key(key), place, entry.map(|entry| &entry.value))
    }

    /// A mapping within this one; `None`, and an option that is `null`, where it is absent or empty.
    pub(super) fn nullable_section(&mut self, key: &'static str) -> Option<Section<'a>> {
        if self.is_given(key) {
            return Some(self.section(key));
        }
        self.nullable::<String>(key);
        None
    }

    /// The mappings of a list; reported where there is none. `example` is an item to copy.
    pub(super) fn sections(&mut self, key: &'static str, example: &str) -> Vec<Section<'a>> {
        let Some(entry) = self.given(key) else {
            self.missing(key, example);
            return Vec::new();
        };
        match &entry.value.kind {
            Kind::List(nodes) if !nodes.is_empty() => {
                let path = self.path.key(key);
                let open = |(index, node): (usize, &'a Node)| {
                    Section::open(self.reader, path.index(index), node.place, Some(node))
                };
                nodes.iter().enumerate().map(open).collect()
            }
            Kind::Null | Kind::List(_) => {
                self.fault(
                    entry.key.place,
                    key,
                    &Fault::new("is empty", format!("write at least one: {example}")),
                );
                Vec::new()
            }
            Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) | Kind::Map(_) => {
                let fault = format!("must be a list, found {}", entry.value.describe());
                self.fault(
                    entry.value.place,
                    key,
                    &Fault::new(fault, format!("begin each item with a dash: {example}")),
                );
                Vec::new()
            }
        }
    }

    /// All entries of a mapping whose keys are not ours: text keys with their nodes.
    pub(super) fn open_entries(&self) -> impl Iterator<Item = (&'a str, &'a Entry)> + use<'a> {
        self.entries.iter().filter_map(|entry| text_key(entry).map(|key| (key, entry)))
    }

    /// Registers a key and gives its node, for an option that is read in its own way.
    pub(super) fn given(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.known.push(key);
        self.entry(key)
    }

    /// Whether a key is given and not `null`.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.entry(key).is_some_and(|entry| !matches!(entry.value.kind, Kind::Null))
    }

    /// What to point at for this section as a whole.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Whether nothing is given here.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Remembers an option's value.
    pub(super) fn record(&self, key: &str, value: String, place: Option<Place>) {
        self.reader.settings.borrow_mut().push(Setting { path: self.path.key(key), value, place });
    }

    /// Remembers this section itself as an option, where it has none.
    pub(super) fn record_empty(&self) {
        let setting = Setting { path: self.path.clone(), value: "{}".to_owned(), place: None };
        self.reader.settings.borrow_mut().push(setting);
    }

    /// Reports a wrong value of a key.
    pub(super) fn fault(&self, place: Place, key: &str, fault: &Fault) {
        self.reader.broken.borrow_mut().insert(self.path.key(key).to_string());
        self.reader.report(Finding::error(place, &format!("`{key}` {}", fault.message), &fault.help));
    }

    /// Reports a key that is not there.
    pub(super) fn missing(&self, key: &str, example: &str) {
        self.reader.broken.borrow_mut().insert(self.path.key(key).to_string());
        let fact = format!("`{key}` is missing in {}", self.path.name());
        let value = if example.contains('\n') || example.starts_with('-') {
            format!("add {key} with {example}")
        } else {
            format!("add `{key}: {example}`")
        };
        self.reader.report(Finding::error(self.place, &fact, &value));
    }

    /// Ends the reading: what was not asked for is unknown.
    pub(super) fn finish(self) {
        for (key, entry) in self.open_entries().filter(|(key, _)| !self.known.contains(key)) {
            let fact = format!("unknown key {} in {}", quoted(key), self.path.name());
            self.reader.report(Finding::error(
                entry.key.place,
                &fact,
                &did_you_mean(key, &self.known, "key"),
            ));
        }
    }

    fn read<T: Value>(&self, entry: &Entry) -> Option<T> {
        let key = text_key(entry).unwrap_or_default();
        match T::read(&entry.value) {
            Ok(value) => {
                self.record(key, value.show(), Some(entry.key.place));
                Some(value)
            }
            Err(fault) => {
                self.fault(entry.value.place, key, &fault);
                None
            }
        }
    }

    /// The entry of a key.
    pub(super) fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| text_key(entry) == Some(key))
    }

    fn no_value(&self, entry: &Entry, default: &str) {
        let help = format!("write a value, or remove the line to keep the default, {default}");
        self.fault(entry.key.place, text_key(entry).unwrap_or_default(), &Fault::new("has no value", help));
    }

    fn refuse_doubles(&self) {
        let mut seen = HashSet::new();
        for entry in self.entries {
            match text_key(entry) {
                None => self.reader.report(Finding::error(
                    entry.key.place,
                    &format!("a key must be text, found {}", entry.key.describe()),
                    "write the name of an option before the colon",
                )),
                Some(key) if !seen.insert(key) => self.reader.report(Finding::error(
                    entry.key.place,
                    &format!("{} is given twice in {}", quoted(key), self.path.name()),
                    "keep one of them",
                )),
                Some(_) => {}
            }
        }
    }
}

fn text_key(entry: &Entry) -> Option<&str> {
    match &entry.key.kind {
        Kind::Text(key) => Some(key),
        Kind::Null | Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => None,
    }
}

/// The known word that is nearest to a wrong one, or all of them.
pub(super) fn did_you_mean(wrong: &str, known: &[&str], noun: impl Display) -> String {
    let distance = |word: &&&str| strsim::osa_distance(&wrong.to_lowercase(), word);
    // A third of the letters wrong is as far as two words look alike; one letter is always allowed.
    let near = known.iter().min_by_key(distance).filter(|word| distance(word) <= (word.len() / 3).max(1));
    match near {
        Some(word) => format!("did you mean `{word}`?"),
        None => {
            let words: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
            format!("known {noun}s here: {}", words.join(", "))
        }
    }
}

fn show_number(written: Written, number: u64) -> String {
    match written {
        Written::Count => number.to_string(),
        Written::As(measure) => measure.show(number),
    }
}

fn read_number(written: Written, node: &Node) -> Result<u64, Fault> {
    match (written, &node.kind) {
        (Written::Count, Kind::Integer(number)) => u64::try_from(*number).map_err(|_| {
            Fault::new(format!("must not be negative, found {number}"), "write a whole number".to_owned())
        }),
        (Written::As(_), Kind::Integer(0)) => Ok(0),
        (Written::As(measure), Kind::Integer(number)) => Err(Fault::new(
            format!("needs a unit, found {}", node.describe()),
            format!("write `{number}{}`, or another unit: {}", measure.smallest_unit(), measure.help()),
        )),
        (Written::As(measure), Kind::Text(text)) => measure.parse(text).ok_or_else(|| {
            Fault::new(
                format!("must be {}, found {}", measure.noun(), node.describe()),
                measure.help().to_owned(),
            )
        }),
        (Written::As(measure), _) => Err(Fault::new(
            format!("must be {}, found {}", measure.noun(), node.describe()),
            measure.help().to_owned(),
        )),
        (Written::Count, _) => Err(Fault::new(
            format!("must be a whole number, found {}", node.describe()),
            "write digits alone, without a unit".to_owned(),
        )),
    }
}

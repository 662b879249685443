//! Reads typed options out of the tree, collects everything that is wrong, and remembers what was read.
//!
//! Whoever reads an option names its key, its type and its default here and nowhere else: the known keys (for unknown
//! ones), the effective values (for `config show`) and the list of all options (for the shipped file's test) follow
//! from the reading itself. A wrong value is reported and its default taken, so that reading goes on to the next;
//! the result is thrown away at the end.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::{Range, RangeInclusive};

use super::finding::{Finding, Severity};
use super::node::{Entry, Kind, Node, quoted};
use super::number::Written;
use super::path::Path;
use super::place::Place;
use super::shape::Shape;
use super::source::ConfigSource;
use super::survey::{Declared, Presence, Survey};
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
    /// The environment variables in its value.
    pub variables: Vec<String>,
}

/// A finding, and the bytes of the value at its place that it is about, if not about all of them.
struct Found {
    finding: Finding,
    within: Option<Range<usize>>,
}

/// What reading has brought so far.
#[derive(Default)]
pub(super) struct Reader {
    findings: RefCell<Vec<Found>>,
    settings: RefCell<Vec<Setting>>,
    /// Where options were given, by their paths.
    places: RefCell<HashMap<String, Place>>,
    /// Options whose value is wrong, so that no rule builds on their defaults.
    broken: RefCell<HashSet<String>>,
    survey: Survey,
}

impl Reader {
    /// One that reads nothing and notes what is asked for.
    pub(super) fn surveying() -> Self {
        Self { survey: Survey::noting(), ..Self::default() }
    }

    /// What a surveying reader was asked for.
    pub(super) fn declared(self) -> Vec<Declared> {
        self.survey.finish()
    }

    /// The document itself, of which nothing is known.
    pub(super) fn no_root(&self) -> Section<'_> {
        Section::open(self, Path::default(), Place::default(), None)
    }

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
        let Fault { message, help, within: _ } = fault();
        self.report(Finding { severity, place, message, help });
    }

    /// Where an option was given.
    pub(super) fn place(&self, path: &str) -> Option<Place> {
        self.places.borrow().get(path).copied()
    }

    fn record(&self, path: Path, value: String, place: Option<Place>) {
        if let Some(place) = place {
            self.places.borrow_mut().insert(path.to_string(), place);
        }
        self.settings.borrow_mut().push(Setting { path, value, place, variables: Vec::new() });
    }

    pub(super) fn report(&self, finding: Finding) {
        self.findings.borrow_mut().push(Found { finding, within: None });
    }

    /// Everything found, and everything read.
    pub(super) fn finish(self, source: &ConfigSource) -> (Vec<Finding>, Vec<Setting>) {
        let placed = |Found { mut finding, within }: Found| {
            if let (Some(place), Some(bytes)) = (finding.place, within) {
                finding.place = Some(source.place_within(place, bytes));
            }
            finding
        };
        (self.findings.into_inner().into_iter().map(placed).collect(), self.settings.into_inner())
    }
}

/// A mapping that is being read.
pub(super) struct Section<'a> {
    reader: &'a Reader,
    path: Path,
    /// What to point at if a key is missing.
    place: Place,
    entries: &'a [Entry],
    known: Vec<&'static str>,
    /// Keys that must be there and are not, with examples.
    missing: Vec<(&'static str, &'static str)>,
    /// Whether what stands here is a mapping at all: of anything else one error says enough.
    is_readable: bool,
}

impl<'a> Section<'a> {
    fn open(reader: &'a Reader, path: Path, place: Place, node: Option<&'a Node>) -> Self {
        let (entries, is_readable): (&[Entry], bool) = match node {
            None => (&[], true),
            Some(node) => match &node.kind {
                Kind::Map(entries) => (entries, true),
                Kind::Null => (&[], true),
                Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) | Kind::List(_) => {
                    (&[], false)
                }
            },
        };
        let section =
            Self { reader, path, place, entries, known: Vec::new(), missing: Vec::new(), is_readable };
        if let (Some(node), false) = (node, is_readable) {
            let fact =
                format!("{} must hold `key: value` lines, found {}", section.path.name(), node.describe());
            reader.report(Finding::error(node.place, &fact, "see the shipped agent.yaml for the shape"));
        }
        section.refuse_doubles();
        section
    }

    /// An option that must be given; `None` once it was reported. `example` is a value to copy.
    pub(super) fn required<T: Value>(&mut self, key: &'static str, example: &'static str) -> Option<T> {
        self.declare(key, || (Some(T::shape()), Presence::Required(example)));
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
        self.declare(key, || (Some(T::shape()), Presence::Default(default.show())));
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
        self.declare(key, || (Some(T::shape().or_null()), Presence::null()));
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
        self.declare(key, || (Some(T::shape().listed()), Presence::Default("[]".to_owned())));
        let Some(entry) = self.given(key) else {
            self.record(key, "[]".to_owned(), None);
            return Vec::new();
        };
        self.items(key, entry)
    }

    /// A list with a default that is not empty: `[]` is none of its items.
    pub(super) fn list_or<T: Value>(&mut self, key: &'static str, default: Vec<T>) -> Vec<T> {
        self.declare(key, || (Some(T::shape().listed()), Presence::Default(shown(&default))));
        match self.given(key) {
            Some(entry) if matches!(entry.value.kind, Kind::Null) => {
                self.no_value(entry, &shown(&default));
                default
            }
            Some(entry) => self.items(key, entry),
            None => {
                self.record(key, shown(&default), None);
                default
            }
        }
    }

    /// A list that is too long to be repeated where it is kept: the word `default` stands for it. `None`: the default.
    pub(super) fn list_or_default<T: Value>(&mut self, key: &'static str) -> Option<Vec<T>> {
        const WORD: &str = "default";
        let about =
            || (Some(Shape::one_of(&[WORD]).or(&T::shape().listed())), Presence::Default(WORD.to_owned()));
        self.declare(key, about);
        match self.given(key) {
            Some(entry) if matches!(&entry.value.kind, Kind::Text(word) if word == WORD) => {
                self.record(key, WORD.to_owned(), Some(entry.key.place));
                None
            }
            Some(entry) if matches!(entry.value.kind, Kind::Null) => {
                self.no_value(entry, "the built-in list");
                None
            }
            Some(entry) => Some(self.items(key, entry)),
            None => {
                self.record(key, WORD.to_owned(), None);
                None
            }
        }
    }

    fn items<T: Value>(&self, key: &'static str, entry: &Entry) -> Vec<T> {
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
        self.record(key, shown(&items), Some(entry.key.place));
        items
    }

    /// A list that must have an item.
    pub(super) fn filled_list<T: Value>(&mut self, key: &'static str, example: &'static str) -> Vec<T> {
        self.declare(key, || (Some(T::shape().filled()), Presence::Required(example)));
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
        self.declare(key, || (Some(written.shape(&bounds)), Presence::Default(written.show(default.into()))));
        let Some(entry) = self.given(key) else {
            self.record(key, written.show(default.into()), None);
            return default;
        };
        if matches!(entry.value.kind, Kind::Null) {
            self.no_value(entry, &written.show(default.into()));
            return default;
        }
        match written.read(&entry.value, &bounds) {
            Ok(number) => {
                self.record(key, written.show(number.into()), Some(entry.key.place));
                number
            }
            Err(fault) => {
                let help = format!("{}; the default is {}", fault.help, written.show(default.into()));
                self.fault(entry.value.place, key, &Fault::new(fault.message, help));
                default
            }
        }
    }

    /// A mapping within this one, with nothing in it where it is absent.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        self.declare(key, || (None, Presence::empty()));
        let entry = self.given(key);
        let place = entry.map_or(self.place, |entry| entry.key.place);
        Section::open(self.reader, self.path.key(key), place, entry.map(|entry| &entry.value))
    }

    /// A mapping within this one that must be given; `example` is one to copy. Where it is absent, that is all that
    /// is said of it.
    pub(super) fn required_section(&mut self, key: &'static str, example: &'static str) -> Section<'a> {
        self.declare(key, || (None, Presence::Required(example)));
        let mut section = self.section(key);
        if self.entry(key).is_none() {
            self.missing(key, example);
            section.is_readable = false;
        }
        section
    }

    /// A mapping within this one; `None`, and an option that is `null`, where it is absent or empty.
    pub(super) fn nullable_section(&mut self, key: &'static str) -> Option<Section<'a>> {
        self.declare(key, || (None, Presence::null()));
        if self.is_given(key) || self.reader.survey.is_noting() {
            return Some(self.section(key));
        }
        self.nullable::<String>(key);
        None
    }

    /// The mappings of a list; reported where there is none. `example` is an item to copy.
    pub(super) fn sections(&mut self, key: &'static str, example: &'static str) -> Vec<Section<'a>> {
        self.declare(key, || (None, Presence::Required(example)));
        if self.reader.survey.is_noting() {
            return vec![self.no_item(key)];
        }
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
                    &Fault::new("is empty", format!("write at least one: `{key}: {example}`")),
                );
                Vec::new()
            }
            Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) | Kind::Map(_) => {
                let fault = format!("must be a list, found {}", entry.value.describe());
                self.fault(
                    entry.value.place,
                    key,
                    &Fault::new(fault, format!("write it as a list: `{key}: {example}`")),
                );
                Vec::new()
            }
        }
    }

    /// The mappings of a list that may be empty, absent or `null`.
    pub(super) fn optional_sections(&mut self, key: &'static str, example: &'static str) -> Vec<Section<'a>> {
        self.declare(key, || (None, Presence::Default("[]".to_owned())));
        if self.reader.survey.is_noting() {
            return vec![self.no_item(key)];
        }
        let is_filled = |entry: &Entry| match &entry.value.kind {
            Kind::Null => false,
            Kind::List(nodes) => !nodes.is_empty(),
            Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) | Kind::Map(_) => true,
        };
        if self.entry(key).is_some_and(is_filled) {
            return self.sections(key, example);
        }
        let place = self.given(key).map(|entry| entry.key.place);
        self.record(key, "[]".to_owned(), place);
        Vec::new()
    }

    /// An item of a list of mappings, for a survey.
    fn no_item(&self, key: &str) -> Section<'a> {
        Section::open(self.reader, self.path.key(key).index(0), self.place, None)
    }

    /// Notes in a survey what an option that is read in its own way accepts.
    pub(super) fn declare(&self, key: &str, about: impl FnOnce() -> (Option<Shape>, Presence)) {
        self.reader.survey.note(&self.path.key(key), about);
    }

    /// Whether nothing is read and every option is to be asked for.
    pub(super) fn is_surveyed(&self) -> bool {
        self.reader.survey.is_noting()
    }

    /// As [`Reader::rule`], for options of this section.
    pub(super) fn rule(&self, keys: &[&str], holds: bool, fault: impl FnOnce() -> Fault) {
        self.judge(Severity::Error, keys, holds, fault);
    }

    /// As [`Reader::advice`], for options of this section.
    pub(super) fn advice(&self, keys: &[&str], holds: bool, fault: impl FnOnce() -> Fault) {
        self.judge(Severity::Warning, keys, holds, fault);
    }

    fn judge(&self, severity: Severity, keys: &[&str], holds: bool, fault: impl FnOnce() -> Fault) {
        if holds {
            return;
        }
        let paths: Vec<String> = keys.iter().map(|key| self.path.key(key).to_string()).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        self.reader.judge(severity, &paths, holds, fault);
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

    /// Whether any key has a value.
    pub(super) fn has_values(&self) -> bool {
        self.entries.iter().any(|entry| !matches!(entry.value.kind, Kind::Null))
    }

    /// Remembers an option's value.
    pub(super) fn record(&self, key: &str, value: String, place: Option<Place>) {
        self.reader.record(self.path.key(key), value, place);
    }

    /// Remembers this section itself as an option, where it has none.
    pub(super) fn record_empty(&self) {
        self.reader.record(self.path.clone(), "{}".to_owned(), None);
    }

    /// Reports a wrong value of a key.
    pub(super) fn fault(&self, place: Place, key: &str, fault: &Fault) {
        self.reader.broken.borrow_mut().insert(self.path.key(key).to_string());
        let finding = Finding::error(place, &format!("`{key}` {}", fault.message), &fault.help);
        self.reader.findings.borrow_mut().push(Found { finding, within: fault.within.clone() });
    }

    /// Remembers a key that should be there, to be reported at the end.
    pub(super) fn missing(&mut self, key: &'static str, example: &'static str) {
        self.reader.broken.borrow_mut().insert(self.path.key(key).to_string());
        self.missing.push((key, example));
    }

    /// Ends the reading: what was not asked for is unknown, and what is missing may be among it, misspelt.
    pub(super) fn finish(self) {
        let mut misspelt = Vec::new();
        for (key, entry) in self.open_entries().filter(|(key, _)| !self.known.contains(key)) {
            let fact = format!("unknown key {} in {}", quoted(key), self.path.name());
            misspelt.extend(nearest(key, &self.known));
            self.reader.report(Finding::error(
                entry.key.place,
                &fact,
                &did_you_mean(key, &self.known, "key"),
            ));
        }
        for (key, example) in
            self.missing.iter().filter(|(key, _)| self.is_readable && !misspelt.contains(key))
        {
            let fact = format!("`{key}` is missing in {}", self.path.name());
            self.reader.report(Finding::error(self.place, &fact, &format!("add `{key}: {example}`")));
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

/// A list in YAML, on one line.
fn shown<T: Value>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(T::show).collect();
    format!("[{}]", items.join(", "))
}

fn text_key(entry: &Entry) -> Option<&str> {
    match &entry.key.kind {
        Kind::Text(key) => Some(key),
        Kind::Null | Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => None,
    }
}

/// The known word that a wrong one most likely means.
pub(super) fn nearest<'k>(wrong: &str, known: &[&'k str]) -> Option<&'k str> {
    let wrong = wrong.to_lowercase();
    let distance = |word: &str| strsim::osa_distance(&wrong, word);
    let word = known.iter().copied().min_by_key(|word| distance(word))?;
    // A third of the letters wrong is as far as two words look alike; one letter is always allowed.
    (distance(word) <= (word.len() / 3).max(1)).then_some(word)
}

/// The known word that a wrong one most likely means, or all of them.
pub(super) fn did_you_mean(wrong: &str, known: &[&str], noun: &str) -> String {
    if let Some(word) = nearest(wrong, known) {
        return format!("did you mean `{word}`?");
    }
    let words: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    format!("known {noun}s here: {}", words.join(", "))
}

//! `logs:`: which files are read, and how their lines are written.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::defaults;
use super::events::{self, Events};
use super::finding::{Finding, Severity};
use super::node::{Entry, Kind, Node, quoted};
use super::number::Written;
use super::pattern::{DirectoryPattern, Exclude, PathPattern};
use super::place::Place;
use super::reader::{Reader, Section, did_you_mean};
use super::shape::Shape;
use super::source::ConfigSource;
use super::survey::Presence;
use super::units::Measure;
use super::value::{Choice, Fault, Value, any_text};
use crate::format::{Escape, Format, FormatError, Remark};

/// An entry of `logs:`.
#[derive(Clone, Debug)]
pub struct Log {
    /// The log's name in events, metrics and status; by default the first of its paths, as written.
    pub name: String,
    /// Which files belong to it.
    pub paths: Vec<PathPattern>,
    /// Which of these do not.
    pub exclude: Vec<Exclude>,
    /// Where its rotated files may lie besides.
    pub archive_dirs: Vec<DirectoryPattern>,
    /// How its lines are written.
    pub format: Format,
    /// The site of its events; `None`: `$host` of the line, else the host's name.
    pub site: Option<String>,
    /// Where reading begins in files that exist when the log is first configured.
    pub start: Start,
    /// Whether symbolic links that match are followed.
    pub follow_symlinks: bool,
    /// Whether files with several names are read.
    pub allow_hard_links: bool,
    /// Lines longer than this many bytes are cut to it.
    pub max_line_bytes: u32,
    /// How fast what has piled up is read.
    pub catch_up: CatchUp,
    /// What becomes of a file whose delivered bytes were changed.
    pub on_rewrite: OnRewrite,
    /// What becomes of bytes that the disk does not give.
    pub on_read_error: OnReadError,
    /// What counts for its events.
    pub events: Events,
}

impl Log {
    /// Whether a file belongs to this log.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        self.paths.iter().any(|pattern| pattern.matches(path))
            && !self.exclude.iter().any(|exclude| exclude.matches(path))
    }
}

impl Choice for Escape {
    const WORDS: &'static [(&'static str, Self)] =
        &[("default", Self::Default), ("json", Self::Json), ("none", Self::None)];
}

/// Where reading begins in files that exist when a log is first configured; later ones are read from their start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the first byte.
    Beginning,
    /// Behind the last complete line.
    End,
    /// At the first byte of files modified within so many milliseconds, behind the last complete line of others.
    Within {
        /// The age.
        age_ms: u64,
    },
}

impl Value for Start {
    fn read(node: &Node) -> Result<Self, Fault> {
        let word = match &node.kind {
            Kind::Text(text) => text.as_str(),
            Kind::Null | Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => {
                ""
            }
        };
        let age = Measure::Duration.parse(word).filter(|age_ms| *age_ms > 0);
        match (word, age) {
            ("beginning", _) => Ok(Self::Beginning),
            ("end", _) => Ok(Self::End),
            (_, Some(age_ms)) => Ok(Self::Within { age_ms }),
            (_, None) => Err(Fault::new(
                format!("must be `beginning`, `end` or a duration, found {}", node.describe()),
                "a duration, such as 24h, means files modified since then",
            )),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Beginning => "beginning".to_owned(),
            Self::End => "end".to_owned(),
            Self::Within { age_ms } => Measure::Duration.show(*age_ms),
        }
    }

    fn shape() -> Shape {
        let words = Shape::one_of(&["beginning", "end"]);
        words.or(&Shape::any(Measure::Duration))
    }
}

/// How fast the files of a log are read that are behind by more than one read; live ones are never slowed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// As fast as can be.
    Unlimited,
    /// Together at most so fast.
    Rate {
        /// Bytes per second.
        bytes_per_s: u64,
    },
}

impl Value for CatchUp {
    fn read(node: &Node) -> Result<Self, Fault> {
        let word = match &node.kind {
            Kind::Text(text) => text.as_str(),
            Kind::Null | Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => {
                ""
            }
        };
        let rate = word.strip_suffix("/s").and_then(|size| Measure::Size.parse(size));
        match (word, rate.filter(|rate| *rate > 0)) {
            ("unlimited", _) => Ok(Self::Unlimited),
            (_, Some(bytes_per_s)) => Ok(Self::Rate { bytes_per_s }),
            (_, None) => Err(Fault::new(
                format!("must be `unlimited` or bytes per second, found {}", node.describe()),
                "as in 20MiB/s; more than the logs grow by, or it never catches up",
            )),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Unlimited => "unlimited".to_owned(),
            Self::Rate { bytes_per_s } => format!("{}/s", Measure::Size.show(*bytes_per_s)),
        }
    }

    fn shape() -> Shape {
        let rate = Shape::matching("bytes per second such as 20MiB/s", "^[0-9]+ *[kKMG]?i?B/s$");
        Shape::one_of(&["unlimited"]).or(&rate)
    }
}

/// What becomes of a file in which other bytes stand where some were delivered, and which is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRewrite {
    /// It is read from its start, as a file of its own.
    Reread,
    /// It is read on from its end; what stands in it counts as lost.
    Skip,
    /// It is left alone and an error is told, until it is emptied or replaced.
    Alert,
}

impl Choice for OnRewrite {
    const WORDS: &'static [(&'static str, Self)] =
        &[("reread", Self::Reread), ("skip", Self::Skip), ("alert", Self::Alert)];
}

/// What becomes of bytes that the disk does not give (EIO).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReadError {
    /// They are tried again for as long as it takes.
    Retry,
    /// After minutes reading goes on behind them; they count as lost.
    Skip,
}

impl Choice for OnReadError {
    const WORDS: &'static [(&'static str, Self)] = &[("retry", Self::Retry), ("skip", Self::Skip)];
}

/// The site of all lines of a log.
struct Site(String);

impl Value for Site {
    fn read(node: &Node) -> Result<Self, Fault> {
        let site = String::read(node)?;
        if site.len() > defaults::SITE_BYTES_MAX || site.contains(char::is_whitespace) {
            let fault = format!(
                "must be a name without spaces of at most {} bytes, found {}",
                defaults::SITE_BYTES_MAX,
                quoted(&site)
            );
            return Err(Fault::new(fault, "write the name of the site, for example blog.example.com"));
        }
        Ok(Self(site))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::matching("a name without spaces, at most 253 bytes", "^\\S{1,253}$")
    }
}

/// The name of a known format, or the text of a `log_format`.
struct Word(String);

impl Value for Word {
    fn read(node: &Node) -> Result<Self, Fault> {
        let listed: Vec<String> = Format::KNOWN.iter().map(|name| format!("`{name}`")).collect();
        let fault = |help: String| {
            let message = format!(
                "must be one of {}, or the text of an nginx log_format, found {}",
                listed.join(", "),
                node.describe()
            );
            Fault::new(message, help)
        };
        let Kind::Text(text) = &node.kind else {
            return Err(fault("write a name, or a log_format in single quotes".to_owned()));
        };
        if Format::KNOWN.contains(&text.as_str()) || text.contains('$') {
            return Ok(Self(text.clone()));
        }
        Err(fault(if text.contains('%') {
            format!("for a LogFormat of Apache write `format: {{apache: {}}}`", AnyText(text.clone()).show())
        } else {
            did_you_mean(text, Format::KNOWN, "value")
        }))
    }

    fn show(&self) -> String {
        if Format::KNOWN.contains(&self.0.as_str()) {
            return self.0.clone();
        }
        AnyText(self.0.clone()).show()
    }

    fn shape() -> Shape {
        let template = Shape::matching("the text of an nginx log_format", "\\$");
        Shape::one_of(Format::KNOWN).or(&template)
    }
}

/// Text with any characters.
struct AnyText(String);

impl Value for AnyText {
    fn read(node: &Node) -> Result<Self, Fault> {
        any_text(node).map(|text| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        serde_json::Value::from(self.0.as_str()).to_string()
    }

    fn shape() -> Shape {
        Shape::text("text")
    }
}

/// Text as it stands between the quotes of a `log_format`.
struct Template(String);

impl Value for Template {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = any_text(node)?;
        if !text.contains('$') {
            let fault =
                format!("must be the text of a log_format with its $variables, found {}", quoted(text));
            return Err(Fault::new(
                fault,
                "copy what stands between the quotes in nginx.conf, in single quotes",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        serde_json::Value::from(self.0.as_str()).to_string()
    }

    fn shape() -> Shape {
        Shape::matching("the text of an nginx log_format", "\\$")
    }
}

/// Where the mappings of `logs:` are read to, and what they share.
pub(super) struct Shared<'a> {
    pub reader: &'a Reader,
    pub source: &'a ConfigSource,
    /// What the top says about events.
    pub events: &'a Events,
}

pub(super) fn read_all(sections: Vec<Section<'_>>, shared: &Shared<'_>) -> Vec<Log> {
    let reader = shared.reader;
    let logs: Vec<Log> = sections.into_iter().map(|section| read(section, shared)).collect();
    let formats: Vec<_> = logs.iter().map(|log| (log.name.as_str(), &log.format, &log.events)).collect();
    events::advise_variables(&formats, reader);
    refuse_same_names(&logs, reader);
    advise_overlaps(&logs, reader);
    logs
}

fn read(mut section: Section<'_>, shared: &Shared<'_>) -> Log {
    let name = section.nullable::<String>("name");
    let paths: Vec<PathPattern> = section.filled_list("paths", "[/var/log/nginx/access.log]");
    let exclude = section.list("exclude");
    let archive_dirs = section.list("archive_dirs");
    let format = read_format(&mut section, shared.reader, shared.source);
    let site = section.nullable("site").map(|Site(site)| site);
    let start = section.optional("start", defaults::START);
    let follow_symlinks = section.optional("follow_symlinks", false);
    let allow_hard_links = section.optional("allow_hard_links", false);
    let max_line_bytes = section.number(
        "max_line_size",
        Written::As(Measure::Size),
        defaults::MAX_LINE_BYTES,
        defaults::MAX_LINE_BYTES_BOUNDS,
    );
    let catch_up = section.optional("catch_up", defaults::CATCH_UP);
    let on_rewrite = section.optional("on_rewrite", defaults::ON_REWRITE);
    let on_read_error = section.optional("on_read_error", defaults::ON_READ_ERROR);
    let events = events::read_of_log(&mut section, shared.events);
    section.finish();
    let first_path = || paths.first().map_or(String::new(), |path| path.as_str().to_owned());
    Log {
        name: name.unwrap_or_else(first_path),
        paths,
        exclude,
        archive_dirs,
        format,
        site,
        start,
        follow_symlinks,
        allow_hard_links,
        max_line_bytes,
        catch_up,
        on_rewrite,
        on_read_error,
        events,
    }
}

/// A word, the text of an nginx `log_format`, or a mapping whose key says who wrote the lines.
fn read_format(section: &mut Section<'_>, reader: &Reader, source: &ConfigSource) -> Format {
    if section.is_surveyed() {
        section.optional("format", Word("combined".to_owned()));
        let mut format = section.section("format");
        let map = Shape::open("variables by nginx's names, and the paths of the keys that hold them");
        for (dialect, shape, example) in [
            ("nginx", Template::shape(), "'$remote_addr \"$request\" $status'"),
            ("apache", AnyText::shape(), "'%h %t \"%r\" %>s'"),
            ("json", map, "{time: ts, request_uri: uri, status: code}"),
            ("regex", AnyText::shape(), r"'(?P<time>\S+) (?P<request_uri>\S+)'"),
        ] {
            format.declare(dialect, || (Some(shape), Presence::Alternative(example)));
        }
        for dialect in DIALECTS {
            // What it is made of is thrown away: only what is asked for counts.
            let _ = read_as(Some(dialect).filter(|dialect| *dialect != "nginx"), &mut format);
        }
        return Format::combined();
    }
    let entry = section.entry("format");
    let compiled = if let Some(Entry { value: Node { kind: Kind::Map(_), .. }, .. }) = entry {
        read_dialect(section.section("format"))
    } else {
        let Word(word) = section.optional("format", Word("combined".to_owned()));
        let compiled =
            Format::known(&word).map_or_else(|| Format::nginx(&word, Escape::Default), Ok).map_err(Some);
        (compiled, entry.map(|entry| vec![entry.value.place]).unwrap_or_default())
    };
    let (result, places) = compiled;
    let report = |severity, remarks: &[Remark]| {
        for remark in remarks {
            let (message, help) =
                remark.message.split_once(": ").unwrap_or((&remark.message, "change the format"));
            // A map's remarks have the number of its entry, all others a place within the one text.
            let place = match places.as_slice() {
                [] => None,
                [text] => Some(source.place_within(*text, remark.span.clone())),
                [whole, entries @ ..] => {
                    let entry = entries.get(remark.span.start).filter(|_| !remark.span.is_empty());
                    Some(*entry.unwrap_or(whole))
                }
            };
            reader.report(Finding { severity, place, message: message.to_owned(), help: help.to_owned() });
        }
    };
    match result {
        Ok(format) => {
            report(Severity::Warning, format.warnings());
            format
        }
        Err(error) => {
            if let Some(error) = error {
                report(Severity::Error, &error.remarks);
            }
            Format::combined()
        }
    }
}

/// A compiled format, or its mistakes, or nothing where they were told already; and the place of its text, or of the map
/// and of its entries.
type Read = (Result<Format, Option<FormatError>>, Vec<Place>);

/// The keys of a format that is a mapping; without one of the last three it is nginx's.
const DIALECTS: [&str; 4] = ["nginx", "apache", "json", "regex"];

fn read_dialect(mut format: Section<'_>) -> Read {
    let dialect = DIALECTS[1..].iter().copied().find(|key| format.entry(key).is_some());
    let read = read_as(dialect, &mut format);
    format.finish();
    let (compiled, places) = read;
    (compiled.map_or(Err(None), |compiled| compiled.map_err(Some)), places)
}

fn read_as(
    dialect: Option<&str>,
    format: &mut Section<'_>,
) -> (Option<Result<Format, FormatError>>, Vec<Place>) {
    let text = format.entry(dialect.unwrap_or("nginx"));
    let place = text.map_or(format.place(), |entry| entry.value.place);
    match dialect {
        Some("apache") => {
            let text: Option<AnyText> = format.required("apache", "'%h %l %u %t ...'");
            (text.map(|AnyText(text)| Format::apache(&text)), vec![place])
        }
        Some("regex") => {
            let text: Option<AnyText> = format.required("regex", "'(?P<remote_addr>...) ...'");
            let escape = format.optional("escape", Escape::None);
            (text.map(|AnyText(text)| Format::regex(&text, escape)), vec![place])
        }
        Some(_) => read_map(format),
        None => {
            let text: Option<Template> = format.required("nginx", "'$remote_addr ...'");
            let escape = format.optional("escape", Escape::Default);
            let compile = if format.optional("forced", false) { Format::nginx_forced } else { Format::nginx };
            (text.map(|Template(text)| compile(&text, escape)), vec![place])
        }
    }
}

fn read_map(format: &mut Section<'_>) -> (Option<Result<Format, FormatError>>, Vec<Place>) {
    let map = format.section("json");
    let (mut pairs, mut places) = (Vec::new(), vec![map.place()]);
    let mut is_right = true;
    for (name, entry) in map.open_entries() {
        match String::read(&entry.value) {
            Ok(path) => {
                map.record(name, path.show(), Some(entry.key.place));
                pairs.push((name, path));
                places.push(entry.value.place);
            }
            Err(fault) => {
                map.fault(entry.value.place, name, &fault);
                is_right = false;
            }
        }
    }
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, path)| (*name, path.as_str())).collect();
    // Even an empty map has two places, so that it is not taken for a text.
    if places.len() == 1 {
        places.push(map.place());
    }
    (is_right.then(|| Format::json(&pairs)), places)
}

/// Only names that were given: the same path twice is another matter.
fn refuse_same_names(logs: &[Log], reader: &Reader) {
    let mut names = HashSet::new();
    for (index, log) in logs.iter().enumerate() {
        let path = format!("logs[{index}].name");
        let is_new = names.insert(log.name.as_str());
        reader.rule(&[&path], is_new || reader.place(&path).is_none(), || {
            Fault::new(
                format!("two logs are called {}", quoted(&log.name)),
                "events and metrics are told apart by this name: choose another",
            )
        });
    }
}

/// Only what can be told without looking at the disk: the same pattern in two logs, or a path that is named in one
/// and matched in another.
fn advise_overlaps(logs: &[Log], reader: &Reader) {
    /// More is no hand-written file, and the agent tells of shared files when it meets them.
    const GLOBS_MAX: usize = 100;
    let mut owners: HashMap<&str, usize> = HashMap::new();
    let globbing = |log: &&(usize, &Log)| log.1.paths.iter().any(|path| !path.is_literal());
    let numbered: Vec<(usize, &Log)> = logs.iter().enumerate().collect();
    let globs: Vec<&(usize, &Log)> = numbered.iter().filter(globbing).take(GLOBS_MAX).collect();
    for (index, log) in &numbered {
        for pattern in &log.paths {
            let path = Path::new(pattern.as_str());
            let same = owners.insert(pattern.as_str(), *index).filter(|owner| owner != index);
            let is_file = pattern.is_literal() && log.matches(path);
            let mut matching =
                globs.iter().filter(|(other, glob)| is_file && other != index && glob.matches(path));
            let Some(other) = same.or_else(|| matching.next().map(|(other, _)| *other)) else { continue };
            let (first, second) = ((*index).min(other), (*index).max(other));
            reader.advice(&[&format!("logs[{second}].paths")], false, || {
                Fault::new(
                    format!("{} belongs to `logs[{first}]` too", quoted(pattern.as_str())),
                    "the first log gets the file: remove the path from one of them, or use `exclude`",
                )
            });
        }
    }
}

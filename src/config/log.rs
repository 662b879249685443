//! `logs:`: which files are read, and how their lines are written.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::defaults;
use super::events::{self, Events};
use super::finding::{Finding, Severity};
use super::node::{Kind, Node, quoted};
use super::number::Written;
use super::pattern::{Exclude, PathPattern};
use super::reader::{Reader, Section};
use super::source::ConfigSource;
use super::units::Measure;
use super::value::{Choice, Fault, Value, any_text};
use crate::format::{Escape, Format, Remark};

/// An entry of `logs:`.
#[derive(Clone, Debug)]
pub struct Log {
    /// The log's name in events, metrics and status; by default the first of its paths, as written.
    pub name: String,
    /// Which files belong to it.
    pub paths: Vec<PathPattern>,
    /// Which of these do not.
    pub exclude: Vec<Exclude>,
    /// How its lines are written.
    pub format: Format,
    /// The site of its events; `None`: `$host` of the line, else the host's name.
    pub site: Option<String>,
    /// Where reading begins in files that exist when the log is first configured.
    pub start: Start,
    /// Lines longer than this many bytes are cut to it.
    pub max_line_bytes: u32,
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
    const WORDS: &'static [(&'static str, Self)] = &[("default", Self::Default), ("json", Self::Json)];
}

/// The formats that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NamedFormat {
    Combined,
    Main,
}

impl Choice for NamedFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("combined", Self::Combined), ("main", Self::Main)];
    const LATER: &'static [&'static str] = &["caddy", "traefik"];
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
    let format = read_format(&mut section, shared.reader, shared.source);
    let site = section.nullable("site").map(|Site(site)| site);
    let start = section.optional("start", defaults::START);
    let max_line_bytes = section.number(
        "max_line_size",
        Written::As(Measure::Size),
        defaults::MAX_LINE_BYTES,
        defaults::MAX_LINE_BYTES_BOUNDS,
    );
    let events = events::read_of_log(&mut section, shared.events);
    section.finish();
    let first_path = || paths.first().map_or(String::new(), |path| path.as_str().to_owned());
    Log { name: name.unwrap_or_else(first_path), paths, exclude, format, site, start, max_line_bytes, events }
}

/// A word, or a mapping whose key says which server wrote the lines.
fn read_format(section: &mut Section<'_>, reader: &Reader, source: &ConfigSource) -> Format {
    let entry = section.entry("format");
    if !entry.is_some_and(|entry| matches!(entry.value.kind, Kind::Map(_))) {
        return match section.optional("format", NamedFormat::Combined) {
            NamedFormat::Combined => Format::combined(),
            NamedFormat::Main => Format::main(),
        };
    }
    let mut format = section.section("format");
    let template: Option<Template> = format.required("nginx", "'$remote_addr ...'");
    let place = format.entry("nginx").map_or(format.place(), |entry| entry.value.place);
    let escape = format.optional("escape", Escape::Default);
    format.finish();
    let Some(Template(template)) = template else { return Format::combined() };
    let report = |severity, remarks: &[Remark]| {
        for remark in remarks {
            let (message, help) =
                remark.message.split_once(": ").unwrap_or((&remark.message, "change the format"));
            let place = Some(source.place_within(place, remark.span.clone()));
            reader.report(Finding { severity, place, message: message.to_owned(), help: help.to_owned() });
        }
    };
    match Format::nginx(&template, escape) {
        Ok(format) => {
            report(Severity::Warning, format.warnings());
            format
        }
        Err(error) => {
            report(Severity::Error, &error.remarks);
            Format::combined()
        }
    }
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

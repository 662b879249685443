//! `logs:`: which files are read, and how their lines are written.

use std::path::Path;

use super::defaults;
use super::node::{Kind, Node, quoted};
use super::pattern::{Exclude, PathPattern};
use super::place::Place;
use super::reader::{Reader, Section, Written};
use super::units::Measure;
use super::value::{Choice, Fault, Value, any_text};

/// An entry of `logs:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The log's name in events, metrics and status; by default the first of its paths, as written.
    pub name: String,
    /// Which files belong to it.
    pub paths: Vec<PathPattern>,
    /// Which of these do not.
    pub exclude: Vec<Exclude>,
    /// How its lines are written.
    pub format: FormatConfig,
    /// The site of its events; `None`: `$host` of the line, else the host's name.
    pub site: Option<String>,
    /// Where reading begins in files that exist when the log is first configured.
    pub start: Start,
    /// Lines longer than this many bytes are cut to it.
    pub max_line_bytes: u32,
}

impl Log {
    /// Whether a file belongs to this log.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        self.paths.iter().any(|pattern| pattern.matches(path))
            && !self.exclude.iter().any(|exclude| exclude.matches(path))
    }
}

/// How the lines of a log are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatConfig {
    /// nginx's built-in `combined`.
    Combined,
    /// `main`, as nginx's packages configure it.
    Main,
    /// The text of a `log_format`.
    Nginx {
        /// The text between the quotes.
        template: String,
        /// Its `escape=`.
        escape: EscapeConfig,
        /// Where the template stands, for [`super::ConfigSource::error_at`].
        place: Place,
    },
}

/// nginx's `escape=` of a `log_format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EscapeConfig {
    /// `\xHH`.
    Default,
    /// As in JSON strings.
    Json,
}

impl Choice for EscapeConfig {
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

pub(super) fn read_all(sections: Vec<Section<'_>>, reader: &Reader) -> Vec<Log> {
    let logs: Vec<Log> = sections.into_iter().map(read).collect();
    for (index, log) in logs.iter().enumerate() {
        refuse_same_name(&logs[..index], log, (index, reader));
        advise_overlap(&logs[..index], log, (index, reader));
    }
    logs
}

fn read(mut section: Section<'_>) -> Log {
    let name = section.nullable::<String>("name");
    let paths: Vec<PathPattern> = section.filled_list("paths", "[/var/log/nginx/access.log]");
    let exclude = section.list("exclude");
    let format = read_format(&mut section);
    let site = section.nullable("site").map(|Site(site)| site);
    let start = section.optional("start", defaults::START);
    let max_line_bytes = section.number(
        "max_line_size",
        Written::As(Measure::Size),
        defaults::MAX_LINE_BYTES,
        defaults::MAX_LINE_BYTES_BOUNDS,
    );
    section.finish();
    let first_path = || paths.first().map_or(String::new(), |path| path.as_str().to_owned());
    Log { name: name.unwrap_or_else(first_path), paths, exclude, format, site, start, max_line_bytes }
}

/// A word, or a mapping whose key says which server wrote the lines.
fn read_format(section: &mut Section<'_>) -> FormatConfig {
    let entry = section.entry("format");
    if !entry.is_some_and(|entry| matches!(entry.value.kind, Kind::Map(_))) {
        return match section.optional("format", NamedFormat::Combined) {
            NamedFormat::Combined => FormatConfig::Combined,
            NamedFormat::Main => FormatConfig::Main,
        };
    }
    let mut format = section.section("format");
    let template: Option<Template> = format.required("nginx", "'$remote_addr ...'");
    let place = format.entry("nginx").map_or(format.place(), |entry| entry.value.place);
    let escape = format.optional("escape", EscapeConfig::Default);
    format.finish();
    match template {
        Some(Template(template)) => FormatConfig::Nginx { template, escape, place },
        None => FormatConfig::Combined,
    }
}

fn refuse_same_name(before: &[Log], log: &Log, (index, reader): (usize, &Reader)) {
    let twin = before.iter().position(|other| other.name == log.name);
    let path = format!("logs[{index}].name");
    reader.rule(&[&path], twin.is_none() || reader.place(&path).is_none(), || {
        Fault::new(
            format!("two logs are called {}", quoted(&log.name)),
            "events and metrics are told apart by this name: choose another",
        )
    });
}

/// Only what can be told without looking at the disk: a path that is named in one log and matched by another.
fn advise_overlap(before: &[Log], log: &Log, (index, reader): (usize, &Reader)) {
    let paths = format!("logs[{index}].paths");
    for (number, other) in before.iter().enumerate() {
        let named = |one: &Log, two: &Log| {
            let literal =
                one.paths.iter().filter(|path| path.is_literal() && one.matches(Path::new(path.as_str())));
            literal.map(|path| path.as_str().to_owned()).find(|path| two.matches(Path::new(path)))
        };
        let same =
            || log.paths.iter().find(|path| other.paths.contains(path)).map(|path| path.as_str().to_owned());
        let shared = named(log, other).or_else(|| named(other, log)).or_else(same);
        reader.advice(&[&paths], shared.is_none(), || {
            Fault::new(
                format!("{} belongs to `logs[{number}]` too", quoted(&shared.unwrap_or_default())),
                "the first log gets the file: remove the path from one of them, or use `exclude`",
            )
        });
    }
}

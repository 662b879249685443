//! What is wrong or doubtful in a configuration, and how it is shown. The home of `annotate_snippets`.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::place::Place;
use super::source::ConfigSource;

/// More than this many errors are one mistake made many times; the rest is counted.
const SHOWN_MAX: usize = 50;

/// Whether the configuration can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but somebody should look.
    Warning,
}

/// One thing found in a configuration: place, fact, remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether the configuration can be used.
    pub severity: Severity,
    /// Where; `None` if it is about the file as a whole.
    pub place: Option<Place>,
    /// The fact, without a trailing period.
    pub message: String,
    /// The remedy, without a trailing period.
    pub help: String,
}

impl Finding {
    pub(super) fn error(place: Place, message: &str, help: &str) -> Self {
        Self {
            severity: Severity::Error,
            place: Some(place),
            message: message.to_owned(),
            help: help.to_owned(),
        }
    }

    /// The same, about a text that begins so many bytes later.
    pub(super) fn shifted(self, bytes: usize) -> Self {
        // What is about a file as a whole is shown where that file begins.
        Self { place: Some(self.place.unwrap_or_default().shifted(bytes)), ..self }
    }

    pub(super) fn of_file(message: String, help: &str) -> Self {
        Self { severity: Severity::Error, place: None, message, help: help.to_owned() }
    }
}

/// Whether what is rendered carries terminal colours; a stream that strips them where they do not belong is the
/// caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    Plain,
    /// With ANSI escapes.
    Coloured,
}

/// All that keeps a configuration from being used; at least one error.
#[derive(Clone, Debug)]
pub struct ConfigErrors {
    source: Arc<ConfigSource>,
    findings: Vec<Finding>,
    permission: bool,
}

impl ConfigErrors {
    /// Errors of one configuration, shown in the order of their places.
    #[must_use]
    pub fn new(source: Arc<ConfigSource>, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.place);
        Self { source, findings, permission: false }
    }

    /// What is wrong is that a file cannot be read for lack of permission.
    pub(super) fn of_permission(self) -> Self {
        Self { permission: true, ..self }
    }

    /// The errors.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The text they are about.
    #[must_use]
    pub fn source_text(&self) -> &ConfigSource {
        &self.source
    }

    /// Whether the only thing wrong is that the file may not be read.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        self.permission
    }

    /// All errors with carets, each followed by an empty line, and their number.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let shown = self.findings.iter().take(SHOWN_MAX);
        let mut text: String = shown.map(|finding| render(&self.source, finding, style) + "\n\n").collect();
        let hidden = self.findings.len().saturating_sub(SHOWN_MAX);
        if hidden > 0 {
            text += &format!("... and {hidden} more\n\n");
        }
        let count = self.findings.len();
        let noun = if count == 1 { "error" } else { "errors" };
        text + &format!("{}: {count} {noun}\n", self.source.name())
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(Style::Plain))
    }
}

impl std::error::Error for ConfigErrors {}

/// Something doubtful in a configuration that can be used.
#[derive(Clone, Debug)]
pub struct Warning {
    source: Arc<ConfigSource>,
    finding: Finding,
}

impl Warning {
    pub(super) fn new(source: Arc<ConfigSource>, finding: Finding) -> Self {
        Self { source, finding }
    }

    /// Place, fact and remedy.
    #[must_use]
    pub fn finding(&self) -> &Finding {
        &self.finding
    }

    /// The text it is about.
    #[must_use]
    pub fn source_text(&self) -> &ConfigSource {
        &self.source
    }

    /// With a caret, followed by a newline.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        render(&self.source, &self.finding, style) + "\n"
    }
}

fn render(source: &ConfigSource, finding: &Finding, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let group = Group::with_title(level.primary_title(finding.message.as_str()));
    let group = match finding.place {
        Some(place) => group.element(snippet(source, place)),
        None => group.element(Origin::path(source.name())),
    };
    renderer.render(&[group.element(Level::HELP.message(finding.help.as_str()))])
}

/// The line of a place, and the part of the place that is in it.
fn snippet(source: &ConfigSource, place: Place) -> Snippet<'_, Annotation<'_>> {
    let (line_start, line) = source.masked_line(place);
    let within = |byte: usize| byte.saturating_sub(line_start).min(line.len());
    let span = within(place.start())..within(place.range().end);
    let (number, _) = source.line_column(place);
    Snippet::source(line)
        .path(source.name_of(place))
        .line_start(number)
        .annotation(AnnotationKind::Primary.span(span))
}

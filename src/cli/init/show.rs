//! What `init` found, for a person and for a program.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use super::super::arguments::Server;
use super::search::{Search, Source};
use crate::format::Escape;
use crate::io::table::{BOLD, DIM, GREEN, RESET, YELLOW};
use crate::io::terminal;
use crate::servers::{FormatText, FoundLog, LeftOut};

/// The documented JSON of `init --json`.
#[derive(Serialize)]
struct Report<'a> {
    /// The configurations that were read.
    read: Vec<Read>,
    /// Where none was.
    absent: Vec<String>,
    logs: Vec<Entry<'a>>,
    left_out: Vec<Out<'a>>,
    /// The file that was written.
    written: Option<String>,
    /// Its text, where it was to go to stdout.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_yaml: Option<&'a str>,
}

#[derive(Serialize)]
struct Read {
    server: &'static str,
    path: String,
}

#[derive(Serialize)]
struct Entry<'a> {
    server: &'static str,
    path: &'a str,
    exclude: &'a [String],
    format: serde_json::Value,
    site: Option<&'a str>,
    place: String,
    remarks: &'a [String],
}

#[derive(Serialize)]
struct Out<'a> {
    server: &'static str,
    log: &'a str,
    place: String,
    reason: &'a str,
}

/// One line of JSON. `written` is the file, `text` what would have been in it.
///
/// # Errors
/// None that can happen.
pub fn json(search: &Search, written: Option<&Path>, text: Option<&str>) -> anyhow::Result<String> {
    let sources = &search.sources;
    let logs = sources.iter().flat_map(|source| source.found.logs.iter().map(|log| entry(source, log)));
    let left_out = sources.iter().flat_map(|source| {
        let out = |log: &'_ LeftOut| (name(source.server), log.place.line_of_file());
        source.found.left_out.iter().map(move |log| {
            let (server, place) = out(log);
            Out { server, log: &log.shown, place, reason: &log.reason }
        })
    });
    let report = Report {
        read: sources
            .iter()
            .map(|source| Read { server: name(source.server), path: shown(&source.name) })
            .collect(),
        absent: search.absent.iter().map(|path| shown(path)).collect(),
        logs: logs.collect(),
        left_out: left_out.collect(),
        written: written.map(shown),
        agent_yaml: text,
    };
    let line = serde_json::to_string(&report).context("write what was found as JSON")?;
    Ok(format!("{}\n", terminal::escape_json(&line)))
}

fn entry<'a>(source: &Source, log: &'a FoundLog) -> Entry<'a> {
    Entry {
        server: name(source.server),
        path: &log.path.glob,
        exclude: &log.exclude,
        format: format_value(&log.format),
        site: log.site.as_deref(),
        place: log.place.line_of_file(),
        remarks: &log.remarks,
    }
}

fn format_value(format: &FormatText) -> serde_json::Value {
    match (format.known(), format) {
        (Some(name), _) => name.into(),
        (None, FormatText::Nginx { text, escape: Escape::Json }) => {
            serde_json::json!({"nginx": text, "escape": "json"})
        }
        (None, FormatText::Nginx { text, escape: Escape::None }) => {
            serde_json::json!({"nginx": text, "escape": "none"})
        }
        (None, FormatText::Nginx { text, .. }) => serde_json::json!({ "nginx": text }),
        (None, FormatText::Apache(text)) => serde_json::json!({ "apache": text }),
        (None, FormatText::Caddy | FormatText::Unknown(_)) => serde_json::Value::Null,
    }
}

/// For stderr; whatever stems from a configuration is escaped.
#[must_use]
pub fn text(search: &Search) -> String {
    let mut text = String::new();
    for source in &search.sources {
        let _ = writeln!(text, "{BOLD}{}{RESET} ({})", escaped(&shown(&source.name)), name(source.server));
        for log in &source.found.logs {
            let site = log.site.as_ref().map_or(String::new(), |site| format!(", site {}", escaped(site)));
            let _ = writeln!(
                text,
                "  {GREEN}log{RESET}       {}: {}{site}  {DIM}{}{RESET}",
                escaped(&log.path.glob),
                format_name(&log.format),
                escaped(&log.place.line_of_file())
            );
            for remark in &log.remarks {
                let _ = writeln!(text, "            {}", escaped(remark));
            }
        }
        for log in &source.found.left_out {
            let _ = writeln!(
                text,
                "  {YELLOW}left out{RESET}  {}  {DIM}{}{RESET}\n            {}",
                escaped(&log.shown),
                escaped(&log.place.line_of_file()),
                escaped(&log.reason)
            );
        }
        if source.found.logs.is_empty() && source.found.left_out.is_empty() {
            text += "  no access log\n";
        }
    }
    if !search.absent.is_empty() {
        let absent: Vec<String> = search.absent.iter().map(|path| shown(path)).collect();
        let _ = writeln!(text, "{DIM}not there: {}{RESET}", absent.join(", "));
    }
    text
}

fn format_name(format: &FormatText) -> String {
    match (format.known(), format) {
        (Some(name), _) => name.to_owned(),
        (None, FormatText::Nginx { escape: Escape::Json, .. }) => "own log_format, escape=json".to_owned(),
        (None, FormatText::Nginx { .. }) => "own log_format".to_owned(),
        (None, FormatText::Apache(_)) => "own LogFormat".to_owned(),
        (None, FormatText::Caddy | FormatText::Unknown(_)) => "unknown".to_owned(),
    }
}

fn name(server: Server) -> &'static str {
    match server {
        Server::Nginx => "nginx",
        Server::Apache => "apache",
        Server::Caddy => "caddy",
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn escaped(text: &str) -> String {
    terminal::escape(text).into_owned()
}

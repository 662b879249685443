//! What the agent says while it runs: one line of stderr per event, in the form that its reader wants.
//!
//! All that is said passes here, so this is where it is made harmless: controls are spelled out and long messages cut,
//! whether the words are ours, a log's or librdkafka's. Under systemd a line begins with its priority, as sd-daemon(3) has
//! it, and the journal stores that as a field. Rejected: a socket of our own to the journal, which would lose lines while
//! journald restarts, tell panics and diagnostics out of order, and be missing where stderr is not.

use std::fmt::{self, Write as _};
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::OnceLock;

use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
pub use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::terminal;

/// Room for the longest message of ours with its paths; what Kafka or a log adds may be longer than anybody reads.
const MESSAGE_CHARACTERS_MAX: usize = 2000;

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Time, level and message, for people.
    Text,
    /// Priority and message, for the journal, which adds the time itself.
    Journal,
    /// One JSON object, for programs.
    Json,
}

impl LogFormat {
    /// What fits where stderr leads.
    #[must_use]
    pub fn fitting() -> Self {
        let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
        if is_journal(&stream) { Self::Journal } else { Self::Text }
    }
}

/// Whether stderr is the stream that the service manager named: a child of a service may have another one.
fn is_journal(stream: &str) -> bool {
    let Ok(stderr) = std::fs::metadata("/proc/self/fd/2") else { return false };
    stream == format!("{}:{}", stderr.dev(), stderr.ino())
}

/// The form that was chosen for this process.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Diagnostics go to stderr from now on, those of at least this level. `shows_target` adds which part says it.
pub fn start(format: LogFormat, level: LevelFilter, shows_target: bool) {
    let format = *FORMAT.get_or_init(|| format);
    let lines = Lines { format, shows_target };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(format == LogFormat::Text && std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .event_format(lines)
        .init();
}

/// Says what takes several lines and was made for a terminal, and harmless, by whoever made it: a mistake with its caret. For
/// people as it is, for the journal with a priority at each line, for programs as one object.
pub fn say(level: Level, text: &str) {
    let format = *FORMAT.get_or_init(LogFormat::fitting);
    let mut time = String::new();
    // Writing to a String cannot fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    // Where nobody reads stderr any more, there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "{}", block(format, (&time, level), text.trim_end()));
}

fn block(format: LogFormat, (time, level): (&str, Level), text: &str) -> String {
    let plain = || anstream::adapter::strip_str(text).to_string();
    match format {
        LogFormat::Text => text.to_owned(),
        LogFormat::Journal => {
            let lines =
                plain().lines().map(|line| format!("<{}>{line}", priority(level))).collect::<Vec<_>>();
            lines.join("\n")
        }
        LogFormat::Json => json_object((time, level), env!("CARGO_PKG_NAME"), &plain()),
    }
}

struct Lines {
    format: LogFormat,
    shows_target: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut message = Message::default();
        event.record(&mut message);
        let level = *event.metadata().level();
        let target = self.shows_target.then_some(event.metadata().target());
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let line = match self.format {
            LogFormat::Text => {
                let colours = if out.has_ansi_escapes() { Colours::of(level) } else { Colours::default() };
                text_line((&time, level), &shown(target, &message.0), colours)
            }
            LogFormat::Journal => format!("<{}>{}", priority(level), shown(target, &message.0)),
            LogFormat::Json => json_line((&time, level), event.metadata().target(), &message.0),
        };
        writeln!(out, "{line}")
    }
}

fn text_line((time, level): (&str, Level), text: &str, colours: Colours) -> String {
    let Colours { dim, level: colour, reset } = colours;
    format!("{dim}{time}{reset} {colour}{level:>5}{reset} {text}")
}

/// What colours a line: nothing by default.
#[derive(Clone, Copy, Default)]
struct Colours {
    dim: &'static str,
    level: &'static str,
    reset: &'static str,
}

impl Colours {
    fn of(level: Level) -> Self {
        let level = match level {
            Level::ERROR => "\x1b[31m",
            Level::WARN => "\x1b[33m",
            Level::INFO => "\x1b[32m",
            _ => "\x1b[34m",
        };
        Self { dim: "\x1b[2m", level, reset: "\x1b[0m" }
    }
}

fn json_line(when: (&str, Level), target: &str, message: &str) -> String {
    json_object(when, target, &cut(message))
}

fn json_object((time, level): (&str, Level), target: &str, message: &str) -> String {
    json!({ "time": time, "level": level.as_str().to_lowercase(), "target": target, "message": message })
        .to_string()
}

/// syslog's numbers.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

fn shown(target: Option<&str>, message: &str) -> String {
    let text = terminal::escape_short(message, MESSAGE_CHARACTERS_MAX);
    target.map_or_else(|| text.clone(), |target| format!("{target}: {text}"))
}

fn cut(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

/// The message of an event; further fields behind it, of libraries that have some.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let separator = if self.0.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{separator}{value:?}"),
            name => write!(self.0, "{separator}{name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-27T20:00:00.000000Z";

    #[test]
    fn a_line_says_when_how_bad_and_what_and_is_one_line() {
        let hostile = "a\nb \x1b[2J\u{202e}";
        assert_eq!(
            text_line((TIME, Level::WARN), &shown(None, hostile), Colours::default()),
            format!("{TIME}  WARN a\\x0Ab \\x1B[2J\\u{{202e}}")
        );
        let json = json_line((TIME, Level::ERROR), "viewtail::agent", hostile);
        assert!(!json.contains('\n'), "{json}");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&value["level"], &value["message"]), (&json!("error"), &json!(hostile)));
        assert_eq!(shown(Some("librdkafka"), "x"), "librdkafka: x");
    }

    #[test]
    fn several_lines_are_one_object_or_have_their_priority() {
        let text = "\x1b[1merror\x1b[0m: wrong\n  --> a:1";
        let shown = |format| block(format, (TIME, Level::ERROR), text);
        assert_eq!(shown(LogFormat::Text), text);
        assert_eq!(shown(LogFormat::Journal), "<3>error: wrong\n<3>  --> a:1");
        let json: serde_json::Value = serde_json::from_str(&shown(LogFormat::Json)).unwrap();
        assert_eq!((&json["level"], &json["message"]), (&json!("error"), &json!("error: wrong\n  --> a:1")));
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let long = "ä".repeat(MESSAGE_CHARACTERS_MAX + 1);
        assert_eq!(shown(None, &long).chars().count(), MESSAGE_CHARACTERS_MAX);
        assert_eq!(cut(&long).chars().count(), MESSAGE_CHARACTERS_MAX + 1);
        assert!(cut(&long).ends_with('…') && shown(None, &long).ends_with('…'));
    }

    #[test]
    fn the_journal_is_told_by_its_stream_and_not_by_a_variable_alone() {
        assert!(!is_journal(""));
        assert!(!is_journal("0:0"));
        let stderr = std::fs::metadata("/proc/self/fd/2").unwrap();
        assert!(is_journal(&format!("{}:{}", stderr.dev(), stderr.ino())));
    }
}

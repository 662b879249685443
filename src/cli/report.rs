//! `viewtail report`: daily page views, visitors and addresses, from log files or from the topic.

mod files;
mod topic;

use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context as _;

use super::arguments::{ReportArguments, ReportBy, ReportFrom};
use super::context::Output;
use super::{Context, Exit, Failure};
use crate::io::{clock, table, terminal};
use crate::report::{self, By, DaySelection, HtmlOptions, Report, Tally, TextOptions};

/// Zones are at most 14 hours ahead of UTC: a day that is later than tomorrow comes from a clock that is wrong.
const DAYS_AHEAD: i64 = 1;

/// What was counted, and what is to be said about it.
#[derive(Default)]
struct Counted {
    tally: Tally,
    sources: Vec<String>,
    /// What could not be read, each a sentence, and how the command ends for it.
    missing: Vec<(String, Exit)>,
    reaches: Vec<(String, String)>,
}

/// Counts and shows.
pub fn run(context: &Context, arguments: &ReportArguments) -> anyhow::Result<Exit> {
    let selection = selection(arguments)?;
    refuse_contradictions(arguments)?;
    let counted = match arguments.from {
        ReportFrom::Files => files::count(context, arguments)?,
        ReportFrom::Kafka => topic::count(context, arguments)?,
    };
    let report = Report::new(&counted.tally, &selection);
    for (sentence, _) in &counted.missing {
        anstream::eprintln!("viewtail: {}", terminal::escape(sentence));
    }
    if !counted.missing.is_empty() {
        let read = table::count(counted.tally.events(), "event");
        anstream::eprintln!("viewtail: the report is incomplete: it counts the {read} that could be read");
    }
    for warning in report.warnings() {
        context.say(&format!("viewtail: {}", terminal::escape(&warning.to_string())));
    }
    show(context, arguments, &counted, &report)?;
    Ok(counted.missing.iter().map(|(_, exit)| *exit).max().unwrap_or(Exit::Ok))
}

/// Writes the report in the forms that were asked for.
fn show(
    context: &Context,
    arguments: &ReportArguments,
    counted: &Counted,
    report: &Report<'_>,
) -> anyhow::Result<()> {
    if let Some(path) = &arguments.html {
        write_html(path, arguments.top, counted, report)?;
        context.say(&format!("viewtail: the page is in {}", terminal::escape(&path.to_string_lossy())));
    }
    match context.output {
        Output::Json => write_json(report).context("write the report"),
        Output::Text if arguments.html.is_some() => Ok(()),
        Output::Text => {
            let options = TextOptions { by: arguments.by.map(by), rows_max: arguments.top };
            let mut stdout = anstream::stdout().lock();
            stdout.write_all(report::text(report, options).as_bytes()).context("write the report")?;
            for (host, time) in &counted.reaches {
                let (host, time) = (terminal::escape(host), terminal::escape(time));
                writeln!(stdout, "The data of {host} reaches {time}.").context("write the report")?;
            }
            stdout.flush().context("write the report")
        }
    }
}

fn write_json(report: &Report<'_>) -> std::io::Result<()> {
    let stdout = std::io::stdout().lock();
    let is_terminal = stdout.is_terminal();
    let mut out = BufWriter::new(stdout);
    if is_terminal {
        let mut json = Vec::new();
        report::write_json(report, &mut json)?;
        let json = String::from_utf8_lossy(&json);
        // The end of the line is the one control that is meant.
        writeln!(out, "{}", terminal::escape_json(json.trim_end()))?;
    } else {
        report::write_json(report, &mut out)?;
    }
    out.flush()
}

fn write_html(path: &Path, rows_max: usize, counted: &Counted, report: &Report<'_>) -> anyhow::Result<()> {
    let options = HtmlOptions {
        rows_max,
        sources: counted.sources.clone(),
        missing: counted.missing.iter().map(|(sentence, _)| format!("incomplete: {sentence}")).collect(),
        reaches: counted.reaches.clone(),
    };
    let write = || -> std::io::Result<()> {
        let mut out = BufWriter::new(std::fs::File::create(path)?);
        report::write_html(report, &options, &mut out)?;
        out.flush()
    };
    write().with_context(|| format!("write {}", path.display()))
}

fn selection(arguments: &ReportArguments) -> anyhow::Result<DaySelection> {
    let (option, selection) = match (&arguments.day, &arguments.last) {
        (Some(day), _) => ("--day", DaySelection::day(day)),
        (None, Some(last)) => ("--last", DaySelection::last(last, &tomorrow())),
        (None, None) => return Ok(DaySelection::All),
    };
    selection.map_err(|error| Failure::new(Exit::Usage, format!("{option}: {error}")).into())
}

/// What cannot go together, said before anything is read.
fn refuse_contradictions(arguments: &ReportArguments) -> Result<(), Failure> {
    let has_cluster = !arguments.brokers.is_empty() || !arguments.topic.is_empty();
    let has_files = !arguments.files.is_empty() || arguments.format.is_some() || arguments.site.is_some();
    let text = match arguments.from {
        ReportFrom::Files if has_cluster => "--brokers and --topic need --from kafka",
        ReportFrom::Kafka if has_files => {
            "--from kafka reads events: FILES, --format and --site have no use there"
        }
        ReportFrom::Files | ReportFrom::Kafka => return Ok(()),
    };
    Err(Failure::new(Exit::Usage, text))
}

/// The last day that a right clock anywhere can show.
fn tomorrow() -> String {
    let seconds = i64::try_from(clock::unix_milliseconds() / 1000).unwrap_or(i64::MAX);
    let today = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    let day = today.to_zoned(jiff::tz::TimeZone::UTC).date();
    day.checked_add(jiff::Span::new().days(DAYS_AHEAD)).unwrap_or(day).to_string()
}

fn by(by: ReportBy) -> By {
    match by {
        ReportBy::Page => By::Page,
        ReportBy::Site => By::Site,
        ReportBy::Day => By::Day,
        ReportBy::Referrer => By::Referrer,
        ReportBy::Bot => By::Bot,
    }
}

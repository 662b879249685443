//! `viewtail demo`: plays the show of `crate::demo` and gives the verdict.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Context as _;
use serde::Serialize;

use super::arguments::DemoArguments;
use super::context::{Output, Talk};
use super::{Context, Exit, Failure, topics, verify};
use crate::demo::{self, Broker, Options, Outcome, Style};
use crate::io::table::{self, BOLD, GREEN, RED, RESET};
use crate::io::terminal;

/// Plays the show; exit 0 if the topic holds the truth.
pub fn run(context: &Context, arguments: &DemoArguments) -> anyhow::Result<Exit> {
    let broker = arguments.brokers.clone().map_or(Broker::Embedded, Broker::Real);
    let is_kill = broker != Broker::Embedded;
    let outcome = demo::play(&Options { broker, style: style(context) }).map_err(failure)?;
    let differences = outcome.read.differences(&outcome.written);
    let is_right = differences.is_empty() && outcome.report.ok;
    let mut stdout = anstream::stdout().lock();
    if context.output == Output::Json {
        writeln!(stdout, "{}", json(&outcome, is_right)?)?;
    } else {
        writeln!(stdout)?;
        if is_kill {
            writeln!(stdout, "viewtail verify --topic {}:", terminal::escape(&outcome.topic))?;
            write!(stdout, "{}", verify::text(&outcome.report))?;
        }
        writeln!(stdout, "{}", verdict(&outcome, &differences))?;
    }
    stdout.flush()?;
    Ok(if is_right { Exit::Ok } else { Exit::Runtime })
}

fn style(context: &Context) -> Style {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if context.output == Output::Json || context.talk == Talk::Quiet {
        Style::Silent
    } else if std::io::stdout().is_terminal() && !is_dumb {
        Style::InPlace
    } else {
        Style::Plain
    }
}

/// A broker that does not answer may do so later; an agent that failed has said why.
fn failure(error: anyhow::Error) -> anyhow::Error {
    if let Some(demo::Refused(error)) = error.downcast_ref() {
        return topics::failure(error, "--brokers").into();
    }
    match error.downcast_ref() {
        Some(demo::AgentFailed { fact, last_words }) => {
            let text = format!("viewtail: {}; the last it said:\n{last_words}", terminal::escape(fact));
            Failure::Rendered { exit: Exit::Runtime, text }.into()
        }
        None => error,
    }
}

fn verdict(outcome: &Outcome, differences: &[String]) -> String {
    let (written, read) = (table::number(outcome.written.lines), table::number(outcome.read.lines));
    let report = &outcome.report;
    let mut text = format!("{written} lines written, {read} in the topic: ");
    if differences.is_empty() && report.ok {
        text.push_str(&format!("{GREEN}{BOLD}none missing, none doubled{RESET}, every day and page agrees"));
        text.push_str(&format!(" ({}, ", table::count(outcome.rotations, "rotation")));
        match outcome.kills {
            0 => text.push_str(&format!("{}).", table::count(outcome.restarts, "restart"))),
            kills => text.push_str(&format!("{} kill -9).", table::number(kills))),
        }
        return text;
    }
    text.push_str(&format!("{RED}{BOLD}they do not agree{RESET}"));
    for difference in differences {
        text.push_str(&format!("\n  {}", terminal::escape(difference)));
    }
    text.push_str(&format!("\n  audit: {} doubled, {} bytes missing", report.doubled, report.missing_bytes));
    text
}

#[derive(Serialize)]
struct Totals {
    ok: bool,
    written: u64,
    read: u64,
    doubled: u64,
    missing_bytes: u64,
    rotations: u64,
    restarts: u64,
    kills: u64,
    days: Vec<demo::DayCount>,
}

fn json(outcome: &Outcome, ok: bool) -> anyhow::Result<String> {
    let totals = Totals {
        ok,
        written: outcome.written.lines,
        read: outcome.read.lines,
        doubled: outcome.report.doubled,
        missing_bytes: outcome.report.missing_bytes,
        rotations: outcome.rotations,
        restarts: outcome.restarts,
        kills: outcome.kills,
        days: outcome.read.days(),
    };
    serde_json::to_string(&totals).context("write the totals as JSON")
}

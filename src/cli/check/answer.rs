//! One answer of `check`, and how answers are printed: for a person, or as the documented JSON.

use std::io::Write as _;

use anyhow::Context as _;
use serde::Serialize;

use crate::cli::Exit;
use crate::cli::context::{Context, Output};
use crate::io::table::{GREEN, RED, RESET, YELLOW};
use crate::io::terminal;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// What was looked at.
    pub check: &'static str,
    /// Which one of its kind.
    pub target: String,
    /// How it is.
    pub status: Status,
    /// The fact.
    pub message: String,
    /// What to do; empty where nothing is to be done.
    pub remedy: String,
    /// How the command ends because of it.
    #[serde(skip)]
    pub exit: Exit,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// The agent works, but somebody should know.
    Warning,
    /// The agent does not work so.
    Failure,
}

/// The documented JSON of `check --json`.
#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    results: &'a [Answer],
}

impl Answer {
    /// All is well.
    pub fn ok(check: &'static str, target: &str, message: impl Into<String>) -> Self {
        let (target, message) = (target.to_owned(), message.into());
        Self { check, target, status: Status::Ok, message, remedy: String::new(), exit: Exit::Ok }
    }

    /// The agent works all the same.
    pub fn warning(check: &'static str, target: &str, (message, remedy): (String, &str)) -> Self {
        let remedy = remedy.to_owned();
        Self { status: Status::Warning, remedy, ..Self::ok(check, target, message) }
    }

    /// The agent does not work so, and the command ends with this.
    pub fn failure(
        check: &'static str,
        target: &str,
        (message, remedy): (String, String),
        exit: Exit,
    ) -> Self {
        Self { status: Status::Failure, remedy, exit, ..Self::ok(check, target, message) }
    }
}

/// Answers without those that say of another target what one before them says.
pub fn once_each(answers: impl Iterator<Item = Answer>) -> Vec<Answer> {
    let mut kept: Vec<Answer> = Vec::new();
    for answer in answers {
        if kept.iter().all(|known| known.message != answer.message) {
            kept.push(answer);
        }
    }
    kept
}

/// How the command ends: the worst failure wins.
pub fn worst(answers: &[Answer]) -> Exit {
    let failures = answers.iter().filter(|answer| answer.status == Status::Failure);
    failures.map(|answer| answer.exit).max().unwrap_or(Exit::Ok)
}

/// Prints all answers.
///
/// # Errors
/// stdout does not take them.
pub fn print(context: &Context, answers: &[Answer]) -> anyhow::Result<()> {
    let ok = answers.iter().all(|answer| answer.status != Status::Failure);
    let mut stdout = anstream::stdout().lock();
    match context.output {
        Output::Json => {
            let report = Report { ok, results: answers };
            writeln!(stdout, "{}", serde_json::to_string(&report).context("write the answers as JSON")?)?;
        }
        Output::Text => {
            for answer in answers {
                write!(stdout, "{}", text(answer))?;
            }
        }
    }
    stdout.flush()?;
    Ok(())
}

fn text(answer: &Answer) -> String {
    let word = match answer.status {
        Status::Ok => format!("{GREEN}ok{RESET}     "),
        Status::Warning => format!("{YELLOW}warning{RESET}"),
        Status::Failure => format!("{RED}failure{RESET}"),
    };
    let (target, message) = (terminal::escape(&answer.target), terminal::escape(&answer.message));
    let remedy = if answer.remedy.is_empty() {
        String::new()
    } else {
        format!("        -> {}\n", terminal::escape(&answer.remedy))
    };
    format!("{word} {}: {target}: {message}\n{remedy}", answer.check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_the_documented_one() {
        let answers = [Answer::ok("log", "/a", "fine")];
        let json = serde_json::to_string(&Report { ok: true, results: &answers }).unwrap();
        let expected = r#"{"ok":true,"results":[{"check":"log","target":"/a","status":"ok","message":"fine","remedy":""}]}"#;
        assert_eq!(json, expected);
    }
}

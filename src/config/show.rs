//! The configuration as it counts: every option, where its value comes from, secrets masked.

use std::fmt::Write as _;

use serde::Serialize;

use super::path::{Path, Step};
use super::reader::Setting;
use super::source::ConfigSource;

/// Where the comments begin, if the values leave room for it.
const COMMENT_COLUMN: usize = 48;

/// An option as it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effective {
    /// Its name: `logs[0].paths`.
    pub option: String,
    /// Its value in YAML; a secret is masked.
    pub value: String,
    /// `default`, or file and line, and the environment variables that the value is made of.
    pub origin: String,
}

/// Every option with its origin, in the order of reading.
pub(super) fn effective(settings: &[Setting], source: &ConfigSource) -> Vec<Effective> {
    let of = |setting: &Setting| Effective {
        option: setting.path.to_string(),
        value: setting.value.clone(),
        origin: origin(setting, source),
    };
    settings.iter().map(of).collect()
}

/// YAML that can be read again, with the origin of each value beside it.
pub(super) fn show(settings: &[Setting], source: &ConfigSource) -> String {
    let mut text = String::new();
    let mut before = Path::default();
    // What is included is shown as what it holds.
    for setting in settings.iter().filter(|setting| !setting.path.begins_with(&[super::include::KEY])) {
        let line = option(&setting.path, &before, &mut text) + &setting.value;
        let _ = writeln!(text, "{line:<COMMENT_COLUMN$}  # {}", origin(setting, source));
        before = setting.path.clone();
    }
    text
}

fn origin(setting: &Setting, source: &ConfigSource) -> String {
    let Some(place) = setting.place else { return "default".to_owned() };
    let given = format!("{}:{}", source.name_of(place), source.line_column(place).0);
    if setting.variables.is_empty() {
        given
    } else {
        format!("{given}, environment {}", setting.variables.join(" "))
    }
}

/// Writes the headings that `path` does not share with the option before, and gives the start of its own line.
fn option(path: &Path, before: &Path, text: &mut String) -> String {
    let steps = path.steps();
    let shared = steps.iter().zip(before.steps()).take_while(|(now, then)| now == then).count();
    let mut line = String::new();
    for (depth, step) in steps.iter().enumerate().skip(shared) {
        let Step::Key(key) = step else { continue };
        // The first option of a list's item stands behind the item's dash, which is as wide as a level.
        let begins_item = depth > shared && matches!(steps[depth - 1], Step::Index(_));
        let indentation = if begins_item { "  ".repeat(depth - 1) + "- " } else { "  ".repeat(depth) };
        line = format!("{indentation}{key}: ");
        if depth + 1 < steps.len() {
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    line
}

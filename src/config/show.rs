//! The configuration as it counts: every option, where its value comes from, secrets masked.

use std::fmt::Write as _;

use super::path::{Path, Step};
use super::reader::Setting;
use super::source::ConfigSource;

/// Where the comments begin, if the values leave room for it.
const COMMENT_COLUMN: usize = 48;

/// YAML that can be read again, with the origin of each value beside it.
pub(super) fn show(settings: &[Setting], source: &ConfigSource) -> String {
    let mut text = String::new();
    let mut before = Path::default();
    for setting in settings {
        let line = option(&setting.path, &before, &mut text) + &setting.value;
        let origin = match setting.place {
            Some(place) => format!("{}:{}", source.name(), source.line_column(place).0),
            None => "default".to_owned(),
        };
        let _ = writeln!(text, "{line:<COMMENT_COLUMN$}  # {origin}");
        before = setting.path.clone();
    }
    text
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

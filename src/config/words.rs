//! What the shipped agent.yaml says of each option: the comment above it, and the line that gives or offers it.
//!
//! The shipped file is the one place where options are explained; whatever else explains them reads it from here. The
//! file is viewtail's own, so it is read by its lines and their indentation, comments included, which no parser keeps.

use super::path::{Path, Step};

/// The file that is shipped.
pub(super) const SHIPPED: &str = include_str!("../../agent.yaml");

/// What is said of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// `logs[].paths`.
    pub path: String,
    /// The comment's lines without their hashes; options that stand together share one. Empty where there is none.
    pub comment: Vec<String>,
    /// How it is written, as it is shown or offered: `#id: web-1` is `id: web-1`. Lines below it belong to it as far as
    /// they have no words of their own.
    pub example: String,
}

/// All options of the shipped file, in its order.
pub(super) fn of_shipped_file() -> Vec<Words> {
    let mut lines = Lines::default();
    SHIPPED.lines().for_each(|line| lines.take(line));
    lines.found
}

/// The options read so far.
#[derive(Default)]
struct Lines {
    found: Vec<Words>,
    /// The keys that the next line may be below, each with its indentation.
    open: Vec<(usize, Path)>,
    comment: Vec<String>,
    /// Whether the line before was an option's: the next one right below it shares its comment.
    is_below_option: bool,
}

impl Lines {
    fn take(&mut self, line: &str) {
        let text = line.trim_start();
        let indentation = line.len() - text.len();
        // The dash of a list's item stands where its first key would be without it.
        let (is_item, text) = text.strip_prefix("- ").map_or((false, text), |rest| (true, rest));
        let indentation = indentation + if is_item { 2 } else { 0 };
        if is_item {
            self.open_item(indentation);
            self.comment.clear();
        }
        if text.is_empty() {
            self.comment.clear();
            self.is_below_option = false;
        } else if let Some(said) = text.strip_prefix("# ") {
            if self.is_below_option {
                self.comment.clear();
                self.is_below_option = false;
            }
            self.comment.push(said.to_owned());
        } else {
            self.option(indentation, text.trim_start_matches('#'));
        }
    }

    fn open_item(&mut self, indentation: usize) {
        self.close(indentation);
        let list = self.open.last().map_or_else(Path::default, |(_, path)| path.clone());
        // Behind the list's own key, before the item's keys.
        self.open.push((indentation - 1, list.index(0)));
    }

    fn close(&mut self, indentation: usize) {
        while self.open.last().is_some_and(|(open, _)| *open >= indentation) {
            self.open.pop();
        }
    }

    fn option(&mut self, indentation: usize, text: &str) {
        let Some((key, _)) = text.split_once(':') else { return };
        self.close(indentation);
        let parent = self.open.last().map_or_else(Path::default, |(_, path)| path.clone());
        let path = parent.key(key);
        self.found.push(Words {
            path: shown(&path),
            comment: self.comment.clone(),
            example: text.to_owned(),
        });
        self.open.push((indentation, path));
        self.is_below_option = true;
    }
}

/// `logs[].paths`, whichever item it is.
fn shown(path: &Path) -> String {
    let is_item = |step: &Step| matches!(step, Step::Index(_));
    if path.steps().iter().any(is_item) { path.to_string().replace("[0]", "[]") } else { path.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(path: &str) -> Words {
        let found = of_shipped_file().into_iter().find(|words| words.path == path);
        found.unwrap_or_else(|| panic!("{path} is not in the shipped file"))
    }

    #[test]
    fn an_option_has_the_comment_above_it() {
        let id = words("agent.id");
        assert!(id.comment[0].starts_with("Who this agent is") && id.comment.len() > 1, "{id:?}");
        assert_eq!(id.example, "id: web-1");
        assert!(words("logs[].paths").comment[0].starts_with("Which files"));
        assert!(words("logs[].format").comment.iter().any(|line| line.starts_with("  format:")));
        assert!(words("kafka.flush.frequency").comment[0].contains("linger.ms"));
    }

    #[test]
    fn options_that_stand_together_share_a_comment() {
        assert_eq!(words("kafka.tls.key_file").comment, words("kafka.tls.cert_file").comment);
        assert_ne!(words("kafka.tls.verify_hostname").comment, words("kafka.tls.cert_file").comment);
    }
}

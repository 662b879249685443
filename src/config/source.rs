//! The text of a configuration, as far as messages have to show it.
//!
//! Invariant: no text leaves here for a message before secrets in it are masked.

use std::sync::Arc;

use super::finding::{Finding, Severity};
use super::place::Place;
use super::scalar;
use super::secret::is_secret_key;

/// The text of a configuration, under the name that messages give it.
pub struct ConfigSource {
    name: String,
    text: String,
    /// `text` with a `*` for every byte of a secret; the same length, so that places hold in both.
    masked: String,
}

impl ConfigSource {
    /// A byte order mark is no part of the text: YAML allows it and nothing points at it.
    pub(super) fn new(name: &str, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut source = Self { name: name.to_owned(), text: text.to_owned(), masked: text.to_owned() };
        source.mask(&secrets_by_line(text));
        source
    }

    /// The name, usually the path of the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Line and column of a place, both from 1, the column in characters.
    #[must_use]
    pub fn line_column(&self, place: Place) -> (usize, usize) {
        let start = self.floor(place.start());
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// An error at a byte of the text that a scalar stands for, for example of a log format: the caret goes to where
    /// that byte is written, whatever quotes, escapes and folded lines lie between.
    #[must_use]
    pub fn error_at(&self, scalar: Place, offset: usize, message: &str, help: &str) -> Finding {
        let place = scalar::locate(&self.text, scalar, offset);
        Finding {
            severity: Severity::Error,
            place: Some(place),
            message: message.to_owned(),
            help: help.to_owned(),
        }
    }

    /// The point at a line and column as parsers count them: from 1, in characters.
    pub(super) fn place_of(&self, line: usize, column: usize) -> Place {
        let line_start: usize =
            self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let rest = &self.text[line_start..];
        let before = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(byte, _)| byte);
        Place::new(line_start + before, line_start + before)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The text that may be shown.
    pub(super) fn masked(&self) -> &str {
        &self.masked
    }

    pub(super) fn mask(&mut self, secrets: &[Place]) {
        let mut bytes = std::mem::take(&mut self.masked).into_bytes();
        for secret in secrets {
            for byte in bytes[secret.range()].iter_mut().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
                *byte = b'*';
            }
        }
        // A secret begins and ends on a character, so what is left is whole characters.
        self.masked = String::from_utf8_lossy(&bytes).into_owned();
    }

    pub(super) fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }

    fn floor(&self, index: usize) -> usize {
        (0..=index.min(self.text.len())).rev().find(|index| self.text.is_char_boundary(*index)).unwrap_or(0)
    }
}

/// Only the name: the text may hold a password.
impl std::fmt::Debug for ConfigSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ConfigSource").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What follows the colon of a key that names a secret. Text that is not YAML has no values, and yet its lines are
/// shown: a password whose quote is not closed must not be.
fn secrets_by_line(text: &str) -> Vec<Place> {
    let mut secrets = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let end = line_start + line.trim_end().len();
        let mut key_start = line_start;
        for (colon, _) in line.match_indices(':') {
            let key = text[key_start..line_start + colon].rsplit(|c: char| c == '{' || c == ',').next();
            if key.is_some_and(|key| is_secret_key(key.trim_matches([' ', '\t', '"', '\'', '-', '#', '?']))) {
                secrets.push(Place::new(line_start + colon + 1, end));
                break;
            }
            key_start = line_start + colon + 1;
        }
        line_start += line.len();
    }
    secrets
}

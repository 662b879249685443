//! The text of a configuration, as far as messages have to show it.
//!
//! It is that of one file, and behind it those of the files that it includes, as if they were one: a [`Place`] is a range
//! of bytes of all of them, so that whatever has a place can be in any file.
//!
//! Invariant: no text leaves here for a message before secrets in it are masked.

use std::ops::Range;
use std::sync::Arc;

use super::place::Place;
use super::scalar;
use super::secret::is_secret_key;

/// The text of a configuration, under the names that messages give its files.
pub struct ConfigSource {
    /// At least one: the one that includes the others.
    files: Vec<File>,
}

struct File {
    name: String,
    /// Where it begins among all files.
    start: usize,
    text: String,
    /// `text` with a `*` for every byte of a secret; the same length, so that places hold in both.
    masked: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl ConfigSource {
    /// A byte order mark is no part of the text: YAML allows it and nothing points at it.
    pub(super) fn new(name: &str, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines =
            std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        let (name, text) = (name.to_owned(), text.to_owned());
        Self { files: vec![File { name, start: 0, masked: text.clone(), text, lines }] }
    }

    /// Puts a further file behind the others, and says by how much its places are shifted.
    pub(super) fn append(&mut self, other: Self) -> usize {
        // One more, so that the end of one file is not the beginning of the next.
        let shift = self.files.last().map_or(0, |last| last.start + last.text.len() + 1);
        self.files.extend(other.files.into_iter().map(|file| File { start: file.start + shift, ..file }));
        shift
    }

    /// The bytes of all files.
    pub(super) fn bytes(&self) -> usize {
        self.files.iter().map(|file| file.text.len()).sum()
    }

    /// The name of the first file, usually its path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.files[0].name
    }

    /// The name of the file that a place is in.
    #[must_use]
    pub fn name_of(&self, place: Place) -> &str {
        &self.file(place).name
    }

    fn file(&self, place: Place) -> &File {
        let next = self.files.partition_point(|file| file.start <= place.start());
        &self.files[next.saturating_sub(1)]
    }

    /// What is written at a place.
    pub(super) fn written(&self, place: Place) -> &str {
        let file = self.file(place);
        let end = place.range().end.saturating_sub(file.start).min(file.text.len());
        &file.text[(place.start() - file.start).min(end)..end]
    }

    /// Line and column of a place, both from 1, the column in characters.
    #[must_use]
    pub fn line_column(&self, place: Place) -> (usize, usize) {
        let file = self.file(place);
        let start = file.text.floor_char_boundary(place.start() - file.start);
        let line = file.lines.partition_point(|line_start| *line_start <= start);
        let line_start = file.lines[line - 1];
        (line, file.text[line_start..start].chars().count() + 1)
    }

    /// The place of some bytes of the text that a scalar stands for, for example of a log format: where they are
    /// written, whatever quotes, escapes and folded lines lie between.
    #[must_use]
    pub fn place_within(&self, scalar: Place, bytes: Range<usize>) -> Place {
        let file = self.file(scalar);
        let within = Place::new(scalar.start() - file.start, scalar.range().end - file.start);
        let first = scalar::locate(&file.text, within, bytes.start);
        let last = scalar::locate(&file.text, within, bytes.end.saturating_sub(1).max(bytes.start));
        Place::new(first.start(), last.range().end).shifted(file.start)
    }

    /// The point at a line and column of the first file as parsers count them: from 1, in characters.
    pub(super) fn place_of(&self, line: usize, column: usize) -> Place {
        let file = &self.files[0];
        let line_start = file.lines.get(line.saturating_sub(1)).copied().unwrap_or(file.text.len());
        let rest = &file.text[line_start..];
        let before = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(byte, _)| byte);
        Place::new(line_start + before, line_start + before)
    }

    /// The line that a place begins in, secrets masked, and where it begins. Only a line is handed out, so that a
    /// message costs the same in a text of any length.
    pub(super) fn masked_line(&self, place: Place) -> (usize, &str) {
        let file = self.file(place);
        let (line, _) = self.line_column(place);
        let start = file.lines[line - 1];
        let end = file.lines.get(line).copied().unwrap_or(file.masked.len());
        (file.start + start, file.masked[start..end].trim_end())
    }

    /// The text of the first file, for who reads files one by one.
    pub(super) fn text(&self) -> &str {
        &self.files[0].text
    }

    /// Hides what follows the colon of keys that name secrets, line by line. For a text that is not YAML: it has no
    /// values, and yet its lines are shown, and a password whose quote is not closed must not be.
    pub(super) fn mask_lines(&mut self) {
        self.mask(&secrets_by_line(self.text()));
    }

    /// Hides these places of the first file.
    pub(super) fn mask(&mut self, secrets: &[Place]) {
        let file = &mut self.files[0];
        let mut bytes = std::mem::take(&mut file.masked).into_bytes();
        for secret in secrets {
            for byte in bytes[secret.range()].iter_mut().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
                *byte = b'*';
            }
        }
        // A secret begins and ends on a character, so what is left is whole characters.
        file.masked = String::from_utf8_lossy(&bytes).into_owned();
    }

    pub(super) fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}

/// Only its name: the text may hold a password.
impl std::fmt::Debug for ConfigSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ConfigSource").field("name", &self.name()).finish_non_exhaustive()
    }
}

fn secrets_by_line(text: &str) -> Vec<Place> {
    let mut secrets = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let end = line.trim_end().len();
        let mut key_start = 0;
        for (colon, _) in line.match_indices(':') {
            let key = line[key_start..colon].rsplit(['{', ',']).next().unwrap_or_default();
            if is_secret_key(key.trim_matches([' ', '\t', '"', '\'', '-', '#', '?'])) {
                secrets.push(Place::new(line_start + (colon + 1).min(end), line_start + end));
                break;
            }
            key_start = colon + 1;
        }
        line_start += line.len();
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut source = ConfigSource::new("agent.yaml", text);
        source.mask_lines();
        source.files.remove(0).masked
    }

    #[test]
    fn a_line_hides_what_follows_a_secret_key() {
        assert_eq!(
            masked("sasl: {username: me, \"password\": x\n"),
            "sasl: {username: me, \"password\":**\n"
        );
        assert_eq!(masked("pasword: xyz\nacks: all\n"), "pasword:****\nacks: all\n");
        assert_eq!(masked("password_file: /x\n"), "password_file: /x\n");
        assert_eq!(masked("password:"), "password:");
    }

    #[test]
    fn lines_and_columns_count_characters_from_1() {
        let source = ConfigSource::new("agent.yaml", "\u{feff}a: é\r\nbé: x");
        for (byte, expected) in
            [(0, (1, 1)), (3, (1, 4)), (5, (1, 5)), (7, (2, 1)), (10, (2, 3)), (99, (2, 6))]
        {
            assert_eq!(source.line_column(Place::new(byte, byte)), expected, "byte {byte}");
        }
    }
}

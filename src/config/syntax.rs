//! What a person can do about a text that is not YAML.

use super::finding::Finding;
use super::place::Place;
use super::source::ConfigSource;

/// Words of the parsers' messages and the remedy for what most likely causes them; the first that is found counts.
const REMEDIES: [(&str, &str); 9] = [
    ("unexpected end of stream", "close the quote or bracket that is open"),
    ("unexpected document indicator", "close the quote that is open"),
    ("mapping values are not allowed", "put a text that contains `: ` in quotes, and check the indentation"),
    ("unknown escape", "in double quotes a backslash begins an escape: write it twice, or use single quotes"),
    ("unknown anchor", "a text that begins with `*`, such as a glob, needs quotes: \"*.log\""),
    ("alphabetic or numeric character", "a text that begins with `*` or `&` needs quotes: \"*.log\""),
    (
        "cannot start any token",
        "a text that begins with a special character, such as % @ ` or |, needs quotes",
    ),
    (
        "expected ',' or",
        "close the bracket, and put a text that contains brackets, commas or colons in quotes",
    ),
    ("control characters", "remove the control character"),
];

/// The error for a text that is not YAML; `reason` is the parser's message, with positions in it.
pub(super) fn finding(source: &ConfigSource, place: Place, reason: &str) -> Finding {
    if let Some(tab) = tab_in_indentation(source.text(), place) {
        return Finding::error(
            tab,
            "a tab in the indentation",
            "YAML is indented with spaces alone: replace the tab",
        );
    }
    // One of the parsers tells of such a character only that there is one.
    let place = if reason.contains("control characters") { control_character(source.text()) } else { None }
        .unwrap_or(place);
    let help = REMEDIES.iter().find(|(words, _)| reason.contains(words)).map(|(_, help)| *help);
    let help =
        help.unwrap_or("compare the indentation with the lines above, and look for open quotes or brackets");
    let (problem, context) = reason.split_once(", while ").unwrap_or((reason, ""));
    // What is open and never closed is noticed far behind it: the caret belongs where it begins.
    if let (Some((line, column)), Some((what, _))) = (position(context), context.split_once(" at line ")) {
        let fact = format!("not valid YAML: {problem}, while {what} that begins here");
        return Finding::error(source.place_of(line, column), &fact, help);
    }
    let problem = problem.split(" at line ").next().unwrap_or(problem);
    let problem = problem.split(" at position ").next().unwrap_or(problem);
    let context = if context.is_empty() { String::new() } else { format!(", while {context}") };
    Finding::error(place, &format!("not valid YAML: {problem}{context}"), help)
}

/// The first character that YAML has no place for.
fn control_character(text: &str) -> Option<Place> {
    let is_refused = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let (start, character) = text.char_indices().find(|(_, c)| is_refused(*c))?;
    Some(Place::new(start, start + character.len_utf8()))
}

/// The line and column that a message ends with.
fn position(message: &str) -> Option<(usize, usize)> {
    let (line, column) = message.split_once(" at line ")?.1.split_once(" column ")?;
    Some((line.parse().ok()?, column.parse().ok()?))
}

/// The first tab that stands where indentation belongs, at or before the line of the error.
fn tab_in_indentation(text: &str, error: Place) -> Option<Place> {
    let line_end = text[error.start()..].find('\n').map_or(text.len(), |newline| error.start() + newline);
    let mut line_start = 0;
    for line in text[..line_end].split_inclusive('\n') {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        let blank = line[indentation..].trim().is_empty() || line[indentation..].starts_with('#');
        if let (false, Some(tab)) = (blank, line[..indentation].find('\t')) {
            return Some(Place::new(line_start + tab, line_start + tab + 1));
        }
        line_start += line.len();
    }
    None
}

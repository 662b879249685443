//! Lines that a regular expression takes apart: the way out for what no other dialect reads. The home of `regex` here.

use std::ops::Range;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

use super::escape::Escape;
use super::fields::{Span, Spans};
use super::json::check_name;
use super::template::{Advice, FormatError, Remark, absences, remark};
use super::variable::{Kind, Unit};

const REGEX: Advice = Advice {
    example: "name the groups as nginx names variables: `(?P<request_uri>\\S+)`",
    time: "a group `time`",
    request: "a group `request` or `request_uri`",
};

/// A compiled expression. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    regex: Regex,
    /// The number and the kind of each named group.
    groups: Arc<[(usize, Kind)]>,
    pub(super) escape: Escape,
}

/// A compiled expression and what it shows.
pub(super) struct Compiled {
    pub(super) expression: Expression,
    pub(super) names: Vec<String>,
    pub(super) units: Vec<Unit>,
    pub(super) warnings: Vec<Remark>,
}

/// Compiles an expression; bytes are matched, not characters, because lines need not be UTF-8.
pub(super) fn compile(pattern: &str, escape: Escape) -> Result<Compiled, FormatError> {
    let refused = |error: &regex::Error| FormatError { remarks: vec![refusal(pattern, error)] };
    let build = |pattern: &str| RegexBuilder::new(pattern).unicode(false).build();
    // First as written, so that a mistake's place is one of the text as written.
    build(pattern).map_err(|error| refused(&error))?;
    let regex = build(&format!(r"\A(?:{pattern})\z")).map_err(|error| refused(&error))?;
    let (mut names, mut units, mut groups, mut errors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (number, name) in regex.capture_names().enumerate() {
        let Some(name) = name else { continue };
        let lower = name.to_ascii_lowercase();
        let (meant, unit) = Unit::of(&lower);
        if let Err(message) = check_name(meant) {
            errors.push(remark(place_of(pattern, name), message));
        }
        names.push(meant.to_owned());
        units.push(unit);
        groups.push((number, Kind::meant_by(meant)));
    }
    if groups.is_empty() {
        errors
            .push(remark(0..pattern.len(), format!("the expression has no named group: {}", REGEX.example)));
    }
    if !errors.is_empty() {
        return Err(FormatError { remarks: errors });
    }
    let warnings = absences(|name| names.iter().any(|known| known == name), pattern, &REGEX);
    let expression = Expression { regex, groups: groups.into(), escape };
    Ok(Compiled { expression, names, units, warnings })
}

impl Expression {
    /// Fills `spans` with one range per group if the expression matches the whole line.
    pub(super) fn run(&self, line: &[u8], spans: &mut Spans) -> bool {
        spans.clear(self.groups.len());
        // Clones of an expression share its text, so equal places mean the same expression.
        let is_same = |known: &Regex| std::ptr::eq(known.as_str(), self.regex.as_str());
        if !spans.captures.as_ref().is_some_and(|(known, _)| is_same(known)) {
            spans.captures = Some((self.regex.clone(), self.regex.capture_locations()));
        }
        let Some((_, captures)) = &mut spans.captures else { return false };
        if self.regex.captures_read(captures, line).is_none() {
            return false;
        }
        self.groups.iter().zip(&mut spans.values).all(|((number, kind), place)| {
            let Some((start, end)) = captures.get(*number) else { return true };
            *place = Span { start, end };
            let value = &line[start..end];
            matches!(value, b"" | b"-") || kind.verify(value)
        })
    }
}

fn place_of(pattern: &str, name: &str) -> Range<usize> {
    let start = pattern.find(&format!("<{name}>")).map_or(0, |at| at + 1);
    start..(start + name.len()).min(pattern.len())
}

/// The library shows a syntax error as text: the pattern, indented, with marks under the place.
fn refusal(pattern: &str, error: &regex::Error) -> Remark {
    const INDENTATION: usize = 4;
    let shown = error.to_string();
    let marks =
        shown.lines().find(|line| line.contains('^') && line.bytes().all(|it| matches!(it, b' ' | b'^')));
    let range = marks.map(|marks| {
        let start = marks.find('^').unwrap_or_default().saturating_sub(INDENTATION);
        let width = marks.trim().len();
        // Marks count characters.
        let byte = |count: usize| pattern.char_indices().nth(count).map_or(pattern.len(), |(at, _)| at);
        byte(start)..byte(start + width)
    });
    let fact = shown.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let span = range.filter(|_| !pattern.contains('\n')).unwrap_or(0..pattern.len());
    remark(
        span,
        format!("the regular expression is wrong, {}: correct it at this place", fact.replace(": ", ", ")),
    )
}

#[cfg(test)]
mod tests {
    use crate::format::{Escape, Field, Format, Spans};

    fn remarks(pattern: &str, place: &str, words: &str) {
        let error = Format::regex(pattern, Escape::None).unwrap_err();
        let first = &error.remarks[0];
        assert_eq!(&pattern[first.span.clone()], place, "{error}");
        assert!(first.message.contains(words), "{error}");
    }

    #[test]
    fn groups_are_variables_of_the_whole_line() {
        let format =
            Format::regex(r#"(?P<time>\S+) "(?<REQUEST>[^"]*)"( (?P<status>\d+))?"#, Escape::Default)
                .unwrap();
        let mut spans = Spans::default();
        let fields = format.split(b"2026-11-22T10:13:39Z \"GET /\\x22\xFF\"", &mut spans).unwrap();
        assert_eq!(fields.get(Field::Request).unwrap().decode(&mut Vec::new()), b"GET /\"\xFF");
        assert_eq!(fields.get(Field::Status), None);
        let other = Format::regex("(?P<request_uri>[^ ]+) .*", Escape::None).unwrap();
        assert_eq!(other.split(b"/ x", &mut spans).unwrap().get(Field::RequestUri).unwrap().text(), b"/");
        for line in ["x2026-11-22T10:13:39Z \"GET /\"", "2026-11-22T10:13:39Z \"GET /\" ", "noon \"GET /\""] {
            assert!(format.split(line.as_bytes(), &mut spans).is_none(), "{line}");
        }
        assert!(other.split(&b"a".repeat(1 << 20), &mut spans).is_none());
    }

    #[test]
    fn mistakes_are_shown_at_their_place() {
        remarks("(?P<time>x", "(", "unclosed group");
        remarks("é (?P<time>[z-a])", "z-a", "invalid character class range");
        remarks("plain", "plain", "no named group");
        remarks(r"(?P<remote_adr>\S+)", "remote_adr", "did you mean `remote_addr`");
    }
}

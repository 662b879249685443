//! From the words of a configuration to rules: patterns, keys with captures, networks, names of zones.
//!
//! Each answers with what is wrong and where in the text, because only a compiler of a text knows that. Knows nothing of
//! YAML and of the options' names.

use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use regex::Regex;

use super::globs::Globs;
use super::rules::{ArticleRule, DayZone};

/// A compiled regular expression, over paths or user agents.
pub type Pattern = Regex;

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What, without a trailing period.
    pub message: String,
    /// The bytes of the text that are blamed; all of it where no part is.
    pub span: Range<usize>,
}

/// Compiles a regular expression.
///
/// # Errors
/// It is none, or too large.
pub fn pattern(text: &str) -> Result<Pattern, Mistake> {
    Regex::new(text).map_err(|error| mistake_of(&error.to_string(), text))
}

/// Finds the blamed bytes in the report that `regex` makes of a syntax error: the text and a line of carets below it.
fn mistake_of(report: &str, text: &str) -> Mistake {
    let message = report.rsplit_once("error: ").map_or(report, |(_, message)| message).trim();
    // Below the text, which may begin with such a character itself.
    let is_carets = |line: &&str| line.contains('^') && line.chars().all(|c| c == '^' || c == ' ');
    let carets = report.lines().rev().find(is_carets);
    let span = carets.filter(|_| !text.contains('\n')).and_then(|line| {
        /// The report sets the text off by so many blanks.
        const INDENTATION: usize = 4;
        let first = line.find('^')?.checked_sub(INDENTATION)?;
        let last = line.trim_end().len().checked_sub(INDENTATION + 1)?;
        let byte = |character: usize| text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte);
        Some(byte(first)..byte(last + 1))
    });
    Mistake { message: message.replace('\n', " "), span: span.unwrap_or(0..text.len()) }
}

/// Compiles one glob, as [`Globs`] does.
///
/// # Errors
/// It is none.
pub fn check_glob(text: &str) -> Result<(), Mistake> {
    let mistake = |error: globset::Error| Mistake { message: error.kind().to_string(), span: 0..text.len() };
    Globs::new(&[text]).map(drop).map_err(mistake)
}

/// Reads a network, or an address, which is the network of itself; bits behind the prefix count for nothing.
#[must_use]
pub fn network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.map(|network| network.trunc())
}

impl ArticleRule {
    /// A rule whose key may name captures of its compiled pattern.
    ///
    /// # Errors
    /// The key names something else, or a brace of it is alone.
    pub fn new(pattern: Pattern, page: &str) -> Result<Self, Mistake> {
        let known: Vec<&str> = pattern.capture_names().flatten().collect();
        for (span, name) in braces(page)? {
            let is_number = name.parse().is_ok_and(|number: usize| number < pattern.captures_len());
            if !known.contains(&name) && !is_number {
                let message = match known.as_slice() {
                    [] => format!(
                        "names the capture {name:?}, and the pattern has none: write (?P<{name}>...) there"
                    ),
                    known => format!("names the capture {name:?}, and the pattern has {}", known.join(", ")),
                };
                return Err(Mistake { message, span });
            }
        }
        Ok(Self { pattern, page: page.to_owned() })
    }
}

/// The names in braces and where they stand, braces included.
fn braces(page: &str) -> Result<Vec<(Range<usize>, &str)>, Mistake> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(brace) = page[at..].find(['{', '}']).map(|brace| at + brace) {
        let name = page[brace + 1..].split(['{', '}']).next().unwrap_or_default();
        let end = brace + 1 + name.len();
        if page.as_bytes()[brace] != b'{' || page.as_bytes().get(end) != Some(&b'}') {
            let message = "has a brace without its other half: write {name}".to_owned();
            return Err(Mistake { message, span: brace..brace + 1 });
        }
        found.push((brace..end + 1, name));
        at = end + 1;
    }
    Ok(found)
}

impl DayZone {
    /// A zone of the IANA database by its name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self::Zone)
    }

    /// The zone's name; `None` for the line's own.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Line => None,
            Self::Zone(zone) => zone.iana_name(),
        }
    }
}

/// The names of all zones.
#[must_use]
pub fn zone_names() -> Vec<String> {
    jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blamed(text: &str) -> (String, String) {
        let mistake = pattern(text).unwrap_err();
        (mistake.message, text[mistake.span].to_owned())
    }

    #[test]
    fn a_wrong_pattern_is_blamed_where_it_is_wrong() {
        // A name may hold brackets, but no caret.
        assert_eq!(blamed("^/(?P<a[^/]+)").1, "^");
        assert_eq!(blamed("^/a(b"), ("unclosed group".to_owned(), "(".to_owned()));
        assert_eq!(blamed("ä[z-a]").1, "z-a");
        assert_eq!(blamed("a\n("), ("unclosed group".to_owned(), "a\n(".to_owned()));
        assert!(blamed("a{1000}{1000}{1000}").0.contains("size"), "{:?}", blamed("a{1000}{1000}{1000}"));
    }

    #[test]
    fn a_key_names_captures_of_its_pattern_alone() {
        let rule = |key: &str| ArticleRule::new(pattern(r"^/(?P<year>\d+)/(?P<slug>.+)$").unwrap(), key);
        assert!(rule("post:{year}/{slug}").is_ok());
        assert!(rule("posts").is_ok());
        assert!(rule("post:{1}").is_ok());
        for (key, blamed) in
            [("post:{slag}", "{slag}"), ("a{slug", "{"), ("a}", "}"), ("{{slug}", "{"), ("{}", "{}")]
        {
            let mistake = rule(key).unwrap_err();
            assert_eq!(&key[mistake.span], blamed, "{}", mistake.message);
        }
    }

    #[test]
    fn networks() {
        for (text, shown) in [
            ("10.0.0.0/8", Some("10.0.0.0/8")),
            ("10.1.2.3/8", Some("10.0.0.0/8")),
            ("192.0.2.1", Some("192.0.2.1/32")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("::1", Some("::1/128")),
            ("10.0.0.0/33", None),
            ("proxy.example", None),
            ("", None),
        ] {
            assert_eq!(network(text).map(|network| network.to_string()).as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn zones_have_names() {
        assert_eq!(DayZone::named("europe/berlin").unwrap().name(), Some("Europe/Berlin"));
        assert!(DayZone::named("Europe/Berlim").is_none());
        assert!(zone_names().len() > 400);
    }
}

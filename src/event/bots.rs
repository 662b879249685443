//! Which user agents are crawlers, by the data set crawler-user-agents.
//!
//! Almost all patterns of the data set are plain text, so one Aho-Corasick automaton finds them in one pass and only the
//! few others are regular expressions. Both are compiled once in a process, when they are first needed. That costs some 10,000
//! instructions for a user agent all the same, so verdicts are kept (`agents.rs`). Where several patterns match, an own one
//! wins, then the first of the data set.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::{RegexSet, RegexSetBuilder};

use super::rules::{BotRules, EmptyUserAgent};

/// The data set as `make update-bots` leaves it.
const DATA: &str = include_str!("data/crawler-user-agents/crawler-user-agents.json");

/// The data set's version: counts change with it.
const DATA_VERSION: &str = include_str!("data/crawler-user-agents/VERSION");

/// What is looked at of a user agent: servers do not take longer header lines without being told to.
const USER_AGENT_BYTES_MAX: usize = 8 * 1024;

/// The name of what sends no user agent, or `-`.
const EMPTY: &str = "empty user agent";

/// The name of what sends a user agent without a letter, which no browser does.
const LETTERLESS: &str = "user agent without a letter";

/// Why the rules about bots cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum BotsError {
    /// A pattern of `add:` is none.
    #[error(transparent)]
    Pattern(#[from] regex::Error),
    /// A pattern of `remove:` is not in the data set.
    #[error("{0:?} is not a pattern of the data set crawler-user-agents")]
    Unknown(String),
}

/// What matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BotMatch<'a> {
    /// The crawler's name.
    pub name: &'a str,
    /// The pattern, as it stands in `add:` or goes into `remove:`; `None` where no pattern was needed.
    pub pattern: Option<&'a str>,
    /// Where its operator describes it.
    pub url: Option<&'a str>,
}

/// Finds crawlers. Without memory of what it was asked.
#[derive(Clone)]
pub struct Bots {
    added: RegexSet,
    /// Places in the data set of the patterns that do not count.
    removed: Vec<u16>,
    empty_user_agent: EmptyUserAgent,
}

/// What a user agent is; places are those of the patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No crawler.
    NoBot,
    /// Nothing was sent.
    Empty,
    /// There is no letter in it.
    Letterless,
    /// What a pattern of `add:` matches.
    Added(u16),
    /// What a pattern of the data set matches.
    Known(u16),
}

impl fmt::Debug for Bots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bots")
            .field("added", &self.added.patterns())
            .field("removed", &self.removed)
            .field("empty_user_agent", &self.empty_user_agent)
            .finish_non_exhaustive()
    }
}

impl Bots {
    /// Compiles the rules.
    ///
    /// # Errors
    /// A pattern of `add:` that is none, or one of `remove:` that the data set does not have.
    pub fn new(rules: &BotRules) -> Result<Self, BotsError> {
        let place = |pattern: &String| {
            let crawlers = &KNOWN.crawlers;
            let place = crawlers.iter().position(|crawler| crawler.pattern == *pattern);
            place
                .and_then(|place| u16::try_from(place).ok())
                .ok_or_else(|| BotsError::Unknown(pattern.clone()))
        };
        Ok(Self {
            added: added(&rules.add)?,
            removed: rules.remove.iter().map(place).collect::<Result<_, _>>()?,
            empty_user_agent: rules.empty_user_agent,
        })
    }

    /// The version of the data set.
    #[must_use]
    pub fn data_version() -> &'static str {
        DATA_VERSION.trim_ascii()
    }

    /// The name of the crawler that such a user agent (the log's escapes undone) is; `None` if it is none.
    #[must_use]
    pub fn name(&self, user_agent: &[u8]) -> Option<&str> {
        self.explain(user_agent).map(|found| found.name)
    }

    /// The crawler that such a user agent is, with the pattern that matched.
    #[must_use]
    pub fn explain(&self, user_agent: &[u8]) -> Option<BotMatch<'_>> {
        self.meant_by(self.judge(user_agent))
    }

    /// The crawler of a verdict.
    #[must_use]
    pub fn meant_by(&self, verdict: Verdict) -> Option<BotMatch<'_>> {
        let unmatched = |name| Some(BotMatch { name, pattern: None, url: None });
        match verdict {
            Verdict::NoBot => None,
            Verdict::Empty => unmatched(EMPTY),
            Verdict::Letterless => unmatched(LETTERLESS),
            Verdict::Added(place) => {
                let pattern = self.added.patterns()[usize::from(place)].as_str();
                Some(BotMatch { name: pattern, pattern: Some(pattern), url: None })
            }
            Verdict::Known(place) => {
                let crawler = &KNOWN.crawlers[usize::from(place)];
                Some(BotMatch { name: &crawler.name, pattern: Some(&crawler.pattern), url: crawler.url })
            }
        }
    }

    /// What a user agent is.
    #[must_use]
    pub fn judge(&self, user_agent: &[u8]) -> Verdict {
        let user_agent = &user_agent[..user_agent.len().min(USER_AGENT_BYTES_MAX)];
        if matches!(user_agent, b"" | b"-") {
            return match self.empty_user_agent {
                EmptyUserAgent::Bot => Verdict::Empty,
                EmptyUserAgent::Visitor => Verdict::NoBot,
            };
        }
        let added = Some(&self.added).filter(|added| !added.is_empty());
        let added = added.and_then(|added| added.matches(user_agent).into_iter().next());
        if let Some(place) = added.and_then(|place| u16::try_from(place).ok()) {
            return Verdict::Added(place);
        }
        match KNOWN.first(user_agent, &self.removed) {
            Some(place) => Verdict::Known(place),
            None if !user_agent.iter().any(is_of_letter) => Verdict::Letterless,
            None => Verdict::NoBot,
        }
    }
}

/// Whether a byte is a letter, or of a character beyond ASCII, which gets the benefit of the doubt.
fn is_of_letter(byte: &u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}

/// No pattern, as most configurations add none: compiled once for the encoders of all logs.
static NONE_ADDED: LazyLock<RegexSet> = LazyLock::new(RegexSet::empty);

fn added(patterns: &[String]) -> Result<RegexSet, regex::Error> {
    if patterns.is_empty() { Ok(NONE_ADDED.clone()) } else { RegexSet::new(patterns) }
}

static KNOWN: LazyLock<Known> = LazyLock::new(Known::compile);

/// The data set, compiled.
struct Known {
    crawlers: Vec<Crawler>,
    literals: AhoCorasick,
    /// The crawlers of the literals.
    of_literal: Vec<u16>,
    others: RegexSet,
    /// The crawlers of the other patterns.
    of_other: Vec<u16>,
}

/// A crawler of the data set.
struct Crawler {
    pattern: Cow<'static, str>,
    name: Box<str>,
    url: Option<&'static str>,
}

/// A crawler as the data file writes it.
#[derive(serde::Deserialize)]
struct Entry {
    #[serde(borrow)]
    pattern: Cow<'static, str>,
    url: Option<&'static str>,
}

impl Known {
    /// Compiles the data set; a test does the same, so that what is shipped can be compiled.
    fn compile() -> Self {
        let entries: Vec<Entry> = serde_json::from_str(DATA).expect("the data file is read by a test");
        let (mut literals, mut others) = (Vec::new(), Vec::new());
        for (place, entry) in (0_u16..).zip(&entries) {
            match literal(&entry.pattern) {
                Some(literal) => literals.push((place, literal)),
                None => others.push((place, &*entry.pattern)),
            }
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(literals.iter().map(|(_, literal)| literal));
        let regexes = RegexSetBuilder::new(others.iter().map(|(_, pattern)| pattern)).unicode(false).build();
        Self {
            literals: automaton.expect("the data file is compiled by a test"),
            of_literal: literals.iter().map(|&(place, _)| place).collect(),
            others: regexes.expect("the data file is compiled by a test"),
            of_other: others.iter().map(|&(place, _)| place).collect(),
            crawlers: entries.into_iter().map(Crawler::new).collect(),
        }
    }

    /// The place of the first pattern that matches and is not removed.
    fn first(&self, user_agent: &[u8], removed: &[u16]) -> Option<u16> {
        let literals = self.literals.find_overlapping_iter(user_agent);
        let literals = literals.map(|found| self.of_literal[found.pattern().as_usize()]);
        let first = literals.filter(|place| !removed.contains(place)).min();
        // Asking whether any matches costs no allocation; asking which does.
        if !self.others.is_match(user_agent) {
            return first;
        }
        let others = self.others.matches(user_agent);
        let others = others.iter().map(|other| self.of_other[other]);
        others.filter(|place| !removed.contains(place)).chain(first).min()
    }
}

impl Crawler {
    fn new(entry: Entry) -> Self {
        let name = readable_name(&entry.pattern).into_boxed_str();
        Self { name, pattern: entry.pattern, url: entry.url }
    }
}

/// The text that a pattern matches, if it is one text.
fn literal(pattern: &str) -> Option<String> {
    let mut text = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.push(characters.next().filter(|escaped| !escaped.is_ascii_alphanumeric())?),
            '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' | '|' => return None,
            _ => text.push(character),
        }
    }
    Some(text)
}

/// A name for what a pattern matches: its text, of several alternatives the first, without what is no part of a name at
/// the ends.
fn readable_name(pattern: &str) -> String {
    let mut name = String::new();
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => name.extend(rest.next().filter(|escaped| !escaped.is_ascii_alphanumeric())),
            '[' => name.extend(first_of_class(&mut rest)),
            '|' if name.is_empty() => {}
            // Inside of a group, the rest of the group are other alternatives; outside of one, all that follows is.
            '|' => {
                rest.by_ref().find(|&character| character == ')');
            }
            '(' | ')' | '^' | '$' | '*' | '+' | '?' | '.' => {}
            _ => name.push(character),
        }
    }
    let name =
        name.trim_matches(|character: char| !character.is_alphanumeric() && !"+!)".contains(character));
    if name.is_empty() { pattern.to_owned() } else { name.to_owned() }
}

/// The first character of a class whose `[` is read; a space for a class that stands for any character.
fn first_of_class(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let class: String = rest.by_ref().take_while(|&character| character != ']').collect();
    match class.chars().next()? {
        '^' => None,
        '\\' => Some(' '),
        first => Some(first),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use regex::bytes::RegexSet;

    use super::{BotMatch, Bots, BotsError, DATA, Entry, KNOWN, literal, readable_name};
    use crate::event::rules::{BotRules, EmptyUserAgent};

    /// Two of the most common browsers, one that asks for itself, one with a comment, one in an application.
    const BROWSERS: [&str; 5] = [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50 NetType/WIFI Language/zh_CN",
    ];

    fn bots(rules: &BotRules) -> Bots {
        Bots::new(rules).unwrap()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn samples() -> Vec<String> {
        serde_json::from_str(include_str!("data/crawler-user-agents/samples.json")).unwrap()
    }

    fn patterns() -> Vec<String> {
        let entries: Vec<Entry> = serde_json::from_str(DATA).unwrap();
        entries.into_iter().map(|entry| entry.pattern.into_owned()).collect()
    }

    #[test]
    fn the_verdict_is_that_of_all_patterns_as_regular_expressions() {
        let patterns = patterns();
        assert!(patterns.len() > 1_000 && KNOWN.of_other.len() < 100, "{}", KNOWN.of_other.len());
        let oracle = RegexSet::new(&patterns).unwrap();
        let bots = bots(&BotRules::default());
        for user_agent in samples().iter().map(String::as_str).chain(BROWSERS) {
            let expect =
                oracle.matches(user_agent.as_bytes()).iter().next().map(|place| patterns[place].as_str());
            let found = bots.explain(user_agent.as_bytes()).and_then(|found| found.pattern);
            assert_eq!(found, expect, "{user_agent}");
        }
    }

    #[test]
    fn samples_are_bots_and_browsers_are_none() {
        let bots = bots(&BotRules::default());
        for sample in samples() {
            assert!(bots.name(sample.as_bytes()).is_some(), "{sample}");
        }
        for browser in BROWSERS {
            assert_eq!(bots.name(browser.as_bytes()), None, "{browser}");
        }
    }

    #[test]
    fn case_is_the_data_set_s() {
        let bots = bots(&BotRules::default());
        assert_eq!(bots.name(b"Googlebot/2.1 (+http://www.google.com/bot.html)"), Some("Googlebot"));
        assert_eq!(bots.name(b"gOOGLEBOT/2.1"), None);
        assert_eq!(bots.name(b"Wget/1.21"), Some("wget"));
        assert_eq!(bots.name(b"wget/1.21"), Some("wget"));
        assert_eq!(bots.name(b"WGET/1.21"), None);
    }

    #[test]
    fn what_sends_nothing_readable_is_a_bot() {
        for (user_agent, as_bot, as_visitor) in [
            ("", Some("empty user agent"), None),
            ("-", Some("empty user agent"), None),
            ("12.4 (;)", Some("user agent without a letter"), Some("user agent without a letter")),
            ("关于", None, None),
        ] {
            let visitor = BotRules { empty_user_agent: EmptyUserAgent::Visitor, ..BotRules::default() };
            assert_eq!(bots(&BotRules::default()).name(user_agent.as_bytes()), as_bot, "{user_agent}");
            assert_eq!(bots(&visitor).name(user_agent.as_bytes()), as_visitor, "{user_agent}");
        }
    }

    #[test]
    fn patterns_can_be_added_and_removed() {
        let rules = BotRules {
            add: texts(&["(?i)^acme-", "Googlebot"]),
            remove: texts(&["^curl", r"bingbot"]),
            ..BotRules::default()
        };
        let bots = bots(&rules);
        assert_eq!(bots.name(b"ACME-check/1"), Some("(?i)^acme-"));
        let google = BotMatch { name: "Googlebot", pattern: Some("Googlebot"), url: None };
        assert_eq!(bots.explain(b"Googlebot/2.1"), Some(google));
        assert_eq!(bots.name(b"curl/8.5.0"), None);
        assert_eq!(bots.name(b"Mozilla/5.0 (bingbot/2.0)"), None);
    }

    #[test]
    fn rules_that_cannot_be_followed_are_refused() {
        let unknown = BotRules { remove: texts(&["Googlebot"]), ..BotRules::default() };
        let error = Bots::new(&unknown).unwrap_err();
        assert_eq!(error.to_string(), r#""Googlebot" is not a pattern of the data set crawler-user-agents"#);
        let wrong = BotRules { add: texts(&["a("]), ..BotRules::default() };
        assert!(matches!(Bots::new(&wrong), Err(BotsError::Pattern(_))));
    }

    #[test]
    fn a_pattern_that_is_one_text_is_found_as_text() {
        for (pattern, expect) in [
            (r"Googlebot\/", Some("Googlebot/")),
            (r"a\.b \(c\)", Some("a.b (c)")),
            (r"a.b", None),
            (r"^curl", None),
            (r"a\d", None),
            ("a\\", None),
        ] {
            assert_eq!(literal(pattern).as_deref(), expect, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_gives_a_name() {
        for (pattern, expect) in [
            (r"Googlebot\/", "Googlebot"),
            (r"[wW]get", "wget"),
            (r"AdsBot-Google([^-]|$)", "AdsBot-Google"),
            (r"(^| )sentry\/", "sentry"),
            (r"Ahrefs(Bot|SiteAudit)", "AhrefsBot"),
            (r"(sistrix|SISTRIX) [cC]rawler", "sistrix crawler"),
            (r"Current[\s\S]*RSS Reader", "Current RSS Reader"),
            (r"Automaton|Newsify Feed Fetcher", "Automaton"),
            (r"^$", "^$"),
        ] {
            assert_eq!(readable_name(pattern), expect, "{pattern}");
        }
        let names: BTreeSet<_> = KNOWN.crawlers.iter().map(|crawler| &crawler.name).collect();
        assert!(names.iter().all(|name| !name.contains(['\\', '[', '^', '|'])), "{names:?}");
        assert!(names.len() * 100 > KNOWN.crawlers.len() * 98, "{} names", names.len());
    }

    #[test]
    fn long_user_agents_are_judged_too() {
        let bots = bots(&BotRules::default());
        let long = "x".repeat(4096) + " Googlebot/2.1";
        assert_eq!(bots.name(long.as_bytes()), Some("Googlebot"));
        assert_eq!(bots.name("x".repeat(64 * 1024).as_bytes()), None);
    }
}

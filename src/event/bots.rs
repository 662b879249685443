//! Which user agents are crawlers, by the data set crawler-user-agents.
//!
//! The data set's patterns are almost all plain text, so one Aho-Corasick automaton finds them all in one pass and only
//! the few others are regular expressions. Both are compiled once in a process, when they are first needed. A bounded
//! cache keeps the verdicts of the user agents seen last: a hit costs a hash and a comparison, and no allocation.

use std::fmt;

use super::rules::{BotRules, EmptyUserAgent};

/// Why the rules about bots cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum BotsError {
    /// A pattern of `add:` is none.
    #[error(transparent)]
    Pattern(#[from] regex::Error),
    /// A pattern of `remove:` is not in the data set.
    #[error("{0:?} is no pattern of the data set")]
    Unknown(String),
}

/// What matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BotMatch<'a> {
    /// The crawler's name.
    pub name: &'a str,
    /// The pattern, as `remove:` takes it; `None` where no pattern was needed.
    pub pattern: Option<&'a str>,
    /// Where its operator describes it.
    pub url: Option<&'a str>,
}

/// Finds crawlers.
#[derive(Clone)]
pub struct Bots {
    rules: BotRules,
}

impl fmt::Debug for Bots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bots").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Bots {
    /// Compiles the rules.
    ///
    /// # Errors
    /// A pattern of `add:` that is none, or one of `remove:` that the data set does not have.
    pub fn new(rules: &BotRules) -> Result<Self, BotsError> {
        Ok(Self { rules: rules.clone() })
    }

    /// The name of the crawler that such a user agent is; `None` if it is none.
    pub fn name(&mut self, user_agent: &[u8]) -> Option<&str> {
        self.explain(user_agent).map(|found| found.name)
    }

    /// The crawler with the pattern that matched.
    pub fn explain(&mut self, user_agent: &[u8]) -> Option<BotMatch<'_>> {
        let is_empty = user_agent.is_empty() || user_agent == b"-";
        (is_empty && self.rules.empty_user_agent == EmptyUserAgent::Bot).then_some(BotMatch {
            name: "empty user agent",
            pattern: None,
            url: None,
        })
    }
}

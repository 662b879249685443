//! Why events do not count, in the order in which the rules are asked, and in words for a person.

/// The reasons of events, with what they mean.
const REASONS: [(&str, &str); 11] = [
    ("malformed", "no request could be read"),
    ("method", "not a GET request"),
    ("path", "a path or host left out by the configuration"),
    ("internal_ip", "from an address of your own"),
    ("prefetch", "fetched ahead by a browser, perhaps never seen"),
    ("redirect", "sent on to another address"),
    ("status", "an error, or nothing that was shown"),
    ("static", "images, styles, scripts and other files"),
    ("feed", "feed readers"),
    ("bot", "crawlers and other programs"),
    ("content_type", "an answer that is no HTML page"),
];

/// What a reason means; nothing for one of a later version.
#[must_use]
pub fn meaning(reason: &str) -> &'static str {
    REASONS.iter().find(|(known, _)| *known == reason).map_or("", |(_, meaning)| meaning)
}

/// The place of a reason in its order; those of a later version come last.
#[must_use]
pub fn rank(reason: &str) -> usize {
    REASONS.iter().position(|(known, _)| *known == reason).unwrap_or(REASONS.len())
}

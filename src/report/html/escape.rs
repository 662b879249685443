//! Text from requests into HTML: shown as it is, never obeyed.

use crate::io::terminal;

/// Longest name that is shown, in characters. A page key has at most 1 KiB, and a table of such names reads badly.
const NAME_CHARACTERS_MAX: usize = 200;

/// Text for the inside of an element or of a quoted attribute. Controls, and characters that turn the direction of
/// text, are spelled out: a browser would obey the latter.
#[must_use]
pub fn escape(text: &str) -> String {
    let shown = terminal::escape(text);
    let mut escaped = String::with_capacity(shown.len() + 16);
    for character in shown.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // A very old way to close a quote in some browsers.
            '`' => escaped.push_str("&#96;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A name in an element of its own that keeps right-to-left text from turning what follows; what is too long is cut.
#[must_use]
pub fn name(text: &str, otherwise: &str) -> String {
    if text.is_empty() {
        return format!("<i>{}</i>", escape(otherwise));
    }
    format!("<bdi>{}</bdi>", escape(&terminal::escape_short(text, NAME_CHARACTERS_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a browser reads.
    fn unescape(html: &str) -> String {
        let mut text = html.to_owned();
        for (entity, character) in
            [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#96;", "`"), ("&amp;", "&")]
        {
            text = text.replace(entity, character);
        }
        text
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(escape("<script>'\"`&"), "&lt;script&gt;&#39;&quot;&#96;&amp;");
        assert_eq!(escape("a\u{202e}b\0\n"), "a\\u{202e}b\\x00\\x0A");
        assert_eq!(name("", "none"), "<i>none</i>");
        assert_eq!(name("<b>", "none"), "<bdi>&lt;b&gt;</bdi>");
        assert!(name(&"&".repeat(5000), "").len() < 1100);
    }

    proptest! {
        #[test]
        fn nothing_is_markup_and_nothing_is_lost(text in "[\\PC\\pC<>&\"'`;#x]{0,60}") {
            let html = escape(&text);
            prop_assert!(!html.contains(['<', '>', '"', '\'', '`']), "{html}");
            for (at, _) in html.match_indices('&') {
                let rest = &html[at..];
                let is_entity = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&#96;"].iter().any(|e| rest.starts_with(e));
                prop_assert!(is_entity, "{html}");
            }
            let is_obeyed =
                |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
            prop_assert!(!html.chars().any(is_obeyed), "{html}");
            prop_assert_eq!(unescape(&html), terminal::escape(&text));
        }
    }
}

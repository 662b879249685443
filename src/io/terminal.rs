//! What a log or a topic said, made harmless for a terminal.
//!
//! Log content is hostile: a request can carry escape sequences that clear the screen, retitle the window or turn
//! the direction of text. Every byte of it that is printed for a person passes [`escape`] or [`escape_bytes`].

use std::borrow::Cow;
use std::fmt::Write as _;

/// Text with every control and every character that changes the direction of text spelled out.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        push(&mut escaped, character);
    }
    Cow::Owned(escaped)
}

/// The same for bytes; what is not UTF-8 is shown as `\xHH`.
#[must_use]
pub fn escape_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return escape(text);
    }
    let mut escaped = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            push(&mut escaped, character);
        }
        for byte in chunk.invalid() {
            push_byte(&mut escaped, *byte);
        }
    }
    Cow::Owned(escaped)
}

/// At most `characters_max` characters of the text, escaped; a cut is marked with `…`.
#[must_use]
pub fn escape_short(text: &str, characters_max: usize) -> String {
    let escaped = escape(text);
    if escaped.chars().count() <= characters_max {
        return escaped.into_owned();
    }
    let mut short: String = escaped.chars().take(characters_max.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// One line of JSON whose strings hold nothing that a terminal would obey; it stays JSON of the same value.
#[must_use]
pub fn escape_json(json: &str) -> Cow<'_, str> {
    if json.chars().all(is_harmless) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_harmless(character) {
            escaped.push(character);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        }
    }
    Cow::Owned(escaped)
}

fn push(escaped: &mut String, character: char) {
    if is_harmless(character) {
        escaped.push(character);
        return;
    }
    match u8::try_from(character) {
        Ok(byte) if byte.is_ascii() => push_byte(escaped, byte),
        Ok(_) | Err(_) => {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\u{{{:x}}}", u32::from(character));
        }
    }
}

fn push_byte(escaped: &mut String, byte: u8) {
    let _ = write!(escaped, "\\x{byte:02X}");
}

fn is_harmless(character: char) -> bool {
    // `is_control` is C0, DEL and C1. The others order text (bidi), end lines or are not seen at all.
    !(character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spells_out_what_a_terminal_would_obey() {
        assert_eq!(escape("plain /päge"), "plain /päge");
        assert_eq!(escape("a\x1b[2Jb"), "a\\x1B[2Jb");
        assert_eq!(escape("two\nlines\t\r\x7f\0"), "two\\x0Alines\\x09\\x0D\\x7F\\x00");
        assert_eq!(escape("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(escape("\u{202e}exe.gpj\u{2066}"), "\\u{202e}exe.gpj\\u{2066}");
    }

    #[test]
    fn shows_bytes_that_are_no_text() {
        assert_eq!(escape_bytes(b"a\xff\xc3\xa4\x9b"), "a\\xFFä\\x9B");
    }

    #[test]
    fn cuts_after_escaping() {
        assert_eq!(escape_short("abcdef", 6), "abcdef");
        assert_eq!(escape_short("abcdefg", 6), "abcde…");
        assert_eq!(escape_short("\x1b\x1b", 6), "\\x1B\\…");
    }

    proptest! {
        #[test]
        fn json_stays_the_same_value_and_obeys_nothing(text in "[\\PC\\pC]{0,50}") {
            let json = serde_json::to_string(&text).unwrap();
            let escaped = escape_json(&json);
            prop_assert!(escaped.chars().all(is_harmless));
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }

        #[test]
        fn leaves_nothing_to_obey(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(!escape_bytes(&bytes).chars().any(char::is_control));
        }
    }
}

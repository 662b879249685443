//! Percent-encoding: decoded once, and put back where a text would lie about itself.

const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `text` decoded once. What decodes to a byte of `kept` or to `%`, and a `%` that begins nothing, is written
/// percent-encoded: every `%` in the output begins `%HH`, so that decoding the output changes nothing.
pub(super) fn decode(text: &[u8], kept: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(percent) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(&rest[..percent]);
        rest = &rest[percent..];
        let (byte, size) = decoded(rest).map_or((b'%', 1), |byte| (byte, 3));
        if byte == b'%' || kept.contains(&byte) {
            push_encoded(byte, out);
        } else {
            out.push(byte);
        }
        rest = &rest[size..];
    }
    out.extend_from_slice(rest);
}

/// `text` decoded once but for `kept` bytes, in a buffer of the caller where there is anything to decode. What does not
/// fit stays as it is.
pub(super) fn decode_within<'a>(text: &'a [u8], kept: &[u8], buffer: &'a mut [u8]) -> &'a [u8] {
    if text.len() > buffer.len() || memchr::memchr(b'%', text).is_none() {
        return text;
    }
    let (mut rest, mut size) = (text, 0);
    while let Some(&first) = rest.first() {
        let byte = decoded(rest).filter(|byte| !kept.contains(byte));
        buffer[size] = byte.unwrap_or(first);
        size += 1;
        rest = &rest[if byte.is_some() { 3 } else { 1 }..];
    }
    &buffer[..size]
}

/// The byte that `text` begins with as `%HH`.
pub(super) fn decoded(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    Some(digit(*high)? << 4 | digit(*low)?)
}

/// Appends bytes as text. What is not UTF-8, control characters and those that reorder or break lines stay
/// percent-encoded: they could make one page look like another.
pub(super) fn push_readable(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        push_characters(chunk.valid(), out);
        for &byte in chunk.invalid() {
            push_encoded(byte, out);
        }
    }
}

/// Appends `%HH`.
pub(super) fn push_encoded(byte: u8, out: &mut Vec<u8>) {
    let digit = |value: u8| HEX_UPPER[usize::from(value)];
    out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 0xF)]);
}

fn push_characters(text: &str, out: &mut Vec<u8>) {
    let mut written = 0;
    for (place, character) in text.char_indices().filter(|(_, character)| is_deceptive(*character)) {
        out.extend_from_slice(&text.as_bytes()[written..place]);
        written = place + character.len_utf8();
        for &byte in &text.as_bytes()[place..written] {
            push_encoded(byte, out);
        }
    }
    out.extend_from_slice(&text.as_bytes()[written..]);
}

/// Control characters, the separators of lines and paragraphs, and the controls of Unicode's bidirectional algorithm.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, decode_within, push_readable};

    fn check(text: &str, expect: &str) {
        let mut decoded = Vec::new();
        decode(text.as_bytes(), b"/", &mut decoded);
        let mut readable = Vec::new();
        push_readable(&decoded, &mut readable);
        assert_eq!(String::from_utf8(readable).unwrap(), expect, "{text}");
    }

    #[test]
    fn decodes_once_what_may_be_decoded() {
        check("a%20b%41", "a bA");
        check("%2f%2F%25%2541", "%2F%2F%25%2541");
        check("%E5%85%B3", "关");
        check("%e5%85x%FF", "%E5%85x%FF");
    }

    #[test]
    fn a_stray_percent_sign_cannot_become_an_escape() {
        check("100%", "100%25");
        check("%4", "%254");
        check("%zz", "%25zz");
        check("%%34%31", "%2541");
    }

    #[test]
    fn what_deceives_the_eye_stays_encoded() {
        check("a\u{0}b\n", "a%00b%0A");
        check("%E2%80%AEgpj", "%E2%80%AEgpj");
        check("x\u{2066}y\u{85}", "x%E2%81%A6y%C2%85");
    }

    #[test]
    fn a_buffer_is_enough_to_decode_in() {
        for (text, expect) in [
            ("/a", "/a"),
            ("/%E5%85%B3", "/关"),
            ("%2f%41%", "%2fA%"),
            ("/%41/longer than it", "/%41/longer than it"),
        ] {
            let mut buffer = [0; 12];
            assert_eq!(decode_within(text.as_bytes(), b"/", &mut buffer), expect.as_bytes(), "{text}");
        }
    }
}

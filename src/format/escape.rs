//! How a server writes bytes into a log that could break a line, and how to read them back.

/// The escape mode of a `log_format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Escape {
    /// nginx's own: `"`, `\`, control bytes, DEL and everything from 0x80 become `\xHH`; an absent value is `-`.
    #[default]
    Default,
    /// nginx's `escape=json`: `"`, `\` and control bytes as JSON writes them, bytes from 0x80 as they are; an absent
    /// value is empty.
    Json,
}

impl Escape {
    /// Whether `value` stands for "no value".
    #[must_use]
    pub fn is_absent(self, value: &[u8]) -> bool {
        match self {
            Self::Default => value == b"-",
            Self::Json => value.is_empty(),
        }
    }

    /// The value behind the text in the line: `value` itself where nothing is escaped, else written to `scratch`.
    /// A backslash that starts no known escape stands for itself.
    pub fn decode<'a>(self, value: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
        let Some(first) = memchr::memchr(b'\\', value) else { return value };
        scratch.clear();
        scratch.extend_from_slice(&value[..first]);
        let mut rest = &value[first..];
        while let Some(&byte) = rest.first() {
            let escaped = if byte == b'\\' { self.escaped(rest) } else { None };
            let (meant, taken) = escaped.unwrap_or((byte, 1));
            scratch.push(meant);
            rest = &rest[taken..];
        }
        scratch
    }

    /// Whether a value in the line never holds this byte as it is. In json mode a quote is held, but only behind a
    /// backslash: [`Self::quote_end`] knows.
    pub(super) fn never_writes(self, byte: u8) -> bool {
        match self {
            Self::Default => byte == b'"' || !(b' '..0x7F).contains(&byte),
            Self::Json => byte < b' ',
        }
    }

    /// Where the first quote stands in `text` that does not belong to a value starting at its beginning.
    pub(super) fn quote_end(self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Default => memchr::memchr(b'"', text),
            Self::Json => memchr::memchr_iter(b'"', text).find(|&quote| {
                let backslashes = text[..quote].iter().rev().take_while(|byte| **byte == b'\\').count();
                backslashes % 2 == 0
            }),
        }
    }

    /// The byte meant by the escape at the beginning of `text`, and the length of the escape.
    fn escaped(self, text: &[u8]) -> Option<(u8, usize)> {
        match (self, text.get(1)?) {
            (Self::Default, b'x') => Some((hex_pair(text.get(2..4)?)?, 4)),
            (Self::Default, _) => None,
            (Self::Json, b'n') => Some((b'\n', 2)),
            (Self::Json, b'r') => Some((b'\r', 2)),
            (Self::Json, b't') => Some((b'\t', 2)),
            (Self::Json, b'b') => Some((0x08, 2)),
            (Self::Json, b'f') => Some((0x0C, 2)),
            (Self::Json, &byte @ (b'"' | b'\\')) => Some((byte, 2)),
            (Self::Json, b'u') => {
                let byte = hex_pair(text.get(2..6)?.strip_prefix(b"00")?)?;
                byte.is_ascii().then_some((byte, 6))
            }
            (Self::Json, _) => None,
        }
    }
}

fn hex_pair(digits: &[u8]) -> Option<u8> {
    let &[high, low] = digits else { return None };
    Some(hex_digit(high)? * 16 + hex_digit(low)?)
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Writes a value by the rules of nginx's log module: the truth that the reading side is held against.
#[cfg(test)]
pub(crate) fn write_as_nginx(escape: Escape, value: &[u8], out: &mut Vec<u8>) {
    for &byte in value {
        match (escape, byte) {
            (Escape::Default, 0..0x20 | b'"' | b'\\' | 0x7F..) => {
                out.extend_from_slice(format!("\\x{byte:02X}").as_bytes());
            }
            (Escape::Json, b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            (Escape::Json, b'\n') => out.extend_from_slice(b"\\n"),
            (Escape::Json, b'\r') => out.extend_from_slice(b"\\r"),
            (Escape::Json, b'\t') => out.extend_from_slice(b"\\t"),
            (Escape::Json, 0x08) => out.extend_from_slice(b"\\b"),
            (Escape::Json, 0x0C) => out.extend_from_slice(b"\\f"),
            (Escape::Json, 0..0x20) => out.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
            (Escape::Default | Escape::Json, _) => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Escape, write_as_nginx};

    fn check(escape: Escape, written: &str, expect: &[u8]) {
        assert_eq!(escape.decode(written.as_bytes(), &mut Vec::new()), expect, "{written:?}");
    }

    #[test]
    fn default_knows_one_escape() {
        check(Escape::Default, "plain", b"plain");
        check(Escape::Default, r"\x16\x03\x01", b"\x16\x03\x01");
        check(Escape::Default, r"a\x22b\x5Cc", b"a\"b\\c");
        check(Escape::Default, r"\xe4\xB8", b"\xE4\xB8");
        check(Escape::Default, r"a\n\x2", br"a\n\x2");
        check(Escape::Default, r"\", br"\");
        check(Escape::Default, r"\xzz\x41", br"\xzzA");
    }

    #[test]
    fn json_knows_what_nginx_writes() {
        check(Escape::Json, r#"a\"b\\c"#, b"a\"b\\c");
        check(Escape::Json, r"\n\r\t\b\f\u001F", b"\n\r\t\x08\x0C\x1F");
        check(Escape::Json, r"\\n", br"\n");
        check(Escape::Json, r"\u4E2D\u00", br"\u4E2D\u00");
        check(Escape::Json, r"\x41\", br"\x41\");
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        for escape in [Escape::Default, Escape::Json] {
            let mut written = Vec::new();
            write_as_nginx(escape, &all, &mut written);
            assert_eq!(escape.decode(&written, &mut Vec::new()), all);
            assert_eq!(escape.quote_end(&written), None);
            assert!(!written.iter().any(|byte| escape.never_writes(*byte)));
        }
    }

    #[test]
    fn a_json_quote_ends_a_value_behind_an_even_number_of_backslashes() {
        assert_eq!(Escape::Json.quote_end(br#"a\"b\\","#), Some(6));
        assert_eq!(Escape::Json.quote_end(br#"\\\""#), None);
        assert_eq!(Escape::Json.quote_end(br#"""#), Some(0));
        assert_eq!(Escape::Default.quote_end(br#"a\"b"#), Some(2));
    }
}

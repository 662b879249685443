//! How a server writes bytes into a log that could break a line, and how to read them back.

/// The escape mode of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Escape {
    /// nginx's own: `"`, `\`, control bytes, DEL and everything from 0x80 become `\xHH`; an absent value is `-`.
    #[default]
    Default,
    /// nginx's `escape=json`: `"`, `\` and control bytes as JSON writes them, bytes from 0x80 as they are; an absent
    /// value is empty.
    Json,
    /// nginx's `escape=none`, and text that nobody escaped: every byte stands for itself.
    None,
    /// Apache's: `\"`, `\\`, `\n` and its like, every other byte that is not printable ASCII as `\xhh`; an absent
    /// value is `-`, an empty user `""`.
    Apache,
    /// Quoted text as programs in Go write it, Traefik's: the escapes of that language, printable UTF-8 as it is. What
    /// stands outside quotes is not escaped at all; an absent value is `-`.
    Go,
    /// A string of real JSON, with `\uHHHH` and surrogates; an absent value is empty or `-`.
    JsonText,
}

/// What an escape stands for, as bytes.
struct Meant {
    bytes: [u8; 4],
    length: usize,
}

impl Meant {
    fn byte(byte: u8) -> Self {
        Self { bytes: [byte, 0, 0, 0], length: 1 }
    }

    fn character(character: char) -> Self {
        let mut bytes = [0; 4];
        let length = character.encode_utf8(&mut bytes).len();
        Self { bytes, length }
    }
}

impl Escape {
    /// Whether `value` stands for "no value".
    #[must_use]
    pub fn is_absent(self, value: &[u8]) -> bool {
        match self {
            Self::Default | Self::Go => value == b"-",
            Self::Json => value.is_empty(),
            Self::None | Self::JsonText => matches!(value, b"" | b"-"),
            Self::Apache => matches!(value, b"-" | b"\"\""),
        }
    }

    /// The value behind the text in the line: `value` itself where nothing is escaped, else written to `scratch`.
    /// A backslash that starts no known escape stands for itself.
    pub fn decode<'a>(self, value: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
        if self == Self::None {
            return value;
        }
        let Some(first) = memchr::memchr(b'\\', value) else { return value };
        scratch.clear();
        scratch.extend_from_slice(&value[..first]);
        let mut rest = &value[first..];
        while let Some(&byte) = rest.first() {
            let escaped = if byte == b'\\' { self.escaped(rest) } else { None };
            let (meant, taken) = escaped.unwrap_or_else(|| (Meant::byte(byte), 1));
            scratch.extend_from_slice(&meant.bytes[..meant.length]);
            rest = &rest[taken..];
        }
        scratch
    }

    /// Whether a value in the line never holds this byte as it is. Where a quote is held, but only behind a
    /// backslash, [`Self::quote_end`] knows.
    pub(super) fn never_writes(self, byte: u8) -> bool {
        match self {
            Self::Default => byte == b'"' || !(b' '..0x7F).contains(&byte),
            Self::Json | Self::JsonText => byte < b' ',
            Self::Apache => !(b' '..0x7F).contains(&byte),
            Self::None | Self::Go => false,
        }
    }

    /// Whether no value in quotes holds a quote but behind a backslash.
    pub(super) fn guards_quotes(self) -> bool {
        self != Self::None
    }

    /// Whether that is true of values outside quotes, too.
    pub(super) fn guards_everywhere(self) -> bool {
        !matches!(self, Self::None | Self::Go)
    }

    /// Where the first quote stands in `text` that does not belong to a value starting at its beginning.
    pub(super) fn quote_end(self, text: &[u8]) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Default => memchr::memchr(b'"', text),
            Self::Json | Self::Apache | Self::Go | Self::JsonText => {
                let mut from = 0;
                // Each step jumps over an escape, so that a long run of backslashes is looked at once.
                loop {
                    let at = from + memchr::memchr2(b'"', b'\\', text.get(from..)?)?;
                    if text[at] == b'"' {
                        return Some(at);
                    }
                    from = at + 2;
                }
            }
        }
    }

    /// What the escape at the beginning of `text` means, and the length of the escape.
    fn escaped(self, text: &[u8]) -> Option<(Meant, usize)> {
        let kind = *text.get(1)?;
        let short = |byte| Some((Meant::byte(byte), 2));
        match (self, kind) {
            (Self::Default | Self::Apache | Self::Go, b'x') => {
                Some((Meant::byte(hex_pair(text.get(2..4)?)?), 4))
            }
            (Self::Default | Self::None, _) => None,
            (_, b'n') => short(b'\n'),
            (_, b'r') => short(b'\r'),
            (_, b't') => short(b'\t'),
            (_, b'b') => short(0x08),
            (_, b'"' | b'\\') => short(kind),
            (Self::Json | Self::JsonText | Self::Go, b'f') => short(0x0C),
            (Self::Apache | Self::Go, b'v') => short(0x0B),
            (Self::Go, b'a') => short(0x07),
            (Self::JsonText, b'/') => short(b'/'),
            (Self::Json, b'u') => {
                let byte = hex_pair(text.get(2..6)?.strip_prefix(b"00")?)?;
                byte.is_ascii().then(|| (Meant::byte(byte), 6))
            }
            (Self::JsonText, b'u') => utf16(text),
            (Self::Go, b'u') => Some((Meant::character(char::from_u32(hex(text.get(2..6)?)?)?), 6)),
            (Self::Go, b'U') => Some((Meant::character(char::from_u32(hex(text.get(2..10)?)?)?), 10)),
            (Self::Json | Self::Apache | Self::Go | Self::JsonText, _) => None,
        }
    }
}

/// JSON's `\uHHHH`, and two of them for a character above U+FFFF; half of such a pair is no character.
fn utf16(text: &[u8]) -> Option<(Meant, usize)> {
    let first = hex(text.get(2..6)?)?;
    if let Some(character) = char::from_u32(first) {
        return Some((Meant::character(character), 6));
    }
    let second = text.get(6..12).and_then(|text| hex(text.strip_prefix(b"\\u")?));
    let pair = second.filter(|second| first < 0xDC00 && (0xDC00..0xE000).contains(second));
    let meant =
        pair.and_then(|second| char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)));
    Some(
        meant.map_or((Meant::character(char::REPLACEMENT_CHARACTER), 6), |meant| {
            (Meant::character(meant), 12)
        }),
    )
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + u32::from(hex_digit(*digit)?)))
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

/// Writes a value by the rules of nginx's and Apache's log modules and Go's quoting: the truth that the reading side is
/// held against.
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
            (Escape::Apache | Escape::Go, b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            (Escape::Apache | Escape::Go, b'\n') => out.extend_from_slice(b"\\n"),
            (Escape::Apache | Escape::Go, b'\r') => out.extend_from_slice(b"\\r"),
            (Escape::Apache | Escape::Go, b'\t') => out.extend_from_slice(b"\\t"),
            (Escape::Apache | Escape::Go, 0x08) => out.extend_from_slice(b"\\b"),
            (Escape::Apache | Escape::Go, 0x0B) => out.extend_from_slice(b"\\v"),
            (Escape::Apache | Escape::Go, 0..0x20 | 0x7F..) => {
                out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
            }
            (_, _) => out.push(byte),
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
    fn the_escapes_of_other_writers() {
        check(Escape::Apache, r#"a\"b\\c\n\t\v\x1b\xe4"#, b"a\"b\\c\n\t\x0B\x1B\xE4");
        check(Escape::Go, r"\u00e9\U0001f600\a\xff", b"\xC3\xA9\xF0\x9F\x98\x80\x07\xFF");
        check(Escape::JsonText, r"\/\u4e2d\ud83d\ude00", "/中😀".as_bytes());
        check(Escape::JsonText, r"\ud83d\u0041\ude00", "\u{FFFD}A\u{FFFD}".as_bytes());
        check(Escape::None, r"a\n\x41", br"a\n\x41");
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        for escape in [Escape::Default, Escape::Json, Escape::Apache, Escape::Go] {
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

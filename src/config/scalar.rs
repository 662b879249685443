//! From a byte of a scalar's value back to the byte of the text where it is written.

use super::place::Place;

/// The point in `text` where byte `offset` of the value of `scalar` is written; the scalar's end if it has no such
/// byte. Folded lines, doubled quotes, escapes and indentation stand between the two.
pub(super) fn locate(text: &str, scalar: Place, offset: usize) -> Place {
    let raw = &text[scalar.range()];
    let (start, style) = Style::of(raw);
    let mut walk = Walk { rest: &raw[start..], value: 0, style };
    while walk.value < offset && !walk.rest.is_empty() {
        walk.step(offset);
    }
    let point = scalar.range().end - walk.rest.len();
    let width = walk.rest.chars().next().map_or(0, char::len_utf8);
    Place::new(point, point + width)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
    Block,
}

impl Style {
    /// The style, and where the first character of the value is written.
    fn of(raw: &str) -> (usize, Self) {
        match raw.as_bytes().first() {
            Some(b'\'') => (1, Self::Single),
            Some(b'"') => (1, Self::Double),
            Some(b'|' | b'>') => {
                let header = raw.find('\n').map_or(raw.len(), |newline| newline + 1);
                let indentation = raw[header..].len() - raw[header..].trim_start().len();
                (header + indentation, Self::Block)
            }
            Some(_) | None => (0, Self::Plain),
        }
    }
}

struct Walk<'a> {
    /// What is not walked yet.
    rest: &'a str,
    /// Bytes of the value walked so far.
    value: usize,
    style: Style,
}

impl Walk<'_> {
    /// Over what stands for the next character of the value.
    fn step(&mut self, offset: usize) {
        let (written, meant) = match (self.style, self.rest.as_bytes()) {
            (Style::Single, [b'\'', b'\'', ..]) => (2, 1),
            (Style::Double, [b'\\', escape, ..]) => escaped(self.rest, *escape),
            (_, [b'\n' | b'\r', ..]) => self.line_break(),
            (_, [b' ' | b'\t', ..]) => self.blanks(offset),
            _ => {
                let width = self.rest.chars().next().map_or(1, char::len_utf8);
                (width, width)
            }
        };
        self.rest = self.rest.get(written..).unwrap_or("");
        self.value += meant;
    }

    /// A break is one space or newline of the value, and each empty line one more; indentation is nothing.
    fn line_break(&self) -> (usize, usize) {
        let written = self.rest.len() - self.rest.trim_start().len();
        let breaks = self.rest[..written].matches('\n').count();
        (written, if self.style == Style::Block { breaks } else { breaks.saturating_sub(1).max(1) })
    }

    /// Blanks stand for themselves, but before a line break of anything but a block for nothing.
    fn blanks(&self, offset: usize) -> (usize, usize) {
        let blanks = self.rest.len() - self.rest.trim_start_matches([' ', '\t']).len();
        let folded = self.rest[blanks..].starts_with(['\n', '\r']) && self.style != Style::Block;
        let kept = blanks.min(offset - self.value);
        if folded { (blanks, 0) } else { (kept, kept) }
    }
}

/// Bytes that a backslash and what belongs to it are written with, and bytes that they mean.
fn escaped(rest: &str, escape: u8) -> (usize, usize) {
    let digits = match escape {
        b'x' => 2,
        b'u' => 4,
        b'U' => 8,
        b'\n' | b'\r' => {
            let blanks = rest[1..].len() - rest[1..].trim_start().len();
            return (1 + blanks, 0);
        }
        b'N' | b'_' => return (2, 2),
        b'L' | b'P' => return (2, 3),
        _ => return (2, 1),
    };
    let code = rest.get(2..2 + digits).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    (2 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rest of the written text from the byte that `$` of the value is written at.
    fn rest_from_dollar(raw: &str, value: &str) -> String {
        let place = locate(raw, Place::new(0, raw.len()), value.find('$').unwrap());
        raw[place.start()..].to_owned()
    }

    #[test]
    fn a_byte_is_found_where_it_is_written() {
        for raw in [
            "ab $x",
            "'ab ''c'' $x'",
            r#""a\"b\\ \x41\u00e9 \t $x""#,
            "'ab\n    cd  \n   e $x'",
            "'ab\n\n  cd $x'",
            "\"ab\\\n   cd $x\"",
            "|\n  ab cd\n  e $x\n",
            ">-\n    ab cd\n    e $x\n",
            "'é ü $x'",
        ] {
            let value: String = serde_yaml::from_str(raw).unwrap();
            assert!(rest_from_dollar(raw, &value).starts_with("$x"), "{raw:?} means {value:?}");
        }
    }

    #[test]
    fn a_byte_behind_the_value_is_the_end() {
        assert_eq!(locate("'ab'", Place::new(0, 4), 99), Place::new(4, 4));
    }
}

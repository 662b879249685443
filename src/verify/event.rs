//! The few fields of an event that the audit needs, read leniently.

use std::borrow::Cow;

use serde::Deserialize;

use super::coverage::Reason;

/// What an event claims about its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The stream.
    pub stream: u64,
    /// Where the line starts.
    pub start: u64,
    /// Where the next line starts; above `start`.
    pub end: u64,
    /// Where the bytes directly before the line that gave no event start, and why they gave none.
    pub skipped: Option<(u64, Reason)>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    line_size: u64,
    skipped_size: Option<u64>,
    #[serde(borrow)]
    skipped_reason: Option<Cow<'a, str>>,
}

/// Reads a record's value; `None` if it is not an event of viewtail.
#[must_use]
pub fn read(value: &[u8]) -> Option<Claim> {
    let fields: Fields<'_> = serde_json::from_slice(value).ok()?;
    let (stream, position) = fields.id.split_once(':')?;
    let (stream, start) = (hexadecimal(stream)?, decimal(position)?);
    let end = start.checked_add(fields.line_size).filter(|end| *end > start)?;
    let skipped = match fields.skipped_size {
        None | Some(0) => None,
        Some(size) => {
            let reason = Reason::of(fields.skipped_reason.as_deref().unwrap_or_default());
            Some((start.checked_sub(size)?, reason))
        }
    };
    Some(Claim { stream, start, end, skipped })
}

fn hexadecimal(text: &str) -> Option<u64> {
    let is_plain = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_plain { u64::from_str_radix(text, 16).ok() } else { None }
}

/// Digits alone: `parse` would let `+7` and `007` be other names of the same line.
fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(json: &str) -> Option<Claim> {
        read(json.as_bytes())
    }

    #[test]
    fn reads_what_it_needs_and_ignores_the_rest() {
        let json = r#"{"v":1,"id":"00000000000000ff:10","line_size":5,"new":{"x":[1]},"raw":"\\x00"}"#;
        assert_eq!(claim(json), Some(Claim { stream: 255, start: 10, end: 15, skipped: None }));
        let json = r#"{"id":"00000000000000ff:10","line_size":5,"skipped_size":4,"skipped_reason":"hole"}"#;
        assert_eq!(claim(json).and_then(|claim| claim.skipped), Some((6, Reason::Hole)));
        let json = r#"{"id":"00000000000000ff:10","line_size":5,"skipped_size":4}"#;
        assert_eq!(claim(json).and_then(|claim| claim.skipped), Some((6, Reason::Other)));
    }

    #[test]
    fn refuses_what_is_no_event() {
        for json in [
            "",
            "no json",
            "[]",
            r#"{"id":"00000000000000ff:10"}"#,
            r#"{"id":"00000000000000ff","line_size":5}"#,
            r#"{"id":"ff:10","line_size":5}"#,
            r#"{"id":"00000000000000FF:10","line_size":5}"#,
            r#"{"id":"00000000000000ff:+10","line_size":5}"#,
            r#"{"id":"00000000000000ff:010","line_size":5}"#,
            r#"{"id":"00000000000000ff:10","line_size":0}"#,
            r#"{"id":"00000000000000ff:10","line_size":-5}"#,
            r#"{"id":"00000000000000ff:18446744073709551615","line_size":5}"#,
            r#"{"id":"00000000000000ff:10","line_size":5,"skipped_size":11}"#,
        ] {
            assert_eq!(claim(json), None, "{json}");
        }
    }
}

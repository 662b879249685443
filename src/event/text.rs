//! Values as JSON text: escaped, always valid UTF-8, bounded, and without any user and password of a URL.
//!
//! Most values need no change. One pass over whole chunks, which the compiler turns into vector instructions, finds
//! that out; the others take the slow way.

use memchr::{memmem, memrchr};

/// What is kept beyond a limit, so that [`capped`] can see whether the cut is inside a character.
pub(super) const CHARACTER_BYTES_MAX: usize = 4;

/// Bytes looked at in one step of the scan.
const CHUNK_BYTES: usize = 16;

/// Appends text that needs no escape; `key` has the separator before and the quote behind it.
pub(super) fn push_string(out: &mut Vec<u8>, key: &[u8], text: &[u8]) {
    out.extend_from_slice(key);
    out.extend_from_slice(text);
    out.push(b'"');
}

/// Appends an unsigned number.
pub(super) fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a number with leading zeros.
pub(super) fn push_padded(out: &mut Vec<u8>, number: i64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    let mut rest = usize::try_from(number).unwrap_or(0);
    for place in out[start..].iter_mut().rev() {
        *place = DIGITS[rest % 10];
        rest /= 10;
    }
}

const DIGITS: &[u8; 10] = b"0123456789";
const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// Whether every byte can be copied into JSON as it is, and none of them begins an escape of a log or belongs to the
/// user of a URL. DEL and bytes from 0x80 are left to the slow way.
pub(super) fn is_plain(text: &[u8]) -> bool {
    // The last chunk may overlap the one before: looking twice costs less than looking byte by byte.
    let Some(last) = text.last_chunk() else { return !text.iter().copied().any(is_special) };
    let (chunks, _) = text.as_chunks();
    // Without a branch per chunk, so that each costs a few vector instructions: almost all that is asked about is plain.
    let mut special = special_of(last);
    for chunk in chunks {
        for (special, one) in special.iter_mut().zip(special_of(chunk)) {
            *special |= one;
        }
    }
    special == [0; CHUNK_BYTES]
}

/// 1 for each special byte.
#[inline]
fn special_of(chunk: &[u8; CHUNK_BYTES]) -> [u8; CHUNK_BYTES] {
    chunk.map(|byte| u8::from(is_special(byte)))
}

/// Whether something is true of a byte and the one behind it anywhere in a text. In whole chunks without a branch, as
/// [`is_plain`].
#[inline]
pub(super) fn any_pair(text: &[u8], is: impl Fn(u8, u8) -> bool + Copy) -> bool {
    let (Some((_, before)), Some((_, behind))) = (text.split_last(), text.split_first()) else {
        return false;
    };
    let of = |one: &[u8; CHUNK_BYTES], next: &[u8; CHUNK_BYTES]| {
        let mut found = [0; CHUNK_BYTES];
        for ((found, one), next) in found.iter_mut().zip(one).zip(next) {
            *found = u8::from(is(*one, *next));
        }
        found
    };
    let (Some(one), Some(next)) = (before.last_chunk(), behind.last_chunk()) else {
        return before.iter().zip(behind).any(|(one, next)| is(*one, *next));
    };
    let mut any = of(one, next);
    for (one, next) in before.as_chunks().0.iter().zip(behind.as_chunks().0) {
        for (any, found) in any.iter_mut().zip(of(one, next)) {
            *any |= found;
        }
    }
    any != [0; CHUNK_BYTES]
}

#[inline]
fn is_special(byte: u8) -> bool {
    !(b' '..0x7F).contains(&byte) | (byte == b'"') | (byte == b'\\') | (byte == b'@')
}

/// Appends the inside of a JSON string; what is not UTF-8 becomes U+FFFD.
pub(super) fn push_lossy(out: &mut Vec<u8>, text: &[u8]) {
    if is_plain(text) {
        out.extend_from_slice(text);
        return;
    }
    for chunk in text.utf8_chunks() {
        push_escaped(out, chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{FFFD}".as_bytes());
        }
    }
}

/// Appends the inside of a JSON string; bytes that are not UTF-8 are shown as `\xHH`.
pub(super) fn push_shown(out: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        push_escaped(out, chunk.valid().as_bytes());
        for &byte in chunk.invalid() {
            out.extend_from_slice(br"\\x");
            push_hex(out, byte);
        }
    }
}

/// Appends a path or query in its percent form as the inside of a JSON string: control bytes and bytes from 0x80 escaped.
pub(super) fn push_path(out: &mut Vec<u8>, path: &[u8]) {
    for &byte in path {
        match byte {
            0..b' ' | 0x7F.. => push_percent(out, byte),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ => out.push(byte),
        }
    }
}

/// Appends a decoded path in its percent form, with the bytes of `reserved` escaped too.
pub(super) fn push_percent_form(out: &mut Vec<u8>, path: &[u8], reserved: &[u8]) {
    for &byte in path {
        if matches!(byte, 0..b' ' | 0x7F..) || reserved.contains(&byte) {
            push_percent(out, byte);
        } else {
            out.push(byte);
        }
    }
}

/// At most `limit` bytes of a text, without cutting a character.
pub(super) fn capped(text: &[u8], limit: usize) -> &[u8] {
    if text.len() <= limit {
        return text;
    }
    // A character has at most four bytes, so its first one is near, if this is UTF-8 at all.
    let is_inside = |end: &usize| text[*end] & 0xC0 == 0x80;
    let end = (limit.saturating_sub(3)..=limit).rev().find(|end| !is_inside(end)).unwrap_or(limit);
    &text[..end]
}

/// Replaces `clean` by the first `limit` bytes of `text` without what stands between `://` and `@` in a URL; `stops`
/// end the part of a URL that may hold a user. Looks behind the limit, because a cut must not hide the `@`.
pub(super) fn copy_without_users(clean: &mut Vec<u8>, text: &[u8], stops: &[u8], limit: usize) {
    clean.clear();
    let mut rest = text;
    while clean.len() < limit {
        let Some(found) = memmem::find(rest, b"://") else { break };
        let (before, authority) = rest.split_at(found + 3);
        clean.extend_from_slice(&before[..before.len().min(limit)]);
        let end = authority.iter().position(|byte| stops.contains(byte)).unwrap_or(authority.len());
        rest = &authority[memrchr(b'@', &authority[..end]).map_or(0, |at| at + 1)..];
    }
    clean.extend_from_slice(&rest[..rest.len().min(limit)]);
    clean.truncate(limit);
}

/// Appends valid UTF-8, escaped.
fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut copied = 0;
    for (index, &byte) in text.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..b' ' => b'u',
            _ => continue,
        };
        out.extend_from_slice(&text[copied..index]);
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            out.extend_from_slice(b"00");
            push_hex(out, byte);
        }
        copied = index + 1;
    }
    out.extend_from_slice(&text[copied..]);
}

fn push_percent(out: &mut Vec<u8>, byte: u8) {
    out.push(b'%');
    push_hex(out, byte);
}

fn push_hex(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(&[HEX_UPPER[usize::from(byte >> 4)], HEX_UPPER[usize::from(byte & 0xF)]]);
}

#[cfg(test)]
mod tests {
    use super::{
        any_pair, capped, copy_without_users, is_plain, push_lossy, push_number, push_padded, push_path,
        push_percent_form, push_shown,
    };

    fn check(write: impl Fn(&mut Vec<u8>), expect: &str) {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }

    #[test]
    fn numbers() {
        for number in [0, 7, 10, 1_234_567, u64::MAX] {
            check(|out| push_number(out, number), &number.to_string());
        }
        check(|out| push_padded(out, 7, 2), "07");
        check(|out| push_padded(out, 2026, 4), "2026");
    }

    #[test]
    fn plain_means_that_nothing_changes() {
        assert!(is_plain(b""));
        assert!(is_plain(b"Mozilla/5.0 (X11; Linux x86_64) [a] 'b'"));
        for special in [b'"', b'\\', b'@', 0, 0x1F, 0x7F, 0x80, 0xFF] {
            for place in [0, 15, 16, 20, 32] {
                let mut text = [b'a'; 33];
                text[place] = special;
                assert!(!is_plain(&text), "{special:#x} at {place}");
            }
        }
    }

    #[test]
    fn pairs_are_found_wherever_they_are() {
        for size in [2, 15, 16, 17, 18, 33, 70] {
            for place in 0..size - 1 {
                let mut text = vec![b'a'; size];
                (text[place], text[place + 1]) = (b'x', b'y');
                assert!(any_pair(&text, |one, next| (one == b'x') & (next == b'y')), "{place} of {size}");
                assert!(!any_pair(&text, |one, next| (one == b'y') & (next == b'x')), "{place} of {size}");
            }
        }
        assert!(!any_pair(b"x", |_, _| true) && !any_pair(b"", |_, _| true));
    }

    #[test]
    fn strings() {
        check(|out| push_lossy(out, b"a\"b\\c\n\r\t\x01\x7F"), "a\\\"b\\\\c\\n\\r\\t\\u0001\x7F");
        check(|out| push_lossy(out, b"\xE4\xB8\xAD\xE4\xB8x\xFF"), "中\u{FFFD}x\u{FFFD}");
        check(|out| push_shown(out, b"\xE4\xB8\xAD\xE4\xB8x\xFF"), r"中\\xE4\\xB8x\\xFF");
    }

    #[test]
    fn paths() {
        check(|out| push_path(out, b"/\xE4\xB8\xAD%2f \"\\\n\x7F"), r#"/%E4%B8%AD%2f \"\\%0A%7F"#);
        check(|out| push_percent_form(out, b"/50% ?#\"\xFF", b"% ?#"), "/50%25%20%3F%23\"%FF");
    }

    #[test]
    fn caps_keep_characters_whole() {
        assert_eq!(capped(b"abc", 3), b"abc");
        assert_eq!(capped(b"abcd", 3), b"abc");
        assert_eq!(capped("ab中".as_bytes(), 4), b"ab");
        assert_eq!(capped("ab中".as_bytes(), 2), b"ab");
        assert_eq!(capped("a\u{1F600}b".as_bytes(), 4), b"a");
        assert_eq!(capped(&[0x80; 9], 5), &[0x80; 5]);
    }

    #[test]
    fn users_never_appear() {
        let check = |text: &str, limit, expect| {
            check(|out| copy_without_users(out, text.as_bytes(), b"/?# \"", limit), expect);
        };
        check("http://user:pass@host/x@y", 99, "http://host/x@y");
        check("http://a@b:c@host", 99, "http://host");
        check("(+http://host/;me@host)", 99, "(+http://host/;me@host)");
        check("a://u@b://v@c", 99, "a://b://c");
        check(r#""http://host" me@host"#, 99, r#""http://host" me@host"#);
        check("no url, me@host", 5, "no ur");
        check("http://user:pass@host/", 9, "http://ho");
        check("http://user:pass@host/", 5, "http:");
    }
}

//! Lines of a log that somebody hands over: a file, an archive, standard input.

use std::io::{self, BufRead};

/// Bytes of a line that are kept: the default of `max_line_size`.
pub const LINE_BYTES_DEFAULT: usize = 1 << 20;

/// What was read of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineSpan {
    /// With the terminator; 0 at the end of the input.
    pub size: u64,
    /// Whether it had one.
    pub is_terminated: bool,
    /// Whether it was longer than what is kept.
    pub is_truncated: bool,
}

/// Reads one line without its terminator into `line`, keeping at most `bytes_max`.
///
/// # Errors
/// The input cannot be read; `line` holds what came before that.
pub fn read_line(input: &mut impl BufRead, bytes_max: usize, line: &mut Vec<u8>) -> io::Result<LineSpan> {
    let mut span = LineSpan::default();
    while !span.is_terminated {
        let block = input.fill_buf()?;
        if block.is_empty() {
            break;
        }
        let newline = memchr::memchr(b'\n', block);
        let (content, used) = newline.map_or((block, block.len()), |at| (&block[..at], at + 1));
        let room = bytes_max.saturating_sub(line.len());
        line.extend_from_slice(&content[..content.len().min(room)]);
        span.is_truncated |= content.len() > room;
        span.is_terminated = newline.is_some();
        span.size += used as u64;
        input.consume(used);
    }
    if span.is_terminated && !span.is_truncated && line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn lines(bytes: &[u8]) -> Vec<(Vec<u8>, LineSpan)> {
        let mut input = BufReader::with_capacity(3, bytes);
        let mut found = Vec::new();
        loop {
            let mut line = Vec::new();
            let span = read_line(&mut input, 64, &mut line).unwrap();
            if span.size == 0 {
                return found;
            }
            found.push((line, span));
        }
    }

    #[test]
    fn a_terminator_belongs_to_the_size_alone() {
        let span = |size, is_terminated| LineSpan { size, is_terminated, is_truncated: false };
        let expected = vec![
            (b"one".to_vec(), span(4, true)),
            (b"two".to_vec(), span(5, true)),
            (b"".to_vec(), span(1, true)),
            (b"end\r".to_vec(), span(4, false)),
        ];
        assert_eq!(lines(b"one\ntwo\r\n\nend\r"), expected);
    }

    #[test]
    fn a_long_line_is_cut_and_counted() {
        let mut bytes = vec![b'x'; 64 + 10];
        bytes.extend_from_slice(b"\nnext\n");
        let found = lines(&bytes);
        assert_eq!(found[0].0.len(), 64);
        assert_eq!((found[0].1.size, found[0].1.is_truncated), (75, true));
        assert_eq!(found[1].0, b"next");
    }
}

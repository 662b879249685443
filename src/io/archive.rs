//! Finished logs, plain or compressed, as one stream of plain bytes.
//!
//! What a file is is read from its first bytes, because names lie. An error says where it stands.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::packed::members::{MAGIC_BYTES, Members, Packing};

/// What is read at once: large enough that system calls do not count.
const BLOCK_BYTES: usize = 256 * 1024;

/// A log, read from its beginning to its end.
pub struct Archive {
    content: Content,
    taken: Taken,
}

/// How far the bytes on the disk, compressed or not, have been taken.
#[derive(Clone, Debug, Default)]
pub struct Taken(Arc<AtomicU64>);

enum Content {
    Plain(BufReader<Source>),
    Packed(Box<BufReader<Members<BufReader<Source>>>>),
}

/// The bytes as they are stored: those that were looked at first, and the rest.
type Source = io::Chain<Cursor<Vec<u8>>, Counted>;

struct Counted {
    input: Box<dyn Read>,
    taken: Taken,
}

impl Archive {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, or is no file with content.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a directory; name the logs in it",
            ));
        }
        Self::new(Box::new(file))
    }

    /// Reads what comes through standard input.
    ///
    /// # Errors
    /// As for a file.
    pub fn stdin() -> io::Result<Self> {
        Self::new(Box::new(io::stdin()))
    }

    fn new(input: Box<dyn Read>) -> io::Result<Self> {
        let taken = Taken::default();
        let mut input = Counted { input, taken: taken.clone() };
        let mut head = Vec::with_capacity(MAGIC_BYTES);
        (&mut input).take(MAGIC_BYTES as u64).read_to_end(&mut head)?;
        let packing = Packing::of(&head);
        let source = BufReader::with_capacity(BLOCK_BYTES, Cursor::new(head).chain(input));
        let content = match packing {
            Some(packing) => {
                let plain = BufReader::with_capacity(BLOCK_BYTES, Members::new(packing, source));
                Content::Packed(Box::new(plain))
            }
            None => Content::Plain(source),
        };
        Ok(Self { content, taken })
    }

    /// How far the stored bytes have been taken, for somebody who shows it.
    #[must_use]
    pub fn taken(&self) -> Taken {
        self.taken.clone()
    }

    /// Whether the plain bytes come out of compressed ones.
    #[must_use]
    pub fn is_packed(&self) -> bool {
        matches!(self.content, Content::Packed(_))
    }
}

impl Read for Archive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.content {
            Content::Plain(input) => input.read(buffer),
            Content::Packed(input) => input.read(buffer),
        }
    }
}

impl BufRead for Archive {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &mut self.content {
            Content::Plain(input) => input.fill_buf(),
            Content::Packed(input) => input.fill_buf(),
        }
    }

    fn consume(&mut self, size: usize) {
        match &mut self.content {
            Content::Plain(input) => input.consume(size),
            Content::Packed(input) => input.consume(size),
        }
    }
}

impl Taken {
    /// In bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.input.read(buffer)?;
        self.taken.0.fetch_add(size as u64, Ordering::Relaxed);
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::packed::members::packed;

    fn read(stored: Vec<u8>) -> (Vec<u8>, io::Result<()>) {
        let mut content = Vec::new();
        let result = Archive::new(Box::new(Cursor::new(stored)))
            .and_then(|mut archive| archive.read_to_end(&mut content).map(|_| ()));
        (content, result)
    }

    #[test]
    fn members_are_one_log_and_plain_bytes_are_themselves() {
        for packing in Packing::ALL {
            let members = [&b"one\n"[..], b"", b"two\n"].map(|content| packed(packing, content)).concat();
            assert_eq!(read(members).0, b"one\ntwo\n", "{packing:?}");
        }
        for plain in [&b""[..], b"x", b"\x1f", b"plain text of some length\n"] {
            let (content, result) = read(plain.to_vec());
            result.unwrap();
            assert_eq!(content, plain);
        }
    }

    #[test]
    fn a_cut_is_an_error_after_what_was_there() {
        // zstd gives nothing of its window away before the frame ends, 2 MiB with -3: half of this is more.
        let content: Vec<u8> = (0..1_500_000_u32).flat_map(|number| number.to_le_bytes()).collect();
        for packing in Packing::ALL {
            let mut stored = packed(packing, &content);
            stored.truncate(stored.len() / 2);
            let (found, result) = read(stored);
            assert!(result.is_err(), "{packing:?}");
            // One block of bzip2 is all or nothing.
            let has_some = !found.is_empty() || packing == Packing::Bzip2;
            assert!(has_some && content.starts_with(&found), "{packing:?}: {}", found.len());
        }
    }
}

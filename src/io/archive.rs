//! Finished logs, plain or compressed with gzip, as one stream of plain bytes.
//!
//! What a file is is read from its first bytes, because names lie. Several gzip members one after another are one log,
//! as `cat a.gz b.gz` makes it. An error says where it stands.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use crate::pipeline::identity::is_compressed;

/// What is read at once: large enough that system calls do not count.
const BLOCK_BYTES: usize = 256 * 1024;

/// The longest beginning by which a compression is told.
const MAGIC_BYTES: usize = 8;

const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];

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
    Gzip(Box<BufReader<MultiGzDecoder<BufReader<Source>>>>),
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
    /// It cannot be read, is no file with content, or is compressed in another way than gzip.
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
        let is_gzip = head.starts_with(&GZIP_MAGIC);
        if !is_gzip && is_compressed(&head) {
            let text = "it is compressed, and not with gzip; decompress it and give its content to `-`";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        let source = BufReader::with_capacity(BLOCK_BYTES, Cursor::new(head).chain(input));
        let content = if is_gzip {
            Content::Gzip(Box::new(BufReader::with_capacity(BLOCK_BYTES, MultiGzDecoder::new(source))))
        } else {
            Content::Plain(source)
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
    pub fn is_gzip(&self) -> bool {
        matches!(self.content, Content::Gzip(_))
    }
}

impl Read for Archive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.content {
            Content::Plain(input) => input.read(buffer),
            Content::Gzip(input) => input.read(buffer),
        }
    }
}

impl BufRead for Archive {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &mut self.content {
            Content::Plain(input) => input.fill_buf(),
            Content::Gzip(input) => input.fill_buf(),
        }
    }

    fn consume(&mut self, size: usize) {
        match &mut self.content {
            Content::Plain(input) => input.consume(size),
            Content::Gzip(input) => input.consume(size),
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
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn read(stored: Vec<u8>) -> (Vec<u8>, io::Result<()>) {
        let mut content = Vec::new();
        let result = Archive::new(Box::new(Cursor::new(stored)))
            .and_then(|mut archive| archive.read_to_end(&mut content).map(|_| ()));
        (content, result)
    }

    #[test]
    fn members_are_one_log_and_plain_bytes_are_themselves() {
        let members = [gzip(b"one\n"), gzip(b""), gzip(b"two\n")].concat();
        assert_eq!(read(members).0, b"one\ntwo\n");
        for plain in [&b""[..], b"x", b"\x1f", b"plain text of some length\n"] {
            let (content, result) = read(plain.to_vec());
            result.unwrap();
            assert_eq!(content, plain);
        }
    }

    #[test]
    fn a_cut_is_an_error_after_what_was_there() {
        let content: Vec<u8> = (0..200_000_u32).flat_map(|number| number.to_le_bytes()).collect();
        let mut stored = gzip(&content);
        stored.truncate(stored.len() / 2);
        let (found, result) = read(stored);
        assert!(result.is_err());
        assert!(!found.is_empty() && content.starts_with(&found), "{}", found.len());
    }

    #[test]
    fn other_compressions_are_named() {
        let error = read(b"\x28\xB5\x2F\xFDrest".to_vec()).1.unwrap_err();
        assert!(error.to_string().contains("not with gzip"), "{error}");
    }
}

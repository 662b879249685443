//! Compressed bytes to plain ones: gzip, zstd, xz and bzip2.
//!
//! A compressed file is a run of *members* (frames of zstd, streams of xz), each complete in itself and with a checksum
//! at its end: `cat a.gz b.gz`, or what nginx writes with `access_log ... gzip`. Together they are one log.
//!
//! Whoever may write in a log directory chooses these bytes, so all four decoders are in Rust, and none takes more memory
//! than is said here.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// The longest beginning by which a compression is told.
pub const MAGIC_BYTES: usize = 10;

/// What one xz stream may make its decoder remember: `xz -9` wants 65 MiB.
const XZ_MEMORY_KIB_MAX: u32 = 80 << 10;

/// The same for zstd: what `zstd -d` takes without being asked for more, and `zstd --ultra -22` writes.
const ZSTD_WINDOW_BYTES_MAX: u64 = 128 << 20;

/// Text may begin like a bzip2 file, so its first block is looked at too: the digits of pi, or at once those of its root.
const BZIP2_BLOCKS: [[u8; 6]; 2] =
    [[0x31, 0x41, 0x59, 0x26, 0x53, 0x59], [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]];

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// gzip, pigz, nginx.
    Gzip,
    /// zstd.
    Zstd,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
}

impl Packing {
    /// All that are understood.
    pub const ALL: [Self; 4] = [Self::Gzip, Self::Zstd, Self::Xz, Self::Bzip2];

    /// How a file that begins like this is compressed, if it is.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        let magics: [(&[u8], Self); 3] =
            [(b"\x1f\x8b\x08", Self::Gzip), (b"\x28\xb5\x2f\xfd", Self::Zstd), (b"\xfd7zXZ\0", Self::Xz)];
        if let [b'B', b'Z', b'h', b'1'..=b'9', block @ ..] = head
            && BZIP2_BLOCKS.iter().any(|magic| block.starts_with(magic))
        {
            return Some(Self::Bzip2);
        }
        magics.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, packing)| packing)
    }
}

/// What the next step through a compressed input brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many plain bytes.
    Bytes(usize),
    /// A member ended, and its checksum was right.
    MemberEnd,
    /// There is nothing more, for now.
    End,
}

/// The plain bytes of a run of members.
pub struct Members<R: BufRead> {
    packing: Packing,
    /// The input came to its end.
    ended: Rc<Cell<bool>>,
    state: State<R>,
}

/// The input, which notes when it comes to its end: decoders call the same thing by many names.
struct Source<R> {
    input: R,
    ended: Rc<Cell<bool>>,
}

enum State<R: BufRead> {
    Between(Source<R>),
    Within(Member<Source<R>>),
    /// A step failed: nothing that follows could be trusted.
    Failed,
}

enum Member<R: Read> {
    Gzip(Box<GzDecoder<R>>),
    Zstd(Box<StreamingDecoder<R, FrameDecoder>>),
    Xz(Box<XzReader<R>>),
    Bzip2(Box<BzDecoder<R>>),
}

impl<R: BufRead> Members<R> {
    /// Begins where a member begins.
    #[must_use]
    pub fn new(packing: Packing, input: R) -> Self {
        let ended = Rc::new(Cell::new(false));
        let input = Source { input, ended: Rc::clone(&ended) };
        Self { packing, ended, state: State::Between(input) }
    }

    /// Goes on by at most one buffer of plain bytes.
    ///
    /// # Errors
    /// `UnexpectedEof` if the input ends within a member, another without a number if it is damaged, and whatever reading it
    /// says. Nothing can be read after an error.
    pub fn step(&mut self, buffer: &mut [u8]) -> io::Result<Step> {
        self.ended.set(false);
        self.go_on(buffer).map_err(|error| match error.raw_os_error() {
            None if self.ended.get() => io::ErrorKind::UnexpectedEof.into(),
            None | Some(_) => error,
        })
    }

    fn go_on(&mut self, buffer: &mut [u8]) -> io::Result<Step> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Failed => Err(io::Error::other("read on after an error")),
            State::Between(mut input) => {
                if input.fill_buf()?.is_empty() {
                    self.state = State::Between(input);
                    return Ok(Step::End);
                }
                self.state = State::Within(Member::begin(self.packing, input)?);
                self.go_on(buffer)
            }
            State::Within(mut member) => {
                let size = member.read(buffer)?;
                if size == 0 && !buffer.is_empty() {
                    self.state = State::Between(member.into_input());
                    return Ok(Step::MemberEnd);
                }
                self.state = State::Within(member);
                Ok(Step::Bytes(size))
            }
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.step(buffer)? {
                Step::Bytes(size) => return Ok(size),
                Step::MemberEnd => {}
                Step::End => return Ok(0),
            }
        }
    }
}

impl<R: BufRead> Member<R> {
    fn begin(packing: Packing, input: R) -> io::Result<Self> {
        Ok(match packing {
            Packing::Gzip => Self::Gzip(Box::new(GzDecoder::new(input))),
            Packing::Zstd => {
                let decoder = StreamingDecoder::new_with_max_window_size(input, ZSTD_WINDOW_BYTES_MAX);
                Self::Zstd(Box::new(decoder.map_err(io::Error::other)?))
            }
            Packing::Xz => Self::Xz(Box::new(XzReader::new_mem_limit(input, false, XZ_MEMORY_KIB_MAX))),
            Packing::Bzip2 => Self::Bzip2(Box::new(BzDecoder::new(input))),
        })
    }

    fn into_input(self) -> R {
        match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.into_inner(),
            Self::Xz(decoder) => decoder.into_inner(),
            Self::Bzip2(decoder) => decoder.into_inner(),
        }
    }
}

impl<R: BufRead> Read for Member<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => {
                let size = decoder.read(buffer)?;
                let frame = &decoder.decoder;
                let (wanted, found) = (frame.get_checksum_from_data(), frame.get_calculated_checksum());
                if size == 0 && wanted.is_some() && wanted != found {
                    return Err(io::Error::other("the checksum is wrong"));
                }
                Ok(size)
            }
            Self::Xz(decoder) => decoder.read(buffer),
            Self::Bzip2(decoder) => decoder.read(buffer),
        }
    }
}

impl<R: BufRead> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.input.fill_buf()?;
        if bytes.is_empty() {
            self.ended.set(true);
        }
        Ok(bytes)
    }

    fn consume(&mut self, size: usize) {
        self.input.consume(size);
    }
}

impl<R: BufRead> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.fill_buf()?.read(buffer)?;
        self.consume(size);
        Ok(size)
    }
}

impl<R: BufRead> std::fmt::Debug for Members<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Members").field("packing", &self.packing).finish_non_exhaustive()
    }
}

/// One member with this content, made by the program that makes them: our reading is not its own judge.
#[cfg(test)]
#[must_use]
pub fn packed(packing: Packing, content: &[u8]) -> Vec<u8> {
    use std::process::{Command, Stdio};
    let program = match packing {
        Packing::Gzip => "gzip",
        Packing::Zstd => "zstd",
        Packing::Xz => "xz",
        Packing::Bzip2 => "bzip2",
    };
    // From a file, because a pipe would want a thread at its other end.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    let input = Stdio::from(std::fs::File::open(file.path()).unwrap());
    let output = Command::new(program).arg("-3").stdin(input).output();
    output.unwrap_or_else(|error| panic!("{program} is needed: {error}")).stdout
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(members: &mut Members<&[u8]>) -> (Vec<Step>, Option<io::ErrorKind>) {
        let (mut steps, mut buffer) = (Vec::new(), [0; 1000]);
        loop {
            match members.step(&mut buffer) {
                Ok(Step::End) => return (steps, None),
                Ok(step) => steps.push(step),
                Err(error) => return (steps, Some(error.kind())),
            }
        }
    }

    #[test]
    fn the_end_of_each_member_is_seen_and_what_is_behind_it_is_not_used_up() {
        for packing in Packing::ALL {
            let stored = [packed(packing, b"one\n"), packed(packing, b"two\n")].concat();
            assert_eq!(Packing::of(&stored), Some(packing));
            let (found, error) = steps(&mut Members::new(packing, &stored[..]));
            let member = [Step::Bytes(4), Step::MemberEnd];
            assert_eq!((found, error), ([member, member].concat(), None), "{packing:?}");
        }
    }

    #[test]
    fn a_member_without_its_end_and_a_damaged_one_are_told_apart() {
        for packing in Packing::ALL {
            let whole = packed(packing, b"a line that is packed\n");
            for size in MAGIC_BYTES..whole.len() {
                let (found, error) = steps(&mut Members::new(packing, &whole[..size]));
                assert_eq!(error, Some(io::ErrorKind::UnexpectedEof), "{packing:?} cut to {size}");
                assert!(!found.contains(&Step::MemberEnd), "{packing:?} cut to {size}");
            }
            let mut damaged = whole.clone();
            let middle = damaged.len() / 2;
            damaged[middle..].iter_mut().for_each(|byte| *byte ^= 0x55);
            let (found, error) = steps(&mut Members::new(packing, &damaged[..]));
            assert!(!found.contains(&Step::MemberEnd), "{packing:?}");
            assert!(error.is_some(), "{packing:?}");
        }
    }

    #[test]
    fn text_is_not_taken_for_an_archive() {
        for text in [&b"BZhang - - [23/Nov/2026"[..], b"", b"\x1f", b"192.0.2.7 - -"] {
            assert_eq!(Packing::of(text), None);
        }
    }
}

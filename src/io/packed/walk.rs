//! Going through the plain bytes of a compressed file, from the start of a member on.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::io::Errno;

use super::members::{Members, Packing, Step};
use crate::io::files::error_of;
use crate::pipeline::action::{FileError, Rest};
use crate::pipeline::identity::MARKER_BYTES_MAX;

/// Compressed bytes are read in pieces of this size.
const INPUT_BYTES: usize = 64 * 1024;

/// An archive that unpacks to more than [`RATIO_MAX`] times its size was made to do harm, once it is beyond this size:
/// lines that differ in nothing but their time pack 1:100, and gzip cannot do better than 1:1032 with any bytes.
const HARMLESS_BYTES: u64 = 64 << 20;
const RATIO_MAX: u64 = 1000;

/// A place between two members, in compressed and in plain bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub packed: u64,
    pub plain: u64,
}

/// What the next step of a walk brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Went {
    /// So many plain bytes.
    Bytes(usize),
    /// A member was complete.
    MemberEnd,
    /// It goes no further, and why: this walk is over.
    Stopped(Rest),
}

/// On the way through a compressed file.
#[derive(Debug)]
pub struct Walk {
    members: Members<Input>,
    /// How far the compressed bytes are used up.
    packed: Rc<Cell<u64>>,
    start: Place,
    plain: u64,
    member_end: Place,
    tail: Vec<u8>,
}

impl Walk {
    /// Sets out where a member begins; `tail` are the plain bytes before that.
    pub fn new(packing: Packing, file: &Rc<OwnedFd>, start: Place, tail: Vec<u8>) -> Self {
        let packed = Rc::new(Cell::new(start.packed));
        let input = Input {
            file: Rc::clone(file),
            offset: start.packed,
            used: Rc::clone(&packed),
            buffer: Vec::new(),
            taken: 0,
        };
        let members = Members::new(packing, input);
        Self { members, packed, start, plain: start.plain, member_end: start, tail }
    }

    /// The plain position.
    pub fn position(&self) -> u64 {
        self.plain
    }

    /// Behind the last member that was complete.
    pub fn member_end(&self) -> Place {
        self.member_end
    }

    /// The plain bytes before the position, at most [`MARKER_BYTES_MAX`].
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Goes on by at most one buffer, or to the end of a member.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn step(&mut self, buffer: &mut [u8]) -> Result<Went, FileError> {
        match self.members.step(buffer) {
            Ok(Step::Bytes(size)) => {
                self.plain += size as u64;
                remember(&mut self.tail, &buffer[..size]);
                Ok(if self.is_harmful() { Went::Stopped(Rest::Damaged) } else { Went::Bytes(size) })
            }
            Ok(Step::MemberEnd) => {
                self.member_end = Place { packed: self.packed.get(), plain: self.plain };
                Ok(Went::MemberEnd)
            }
            Ok(Step::End) => Ok(Went::Stopped(Rest::None)),
            Err(error) => match (error.kind(), error.raw_os_error()) {
                (_, Some(code)) => Err(error_of(Errno::from_raw_os_error(code))),
                (io::ErrorKind::UnexpectedEof, None) => Ok(Went::Stopped(Rest::Unfinished)),
                (_, None) => Ok(Went::Stopped(Rest::Damaged)),
            },
        }
    }

    /// Fills the buffer, over the ends of members, as far as there are plain bytes; how many.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, FileError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.step(&mut buffer[filled..])? {
                Went::Bytes(size) => filled += size,
                Went::MemberEnd => {}
                Went::Stopped(_) => break,
            }
        }
        Ok(filled)
    }

    fn is_harmful(&self) -> bool {
        let (plain, packed) = (self.plain - self.start.plain, self.packed.get() - self.start.packed);
        plain > HARMLESS_BYTES && plain / RATIO_MAX > packed
    }
}

/// Keeps the last bytes of what went by.
fn remember(tail: &mut Vec<u8>, bytes: &[u8]) {
    let kept = MARKER_BYTES_MAX.saturating_sub(bytes.len()).min(tail.len());
    tail.drain(..tail.len() - kept);
    tail.extend_from_slice(&bytes[bytes.len().saturating_sub(MARKER_BYTES_MAX)..]);
}

/// The compressed bytes of a descriptor that others read at other places.
#[derive(Debug)]
struct Input {
    file: Rc<OwnedFd>,
    /// Where the next piece is read.
    offset: u64,
    used: Rc<Cell<u64>>,
    buffer: Vec<u8>,
    /// How much of the buffer is used up.
    taken: usize,
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.buffer.len() {
            self.buffer.resize(INPUT_BYTES, 0);
            self.taken = 0;
            let size = loop {
                match rustix::io::pread(&*self.file, &mut self.buffer, self.offset) {
                    Err(Errno::INTR) => {}
                    result => break result,
                }
            };
            self.buffer.truncate(*size.as_ref().unwrap_or(&0));
            self.offset += size? as u64;
        }
        Ok(&self.buffer[self.taken..])
    }

    fn consume(&mut self, size: usize) {
        self.taken += size;
        self.used.set(self.used.get() + size as u64);
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.fill_buf()?.read(buffer)?;
        self.consume(size);
        Ok(size)
    }
}

//! A compressed log as if it were plain: so many bytes, readable from any position.
//!
//! It is as long as its complete members are: an archive that is half written is empty, and a log that nginx compresses
//! grows member by member. Unpacking a large archive takes time, so everything here goes on by a slice and says when it is
//! not done; memory is that of one decoder, whatever the archive claims to hold.

mod look;
pub mod members;
mod walk;

use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;

use self::look::Look;
use self::members::Packing;
use self::walk::{Place, Walk, Went};
use super::files::fill;
use crate::pipeline::action::{Ask, Boundary, FileError, Form, Rest, Stat};
use crate::pipeline::identity::{HEAD_BYTES_MAX, MARKER_BYTES_MAX};

/// What is unpacked before others get their turn: about 10 ms of work.
const SLICE_BYTES: u64 = 4 << 20;

/// What is skipped is unpacked in pieces of this size.
const SKIP_BYTES: usize = 64 * 1024;

/// A compressed file.
#[derive(Debug)]
pub struct Packed {
    packing: Packing,
    file: Rc<OwnedFd>,
    /// Behind the last complete member.
    end: Place,
    /// What follows it.
    rest: Rest,
    /// The compressed bytes before that: if they changed, nothing that is known of the file holds any more.
    seal: Vec<u8>,
    /// The status of the file for which the end was found.
    found_for: Option<Stat>,
    looking: Option<Look>,
    /// On its way from the end through what was added.
    adding: Option<Walk>,
    reading: Option<Walk>,
}

/// What all of a file showed.
#[derive(Debug)]
pub struct Found {
    /// Always [`Form::Unpacked`].
    pub form: Form,
    /// The first plain bytes.
    pub head: Vec<u8>,
    /// As in [`crate::pipeline::action::Opened`].
    pub markers: Vec<Option<Vec<u8>>>,
    /// As in [`crate::pipeline::action::Opened`].
    pub boundary: Option<Boundary>,
}

impl Packed {
    /// A file that was found to be compressed in this way.
    #[must_use]
    pub fn new(packing: Packing, file: Rc<OwnedFd>) -> Self {
        Self {
            packing,
            file,
            end: Place::default(),
            rest: Rest::None,
            seal: Vec::new(),
            found_for: None,
            looking: None,
            adding: None,
            reading: None,
        }
    }

    /// The first plain bytes, whether or not the member that they are from is complete.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn head(&self) -> Result<Vec<u8>, FileError> {
        let mut head = vec![0; HEAD_BYTES_MAX];
        let filled = self.walk_from(Place::default(), Vec::new()).fill(&mut head)?;
        head.truncate(filled);
        Ok(head)
    }

    /// Goes through all of the file. As long as nothing comes back it is not done: call it again, with the same wishes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn look(&mut self, ask: &Ask, stat: &Stat) -> Option<Result<Found, FileError>> {
        let mut look = self.looking.take().unwrap_or_else(|| {
            self.found_for = Some(*stat);
            Look::new(self.walk_from(Place::default(), Vec::new()), ask.clone())
        });
        let until = look.position() + SLICE_BYTES;
        while look.position() < until {
            match look.step() {
                Ok(Went::Bytes(_) | Went::MemberEnd) => {}
                Ok(Went::Stopped(rest)) => return Some(self.looked(look, rest)),
                Err(error) => return Some(Err(error)),
            }
        }
        self.looking = Some(look);
        None
    }

    fn looked(&mut self, look: Look, rest: Rest) -> Result<Found, FileError> {
        self.ends_at(look.end(), rest)?;
        let (found, tail) = look.found(rest);
        self.adding = None;
        self.reading = Some(self.walk_from(self.end, tail));
        Ok(found)
    }

    /// Reads from a plain position. `before` are the bytes before the position, as they came out of the same walk. A file that
    /// no longer begins as it did has no bytes at all. Gives [`Form::Unpacked`].
    ///
    /// # Errors
    /// The file cannot be read; or [`FileError::Unpacking`]: call it again.
    pub fn read(
        &mut self,
        (position, length): (u64, usize),
        stat: &Stat,
        (data, before): (&mut Vec<u8>, &mut Vec<u8>),
    ) -> Result<Form, FileError> {
        const CHANGED: Form = Form::Unpacked { size: 0, rest: Rest::None };
        data.clear();
        before.clear();
        if !self.is_as_it_was()? {
            return Ok(CHANGED);
        }
        self.take_what_was_added(stat)?;
        let size = self.end.plain;
        let form = Form::Unpacked { size, rest: self.rest };
        if position > size {
            return Ok(form);
        }
        let mut walk = self.walk_to(position)?;
        before.extend_from_slice(walk.tail());
        let left = usize::try_from(size - position).unwrap_or(usize::MAX);
        data.resize(length.min(left), 0);
        // It was complete a moment ago, and may not be now.
        let filled = walk.fill(data)?;
        if filled == data.len() {
            // Behind the last byte the decoder has nothing more to remember.
            if walk.position() == size && !data.is_empty() {
                walk.step(&mut [0])?;
            }
            self.reading = Some(walk);
        }
        data.truncate(filled);
        if self.is_as_it_was()? {
            return Ok(form);
        }
        data.clear();
        before.clear();
        Ok(CHANGED)
    }

    fn walk_from(&self, place: Place, tail: Vec<u8>) -> Walk {
        Walk::new(self.packing, &self.file, place, tail)
    }

    /// The walk that stands at this plain position.
    fn walk_to(&mut self, position: u64) -> Result<Walk, FileError> {
        let walk = self.reading.take().filter(|walk| walk.position() <= position);
        let mut walk = walk.unwrap_or_else(|| self.walk_from(Place::default(), Vec::new()));
        let until = walk.position() + SLICE_BYTES;
        let mut piece = vec![0; SKIP_BYTES];
        while walk.position() < position {
            let left = usize::try_from(position - walk.position()).unwrap_or(SKIP_BYTES);
            if let Went::Stopped(_) = walk.step(&mut piece[..left.min(SKIP_BYTES)])? {
                return Err(FileError::Unknown);
            }
            if walk.position() >= until && walk.position() < position {
                self.reading = Some(walk);
                return Err(FileError::Unpacking);
            }
        }
        Ok(walk)
    }

    /// Moves the end behind the members that were added.
    fn take_what_was_added(&mut self, stat: &Stat) -> Result<(), FileError> {
        if self.adding.is_none() && self.found_for == Some(*stat) {
            return Ok(());
        }
        let mut walk = self.adding.take().unwrap_or_else(|| {
            self.found_for = Some(*stat);
            self.walk_from(self.end, Vec::new())
        });
        let until = walk.position() + SLICE_BYTES;
        let mut piece = vec![0; SKIP_BYTES];
        while walk.position() < until {
            if let Went::Stopped(rest) = walk.step(&mut piece)? {
                return self.ends_at(walk.member_end(), rest);
            }
        }
        self.adding = Some(walk);
        Err(FileError::Unpacking)
    }

    fn ends_at(&mut self, end: Place, rest: Rest) -> Result<(), FileError> {
        (self.end, self.rest) = (end, rest);
        self.seal = self.seal_now()?;
        Ok(())
    }

    fn is_as_it_was(&self) -> Result<bool, FileError> {
        Ok(self.seal_now()? == self.seal)
    }

    /// The compressed bytes before the end, as many as prove a place in plain ones.
    fn seal_now(&self) -> Result<Vec<u8>, FileError> {
        let start = self.end.packed.saturating_sub(MARKER_BYTES_MAX as u64);
        let length = usize::try_from(self.end.packed - start).unwrap_or(MARKER_BYTES_MAX);
        let mut seal = Vec::new();
        fill(self.file.as_fd(), start, length, &mut seal)?;
        Ok(seal)
    }
}

#[cfg(test)]
mod tests {
    use super::members::packed;
    use super::*;
    use std::fs::File;
    use std::io::Write as _;

    /// A file that grows, and what is known of it.
    struct Growing {
        file: File,
        known: Packed,
    }

    impl Growing {
        fn new(packing: Packing) -> Self {
            let file = tempfile::tempfile().unwrap();
            let descriptor = OwnedFd::from(file.try_clone().unwrap());
            Self { file, known: Packed::new(packing, Rc::new(descriptor)) }
        }

        fn append(&mut self, bytes: &[u8]) {
            self.file.write_all(bytes).unwrap();
        }

        fn stat(&self) -> Stat {
            let size = self.file.metadata().unwrap().len();
            let tuple = crate::pipeline::identity::Tuple::default();
            Stat { tuple, size, modified_ns: 0, links: 1 }
        }

        /// All of a look, and in how many slices.
        fn look(&mut self, ask: &Ask) -> (Found, usize) {
            let stat = self.stat();
            let mut slices = 1;
            loop {
                if let Some(found) = self.known.look(ask, &stat) {
                    return (found.unwrap(), slices);
                }
                slices += 1;
            }
        }

        fn read(&mut self, position: u64, length: usize) -> (Vec<u8>, Vec<u8>, u64) {
            let stat = self.stat();
            let (mut data, mut before) = (Vec::new(), Vec::new());
            loop {
                match self.known.read((position, length), &stat, (&mut data, &mut before)) {
                    Ok(form) => return (data, before, form.size(&stat)),
                    Err(error) => assert_eq!(error, FileError::Unpacking),
                }
            }
        }
    }

    fn lines(count: u32) -> Vec<u8> {
        (0..count)
            .flat_map(|n| format!("line {n} of {:x}\n", n.wrapping_mul(2_654_435_761)).into_bytes())
            .collect()
    }

    fn ask(markers: Vec<u64>) -> Ask {
        Ask { markers, boundary: true }
    }

    #[test]
    fn every_position_reads_as_it_would_without_compression() {
        for packing in Packing::ALL {
            let plain = lines(3000);
            let mut log = Growing::new(packing);
            for member in plain.chunks(30_001) {
                log.append(&packed(packing, member));
            }
            let size = plain.len();
            let positions = [0, 1, 255, 256, 257, 30_000, 30_001, 30_002, size - 1, size, size + 1];
            let (found, _) = log.look(&ask(positions.iter().map(|position| *position as u64).collect()));
            assert_eq!(found.form, Form::Unpacked { size: size as u64, rest: Rest::None }, "{packing:?}");
            assert_eq!(found.head, plain[..HEAD_BYTES_MAX]);
            let before = |position: usize| &plain[position.saturating_sub(MARKER_BYTES_MAX)..position];
            for (position, marker) in positions.into_iter().zip(found.markers) {
                let wanted = (position <= size).then(|| before(position).to_vec());
                assert_eq!(marker, wanted, "{packing:?}: before {position}");
            }
            let end = found.boundary.unwrap();
            assert_eq!((end.position, &end.before[..]), (size as u64, before(size)));
            for position in [size, 30_001, 0, 29_990, 60_002, 60_010] {
                let (data, tail, _) = log.read(position as u64, 40_000);
                assert_eq!(data, plain[position..size.min(position + 40_000)], "{packing:?} at {position}");
                assert_eq!(tail, before(position));
            }
        }
    }

    #[test]
    fn row_07_an_archive_is_empty_until_its_last_byte_is_written() {
        for packing in Packing::ALL {
            let (plain, mut log) = (lines(500), Growing::new(packing));
            let stored = packed(packing, &plain);
            for piece in stored.chunks(stored.len() / 5) {
                let (found, _) = log.look(&ask(vec![1]));
                let none = (vec![], vec![], 0);
                assert_eq!((found.head, found.markers, log.read(0, 100)), (vec![], vec![None], none));
                log.append(piece);
            }
            assert_eq!(log.read(5, 100).0, plain[5..105], "{packing:?}");
            assert_eq!(log.look(&ask(vec![])).0.head, plain[..HEAD_BYTES_MAX]);
        }
    }

    #[test]
    fn a_log_that_its_server_compresses_grows_by_whole_members() {
        let mut log = Growing::new(Packing::Gzip);
        log.append(&packed(Packing::Gzip, b"one\ntwo\n"));
        assert_eq!(log.look(&ask(vec![])).0.boundary.unwrap().position, 8);
        assert_eq!(log.read(4, 100), (b"two\n".to_vec(), b"one\n".to_vec(), 8));
        let next = packed(Packing::Gzip, b"three\n");
        log.append(&next[..next.len() - 3]);
        assert_eq!(log.read(8, 100), (vec![], b"one\ntwo\n".to_vec(), 8));
        log.append(&next[next.len() - 3..]);
        assert_eq!(log.read(8, 100).0, b"three\n");
        assert_eq!(log.read(14, 100), (vec![], b"one\ntwo\nthree\n".to_vec(), 14));
        // And back, as after a transaction that failed.
        assert_eq!(log.read(8, 100).0, b"three\n");
    }

    #[test]
    fn a_file_that_was_written_anew_has_nothing_of_what_was_known() {
        let mut log = Growing::new(Packing::Gzip);
        log.append(&packed(Packing::Gzip, b"one\ntwo\n"));
        log.look(&ask(vec![]));
        log.file.set_len(0).unwrap();
        assert_eq!(log.read(8, 100).2, 0);
        std::io::Seek::rewind(&mut log.file).unwrap();
        log.append(&packed(Packing::Gzip, b"another one\nand another\n"));
        assert_eq!(log.read(8, 100).2, 0);
        assert_eq!(log.look(&ask(vec![])).0.head, b"another one\nand another\n");
    }

    #[test]
    fn what_is_damaged_counts_up_to_the_last_good_member() {
        let mut log = Growing::new(Packing::Gzip);
        log.append(&packed(Packing::Gzip, b"one\n"));
        log.append(b"no member at all");
        assert_eq!(log.look(&ask(vec![])).0.form, Form::Unpacked { size: 4, rest: Rest::Damaged });
        assert_eq!(log.read(0, 100).0, b"one\n");
    }

    #[test]
    fn a_large_archive_is_unpacked_in_slices_and_a_harmful_one_is_given_up() {
        let mut large = Growing::new(Packing::Zstd);
        large.append(&packed(Packing::Zstd, &lines(700_000)));
        assert!(large.look(&ask(vec![])).1 > 3, "others get their turn");
        let mut bomb = Growing::new(Packing::Zstd);
        bomb.append(&packed(Packing::Zstd, &vec![0; 256 << 20]));
        let (found, slices) = bomb.look(&ask(vec![]));
        assert_eq!(found.form, Form::Unpacked { size: 0, rest: Rest::Damaged });
        assert!(slices <= 20, "{slices}: it is given up long before its end");
    }
}

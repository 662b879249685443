//! Which bytes belong to which generation: decided by evidence, never by one key.
//!
//! [`judge`] is the only place where identity is decided. A name is never evidence, a clock never decides.

use xxhash_rust::xxh3::xxh3_64;

use crate::planted::{self, Bug};

/// The most bytes of a file's head that identify it: enough for a dozen lines, one page to read.
pub const HEAD_BYTES_MAX: usize = 4096;

/// The most bytes before a position that prove it: longer than a typical line, so that no two places look alike.
pub const MARKER_BYTES_MAX: usize = 256;

/// Of a head that is kept as a hash alone the beginnings in steps of so many bytes are kept as hashes too, so that a file
/// that was cut within its head is still known. Two lines that begin with the same time differ within a step or two.
pub(super) const STEP_BYTES: usize = 64;

/// So many equal bytes tell a file from others that were written to at the same time.
pub(super) const TELLING_BYTES: usize = 2 * STEP_BYTES;

/// The full head has its own hash.
const STEPS: usize = HEAD_BYTES_MAX / STEP_BYTES - 1;

/// What the file system says an inode is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple {
    /// Device number; may change over a reboot.
    pub device: u64,
    /// Inode number; may be used again at once after a deletion.
    pub inode: u64,
    /// Birth time in nanoseconds since the epoch, where the file system has one.
    pub birth_ns: Option<i64>,
}

/// A position with the hash of the at most [`MARKER_BYTES_MAX`] bytes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Plain bytes from the start of the generation.
    pub position: u64,
    /// Hash of the bytes before it.
    pub hash: u64,
}

impl Mark {
    /// The start of a generation: nothing stands before it.
    #[must_use]
    pub fn start() -> Self {
        Self { position: 0, hash: xxh3_64(&[]) }
    }

    /// The mark at `position`, `before` being all or at least the last [`MARKER_BYTES_MAX`] bytes before it.
    #[must_use]
    pub fn at(position: u64, before: &[u8]) -> Self {
        let length = before.len().min(marker_length(position));
        Self { position, hash: xxh3_64(&before[before.len() - length..]) }
    }

    /// Whether `before`, the bytes that stand before the position now, are those that stood there then.
    #[must_use]
    pub fn fits(&self, before: &[u8]) -> bool {
        before.len() >= marker_length(self.position) && Self::at(self.position, before).hash == self.hash
    }
}

/// How many bytes a marker covers at this position.
#[must_use]
pub fn marker_length(position: u64) -> usize {
    usize::try_from(position).map_or(MARKER_BYTES_MAX, |position| position.min(MARKER_BYTES_MAX))
}

/// How many bytes the head covers in a generation of which `position` bytes are known.
#[must_use]
pub fn head_length(position: u64) -> usize {
    usize::try_from(position).map_or(HEAD_BYTES_MAX, |position| position.min(HEAD_BYTES_MAX))
}

/// The first bytes of a generation. They grow with it up to [`HEAD_BYTES_MAX`]; once a full head is
/// committed, its hash alone is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    bytes: Vec<u8>,
    hash: u64,
    length: usize,
    /// What is kept of its beginnings instead of its bytes; none if only the checkpoint knows it.
    beginnings: Option<Box<Beginnings>>,
}

/// The beginnings of a full head.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Beginnings {
    /// Below one step the bytes themselves.
    first: [u8; STEP_BYTES],
    /// One hash for each step.
    steps: [u32; STEPS],
}

impl Default for Head {
    fn default() -> Self {
        Self::remembered(0, xxh3_64(&[]))
    }
}

impl Head {
    /// The head of a generation known by its checkpoint only: a hash over [`head_length`] of `position` bytes.
    #[must_use]
    pub fn remembered(position: u64, hash: u64) -> Self {
        Self { bytes: Vec::new(), hash, length: head_length(position), beginnings: None }
    }

    /// Takes in bytes that were seen at the very start of the generation, if they say more than what is known.
    pub fn learn(&mut self, start: &[u8]) {
        let says_more = start.len() > self.length || (start.len() == self.length && !self.has_bytes());
        if self.length == HEAD_BYTES_MAX && self.beginnings.is_none() && xxh3_64(start) == self.hash {
            self.beginnings = Beginnings::of(start);
        }
        if self.length == HEAD_BYTES_MAX || !says_more {
            return;
        }
        self.length = start.len().min(HEAD_BYTES_MAX);
        self.hash = xxh3_64(&start[..self.length]);
        self.bytes.clear();
        self.bytes.extend_from_slice(&start[..self.length]);
    }

    /// `position` is committed: the bytes of a full head that lies before it are no longer needed, its hash says it all.
    pub fn settle(&mut self, position: u64) {
        if self.length == HEAD_BYTES_MAX && head_length(position) == HEAD_BYTES_MAX {
            self.beginnings = self.beginnings.take().or_else(|| Beginnings::of(&self.bytes));
            self.bytes = Vec::new();
        }
    }

    /// Takes in bytes that were seen at `position`, if they continue the head or replace a part of it: what was read last
    /// is what will be committed.
    pub fn extend(&mut self, position: u64, bytes: &[u8]) {
        let Some(kept) = usize::try_from(position).ok().filter(|position| *position <= self.bytes.len())
        else {
            return;
        };
        if planted::is(Bug::HeadKept) && kept < self.bytes.len() {
            return;
        }
        if bytes.is_empty() || kept == HEAD_BYTES_MAX || !self.has_bytes() {
            return;
        }
        let mut start = std::mem::take(&mut self.bytes);
        start.truncate(kept);
        start.extend_from_slice(&bytes[..bytes.len().min(HEAD_BYTES_MAX - kept)]);
        *self = Self::default();
        self.learn(&start);
    }

    /// Whether a byte of it is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.length > 0
    }

    /// Its first step, where its bytes are known.
    #[must_use]
    pub(super) fn first(&self) -> Option<&[u8; STEP_BYTES]> {
        self.bytes.first_chunk().or(self.beginnings.as_deref().map(|known| &known.first))
    }

    /// The hash of a head that cannot grow any more.
    #[must_use]
    pub fn hash_if_full(&self) -> Option<u64> {
        (self.length == HEAD_BYTES_MAX).then_some(self.hash)
    }

    /// The hash over the first [`head_length`] of `position` bytes, if so many are known.
    #[must_use]
    pub fn hash_at(&self, position: u64) -> Option<u64> {
        let length = head_length(position);
        if length == self.length { Some(self.hash) } else { self.bytes.get(..length).map(xxh3_64) }
    }

    /// Compares with the start of a file, of which `start` holds the first bytes, at most [`HEAD_BYTES_MAX`].
    #[must_use]
    pub fn compare(&self, start: &[u8]) -> HeadEvidence {
        if self.length == 0 {
            HeadEvidence::Unknown
        } else if start.len() >= self.length {
            if xxh3_64(&start[..self.length]) == self.hash {
                HeadEvidence::Equal
            } else {
                HeadEvidence::Differs
            }
        } else if self.has_bytes() {
            if self.bytes.starts_with(start) { HeadEvidence::Equal } else { HeadEvidence::Differs }
        } else {
            self.beginnings.as_ref().map_or(HeadEvidence::Differs, |known| known.compare(start))
        }
    }

    /// Whether a file of so many bytes cannot be compared with it: it is longer, and only its hash is known.
    #[must_use]
    pub fn is_only_known_beyond(&self, bytes: usize) -> bool {
        self.length > bytes && !self.has_bytes() && self.beginnings.is_none()
    }

    fn has_bytes(&self) -> bool {
        self.bytes.len() == self.length
    }
}

impl Beginnings {
    /// Those of a full head.
    fn of(head: &[u8]) -> Option<Box<Self>> {
        let hash = |step: usize| step_hash(&head[..(step + 1) * STEP_BYTES]);
        let first = *head.first_chunk()?;
        (head.len() == HEAD_BYTES_MAX).then(|| Box::new(Self { first, steps: std::array::from_fn(hash) }))
    }

    /// Compares with a start that is shorter than the head.
    fn compare(&self, start: &[u8]) -> HeadEvidence {
        let step = start.len() / STEP_BYTES;
        match step.checked_sub(1).and_then(|last| self.steps.get(last)) {
            Some(hash) if step_hash(&start[..step * STEP_BYTES]) == *hash => HeadEvidence::Equal,
            None if self.first.starts_with(start) => HeadEvidence::Scant,
            Some(_) | None => HeadEvidence::Differs,
        }
    }
}

/// Half a hash does: a cut is decided by it together with the inode.
fn step_hash(bytes: &[u8]) -> u32 {
    let hash = xxh3_64(bytes).to_le_bytes();
    u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// What the heads say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadEvidence {
    /// The file starts as the generation did, as far as both reach.
    Equal,
    /// It does, but it has fewer bytes than tell two logs apart.
    Scant,
    /// It does not.
    Differs,
    /// Nothing is known of the generation's head: not one byte was read of it.
    Unknown,
}

/// What the bytes before a position say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerEvidence {
    /// They are those that were read there.
    Equal,
    /// They are others.
    Differs,
    /// The file is shorter than the position.
    TooShort,
}

/// What the inode says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TupleEvidence {
    /// Device, inode and birth are the same, or the birth is known of neither.
    Same,
    /// The inode number was used again for another file.
    Reborn,
    /// Only the device number differs: a reboot or a new mount.
    OtherDevice,
    /// Another inode.
    Other,
}

impl Tuple {
    /// Compares a remembered tuple with one that was found.
    #[must_use]
    pub fn compare(&self, found: &Self) -> TupleEvidence {
        let births_agree = match (self.birth_ns, found.birth_ns) {
            (Some(known), Some(found)) => known == found || planted::is(Bug::BirthIgnored),
            (Some(_), None) | (None, Some(_)) | (None, None) => true,
        };
        match (self.inode == found.inode, self.device == found.device, births_agree) {
            (true, true, true) => TupleEvidence::Same,
            (true, true, false) => TupleEvidence::Reborn,
            (true, false, true) => TupleEvidence::OtherDevice,
            (true, false, false) | (false, _, _) => TupleEvidence::Other,
        }
    }
}

/// All that is known when a file is held against a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What the inode says.
    pub tuple: TupleEvidence,
    /// What the head says.
    pub head: HeadEvidence,
    /// What the bytes before the generation's position say.
    pub marker: MarkerEvidence,
    /// The file's size.
    pub size: u64,
}

/// What a file is to a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the generation: continue.
    Same,
    /// It is the generation, cut to a part that was delivered: a new stream continues at the new end.
    Cut,
    /// The inode was truncated or written anew: the generation may live on in a copy, a new one begins at 0.
    Rewritten,
    /// Its bytes are the generation's and more: a copy, an archive or a restored file.
    Copy,
    /// It holds a part of what was read of the generation and nothing else, as far as the head tells.
    Part,
    /// Nothing in common.
    Foreign,
}

/// The evidence table, row by row.
#[must_use]
pub fn judge(evidence: Evidence) -> Verdict {
    use HeadEvidence as Head;
    use MarkerEvidence as Marker;
    use TupleEvidence as Inode;
    if planted::is(Bug::InodeOnly) {
        return match evidence.tuple {
            Inode::Same | Inode::Reborn => Verdict::Same,
            Inode::OtherDevice | Inode::Other => Verdict::Foreign,
        };
    }
    let evidence = match evidence.marker {
        Marker::Differs if planted::is(Bug::RewriteUnnoticed) => {
            Evidence { marker: Marker::Equal, ..evidence }
        }
        Marker::Differs | Marker::Equal | Marker::TooShort => evidence,
    };
    match (evidence.tuple, evidence.head, evidence.marker) {
        (Inode::Same, Head::Unknown, _) => Verdict::Same,
        (Inode::Same, Head::Equal, Marker::Equal) => Verdict::Same,
        (Inode::Same, Head::Equal, Marker::TooShort) if evidence.size > 0 => Verdict::Cut,
        (Inode::Same, Head::Equal, Marker::TooShort | Marker::Differs) => Verdict::Rewritten,
        (Inode::Same, Head::Differs | Head::Scant, _) => Verdict::Rewritten,
        (Inode::Reborn, _, _) => Verdict::Foreign,
        // Nothing is no copy of anything.
        (Inode::OtherDevice | Inode::Other, _, _) if evidence.size == 0 => Verdict::Foreign,
        (Inode::OtherDevice, Head::Equal, Marker::Equal) => Verdict::Same,
        (Inode::Other, Head::Equal, Marker::Equal) => Verdict::Copy,
        (Inode::OtherDevice | Inode::Other, Head::Equal | Head::Scant, Marker::TooShort) => Verdict::Part,
        (Inode::OtherDevice | Inode::Other, Head::Equal, Marker::Differs) => Verdict::Foreign,
        (Inode::OtherDevice | Inode::Other, Head::Differs | Head::Scant | Head::Unknown, _) => {
            Verdict::Foreign
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(tuple: TupleEvidence, head: HeadEvidence, marker: MarkerEvidence, size: u64) -> Evidence {
        Evidence { tuple, head, marker, size }
    }

    #[test]
    fn an_empty_file_is_known_by_its_inode_alone() {
        let same = evidence(TupleEvidence::Same, HeadEvidence::Unknown, MarkerEvidence::Equal, 0);
        assert_eq!(judge(same), Verdict::Same);
        assert_eq!(judge(Evidence { tuple: TupleEvidence::Other, ..same }), Verdict::Foreign);
        // No byte of it says anything, whatever is known of the other.
        let begins_alike = Evidence { tuple: TupleEvidence::Other, head: HeadEvidence::Equal, ..same };
        assert_eq!(judge(begins_alike), Verdict::Foreign);
    }

    #[test]
    fn a_shorter_file_with_the_same_head_is_cut_and_an_empty_one_is_rewritten() {
        let cut = evidence(TupleEvidence::Same, HeadEvidence::Equal, MarkerEvidence::TooShort, 10);
        assert_eq!(judge(cut), Verdict::Cut);
        assert_eq!(judge(Evidence { size: 0, ..cut }), Verdict::Rewritten);
    }

    #[test]
    fn a_head_compares_with_shorter_and_longer_starts() {
        let mut head = Head::default();
        assert_eq!(head.compare(b"abc"), HeadEvidence::Unknown);
        head.learn(b"abc");
        assert_eq!(head.compare(b"abcdef"), HeadEvidence::Equal);
        assert_eq!(head.compare(b"ab"), HeadEvidence::Equal);
        assert_eq!(head.compare(b"ax"), HeadEvidence::Differs);
        assert_eq!(head.compare(b"abx"), HeadEvidence::Differs);
        head.extend(1, b"bcdef");
        assert_eq!(head.compare(b"abcdefg"), HeadEvidence::Equal);
        assert_eq!(head.hash_at(3), Some(xxh3_64(b"abc")));
        assert_eq!(head.hash_at(9), None);
    }

    #[test]
    fn a_full_head_that_is_committed_is_kept_as_a_hash() {
        let bytes = vec![7; HEAD_BYTES_MAX + 100];
        let mut head = Head::default();
        head.learn(&bytes[..100]);
        head.extend(100, &bytes[100..]);
        head.settle(200);
        assert_eq!(head.hash_at(200), Some(xxh3_64(&bytes[..200])), "a batch may end within the head");
        head.settle(1 << 40);
        assert!(head.bytes.is_empty());
        assert_eq!(head.hash_at(1 << 40), Some(xxh3_64(&bytes[..HEAD_BYTES_MAX])));
        assert_eq!(head.compare(&bytes[..HEAD_BYTES_MAX]), HeadEvidence::Equal);
    }

    #[test]
    fn a_file_that_was_cut_within_its_head_is_known_though_only_hashes_are_kept() {
        let bytes: Vec<u8> = (0..HEAD_BYTES_MAX).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        let mut seen = Head::default();
        seen.learn(&bytes);
        seen.settle(HEAD_BYTES_MAX as u64);
        // After a restart the file itself tells what the checkpoint does not.
        let mut remembered = Head::remembered(HEAD_BYTES_MAX as u64, xxh3_64(&bytes));
        assert_eq!(remembered.compare(&bytes[..2000]), HeadEvidence::Differs);
        remembered.learn(&bytes);
        for head in [seen, remembered] {
            assert_eq!(head.compare(&bytes[..2000]), HeadEvidence::Equal);
            assert_eq!(head.compare(&bytes[1..2000]), HeadEvidence::Differs);
            assert_eq!(head.compare(&bytes[..10]), HeadEvidence::Scant, "too short to tell two logs apart");
            assert_eq!(head.compare(&bytes[1..10]), HeadEvidence::Differs);
        }
    }

    #[test]
    fn a_few_equal_bytes_may_be_a_copy_that_begins_but_no_file_that_was_cut() {
        let few = evidence(TupleEvidence::Other, HeadEvidence::Scant, MarkerEvidence::TooShort, 10);
        assert_eq!(judge(few), Verdict::Part);
        assert_eq!(judge(Evidence { tuple: TupleEvidence::Same, ..few }), Verdict::Rewritten);
    }

    #[test]
    fn a_marker_covers_at_most_its_bytes() {
        let bytes: Vec<u8> = (0..1000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mark = Mark::at(1000, &bytes);
        assert!(mark.fits(&bytes[1000 - MARKER_BYTES_MAX..]));
        assert!(!mark.fits(&bytes[1000 - MARKER_BYTES_MAX + 1..]));
        assert!(Mark::start().fits(b""));
    }
}

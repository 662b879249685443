//! Generations by their first bytes: what finds a copy or an archive of one of them wherever it lies, and shows of most files
//! that they begin as none does.
//!
//! Only by full heads copies are found: many files begin alike, and few of them stay alike for long.

use std::collections::BTreeSet;

use xxhash_rust::xxh3::xxh3_64;

use super::identity::{HEAD_BYTES_MAX, Head, STEP_BYTES};
use super::tail::Tail;
use crate::event::StreamId;

/// So many generations of one head are held against a file; more would be copies of one file.
const ALIKE_MAX: usize = 16;

/// The heads that are known, by their hashes.
#[derive(Debug, Default)]
pub(super) struct Heads {
    full: BTreeSet<(u64, StreamId)>,
    /// By the hash of their first step.
    starts: BTreeSet<(u64, StreamId)>,
    /// Those of which less is known, or only a hash of more.
    hidden: BTreeSet<StreamId>,
}

/// Under what a head is noted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    full: Option<u64>,
    start: Start,
}

/// What is known of a head's first step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Start {
    /// There is no byte yet.
    #[default]
    Empty,
    Known(u64),
    Hidden,
}

impl Noted {
    fn of(head: &Head) -> Self {
        let start = match head.first() {
            Some(first) => Start::Known(xxh3_64(first)),
            None if head.is_known() => Start::Hidden,
            None => Start::Empty,
        };
        Self { full: head.hash_if_full(), start }
    }
}

impl Heads {
    fn add(&mut self, stream: StreamId, noted: Noted) {
        self.full.extend(noted.full.map(|hash| (hash, stream)));
        match noted.start {
            Start::Empty => {}
            Start::Known(hash) => {
                self.starts.insert((hash, stream));
            }
            Start::Hidden => {
                self.hidden.insert(stream);
            }
        }
    }

    fn remove(&mut self, stream: StreamId, noted: Noted) {
        if let Some(hash) = noted.full {
            self.full.remove(&(hash, stream));
        }
        match noted.start {
            Start::Empty => {}
            Start::Known(hash) => {
                self.starts.remove(&(hash, stream));
            }
            Start::Hidden => {
                self.hidden.remove(&stream);
            }
        }
    }

    /// Whether any generation may begin as a file does, of which these are the first bytes. Most begin as none, which costs one
    /// look here and a comparison with each candidate otherwise.
    pub fn may_begin_so(&self, start: &[u8]) -> bool {
        let Some(first) = start.first_chunk::<STEP_BYTES>() else { return true };
        !self.hidden.is_empty() || of_hash(&self.starts, xxh3_64(first)).next().is_some()
    }
}

fn of_hash(heads: &BTreeSet<(u64, StreamId)>, hash: u64) -> impl Iterator<Item = StreamId> {
    let all = (hash, StreamId(u64::MIN))..=(hash, StreamId(u64::MAX));
    heads.range(all).map(|(_, stream)| *stream)
}

impl Tail {
    /// The head of a generation may have become full, or another.
    pub fn note_head(&mut self, stream: StreamId) {
        let Some(generation) = self.generations.get_mut(&stream) else { return };
        let noted = Noted::of(&generation.head);
        if noted == generation.noted_head {
            return;
        }
        let old = std::mem::replace(&mut generation.noted_head, noted);
        self.heads.remove(stream, old);
        self.heads.add(stream, noted);
    }

    /// A generation is forgotten.
    pub fn forget_head(&mut self, stream: StreamId, noted: Noted) {
        self.heads.remove(stream, noted);
    }

    /// The generations that begin as a file does, in any directory.
    pub fn of_head(&self, start: &[u8]) -> impl Iterator<Item = StreamId> {
        let mut head = Head::default();
        if start.len() == HEAD_BYTES_MAX {
            head.learn(start);
        }
        let found = head.hash_if_full().map(|hash| of_hash(&self.heads.full, hash).take(ALIKE_MAX));
        found.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(start: &[u8]) -> Head {
        let mut head = Head::default();
        head.learn(start);
        head
    }

    #[test]
    fn a_file_that_begins_as_no_other_is_told_by_its_first_step_alone() {
        let (one, other) = ([b'a'; 200], [b'b'; 200]);
        let mut heads = Heads::default();
        heads.add(StreamId(1), Noted::of(&Head::default()));
        heads.add(StreamId(2), Noted::of(&learnt(&one)));
        assert!(heads.may_begin_so(&one[..STEP_BYTES]), "as far as it goes it begins so");
        assert!(heads.may_begin_so(&other[..STEP_BYTES - 1]), "it is too short to tell");
        assert!(!heads.may_begin_so(&other));
        for hidden in [learnt(&one[..10]), Head::remembered(100, 7)] {
            let noted = Noted::of(&hidden);
            heads.add(StreamId(3), noted);
            assert!(heads.may_begin_so(&other), "how that one goes on is not known");
            heads.remove(StreamId(3), noted);
            assert!(!heads.may_begin_so(&other));
        }
    }

    #[test]
    fn a_full_head_keeps_its_first_step_when_its_bytes_are_let_go() {
        let mut head = learnt(&[b'a'; HEAD_BYTES_MAX]);
        let noted = Noted::of(&head);
        head.settle(HEAD_BYTES_MAX as u64);
        assert_eq!(Noted::of(&head), noted);
    }
}

//! Generations by their first bytes: what finds a copy or an archive of one of them wherever it lies.
//!
//! Only full heads are found so: many files begin alike, and few of them stay alike for long.

use std::collections::BTreeSet;

use super::identity::{HEAD_BYTES_MAX, Head};
use super::tail::Tail;
use crate::event::StreamId;

/// So many generations of one head are held against a file; more would be copies of one file.
const ALIKE_MAX: usize = 16;

/// The full heads that are known, by their hashes.
#[derive(Debug, Default)]
pub(super) struct Heads(BTreeSet<(u64, StreamId)>);

impl Tail {
    /// The head of a generation may have become full, or another.
    pub fn note_head(&mut self, stream: StreamId) {
        let Some(generation) = self.generations.get_mut(&stream) else { return };
        let full = generation.head.hash_if_full();
        if full == generation.noted_head {
            return;
        }
        if let Some(old) = std::mem::replace(&mut generation.noted_head, full) {
            self.heads.0.remove(&(old, stream));
        }
        self.heads.0.extend(full.map(|hash| (hash, stream)));
    }

    /// A generation is forgotten.
    pub fn forget_head(&mut self, stream: StreamId, noted: Option<u64>) {
        if let Some(hash) = noted {
            self.heads.0.remove(&(hash, stream));
        }
    }

    /// The generations that begin as a file does, in any directory.
    pub fn of_head(&self, start: &[u8]) -> impl Iterator<Item = StreamId> {
        let mut head = Head::default();
        if start.len() == HEAD_BYTES_MAX {
            head.learn(start);
        }
        let all = |hash| (hash, StreamId(u64::MIN))..=(hash, StreamId(u64::MAX));
        let found = head.hash_if_full().map(|hash| self.heads.0.range(all(hash)).take(ALIKE_MAX));
        found.into_iter().flatten().map(|(_, stream)| *stream)
    }
}

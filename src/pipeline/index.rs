//! Which generations a listing or a file may concern, found without asking all of them: the work is proportional to what
//! changed, however many files are followed.
//!
//! It knows of each generation its inode, the paths at which it may have begun, its directory and whether it was found, and
//! nothing else. Whoever changes one of these does so in [`Tail::change`], or the index would lie; builds for tests check that it
//! does not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::action::{Millis, SharedPath};
use super::generation::{Generation, Whereabouts, path_hash};
use super::tail::Tail;
use crate::event::StreamId;

/// The generations by what they are looked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    by_inode: BTreeSet<(u64, StreamId)>,
    by_home: BTreeSet<(u32, StreamId)>,
    by_directory: HashMap<SharedPath, Near>,
    /// Those that nobody remembers a path of.
    nowhere: Near,
    unlocated: BTreeSet<StreamId>,
    missing: BTreeSet<(Millis, StreamId)>,
}

/// The generations of one directory, by whether they were found there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Near {
    pub here: BTreeSet<StreamId>,
    /// Those that our descriptors alone lead to, by where they were last.
    pub away: BTreeSet<StreamId>,
    pub unlocated: BTreeSet<StreamId>,
    pub missing: BTreeSet<StreamId>,
}

impl Near {
    /// Where a generation of these whereabouts is noted.
    fn of(&mut self, whereabouts: Whereabouts) -> &mut BTreeSet<StreamId> {
        match whereabouts {
            Whereabouts::Here => &mut self.here,
            Whereabouts::Away => &mut self.away,
            Whereabouts::Unlocated => &mut self.unlocated,
            Whereabouts::Missing(_) => &mut self.missing,
        }
    }

    fn add(&mut self, generation: &Generation) {
        self.of(generation.whereabouts).insert(generation.stream);
    }

    fn remove(&mut self, generation: &Generation) {
        self.of(generation.whereabouts).remove(&generation.stream);
    }

    fn is_empty(&self) -> bool {
        [&self.here, &self.away, &self.unlocated, &self.missing].iter().all(|streams| streams.is_empty())
    }
}

impl Index {
    /// Takes a generation in.
    pub fn add(&mut self, generation: &Generation) {
        let stream = generation.stream;
        self.by_inode.insert((generation.tuple.inode, stream));
        self.by_home.extend(generation.homes().map(|home| (home, stream)));
        match generation.whereabouts {
            Whereabouts::Here | Whereabouts::Away => {}
            Whereabouts::Unlocated => {
                self.unlocated.insert(stream);
            }
            Whereabouts::Missing(since) => {
                self.missing.insert((since, stream));
            }
        }
        match directory_of(generation) {
            None => self.nowhere.add(generation),
            Some(directory) => match self.by_directory.get_mut(directory) {
                Some(near) => near.add(generation),
                None => self.by_directory.entry(SharedPath::from(directory)).or_default().add(generation),
            },
        }
    }

    /// Forgets a generation, which is as it was when it was taken in.
    pub fn remove(&mut self, generation: &Generation) {
        let stream = generation.stream;
        self.by_inode.remove(&(generation.tuple.inode, stream));
        generation.homes().for_each(|home| {
            self.by_home.remove(&(home, stream));
        });
        self.unlocated.remove(&stream);
        if let Whereabouts::Missing(since) = generation.whereabouts {
            self.missing.remove(&(since, stream));
        }
        let Some(directory) = directory_of(generation) else {
            self.nowhere.remove(generation);
            return;
        };
        if let Some(near) = self.by_directory.get_mut(directory) {
            near.remove(generation);
            if near.is_empty() {
                self.by_directory.remove(directory);
            }
        }
    }

    /// Those that are known to have been in an inode of this number.
    pub fn of_inode(&self, inode: u64) -> impl Iterator<Item = StreamId> {
        let all = (inode, StreamId(u64::MIN))..=(inode, StreamId(u64::MAX));
        self.by_inode.range(all).map(|(_, stream)| *stream)
    }

    /// Those that may have begun at the path of this hash.
    pub fn of_home(&self, home_hash: u32) -> impl Iterator<Item = StreamId> {
        let all = (home_hash, StreamId(u64::MIN))..=(home_hash, StreamId(u64::MAX));
        self.by_home.range(all).map(|(_, stream)| *stream)
    }

    /// Those that were last seen in this directory.
    pub fn near(&self, directory: &Path) -> Option<&Near> {
        self.by_directory.get(directory)
    }

    /// Those that nobody remembers a path of.
    pub fn nowhere(&self) -> &Near {
        &self.nowhere
    }

    /// Those that were not looked for yet, or could not be.
    pub fn unlocated(&self) -> impl Iterator<Item = StreamId> {
        self.unlocated.iter().copied()
    }

    /// Those that went missing within this time, the longest missing first.
    pub fn missing_since(&self, time: impl std::ops::RangeBounds<Millis>) -> impl Iterator<Item = StreamId> {
        let from = time.start_bound().map(|since| (*since, StreamId(u64::MIN)));
        let to = time.end_bound().map(|since| (*since, StreamId(u64::MAX)));
        self.missing.range((from, to)).map(|(_, stream)| *stream)
    }

    /// When the first of those went missing that did so at this time or later.
    pub fn next_missing(&self, from: Millis) -> Option<Millis> {
        self.missing.range((from, StreamId(u64::MIN))..).next().map(|(since, _)| *since)
    }

    /// Those that went missing last.
    pub fn missing_last(&self) -> impl Iterator<Item = StreamId> {
        self.missing.iter().rev().map(|(_, stream)| *stream)
    }

    fn of_all(generations: &BTreeMap<StreamId, Box<Generation>>) -> Self {
        let mut index = Self::default();
        generations.values().for_each(|generation| index.add(generation));
        index
    }
}

impl Tail {
    /// Takes a new generation in.
    pub fn insert(&mut self, mut generation: Generation) {
        let stream = generation.stream;
        generation.kin = self.kin(&generation);
        self.index.add(&generation);
        self.generations.insert(stream, Box::new(generation));
        self.note_head(stream);
    }

    /// Changes what the index knows of a generation.
    pub fn change(&mut self, stream: StreamId, change: impl FnOnce(&mut Generation)) {
        let generation = self.generations.get_mut(&stream).expect("an index names a forgotten generation");
        self.index.remove(generation);
        let home = generation.home.clone();
        change(generation);
        if generation.home != home {
            let kin = self.kin(&self.generations[&stream]);
            self.generation(stream).kin = kin;
        }
        self.index.add(&self.generations[&stream]);
    }

    /// Another configuration has other logs, whose names say otherwise where a generation may have begun.
    pub fn renew_kin(&mut self, stream: StreamId) {
        let kin = self.kin(&self.generations[&stream]);
        self.change(stream, |generation| generation.kin = kin);
    }

    fn kin(&self, generation: &Generation) -> Box<[u32]> {
        let Some(home) = generation.home.as_deref() else { return Box::default() };
        // Where the local state did not know it, this is not the path that its positions name, but where it was found.
        let own = Some(path_hash(home)).filter(|own| *own != generation.home_hash);
        self.homes_by_name(home).iter().map(|home| path_hash(home)).chain(own).collect()
    }

    /// Forgets a generation.
    pub fn take_out(&mut self, stream: StreamId) -> Option<Box<Generation>> {
        let generation = self.generations.remove(&stream)?;
        self.index.remove(&generation);
        self.forget_head(stream, generation.noted_head);
        Some(generation)
    }

    /// Compares the index with the generations themselves, in builds for tests only: it costs what the index saves.
    pub fn check_index(&self) {
        if cfg!(any(test, feature = "testing")) {
            let truth = Index::of_all(&self.generations);
            assert_eq!(self.index, truth, "a generation was changed elsewhere than in Tail::change");
        }
    }
}

fn directory_of(generation: &Generation) -> Option<&Path> {
    generation.path.as_deref().and_then(Path::parent)
}

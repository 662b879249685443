//! A virtual file system: inodes with births and names, numbers that are used again at once, descriptors that keep an
//! unlinked inode alive. It knows bytes, not lines; which lines an inode holds is noted here only for the oracle.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use viewtail::pipeline::action::{FileKind, FileSeen, Millis, SharedPath, Stat};
use viewtail::pipeline::identity::Tuple;

use crate::oracle::LineId;

/// Index of an inode in its whole life; never used again, unlike its number.
pub type Life = usize;

/// How coarse births are: a kernel tick, so that two inodes of one number can have the same birth.
const BIRTH_GRAIN_MS: u64 = 4;

#[derive(Debug)]
pub struct Inode {
    number: u64,
    birth_ns: Option<i64>,
    modified_ns: i64,
    pub data: Vec<u8>,
    /// Lines whose bytes are here, in order, the last one perhaps not complete.
    pub lines: Vec<LineId>,
    /// Which run of bytes this is; a truncation to nothing begins a new one.
    pub epoch: u32,
    /// It began by a truncation.
    pub truncated: bool,
    /// Its bytes were copied from another inode.
    pub is_copy: bool,
    /// What is written to it is written to this one too.
    pub twin: Option<Life>,
    /// Blocks that the disk does not give; none of them among its first bytes.
    pub unreadable: Vec<Range<u64>>,
    /// Its bytes are compressed: `data` is what comes out of it, once it is complete.
    pub packing: Option<Packing>,
    names: u64,
    readers: u32,
    /// So many of the readers only look: they know nothing that ties it to a log.
    pub lookers: u32,
    writers: u32,
    /// Nobody can reach it any more, or nobody could know what it is: its lines no longer count as kept here.
    pub lost: bool,
}

/// How far an archive is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Half,
    Whole,
}

impl Inode {
    /// The plain bytes that can be had.
    pub fn plain(&self) -> &[u8] {
        if self.packing == Some(Packing::Half) { &[] } else { &self.data }
    }

    /// The bytes from `position` on, at most `length`, up to the first that cannot be read; nothing if that is the first.
    pub fn read(&self, position: u64, length: usize) -> Option<&[u8]> {
        let bytes = slice(self.plain(), position, length);
        let end = position + bytes.len() as u64;
        let failing = self.unreadable.iter().filter(|blocks| blocks.start < end && blocks.end > position);
        match failing.map(|blocks| blocks.start.saturating_sub(position)).min() {
            Some(0) => None,
            Some(stop) => Some(slice(bytes, 0, usize::try_from(stop).expect("files are small"))),
            None => Some(bytes),
        }
    }

    fn size(&self) -> u64 {
        let size = self.data.len() as u64;
        match self.packing {
            None => size,
            Some(Packing::Half) => size / 4 + 10,
            Some(Packing::Whole) => size / 4 + 18,
        }
    }

    /// Whether anybody has it open who may know what it is.
    pub fn has_readers(&self) -> bool {
        self.readers > self.lookers
    }
}

#[derive(Debug)]
pub struct Vfs {
    pub inodes: Vec<Inode>,
    names: BTreeMap<SharedPath, Life>,
    free: BTreeSet<u64>,
    numbers: u64,
    births: bool,
    /// No two inodes have the same birth.
    exact_births: bool,
    /// Changes with a remount.
    pub device: u64,
    /// Counts changes, so that no two leave the same modification time.
    changes: i64,
}

impl Vfs {
    pub fn new(births: bool, exact_births: bool) -> Self {
        Self {
            inodes: Vec::new(),
            names: BTreeMap::new(),
            free: BTreeSet::new(),
            numbers: 100,
            births,
            exact_births,
            device: 1,
            changes: 0,
        }
    }

    /// Creates a file and opens it for a writer. The path must be free.
    pub fn create(&mut self, now: Millis, path: &str, epoch: u32) -> Life {
        let number = self.free.pop_first().unwrap_or_else(|| {
            self.numbers += 1;
            self.numbers
        });
        let modified_ns = self.stamp(now);
        let tick = nanoseconds(now.0 / BIRTH_GRAIN_MS * BIRTH_GRAIN_MS);
        let birth_ns = self.births.then_some(if self.exact_births { modified_ns } else { tick });
        let inode = Inode {
            number,
            birth_ns,
            modified_ns,
            data: Vec::new(),
            lines: Vec::new(),
            epoch,
            truncated: false,
            is_copy: false,
            twin: None,
            unreadable: Vec::new(),
            packing: None,
            names: 1,
            readers: 0,
            lookers: 0,
            writers: 1,
            lost: false,
        };
        self.inodes.push(inode);
        let life = self.inodes.len() - 1;
        let taken = self.names.insert(shared(path), life);
        assert!(taken.is_none(), "simulator: {path} exists");
        life
    }

    /// A file that somebody else owns, under a second name that a careless or hostile user made.
    pub fn link_secret(&mut self, now: Millis, path: &str, epoch: u32, secret: &[u8]) {
        let life = self.create(now, path, epoch);
        self.append(now, life, secret);
        self.inodes[life].names = 2;
        self.inodes[life].lost = true;
        self.inodes[life].writers = 0;
    }

    pub fn append(&mut self, now: Millis, life: Life, bytes: &[u8]) {
        self.inodes[life].modified_ns = self.stamp(now);
        self.inodes[life].data.extend_from_slice(bytes);
    }

    /// An archive of another file is written further. Once it is complete it has the time of what is in it.
    pub fn pack(&mut self, now: Millis, life: Life, (of, packing): (Life, Packing)) {
        let data = self.inodes[of].data.clone();
        self.inodes[life].modified_ns = match packing {
            Packing::Half => self.stamp(now),
            Packing::Whole => self.inodes[of].modified_ns,
        };
        self.inodes[life].data = match packing {
            Packing::Half => data[..data.len() / 2].to_vec(),
            Packing::Whole => data,
        };
        self.inodes[life].packing = Some(packing);
    }

    /// A whole copy, or a whole archive that is copied, with the time of the original.
    pub fn copy(&mut self, now: Millis, life: Life, path: &str) -> Life {
        let copy = self.create(now, path, self.inodes[life].epoch);
        let Inode { data, packing, modified_ns, .. } = &self.inodes[life];
        let (data, packing, modified_ns) = (data.clone(), *packing, *modified_ns);
        let inode = &mut self.inodes[copy];
        (inode.data, inode.packing, inode.modified_ns) = (data, packing, modified_ns);
        (inode.is_copy, inode.writers) = (true, 0);
        copy
    }

    /// A file that gets the lines of a log and is none: nothing of it may ever be sent.
    pub fn create_twin(&mut self, now: Millis, path: &str, epoch: u32) -> Life {
        let life = self.create(now, path, epoch);
        self.inodes[life].lost = true;
        life
    }

    /// An archive of lines from before everything, which nobody may ever send.
    pub fn archive_of_before(&mut self, path: &str, epoch: u32, secret: &[u8]) {
        let life = self.create(Millis(0), path, epoch);
        let inode = &mut self.inodes[life];
        (inode.data, inode.packing) = (secret.to_vec(), Some(Packing::Whole));
        (inode.lost, inode.writers, inode.modified_ns) = (true, 0, 1);
    }

    pub fn truncate(&mut self, now: Millis, life: Life, size: usize) {
        self.inodes[life].modified_ns = self.stamp(now);
        self.inodes[life].data.truncate(size);
    }

    /// Renames; the new name must be free.
    pub fn rename(&mut self, from: &str, to: &str) -> Life {
        let life = self.names.remove(Path::new(from)).expect("simulator: renames what exists");
        let taken = self.names.insert(shared(to), life);
        assert!(taken.is_none(), "simulator: {to} exists");
        life
    }

    pub fn unlink(&mut self, path: &str) -> Option<Life> {
        let life = self.names.remove(Path::new(path))?;
        self.inodes[life].names -= 1;
        self.free_if_unused(life);
        Some(life)
    }

    pub fn lookup(&self, path: &Path) -> Option<Life> {
        self.names.get(path).copied()
    }

    /// The name of an inode, if it has one.
    pub fn name_of(&self, life: Life) -> Option<&SharedPath> {
        self.names.iter().find(|(_, named)| **named == life).map(|(path, _)| path)
    }

    pub fn open(&mut self, path: &Path) -> Option<Life> {
        let life = self.lookup(path)?;
        self.inodes[life].readers += 1;
        Some(life)
    }

    pub fn close(&mut self, life: Life) {
        self.inodes[life].readers -= 1;
        self.free_if_unused(life);
    }

    pub fn writer_closes(&mut self, life: Life) {
        self.inodes[life].writers -= 1;
        self.free_if_unused(life);
    }

    pub fn has_writers(&self, life: Life) -> bool {
        self.inodes[life].writers > 0
    }

    pub fn stat(&self, life: Life) -> Stat {
        let inode = &self.inodes[life];
        Stat {
            tuple: Tuple { device: self.device, inode: inode.number, birth_ns: inode.birth_ns },
            size: inode.size(),
            modified_ns: inode.modified_ns,
            links: inode.names,
        }
    }

    /// All files of a directory, sorted by name.
    pub fn list(&self, directory: &Path) -> Vec<FileSeen> {
        let inside = self.names.iter().filter(|(path, _)| path.parent() == Some(directory));
        inside
            .map(|(path, life)| FileSeen {
                path: Arc::clone(path),
                kind: FileKind::Regular,
                stat: self.stat(*life),
            })
            .collect()
    }

    fn stamp(&mut self, now: Millis) -> i64 {
        self.changes += 1;
        nanoseconds(now.0) + self.changes
    }

    fn free_if_unused(&mut self, life: Life) {
        let inode = &mut self.inodes[life];
        if inode.names == 0 && inode.readers == 0 && inode.writers == 0 {
            self.free.insert(inode.number);
            inode.data.clear();
        }
    }
}

/// A copy of the bytes of `data` from `position`, at most `length`.
pub fn slice(data: &[u8], position: u64, length: usize) -> &[u8] {
    let start = usize::try_from(position).map_or(data.len(), |start| start.min(data.len()));
    &data[start..data.len().min(start + length)]
}

/// The at most `length` bytes before `position`, `None` where the file is shorter than that.
pub fn before(data: &[u8], position: u64, length: usize) -> Option<&[u8]> {
    let end = usize::try_from(position).ok().filter(|end| *end <= data.len())?;
    Some(&data[end.saturating_sub(length)..end])
}

pub fn shared(path: &str) -> SharedPath {
    Arc::from(Path::new(path))
}

fn nanoseconds(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).expect("a simulation is short") * 1_000_000
}

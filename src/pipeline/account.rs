//! What became of every byte, path by path: how many were read, committed, lost and why, and read again.
//!
//! Each generation keeps [`Books`] of its own, and an [`Account`] adds up those of one path: nothing is counted in two places.
//! Once a generation has ended, what is committed of it, what gave no event and what is lost are together all its bytes.
//! What nobody has seen is in no book. Where a file that counted as lost turns up again, its end is taken back.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::action::SharedPath;
use super::checkpoint::Snapshot;

/// Why bytes are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The file was truncated or written anew before they were read, and no copy of them turned up.
    Truncated,
    /// The file left the disk before they were read, and did not turn up elsewhere.
    Deleted,
    /// The file was deleted, and what deleted files may hold of the disk was used up.
    GivenUp,
    /// The tail of the file was cut off before it was read.
    Cut,
    /// The file was written anew, and its log says that what is in it then is left out.
    Skipped,
    /// They could not be read for long, and the log says that such a place is passed over.
    Unreadable,
}

impl Loss {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::Truncated, Self::Deleted, Self::GivenUp, Self::Cut, Self::Skipped, Self::Unreadable];

    /// Its name for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Deleted => "deleted",
            Self::GivenUp => "given_up",
            Self::Cut => "cut",
            Self::Skipped => "skipped",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Lost bytes by their reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses([u64; Loss::ALL.len()]);

impl Losses {
    /// So many for one reason.
    #[must_use]
    pub fn of(reason: Loss, bytes: u64) -> Self {
        let mut losses = Self::default();
        losses.add(reason, bytes);
        losses
    }

    /// Adds to one reason.
    pub fn add(&mut self, reason: Loss, bytes: u64) {
        self.0[reason as usize] += bytes;
    }

    /// Takes some back of one reason, as many as there are.
    fn take_back(&mut self, reason: Loss, bytes: u64) {
        let lost = &mut self.0[reason as usize];
        *lost = lost.saturating_sub(bytes);
    }

    /// Those for one reason.
    #[must_use]
    pub fn of_reason(&self, reason: Loss) -> u64 {
        self.0[reason as usize]
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(reason, bytes)| self.add(reason, bytes));
    }

    /// Losses in the order of [`Loss::ALL`], of which later versions may know more.
    #[must_use]
    pub fn in_order(bytes: &[u64]) -> Self {
        let mut losses = Self::default();
        losses.0.iter_mut().zip(bytes).for_each(|(lost, bytes)| *lost = *bytes);
        losses
    }

    /// Each reason with its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (Loss, u64)> {
        Loss::ALL.into_iter().map(|reason| (reason, self.0[reason as usize]))
    }

    /// All of them together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl Serialize for Losses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Loss::ALL.len()))?;
        for (reason, bytes) in self.iter() {
            map.serialize_entry(reason.name(), &bytes)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Losses {
    /// Reasons of which this version knows nothing are left out.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named: BTreeMap<String, u64> = BTreeMap::deserialize(deserializer)?;
        let mut losses = Self::default();
        Loss::ALL
            .into_iter()
            .for_each(|why| losses.add(why, named.get(why.name()).copied().unwrap_or_default()));
        Ok(losses)
    }
}

/// The books of one generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Where they begin: where reading did, or how far it was committed when these books were opened.
    pub began: u64,
    /// How far its bytes are known to reach.
    pub size: u64,
    /// Bytes that it lost while it went on; they lie before its beginning or beyond its size, but for those that were passed
    /// over because they could not be read.
    pub lost: Losses,
    /// Bytes that were read.
    pub read: u64,
    /// Bytes that were read again, because they were not committed when positions were set back.
    pub reread: u64,
    /// It is over.
    pub end: Option<End>,
}

/// What became of the bytes behind the last position of a generation that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Bytes that were looked at and gave no event, as the hole that a crash leaves.
    pub without_event: u64,
    /// Bytes that nobody will read.
    pub lost: Losses,
}

impl Books {
    /// Books that begin at a position.
    #[must_use]
    pub fn at(position: u64) -> Self {
        Self { began: position, size: position, ..Self::default() }
    }

    /// The file is known to reach so far.
    pub fn reaches(&mut self, size: u64) {
        self.size = self.size.max(size);
    }

    /// The file goes on and is shorter than it was by so much.
    pub fn is_cut(&mut self, bytes: u64) {
        self.lost.add(Loss::Cut, bytes);
        self.size = self.size.saturating_sub(bytes);
    }

    /// It is committed so far. Where that is more than there seemed to be, less was cut away.
    pub fn is_committed(&mut self, position: u64) {
        let more = position.saturating_sub(self.size);
        self.size += more;
        self.lost.take_back(Loss::Cut, more);
    }

    /// Its first bytes up to where it begins were left out.
    pub fn is_skipped(&mut self) {
        self.lost.add(Loss::Skipped, self.began);
    }

    /// So many bytes before what is committed could not be read.
    pub fn is_passed_over(&mut self, bytes: u64) {
        self.lost.add(Loss::Unreadable, bytes);
    }
}

/// What became of the bytes of one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Account {
    /// Bytes that were read, each counted once.
    pub read: u64,
    /// Bytes that are in Kafka, or known there to give no event.
    pub committed: u64,
    /// Bytes that were read again after positions had been set back.
    pub reread: u64,
    /// Bytes of files that lost their name or are missing, and are neither delivered nor lost.
    pub unread: u64,
    /// Bytes of finished files, and those that were cut away from files that went on: they are committed, or gave no event,
    /// or are lost.
    pub finished: u64,
    /// Bytes at the end of finished files that were read and gave no event.
    pub without_event: u64,
    /// Bytes that nobody will read.
    pub lost: Losses,
}

impl Account {
    /// Adds another account.
    pub fn merge(&mut self, other: &Self) {
        self.read += other.read;
        self.committed += other.committed;
        self.reread += other.reread;
        self.unread += other.unread;
        self.finished += other.finished;
        self.without_event += other.without_event;
        self.lost.merge(&other.lost);
    }

    /// Of one generation that is committed up to `position`; `is_rotated` says whether it lost the name it was found by.
    #[must_use]
    pub fn of(books: &Books, position: u64, is_rotated: bool) -> Self {
        let passed_over = books.lost.of_reason(Loss::Unreadable);
        let mut account = Self {
            read: books.read,
            reread: books.reread,
            committed: position.saturating_sub(books.began + passed_over),
            finished: books.lost.total(),
            lost: books.lost,
            ..Self::default()
        };
        match books.end {
            Some(End { without_event, lost }) => {
                account.finished += books.size.saturating_sub(books.began + passed_over);
                account.without_event = without_event;
                account.lost.merge(&lost);
            }
            None if is_rotated => account.unread = books.size.saturating_sub(position),
            None => {}
        }
        account
    }
}

/// The account of each path, by the path under which files began; those whose path nobody remembers have the empty one.
#[must_use]
pub fn accounts(snapshot: &Snapshot) -> BTreeMap<SharedPath, Account> {
    let mut accounts: BTreeMap<SharedPath, Account> = snapshot.forgotten.iter().cloned().collect();
    for file in &snapshot.files {
        let account = Account::of(&file.books, file.entry.mark.position, file.is_rotated);
        accounts.entry(file.home.clone()).or_default().merge(&account);
    }
    accounts
}

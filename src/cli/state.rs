//! The local state as the looking commands see it: how far each file is delivered.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::event::StreamId;
use crate::io::state;
use crate::pipeline::account::{Account, accounts};
use crate::pipeline::action::SharedPath;
use crate::pipeline::identity::Tuple;

/// The agent's last local state. It may be a moment older than what Kafka holds, never newer.
#[derive(Clone, Debug, Default)]
pub struct StateView {
    /// The number of the last committed transaction.
    pub sequence: u64,
    /// When it was written, in milliseconds since the epoch.
    pub committed_at_ms: Option<i64>,
    /// The process that holds the lock of the state directory.
    pub running_pid: Option<i32>,
    /// One entry per generation.
    pub files: Vec<FileView>,
    /// What became of the bytes of each path.
    pub accounts: BTreeMap<SharedPath, Account>,
}

/// One generation.
#[derive(Clone, Debug)]
pub struct FileView {
    /// Where it was last seen.
    pub path: PathBuf,
    /// Its stream.
    pub stream: StreamId,
    /// Everything below it is in Kafka.
    pub position: u64,
    /// Its inode.
    pub tuple: Tuple,
}

impl StateView {
    /// Reads the state directory without locking it; `None` if no agent has written there yet.
    ///
    /// # Errors
    /// The directory or its files cannot be read, or a newer version wrote them.
    pub fn read(state_dir: &Path) -> anyhow::Result<Option<Self>> {
        let Some(saved) = state::read(state_dir)? else { return Ok(None) };
        let files = saved.snapshot.files.iter().map(|file| FileView {
            path: file.path.to_path_buf(),
            stream: file.entry.stream,
            position: file.entry.mark.position,
            tuple: file.entry.tuple,
        });
        Ok(Some(Self {
            sequence: saved.snapshot.sequence,
            committed_at_ms: i64::try_from(saved.written_at_ms).ok(),
            running_pid: state::holder(state_dir),
            files: files.collect(),
            accounts: accounts(&saved.snapshot),
        }))
    }

    /// The generation that a file on disk is: by inode, because a path only says where it was last seen.
    #[must_use]
    pub fn file_of(&self, metadata: &std::fs::Metadata) -> Option<&FileView> {
        let is_same =
            |file: &&FileView| file.tuple.device == metadata.dev() && file.tuple.inode == metadata.ino();
        // An inode number that was used again belongs to the generation that has delivered no more than it holds.
        self.files.iter().filter(is_same).find(|file| file.position <= metadata.len())
    }
}

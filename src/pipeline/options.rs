//! What the machine is told once, at its start.

use std::path::Path;

use super::checkpoint::Snapshot;
use crate::event::EncoderOptions;
use crate::event::globs::Globs;

/// Everything the machine needs to begin.
#[derive(Clone, Debug)]
pub struct Options {
    /// The entries of `logs:`; where two match the same file the first wins.
    pub logs: Vec<LogOptions>,
    /// How events are delivered.
    pub delivery: DeliveryOptions,
    /// How many files may be open.
    pub open_files: OpenFiles,
    /// The most bytes of the disk that deleted files may hold by our descriptors; nothing where there is no limit.
    pub deleted_bytes_max: Option<u64>,
    /// What the local state remembers, if it could be read.
    pub local: Option<Snapshot>,
    /// Random, new for every process: tells our own commits from a rival's.
    pub nonce: u64,
    /// Random, new for every process: the source of stream ids.
    pub stream_seed: u64,
}

/// One entry of `logs:`.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Which paths belong to it.
    pub paths: PathMatcher,
    /// The directories beside the log's own in which its rotated files may lie, as paths of files in them.
    pub archives: PathMatcher,
    /// How its lines become events.
    pub encoder: EncoderOptions,
    /// The number of the topic that its events go to, among those of the edge.
    pub topic: u16,
    /// Where reading begins in files that exist when this log is first configured.
    pub start: Start,
    /// Which links may lead to its files.
    pub links: Links,
    /// Longest line that is parsed, in bytes; a longer one becomes one truncated event.
    pub line_bytes_max: usize,
    /// The most bytes per second that are read of what has piled up; nothing where there is no limit.
    pub catch_up_bytes_per_s: Option<u64>,
    /// What becomes of a file whose delivered bytes were changed.
    pub on_rewrite: OnRewrite,
    /// What becomes of bytes that cannot be read.
    pub on_read_error: OnReadError,
    /// What tells this log from others over restarts: a hash of its paths.
    pub key: u64,
}

/// Which links may lead to a log's files: none, unless somebody answers for all who may write in its directories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Symbolic links are followed.
    pub follow_symlinks: bool,
    /// Files with several names are read.
    pub allow_hard_links: bool,
}

/// What becomes of a file that holds bytes, and others than those that were delivered of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRewrite {
    /// It is read from its start.
    #[default]
    Reread,
    /// It is read on from its last line boundary.
    Skip,
    /// It is left alone until it is emptied or replaced.
    Alert,
}

/// What becomes of bytes that the disk does not give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnReadError {
    /// They are waited for.
    #[default]
    Retry,
    /// They are passed over after a while, and counted as lost.
    Skip,
}

/// Where reading begins in a file that was there before its log was first configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At byte 0.
    Beginning,
    /// At the last line boundary.
    End,
    /// At byte 0 for files modified at or after this time (nanoseconds since the epoch), at the end for others.
    ModifiedSince(i64),
}

/// Globs with exclusions, matched on the bytes of a path.
#[derive(Clone, Debug)]
pub struct PathMatcher {
    paths: Globs,
    exclude: Globs,
    /// The paths as they were written, in the order of the set.
    written: Vec<String>,
}

impl PathMatcher {
    /// Compiles the globs; `*` and `?` do not cross a `/`, `**` does.
    ///
    /// # Errors
    /// The first glob that is not one.
    pub fn new(paths: &[String], exclude: &[String]) -> Result<Self, globset::Error> {
        Ok(Self { paths: Globs::new(paths)?, exclude: Globs::new(exclude)?, written: paths.to_vec() })
    }

    /// No path at all.
    #[must_use]
    pub fn none() -> Self {
        Self { paths: Globs::default(), exclude: Globs::default(), written: Vec::new() }
    }

    /// Whether the path belongs to the log.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        let path = path.as_os_str().as_encoded_bytes();
        self.paths.is_match(path) && !self.exclude.is_match(path)
    }

    /// The globs as they were written.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.written.iter().map(String::as_str)
    }

    /// The globs, as they were written, that none of these paths matches.
    #[must_use]
    pub fn unmatched<'a>(&self, paths: impl Iterator<Item = &'a Path>) -> Vec<&str> {
        let mut is_matched = vec![false; self.written.len()];
        let paths = paths.map(|path| path.as_os_str().as_encoded_bytes());
        for path in paths.filter(|path| !self.exclude.is_match(path)) {
            for glob in self.paths.matches(path) {
                is_matched[glob] = true;
            }
        }
        let globs = self.written.iter().zip(is_matched);
        globs.filter(|(_, is_matched)| !is_matched).map(|(glob, _)| glob.as_str()).collect()
    }
}

/// How events are delivered.
#[derive(Clone, Debug)]
pub struct DeliveryOptions {
    /// The first topic of events, whose partitions also carry the positions.
    pub anchor: String,
    /// What is promised.
    pub mode: Mode,
    /// Longest age of a batch.
    pub commit_interval_ms: u64,
    /// A batch is committed before its interval after so many events.
    pub batch_events_max: u64,
    /// Most bytes of one partition's batch before compression, until a broker refuses one.
    pub batch_bytes_max: usize,
    /// Most bytes of metadata that a broker takes with a position (`offset.metadata.max.bytes`).
    pub metadata_bytes_max: usize,
    /// What chooses a record's key and partition.
    pub partition_by: PartitionBy,
    /// Where events of lines that could not be parsed go.
    pub rejects: Rejects,
    /// Whether records carry the event's time instead of the time they are handed over.
    pub timestamp: Timestamp,
    /// How long a stop may take before the open batch is given up (it is read again at the next start).
    pub stop_deadline_ms: u64,
    /// How long a rotated file has to be quiet before it counts as finished, where no better proof is at hand.
    pub quiet_grace_ms: u64,
}

/// How many files may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// So many stay open although they have nothing to give, because they may soon have.
    pub idle: usize,
    /// Beyond so many none is opened until another is closed.
    pub all: usize,
}

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Records and positions in one transaction.
    ExactlyOnce,
    /// Positions are kept locally and move after the acknowledgement.
    AtLeastOnce,
    /// As above, but a record that cannot be delivered for a while is given up and counted.
    BestEffort,
}

/// What chooses a record's key, and by it the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionBy {
    /// The stream: order per file, and deduplication in memory that grows with files only.
    File,
    /// The event's site.
    Site,
    /// The event's visitor; an event without one has the stream's key.
    Visitor,
    /// The event's page; as above.
    Page,
    /// The event's client; as above.
    Client,
    /// No key; one partition per batch, in turn.
    Sticky,
}

/// Where events of lines that could not be parsed go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rejects {
    /// To the topic, with the others.
    #[default]
    Topic,
    /// To a topic of their own, in the same transaction.
    Apart,
}

/// What a record's timestamp is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamp {
    /// The time it is handed to Kafka.
    Now,
    /// The event's own time.
    Event,
}

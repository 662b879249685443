//! What enters the machine and what leaves it.
//!
//! The pipeline never touches a file, a socket or a clock. A shell (the agent, or the simulator) feeds it
//! [`Input`]s one at a time with the monotonic time, and carries out the [`Action`]s it returns, in their order.
//! Every action of a file or of Kafka is answered by exactly one input.

use std::path::Path;
use std::sync::Arc;

use super::batch::Block;
use super::checkpoint::Snapshot;
use super::identity::Tuple;
use super::notice::Notice;
use super::reload::Reload;
use super::shard::ShardWrite;

/// A path as the file system spells it: bytes, shared between all who remember it.
pub type SharedPath = Arc<Path>;

/// Monotonic milliseconds since an arbitrary start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    /// The instant `milliseconds` later.
    #[must_use]
    pub fn plus(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to this instant, 0 if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A descriptor that the shell holds for the machine; the machine chooses the number and never reuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

/// What a directory says of one regular file (or of something that only looks like one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSeen {
    /// Full path.
    pub path: SharedPath,
    /// What the path is.
    pub kind: FileKind,
    /// Size and identity.
    pub stat: Stat,
}

/// What a listed or opened path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A symbolic link that is not followed.
    SymbolicLink,
    /// A symbolic link that would be followed, but leads nowhere or in a circle.
    BrokenLink,
    /// A FIFO, socket, device or directory: never read.
    Other,
}

impl FileKind {
    /// Why a file of this kind is not read, if it is not.
    #[must_use]
    pub fn refusal(self) -> Option<FileError> {
        match self {
            Self::Regular => None,
            Self::SymbolicLink => Some(FileError::SymbolicLink),
            Self::BrokenLink => Some(FileError::BrokenLink),
            Self::Other => Some(FileError::NotRegular),
        }
    }
}

/// The part of `struct stat` that the machine decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Device, inode and birth.
    pub tuple: Tuple,
    /// Size in bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the epoch: compared for change, never for order.
    pub modified_ns: i64,
    /// Number of names; 0 means that the file is unlinked and lives by our descriptor alone.
    pub links: u64,
}

/// A directory that was looked at.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The directory.
    pub directory: SharedPath,
    /// All its files, or why they could not be listed. A missing directory is an empty one: its parent was read.
    pub files: Result<Vec<FileSeen>, FileError>,
    /// Whether it is there. Only told: nothing is decided by it.
    pub exists: bool,
}

/// Why a file or directory could not be had; none of these is ever taken for a deletion but `NotFound`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileError {
    /// ENOENT, with the parent directory readable.
    NotFound,
    /// EACCES or EPERM.
    Permission,
    /// EMFILE or ENFILE.
    TooManyFiles,
    /// A symbolic link, or a path through one where that is forbidden.
    SymbolicLink,
    /// A symbolic link that leads nowhere or in a circle.
    BrokenLink,
    /// A file with more than one name, where that is forbidden.
    HardLink,
    /// A FIFO, device, socket or directory.
    NotRegular,
    /// ESTALE: the server of a network file system no longer knows the descriptor. Its path may lead to the file yet.
    Stale,
    /// What is compressed is not unpacked as far as the position yet: ask again, nothing is wrong.
    Unpacking,
    /// EIO: the bytes themselves, or their disk. Try again later.
    Unreadable,
    /// Whatever else: try again later.
    Unknown,
}

/// What the machine wants to know of a file at its opening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Positions whose preceding bytes (see [`super::identity::MARKER_BYTES_MAX`]) are wanted.
    pub markers: Vec<u64>,
    /// Whether the last line boundary of the file is wanted (`start: end`).
    pub boundary: bool,
}

/// What compressors add to a name, before there is a byte that shows that a file is theirs.
pub const COMPRESSED_ENDINGS: [&str; 4] = ["gz", "zst", "xz", "bz2"];

/// In which form a file holds the bytes of its log. Every position is one in plain bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Plain,
    /// Compressed, and no more is known than its first plain bytes.
    Packed,
    /// Compressed, and all of it was looked at. It is as long as its complete members are.
    Unpacked {
        /// Plain bytes.
        size: u64,
        /// What follows them.
        rest: Rest,
    },
}

/// What follows the last complete member of a compressed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing.
    None,
    /// A member that has no end yet.
    Unfinished,
    /// Bytes that cannot be unpacked.
    Damaged,
}

impl Form {
    /// How many plain bytes a file of this status has.
    #[must_use]
    pub fn size(self, stat: &Stat) -> u64 {
        match self {
            Self::Plain => stat.size,
            Self::Packed => 0,
            Self::Unpacked { size, .. } => size,
        }
    }
}

/// What the shell found on opening a file, or on looking at it again. What is compressed is unpacked by a look, not by
/// opening it: that takes time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// From the descriptor, not from the path.
    pub stat: Stat,
    /// How its bytes are stored.
    pub form: Form,
    /// Whether the path was proven to be the file's only name when it was opened.
    pub is_sole_name: bool,
    /// The first plain bytes of the file, at most [`super::identity::HEAD_BYTES_MAX`].
    pub head: Vec<u8>,
    /// For each position asked for: the bytes that stand before it, shorter at the start of the file, and none where they
    /// cannot be read; `None` where the file is shorter than the position. Empty for [`Form::Packed`].
    pub markers: Vec<Option<Vec<u8>>>,
    /// The last line boundary, position 0 if there is none; only if asked for, and not for [`Form::Packed`].
    pub boundary: Option<Boundary>,
}

impl Opened {
    /// How many plain bytes the file has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.form.size(&self.stat)
    }
}

/// The last line boundary of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// Behind the last newline.
    pub position: u64,
    /// The bytes before it, at most [`super::identity::MARKER_BYTES_MAX`].
    pub before: Vec<u8>,
}

/// What a read brought.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The bytes from the position asked for; empty at the end of the file.
    pub data: &'a [u8],
    /// The bytes before the position, read AFTER `data`: if they changed, `data` is of another generation.
    pub before: &'a [u8],
    /// From the descriptor, taken after `data` was read.
    pub stat: Stat,
    /// How its bytes are stored; [`Form::Packed`] if that was not known before this read, which brought nothing then.
    pub form: Form,
    /// Behind `data` the file goes on and cannot be read ([`FileError::Unreadable`]).
    pub is_cut_short: bool,
}

impl Chunk<'_> {
    /// How many plain bytes the file has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.form.size(&self.stat)
    }
}

/// What a file is to its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Number of names; 0 means that our descriptor is all that keeps it.
    pub links: u64,
    /// Size in bytes.
    pub size: u64,
    /// Bytes of the disk that it takes; less than its size where it has holes.
    pub disk_bytes: u64,
}

/// Whether any process may still write to a file that lost its first name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writers {
    /// None has it open for writing: every byte that was written before can be read now.
    Gone,
    /// One has, or this time it could not be found out.
    Possible,
    /// It cannot be found out, now or later.
    Unknowable(NoProof),
}

/// What keeps the shell from finding out who writes to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoProof {
    /// The file belongs to another user, and the process has no CAP_LEASE.
    Owner,
    /// The file system has no leases, or other hosts write to it as well.
    FileSystem,
}

/// Everything that can wake the machine.
#[derive(Debug)]
pub enum Input<'a> {
    /// Time passed: the machine asked for it, or the shell had nothing else.
    Tick,
    /// Something happened at this path: a file was written to, or the entries of a directory changed.
    /// A hint that may be late, doubled, coalesced or missing.
    Hint(SharedPath),
    /// Hints were lost: look at everything.
    HintsLost,
    /// Answers [`Action::Sweep`] (all directories) and [`Action::List`] (one).
    Listed(Vec<Listing>),
    /// Answers [`Action::Open`] and [`Action::Look`]; on an error the shell holds no descriptor for it.
    Opened(FileId, Result<Opened, FileError>),
    /// Answers [`Action::Read`].
    Read(FileId, Result<Chunk<'a>, FileError>),
    /// Answers [`Action::ProveWriterGone`].
    Writers(FileId, Writers),
    /// Answers [`Action::Weigh`].
    Weighed(FileId, Result<Weight, FileError>),
    /// Answers [`Action::Kafka`].
    Kafka(Reply),
    /// Another configuration, to take effect between two transactions. A further one replaces one that still waits, so no
    /// action may be waiting to be carried out when it is given.
    Reload(Box<Reload>),
    /// Stop: commit what is read, then exit.
    Stop,
}

/// Everything the machine can want.
#[derive(Debug)]
pub enum Action {
    /// List every directory that the configured paths can match in.
    Sweep,
    /// List one directory.
    List(SharedPath),
    /// Open a file without blocking and without following symbolic links unless configured, and look at it.
    Open(FileId, SharedPath, Ask),
    /// Look again at a file that is open. Answered as [`Action::Open`]; on an error the descriptor is closed.
    Look(FileId, Ask),
    /// Read up to `length` bytes from `position`; the shell adds up to `before` bytes that stand before it.
    Read {
        /// The descriptor.
        file: FileId,
        /// Where the bytes start.
        position: u64,
        /// The most bytes to read.
        length: usize,
        /// How many bytes before the position are wanted for verification.
        before: usize,
    },
    /// Find out whether any process still has the file open for writing. Only wanted of files that no longer have the name
    /// under which they are opened for writing. Answered by [`Input::Writers`].
    ProveWriterGone(FileId),
    /// Find out what an open file takes of the disk. Answered by [`Input::Weighed`].
    Weigh(FileId),
    /// Close a descriptor. Not answered.
    Close(FileId),
    /// Write the local state. Not answered; a failure is the shell's to report, Kafka holds the truth.
    Persist(Snapshot),
    /// Hand a command to the thread that owns the producer; commands are carried out in order, one at a time.
    Kafka(Command),
    /// The configuration of the last [`Input::Reload`] counts from here on: the shell changes what it has of it, and makes a
    /// new edge to Kafka if brokers or properties are others. No command is under way. Not answered.
    Switch,
    /// Tell the operator. Not answered.
    Say(Notice),
    /// The work is over. Not answered; nothing follows.
    Exit(Exit),
}

/// What the Kafka edge can be told.
#[derive(Debug)]
pub enum Command {
    /// Drop the producer if there is one, look the topics up (without creating it), make a producer,
    /// `init_transactions` in exactly_once. Answered by [`Reply::Connected`].
    Connect {
        /// The most bytes that the broker is known to take at once: no batch may be larger.
        batch_bytes_max: usize,
    },
    /// Read the committed offsets and metadata of these of our groups, read_committed.
    Fetch {
        /// The topic whose partitions carry them. One that does not exist carries none.
        anchor: String,
        /// Which groups.
        groups: std::ops::Range<u32>,
    },
    /// Begin a transaction.
    Begin,
    /// Queue a block's records. The block comes back for reuse.
    Produce(Block),
    /// Wait until every record is acknowledged.
    Flush,
    /// Put positions into the transaction, group by group in the order given.
    SendOffsets(Vec<ShardWrite>),
    /// Commit the transaction.
    Commit,
    /// Abort the transaction.
    Abort,
    /// Drop the producer.
    Disconnect,
}

/// What the Kafka edge answers.
#[derive(Debug)]
pub enum Reply {
    /// The producer is there and older incarnations are fenced.
    Connected {
        /// Partitions of each topic of events, the anchor's first; at least 1 each.
        partitions: Vec<u32>,
        /// The cluster's id, where the broker tells it.
        cluster_id: Option<String>,
    },
    /// One element per group asked for, each with one element per partition of the anchor.
    Fetched(Vec<Vec<Committed>>),
    /// The transaction is open.
    Began,
    /// All records of the block are queued.
    Produced(Block),
    /// Every record is acknowledged or, in best_effort, given up: so many.
    Flushed {
        /// Records that were not delivered; 0 but in best_effort.
        failed: u64,
    },
    /// The positions are in the transaction.
    OffsetsSent,
    /// The transaction is committed. `tainted`: a request of it may still be under way (epoch hygiene).
    Committed {
        /// Whether a transport error, a time-out, a coordinator change or a retry was seen since it began.
        tainted: bool,
    },
    /// The transaction is aborted.
    Aborted,
    /// The producer is dropped.
    Disconnected,
    /// The command failed. A produced block is lost with it.
    Failed(Failure),
}

/// The committed offset of one partition of one group; `None` in both where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The transaction number that was committed as an offset.
    pub sequence: Option<u64>,
    /// The metadata beside it.
    pub metadata: String,
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What may be done about it.
    pub class: Class,
    /// What it was, where the machine acts on it.
    pub cause: Cause,
    /// For the operator: one line without a trailing period.
    pub message: String,
}

/// The three classes of librdkafka's INTRODUCTION, "Transactional Producer"; what is not classified is fatal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The same command may be given again.
    Retriable,
    /// The transaction must be aborted.
    Abortable,
    /// The producer is lost, and the outcome of a commit with it.
    Fatal,
}

/// Causes that the machine tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No broker answers.
    Unreachable,
    /// A topic does not exist.
    TopicMissing,
    /// Another producer took our transactional id, or the coordinator timed our transaction out.
    Fenced,
    /// A record or batch is larger than the broker takes.
    TooLarge,
    /// The broker will never allow it: configuration, not time, is the remedy.
    Refused,
    /// The brokers' access rules do not allow it: who gives rights has the remedy.
    Forbidden,
    /// Anything else.
    Other,
}

/// Why the machine ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was asked to, and everything read is committed or will be read again.
    Stopped,
    /// The configuration or the cluster has to be changed by a person.
    Refused(String),
}

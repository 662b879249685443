//! What the machine tells the operator: facts as data, one line each when shown. Paths and Kafka's words stand in there
//! as they are: whoever shows a notice escapes it.

use std::fmt;

use super::account::Loss;
use super::action::{FileError, NoProof, SharedPath};

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A change of state.
    Info,
    /// Unexpected, nothing lost.
    Warning,
    /// Bytes are lost, or a person is needed.
    Error,
}

/// One change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Where reading goes on.
    Resumed {
        /// Generations with a committed position.
        files: usize,
        /// Number of the last commit.
        sequence: u64,
    },
    /// Kafka failed; attempts go on.
    KafkaDown {
        /// What it said.
        message: String,
    },
    /// Kafka is back.
    KafkaUp {
        /// How long it was away.
        down_ms: u64,
    },
    /// A topic does not exist.
    TopicMissing {
        /// Which one, where, and what to do.
        message: String,
    },
    /// Kafka lost the positions that the local state remembers.
    RemoteLost,
    /// The brokers belong to another cluster than last time.
    OtherCluster,
    /// The broker refused a record or batch for its size.
    TooLarge {
        /// The limit from now on.
        batch_bytes_max: usize,
    },
    /// best_effort: records were not delivered.
    RecordsGivenUp {
        /// How many.
        records: u64,
    },
    /// At the first look at everything no file matched one of the configured paths.
    Unmatched {
        /// The path as it was written.
        glob: String,
        /// Whether the directory that it names exists; one that is a glob itself counts as existing.
        has_directory: bool,
    },
    /// A file began to be read.
    Following {
        /// Its path.
        path: SharedPath,
        /// From where.
        position: u64,
    },
    /// A file was renamed and is read on.
    Rotated {
        /// Its new path.
        path: SharedPath,
    },
    /// A file was truncated or written anew.
    Truncated {
        /// Its path.
        path: SharedPath,
        /// Bytes known to have been in it that were not read; they may be found in a copy.
        unread_bytes: u64,
    },
    /// A deleted file is let go although not all of it was read, because deleted files hold too much of the disk.
    GivenUp {
        /// Its last path.
        path: SharedPath,
        /// What deleted files hold together, in bytes.
        held_bytes: u64,
    },
    /// A file was written anew and is left alone, because its log says so.
    Rewritten {
        /// Its path.
        path: SharedPath,
    },
    /// Bytes are gone for good.
    Lost {
        /// The last path of the file that had them.
        path: SharedPath,
        /// How many are known of.
        bytes: u64,
        /// What became of them.
        why: Loss,
    },
    /// A log that was live when the agent stopped is gone, and no rotated file is it.
    Vanished {
        /// Its path.
        path: SharedPath,
        /// How far it was read.
        position: u64,
    },
    /// A file could not be opened or read; attempts go on where time may be the remedy.
    FileFailed {
        /// Its path.
        path: SharedPath,
        /// Why.
        error: FileError,
    },
    /// A file can be opened or read again, or a directory listed.
    Recovered {
        /// Its path.
        path: SharedPath,
        /// For how long it could not be.
        after_ms: u64,
    },
    /// A directory could not be listed; attempts go on.
    DirectoryFailed {
        /// Its path.
        path: SharedPath,
        /// Why.
        error: FileError,
    },
    /// Nothing proves that a rotated file has no writer any more: quiet time has to do. Told once.
    NoWriterProof {
        /// The first such file.
        path: SharedPath,
        /// Why.
        why: NoProof,
        /// How long a file has to be quiet instead.
        grace_ms: u64,
    },
    /// A matched path is an archive, and nothing connects it with what is followed: it is not read.
    Compressed {
        /// Its path.
        path: SharedPath,
    },
    /// A compressed file cannot be unpacked to its end.
    Damaged {
        /// Its path.
        path: SharedPath,
        /// How many plain bytes can be had.
        bytes: u64,
    },
    /// A file has the contents of another that is being read; it is not read a second time.
    CopyIgnored {
        /// The copy.
        path: SharedPath,
        /// The file it copies.
        original: SharedPath,
    },
    /// A line was longer than `max_line_size`.
    LineTruncated {
        /// The file.
        path: SharedPath,
        /// Where the line starts.
        position: u64,
        /// Its size.
        bytes: u64,
    },
    /// An event was larger than the broker takes; its line is skipped.
    EventTooLarge {
        /// The file.
        path: SharedPath,
        /// Where the line starts.
        position: u64,
    },
    /// The stop took too long; what was not committed is read again at the next start.
    StopDeadline,
}

impl Notice {
    /// Whether it is true until the next such notice: what the delivery does or waits for.
    #[must_use]
    pub fn says_how_things_stand(&self) -> bool {
        matches!(
            self,
            Self::Resumed { .. } | Self::KafkaDown { .. } | Self::KafkaUp { .. } | Self::TopicMissing { .. }
        )
    }

    /// How much it matters.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::Resumed { .. }
            | Self::KafkaUp { .. }
            | Self::Following { .. }
            | Self::Rotated { .. }
            | Self::Recovered { .. }
            | Self::NoWriterProof { .. } => Level::Info,
            Self::KafkaDown { .. }
            | Self::TopicMissing { .. }
            | Self::OtherCluster
            | Self::TooLarge { .. }
            | Self::Unmatched { .. }
            | Self::Truncated { .. }
            | Self::FileFailed { .. }
            | Self::DirectoryFailed { .. }
            | Self::Compressed { .. }
            | Self::CopyIgnored { .. }
            | Self::LineTruncated { .. }
            | Self::StopDeadline => Level::Warning,
            Self::RemoteLost
            | Self::RecordsGivenUp { .. }
            | Self::GivenUp { .. }
            | Self::Rewritten { .. }
            | Self::Lost { .. }
            | Self::Vanished { .. }
            | Self::Damaged { .. }
            | Self::EventTooLarge { .. } => Level::Error,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: &u64| std::time::Duration::from_millis(*ms).as_secs_f64();
        match self {
            Self::Resumed { files: 0, .. } => write!(f, "first run: no position is known yet"),
            Self::Resumed { files, sequence } => {
                write!(f, "going on with {files} files from commit {sequence}")
            }
            Self::KafkaDown { message } => {
                write!(f, "Kafka: {message}; trying again (the log files are the buffer, nothing is lost)")
            }
            Self::KafkaUp { down_ms } => write!(f, "Kafka is back after {:.1} s", seconds(down_ms)),
            Self::TopicMissing { message } => write!(f, "Kafka: {message}; waiting for it"),
            Self::RemoteLost => write!(
                f,
                "Kafka no longer has the positions that this agent committed (topic or consumer group deleted or expired?); \
                 going on from the state directory, the last transaction may repeat"
            ),
            Self::OtherCluster => write!(f, "the brokers belong to another Kafka cluster than before"),
            Self::TooLarge { batch_bytes_max } => write!(
                f,
                "the topic takes less at once than was sent; from now on at most {batch_bytes_max} bytes \
                 (raise the topic's max.message.bytes, or lower kafka.flush.bytes)"
            ),
            Self::RecordsGivenUp { records } => {
                write!(f, "{records} events were given up (delivery: best_effort)")
            }
            Self::Unmatched { glob, has_directory: true } => {
                write!(f, "no file matches {} yet; waiting for it", glob)
            }
            Self::Unmatched { glob, has_directory: false } => {
                write!(f, "no file matches {} yet (the directory does not exist); waiting for it", glob)
            }
            Self::Following { path, position: 0 } => write!(f, "reading {}", path.display()),
            Self::Following { path, position } => {
                write!(f, "reading {} from byte {position}", path.display())
            }
            Self::Rotated { path } => write!(f, "rotated, reading on as {}", path.display()),
            Self::Truncated { path, unread_bytes: 0 } => {
                write!(f, "{} was truncated; all of it had been read", path.display())
            }
            Self::Truncated { path, unread_bytes } => {
                write!(
                    f,
                    "{} was truncated with {unread_bytes} bytes unread; looking for a copy of them",
                    path.display()
                )
            }
            Self::GivenUp { path, held_bytes } => write!(
                f,
                "deleted files that wait to be delivered hold {held_bytes} bytes of the disk, more than agent.max_deleted_size: \
                 giving up {}",
                path.display()
            ),
            Self::Rewritten { path } => write!(
                f,
                "{} was written anew and is left alone (on_rewrite: alert); empty or replace it, or let its log say \
                 on_rewrite: reread and start the agent again",
                path.display()
            ),
            Self::Lost { path, bytes, why } => {
                write!(f, "{bytes} bytes of {} are gone unread: {why}", path.display())
            }
            Self::Vanished { path, position } => write!(
                f,
                "the file that was {} when the agent stopped is gone, and no rotated one is it: what was written to it behind byte {position} is lost",
                path.display()
            ),
            Self::FileFailed { path, error } => {
                let outlook = error.remedy().unwrap_or("trying again");
                write!(f, "cannot read {}: {error}; {outlook}", path.display())
            }
            Self::Recovered { path, after_ms } => {
                write!(f, "{} can be read again after {:.1} s", path.display(), seconds(after_ms))
            }
            Self::DirectoryFailed { path, error } => {
                write!(f, "cannot list {}: {error}; trying again", path.display())
            }
            Self::NoWriterProof { path, why, grace_ms } => write!(
                f,
                "{}: {why}; a rotated file counts as finished after {:.0} s without a new byte ({})",
                path.display(),
                seconds(grace_ms),
                why.remedy()
            ),
            Self::Compressed { path } => {
                write!(
                    f,
                    "{} is an archive of lines that were not followed, and is not read; exclude it to silence this",
                    path.display()
                )
            }
            Self::Damaged { path, bytes } => write!(
                f,
                "{} is damaged: behind byte {bytes} of its content nothing can be unpacked",
                path.display()
            ),
            Self::CopyIgnored { path, original } => {
                write!(
                    f,
                    "{} is a copy of {}, which is being read; the copy is left alone",
                    path.display(),
                    original.display()
                )
            }
            Self::LineTruncated { path, position, bytes } => {
                write!(
                    f,
                    "{}: the line at byte {position} has {bytes} bytes; only its beginning is kept",
                    path.display()
                )
            }
            Self::EventTooLarge { path, position } => {
                write!(
                    f,
                    "{}: the line at byte {position} makes an event larger than the topic takes; skipped",
                    path.display()
                )
            }
            Self::StopDeadline => {
                write!(f, "the stop took too long; what was not committed is read again at the next start")
            }
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "it does not exist",
            Self::Permission => "permission denied (may viewtail's user read it, and enter its directory?)",
            Self::TooManyFiles => "too many open files (raise LimitNOFILE)",
            Self::SymbolicLink => "it is a symbolic link, which viewtail does not follow",
            Self::BrokenLink => "it is a symbolic link that leads nowhere or in a circle",
            Self::HardLink => "it has several names (hard links), and may be another's file",
            Self::NotRegular => "it is a FIFO, socket or device, which viewtail does not read",
            Self::Stale => "its file server no longer knows the open file",
            Self::Unpacking => "it is being unpacked",
            Self::Unreadable => "input/output error (is the disk damaged or away?)",
            Self::Unknown => "the system gives no reason that is known",
        })
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "it was truncated or written anew, and no copy of them was found",
            Self::Deleted => "it was deleted, and was not found anywhere else",
            Self::GivenUp => "it was deleted, and deleted files held too much of the disk",
            Self::Cut => "its end was cut off",
            Self::Skipped => "it was written anew, and its log says on_rewrite: skip",
            Self::Unreadable => {
                "the disk did not give them for minutes, and its log says on_read_error: skip"
            }
        })
    }
}

impl fmt::Display for NoProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owner => {
                "it belongs to another user, so the kernel does not say whether anybody still writes to it"
            }
            Self::FileSystem => "its file system does not say whether anybody still writes to it",
        })
    }
}

impl NoProof {
    /// How to get the better proof.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Owner => {
                "the drop-in /usr/share/doc/viewtail/examples/systemd/lease.conf gives the right to ask (CAP_LEASE)"
            }
            Self::FileSystem => "a local disk gives the better proof",
        }
    }
}

impl FileError {
    /// What a person has to change in the configuration, where neither time nor a permission is the remedy.
    #[must_use]
    pub fn remedy(self) -> Option<&'static str> {
        match self {
            Self::SymbolicLink => {
                Some("name the real file in `paths`, exclude the link, or set `follow_symlinks` in its log")
            }
            Self::HardLink => {
                Some("set `allow_hard_links` in its log if nobody else may write in its directory")
            }
            Self::NotRegular => Some("name a regular file in `paths`, or exclude this one"),
            Self::NotFound
            | Self::Permission
            | Self::TooManyFiles
            | Self::BrokenLink
            | Self::Stale
            | Self::Unpacking
            | Self::Unreadable
            | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_read_is_told_with_the_remedy_and_not_tried_again() {
        let told = |error| {
            let path = SharedPath::from(std::path::Path::new("/log/a"));
            Notice::FileFailed { path, error }.to_string()
        };
        assert_eq!(
            told(FileError::SymbolicLink),
            "cannot read /log/a: it is a symbolic link, which viewtail does not follow; \
             name the real file in `paths`, exclude the link, or set `follow_symlinks` in its log"
        );
        assert!(!told(FileError::NotRegular).contains("trying again"));
        assert_eq!(
            told(FileError::Unreadable),
            "cannot read /log/a: input/output error (is the disk damaged or away?); trying again"
        );
    }
}

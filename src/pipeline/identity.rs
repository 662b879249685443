//! Which bytes belong to which generation: decided by evidence, never by one key.

/// The most bytes of a file's head that identify it.
pub const HEAD_BYTES_MAX: usize = 4096;

/// The most bytes before a position that prove it.
pub const MARKER_BYTES_MAX: usize = 256;

/// What the file system says an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple {
    /// Device number; may change over a reboot.
    pub device: u64,
    /// Inode number; may be used again at once after a deletion.
    pub inode: u64,
    /// Birth time in nanoseconds since the epoch, where the file system has one.
    pub birth_ns: Option<i128>,
}

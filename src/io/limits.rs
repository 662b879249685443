//! What the kernel lets this process have.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For sockets, pipes, directories and what libraries open.
const RESERVED: u64 = 128;

/// Files beyond this many at once would be of no use: their blocks could not be on their way to Kafka all together.
const FILES_MAX: u64 = 16 * 1024;

/// Even a process that may have hardly any descriptor has to follow a few files.
const FILES_MIN: u64 = 16;

/// Raises the soft limit of descriptors, which is low for programs that use select(2), as far as the hard one goes, and
/// tells how many of them logs may have.
#[must_use]
pub fn raise_open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = RESERVED + FILES_MAX;
    let soft = limit.current.unwrap_or(wanted);
    let reachable = limit.maximum.unwrap_or(wanted).min(wanted);
    // Refused, the soft limit stays, and is counted with.
    let raised = soft < reachable
        && setrlimit(Resource::Nofile, Rlimit { current: Some(reachable), maximum: limit.maximum }).is_ok();
    let allowed = if raised { reachable } else { soft };
    room_in(allowed)
}

/// How many files logs may have open with this hard limit of descriptors, or with that of this process.
#[must_use]
pub fn files_of(hard: Option<u64>) -> usize {
    let wanted = RESERVED + FILES_MAX;
    let limit = hard.unwrap_or_else(|| getrlimit(Resource::Nofile).maximum.unwrap_or(wanted));
    room_in(limit.min(wanted))
}

fn room_in(descriptors: u64) -> usize {
    usize::try_from(descriptors.saturating_sub(RESERVED).clamp(FILES_MIN, FILES_MAX)).unwrap_or(usize::MAX)
}

/// Descriptors that are kept for the moment when there is no other: with them a directory can still be listed, so that a shortage
/// hides neither a rotation nor a deletion. One is for its handle, one for reading it.
#[derive(Debug)]
pub struct Spare([Option<OwnedFd>; 2]);

impl Spare {
    /// Takes them.
    #[must_use]
    pub fn keep() -> Self {
        Self(take())
    }

    /// Lends them to what needs them, and takes them back.
    pub fn lend<T>(&mut self, to: impl FnOnce() -> T) -> T {
        self.0 = [None, None];
        let result = to();
        self.0 = take();
        result
    }
}

/// The root can be opened by everybody, and is never what a test or a person takes away.
fn take() -> [Option<OwnedFd>; 2] {
    [(); 2].map(|()| rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok())
}

/// Lets no core of this process be written, now or later: it would hold passwords and visitors' addresses.
///
/// # Errors
/// The kernel refuses to lower a limit.
pub fn forbid_cores() -> std::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_leave_room_for_the_rest() {
        let files = raise_open_files() as u64;
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(files == FILES_MIN || files + RESERVED <= limit, "{files} files of {limit} descriptors");
    }
}

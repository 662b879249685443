//! Whether any process may still write to a file: the kernel's answer, where it gives one.
//!
//! A read lease is refused while a file is open for writing anywhere on this host, also after it was renamed or unlinked,
//! and granted after the last close. It needs the file's ownership or CAP_LEASE, and a file system of this host alone.

use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::io::Errno;

use super::sys;
use crate::pipeline::action::{NoProof, Writers};

/// File systems on which every writer passes this kernel, by the magic number of statfs(2): ext2 to ext4, xfs, btrfs, f2fs,
/// tmpfs, bcachefs and ZFS. On any other a lease says nothing of writers elsewhere, or of those below an overlay.
const LOCAL_FILE_SYSTEMS: [u32; 7] =
    [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x0102_1994, 0xCA45_1A4E, 0x2FC1_2FC1];

/// The bit of CAP_LEASE in a process's capability sets.
const CAP_LEASE: u32 = 28;

/// Asks the kernel who may write to an open file. Not to be asked of a file that somebody is about to open for writing:
/// he would be held up for a moment.
#[must_use]
pub fn writers_of(file: BorrowedFd<'_>) -> Writers {
    match rustix::fs::fstatfs(file) {
        Ok(status) if is_local(&status) => {}
        Ok(_) => return Writers::Unknowable(NoProof::FileSystem),
        Err(_) => return Writers::Possible,
    }
    match sys::take_and_return_read_lease(file).map_err(|error| Errno::from_io_error(&error)) {
        Ok(()) => Writers::Gone,
        Err(Some(Errno::ACCESS | Errno::PERM)) => Writers::Unknowable(NoProof::Owner),
        Err(Some(Errno::INVAL | Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS)) => {
            Writers::Unknowable(NoProof::FileSystem)
        }
        Err(_) => Writers::Possible,
    }
}

fn is_local(status: &rustix::fs::StatFs) -> bool {
    u32::try_from(status.f_type).is_ok_and(|kind| LOCAL_FILE_SYSTEMS.contains(&kind))
}

/// What a process may do, as far as leases go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// The user that it opens files as.
    pub user: u32,
    /// Whether it has CAP_LEASE.
    pub has_capability: bool,
}

impl Rights {
    /// The rights of a process, those of the calling thread if none is named; `None` if /proc does not tell.
    #[must_use]
    pub fn of(pid: Option<i32>) -> Option<Self> {
        let process = pid.map_or_else(|| "thread-self".to_owned(), |pid| pid.to_string());
        Self::in_status(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?)
    }

    fn in_status(status: &str) -> Option<Self> {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        // Real, effective, saved, file system.
        let user = field("Uid:")?.split_whitespace().nth(3)?.parse().ok()?;
        let capabilities = u64::from_str_radix(field("CapEff:")?.trim(), 16).ok()?;
        Some(Self { user, has_capability: capabilities & (1 << CAP_LEASE) != 0 })
    }

    /// What would keep a process with these rights from asking about a file, found out without asking.
    ///
    /// # Errors
    /// The file's status cannot be had.
    pub fn obstacle(self, path: &Path) -> Result<Option<NoProof>, Errno> {
        let owner = rustix::fs::stat(path)?.st_uid;
        let status = rustix::fs::statfs(path)?;
        Ok(if !is_local(&status) {
            Some(NoProof::FileSystem)
        } else if owner != self.user && !self.has_capability {
            Some(NoProof::Owner)
        } else {
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File, OpenOptions};
    use std::os::fd::AsFd as _;

    /// Beside the sources, as a temporary directory need not be on a file system with leases.
    fn scratch() -> tempfile::TempDir {
        let scratch = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/target")).unwrap();
        let status = rustix::fs::statfs(scratch.path()).unwrap();
        assert!(is_local(&status), "these tests need a file system with leases");
        scratch
    }

    #[test]
    fn row_02_a_renamed_file_has_a_writer_until_the_last_one_closes_it() {
        let scratch = scratch();
        let (active, rotated) = (scratch.path().join("access.log"), scratch.path().join("access.log.1"));
        let writer = OpenOptions::new().create(true).append(true).open(&active).unwrap();
        let worker = writer.try_clone().unwrap();
        let reader = File::open(&active).unwrap();
        fs::rename(&active, &rotated).unwrap();
        assert_eq!(writers_of(reader.as_fd()), Writers::Possible);
        drop(writer);
        assert_eq!(writers_of(reader.as_fd()), Writers::Possible, "a worker inherited it");
        drop(worker);
        assert_eq!(writers_of(reader.as_fd()), Writers::Gone);
    }

    #[test]
    fn row_19_an_unlinked_file_has_a_writer_until_it_is_closed() {
        let scratch = scratch();
        let path = scratch.path().join("access.log");
        let writer = File::create(&path).unwrap();
        let reader = File::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(writers_of(reader.as_fd()), Writers::Possible);
        drop(writer);
        assert_eq!(writers_of(reader.as_fd()), Writers::Gone);
    }

    #[test]
    fn a_writer_that_comes_in_between_ends_nobody_and_waits_for_nothing() {
        let scratch = scratch();
        let path = scratch.path().join("access.log.1");
        fs::write(&path, "line\n").unwrap();
        let reader = File::open(&path).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    drop(OpenOptions::new().append(true).open(&path).unwrap());
                }
            });
            let mut granted = 0;
            // A lease that is broken while it is held ends a process that does not ask for another signal.
            while granted < 20_000 {
                granted += u32::from(writers_of(reader.as_fd()) == Writers::Gone);
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn a_file_system_of_other_hosts_too_proves_nothing() {
        let own = File::open("/proc/self/status").unwrap();
        assert_eq!(writers_of(own.as_fd()), Writers::Unknowable(NoProof::FileSystem));
    }

    #[test]
    fn the_obstacle_is_known_without_asking() {
        let scratch = scratch();
        let path = scratch.path().join("access.log");
        fs::write(&path, "").unwrap();
        let owner = Rights { user: rustix::process::geteuid().as_raw(), has_capability: false };
        assert_eq!(owner.obstacle(&path), Ok(None));
        let other = Rights { user: owner.user + 1, has_capability: false };
        assert_eq!(other.obstacle(&path), Ok(Some(NoProof::Owner)));
        assert_eq!(Rights { has_capability: true, ..other }.obstacle(&path), Ok(None));
        assert_eq!(owner.obstacle(Path::new("/proc/self/status")), Ok(Some(NoProof::FileSystem)));
    }

    #[test]
    fn rights_are_read_as_the_kernel_writes_them() {
        let status = "Name:\tviewtail\nUid:\t1\t2\t3\t998\nCapEff:\t0000000010000000\n";
        assert_eq!(Rights::in_status(status), Some(Rights { user: 998, has_capability: true }));
        let without = status.replace("10000000", "00000000");
        assert_eq!(Rights::in_status(&without), Some(Rights { user: 998, has_capability: false }));
        assert!(Rights::of(None).is_some());
    }
}

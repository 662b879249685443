//! The system calls that no safe library offers: the lease on a file, the kernel's opinion on its clock, and letting go of
//! mapped code.
//!
//! Nothing is decided here; what a refusal means is the business of `lease`, `clock` and the agent. With librdkafka's module this is the
//! only place with unsafe code.

#![allow(unsafe_code, reason = "no safe library has these calls; this is their only home")]

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// Which signal tells that a lease is broken, by the number that Linux's asm-generic/fcntl.h gives the command; amd64 and
/// arm64 use it, and the libc crate does not name it.
const F_SETSIG: libc::c_int = 10;

/// Takes a read lease on an open file and gives it back at once; the kernel grants it only while no process has the file
/// open for writing.
///
/// # Errors
/// The kernel's refusal.
pub fn take_and_return_read_lease(file: BorrowedFd<'_>) -> io::Result<()> {
    // Somebody who opens the file for writing in between breaks the lease, and the kernel tells by SIGIO, which would end
    // the process. SIGURG is ignored unless a process asks for it.
    fcntl(file, F_SETSIG, libc::SIGURG)?;
    fcntl(file, libc::F_SETLEASE, libc::F_RDLCK)?;
    fcntl(file, libc::F_SETLEASE, libc::F_UNLCK)
}

fn fcntl(file: BorrowedFd<'_>, command: libc::c_int, argument: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as it is borrowed, and these commands take an int and no pointer.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), command, argument) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether the kernel says that something keeps its clock right, and by how many microseconds it is wrong at most.
///
/// # Errors
/// The call is not allowed, as in a sandbox.
pub fn clock_error() -> io::Result<Option<u64>> {
    // SAFETY: the structure is made of integers, for all of which zero is a value; no mode means that nothing is changed.
    let (state, status) = unsafe {
        let mut status: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut status), status)
    };
    match state {
        -1 => Err(io::Error::last_os_error()),
        libc::TIME_ERROR => Ok(None),
        _ => Ok(u64::try_from(status.maxerror).ok()),
    }
}

/// Takes all code out of this process's memory; what runs on is read from its files again, as a rule from the page cache.
///
/// # Errors
/// The kernel's refusal.
pub fn let_go_of_code() -> io::Result<()> {
    let mappings = std::fs::read_to_string("/proc/self/maps")?;
    for code in mappings.lines().filter_map(code_of) {
        let start = std::ptr::with_exposed_provenance_mut(code.start);
        // SAFETY: the mapping is a file's, private, and cannot be written to, nor could it ever: the linker is told to make
        // code that needs no relocation. So every page of it is the file's, and nothing is lost.
        let result = unsafe { libc::madvise(start, code.len(), libc::MADV_DONTNEED) };
        if result == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The addresses of a line of /proc/self/maps, if they are the code of a file: proc_pid_maps(5).
fn code_of(line: &str) -> Option<Range<usize>> {
    let mut cells = line.split_ascii_whitespace();
    let (addresses, rights, inode) = (cells.next()?, cells.next()?, cells.nth(2)?);
    let (start, end) = addresses.split_once('-')?;
    // The kernel's own code, the vDSO, is mapped from no file.
    let is_code = rights == "r-xp" && inode != "0";
    let address = |digits| usize::from_str_radix(digits, 16).ok();
    is_code.then(|| Some(address(start)?..address(end)?))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_known_by_its_rights_and_its_file() {
        let of = |rights: &str, inode: &str| {
            code_of(&format!("55d0a000-55d0c000 {rights} 00428000 fe:00 {inode}      /usr/bin/view tail"))
        };
        assert_eq!(of("r-xp", "10117150"), Some(0x55d0_a000..0x55d0_c000));
        for data in ["r--p", "rw-p", "---p", "r-xs", "rwxp"] {
            assert_eq!(of(data, "10117150"), None, "{data}");
        }
        assert_eq!(of("r-xp", "0"), None, "the vDSO");
        assert_eq!(code_of("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]"), None);
        assert_eq!(code_of(""), None);
    }

    #[test]
    fn what_ran_runs_on_without_its_code_in_memory() {
        let sorted = || {
            let mut numbers: Vec<u32> = (0..1000_u32).map(|number| number.reverse_bits()).collect();
            numbers.sort_unstable();
            numbers
        };
        let before = sorted();
        let_go_of_code().unwrap();
        assert_eq!(sorted(), before);
    }
}

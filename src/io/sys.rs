//! The two system calls that no safe library offers: the lease on a file, and the kernel's opinion on its clock.
//!
//! Nothing is decided here; what a refusal means is `lease`'s and `clock`'s business. With librdkafka's module this is the
//! only place with unsafe code.

#![allow(unsafe_code, reason = "rustix has no fcntl for leases and no adjtimex; this is their only home")]

use std::io;
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

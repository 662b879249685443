//! Why a file cannot be read, and the one line that lets the service's user read it.
//!
//! Looks with the eyes of the calling thread, which is that user by now.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::io::account;

/// What keeps a user from a path: the first part of it that is closed, and how to open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The fact.
    pub fact: String,
    /// A command.
    pub remedy: String,
}

/// Why the directory of logs cannot be listed; `None` if it can, or is missing.
pub fn closed_directory(directory: &Path, user: &str) -> Option<Closed> {
    if let Some(closed) = closed_above(directory, user) {
        return Some(closed);
    }
    let is_closed = is_refused(std::fs::read_dir(directory)) || !may_pass(directory);
    is_closed.then(|| {
        let remedy = group_line(directory, 0o050, user).unwrap_or_else(|| acl(directory, "*", user));
        Closed { fact: format!("{user} may not list {}", directory.display()), remedy }
    })
}

/// Why a file cannot be read, which the kernel has refused.
pub fn closed_file(path: &Path, user: &str) -> Closed {
    let directory = path.parent().unwrap_or(Path::new("/"));
    if let Some(closed) = closed_directory(directory, user) {
        return closed;
    }
    let remedy = group_line(path, 0o040, user).unwrap_or_else(|| {
        // Rotated files keep the name and get something behind it.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        acl(directory, &format!("{name}*"), user)
    });
    Closed { fact: format!("{user} may not read it{}", owner_of(path)), remedy }
}

/// The line that lets a user read what is in a directory, now and after each rotation.
pub fn acl(directory: &Path, names: &str, user: &str) -> String {
    let directory = directory.display();
    format!("setfacl -m u:{user}:rx,d:u:{user}:r {directory} && setfacl -m u:{user}:r {directory}/{names}")
}

/// The first directory above that cannot be passed through.
fn closed_above(directory: &Path, user: &str) -> Option<Closed> {
    let mut above: Vec<&Path> = directory.ancestors().skip(1).collect();
    above.reverse();
    let closed = above.into_iter().find(|path| !may_pass(path))?;
    let remedy = group_line(closed, 0o010, user)
        .unwrap_or_else(|| format!("setfacl -m u:{user}:x {}", closed.display()));
    Some(Closed { fact: format!("{user} may not pass through {}", closed.display()), remedy })
}

/// Membership in the path's group, where the group may do what is wanted and is not that of root.
fn group_line(path: &Path, wanted: u32, user: &str) -> Option<String> {
    const ROOT: u32 = 0;
    let metadata = std::fs::metadata(path).ok()?;
    let is_enough = metadata.mode() & wanted == wanted && metadata.gid() != ROOT;
    let group = account::group_name(metadata.gid()).filter(|_| is_enough)?;
    Some(format!("usermod -aG {group} {user}, and restart the service"))
}

fn owner_of(path: &Path) -> String {
    let Ok(metadata) = std::fs::metadata(path) else { return String::new() };
    let group = account::group_name(metadata.gid()).unwrap_or_else(|| metadata.gid().to_string());
    let (owner, mode) = (account::user_name(metadata.uid()), metadata.mode() & 0o7777);
    format!(": it belongs to {owner}:{group} with mode {mode:04o}")
}

/// Found out by doing it, so that every kind of right counts.
fn may_pass(directory: &Path) -> bool {
    !is_refused(std::fs::metadata(directory.join(".")))
}

fn is_refused<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

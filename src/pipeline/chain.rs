//! The chain of a log's generations: which path a rotated file was born at, and whether it came after one that is known.
//!
//! Several rotations may pass while the agent is down, and compressors make new inodes of old files. A name says which log
//! a file belongs to; that it was never read is told by the times that the file system itself keeps.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::action::{FileSeen, Form, SharedPath};
use super::generation::{Generation, Whereabouts, path_hash};
use super::tail::Tail;
use crate::event::StreamId;
use crate::planted::{self, Bug};

/// A file restored from an archive keeps its old modification time; a log is written to after its birth. File systems
/// disagree on such times by less than this.
const BIRTH_SLACK_NS: i64 = 2_000_000_000;

impl Tail {
    /// The path under which a rotated file that nobody knows began its life, if it is the successor of a generation that is
    /// followed: its name continues that path, and it came after a generation known of it. Without a form both are tried.
    pub fn chain_home(&self, file: &FileSeen, form: Option<Form>) -> Option<SharedPath> {
        let follows = |known: &Generation| match form {
            Some(Form::Plain) => follows_as_file(known, file),
            Some(Form::Packed | Form::Unpacked { .. }) => follows_as_archive(known, file),
            None => follows_as_file(known, file) || follows_as_archive(known, file),
        };
        self.homes_by_name(&file.path).into_iter().find(|home| {
            let mut known = self.index.of_home(path_hash(home));
            known.any(|stream| follows(&self.generations[&stream]))
        })
    }

    /// Whether a generation is rotated and no writer opens it by the name that it has: an inode that was given back may have come
    /// back to it as another log.
    pub fn has_lost_its_name(&self, stream: StreamId) -> bool {
        let generation = &*self.generations[&stream];
        if !generation.is_rotated() {
            return false;
        }
        let Generation { whereabouts: Whereabouts::Here, path: Some(path), home: Some(home), .. } =
            generation
        else {
            return true;
        };
        let is_live = || self.log_of(path).is_some() && self.home_by_name(path).is_none();
        is_named_after(path, home) && !self.homes_by_name(home).contains(path) || !is_live()
    }

    /// The path of a log that a rotated file's name continues.
    pub fn home_by_name(&self, path: &Path) -> Option<SharedPath> {
        self.homes_by_name(path).into_iter().next()
    }

    /// The paths of logs that a rotated file's name continues, the longest name first: beside the file, and where the file
    /// is in a directory for rotated ones also in the directory above and in those of its log that are named without a
    /// wildcard.
    pub fn homes_by_name(&self, path: &Path) -> Vec<SharedPath> {
        let mut homes = Vec::new();
        for beside in continued_by(path) {
            let name = beside.file_name().unwrap_or_default();
            homes.extend(self.log_of(&beside).map(|_| SharedPath::from(beside.clone())));
            for log in self.options.logs.iter().filter(|log| log.archives.matches(path)) {
                let own = log.paths.written().filter_map(|glob| Path::new(glob).parent());
                let own = own.filter(|own| !own.as_os_str().as_encoded_bytes().iter().any(is_wildcard));
                let above = path.parent().and_then(Path::parent);
                let all = above.into_iter().chain(own).map(|place| place.join(name));
                homes.extend(all.filter(|home| log.paths.matches(home)).map(SharedPath::from));
            }
        }
        homes
    }
}

/// The paths beside a file that its name continues, as rotation does it, the longest first: `access.log.1` and `access.log` of
/// `access.log.1.gz`.
pub fn continued_by(path: &Path) -> impl Iterator<Item = PathBuf> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let ends = name.char_indices().rev().filter(|(at, c)| *at > 0 && matches!(c, '.' | '-'));
    ends.map(|(at, _)| path.with_file_name(&name[..at]))
}

/// Whether a file is named as rotation names one of the log at `home`, in any directory: `access.log.1`, `access.log-20261128.gz`,
/// `access-20261128.log`. A letter behind the stem makes another word of it.
pub(super) fn is_named_after(path: &Path, home: &Path) -> bool {
    let bytes = |name: Option<&OsStr>| name.map_or_else(Vec::new, |name| name.as_encoded_bytes().to_vec());
    let (name, whole, stem) = (bytes(path.file_name()), bytes(home.file_name()), bytes(home.file_stem()));
    let behind_stem = name.strip_prefix(stem.as_slice()).filter(|_| !stem.is_empty());
    let continues = |rest: &[u8]| rest.first().is_none_or(|next| !next.is_ascii_alphabetic());
    name.starts_with(&whole) && !whole.is_empty() || behind_stem.is_some_and(continues)
}

/// Whether a character of a glob stands for others.
fn is_wildcard(character: &u8) -> bool {
    b"*?[{\\".contains(character)
}

/// A file has its birth; one that was written to before that was restored from somewhere.
fn follows_as_file(known: &Generation, file: &FileSeen) -> bool {
    let Some(born) = file.stat.tuple.birth_ns.filter(|born| file.stat.modified_ns >= born - BIRTH_SLACK_NS)
    else {
        return false;
    };
    if known.is_packed() {
        return follows_as_archive(known, file);
    }
    known.tuple.birth_ns.is_some_and(|known| born >= known)
}

/// An archive has the birth of the archive, and compressors and logrotate give it the time at which its content was written to
/// last. What is older than a known generation was finished before that one was, or is a part of it.
fn follows_as_archive(known: &Generation, file: &FileSeen) -> bool {
    let written =
        if known.stat.modified_ns > 0 { Some(known.stat.modified_ns) } else { known.tuple.birth_ns };
    written.is_some_and(|written| file.stat.modified_ns >= written) || planted::is(Bug::EveryArchiveIsNew)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_file_is_named_after_its_log() {
        let named_after = |path: &str, home: &str| is_named_after(Path::new(path), Path::new(home));
        for rotated in [
            "/var/log/nginx/access.log.1",
            "/var/log/nginx/access.log.2.gz",
            "/var/log/nginx/access.log-20261128",
            "/var/log/nginx/access-20261128.log",
            "/var/log/nginx/access1.log",
            "/var/log/nginx/access.logOLD",
            "/srv/old/access.log.1",
            "/srv/old/access",
        ] {
            assert!(named_after(rotated, "/var/log/nginx/access.log"), "{rotated}");
        }
        for foreign in [
            "/var/log/nginx/truth-w1",
            "/var/log/nginx/backup-access.log",
            "/var/log/nginx/accessible.log",
            "/var/log/nginx/error.log.1",
            "/",
        ] {
            assert!(!named_after(foreign, "/var/log/nginx/access.log"), "{foreign}");
        }
        assert!(named_after("/var/log/a.1.log", "/var/log/a.log"));
        assert!(
            !named_after("/var/log/another", "/var/log/a.log"),
            "a stem of one letter is no claim to a word"
        );
    }
}

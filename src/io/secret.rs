//! The secret that visitors' ids are made with: read where a file is named, else kept in the state directory.
//!
//! A secret is text of one line, so that it can be copied, and given by configuration management. It is made once, in one
//! step, and never replaced: with another one every visitor of the day would be a new one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::state::StateDir;

/// The name of the secret in the state directory.
const FILE: &str = "visitor.secret";

/// What a secret is made of: as much as a key of BLAKE3 holds.
const RANDOM_BYTES: usize = 32;

/// Below, somebody who knows an address and a user agent could try secrets until an id fits.
const TEXT_BYTES_MIN: usize = 32;

/// Far above any secret, far below what could hurt.
const TEXT_BYTES_MAX: usize = 4096;

/// A secret that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Its file cannot be read or written.
    #[error("{}: cannot {verb} the visitors' secret: {source}; the user that runs viewtail must be allowed to", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `keep`.
        verb: &'static str,
        /// Why.
        source: io::Error,
    },
    /// What is in the file is none.
    #[error("{}: not a secret: it must be one line of {TEXT_BYTES_MIN} to {TEXT_BYTES_MAX} bytes, for example from `openssl rand -hex 32`", .path.display())]
    NotSecret {
        /// The file.
        path: PathBuf,
    },
}

/// The file in which a state directory keeps its secret.
#[must_use]
pub fn kept_in(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// Reads the secret of a file.
///
/// # Errors
/// The file cannot be read, or holds none.
pub fn read(path: &Path) -> Result<Vec<u8>, SecretError> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(TEXT_BYTES_MAX as u64 + 2).read_to_end(&mut text))
        .map_err(|source| SecretError::Io { path: path.to_owned(), verb: "read", source })?;
    let line = text.trim_ascii_end();
    let is_secret = (TEXT_BYTES_MIN..=TEXT_BYTES_MAX).contains(&line.len()) && !line.contains(&b'\n');
    is_secret.then(|| line.to_vec()).ok_or_else(|| SecretError::NotSecret { path: path.to_owned() })
}

/// Whether a secret was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was.
    Kept,
    /// It was made just now.
    Made,
}

/// The secret of a state directory, made where there is none; the directory's lock keeps two agents from doing so.
///
/// # Errors
/// It cannot be read or kept, or what is there is none.
pub fn of_state(state: &StateDir) -> Result<(Vec<u8>, Origin), SecretError> {
    let path = kept_in(state.directory());
    match read(&path) {
        Err(SecretError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            let failed = |source| SecretError::Io { path: path.clone(), verb: "keep", source };
            let secret = random().map_err(failed)?;
            keep(state.directory(), &path, &secret).map_err(failed)?;
            Ok((secret, Origin::Made))
        }
        read => read.map(|secret| (secret, Origin::Kept)),
    }
}

/// A new secret.
///
/// # Errors
/// The system has no randomness to give.
pub fn random() -> io::Result<Vec<u8>> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(digits.concat().into_bytes())
}

/// Whole or not at all, also after a power cut: a secret that was used and is lost again changes every id.
fn keep(directory: &Path, path: &Path, secret: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("secret.new");
    // Left behind by a power cut, nobody has used it.
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(secret)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::state::Durability;
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    fn of(directory: &Path) -> Result<(Vec<u8>, Origin), SecretError> {
        let (state, _) = StateDir::open(directory, Durability::Cached).unwrap();
        of_state(&state)
    }

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_alone() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("visitor.secret.new"), "cut off").unwrap();
        let (secret, origin) = of(scratch.path()).unwrap();
        assert_eq!((secret.len(), origin), (64, Origin::Made));
        let path = kept_in(scratch.path());
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(of(scratch.path()).unwrap(), (secret.clone(), Origin::Kept));
        assert_eq!(read(&path).unwrap(), secret);
        assert_ne!(of(tempfile::tempdir().unwrap().path()).unwrap().0, secret);
        assert!(!scratch.path().join("visitor.secret.new").exists());
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_replaced() {
        let scratch = tempfile::tempdir().unwrap();
        let path = kept_in(scratch.path());
        for (content, is_secret) in [
            ("x".repeat(32), true),
            ("x".repeat(32) + "\r\n", true),
            ("x".repeat(31) + "\n", false),
            (String::new(), false),
            ("x".repeat(40) + "\n" + &"y".repeat(40), false),
            ("x".repeat(5000), false),
        ] {
            std::fs::write(&path, &content).unwrap();
            assert_eq!(of(scratch.path()).is_ok(), is_secret, "{content:?}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
    }
}

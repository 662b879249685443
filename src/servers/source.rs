//! The files of a server's configuration: read within bounds, with a place for everything that is said about them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All files together, one that is included twice counted twice. The largest real ones have thousands of sites and some
/// megabytes.
const BYTES_MAX: usize = 32 << 20;
/// Files that are read. A host with ten thousand sites has as many; includes that include each other without a cycle would
/// be read for hours.
const FILES_MAX: usize = 20_000;
/// Deeper includes are a mistake; real ones have three or four levels.
const DEPTH_MAX: usize = 32;

/// How files are looked at.
#[derive(Clone, Copy)]
pub struct Loader<'a> {
    /// The bytes of a file.
    pub read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// The files that match an absolute glob of glob(3), in the order of their bytes; none is no error.
    pub expand: &'a dyn Fn(&str) -> io::Result<Vec<PathBuf>>,
}

/// Where something stands in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// From 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// From 1, in bytes.
    pub column: usize,
}

impl Place {
    /// A file as a whole.
    #[must_use]
    pub fn of_file(file: &Path) -> Self {
        Self { file: file.into(), line: 0, column: 0 }
    }

    /// As editors and `grep -n` name it: without the column.
    #[must_use]
    pub fn line_of_file(&self) -> String {
        match self.line {
            0 => self.file.display().to_string(),
            line => format!("{}:{line}", self.file.display()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.file.display())?;
        if self.line > 0 {
            write!(formatter, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// Why a configuration cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// It is wrong.
    Wrong,
    /// A file of it is not there, or none that can be read.
    Missing,
    /// A file of it may not be read.
    Permission,
}

/// What is wrong with a configuration: place, fact, remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {fact}: {remedy}")]
pub struct ConfError {
    /// Why.
    pub kind: ErrorKind,
    /// Where.
    pub place: Place,
    /// The fact.
    pub fact: String,
    /// The remedy.
    pub remedy: String,
}

impl ConfError {
    /// A file that is named at `place` and cannot be read.
    #[must_use]
    pub fn unreadable(path: &Path, place: &Place, error: &io::Error) -> Self {
        let is_main = *place.file == *path;
        let (kind, remedy) = if error.kind() == io::ErrorKind::PermissionDenied {
            (ErrorKind::Permission, "run this as root, or as a user that may read the server's configuration")
        } else if is_main {
            (ErrorKind::Missing, "name the main configuration file of a web server")
        } else {
            (ErrorKind::Missing, "correct the name; the server would not start either")
        };
        let name = if is_main { String::new() } else { format!("{} ", path.display()) };
        let fact = format!("{name}cannot be read: {error}");
        Self { kind, place: place.clone(), fact, remedy: remedy.to_owned() }
    }

    pub(super) fn wrong(place: Place, fact: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Wrong, place, fact: fact.into(), remedy: remedy.into() }
    }
}

/// Where the lines of a text begin.
pub(super) struct Lines {
    file: Arc<Path>,
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn of(file: &Path, text: &[u8]) -> Self {
        let newlines = memchr::memchr_iter(b'\n', text).map(|newline| newline + 1);
        Self { file: file.into(), starts: std::iter::once(0).chain(newlines).collect() }
    }

    /// The place of a byte.
    pub(super) fn place(&self, at: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= at);
        Place { file: self.file.clone(), line, column: at - self.starts[line - 1] + 1 }
    }
}

/// The files that are read, one within the other.
pub(super) struct Sources<'a> {
    loader: Loader<'a>,
    open: Vec<PathBuf>,
    bytes: usize,
    files: usize,
}

impl<'a> Sources<'a> {
    pub(super) fn new(loader: Loader<'a>) -> Self {
        Self { loader, open: Vec::new(), bytes: 0, files: 0 }
    }

    /// Reads a file that is named at `place`. Whoever is done with it calls [`Self::close`].
    pub(super) fn open(&mut self, path: &Path, place: &Place) -> Result<Vec<u8>, ConfError> {
        let name = path.display();
        if self.open.iter().any(|open| open == path) {
            return Err(ConfError::wrong(
                place.clone(),
                format!("{name} includes itself"),
                "remove one of the includes of the cycle",
            ));
        }
        if self.open.len() == DEPTH_MAX {
            let fact = format!("includes are more than {DEPTH_MAX} deep here");
            return Err(ConfError::wrong(place.clone(), fact, "include the file from one further up"));
        }
        let text = (self.loader.read)(path).map_err(|error| ConfError::unreadable(path, place, &error))?;
        self.bytes += text.len();
        self.files += 1;
        if self.bytes > BYTES_MAX || self.files > FILES_MAX {
            let fact = format!(
                "with {name} the configuration has more than {} MiB or {FILES_MAX} files",
                BYTES_MAX >> 20
            );
            return Err(ConfError::wrong(
                place.clone(),
                fact,
                "name the configuration of a server, not a log",
            ));
        }
        self.open.push(path.to_owned());
        Ok(text)
    }

    /// Leaves the file that was opened last.
    pub(super) fn close(&mut self) {
        self.open.pop();
    }

    /// The files that match a glob.
    pub(super) fn expand(&self, glob: &str, place: &Place) -> Result<Vec<PathBuf>, ConfError> {
        (self.loader.expand)(glob).map_err(|error| ConfError::unreadable(Path::new(glob), place, &error))
    }

    /// A file that need not be there.
    pub(super) fn read_optional(&self, path: &Path) -> Result<Option<Vec<u8>>, ConfError> {
        match (self.loader.read)(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ConfError::unreadable(path, &Place::of_file(path), &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_1() {
        let lines = Lines::of(Path::new("/c"), b"ab\n\nc");
        let shown = [0, 2, 3, 4, 5].map(|at| lines.place(at).to_string());
        assert_eq!(shown, ["/c:1:1", "/c:1:3", "/c:2:1", "/c:3:1", "/c:3:2"]);
        assert_eq!(Place::of_file(Path::new("/c")).to_string(), "/c");
    }

    #[test]
    fn what_is_read_is_bounded() {
        let size = std::cell::Cell::new(BYTES_MAX / 2);
        let read = |_: &Path| Ok(vec![b' '; size.get()]);
        let expand = |_: &str| Ok(Vec::new());
        let mut sources = Sources::new(Loader { read: &read, expand: &expand });
        let place = Place::of_file(Path::new("/0"));
        for number in 0..2 {
            sources.open(&PathBuf::from(format!("/{number}")), &place).unwrap();
        }
        size.set(1);
        let error = sources.open(Path::new("/2"), &place).unwrap_err();
        assert!(error.fact.contains("more than 32 MiB"), "{error}");

        let mut sources = Sources::new(Loader { read: &read, expand: &expand });
        for number in 0..DEPTH_MAX {
            sources.open(&PathBuf::from(format!("/{number}")), &place).unwrap();
        }
        assert!(sources.open(Path::new("/deeper"), &place).unwrap_err().fact.contains("deep"));
        assert!(sources.open(Path::new("/3"), &place).unwrap_err().fact.contains("includes itself"));
        sources.close();
        assert!(sources.open(Path::new("/deeper"), &place).is_ok());
    }
}

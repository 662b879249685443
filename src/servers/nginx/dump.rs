//! What `nginx -T` prints: every file of the configuration, each behind a line with its path.

use std::io;
use std::path::{Path, PathBuf};

use super::super::glob::Glob;

/// What nginx writes before each file.
const HEADER: &[u8] = b"# configuration file ";

/// The files of a dump, in its order: the main one first.
#[derive(Clone, Debug)]
pub struct Dump {
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Dump {
    /// Takes a dump apart; `None` if it holds no file. What comes before the first one are nginx's messages.
    #[must_use]
    pub fn of(text: &[u8]) -> Option<Self> {
        let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            match (header(line), files.last_mut()) {
                (Some(path), _) => files.push((path, Vec::new())),
                (None, Some((_, text))) => text.extend_from_slice(line),
                (None, None) => {}
            }
        }
        (!files.is_empty()).then_some(Self { files })
    }

    /// The main configuration.
    #[must_use]
    pub fn main(&self) -> &Path {
        self.files.first().map_or(Path::new("/"), |(path, _)| path)
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// It is not in the dump.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.files.iter().find(|(known, _)| known == path);
        file.map(|(_, text)| text.clone())
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not in the output of nginx -T"))
    }

    /// Its files that match a glob, in order.
    #[must_use]
    pub fn expand(&self, glob: &str) -> Vec<PathBuf> {
        let glob = Glob::new(glob);
        let matching = self.files.iter().map(|(path, _)| path).filter(|path| glob.matches(path));
        let mut found: Vec<PathBuf> = matching.cloned().collect();
        found.sort();
        found.dedup();
        found
    }
}

fn header(line: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = line.strip_prefix(HEADER)?.trim_ascii_end().strip_suffix(b":")?;
    path.starts_with(b"/").then(|| std::ffi::OsStr::from_bytes(path).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_again() {
        let text = b"nginx: test is successful\n# configuration file /etc/nginx/nginx.conf:\nhttp {}\n\n\
                     # configuration file /etc/nginx/conf.d/b.conf:\n# x\n# configuration file /etc/nginx/conf.d/a.conf:\n";
        let dump = Dump::of(text).unwrap();
        assert_eq!(dump.main(), Path::new("/etc/nginx/nginx.conf"));
        assert_eq!(dump.read(Path::new("/etc/nginx/nginx.conf")).unwrap(), b"http {}\n\n");
        assert_eq!(dump.read(Path::new("/etc/nginx/conf.d/b.conf")).unwrap(), b"# x\n");
        assert_eq!(dump.read(Path::new("/etc/passwd")).unwrap_err().kind(), io::ErrorKind::NotFound);
        let expected = ["a", "b"].map(|name| PathBuf::from(format!("/etc/nginx/conf.d/{name}.conf")));
        assert_eq!(dump.expand("/etc/nginx/*/*.conf"), expected);
        assert!(Dump::of(b"http {}").is_none());
    }
}

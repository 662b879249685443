//! The files of a host, or of a directory that looks like one.

use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use crate::servers::glob::{Glob, Name};

/// A file of a configuration is text that somebody wrote.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// As many links in a row as the kernel follows.
const LINKS_MAX: usize = 40;

/// A host's files. All paths are as seen on that host.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
}

impl Host {
    /// The host whose root is this directory.
    #[must_use]
    pub fn new(root: Option<&Path>) -> Self {
        Self { root: root.unwrap_or(Path::new("/")).to_owned() }
    }

    /// The bytes of a regular file.
    ///
    /// # Errors
    /// It cannot be read, or is something else, or is too large.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = std::fs::File::open(self.inside(&self.resolve(path)?))?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(io::Error::other("it is larger than 32 MiB"));
        }
        Ok(bytes)
    }

    /// Files and directories that match a glob, in the order of their bytes.
    ///
    /// # Errors
    /// A directory on the way cannot be read.
    pub fn expand(&self, glob: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = vec![PathBuf::from("/")];
        for name in Glob::new(glob).names() {
            let mut deeper = Vec::new();
            for directory in found {
                self.descend(&directory, name, &mut deeper)?;
            }
            found = deeper;
        }
        found.sort();
        Ok(found)
    }

    fn descend(&self, directory: &Path, name: &Name, into: &mut Vec<PathBuf>) -> io::Result<()> {
        if let Name::Literal(literal) = name {
            let path = directory.join(literal);
            into.extend(self.exists(&path).then_some(path));
            return Ok(());
        }
        // Links in a circle are no directory, as for glob(3).
        let Ok(real) = self.resolve(directory) else { return Ok(()) };
        let entries = std::fs::read_dir(self.inside(&real));
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?.file_name();
            if name.matches(Path::new(&entry)) {
                into.push(directory.join(entry));
            }
        }
        Ok(())
    }

    /// Whether something is there, be it a link that leads nowhere.
    #[must_use]
    pub fn exists(&self, path: &Path) -> bool {
        let parent = path.parent().map_or_else(|| Ok(PathBuf::from("/")), |parent| self.resolve(parent));
        let Ok(parent) = parent else { return false };
        let name = path.file_name().unwrap_or_default();
        std::fs::symlink_metadata(self.inside(&parent.join(name))).is_ok()
    }

    /// A path without symbolic links. What is not there is taken as it is written.
    ///
    /// # Errors
    /// Links lead in a circle.
    pub fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        let mut resolved = PathBuf::from("/");
        let mut links = 0;
        let mut waiting: Vec<PathBuf> = vec![path.to_owned()];
        while let Some(next) = waiting.pop() {
            let mut components = next.components();
            let Some(first) = components.next() else { continue };
            waiting.push(components.as_path().to_owned());
            match first {
                Component::RootDir | Component::Prefix(_) => resolved = PathBuf::from("/"),
                Component::CurDir => {}
                Component::ParentDir => {
                    resolved.pop();
                }
                Component::Normal(name) => match std::fs::read_link(self.inside(&resolved.join(name))) {
                    Ok(_) if links == LINKS_MAX => {
                        return Err(io::Error::other("too many symbolic links"));
                    }
                    Ok(target) => {
                        links += 1;
                        waiting.push(target);
                    }
                    Err(_) => resolved.push(name),
                },
            }
        }
        Ok(resolved)
    }

    /// Where a path of the host is for this process.
    fn inside(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_stay_below_the_root() {
        let scratch = tempfile::tempdir().unwrap();
        let host = Host::new(Some(scratch.path()));
        fs::create_dir_all(scratch.path().join("etc/a")).unwrap();
        fs::create_dir_all(scratch.path().join("etc/b")).unwrap();
        fs::write(scratch.path().join("etc/a/x.conf"), "x").unwrap();
        fs::write(scratch.path().join("etc/a/.hidden.conf"), "x").unwrap();
        symlink("/etc/a/x.conf", scratch.path().join("etc/b/y.conf")).unwrap();
        symlink("../a", scratch.path().join("etc/b/a")).unwrap();
        symlink("loop", scratch.path().join("etc/loop")).unwrap();
        symlink("../../../../etc/a/x.conf", scratch.path().join("etc/b/up.conf")).unwrap();

        assert_eq!(host.read(Path::new("/etc/b/y.conf")).unwrap(), b"x");
        assert_eq!(host.read(Path::new("/etc/b/a/x.conf")).unwrap(), b"x");
        assert_eq!(host.resolve(Path::new("/etc/b/up.conf")).unwrap(), Path::new("/etc/a/x.conf"));
        assert_eq!(host.resolve(Path::new("/etc/./b/../c")).unwrap(), Path::new("/etc/c"));
        assert!(host.resolve(Path::new("/etc/loop")).is_err());
        assert!(host.exists(Path::new("/etc/loop")) && !host.exists(Path::new("/etc/none/x")));
        assert!(host.read(Path::new("/etc/a")).unwrap_err().to_string().contains("no regular file"));
        let found = host.expand("/etc/*/*.conf").unwrap();
        assert_eq!(found, ["/etc/a/x.conf", "/etc/b/up.conf", "/etc/b/y.conf"].map(PathBuf::from));
        assert_eq!(host.expand("/etc/none*/x").unwrap(), Vec::<PathBuf>::new());
    }
}

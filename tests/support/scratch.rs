//! A directory of one test: gone with the test, kept where the test failed.

use std::path::{Path, PathBuf};

/// Removed on drop, unless the thread is panicking: then it stays and its path is printed.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A fresh directory in the system's place for such, with the test's name in it.
    pub fn new(name: &str) -> Self {
        let directory = tempfile::Builder::new()
            .prefix(&format!("viewtail-{name}-"))
            .tempdir()
            .expect("a scratch directory can be made in the temporary directory");
        Self { path: directory.keep() }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path below the directory.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a directory below this one.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(&path).expect("a directory can be made in the scratch directory");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("kept for inspection: {}", self.path.display());
            return;
        }
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            println!("{} could not be removed: {error}", self.path.display());
        }
    }
}

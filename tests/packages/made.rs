//! The packages under test, each revision made once of what is staged.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The kinds of package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Deb,
    Rpm,
}

/// Where the source is.
pub fn source() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is installed by both kinds, laid out.
pub fn staged() -> PathBuf {
    source().join("target/package/root")
}

/// The package of this revision.
pub fn package(kind: Kind, revision: u32) -> PathBuf {
    // One at a time: both kinds write into target/package.
    static MADE: Mutex<Option<HashMap<(Kind, u32), PathBuf>>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let made = made.get_or_insert_default();
    made.entry((kind, revision)).or_insert_with(|| make(kind, revision)).clone()
}

fn make(kind: Kind, revision: u32) -> PathBuf {
    let name = match kind {
        Kind::Deb => "deb",
        Kind::Rpm => "rpm",
    };
    let mut command = Command::new(source().join("packaging/package.sh"));
    let text = succeed(command.args([name, &revision.to_string()]));
    let path = source().join(text.lines().last().expect("package.sh prints the path of what it made"));
    assert!(path.is_file(), "{} was made", path.display());
    path
}

/// Runs a command; what it printed on stdout and stderr together, as it came.
///
/// # Panics
/// When it fails, with what it said.
pub fn succeed(command: &mut Command) -> String {
    let (code, text) = run(command);
    assert_eq!(code, Some(0), "{command:?} failed:\n{text}");
    text
}

/// The same where the exit code is to be judged.
pub fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?} cannot be run, tests/tools/setup.sh test installs it: {error}");
    });
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

//! What the agent keeps on disk: its state directory, and the secret that visitors' ids are made with.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::answer::Answer;
use super::user::Viewer;
use crate::cli::{Exit, visitors};
use crate::config::SecretFile;
use crate::event;
use crate::io::secret::{self, SecretError};
use crate::io::{state, table};

/// Whether positions can be kept.
pub fn directory(directory: &Path, viewer: &Viewer) -> Answer {
    let target = directory.display().to_string();
    if let Some(pid) = state::holder(directory) {
        return Answer::ok("state", &target, format!("in use by the running agent, pid {pid}"));
    }
    if !directory.exists() && viewer.makes(directory) {
        return Answer::ok("state", &target, "made by systemd when the service starts");
    }
    let existing = directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let access = rustix::fs::access(existing, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    match (access, state::read(directory)) {
        (Err(_), _) => {
            let user = viewer.name();
            let remedy = format!("install -d -o {user} -m 0750 {target}");
            let fact = format!("user {user} may not write in {}", existing.display());
            Answer::failure("state", &target, (fact, remedy), Exit::Permission)
        }
        (Ok(()), Err(error)) => {
            let remedy = "see the message".to_owned();
            Answer::failure("state", &target, (error.to_string(), remedy), Exit::Configuration)
        }
        (Ok(()), Ok(None)) => Answer::ok("state", &target, "writable, nothing saved yet"),
        (Ok(()), Ok(Some(saved))) => {
            let files = table::count(saved.snapshot.files.len() as u64, "file");
            Answer::ok("state", &target, format!("writable, {files} known"))
        }
    }
}

/// The secret itself is never shown: what tells it from another host's is.
pub fn visitors_secret(file: &SecretFile, state_dir: &Path) -> Answer {
    const CHECK: &str = "visitors";
    /// The right of everybody to read.
    const READABLE_BY_OTHERS: u32 = 0o004;
    let file = match file.path() {
        Ok(path) => path,
        Err(error) => {
            let remedy = "load it in the service, or name a file in `visitor.secret_file`".to_owned();
            return Answer::failure(CHECK, "secret", (error.to_string(), remedy), Exit::Configuration);
        }
    };
    let target = file.display().to_string();
    match secret::read(&file) {
        Ok(secret) => {
            let fact = format!(
                "fingerprint {}, to be the same on every host of a site",
                event::fingerprint(&secret)
            );
            let mode = std::fs::metadata(&file).map_or(0, |metadata| metadata.mode());
            if mode & READABLE_BY_OTHERS != 0 {
                let remedy = "take the right to read from others: chmod o-r";
                return Answer::warning(
                    CHECK,
                    &target,
                    (format!("{fact}, and everybody here can read it"), remedy),
                );
            }
            let remedy =
                "where it is another: copy this file there, and name it in `visitor.secret_file`".to_owned();
            Answer { remedy, ..Answer::ok(CHECK, &target, fact) }
        }
        Err(SecretError::Io { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound && file == secret::kept_in(state_dir) =>
        {
            let fact =
                "made at the first start; further hosts of a site need a copy as `visitor.secret_file`";
            Answer::ok(CHECK, &target, fact)
        }
        Err(error) => {
            let exit = visitors::refusal(&error).exit();
            let remedy =
                "openssl rand -hex 32 makes one; chown it to the service's user, chmod 0400".to_owned();
            Answer::failure(CHECK, &target, (error.to_string(), remedy), exit)
        }
    }
}

//! What the host grants: descriptors, watches, and a clock that is right.
//!
//! The clock is judged by the kernel's own word. How far it is from the brokers' cannot be asked: no answer of Kafka's
//! protocol that a client of ours can get carries the broker's time, and a record's would have to be written first.

use super::answer::Answer;
use crate::io::clock::{self, Synchronisation};
use crate::io::unit::Unit;
use crate::io::watch::{Unwatched, Watch};
use crate::io::{limits, table};
use crate::pipeline::action::SharedPath;

/// Whether as many files as match can be open at once.
pub fn descriptors(files: usize, unit: Option<&Unit>) -> Answer {
    const CHECK: &str = "descriptors";
    let allowed = limits::files_of(unit.and_then(|unit| unit.open_files));
    let target = table::count(files as u64, "file");
    if files <= allowed {
        return Answer::ok(CHECK, &target, format!("{allowed} may be open at once"));
    }
    let fact = format!("only {allowed} may be open at once; the others are read in turns");
    let remedy = "raise the limit: `systemctl edit viewtail`, [Service], LimitNOFILE=65536";
    Answer::warning(CHECK, &target, (fact, remedy))
}

/// Whether the kernel tells of changes in the directories of the logs, found out by asking for it as the agent does.
pub fn watches(directories: &[SharedPath]) -> Answer {
    const CHECK: &str = "inotify";
    let target = match directories.len() {
        1 => "1 directory".to_owned(),
        number => format!("{number} directories"),
    };
    let mut watch = Watch::new(|| ());
    directories.iter().for_each(|directory| watch.ensure(directory));
    match watch.unwatched() {
        Unwatched::Directories(unwatched) if unwatched.is_empty() => {
            Answer::ok(CHECK, &target, "the kernel tells of changes")
        }
        Unwatched::Directories(unwatched) => {
            let fact = format!(
                "of changes in {} of them the kernel does not tell: the agent looks there every 2 s",
                unwatched.len()
            );
            let remedy = "unless other hosts write there too: raise fs.inotify.max_user_watches with sysctl";
            Answer::warning(CHECK, &target, (fact, remedy))
        }
        Unwatched::Everything => {
            let fact = "the kernel tells of no change: the agent looks at all files every few seconds";
            let remedy = "raise fs.inotify.max_user_instances with sysctl, and in a file of /etc/sysctl.d";
            Answer::warning(CHECK, &target, (fact.to_owned(), remedy))
        }
    }
}

/// Whether something keeps the clock right: brokers refuse records from more than an hour ahead, and certificates and
/// tokens are judged by it.
pub fn clock() -> Option<Answer> {
    const CHECK: &str = "clock";
    Some(match clock::synchronisation()? {
        Synchronisation::Kept { error_ms } => {
            Answer::ok(CHECK, "this host", format!("kept right, by at most {error_ms} ms wrong"))
        }
        Synchronisation::Free => {
            let fact = "nothing keeps it right; brokers refuse records from more than an hour ahead, and tokens and \
                        certificates are judged by it";
            let remedy = "start a time service, for example: systemctl enable --now systemd-timesyncd";
            Answer::warning(CHECK, "this host", (fact.to_owned(), remedy))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::check::answer::Status;

    #[test]
    fn more_files_than_the_service_may_open_are_a_warning_with_the_line_of_the_unit() {
        let unit = Unit { open_files: Some(1000), ..Unit::default() };
        assert_eq!(descriptors(800, Some(&unit)).status, Status::Ok);
        let answer = descriptors(900, Some(&unit));
        assert_eq!(answer.status, Status::Warning);
        assert!(answer.remedy.contains("LimitNOFILE"), "{answer:?}");
    }

    #[test]
    fn directories_are_watched_for_a_moment() {
        let scratch = tempfile::tempdir().unwrap();
        let answer = watches(&[SharedPath::from(scratch.path().to_owned())]);
        assert_eq!(answer.status, Status::Ok, "{answer:?}");
    }
}

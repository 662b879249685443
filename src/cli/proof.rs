//! By which proof a rotated file counts as finished: what `check` and `status` say of it, and how to get the better one.

use std::path::Path;

use super::setup::QUIET_GRACE_MS;
use crate::io::lease::Rights;
use crate::pipeline::action::NoProof;

/// What ends a rotated file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The kernel says that no process has it open for writing.
    Lease,
    /// It is quiet for the grace, because the kernel cannot be asked.
    Quiet(NoProof),
}

impl Proof {
    /// The proof of a file, for an agent with these rights; `None` if the file cannot be looked at.
    pub fn of(rights: Option<Rights>, path: &Path) -> Option<Self> {
        let obstacle = rights?.obstacle(path).ok()?;
        Some(obstacle.map_or(Self::Lease, Self::Quiet))
    }

    /// Its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Quiet(_) => "quiet",
        }
    }

    /// What is in force, for a person.
    pub fn fact(self) -> String {
        match self {
            Self::Lease => {
                "once rotated, it ends when its last writer has closed it (the kernel tells)".to_owned()
            }
            Self::Quiet(why) => {
                let minutes = QUIET_GRACE_MS / 60_000;
                format!("once rotated, it ends after {minutes} min without a new byte: {why}")
            }
        }
    }

    /// How to get the better proof.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Lease => "",
            Self::Quiet(why) => why.remedy(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_with_the_right_has_the_better_proof_and_one_without_is_told_how_to_get_it() {
        let file = tempfile::NamedTempFile::new_in(concat!(env!("CARGO_MANIFEST_DIR"), "/target")).unwrap();
        let mine = Rights { user: rustix::process::geteuid().as_raw(), has_capability: false };
        assert_eq!(Proof::of(Some(mine), file.path()), Some(Proof::Lease));
        let other = Rights { user: mine.user + 1, ..mine };
        let quiet = Proof::of(Some(other), file.path()).unwrap();
        assert_eq!(quiet, Proof::Quiet(NoProof::Owner));
        assert!(quiet.fact().contains("5 min") && quiet.remedy().contains("CAP_LEASE"), "{quiet:?}");
        assert_eq!(Proof::of(None, file.path()), None);
    }
}

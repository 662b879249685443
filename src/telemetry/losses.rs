//! Lost bytes as a counter. An account takes a loss back when the file turns up again, and hands what it holds over when its
//! path is forgotten; a counter must do neither, or whoever takes its increase is told of losses that were none.

use std::collections::BTreeMap;
use std::path::Path;

use crate::pipeline::account::Account;
use crate::pipeline::action::SharedPath;

/// Bytes that were found lost since this began, by path; the empty path stands for those that are remembered no more.
#[derive(Clone, Debug, Default)]
pub struct LostBytes(BTreeMap<SharedPath, Lost>);

/// Of one path.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    /// What its account says.
    told: u64,
    /// What was added to that since this began.
    counted: u64,
}

impl LostBytes {
    /// Counts what will be lost beyond what these accounts say already.
    #[must_use]
    pub fn beyond(accounts: &BTreeMap<SharedPath, Account>) -> Self {
        let told = |account: &Account| Lost { told: account.lost.total(), counted: 0 };
        Self(accounts.iter().map(|(path, account)| (path.clone(), told(account))).collect())
    }

    /// Takes what the accounts say now.
    pub fn note(&mut self, accounts: &BTreeMap<SharedPath, Account>) {
        let is_nowhere = |path: &Path| path.as_os_str().is_empty();
        let mut handed_over = Lost::default();
        self.0.retain(|path, lost| {
            let stays = accounts.contains_key(path) || is_nowhere(path);
            if !stays {
                handed_over.told += lost.told;
                handed_over.counted += lost.counted;
            }
            stays
        });
        if handed_over.told > 0 || handed_over.counted > 0 {
            let nowhere = self.0.entry(SharedPath::from(Path::new(""))).or_default();
            nowhere.told += handed_over.told;
            nowhere.counted += handed_over.counted;
        }
        for (path, account) in accounts {
            let lost = self.0.entry(path.clone()).or_default();
            let told = account.lost.total();
            lost.counted += told.saturating_sub(lost.told);
            lost.told = told;
        }
    }

    /// Each path with its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&SharedPath, u64)> {
        self.0.iter().map(|(path, lost)| (path, lost.counted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::account::{Loss, Losses};

    fn accounts(lost: &[(&str, u64)]) -> BTreeMap<SharedPath, Account> {
        let account = |bytes| Account { lost: Losses::of(Loss::Deleted, bytes), ..Account::default() };
        lost.iter().map(|(path, bytes)| (SharedPath::from(Path::new(path)), account(*bytes))).collect()
    }

    fn counted(lost: &LostBytes, path: &str) -> u64 {
        lost.iter().find(|(known, _)| known.to_str() == Some(path)).map_or(0, |(_, bytes)| bytes)
    }

    #[test]
    fn only_what_is_lost_from_now_on_counts_and_what_turns_up_again_takes_nothing_back() {
        let mut lost = LostBytes::beyond(&accounts(&[("/a", 100)]));
        for (told, expected) in [(100, 0), (150, 50), (20, 50), (30, 60), (30, 60)] {
            lost.note(&accounts(&[("/a", told)]));
            assert_eq!(counted(&lost, "/a"), expected, "{told}");
        }
    }

    #[test]
    fn a_path_that_is_forgotten_loses_nothing_by_that() {
        let mut lost = LostBytes::beyond(&accounts(&[("/a", 100), ("", 7)]));
        lost.note(&accounts(&[("/a", 130), ("", 7)]));
        lost.note(&accounts(&[("", 137)]));
        assert_eq!((counted(&lost, "/a"), counted(&lost, "")), (0, 30));
        lost.note(&accounts(&[("/a", 5), ("", 137)]));
        assert_eq!((counted(&lost, "/a"), counted(&lost, "")), (5, 30));
    }
}

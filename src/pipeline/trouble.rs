//! What cannot be had for a while: it is tried again, more and more seldom, and told when it begins and when it is over.
//!
//! Meanwhile nothing is forgotten and no position moves: an error says nothing about what is on the disk.

use std::collections::HashMap;

use super::account::Loss;
use super::action::{Action, FileError, FileSeen, Millis, SharedPath};
use super::generation::{Generation, Whereabouts};
use super::identity::Mark;
use super::notice::Notice;
use super::tail::Tail;
use crate::event::StreamId;
use crate::planted::{self, Bug};

/// The first attempt comes after so long: what a person repairs, or a server that restarts, takes no less.
const RETRY_MS_MIN: u64 = 1000;

/// No attempt waits longer: half of the time between two sweeps, which look at everything anyway.
const RETRY_MS_MAX: u64 = 30_000;

/// One trouble, from the first failure on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    since: Millis,
    wait_ms: u64,
    /// Nothing is tried before this.
    pub retry_at: Millis,
}

impl Trouble {
    /// It failed, for the first time or again: whether it is the first, and when the next attempt is due. Failures that come
    /// before the next attempt was due are the same one.
    pub fn strikes(trouble: &mut Option<Self>, now: Millis) -> (bool, Millis) {
        let (is_first, wait_ms) = match *trouble {
            None => (true, RETRY_MS_MIN),
            Some(Self { retry_at, .. }) if now < retry_at => return (false, retry_at),
            Some(Self { wait_ms, .. }) => (false, (wait_ms * 2).min(RETRY_MS_MAX)),
        };
        let since = trouble.map_or(now, |trouble| trouble.since);
        let retry_at = now.plus(wait_ms);
        *trouble = Some(Self { since, wait_ms, retry_at });
        (is_first, retry_at)
    }

    /// For how long it fails, the wait for the next attempt included.
    pub fn lasts_ms(&self) -> u64 {
        self.retry_at.since(self.since)
    }

    /// It went well; how long it did not.
    pub fn ends(trouble: &mut Option<Self>, now: Millis) -> Option<u64> {
        trouble.take().map(|trouble| now.since(trouble.since))
    }
}

/// What is wrong with places that are not open.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// Files that could not be opened, by their path.
    files: HashMap<SharedPath, Option<Trouble>>,
    /// No descriptor was to be had, and the path for which that was told.
    shortage: Option<Trouble>,
    wanted: Option<SharedPath>,
}

impl Troubles {
    /// When the next descriptor may be asked for, if none was to be had.
    pub fn short_until(&self) -> Option<Millis> {
        self.shortage.map(|shortage| shortage.retry_at)
    }
}

impl Tail {
    /// When a path may be opened, if not now.
    pub fn opens_at(&self, now: Millis, path: &SharedPath) -> Option<Millis> {
        let own = self.troubles.files.get(path).copied().flatten().map(|trouble| trouble.retry_at);
        own.into_iter().chain(self.troubles.short_until()).max().filter(|retry_at| now < *retry_at)
    }

    /// When a generation may be read or opened, if not now.
    pub fn held_back_until(&self, now: Millis, generation: &Generation) -> Option<Millis> {
        let own = generation.trouble.filter(|_| !generation.is_searching());
        let own = own.map(|trouble| trouble.retry_at).filter(|retry_at| now < *retry_at);
        let path = generation.path.as_ref().filter(|_| generation.file.is_none());
        own.or_else(|| self.troubles.files.get(path?).copied().flatten().map(|trouble| trouble.retry_at))
            .filter(|retry_at| now < *retry_at)
    }

    /// A path could not be opened; when it is tried again.
    pub fn opening_failed(
        &mut self,
        now: Millis,
        path: &SharedPath,
        error: FileError,
        actions: &mut Vec<Action>,
    ) -> Millis {
        let (is_first, retry_at) = if error == FileError::TooManyFiles {
            self.close_longest_idle(actions);
            self.troubles.wanted.get_or_insert_with(|| path.clone());
            Trouble::strikes(&mut self.troubles.shortage, now)
        } else {
            Trouble::strikes(self.troubles.files.entry(path.clone()).or_default(), now)
        };
        if is_first {
            self.notices.push(Notice::FileFailed { path: path.clone(), error });
        }
        retry_at
    }

    /// A path was opened. A shortage is over when none was felt for as long as the last wait.
    pub fn opening_succeeded(&mut self, now: Millis, path: &SharedPath) {
        if let Some(after_ms) =
            self.troubles.files.remove(path).and_then(|mut own| Trouble::ends(&mut own, now))
        {
            self.notices.push(Notice::Recovered { path: path.clone(), after_ms });
        }
        if self.troubles.short_until().is_some_and(|retry_at| now >= retry_at)
            && let (Some(after_ms), Some(path)) =
                (Trouble::ends(&mut self.troubles.shortage, now), self.troubles.wanted.take())
        {
            self.notices.push(Notice::Recovered { path, after_ms });
        }
    }

    /// The files of a listing that succeeded.
    pub fn readable(
        &mut self,
        now: Millis,
        path: SharedPath,
        files: Result<Vec<FileSeen>, FileError>,
    ) -> Option<Vec<FileSeen>> {
        let directory = self.directories.entry(path.clone()).or_default();
        match files {
            Ok(files) => {
                if let Some(after_ms) = Trouble::ends(&mut directory.trouble, now) {
                    self.notices.push(Notice::Recovered { path, after_ms });
                }
                Some(files)
            }
            Err(_) if planted::is(Bug::ListingErrorAsEmpty) => Some(Vec::new()),
            Err(error) => {
                let (is_first, retry_at) = Trouble::strikes(&mut directory.trouble, now);
                self.list_soon(retry_at, &path);
                if is_first {
                    self.notices.push(Notice::DirectoryFailed { path, error });
                }
                None
            }
        }
    }

    /// A file that was to be looked at could not be opened.
    pub fn could_not_open(
        &mut self,
        now: Millis,
        seen: &FileSeen,
        (candidates, error): (&[(StreamId, Mark)], FileError),
        actions: &mut Vec<Action>,
    ) {
        let is_own = |(stream, _): &(StreamId, Mark)| {
            self.generations.get(stream).is_some_and(|generation| generation.tuple == seen.stat.tuple)
        };
        let is_wanted = self.log_of(&seen.path).is_some() || candidates.iter().any(is_own);
        let retry_at = if error == FileError::NotFound {
            now
        } else if is_wanted {
            self.opening_failed(now, &seen.path, error, actions)
        } else {
            now.plus(RETRY_MS_MAX)
        };
        for (stream, _) in candidates {
            if self.by_tuple.get(&seen.stat.tuple) != Some(stream) {
                continue;
            }
            let generation = &self.generations[stream];
            if generation.whereabouts == Whereabouts::Away && generation.file.is_none() {
                // Neither a name nor a descriptor leads to it any more: its bytes live on in a copy or nowhere.
                self.lose_inode(now, *stream, Loss::Deleted);
            } else {
                self.look(*stream, retry_at.max(now.plus(RETRY_MS_MIN)));
            }
        }
        self.list_after(retry_at, &seen.path);
    }

    /// A read failed: nothing moves. A descriptor that will never be good again is given back; the file is opened anew by its
    /// path and judged anew, or looked for.
    pub fn reading_failed(
        &mut self,
        now: Millis,
        stream: StreamId,
        error: FileError,
        actions: &mut Vec<Action>,
    ) {
        let generation = self.generation(stream);
        let (is_first, retry_at) = Trouble::strikes(&mut generation.trouble, now);
        if let (true, Some(path)) = (is_first, generation.path.clone()) {
            self.notices.push(Notice::FileFailed { path, error });
        }
        if error == FileError::Stale && !planted::is(Bug::StaleKept) {
            self.close(stream, actions);
            if self.generation(stream).whereabouts == Whereabouts::Away {
                self.lose_inode(now, stream, Loss::Deleted);
            }
        }
        if !planted::is(Bug::ErrorEndsReading) {
            self.poll(stream, retry_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_more_and_more_seldom_and_early_failures_count_once() {
        let mut trouble = None;
        let mut now = Millis(0);
        let mut waits = Vec::new();
        for attempt in 0..8 {
            let (is_first, retry_at) = Trouble::strikes(&mut trouble, now);
            assert_eq!(is_first, attempt == 0);
            assert_eq!(Trouble::strikes(&mut trouble, now), (false, retry_at), "the same failure");
            waits.push(retry_at.since(now));
            now = retry_at;
        }
        assert_eq!(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(Trouble::ends(&mut trouble, now), Some(waits.iter().sum()));
        assert_eq!(Trouble::ends(&mut trouble, now), None);
    }
}

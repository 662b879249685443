//! The agent's accounts against the truth: what it says it lost is gone and was not delivered, what it knew of and did not
//! deliver is in its books, and the books of whatever is over balance to the byte.

use std::collections::BTreeMap;

use viewtail::pipeline::account::{Loss, accounts};
use viewtail::pipeline::checkpoint::{FileSnapshot, Snapshot};

use crate::world::World;

/// What agents were shown of runs of bytes: how far each reached when it was read, by its epoch.
pub type Shown = BTreeMap<u32, u64>;

impl World {
    /// A process writes its books: what it was shown before has to be in there.
    pub fn check_books(&mut self, shown: Vec<(u32, u64)>, snapshot: &Snapshot) {
        for (epoch, size) in shown {
            let noted = self.shown.entry(epoch).or_default();
            *noted = size.max(*noted);
        }
        for file in &snapshot.files {
            let FileSnapshot { books, entry, .. } = file;
            let position = entry.mark.position;
            if books.size < position || position < books.began {
                self.oracle.violated(|| format!("the books end before what is committed: {file:?}"));
            }
            if books.end.is_some_and(|end| position + end.without_event + end.lost.total() != books.size) {
                self.oracle.violated(|| format!("the books do not balance: {file:?}"));
            }
        }
        for (path, account) in accounts(snapshot) {
            if account.lost.total() + account.without_event > account.finished {
                self.oracle.violated(|| format!("more is lost of {path:?} than there was: {account:?}"));
            }
        }
    }

    /// What can only be said of the last books.
    pub fn close_books(&mut self) {
        let tally = &self.tally;
        let is_one_story = tally.seconds + tally.state_lost + tally.state_stale + tally.offsets_lost == 0;
        let Some(snapshot) = self.states[0].last().cloned().filter(|_| is_one_story) else { return };
        for file in &snapshot.files {
            let Some(epoch) = self.oracle.epoch_of(file.entry.stream.0) else { continue };
            self.check_losses(epoch, file);
            self.check_passed_over(epoch, file);
        }
    }

    /// A process that dies between the commit and its books leaves out what it passed over with that commit.
    fn check_passed_over(&mut self, epoch: u32, file: &FileSnapshot) {
        let (unread, counted) =
            (self.oracle.unread_bytes(epoch), file.books.lost.of_reason(Loss::Unreadable));
        if counted > unread || counted < unread && self.tally.crashes == 0 {
            self.oracle
                .violated(|| format!("{unread} bytes were passed over, {counted} are counted: {file:?}"));
        }
    }

    fn check_losses(&mut self, epoch: u32, file: &FileSnapshot) {
        let position = file.entry.mark.position;
        let Some(end) = file.books.end else { return };
        let lost = position + end.without_event..file.books.size;
        let is_in = |from: u64, to: u64| from >= lost.start && to <= lost.end;
        let lines: Vec<_> =
            self.oracle.lines_of(epoch).filter(|line| line.complete && line.is_unique()).cloned().collect();
        for line in lines {
            let is_lost = is_in(line.position, line.end());
            if is_lost && (line.committed > 0 || !line.is_excused()) {
                self.oracle.violated(|| format!("counted as lost and not lost: {line:?} of {file:?}"));
            }
            let is_known = self.shown.get(&epoch).is_some_and(|shown| line.end() <= *shown);
            // What was cut away while it went on has no place any more, only a number.
            let is_cut = file.books.lost.total() > 0;
            if !is_lost && !is_cut && is_known && line.committed == 0 && line.is_excused() {
                self.oracle.violated(|| format!("lost and not counted: {line:?} of {file:?}"));
            }
        }
    }
}

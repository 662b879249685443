//! Whether a file that begins as a generation does also ends with what that one has there.
//!
//! Logs may begin alike for longer than a head reaches. So a file is a copy of a generation that has as many bytes only if
//! the bytes before its end are the same in both; the generation's own file is asked for them.

use super::action::{Action, Ask, FileError, FileId, FileKind, FileSeen, Form, Millis, Opened, SharedPath};
use super::generation::{Generation, Whereabouts};
use super::identity::{HeadEvidence, Mark, TupleEvidence, marker_length};
use super::tail::Tail;
use crate::event::StreamId;

/// A generation's file that was asked what stands where another file ends.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    original: StreamId,
    /// Where that was.
    path: SharedPath,
    /// Where the generation was read to: if other bytes stand before it now, its file proves nothing.
    read_to: Mark,
    copy: FileSeen,
    end: Mark,
}

/// What became of that question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It ends as the generation's file does in that place.
    Same,
    /// It ends otherwise: it is no copy.
    Other,
}

impl Tail {
    /// Whether the end of a file of that size can be held against the same place of a generation's file.
    pub fn can_compare(&self, original: StreamId, size: u64) -> bool {
        let generation = &self.generations[&original];
        generation.whereabouts == Whereabouts::Here
            && generation.path.is_some()
            && generation.form == Form::Plain
            && generation.size() >= size
    }

    /// Asks the generation's file what stands where this file ends.
    pub fn compare_end(
        &mut self,
        original: StreamId,
        (copy, end): (&FileSeen, Mark),
        actions: &mut Vec<Action>,
    ) {
        let generation = &self.generations[&original];
        let Some(path) = generation.path.clone() else { return };
        let read_to = generation.lines.cursor();
        let markers = vec![read_to.position, end.position];
        let id = self.next_file();
        actions.push(Action::Open(id, path.clone(), Ask { markers, boundary: false }));
        self.comparing.insert(id, Comparison { original, path, read_to, copy: copy.clone(), end });
    }

    /// The generation's file answers, or cannot be opened; then the file that was compared is looked at again in its time.
    pub fn compared(
        &mut self,
        now: Millis,
        (id, comparison): (FileId, &Comparison),
        opened: Result<Opened, FileError>,
        actions: &mut Vec<Action>,
    ) {
        let Ok(opened) = opened else { return };
        let Comparison { original, path, read_to, copy, end } = comparison;
        let is_own =
            |generation: &Generation| generation.tuple.compare(&opened.stat.tuple) == TupleEvidence::Same;
        let Some(generation) = self.generations.get(original).filter(|generation| is_own(generation)) else {
            let seen = FileSeen { path: path.clone(), kind: FileKind::Regular, stat: opened.stat };
            self.meet_another(now, id, (seen, opened), actions);
            return;
        };
        actions.push(Action::Close(id));
        let is_unchanged = opened.form == Form::Plain
            && matches!(generation.head.compare(&opened.head), HeadEvidence::Equal | HeadEvidence::Unknown);
        let mut markers = opened.markers.iter().map(Option::as_deref);
        let (Some(Some(before)), Some(Some(there))) = (markers.next(), markers.next()) else { return };
        let can_be_read = there.len() >= marker_length(end.position);
        if !is_unchanged || !can_be_read || !read_to.fits(before) {
            return;
        }
        let ending = if end.fits(there) { Ending::Same } else { Ending::Other };
        self.note_ending(now, *original, (copy, ending));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::action::Stat;
    use super::super::identity::Tuple;
    use super::super::tail::{Birth, TailOptions};
    use super::*;

    #[test]
    fn another_file_that_is_opened_in_place_of_the_original_is_not_given_back() {
        let mut tail = Tail::new(TailOptions::of_log("/log/access.log"), None);
        let stat = |inode| {
            let tuple = Tuple { device: 1, inode, birth_ns: None };
            Stat { tuple, size: 4, modified_ns: 1, links: 1 }
        };
        let path = SharedPath::from(Path::new("/log/access.log"));
        let original = tail.begin(Millis(0), Birth::of_file(&path, stat(1), FileId(1)));
        for (inode, is_kept) in [(1, false), (2, true)] {
            let path = SharedPath::from(Path::new("/log/access.log.1"));
            let copy = FileSeen { path, kind: FileKind::Regular, stat: stat(3) };
            let mut actions = Vec::new();
            tail.compare_end(original, (&copy, Mark::at(4, b"one\n")), &mut actions);
            let [Action::Open(id, ..)] = actions[..] else { panic!("it is opened: {actions:?}") };
            actions.clear();
            let (head, markers) = (b"one\n".to_vec(), vec![Some(Vec::new()), Some(b"one\n".to_vec())]);
            let opened = Opened {
                stat: stat(inode),
                form: Form::Plain,
                is_sole_name: true,
                head,
                markers,
                boundary: None,
            };
            tail.opened(Millis(1), id, Ok(opened), &mut actions);
            assert_eq!(matches!(actions[..], [Action::Look(..)]), is_kept, "{actions:?}");
            assert_eq!(matches!(actions[..], [Action::Close(..)]), !is_kept, "{actions:?}");
        }
    }
}

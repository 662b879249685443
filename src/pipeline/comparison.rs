//! Whether a file that begins as a generation does also ends with what that one has there.
//!
//! Logs may begin alike for longer than a head reaches. So a file is a copy of a generation that has as many bytes only if
//! the bytes before its end are the same in both; the generation's own file is asked for them.

use super::action::{Action, Ask, FileError, FileId, FileSeen, Form, Millis, Opened};
use super::generation::Whereabouts;
use super::identity::{HeadEvidence, Mark, TupleEvidence, marker_length};
use super::tail::Tail;
use crate::event::StreamId;

/// A generation's file that was asked what stands where another file ends.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    original: StreamId,
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
        actions.push(Action::Open(id, path, Ask { markers, boundary: false }));
        self.comparing.insert(id, Comparison { original, read_to, copy: copy.clone(), end });
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
        actions.push(Action::Close(id));
        let Comparison { original, read_to, copy, end } = comparison;
        let Some(generation) = self.generations.get(original) else { return };
        let is_unchanged = opened.form == Form::Plain
            && generation.tuple.compare(&opened.stat.tuple) == TupleEvidence::Same
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

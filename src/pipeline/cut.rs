//! Logs whose tail was cut off: what is left was delivered, and a new stream goes on behind it.

use super::action::{Action, Ask, FileId, FileSeen, Millis, Opened};
use super::examination::Examination;
use super::identity::{Head, HeadEvidence, Mark, marker_length};
use super::tail::{Birth, Tail};
use crate::event::StreamId;

impl Tail {
    /// What was cut off is gone, what is left was delivered: a new stream will go on behind it, once it is known where a line
    /// begins there and what stands before it.
    pub fn look_behind_cut(
        &mut self,
        old: StreamId,
        id: FileId,
        (seen, position): (FileSeen, u64),
        actions: &mut Vec<Action>,
    ) {
        let examination = Examination { cut: Some((old, position)), ..Examination::of(seen) };
        self.examine(id, (examination, Ask { markers: vec![position], boundary: true }), actions);
    }

    pub fn begin_behind_cut(
        &mut self,
        now: Millis,
        (old, position): (StreamId, u64),
        id: FileId,
        (seen, opened): (&FileSeen, Opened),
        actions: &mut Vec<Action>,
    ) {
        let is_cut_one = self.generations.get(&old).is_some_and(|old| {
            opened.size() >= position && old.head.compare(&opened.head) == HeadEvidence::Equal
        });
        let start = line_start(position, &opened).filter(|_| is_cut_one);
        match (self.belonging(old, &seen.path), start) {
            (Some((log, home)), Some(LineStart::At(mark))) => {
                let mut head = Head::default();
                head.learn(&opened.head);
                let (path, Opened { stat, form, .. }) = (seen.path.clone(), opened);
                self.begin(now, Birth { log, home, path, stat, form, head, mark, file: id });
            }
            (Some(_), Some(LineStart::LookAt(position))) => {
                let seen = FileSeen { stat: opened.stat, ..seen.clone() };
                self.look_behind_cut(old, id, (seen, position), actions);
            }
            // It was cut again, or rewritten.
            (Some(_), None) => {
                let seen = FileSeen { stat: opened.stat, ..seen.clone() };
                self.look_as_new(id, (seen, None), actions);
            }
            (None, _) => {
                actions.push(Action::Close(id));
                self.list_after(now, &seen.path);
            }
        }
    }
}

/// Where a cut file is read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineStart {
    /// A line begins here.
    At(Mark),
    /// A line begins here, and the bytes before it have to be asked for.
    LookAt(u64),
}

/// Where the last line that begins at `position` or before it does, of a file that was looked at with that position as its
/// only marker: a cut file may have grown by a piece of a line before anybody saw it.
fn line_start(position: u64, opened: &Opened) -> Option<LineStart> {
    let before =
        opened.markers.first()?.as_deref().filter(|before| before.len() >= marker_length(position))?;
    let boundary = opened.boundary.as_ref()?;
    if position == 0 || before.ends_with(b"\n") {
        return Some(LineStart::At(Mark::at(position, before)));
    }
    if boundary.position <= position {
        return Some(LineStart::At(Mark::at(boundary.position, &boundary.before)));
    }
    // It has grown by the rest of that line and more. If the line is longer than what was seen of it, reading begins behind.
    let newline = before.iter().rposition(|byte| *byte == b'\n');
    let start = newline.map_or(boundary.position, |newline| position - (before.len() - newline - 1) as u64);
    Some(LineStart::LookAt(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::action::{Boundary, Form, Stat};
    use crate::pipeline::identity::Tuple;

    /// What is found of a file that was looked at with `position` as its only marker.
    fn looked_at(text: &[u8], position: usize) -> Opened {
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let tuple = Tuple { device: 1, inode: 1, birth_ns: None };
        Opened {
            stat: Stat { tuple, size: text.len() as u64, modified_ns: 0, links: 1 },
            form: Form::Plain,
            is_sole_name: true,
            head: text.to_vec(),
            markers: vec![text.get(..position).map(<[u8]>::to_vec)],
            boundary: Some(Boundary { position: end as u64, before: text[..end].to_vec() }),
        }
    }

    #[test]
    fn a_cut_file_is_read_on_where_a_line_begins() {
        let cases: [(&[u8], usize, LineStart); 5] = [
            (b"one\ntwo\n", 8, LineStart::At(Mark::at(8, b"one\ntwo\n"))),
            (b"one\ntw", 6, LineStart::At(Mark::at(4, b"one\n"))),
            (b"one", 3, LineStart::At(Mark::start())),
            // It grew while it was looked at.
            (b"one\ntwo\n3\n", 6, LineStart::LookAt(4)),
            (b"one two\n3\n", 3, LineStart::LookAt(10)),
        ];
        for (text, position, expected) in cases {
            assert_eq!(line_start(position as u64, &looked_at(text, position)), Some(expected));
        }
        assert_eq!(line_start(9, &looked_at(b"one\n", 9)), None, "cut again");
    }
}

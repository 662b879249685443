//! Files in which other bytes stand where some were delivered, and what their log says of that.
//!
//! The bytes alone do not tell a person with an editor from a log that was truncated and has grown again. Where a log is
//! read as ever after either, nothing here matters; whoever chooses otherwise has said which of the two happens to it.

use super::account::Loss;
use super::action::Millis;
use super::action::{Action, Ask, FileId, FileSeen, Opened};
use super::examination::Examination;
use super::identity::{HEAD_BYTES_MAX, Head, HeadEvidence, Mark, Verdict};
use super::notice::Notice;
use super::options::OnRewrite;
use super::tail::{Birth, Tail};
use crate::event::StreamId;

impl Tail {
    /// What becomes of a file that is none of those that are known: what its log says, if it was one and was rewritten.
    pub fn on_rewrite(
        &self,
        verdicts: &[(StreamId, Verdict)],
        seen: &FileSeen,
        opened: &Opened,
    ) -> OnRewrite {
        let is_rewritten = |(stream, verdict): &(StreamId, Verdict)| match verdict {
            Verdict::Rewritten => self.generations[stream].lines.cursor().position > 0,
            Verdict::Foreign => self.is_edited_copy(*stream, seen, opened),
            Verdict::Same | Verdict::Cut | Verdict::Copy | Verdict::Part => false,
        };
        if opened.size() == 0 || !verdicts.iter().any(is_rewritten) {
            return OnRewrite::Reread;
        }
        let home = || self.home_by_name(&seen.path);
        let log = self.log_of(&seen.path).or_else(|| self.log_of(&home()?));
        log.map_or(OnRewrite::Reread, |log| self.options.logs[log].on_rewrite)
    }

    /// Whether a file took the place of a generation with all of its head: logs begin alike, but not for so long.
    fn is_edited_copy(&self, stream: StreamId, seen: &FileSeen, opened: &Opened) -> bool {
        let generation = &self.generations[&stream];
        self.is_wanted(stream)
            && generation.path.as_ref() == Some(&seen.path)
            && opened.head.len() == HEAD_BYTES_MAX
            && generation.lines.cursor().position >= HEAD_BYTES_MAX as u64
            && generation.head.compare(&opened.head) == HeadEvidence::Equal
    }

    /// Nothing of a rewritten file is read until it is another file; told once.
    pub fn leave_alone(
        &mut self,
        now: Millis,
        id: FileId,
        (seen, opened): (&FileSeen, &Opened),
        actions: &mut Vec<Action>,
    ) {
        if self.left_alone.insert(opened.stat.tuple) {
            self.notices.push(Notice::Rewritten { path: seen.path.clone() });
        }
        self.reject(now, &opened.stat);
        actions.push(Action::Close(id));
    }

    /// What a rewritten file holds is left out, as soon as it is known where it ends.
    pub fn look_for_end(&mut self, id: FileId, seen: FileSeen, actions: &mut Vec<Action>) {
        let examination = Examination { skips: true, ..Examination::of(seen) };
        self.examine(id, (examination, Ask { markers: Vec::new(), boundary: true }), actions);
    }

    /// Goes on behind what a rewritten file holds.
    pub fn begin_behind_rewrite(
        &mut self,
        now: Millis,
        id: FileId,
        (seen, opened): (&FileSeen, Opened),
        actions: &mut Vec<Action>,
    ) {
        let home =
            self.log_of(&seen.path).map(|_| seen.path.clone()).or_else(|| self.home_by_name(&seen.path));
        let log = home.as_ref().and_then(|home| self.log_of(home));
        let (Some(home), Some(log), Some(boundary)) = (home, log, opened.boundary) else {
            actions.push(Action::Close(id));
            self.list_after(now, &seen.path);
            return;
        };
        let mut head = Head::default();
        head.learn(&opened.head);
        let mark = Mark::at(boundary.position, &boundary.before);
        let path = seen.path.clone();
        let Opened { stat, form, .. } = opened;
        let birth = Birth { log, home, path: path.clone(), stat, form, head, mark, file: id };
        let stream = self.begin(now, birth);
        self.generation(stream).books.is_skipped();
        let bytes = boundary.position;
        self.notices.push(Notice::Lost { path, bytes, why: Loss::Skipped });
    }
}

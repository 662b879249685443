//! Names that may lead to somebody else's file: what is refused in a directory in which others may write.
//!
//! Symbolic links never get this far unless their log follows them: the shell opens without them.

use std::path::Path;

use super::action::{Action, FileError, FileId, Millis, Opened, SharedPath};
use super::examination::Examination;
use super::identity::Mark;
use super::notice::Notice;
use super::tail::Tail;
use crate::event::StreamId;
use crate::planted::{self, Bug};

impl Tail {
    /// A path of a log that is never read, whatever time may bring: told once.
    pub fn refuse(&mut self, path: SharedPath, error: FileError) {
        if self.log_of(&path).is_some() && self.told.insert(path.clone()) {
            self.notices.push(Notice::FileFailed { path, error });
        }
    }

    /// Refuses a file that may be another's; whether it did.
    pub fn refuse_anothers(
        &mut self,
        now: Millis,
        id: FileId,
        (examination, opened): (&Examination, &Opened),
        actions: &mut Vec<Action>,
    ) -> bool {
        let path = &examination.seen.path;
        let is_refused = self.may_be_anothers(path, opened, &examination.candidates);
        if is_refused {
            actions.push(Action::Close(id));
            if opened.stat.links > 1 {
                self.refuse(path.clone(), FileError::HardLink);
                self.reject(now, &opened.stat);
            } else {
                // Renamed or replaced while it was opened: it is found under its next name.
                self.list_after(now, path);
            }
        }
        is_refused
    }

    /// Whether a file that nobody knows has further names, so that whoever made this one may have no right to it. A file
    /// that is already followed may get as many as it likes.
    fn may_be_anothers(&self, path: &Path, opened: &Opened, candidates: &[(StreamId, Mark)]) -> bool {
        let is_own = candidates
            .iter()
            .any(|(stream, _)| self.generations.get(stream).is_some_and(|g| g.tuple == opened.stat.tuple));
        if opened.is_sole_name || is_own || planted::is(Bug::HardLinkRead) {
            return false;
        }
        let log = self.log_of(path).or_else(|| self.log_of(&self.home_by_name(path)?));
        log.is_none_or(|log| !self.options.logs[log].links.allow_hard_links)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{EncoderOptions, Site};
    use crate::format::Format;
    use crate::pipeline::action::{FileKind, FileSeen, Form, Listing, Stat};
    use crate::pipeline::identity::Tuple;
    use crate::pipeline::options::{
        Links, LogOptions, Mode, OnReadError, OnRewrite, OpenFiles, PartitionBy, PathMatcher, Rejects, Start,
        Timestamp,
    };
    use crate::pipeline::tail::TailOptions;

    fn tail(links: Links) -> Tail {
        let encoder = EncoderOptions {
            format: Format::combined(),
            site: Site::Fixed("example.net".to_owned()),
            host: "h".to_owned(),
            log: "l".to_owned(),
            rules: Arc::default(),
        };
        let paths = PathMatcher::new(&["/log/*.log".to_owned()], &[]).unwrap();
        let options = TailOptions {
            logs: vec![LogOptions {
                paths,
                archives: PathMatcher::none(),
                encoder,
                topic: 0,
                start: Start::Beginning,
                links,
                line_bytes_max: 1000,
                catch_up_bytes_per_s: None,
                on_rewrite: OnRewrite::default(),
                on_read_error: OnReadError::default(),
                key: 1,
            }],
            mode: Mode::ExactlyOnce,
            partition_by: PartitionBy::File,
            rejects: Rejects::Topic,
            timestamp: Timestamp::Now,
            quiet_grace_ms: 0,
            open_files: OpenFiles { idle: 8, all: 16 },
            deleted_bytes_max: None,
            stream_seed: 1,
        };
        let mut tail = Tail::new(options, None);
        tail.end_hold(&mut Vec::new());
        tail
    }

    fn stat(inode: u64, links: u64) -> Stat {
        Stat { tuple: Tuple { device: 1, inode, birth_ns: Some(1) }, size: 4, modified_ns: 1, links }
    }

    fn path(name: &str) -> SharedPath {
        SharedPath::from(Path::new("/log").join(name))
    }

    /// Shows the directory, and opens whatever is wanted of it with the status that the descriptor has.
    fn look(tail: &mut Tail, files: &[(&str, Stat)], opened: Stat) -> Vec<FileId> {
        let seen =
            |(name, stat): &(&str, Stat)| FileSeen { path: path(name), kind: FileKind::Regular, stat: *stat };
        let files = Ok(files.iter().map(seen).collect());
        let mut actions = Vec::new();
        let directory = SharedPath::from(Path::new("/log"));
        tail.listed(Millis(1), vec![Listing { directory, files, exists: true }], &mut actions);
        let id_of = |action: &Action| if let Action::Open(id, ..) = action { Some(*id) } else { None };
        let ids: Vec<FileId> = actions.iter().filter_map(id_of).collect();
        for id in &ids {
            let opened = Opened {
                stat: opened,
                form: Form::Plain,
                is_sole_name: opened.links == 1,
                head: b"one\n".to_vec(),
                markers: Vec::new(),
                boundary: None,
            };
            tail.opened(Millis(1), *id, Ok(opened), &mut Vec::new());
        }
        ids
    }

    #[test]
    fn row_23_a_file_with_several_names_is_refused_once_until_it_has_one() {
        let mut tail = tail(Links::default());
        let linked = stat(7, 2);
        assert_eq!(look(&mut tail, &[("a.log", linked)], linked).len(), 1);
        assert_eq!(tail.notices, [Notice::FileFailed { path: path("a.log"), error: FileError::HardLink }]);
        assert_eq!(tail.generations.len(), 0);
        assert_eq!(look(&mut tail, &[("a.log", linked)], linked), [], "it did not change");
        let alone = stat(7, 1);
        look(&mut tail, &[("a.log", alone)], alone);
        assert_eq!(tail.generations.len(), 1, "it has one name now");
    }

    #[test]
    fn row_23_what_counts_are_the_names_of_what_was_opened() {
        let mut tail = tail(Links::default());
        look(&mut tail, &[("a.log", stat(7, 1))], stat(8, 2));
        assert_eq!(tail.generations.len(), 0);
    }

    #[test]
    fn row_23_a_file_that_is_followed_may_get_a_second_name_and_has_one_reader() {
        let mut tail = tail(Links::default());
        look(&mut tail, &[("a.log", stat(7, 1))], stat(7, 1));
        let both = [("a.log", stat(7, 2)), ("b.log", stat(7, 2))];
        assert_eq!(look(&mut tail, &both, stat(7, 2)), []);
        assert_eq!(tail.generations.len(), 1);
        assert_eq!(tail.generations.values().next().unwrap().path, Some(path("a.log")));
    }

    #[test]
    fn row_23_where_hard_links_are_allowed_two_names_have_one_reader() {
        let mut tail = tail(Links { allow_hard_links: true, ..Links::default() });
        let both = [("a.log", stat(7, 2)), ("b.log", stat(7, 2))];
        assert_eq!(look(&mut tail, &both, stat(7, 2)).len(), 1);
        assert_eq!(tail.generations.len(), 1);
    }
}

//! Configured paths that match nothing: told once, at the first look at everything, because a mistyped path and a log that
//! the web server has not begun yet look the same from here, and both would be silent.

use std::path::Path;

use super::action::Listing;
use super::notice::Notice;
use super::tail::Tail;

impl Tail {
    /// Tells which paths match nothing, if these are the first listings of everything. A directory that could not be
    /// listed has a notice of its own.
    pub fn tell_unmatched(&mut self, listings: &[Listing]) {
        if !self.sweeping || std::mem::replace(&mut self.unmatched_told, true) {
            return;
        }
        let listing_of = |glob: &str| {
            let directory = Path::new(glob).parent();
            listings.iter().find(|listing| Some(&*listing.directory) == directory)
        };
        for log in &self.options.logs {
            let files = listings.iter().filter_map(|listing| listing.files.as_ref().ok()).flatten();
            for glob in log.paths.unmatched(files.map(|file| &*file.path)) {
                let listing = listing_of(glob);
                if listing.is_some_and(|listing| listing.files.is_err()) {
                    continue;
                }
                let has_directory = listing.is_none_or(|listing| listing.exists);
                self.notices.push(Notice::Unmatched { glob: glob.to_owned(), has_directory });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EncoderOptions, Site};
    use crate::format::Format;
    use crate::pipeline::action::{FileError, FileKind, FileSeen, Millis, SharedPath, Stat};
    use crate::pipeline::identity::Tuple;
    use crate::pipeline::options::{
        Links, LogOptions, Mode, OpenFiles, PartitionBy, PathMatcher, Start, Timestamp,
    };
    use crate::pipeline::tail::TailOptions;

    fn tail(globs: &[&str]) -> Tail {
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        let site = Site::Fixed("example.net".to_owned());
        let log = LogOptions {
            paths: PathMatcher::new(&globs, &["**/*.gz".to_owned()]).unwrap(),
            archives: PathMatcher::none(),
            encoder: EncoderOptions {
                format: Format::combined(),
                site,
                host: "h".into(),
                log: "l".into(),
                rules: std::sync::Arc::default(),
            },
            topic: 0,
            start: Start::Beginning,
            links: Links::default(),
            line_bytes_max: 1000,
            catch_up_bytes_per_s: None,
            on_rewrite: crate::pipeline::options::OnRewrite::default(),
            on_read_error: crate::pipeline::options::OnReadError::default(),
            key: 1,
        };
        let options = TailOptions {
            logs: vec![log],
            mode: Mode::ExactlyOnce,
            partition_by: PartitionBy::File,
            rejects: crate::pipeline::options::Rejects::Topic,
            timestamp: Timestamp::Now,
            quiet_grace_ms: 0,
            open_files: OpenFiles { idle: 8, all: 16 },
            deleted_bytes_max: None,
            stream_seed: 1,
        };
        let mut tail = Tail::new(options, None);
        tail.sweeping = true;
        tail
    }

    fn listing(directory: &str, names: &[&str]) -> Listing {
        let tuple = Tuple { device: 1, inode: 1, birth_ns: None };
        let file = |name: &&str| FileSeen {
            path: SharedPath::from(Path::new(directory).join(name)),
            kind: FileKind::Regular,
            stat: Stat { tuple, size: 0, modified_ns: 0, links: 1 },
        };
        let files = Ok(names.iter().map(file).collect());
        Listing { directory: SharedPath::from(Path::new(directory)), files, exists: true }
    }

    #[test]
    fn a_path_that_matches_nothing_is_told_once() {
        let mut tail = tail(&["/log/a.log", "/log/b*", "/none/x.log", "/secret/x.log", "/sites/*/x.log"]);
        let missing = Listing { exists: false, ..listing("/none", &[]) };
        let refused = Listing { files: Err(FileError::Permission), ..listing("/secret", &[]) };
        let listings = [listing("/log", &["a.log", "b.log.gz"]), missing, refused];
        tail.tell_unmatched(&listings);
        let told: Vec<String> = tail.notices.drain(..).map(|notice| notice.to_string()).collect();
        let expected = [
            "no file matches /log/b* yet; waiting for it",
            "no file matches /none/x.log yet (the directory does not exist); waiting for it",
            "no file matches /sites/*/x.log yet; waiting for it",
        ];
        assert_eq!(told, expected);
        tail.tell_unmatched(&listings);
        assert_eq!(tail.notices, []);
    }

    #[test]
    fn a_link_is_told_once_before_and_after_the_positions_are_known() {
        let mut tail = tail(&["/log/a.log"]);
        let link = || {
            let mut listing = listing("/log", &["a.log", "other"]);
            for file in listing.files.iter_mut().flatten() {
                file.kind = FileKind::SymbolicLink;
            }
            listing
        };
        let mut actions = Vec::new();
        tail.listed(Millis(0), vec![link()], &mut actions);
        tail.end_hold(&mut actions);
        tail.listed(Millis(1), vec![link()], &mut actions);
        let path = SharedPath::from(Path::new("/log/a.log"));
        assert_eq!(tail.notices, [Notice::FileFailed { path, error: FileError::SymbolicLink }]);
        assert!(actions.is_empty(), "nothing is opened: {actions:?}");
    }

    #[test]
    fn one_directory_is_not_everything() {
        let mut tail = tail(&["/log/a.log"]);
        tail.sweeping = false;
        tail.tell_unmatched(&[listing("/other", &[])]);
        assert_eq!(tail.notices, []);
    }
}

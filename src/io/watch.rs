//! Hints that something happened in a directory, through inotify. They may be late, doubled or missing, and say so:
//! whoever gets them looks for himself.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Deadline;
use crate::pipeline::action::SharedPath;
use notify::event::ModifyKind;
use notify::{Config, Event, EventKind, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};

/// File systems that other hosts write to, of which this kernel tells nothing: NFS, SMB in three versions, 9p, FUSE, Ceph,
/// AFS and Lustre, by the magic number of statfs(2).
const REMOTE_FILE_SYSTEMS: [u32; 9] = [
    0x6969,
    0x517B,
    0xFF53_4D42,
    0xFE53_4D42,
    0x0102_1997,
    0x6573_5546,
    0x00C3_6400,
    0x5346_414F,
    0x0BD0_0BD0,
];

/// Watches directories, not files: an idle file costs nothing.
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    pending: Arc<Mutex<Pending>>,
    watched: HashMap<PathBuf, Inode>,
    /// Directories of which there are no hints, because of a limit.
    unwatched: HashSet<SharedPath>,
    wake: Arc<dyn Fn() + Send + Sync>,
    /// Without a watcher the next attempt to get one.
    retry_at: Deadline,
}

/// What changes bytes or names. That a file was opened or closed is no news, and the agent would be told of its own looks: of
/// very many files at a start, that is most of what there is to tell.
const WANTED: EventKindMask = EventKindMask::CREATE
    .union(EventKindMask::REMOVE)
    .union(EventKindMask::MODIFY_DATA)
    .union(EventKindMask::MODIFY_NAME);

/// No hints at all are to be had at present; whoever holds the last instance may give it back.
const RETRY: Duration = Duration::from_secs(60);

/// Device and inode of a watched directory: a new one of the same name needs a new watch.
type Inode = (u64, u64);

/// Of what there are no hints, so that somebody has to look.
#[derive(Debug, PartialEq, Eq)]
pub enum Unwatched {
    /// Of nothing at all.
    Everything,
    /// Of these directories.
    Directories(Vec<SharedPath>),
}

/// What came in since it was last taken; a busy file makes one entry, not one per line.
#[derive(Debug, Default)]
pub struct Pending {
    /// Files that were written to and directories whose entries changed.
    pub paths: HashSet<PathBuf>,
    /// Hints were dropped.
    pub lost: bool,
    /// Of them, what was removed: if it was a watched directory, its watch went with it.
    removed: HashSet<PathBuf>,
    /// Names changed, not only bytes.
    names: bool,
}

impl Watch {
    /// Starts watching nothing yet. `wake` is called when the first hint is waiting to be taken, and when the first
    /// [urgent](Self::is_urgent) one is.
    #[must_use]
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let mut watch = Self {
            watcher: None,
            pending: Arc::default(),
            watched: HashMap::new(),
            unwatched: HashSet::new(),
            wake: Arc::new(wake),
            retry_at: Deadline::NEVER,
        };
        if let Err(error) = watch.open() {
            tracing::warn!(
                "inotify is not to be had ({error}); looking at all files every few seconds instead (raise fs.inotify.max_user_instances)"
            );
        }
        watch
    }

    fn open(&mut self) -> notify::Result<()> {
        self.retry_at = Deadline::after(RETRY);
        let (shared, wake) = (Arc::clone(&self.pending), Arc::clone(&self.wake));
        let tell = move |event: notify::Result<Event>| {
            let mut pending = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let before = pending.urgency();
            pending.take_in(event);
            let now = pending.urgency();
            drop(pending);
            if now > before {
                wake();
            }
        };
        let wanted = Config::default().with_event_kinds(WANTED);
        self.watcher = Some(RecommendedWatcher::new(tell, wanted)?);
        Ok(())
    }

    /// Whether more came in than that files were written to: what a name means may be gone a moment later.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).urgency() == Urgency::Now
    }

    /// Takes what came in.
    #[must_use]
    pub fn take(&mut self) -> Pending {
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        // A directory that is made anew may have the inode of the one before.
        for gone in &pending.removed {
            self.watched.remove(gone);
        }
        pending
    }

    /// Whether all directories that should be watched are.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.watcher.is_some() && self.unwatched.is_empty()
    }

    /// Of what there are no hints.
    #[must_use]
    pub fn unwatched(&self) -> Unwatched {
        if self.watcher.is_none() {
            Unwatched::Everything
        } else {
            Unwatched::Directories(self.unwatched.iter().cloned().collect())
        }
    }

    /// Watches a directory, or the nearest one above it that exists, so that its creation is seen. What failed before is
    /// tried again.
    pub fn ensure(&mut self, directory: &SharedPath) {
        if self.watcher.is_none() && self.retry_at.passed() && self.open().is_ok() {
            tracing::info!("inotify is to be had again");
        }
        let existing = directory.ancestors().find_map(|path| inode_of(path).map(|inode| (path, inode)));
        if let Some((path, inode)) = existing {
            self.watch(directory, path, inode);
        }
    }

    fn watch(&mut self, directory: &SharedPath, path: &Path, inode: Inode) {
        if self.watched.get(path) == Some(&inode) {
            self.unwatched.remove(directory);
            return;
        }
        let Some(watcher) = &mut self.watcher else { return };
        if is_remote(path) {
            if self.unwatched.insert(directory.clone()) {
                tracing::info!(
                    "{} is on a file system that others may write to; looking at it every few seconds",
                    crate::io::terminal::escape(&path.to_string_lossy())
                );
            }
            return;
        }
        if self.watched.remove(path).is_some() {
            // Fails where the old directory is gone, and its watch with it.
            let _ = watcher.unwatch(path);
        }
        match watcher.watch(path, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.watched.insert(path.to_owned(), inode);
                if self.unwatched.remove(directory) {
                    tracing::info!(
                        "watching {} again",
                        crate::io::terminal::escape(&directory.to_string_lossy())
                    );
                }
            }
            Err(error) => {
                if self.unwatched.insert(directory.clone()) {
                    tracing::warn!(
                        "cannot watch {} ({error}); looking at it every few seconds instead (raise fs.inotify.max_user_watches)",
                        crate::io::terminal::escape(&path.to_string_lossy())
                    );
                }
            }
        }
    }
}

/// How soon what came in wants to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Nothing,
    Soon,
    Now,
}

impl Pending {
    fn urgency(&self) -> Urgency {
        if self.names || self.lost {
            Urgency::Now
        } else if self.paths.is_empty() {
            Urgency::Nothing
        } else {
            Urgency::Soon
        }
    }

    fn take_in(&mut self, event: notify::Result<Event>) {
        match event {
            Err(_) => self.lost = true,
            Ok(event) => {
                self.lost |= event.need_rescan();
                match event.kind {
                    EventKind::Modify(ModifyKind::Data(_)) => self.paths.extend(event.paths),
                    EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_)) => self.renamed(&event),
                    EventKind::Remove(_) => {
                        self.renamed(&event);
                        self.removed.extend(event.paths);
                    }
                    EventKind::Modify(ModifyKind::Any | ModifyKind::Metadata(_) | ModifyKind::Other)
                    | EventKind::Access(_)
                    | EventKind::Any
                    | EventKind::Other => {}
                }
            }
        }
    }

    /// Names in a directory are not what they were.
    fn renamed(&mut self, event: &Event) {
        self.names = true;
        let parents = event.paths.iter().filter_map(|path| path.parent()).map(Path::to_owned);
        self.paths.extend(parents.chain(event.paths.clone()));
    }
}

fn is_remote(path: &Path) -> bool {
    let kind = rustix::fs::statfs(path).ok().and_then(|status| u32::try_from(status.f_type).ok());
    kind.is_some_and(|kind| REMOTE_FILE_SYSTEMS.contains(&kind))
}

fn inode_of(path: &Path) -> Option<Inode> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Everything that was hinted at until the wanted path was.
    fn wait_for(watch: &mut Watch, woken: &mpsc::Receiver<()>, wanted: &Path) -> HashSet<PathBuf> {
        let mut seen = HashSet::new();
        while !seen.contains(wanted) {
            woken.recv_timeout(Duration::from_secs(10)).expect("a hint in time");
            seen.extend(watch.take().paths);
        }
        seen
    }

    #[test]
    fn writes_hint_at_the_file_and_renames_at_the_directory() {
        let scratch = tempfile::tempdir().unwrap();
        let (wake, woken) = mpsc::channel();
        let mut watch = Watch::new(move || wake.send(()).unwrap());
        watch.ensure(&SharedPath::from(scratch.path()));
        assert!(watch.is_complete());
        let file = scratch.path().join("access.log");
        std::fs::write(&file, "x").unwrap();
        wait_for(&mut watch, &woken, &file);
        std::fs::rename(&file, scratch.path().join("access.log.1")).unwrap();
        wait_for(&mut watch, &woken, scratch.path());
    }

    /// What a name means may be gone before a write would be looked at.
    #[test]
    fn a_changed_name_is_urgent_though_a_write_waits_to_be_taken() {
        let scratch = tempfile::tempdir().unwrap();
        let (wake, woken) = mpsc::channel();
        let file = scratch.path().join("access.log");
        std::fs::write(&file, "x").unwrap();
        let mut watch = Watch::new(move || wake.send(()).unwrap());
        watch.ensure(&SharedPath::from(scratch.path()));
        for line in ["one", "two"] {
            std::fs::write(&file, line).unwrap();
        }
        woken.recv_timeout(Duration::from_secs(10)).expect("a hint in time");
        assert!(!watch.is_urgent());
        assert!(woken.recv_timeout(Duration::from_millis(100)).is_err(), "it was told of the first write");
        std::fs::rename(&file, scratch.path().join("access.log.1")).unwrap();
        woken.recv_timeout(Duration::from_secs(10)).expect("a hint in time");
        assert!(watch.is_urgent());
        // The new name may be told of a moment later.
        let (mut taken, deadline) = (HashSet::new(), Deadline::after(Duration::from_secs(10)));
        while watch.is_urgent() || taken.len() < 3 {
            assert!(!deadline.passed(), "it was taken: {taken:?}");
            taken.extend(watch.take().paths);
        }
        assert_eq!(taken.len(), 3);
    }

    #[test]
    fn a_directory_that_appears_later_is_seen_from_above() {
        let scratch = tempfile::tempdir().unwrap();
        let (wake, woken) = mpsc::channel();
        let mut watch = Watch::new(move || wake.send(()).unwrap());
        let directory = scratch.path().join("later");
        watch.ensure(&SharedPath::from(&*directory));
        std::fs::create_dir(&directory).unwrap();
        wait_for(&mut watch, &woken, &directory);
        watch.ensure(&SharedPath::from(&*directory));
        let file = directory.join("access.log");
        std::fs::write(&file, "x").unwrap();
        wait_for(&mut watch, &woken, &file);
    }

    #[test]
    fn row_25_a_directory_that_is_made_anew_is_watched_anew_whatever_its_inode() {
        let scratch = tempfile::tempdir().unwrap();
        let (wake, woken) = mpsc::channel();
        let mut watch = Watch::new(move || wake.send(()).unwrap());
        watch.ensure(&SharedPath::from(scratch.path()));
        let directory = scratch.path().join("site");
        for round in 0..3 {
            std::fs::create_dir(&directory).unwrap();
            watch.ensure(&SharedPath::from(&*directory));
            let file = directory.join(format!("access-{round}.log"));
            std::fs::write(&file, "x").unwrap();
            wait_for(&mut watch, &woken, &file);
            std::fs::remove_dir_all(&directory).unwrap();
            wait_for(&mut watch, &woken, &directory);
        }
    }

    /// What the agent does all the time.
    #[test]
    fn a_look_at_a_file_is_no_news() {
        let scratch = tempfile::tempdir().unwrap();
        let (wake, woken) = mpsc::channel();
        let (file, other) = (scratch.path().join("access.log"), scratch.path().join("other.log"));
        std::fs::write(&file, "x").unwrap();
        let mut watch = Watch::new(move || wake.send(()).unwrap());
        watch.ensure(&SharedPath::from(scratch.path()));
        assert_eq!(std::fs::read(&file).unwrap(), b"x");
        std::fs::write(&other, "x").unwrap();
        let seen = wait_for(&mut watch, &woken, &other);
        assert!(!seen.contains(&file), "{seen:?}");
    }

    #[test]
    fn row_32_without_an_instance_everything_is_looked_at_until_there_is_one() {
        let scratch = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(|| {});
        watch.watcher = None;
        watch.retry_at = Deadline::NEVER;
        watch.ensure(&SharedPath::from(scratch.path()));
        assert!(!watch.is_complete());
        assert_eq!(watch.unwatched(), Unwatched::Everything);
        watch.retry_at = Deadline::after(Duration::ZERO);
        watch.ensure(&SharedPath::from(scratch.path()));
        assert!(watch.is_complete());
        assert_eq!(watch.unwatched(), Unwatched::Directories(Vec::new()));
    }

    #[test]
    fn row_32_a_directory_without_a_watch_is_named_until_it_has_one() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = SharedPath::from(scratch.path());
        let mut watch = Watch::new(|| {});
        watch.unwatched.insert(directory.clone());
        assert!(!watch.is_complete());
        assert_eq!(watch.unwatched(), Unwatched::Directories(vec![directory.clone()]));
        watch.ensure(&directory);
        assert!(watch.is_complete());
    }
}

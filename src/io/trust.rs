//! Which symbolic links may be followed on the way to a log, and opening by that rule.
//!
//! Whoever may write in a log directory must not be able to send the agent elsewhere. The directories in front of the first
//! wildcard of a configured path are the administrator's, and links in them are followed. Below them no link is, and the
//! kernel checks that while it opens: nothing can be swapped in between. Where a log says `follow_symlinks`, all are.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, ResolveFlags, SeekFrom, StatxFlags};
use rustix::io::Errno;

use crate::pipeline::options::{LogOptions, PathMatcher};

/// The looks that have to agree take microseconds, and a busy log changes between them now and then: so many attempts find a
/// moment.
const ATTEMPTS_MAX: usize = 100;

/// Looks beside the two that prove a name where every change has a time of its own. Where times are whole seconds, whoever
/// changes names as fast as he can deceives two looks once in ten thousand (ext3), so that one look is deceived once in a
/// hundred, and all eight once in 10^16.
const FURTHER_LOOKS: usize = 6;

/// The rule, for all logs.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Directories below which no link is followed, the longest first.
    roots: Vec<PathBuf>,
    /// Paths that may be links, and the directories below which any may be.
    followed: Vec<(PathMatcher, Vec<PathBuf>)>,
}

impl Trust {
    /// What the logs say.
    #[must_use]
    pub fn new(logs: &[LogOptions]) -> Self {
        let roots = |log: &LogOptions| -> Vec<PathBuf> {
            log.paths.written().chain(log.archives.written()).map(literal_directory).collect()
        };
        let mut all: Vec<PathBuf> = logs.iter().flat_map(roots).collect();
        all.sort_by_key(|root| std::cmp::Reverse(root.components().count()));
        let followed = logs.iter().filter(|log| log.links.follow_symlinks);
        Self { roots: all, followed: followed.map(|log| (log.paths.clone(), roots(log))).collect() }
    }

    /// Whether this path may be a symbolic link.
    #[must_use]
    pub fn follows(&self, path: &Path) -> bool {
        self.followed.iter().any(|(paths, _)| paths.matches(path))
    }

    /// Opens a directory for listing.
    ///
    /// # Errors
    /// It cannot be opened, or a link leads to it that must not be followed.
    pub fn open_directory(&self, directory: &Path) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let may_follow =
            self.followed.iter().flat_map(|(_, roots)| roots).any(|root| directory.starts_with(root));
        let root = self.roots.iter().find(|root| directory.starts_with(root));
        let below = root.and_then(|root| directory.strip_prefix(root).ok().map(|below| (root, below)));
        match below {
            Some((root, below)) if !may_follow && below != Path::new("") => {
                let root = rustix::fs::openat(CWD, root, flags | OFlags::PATH, Mode::empty())?;
                beneath(&root, below, flags)
            }
            // Named as it is, without a wildcard, or by a log that follows links.
            Some(_) | None => rustix::fs::openat(CWD, directory, flags, Mode::empty()),
        }
    }

    /// The directory of a path and the name in it: what the file there is opened by, and asked for its names.
    ///
    /// # Errors
    /// As of [`Trust::open_directory`].
    pub fn place<'a>(&self, path: &'a Path) -> Result<Place<'a>, Errno> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::ISDIR) };
        Ok(Place {
            directory: self.open_directory(parent)?,
            name: Path::new(name),
            follows: self.follows(path),
        })
    }
}

/// A name in a directory that is open: whatever its path leads to meanwhile, this is looked up in the one directory.
#[derive(Debug)]
pub struct Place<'a> {
    directory: OwnedFd,
    name: &'a Path,
    /// Whether the name may be a symbolic link.
    follows: bool,
}

impl Place<'_> {
    /// Opens the file for reading, whatever it is: the caller asks the descriptor. A FIFO does not block.
    ///
    /// # Errors
    /// It cannot be opened, or is a link that must not be followed.
    pub fn open(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if self.follows {
            return rustix::fs::openat(&self.directory, self.name, flags, Mode::empty());
        }
        beneath(&self.directory, self.name, flags)
    }

    /// Whether the name by which a file was opened is the only one it has, or it has none any more.
    ///
    /// The count of names alone proves nothing: a name that was made for somebody else's file and taken away while we opened
    /// it leaves a count of 1. So the name has to lead to the file and the file to have one name at the same time: at two
    /// looks by the name, with no change of the inode from one to the other and a moment in between in which the directory was
    /// not being changed. Kernels from 6.13 on give every change that was looked for a time of its own. Before, and where times
    /// are whole seconds, so many looks have to agree that they do not by chance.
    #[must_use]
    pub fn is_sole_name_of(&self, file: &OwnedFd) -> bool {
        let links = if self.follows { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        let is_only = |name: &Path| is_only(file, (&self.directory, name), links);
        // The kernel is asked for the name it has by now only where it was renamed since.
        is_only(self.name) || name_now(file).is_some_and(|name| is_only(&name))
    }
}

/// What is known of an inode's names at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Names {
    inode: (u32, u32, u64),
    count: u32,
    changed: (i64, u32),
}

impl Names {
    fn of_file(file: &OwnedFd) -> Option<Self> {
        Self::of(file, Path::new(""), AtFlags::EMPTY_PATH)
    }

    fn of(directory: &OwnedFd, path: &Path, flags: AtFlags) -> Option<Self> {
        let status = rustix::fs::statx(directory, path, flags, StatxFlags::BASIC_STATS).ok()?;
        Some(Self {
            inode: (status.stx_dev_major, status.stx_dev_minor, status.stx_ino),
            count: status.stx_nlink,
            changed: (status.stx_ctime.tv_sec, status.stx_ctime.tv_nsec),
        })
    }
}

/// Waits until a change of the directory that is under way is done.
///
/// A name that is being taken away still leads to its file, which has one name less already and perhaps its new time, for as
/// long as the kernel holds the directory's lock (`do_renameat2`, `ext4_rename`). Listing takes that lock, whether entries are
/// left or not.
fn is_settled(directory: &OwnedFd) -> bool {
    let mut few = [MaybeUninit::uninit(); 512];
    !matches!(RawDir::new(directory, &mut few).next(), Some(Err(_)))
}

/// Whether a file has this name in this directory and no other.
fn is_only(file: &OwnedFd, (directory, name): (&OwnedFd, &Path), links: AtFlags) -> bool {
    let by_name = || Names::of(directory, name, links);
    let settled = || if is_settled(directory) { by_name() } else { None };
    // From the end on nothing is left to list; at the start ext4 sorts a block of entries. Not every file system can seek.
    let _ = rustix::fs::seek(directory, SeekFrom::End(0));
    for _ in 0..ATTEMPTS_MAX {
        let Some(before) = Names::of_file(file) else { return false };
        if before.count != 1 {
            return before.count == 0;
        }
        let named = by_name();
        if named.is_none_or(|named| named.inode != before.inode) {
            return false;
        }
        let agrees = |named: Names| (named.inode, named.count) == (before.inode, before.count);
        let is_unchanged = named == Some(before) && settled() == named;
        if is_unchanged && (0..FURTHER_LOOKS).all(|_| settled().is_some_and(agrees)) {
            return true;
        }
    }
    false
}

/// What the file is called by now, if it was renamed since it was opened.
fn name_now(file: &OwnedFd) -> Option<PathBuf> {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    path.file_name().map(PathBuf::from)
}

/// Opens without following any link.
fn beneath(directory: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    match rustix::fs::openat2(directory, path, flags, Mode::empty(), resolve) {
        // Kernels before 5.6, and sandboxes that do not know the call.
        Err(Errno::NOSYS | Errno::PERM) => step_by_step(directory, path, flags),
        result => result,
    }
}

/// The same, a component at a time.
fn step_by_step(directory: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut components = path.components().map(|component| component.as_os_str()).peekable();
    let mut at = rustix::fs::openat(directory, ".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    while let Some(name) = components.next() {
        let is_last = components.peek().is_none();
        let step = if is_last { flags } else { OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC };
        at = rustix::fs::openat(&at, name, step | OFlags::NOFOLLOW, Mode::empty()).map_err(|error| {
            // What a link gives where a directory is asked for.
            let is_link = || {
                let status = rustix::fs::statat(&at, name, AtFlags::SYMLINK_NOFOLLOW);
                status.is_ok_and(|status| rustix::fs::FileType::from_raw_mode(status.st_mode).is_symlink())
            };
            if error == Errno::NOTDIR && is_link() { Errno::LOOP } else { error }
        })?;
    }
    Ok(at)
}

/// The directories of a configured path in front of its first wildcard.
fn literal_directory(glob: &str) -> PathBuf {
    let directory = glob.rsplit_once('/').map_or("", |(directory, _)| directory);
    let literal = directory.split('/').take_while(|part| !super::files::is_glob(part));
    Path::new("/").join(literal.collect::<Vec<_>>().join("/").trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// The log of a scene, what it is renamed to, and the secret.
    const LOG: &str = "logs/alice/access.log";
    const OTHER: &str = "logs/alice/other.log";
    const SECRET: &str = "secret/access.log";

    struct Scene {
        scratch: tempfile::TempDir,
    }

    impl Scene {
        /// `logs/alice/access.log` beside `secret/access.log`.
        fn new() -> Self {
            let scratch = tempfile::tempdir().unwrap();
            for directory in ["logs/alice", "secret"] {
                fs::create_dir_all(scratch.path().join(directory)).unwrap();
                fs::write(scratch.path().join(directory).join("access.log"), directory).unwrap();
            }
            Self { scratch }
        }

        fn path(&self, path: &str) -> PathBuf {
            self.scratch.path().join(path)
        }

        fn link_to_secret(&self, name: &str) {
            fs::hard_link(self.path(SECRET), self.path(name)).unwrap();
        }

        fn rename(&self, from: &str, to: &str) {
            fs::rename(self.path(from), self.path(to)).unwrap();
        }

        fn trust(&self, glob: &str, follow_symlinks: bool) -> Trust {
            let written = self.path(glob).to_str().unwrap().to_owned();
            let paths = PathMatcher::new(std::slice::from_ref(&written), &[]).unwrap();
            let roots = vec![literal_directory(&written)];
            let followed = if follow_symlinks { vec![(paths, roots.clone())] } else { Vec::new() };
            Trust { roots, followed }
        }
    }

    impl Trust {
        fn open_file(&self, path: &Path) -> Result<OwnedFd, Errno> {
            self.place(path)?.open()
        }

        fn is_sole_name(&self, file: &OwnedFd, path: &Path) -> bool {
            self.place(path).is_ok_and(|place| place.is_sole_name_of(file))
        }
    }

    fn kind(result: Result<OwnedFd, Errno>) -> Option<Errno> {
        result.err()
    }

    #[test]
    fn row_50_a_link_in_the_place_of_a_file_is_not_followed_unless_its_log_says_so() {
        let scene = Scene::new();
        let link = scene.path("logs/alice/link.log");
        symlink(scene.path(SECRET), &link).unwrap();
        assert_eq!(kind(scene.trust("logs/alice/*.log", false).open_file(&link)), Some(Errno::LOOP));
        assert_eq!(kind(scene.trust("logs/alice/*.log", true).open_file(&link)), None);
        let other = scene.trust(LOG, true);
        assert_eq!(kind(other.open_file(&link)), Some(Errno::LOOP), "it is of no log that follows links");
    }

    #[test]
    fn row_23_a_name_is_the_only_one_if_it_leads_to_the_file_and_no_other_does() {
        let scene = Scene::new();
        let (path, other) = (scene.path(LOG), scene.path(OTHER));
        let trust = Trust::default();
        let file = trust.open_file(&path).unwrap();
        assert!(trust.is_sole_name(&file, &path));
        fs::hard_link(&path, &other).unwrap();
        assert!(!trust.is_sole_name(&file, &path), "it has two");
        fs::remove_file(&path).unwrap();
        assert!(!trust.is_sole_name(&file, &path), "the one it has is another");
        fs::write(&path, "").unwrap();
        assert!(!trust.is_sole_name(&file, &path), "the name is another file's");
        fs::remove_file(&path).unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(trust.is_sole_name(&file, &path), "it is back");
        let file = trust.open_file(&path).unwrap();
        fs::rename(&path, &other).unwrap();
        assert!(trust.is_sole_name(&file, &path), "it was renamed");
        fs::remove_file(&other).unwrap();
        assert!(trust.is_sole_name(&file, &path), "it has none");
    }

    /// Gives a secret the name of a log, and takes it away again.
    type Attack = fn(&Scene);

    const ATTACKS: [(&str, Attack); 4] = [
        ("replaced", |scene| {
            scene.link_to_secret("spare");
            scene.rename("spare", LOG);
            fs::write(scene.path("spare"), "").unwrap();
            scene.rename("spare", LOG);
        }),
        ("removed", |scene| {
            scene.link_to_secret(LOG);
            fs::remove_file(scene.path(LOG)).unwrap();
        }),
        ("moved away and removed", |scene| {
            scene.link_to_secret(LOG);
            scene.rename(LOG, "spare");
            fs::remove_file(scene.path("spare")).unwrap();
        }),
        ("replaced by a name that is moved", |scene| {
            scene.link_to_secret("spare");
            scene.rename("spare", LOG);
            scene.rename(LOG, OTHER);
            fs::write(scene.path(LOG), "").unwrap();
            scene.rename(LOG, OTHER);
        }),
    ];

    #[test]
    fn row_23_a_name_that_is_taken_away_is_at_no_moment_taken_for_the_only_one() {
        for (attack, swap) in ATTACKS {
            let scene = Scene::new();
            let secret = Trust::default().open_file(&scene.path(SECRET)).unwrap();
            let secret = Names::of_file(&secret).unwrap().inode;
            let _ = fs::remove_file(scene.path(LOG));
            let (mut met, mut taken) = (0_u32, 0_u32);
            let is_over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        swap(&scene);
                    }
                });
                for name in [LOG, OTHER].iter().cycle().take(100_000) {
                    let path = scene.path(name);
                    if let Ok(place) = Trust::default().place(&path)
                        && let Ok(file) = place.open()
                        && Names::of_file(&file).is_some_and(|names| names.inode == secret)
                    {
                        met += 1;
                        taken += u32::from(place.is_sole_name_of(&file));
                    }
                }
                is_over.store(true, Ordering::Relaxed);
            });
            assert!(met > 100, "{attack}: the secret was met {met} times");
            assert_eq!(taken, 0, "{attack}: of {met}");
        }
    }

    #[test]
    fn a_directory_below_a_wildcard_may_not_be_a_link_and_one_in_front_of_it_may() {
        let scene = Scene::new();
        symlink(scene.path("secret"), scene.path("logs/mallory")).unwrap();
        symlink(scene.path("logs"), scene.path("srv")).unwrap();
        let strict = scene.trust("logs/*/access.log", false);
        assert_eq!(kind(strict.open_file(&scene.path(LOG))), None);
        assert_eq!(kind(strict.open_file(&scene.path("logs/mallory/access.log"))), Some(Errno::LOOP));
        assert_eq!(kind(strict.open_directory(&scene.path("logs/mallory"))), Some(Errno::LOOP));
        assert_eq!(
            kind(scene.trust("logs/*/access.log", true).open_directory(&scene.path("logs/mallory"))),
            None
        );
        let through = scene.trust("srv/*/access.log", false);
        assert_eq!(kind(through.open_file(&scene.path("srv/alice/access.log"))), None);
        assert_eq!(kind(through.open_directory(&scene.path("srv/mallory"))), Some(Errno::LOOP));
    }

    #[test]
    fn without_openat2_the_same_is_refused() {
        let scene = Scene::new();
        symlink(scene.path("secret"), scene.path("logs/mallory")).unwrap();
        symlink(scene.path(SECRET), scene.path("logs/alice/link.log")).unwrap();
        let root = rustix::fs::openat(CWD, scene.path("logs"), OFlags::PATH, Mode::empty()).unwrap();
        let open = |path: &str| kind(step_by_step(&root, Path::new(path), OFlags::RDONLY));
        assert_eq!(open("alice/access.log"), None);
        assert_eq!(open("mallory/access.log"), Some(Errno::LOOP));
        assert_eq!(open("alice/link.log"), Some(Errno::LOOP));
    }

    #[test]
    fn the_administrators_part_of_a_path_ends_at_its_first_wildcard() {
        for (glob, directory) in [
            ("/var/log/nginx/access.log", "/var/log/nginx"),
            ("/var/log/*/access.log", "/var/log"),
            ("/srv/**/x/*.log", "/srv"),
            ("/*.log", "/"),
        ] {
            assert_eq!(literal_directory(glob), Path::new(directory), "{glob}");
        }
    }
}

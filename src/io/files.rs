//! Directories and files as the machine wants them looked at: by descriptor, without blocking, without symbolic links.
//!
//! A path is used once, to open; everything else is asked of the descriptor. Nothing is ever written.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use globset::{GlobBuilder, GlobMatcher};
use rustix::fs::{AtFlags, Dir, FileType, Statx, StatxFlags};
use rustix::io::Errno;

use super::lease;
use super::packed::members::Packing;
use super::packed::{Found, Packed};
use super::trust::Trust;
use crate::pipeline::action::{
    Ask, Boundary, Chunk, FileError, FileId, FileKind, FileSeen, Form, Listing, Opened, SharedPath, Stat,
    Weight, Writers,
};
use crate::pipeline::identity::{HEAD_BYTES_MAX, MARKER_BYTES_MAX, Tuple, marker_length};

/// `**` goes down so many directories at most, so that a loop of mounts ends.
const DEPTH_MAX: usize = 16;

/// Pieces in which a file is searched backwards for its last newline.
const BACKWARD_BYTES: usize = 64 * 1024;

/// The descriptors that the machine holds, and one buffer for all that is read from them.
#[derive(Debug, Default)]
pub struct Files {
    trust: Trust,
    open: HashMap<FileId, OpenFile>,
    data: Buffer,
    before: Vec<u8>,
}

/// Memory that is read into again and again. It is set to zero once: for each read of a short file that would cost more than
/// the read.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

/// A descriptor, whether it was opened by the file's only name, and what is known of it if it is compressed.
#[derive(Debug)]
struct OpenFile {
    descriptor: Rc<OwnedFd>,
    is_sole_name: bool,
    packed: Option<Box<Packed>>,
}

impl Files {
    /// Nothing open yet; `trust` says which links may be followed.
    #[must_use]
    pub fn new(trust: Trust) -> Self {
        Self { trust, ..Self::default() }
    }

    /// Other links may be followed from now on; what is open stays open.
    pub fn trust(&mut self, trust: Trust) {
        self.trust = trust;
    }

    /// Opens a regular file and looks at it; of what is compressed at its beginning alone.
    ///
    /// # Errors
    /// It cannot be opened or read, or is not a regular file; nothing stays open then.
    pub fn open(&mut self, id: FileId, path: &Path, ask: &Ask) -> Result<Opened, FileError> {
        let failed = |error| self.error_of(path, error);
        let place = self.trust.place(path).map_err(failed)?;
        let file = place.open().map_err(failed)?;
        let is_sole_name = place.is_sole_name_of(&file);
        let mut file = OpenFile { descriptor: Rc::new(file), is_sole_name, packed: None };
        let opened = file.begin(ask)?;
        self.open.insert(id, file);
        Ok(opened)
    }

    /// Looks again at an open file. As long as nothing comes back it is being unpacked: call it again, with the same wishes.
    ///
    /// # Errors
    /// It cannot be read any more; it is closed then.
    pub fn look(&mut self, id: FileId, ask: &Ask) -> Option<Result<Opened, FileError>> {
        let opened = self.open.get_mut(&id).map_or(Some(Err(FileError::Unknown)), |file| file.look(ask));
        if opened.as_ref().is_some_and(Result::is_err) {
            self.close(id);
        }
        opened
    }

    /// Reads from a position; the bytes before it and the status are taken afterwards, as proof of what was read.
    ///
    /// # Errors
    /// The descriptor cannot be read, or not yet.
    pub fn read(
        &mut self,
        id: FileId,
        position: u64,
        length: usize,
        before: usize,
    ) -> Result<Chunk<'_>, FileError> {
        let open = self.open.get_mut(&id).ok_or(FileError::Unknown)?;
        let file = open.descriptor.as_fd();
        if let Some(packed) = &mut open.packed {
            let (_, stat) = stat_of(file).map_err(error_of)?;
            let form = packed.read((position, length), &stat, (self.data.whole(), &mut self.before))?;
            let (_, stat) = stat_of(file).map_err(error_of)?;
            let (data, before) = (&self.data.bytes, &self.before);
            return Ok(Chunk { data, before, stat, form, is_cut_short: false });
        }
        self.data.make_room(length);
        let (stat, is_cut_short) = loop {
            let read = self.data.read_on(file, position, length);
            let is_cut_short = self.data.filled > 0 && read == Err(FileError::Unreadable);
            let is_at_end = is_cut_short || read? == 0 || self.data.filled == length;
            fill(file, position - before as u64, before, &mut self.before)?;
            let (_, stat) = stat_of(file).map_err(error_of)?;
            // That there is no more the size says too, without another read.
            if is_at_end || position + self.data.filled as u64 == stat.size {
                break (stat, is_cut_short);
            }
        };
        let data = self.data.filled();
        // It was empty when it was opened.
        if position == 0 && Packing::of(data).is_some() {
            return Ok(Chunk { data: &[], before: &[], stat, form: Form::Packed, is_cut_short });
        }
        Ok(Chunk { data, before: &self.before, stat, form: Form::Plain, is_cut_short })
    }

    /// A link that may be followed and leads nowhere is not the same as one that may not.
    fn error_of(&self, path: &Path, error: Errno) -> FileError {
        let error = error_of(error);
        let is_broken = error == FileError::SymbolicLink && self.trust.follows(path);
        if is_broken { FileError::BrokenLink } else { error }
    }

    /// Whether any process may still write to an open file.
    #[must_use]
    pub fn writers(&self, id: FileId) -> Writers {
        self.open.get(&id).map_or(Writers::Possible, |file| lease::writers_of(file.descriptor.as_fd()))
    }

    /// What an open file takes of the disk.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn weigh(&self, id: FileId) -> Result<Weight, FileError> {
        /// What `stx_blocks` counts, whatever the file system's blocks are.
        const BLOCK_BYTES: u64 = 512;
        let file = self.open.get(&id).ok_or(FileError::Unknown)?.descriptor.as_fd();
        let status =
            rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS).map_err(error_of)?;
        Ok(Weight {
            links: status.stx_nlink.into(),
            size: status.stx_size,
            disk_bytes: status.stx_blocks * BLOCK_BYTES,
        })
    }

    /// Closes a descriptor.
    pub fn close(&mut self, id: FileId) {
        self.open.remove(&id);
    }
}

impl Buffer {
    /// Makes room for so many bytes, with none read yet. The memory is kept from read to read, but not that of an unusually
    /// long line.
    fn make_room(&mut self, length: usize) {
        let usual = crate::pipeline::line::READ_BYTES + MARKER_BYTES_MAX;
        if self.bytes.len() > usual && length <= usual {
            self.bytes = Vec::new();
        }
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        self.filled = 0;
    }

    /// Reads once, behind what was read of the `length` bytes from `position` on; how many bytes, 0 at the end of the file.
    fn read_on(&mut self, file: BorrowedFd<'_>, position: u64, length: usize) -> Result<usize, FileError> {
        let count = read_once(file, position + self.filled as u64, &mut self.bytes[self.filled..length])?;
        self.filled += count;
        Ok(count)
    }

    fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// For whoever fills it otherwise.
    fn whole(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl OpenFile {
    /// Looks for the first time.
    fn begin(&mut self, ask: &Ask) -> Result<Opened, FileError> {
        let stat = self.stat()?;
        let head = self.head(&stat)?;
        let Some(packing) = Packing::of(&head) else { return self.look_at(stat, head, ask) };
        let packed = self.packed.insert(Box::new(Packed::new(packing, Rc::clone(&self.descriptor))));
        let (head, markers) = (packed.head()?, Vec::new());
        Ok(Opened {
            stat,
            form: Form::Packed,
            is_sole_name: self.is_sole_name,
            head,
            markers,
            boundary: None,
        })
    }

    fn look(&mut self, ask: &Ask) -> Option<Result<Opened, FileError>> {
        let looked = self.stat().and_then(|stat| {
            let head = self.head(&stat)?;
            let Some(packing) = Packing::of(&head) else {
                self.packed = None;
                return self.look_at(stat, head, ask).map(Some);
            };
            let unknown = || Box::new(Packed::new(packing, Rc::clone(&self.descriptor)));
            let found = match self.packed.get_or_insert_with(unknown).look(ask, &stat) {
                None => return Ok(None),
                Some(found) => found?,
            };
            let Found { form, head, markers, boundary } = found;
            Ok(Some(Opened { stat, form, is_sole_name: self.is_sole_name, head, markers, boundary }))
        });
        looked.transpose()
    }

    /// Its status, if it is a file that may be read.
    fn stat(&self) -> Result<Stat, FileError> {
        let (kind, stat) = stat_of(self.descriptor.as_fd()).map_err(error_of)?;
        kind.refusal().map_or(Ok(stat), Err)
    }

    /// The first bytes, of those that its status knows.
    fn head(&self, stat: &Stat) -> Result<Vec<u8>, FileError> {
        let length = usize::try_from(stat.size).map_or(HEAD_BYTES_MAX, |size| size.min(HEAD_BYTES_MAX));
        read_up_to(self.descriptor.as_fd(), 0, length)
    }

    fn look_at(&self, stat: Stat, head: Vec<u8>, ask: &Ask) -> Result<Opened, FileError> {
        let file = self.descriptor.as_fd();
        let markers = ask.markers.iter().map(|position| marker((file, &head), *position, stat.size));
        let markers = markers.collect::<Result<_, _>>()?;
        let boundary = if ask.boundary { Some(last_boundary(file, stat.size)?) } else { None };
        let is_sole_name = self.is_sole_name;
        Ok(Opened { stat, form: Form::Plain, is_sole_name, head, markers, boundary })
    }
}

/// Lists one directory with the status of everything in it that is not a directory. A link that may be followed is what it
/// leads to.
#[must_use]
pub fn list(directory: &SharedPath, trust: &Trust) -> Listing {
    let (files, exists) = match files_of(directory, trust) {
        Ok(files) => (Ok(files), true),
        Err(Errno::NOENT) => (Ok(Vec::new()), false),
        Err(error) => (Err(error_of(error)), true),
    };
    Listing { directory: directory.clone(), files, exists }
}

fn files_of(directory: &Path, trust: &Trust) -> Result<Vec<FileSeen>, Errno> {
    let handle = trust.open_directory(directory)?;
    let mut files = Vec::new();
    for entry in Dir::read_from(&handle)? {
        let entry = entry?;
        if matches!(entry.file_type(), FileType::Directory)
            || matches!(entry.file_name().to_bytes(), b"." | b"..")
        {
            continue;
        }
        let status = rustix::fs::statx(&handle, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW, statx_flags());
        match status {
            Ok(status) => {
                let path = SharedPath::from(directory.join(OsStr::from_bytes(entry.file_name().to_bytes())));
                let (kind, stat) = (kind_of(&status), convert(&status));
                let file = FileSeen { path, kind, stat };
                let follows = kind == FileKind::SymbolicLink && trust.follows(&file.path);
                files.push(if follows { target_of(&handle, file) } else { file });
            }
            // It went away between the two calls: the next listing will not have it either.
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
    }
    // In one directory paths compare as their texts do, which costs a fraction of taking them apart.
    files.sort_unstable_by(|one, other| one.path.as_os_str().cmp(other.path.as_os_str()));
    Ok(files)
}

/// A followed link as what it leads to.
fn target_of(directory: &OwnedFd, link: FileSeen) -> FileSeen {
    let name = link.path.file_name().unwrap_or_default();
    match rustix::fs::statx(directory, name, AtFlags::empty(), statx_flags()) {
        Ok(status) => FileSeen { kind: kind_of(&status), stat: convert(&status), ..link },
        Err(_) => FileSeen { kind: FileKind::BrokenLink, ..link },
    }
}

fn statx_flags() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::BTIME
}

fn stat_of(file: BorrowedFd<'_>) -> Result<(FileKind, Stat), Errno> {
    let status = rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, statx_flags())?;
    Ok((kind_of(&status), convert(&status)))
}

fn kind_of(status: &Statx) -> FileKind {
    match FileType::from_raw_mode(status.stx_mode.into()) {
        FileType::RegularFile => FileKind::Regular,
        FileType::Symlink => FileKind::SymbolicLink,
        FileType::Directory
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => FileKind::Other,
    }
}

fn convert(status: &Statx) -> Stat {
    let nanoseconds = |seconds: i64, nanoseconds: u32| {
        seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(nanoseconds))
    };
    let has_birth = status.stx_mask & StatxFlags::BTIME.bits() != 0;
    let birth_ns = has_birth.then(|| nanoseconds(status.stx_btime.tv_sec, status.stx_btime.tv_nsec));
    let device = rustix::fs::makedev(status.stx_dev_major, status.stx_dev_minor);
    Stat {
        tuple: Tuple { device, inode: status.stx_ino, birth_ns },
        size: status.stx_size,
        modified_ns: nanoseconds(status.stx_mtime.tv_sec, status.stx_mtime.tv_nsec),
        links: status.stx_nlink.into(),
    }
}

/// The bytes before a position, none if they cannot be read, `None` if the file is shorter. What lies within its head was
/// read with that.
fn marker(
    (file, head): (BorrowedFd<'_>, &[u8]),
    position: u64,
    size: u64,
) -> Result<Option<Vec<u8>>, FileError> {
    if position > size {
        return Ok(None);
    }
    let length = marker_length(position);
    if let Some(known) = usize::try_from(position).ok().and_then(|end| head.get(end - length..end)) {
        return Ok(Some(known.to_vec()));
    }
    match read_up_to(file, position - length as u64, length) {
        Ok(bytes) => Ok((bytes.len() == length).then_some(bytes)),
        Err(FileError::Unreadable) => Ok(Some(Vec::new())),
        Err(error) => Err(error),
    }
}

/// The position behind the last newline of the first `size` bytes.
fn last_boundary(file: BorrowedFd<'_>, size: u64) -> Result<Boundary, FileError> {
    let mut end = size;
    while end > 0 {
        let start = end.saturating_sub(BACKWARD_BYTES as u64);
        let length = usize::try_from(end - start).unwrap_or(BACKWARD_BYTES);
        let bytes = read_up_to(file, start, length)?;
        if let Some(newline) = memchr::memrchr(b'\n', &bytes) {
            let position = start + newline as u64 + 1;
            let length = marker_length(position);
            let before = read_up_to(file, position - length as u64, length)?;
            return Ok(Boundary { position, before });
        }
        end = start;
    }
    Ok(Boundary { position: 0, before: Vec::new() })
}

fn read_up_to(file: BorrowedFd<'_>, position: u64, length: usize) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    fill(file, position, length, &mut bytes)?;
    Ok(bytes)
}

/// Reads until the length or the end of the file is reached, or an error, with what was read before it.
pub(super) fn fill(
    file: BorrowedFd<'_>,
    position: u64,
    length: usize,
    bytes: &mut Vec<u8>,
) -> Result<(), FileError> {
    bytes.resize(length, 0);
    let mut filled = 0;
    let mut result = Ok(());
    while filled < length && result.is_ok() {
        match read_once(file, position + filled as u64, &mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) => result = Err(error),
        }
    }
    bytes.truncate(filled);
    result
}

/// What one read gives, 0 bytes at the end of the file.
fn read_once(file: BorrowedFd<'_>, position: u64, bytes: &mut [u8]) -> Result<usize, FileError> {
    loop {
        match rustix::io::pread(file, &mut *bytes, position) {
            Err(Errno::INTR) => {}
            read => return read.map_err(error_of),
        }
    }
}

pub(super) fn error_of(error: Errno) -> FileError {
    match error {
        Errno::NOENT | Errno::NOTDIR => FileError::NotFound,
        Errno::ACCESS | Errno::PERM => FileError::Permission,
        Errno::MFILE | Errno::NFILE => FileError::TooManyFiles,
        Errno::STALE => FileError::Stale,
        Errno::IO => FileError::Unreadable,
        Errno::LOOP => FileError::SymbolicLink,
        Errno::XDEV | Errno::ISDIR | Errno::NXIO | Errno::NODEV => FileError::NotRegular,
        _ => FileError::Unknown,
    }
}

/// The directories in which a list of globs can match.
#[derive(Debug)]
pub struct Directories {
    globs: Vec<Vec<Component>>,
}

#[derive(Debug)]
enum Component {
    Name(PathBuf),
    Glob(GlobMatcher),
    AnyDepth,
}

impl Directories {
    /// Takes absolute globs apart.
    ///
    /// # Errors
    /// The first glob that is not one.
    pub fn new(globs: &[String]) -> Result<Self, globset::Error> {
        Ok(Self { globs: globs.iter().map(|glob| components(glob)).collect::<Result<_, _>>()? })
    }

    /// Finds them on the disk as it is now. A directory that is named without a glob is among them even if it is missing.
    #[must_use]
    pub fn find(&self) -> Vec<SharedPath> {
        let mut found = BTreeSet::new();
        for glob in &self.globs {
            descend(Path::new("/"), glob, &mut found, 0);
        }
        found.into_iter().map(SharedPath::from).collect()
    }
}

/// Whether one component of a configured path stands for several names.
pub(super) fn is_glob(component: &str) -> bool {
    component.contains(['*', '?', '[', '{', '\\'])
}

fn components(glob: &str) -> Result<Vec<Component>, globset::Error> {
    let directory = glob.rsplit_once('/').map_or("", |(directory, _)| directory);
    let parts = directory.split('/').filter(|part| !part.is_empty());
    let component = |part: &str| match part {
        "**" => Ok(Component::AnyDepth),
        _ if is_glob(part) => GlobBuilder::new(part)
            .literal_separator(true)
            .build()
            .map(|glob| Component::Glob(glob.compile_matcher())),
        _ => Ok(Component::Name(part.into())),
    };
    parts.map(component).collect()
}

fn descend(base: &Path, components: &[Component], found: &mut BTreeSet<PathBuf>, depth: usize) {
    match components.split_first() {
        None => {
            found.insert(base.to_owned());
        }
        Some((Component::Name(name), rest)) => descend(&base.join(name), rest, found, depth),
        Some((Component::Glob(glob), rest)) => {
            for name in directories_of(base).into_iter().filter(|name| glob.is_match(name)) {
                descend(&base.join(name), rest, found, depth);
            }
        }
        Some((Component::AnyDepth, rest)) => {
            descend(base, rest, found, depth);
            if depth < DEPTH_MAX {
                for name in directories_of(base) {
                    descend(&base.join(name), components, found, depth + 1);
                }
            }
        }
    }
}

/// Names of the directories in a directory; none if it cannot be read, which listing it will tell.
fn directories_of(base: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(base) else { return Vec::new() };
    let directories =
        entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.map(|entry| entry.file_name().into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode};
    use std::fs;

    fn scratch() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn listed(directory: &Path) -> Vec<(String, FileKind)> {
        let files = list(&directory.into(), &Trust::default()).files.unwrap();
        files
            .iter()
            .map(|file| (file.path.file_name().unwrap().to_str().unwrap().to_owned(), file.kind))
            .collect()
    }

    #[test]
    fn a_listing_tells_regular_files_from_others_and_leaves_directories_out() {
        let scratch = scratch();
        fs::write(scratch.path().join("access.log"), "x").unwrap();
        fs::create_dir(scratch.path().join("old")).unwrap();
        std::os::unix::fs::symlink("access.log", scratch.path().join("link")).unwrap();
        let expected =
            [("access.log".to_owned(), FileKind::Regular), ("link".to_owned(), FileKind::SymbolicLink)];
        assert_eq!(listed(scratch.path()), expected);
    }

    #[test]
    fn a_missing_directory_is_empty_and_an_unreadable_one_is_an_error() {
        let scratch = scratch();
        let missing = list(&scratch.path().join("none").into(), &Trust::default());
        assert_eq!((missing.files, missing.exists), (Ok(Vec::new()), false));
        fs::write(scratch.path().join("file"), "").unwrap();
        let through_file = list(&scratch.path().join("file").into(), &Trust::default());
        assert_eq!(through_file.files, Err(FileError::NotFound));
    }

    #[test]
    fn symbolic_links_and_fifos_are_never_opened() {
        let scratch = scratch();
        let (file, link, fifo) =
            (scratch.path().join("f"), scratch.path().join("l"), scratch.path().join("p"));
        fs::write(&file, "secret").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let mut files = Files::default();
        assert_eq!(files.open(FileId(1), &link, &Ask::default()), Err(FileError::SymbolicLink));
        assert_eq!(files.open(FileId(2), &fifo, &Ask::default()), Err(FileError::NotRegular));
        assert!(files.open(FileId(3), &file, &Ask::default()).is_ok());
    }

    #[test]
    fn opening_answers_what_was_asked() {
        let scratch = scratch();
        let path = scratch.path().join("access.log");
        fs::write(&path, "one\ntwo\nthr").unwrap();
        let ask = Ask { markers: vec![0, 4, 99], boundary: true };
        let opened = Files::default().open(FileId(1), &path, &ask).unwrap();
        assert_eq!(opened.head, b"one\ntwo\nthr");
        assert_eq!(opened.markers, [Some(Vec::new()), Some(b"one\n".to_vec()), None]);
        assert_eq!(opened.boundary, Some(Boundary { position: 8, before: b"one\ntwo\n".to_vec() }));
    }

    #[test]
    fn a_read_brings_the_bytes_before_it() {
        let scratch = scratch();
        let path = scratch.path().join("access.log");
        fs::write(&path, "0123456789").unwrap();
        let mut files = Files::default();
        files.open(FileId(1), &path, &Ask::default()).unwrap();
        let chunk = files.read(FileId(1), 4, 3, 4).unwrap();
        assert_eq!((chunk.data, chunk.before, chunk.stat.size), (&b"456"[..], &b"0123"[..], 10));
    }

    /// What no disk can be made to do here the kernel does with the memory of a process: where nothing is mapped, reading
    /// its file fails with EIO.
    #[test]
    fn what_stands_before_a_place_that_cannot_be_read_is_read() {
        const PAGE: u64 = 4096;
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let areas = maps.lines().filter_map(|line| {
            let (area, rest) = line.split_once(' ')?;
            let (from, to) = area.split_once('-')?;
            let number = |text| u64::from_str_radix(text, 16).ok();
            Some((number(from)?, number(to)?, rest.starts_with('r')))
        });
        let areas: Vec<(u64, u64, bool)> = areas.collect();
        let before_hole = areas.windows(2).find(|two| two[0].2 && two[0].1 + 2 * PAGE < two[1].0);
        let hole = before_hole.expect("not all memory is mapped")[0].1;
        let mut files = Files::default();
        let descriptor = Rc::new(OwnedFd::from(fs::File::open("/proc/self/mem").unwrap()));
        files.open.insert(FileId(1), OpenFile { descriptor, is_sole_name: true, packed: None });
        let chunk = files.read(FileId(1), hole - PAGE, 8192, 0).unwrap();
        assert_eq!((chunk.data.len(), chunk.is_cut_short), (4096, true));
        let chunk = files.read(FileId(1), hole - PAGE, 4096, 0).unwrap();
        assert_eq!((chunk.data.len(), chunk.is_cut_short), (4096, false));
        assert_eq!(files.read(FileId(1), hole, 100, 0).map(|_| ()), Err(FileError::Unreadable));
        assert_eq!(files.read(FileId(1), hole + PAGE, 100, 256).map(|_| ()), Err(FileError::Unreadable));
        let descriptor = files.open[&FileId(1)].descriptor.clone();
        assert_eq!(marker((descriptor.as_fd(), &[]), hole + 10, u64::MAX), Ok(Some(Vec::new())));
    }

    #[test]
    fn globs_find_their_directories() {
        let scratch = scratch();
        for directory in ["sites/a/logs", "sites/b/logs", "deep/x/y"] {
            fs::create_dir_all(scratch.path().join(directory)).unwrap();
        }
        let root = scratch.path().to_str().unwrap();
        let find = |glob: &str| {
            let found = Directories::new(&[format!("{root}/{glob}")]).unwrap().find();
            found
                .iter()
                .map(|path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(find("*.log"), [""]);
        assert_eq!(find("sites/*/logs/access.log"), ["sites/a/logs", "sites/b/logs"]);
        assert_eq!(find("deep/**/access.log"), ["deep", "deep/x", "deep/x/y"]);
        assert_eq!(find("missing/access.log"), ["missing"]);
    }
}

//! The local state: a cache of what Kafka knows, and the whole truth only in the modes without transactions.
//!
//! Two slots are written in turn, each a file whose room is allocated in advance, so that neither a full disk nor a
//! power cut in the middle of a write can take both. A slot is `VIEWTAIL`, format version, counter, payload length,
//! CRC-32 of all that and the payload. The version before the present one is always readable: version 1 had no accounts.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FallocateFlags, FlockOperation};

use super::clock::Deadline;
use crate::pipeline::account::{Account, Books, End, Losses};
use crate::pipeline::action::SharedPath;
use crate::pipeline::checkpoint::{FileSnapshot, Snapshot};
use crate::pipeline::shard::{Reader, decode_entry, encode_entry};

const MAGIC: &[u8; 8] = b"VIEWTAIL";
const FORMAT_VERSION: u32 = 2;
/// The oldest version that is read.
const FORMAT_VERSION_MIN: u32 = 1;

/// Magic, version, counter, length, checksum.
const HEADER_BYTES: usize = 8 + 4 + 8 + 4 + 4;

/// Room that a slot gets at first and grows by: several hundred files.
const ROOM_BYTES: u64 = 64 * 1024;

/// Larger than any state that can be meant; a damaged length must not exhaust the memory.
const PAYLOAD_BYTES_MAX: u64 = 1 << 30;

const SLOTS: [&str; 2] = ["state.0", "state.1"];
/// How long the lock may still be a process's that was killed or ends: the kernel lets go of what it had a moment after, and a
/// supervisor that starts the next one at once should not have to do so again.
const LEAVING_MAX: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// The agent that wrote it.
    pub agent_id: String,
    /// The machine it ran on.
    pub machine: String,
    /// When it was written, in milliseconds since the epoch.
    pub written_at_ms: u64,
    /// The positions.
    pub snapshot: Snapshot,
}

/// Whether a write has to survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is the truth.
    Synced,
    /// It is a cache; Kafka has the truth.
    Cached,
}

/// Why there is no state directory to work with.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is in use.
    #[error("state directory {} is in use by viewtail with pid {pid}; stop it, or give this one a state_dir of its own", .directory.display())]
    Locked {
        /// The directory.
        directory: PathBuf,
        /// Who holds it, as far as he said.
        pid: String,
    },
    /// A later version wrote it.
    #[error("{} was written by a newer viewtail (state format {version}, this one knows {FORMAT_VERSION}); install that version again", .path.display())]
    Newer {
        /// The slot.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// It cannot be used.
    #[error("cannot use state directory {}: {source}", .directory.display())]
    Io {
        /// The directory.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The state directory, locked for as long as this lives.
#[derive(Debug)]
pub struct StateDir {
    directory: PathBuf,
    _lock: File,
    counter: u64,
    durability: Durability,
    slots: [Option<File>; 2],
    room: [u64; 2],
}

impl StateDir {
    /// Creates and locks the directory and reads what is there.
    ///
    /// # Errors
    /// It is in use, was written by a newer version, or cannot be used.
    pub fn open(directory: &Path, durability: Durability) -> Result<(Self, Option<Saved>), StateError> {
        let failed = |source| StateError::Io { directory: directory.to_owned(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o750).create(directory).map_err(failed)?;
        let lock = lock(directory)?;
        let newest = newest(directory)?;
        let (counter, saved) = newest.map_or((0, None), |(counter, saved)| (counter, Some(saved)));
        let state = Self {
            directory: directory.to_owned(),
            _lock: lock,
            counter,
            durability,
            slots: [None, None],
            room: [0, 0],
        };
        Ok((state, saved))
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes the next slot.
    ///
    /// # Errors
    /// The disk is full or fails; the other slot still holds what was written before.
    pub fn save(&mut self, saved: &Saved) -> io::Result<()> {
        let counter = self.counter + 1;
        let bytes = encode_slot(counter, saved);
        let index = usize::from(counter % 2 == 1);
        let slot = match self.slots[index].take() {
            Some(slot) => slot,
            None => self.open_slot(index)?,
        };
        let written = self.write_slot(index, &slot, &bytes);
        self.slots[index] = Some(slot);
        written?;
        self.counter = counter;
        Ok(())
    }

    fn open_slot(&self, index: usize) -> io::Result<File> {
        let path = self.directory.join(SLOTS[index]);
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
    }

    fn write_slot(&mut self, index: usize, slot: &File, bytes: &[u8]) -> io::Result<()> {
        let needed = (bytes.len() as u64).div_ceil(ROOM_BYTES) * ROOM_BYTES;
        if self.room[index] < needed {
            match rustix::fs::fallocate(slot, FallocateFlags::empty(), 0, needed) {
                // Not every file system can reserve; then a full disk is told at the write.
                Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => self.room[index] = needed,
                Err(error) => return Err(error.into()),
            }
        }
        slot.write_all_at(bytes, 0)?;
        match self.durability {
            Durability::Synced => slot.sync_data(),
            Durability::Cached => Ok(()),
        }
    }
}

/// Reads the newest whole slot without locking: for commands that only look.
///
/// # Errors
/// The slots cannot be read, or a newer version wrote them.
pub fn read(directory: &Path) -> Result<Option<Saved>, StateError> {
    Ok(newest(directory)?.map(|(_, saved)| saved))
}

/// The process that holds the lock of a state directory.
#[must_use]
pub fn holder(directory: &Path) -> Option<i32> {
    let file = File::open(directory.join("lock")).ok()?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => None,
        Err(_) => pid_in(file).parse().ok(),
    }
}

fn lock(directory: &Path) -> Result<File, StateError> {
    let failed = |source| StateError::Io { directory: directory.to_owned(), source };
    let mut options = OpenOptions::new();
    let path = directory.join("lock");
    let mut file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
    let deadline = Deadline::after(LEAVING_MAX);
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(rustix::io::Errno::WOULDBLOCK) if !deadline.passed() => std::thread::sleep(LOOK_EVERY),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(StateError::Locked { directory: directory.to_owned(), pid: pid_in(file) });
            }
            Err(error) => return Err(failed(error.into())),
        }
    }
    // Only for the message that a second agent prints: on a full disk the lock holds without it.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

fn pid_in(mut file: File) -> String {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    if text.trim().is_empty() { "unknown".to_owned() } else { text.trim().to_owned() }
}

fn newest(directory: &Path) -> Result<Option<(u64, Saved)>, StateError> {
    let mut newest: Option<(u64, Saved)> = None;
    for name in SLOTS {
        let path = directory.join(name);
        let found = match std::fs::read(&path) {
            Ok(bytes) => decode_slot(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(StateError::Io { directory: directory.to_owned(), source }),
        };
        match found {
            Slot::Whole(counter, saved) if newest.as_ref().is_none_or(|(best, _)| counter > *best) => {
                newest = Some((counter, *saved));
            }
            Slot::Newer(version) => return Err(StateError::Newer { path, version }),
            // A write that was cut short: the other slot is whole.
            Slot::Whole(..) | Slot::Damaged => {}
        }
    }
    Ok(newest)
}

enum Slot {
    Whole(u64, Box<Saved>),
    Newer(u32),
    Damaged,
}

fn encode_slot(counter: u64, saved: &Saved) -> Vec<u8> {
    let payload = encode(saved);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&counter.to_le_bytes());
    put_length(&mut bytes, payload.len());
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&bytes);
    checksum.update(&payload);
    bytes.extend_from_slice(&checksum.finalize().to_le_bytes());
    bytes.extend_from_slice(&payload);
    bytes
}

fn decode_slot(bytes: &[u8]) -> Slot {
    let mut reader = Reader(bytes);
    let header = (|| {
        let magic: [u8; 8] = reader.take()?;
        let version = u32::from_le_bytes(reader.take()?);
        let counter = u64::from_le_bytes(reader.take()?);
        let length = u32::from_le_bytes(reader.take()?);
        let checksum = u32::from_le_bytes(reader.take()?);
        (magic == *MAGIC).then_some((version, counter, length, checksum))
    })();
    let Some((version, counter, length, checksum)) = header else { return Slot::Damaged };
    if version > FORMAT_VERSION {
        return Slot::Newer(version);
    }
    if version < FORMAT_VERSION_MIN {
        return Slot::Damaged;
    }
    let payload = reader.0.get(..length as usize).filter(|payload| payload.len() as u64 <= PAYLOAD_BYTES_MAX);
    let Some(payload) = payload else { return Slot::Damaged };
    let mut found = crc32fast::Hasher::new();
    found.update(&bytes[..HEADER_BYTES - 4]);
    found.update(payload);
    if found.finalize() != checksum {
        return Slot::Damaged;
    }
    decode(version, payload).map_or(Slot::Damaged, |saved| Slot::Whole(counter, Box::new(saved)))
}

fn encode(saved: &Saved) -> Vec<u8> {
    let Saved { agent_id, machine, written_at_ms, snapshot } = saved;
    let mut out = Vec::new();
    put_bytes(&mut out, agent_id.as_bytes());
    put_bytes(&mut out, machine.as_bytes());
    out.extend_from_slice(&written_at_ms.to_le_bytes());
    out.extend_from_slice(&snapshot.sequence.to_le_bytes());
    put_bytes(&mut out, snapshot.anchor.as_bytes());
    put_bytes(&mut out, snapshot.cluster_id.as_deref().unwrap_or_default().as_bytes());
    put_length(&mut out, snapshot.logs.len());
    for log in &snapshot.logs {
        out.extend_from_slice(&log.to_le_bytes());
    }
    put_length(&mut out, snapshot.files.len());
    for file in &snapshot.files {
        encode_entry(&file.entry, &mut out);
        put_bytes(&mut out, file.home.as_os_str().as_bytes());
        put_bytes(&mut out, file.path.as_os_str().as_bytes());
        out.push(file.is_rotated.into());
        put_books(&mut out, &file.books);
    }
    put_length(&mut out, snapshot.forgotten.len());
    for (path, account) in &snapshot.forgotten {
        put_bytes(&mut out, path.as_os_str().as_bytes());
        put_account(&mut out, account);
    }
    // Behind everything else, because states without it are about.
    for file in &snapshot.files {
        out.extend_from_slice(&file.read_archive.unwrap_or_default().to_le_bytes());
        out.extend_from_slice(&file.modified_ns.to_le_bytes());
    }
    out
}

fn decode(version: u32, payload: &[u8]) -> Option<Saved> {
    let mut reader = Reader(payload);
    let agent_id = take_text(&mut reader)?;
    let machine = take_text(&mut reader)?;
    let written_at_ms = u64::from_le_bytes(reader.take()?);
    let sequence = u64::from_le_bytes(reader.take()?);
    let anchor = take_text(&mut reader)?;
    let cluster_id = Some(take_text(&mut reader)?).filter(|id| !id.is_empty());
    let mut logs = Vec::new();
    for _ in 0..u32::from_le_bytes(reader.take()?) {
        logs.push(u64::from_le_bytes(reader.take()?));
    }
    let mut files = Vec::new();
    for _ in 0..u32::from_le_bytes(reader.take()?) {
        let entry = decode_entry(&mut reader)?;
        let (home, path) = (take_path(&mut reader)?, take_path(&mut reader)?);
        let (is_rotated, books) = match version {
            1 => (home != path, Books::at(entry.mark.position)),
            _ => (reader.take::<1>()? != [0], take_books(&mut reader)?),
        };
        files.push(FileSnapshot { entry, home, path, is_rotated, books, modified_ns: 0, read_archive: None });
    }
    let mut forgotten = Vec::new();
    let accounts = if version == 1 { 0 } else { u32::from_le_bytes(reader.take()?) };
    for _ in 0..accounts {
        forgotten.push((take_path(&mut reader)?, take_account(&mut reader)?));
    }
    for file in files.iter_mut().take_while(|_| !reader.0.is_empty()) {
        file.read_archive = Some(u64::from_le_bytes(reader.take()?)).filter(|size| *size != 0);
        file.modified_ns = i64::from_le_bytes(reader.take()?);
    }
    Some(Saved {
        agent_id,
        machine,
        written_at_ms,
        snapshot: Snapshot { sequence, anchor, cluster_id, logs, files, forgotten },
    })
}

fn put_books(out: &mut Vec<u8>, books: &Books) {
    let Books { began, size, lost, read, reread, end } = books;
    put_numbers(out, [*began, *size, *read, *reread]);
    put_losses(out, lost);
    out.push(end.is_some().into());
    if let Some(End { without_event, lost }) = end {
        put_numbers(out, [*without_event]);
        put_losses(out, lost);
    }
}

fn take_books(reader: &mut Reader<'_>) -> Option<Books> {
    let [began, size, read, reread] = take_numbers(reader)?;
    let lost = take_losses(reader)?;
    let end = if reader.take::<1>()? == [0] {
        None
    } else {
        let [without_event] = take_numbers(reader)?;
        Some(End { without_event, lost: take_losses(reader)? })
    };
    Some(Books { began, size, lost, read, reread, end })
}

fn put_account(out: &mut Vec<u8>, account: &Account) {
    let Account { read, committed, reread, unread, finished, without_event, lost } = account;
    put_numbers(out, [*read, *committed, *reread, *unread, *finished, *without_event]);
    put_losses(out, lost);
}

fn take_account(reader: &mut Reader<'_>) -> Option<Account> {
    let [read, committed, reread, unread, finished, without_event] = take_numbers(reader)?;
    let lost = take_losses(reader)?;
    Some(Account { read, committed, reread, unread, finished, without_event, lost })
}

/// With their number, because a later version may know more reasons.
fn put_losses(out: &mut Vec<u8>, losses: &Losses) {
    put_length(out, losses.iter().count());
    losses.iter().for_each(|(_, bytes)| put_numbers(out, [bytes]));
}

fn take_losses(reader: &mut Reader<'_>) -> Option<Losses> {
    let count = u32::from_le_bytes(reader.take()?);
    let bytes: Option<Vec<u64>> =
        (0..count).map(|_| take_numbers::<1>(reader).map(|[bytes]| bytes)).collect();
    Some(Losses::in_order(&bytes?))
}

fn put_numbers<const N: usize>(out: &mut Vec<u8>, numbers: [u64; N]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

fn take_numbers<const N: usize>(reader: &mut Reader<'_>) -> Option<[u64; N]> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = u64::from_le_bytes(reader.take()?);
    }
    Some(numbers)
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("the state is bounded far below 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn take_bytes<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(reader.take()?) as usize;
    let (bytes, rest) = reader.0.split_at_checked(length)?;
    reader.0 = rest;
    Some(bytes)
}

fn take_text(reader: &mut Reader<'_>) -> Option<String> {
    String::from_utf8(take_bytes(reader)?.to_vec()).ok()
}

fn take_path(reader: &mut Reader<'_>) -> Option<SharedPath> {
    Some(SharedPath::from(Path::new(std::ffi::OsStr::from_bytes(take_bytes(reader)?))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::StreamId;
    use crate::pipeline::account::Loss;
    use crate::pipeline::identity::{Mark, Tuple};
    use crate::pipeline::line::Gap;
    use crate::pipeline::shard::Entry;

    fn saved(sequence: u64, files: u64) -> Saved {
        let ended = Some(End { without_event: 3, lost: Losses::of(Loss::Cut, 4) });
        let account = Account { read: 1, lost: Losses::of(Loss::Deleted, 5), ..Account::default() };
        let file = |n: u64| FileSnapshot {
            entry: Entry {
                stream: StreamId(n),
                home_hash: 3,
                tuple: Tuple { device: 1, inode: n, birth_ns: Some(-5) },
                head_hash: 4,
                mark: Mark { position: n * 100, hash: 5 },
                gap: Gap { bytes: n, ..Gap::default() },
                begun: n.is_multiple_of(2),
            },
            home: SharedPath::from(Path::new("/log/access.log")),
            path: SharedPath::from(Path::new(std::ffi::OsStr::from_bytes(b"/log/\xff.1"))),
            is_rotated: n.is_multiple_of(3),
            books: Books {
                read: n,
                lost: Losses::of(Loss::Cut, 2),
                reread: 1,
                end: ended.filter(|_| n.is_multiple_of(2)),
                ..Books::at(n)
            },
            modified_ns: -9,
            read_archive: n.is_multiple_of(3).then_some(n + 1),
        };
        let snapshot = Snapshot {
            sequence,
            anchor: "page-views".to_owned(),
            cluster_id: Some("c".to_owned()),
            logs: vec![7, 8],
            files: (0..files).map(file).collect(),
            forgotten: vec![(SharedPath::from(Path::new("/log/old")), account)],
        };
        Saved { agent_id: "a".to_owned(), machine: "m".to_owned(), written_at_ms: 9, snapshot }
    }

    fn open(directory: &Path) -> (StateDir, Option<Saved>) {
        StateDir::open(directory, Durability::Synced).unwrap()
    }

    #[test]
    fn what_was_saved_last_comes_back() {
        let scratch = tempfile::tempdir().unwrap();
        let (mut state, none) = open(scratch.path());
        assert_eq!(none, None);
        for sequence in 1..=5 {
            state.save(&saved(sequence, sequence * 1000)).unwrap();
        }
        drop(state);
        let (mut state, found) = open(scratch.path());
        assert_eq!(found, Some(saved(5, 5000)));
        state.save(&saved(6, 1)).unwrap();
        assert_eq!(read(scratch.path()).unwrap(), Some(saved(6, 1)));
    }

    #[test]
    fn every_damaged_byte_of_a_slot_is_noticed_and_the_other_slot_counts() {
        let scratch = tempfile::tempdir().unwrap();
        let (mut state, _) = open(scratch.path());
        state.save(&saved(1, 2)).unwrap();
        state.save(&saved(2, 2)).unwrap();
        drop(state);
        let newest = scratch.path().join(SLOTS[0]);
        let whole = std::fs::read(&newest).unwrap();
        let length = encode_slot(2, &saved(2, 2)).len();
        for at in (0..length).filter(|at| !(8..12).contains(at)) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            std::fs::write(&newest, damaged).unwrap();
            assert_eq!(read(scratch.path()).unwrap(), Some(saved(1, 2)), "byte {at}");
        }
    }

    /// Written by the first version: one agent, one log, one file at position 70 that was renamed.
    const VERSION_1: &str = "\
        564945575441494c010000000500000000000000690000007a83be090100000061010000006d090000000000000003000000\
        000000000100000074000000000100000007000000000000000100000001aa00000000000000030000000400000000000000\
        0500000000000000460109060000002f6c6f672f61080000002f6c6f672f612e31";

    #[test]
    fn the_format_before_is_read_and_its_accounts_begin_at_the_positions() {
        let scratch = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..VERSION_1.len() / 2)
            .map(|at| u8::from_str_radix(&VERSION_1[at * 2..][..2], 16).unwrap())
            .collect();
        std::fs::write(scratch.path().join(SLOTS[1]), bytes).unwrap();
        let found = read(scratch.path()).unwrap().unwrap();
        let file = &found.snapshot.files[0];
        assert_eq!((&*found.agent_id, found.snapshot.sequence, file.entry.mark.position), ("a", 3, 70));
        assert_eq!((file.is_rotated, file.books), (true, Books::at(70)));
        assert_eq!(found.snapshot.forgotten, []);
    }

    #[test]
    fn a_newer_format_is_refused_by_its_version() {
        let scratch = tempfile::tempdir().unwrap();
        let (mut state, _) = open(scratch.path());
        state.save(&saved(1, 1)).unwrap();
        let path = scratch.path().join(SLOTS[1]);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[8] = 9;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(read(scratch.path()), Err(StateError::Newer { version: 9, .. })));
    }

    #[test]
    fn an_agent_that_is_about_to_end_is_waited_for() {
        let scratch = tempfile::tempdir().unwrap();
        let (first, _) = open(scratch.path());
        let ending = std::thread::spawn(move || {
            std::thread::sleep(LEAVING_MAX / 5);
            drop(first);
        });
        open(scratch.path());
        ending.join().unwrap();
    }

    #[test]
    fn a_second_agent_is_told_who_was_first() {
        let scratch = tempfile::tempdir().unwrap();
        assert_eq!(holder(scratch.path()), None);
        let (first, _) = open(scratch.path());
        let error = StateDir::open(scratch.path(), Durability::Cached).unwrap_err();
        let pid = std::process::id();
        assert!(matches!(error, StateError::Locked { pid: found, .. } if found == pid.to_string()));
        assert_eq!(holder(scratch.path()), i32::try_from(pid).ok());
        drop(first);
        assert_eq!(holder(scratch.path()), None);
    }
}

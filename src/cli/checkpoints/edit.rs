//! What `seek` and `reset` make of the positions.

use std::path::Path;

use super::super::setup::Setup;
use super::super::{Exit, Failure};
use super::Change;
use crate::event::{SkipReason, StreamId};
use crate::io::files::Files;
use crate::io::trust::Trust;
use crate::pipeline::account::Books;
use crate::pipeline::action::{Ask, FileError, FileId, Form, Opened};
use crate::pipeline::checkpoint::{FileSnapshot, Snapshot};
use crate::pipeline::identity::{Evidence, Head, Mark, MarkerEvidence, Verdict, judge};
use crate::pipeline::line::Gap;
use crate::pipeline::shard::Entry;

/// A file is searched backwards for a line's start in pieces of this size.
const PIECE_BYTES: u64 = 64 * 1024;

/// Moves one generation to a line's start.
pub fn seek(snapshot: &Snapshot, setup: &Setup, name: &str, position: &str) -> anyhow::Result<Change> {
    let number = find(snapshot, name)?;
    let file = &snapshot.files[number];
    let mut log = Log::open(file, setup)?;
    let wanted = match position {
        "beginning" => 0,
        "end" => u64::MAX,
        number => number
            .parse()
            .map_err(|_| usage(format!("{number:?}: write `beginning`, `end` or a number of bytes")))?,
    };
    let position = log.line_start(wanted)?;
    let entry = log.entry_at(position, &file.entry)?;
    let (before, path) = (file.entry.mark.position, file.path.display());
    let meaning = if position < before {
        format!(
            "{path}: {} bytes from {position} on are sent once more, with the same ids as before",
            before - position
        )
    } else {
        format!(
            "{path}: {} bytes from {before} on are left out, and the next event says so",
            position - before
        )
    };
    let mut moved = snapshot.clone();
    moved.files[number].entry = entry;
    moved.files[number].books = Books::at(position);
    Ok(Change { snapshot: moved, meaning })
}

/// Forgets generations, or all of them and that their logs were ever seen.
pub fn reset(snapshot: &Snapshot, names: &[String], all: bool) -> anyhow::Result<Change> {
    let mut left = snapshot.clone();
    if all {
        (left.files, left.logs) = (Vec::new(), Vec::new());
        let count = snapshot.files.len();
        let meaning = format!(
            "{count} generations are forgotten, and every file is read as `start` says, as if for the first time"
        );
        return Ok(Change { snapshot: left, meaning });
    }
    let mut forgotten = Vec::new();
    for name in names {
        let stream = snapshot.files[find(snapshot, name)?].entry.stream;
        forgotten.push(stream);
    }
    left.files.retain(|file| !forgotten.contains(&file.entry.stream));
    let count = snapshot.files.len() - left.files.len();
    let meaning = format!(
        "{count} of {} generations are forgotten, and read anew from byte 0 with new ids",
        snapshot.files.len()
    );
    Ok(Change { snapshot: left, meaning })
}

/// The generation of a stream's name, or of a path.
///
/// # Errors
/// There is none, or several were last seen at that path.
pub fn find(snapshot: &Snapshot, name: &str) -> anyhow::Result<usize> {
    let stream =
        Some(name).filter(|name| name.len() == 16).and_then(|name| u64::from_str_radix(name, 16).ok());
    let absolute = std::path::absolute(name)?;
    let is_it = |file: &FileSnapshot| match stream {
        Some(stream) => file.entry.stream == StreamId(stream),
        None => *file.path == *absolute,
    };
    let found: Vec<usize> =
        (0..snapshot.files.len()).filter(|number| is_it(&snapshot.files[*number])).collect();
    match found[..] {
        [number] => Ok(number),
        [] => Err(usage(format!("no generation is known as {name}: `viewtail checkpoints list` shows all"))),
        _ => {
            let streams: Vec<String> =
                found.iter().map(|number| snapshot.files[*number].entry.stream.to_string()).collect();
            Err(usage(format!(
                "several generations were last seen at {name}; name one by its stream: {}",
                streams.join(", ")
            )))
        }
    }
}

fn usage(text: String) -> anyhow::Error {
    Failure::new(Exit::Usage, text).into()
}

/// Looks at the open file, and waits while it is being unpacked.
fn look(files: &mut Files, ask: &Ask) -> Result<Opened, FileError> {
    loop {
        if let Some(opened) = files.look(FILE, ask) {
            return opened;
        }
    }
}

/// A generation's file, proven to be it.
struct Log<'a> {
    files: Files,
    opened: Opened,
    path: &'a Path,
}

const FILE: FileId = FileId(0);

impl<'a> Log<'a> {
    fn open(file: &'a FileSnapshot, setup: &Setup) -> anyhow::Result<Self> {
        let path: &Path = &file.path;
        let mut files = Files::new(Trust::new(&setup.logs));
        let position = file.entry.mark.position;
        let ask = Ask { markers: vec![position], boundary: true };
        let opened = files.open(FILE, path, &ask).and_then(|opened| match opened.form {
            Form::Packed => look(&mut files, &ask),
            Form::Plain | Form::Unpacked { .. } => Ok(opened),
        });
        let opened = opened.map_err(|error| failed(path, error))?;
        let entry = &file.entry;
        let marker = match opened.markers.first().and_then(Option::as_ref) {
            Some(before) if entry.mark.fits(before) => MarkerEvidence::Equal,
            Some(_) => MarkerEvidence::Differs,
            None => MarkerEvidence::TooShort,
        };
        let verdict = judge(Evidence {
            tuple: entry.tuple.compare(&opened.stat.tuple),
            head: Head::remembered(position, entry.head_hash).compare(&opened.head),
            marker,
            size: opened.size(),
        });
        // After an import the file is a copy of the one that was read.
        if !matches!(verdict, Verdict::Same | Verdict::Copy) {
            let text = format!(
                "{}: the file there now is another one than stream {}; start the agent once, so that it finds the file again",
                path.display(),
                file.entry.stream
            );
            return Err(Failure::new(Exit::Runtime, text).into());
        }
        Ok(Self { files, opened, path })
    }

    /// The last start of a line that is not behind `wanted`.
    fn line_start(&mut self, wanted: u64) -> anyhow::Result<u64> {
        let last = self.opened.boundary.as_ref().map_or(0, |boundary| boundary.position);
        if wanted != u64::MAX && wanted > self.opened.size() {
            let text = format!("{}: it has only {} bytes", self.path.display(), self.opened.size());
            return Err(usage(text));
        }
        let mut end = wanted.min(last);
        while end > 0 {
            let start = end.saturating_sub(PIECE_BYTES);
            let length = usize::try_from(end - start).unwrap_or(0);
            let piece = self.files.read(FILE, start, length, 0).map_err(|error| failed(self.path, error))?;
            if let Some(newline) = memchr::memrchr(b'\n', piece.data) {
                return Ok(start + newline as u64 + 1);
            }
            end = start;
        }
        Ok(0)
    }

    /// The entry with all its evidence, at another position.
    fn entry_at(&mut self, position: u64, entry: &Entry) -> anyhow::Result<Entry> {
        let ask = Ask { markers: vec![position], boundary: false };
        let opened = look(&mut self.files, &ask).map_err(|error| failed(self.path, error))?;
        let before = opened.markers.into_iter().next().flatten().unwrap_or_default();
        let mut head = Head::default();
        head.learn(&opened.head);
        let Some(head_hash) = head.hash_at(position) else {
            anyhow::bail!("{} became shorter meanwhile", self.path.display());
        };
        let gap = match position.checked_sub(entry.mark.position) {
            Some(skipped) if skipped > 0 => {
                Gap { bytes: entry.gap.bytes + skipped, reason: entry.gap.reason.max(SkipReason::Start) }
            }
            Some(_) => entry.gap,
            None => Gap::default(),
        };
        Ok(Entry { mark: Mark::at(position, &before), head_hash, gap, tuple: opened.stat.tuple, ..*entry })
    }
}

fn failed(path: &Path, error: FileError) -> anyhow::Error {
    let exit = if error == FileError::Permission { Exit::Permission } else { Exit::Runtime };
    Failure::new(exit, format!("{}: {error}", path.display())).into()
}

//! Positions as a file: to move an agent to another host, topic or cluster.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::super::setup::Setup;
use super::super::{Exit, Failure};
use super::Change;
use crate::event::{SkipReason, StreamId};
use crate::pipeline::account::Books;
use crate::pipeline::action::SharedPath;
use crate::pipeline::checkpoint::{FileSnapshot, Snapshot};
use crate::pipeline::identity::{Mark, Tuple};
use crate::pipeline::line::Gap;
use crate::pipeline::shard::Entry;

/// The version written; one that is newer is refused.
const FORMAT_VERSION: u32 = 1;

/// The documented JSON of an export. Numbers that may need 64 bits are hexadecimal text, because many readers of JSON have
/// only 53.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Export {
    format: u32,
    viewtail: String,
    agent: String,
    topic: String,
    sequence: u64,
    generations: Vec<Generation>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Generation {
    stream: Hex,
    position: u64,
    /// Where it was last seen; for a person, and for `show`.
    path: String,
    /// Its path at first sight.
    home: String,
    /// Whether it lost the name it was found by.
    rotated: bool,
    home_hash: Hex,
    device: Hex,
    inode: Hex,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    birth_ns: Option<Hex>,
    head_hash: Hex,
    mark_hash: Hex,
    begun: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    skipped_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    skipped_reason: Option<String>,
    /// When it was last written to; nanoseconds since the epoch, left out if unknown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    modified_ns: Option<Hex>,
    /// Size in bytes of the archive in which it was read to its end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    read_archive: Option<u64>,
}

/// 16 hexadecimal digits.
#[derive(Clone, Copy)]
struct Hex(u64);

impl Serialize for Hex {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number =
            Some(&text).filter(|text| text.len() == 16).and_then(|text| u64::from_str_radix(text, 16).ok());
        number
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not of 16 hexadecimal digits")))
    }
}

/// The text of an export.
///
/// # Errors
/// None that can happen.
pub fn export(snapshot: &Snapshot, agent: &str) -> anyhow::Result<String> {
    let export = Export {
        format: FORMAT_VERSION,
        viewtail: env!("CARGO_PKG_VERSION").to_owned(),
        agent: agent.to_owned(),
        topic: snapshot.anchor.clone(),
        sequence: snapshot.sequence,
        generations: snapshot.files.iter().map(generation).collect(),
    };
    Ok(serde_json::to_string_pretty(&export).context("write the positions as JSON")? + "\n")
}

fn generation(file: &FileSnapshot) -> Generation {
    let Entry { stream, home_hash, tuple, head_hash, mark, gap, begun } = file.entry;
    let has_gap = gap.bytes > 0;
    Generation {
        stream: Hex(stream.0),
        position: mark.position,
        path: file.path.to_string_lossy().into_owned(),
        home: file.home.to_string_lossy().into_owned(),
        rotated: file.is_rotated,
        home_hash: Hex(home_hash.into()),
        device: Hex(tuple.device),
        inode: Hex(tuple.inode),
        birth_ns: tuple.birth_ns.map(|birth| Hex(birth.cast_unsigned())),
        head_hash: Hex(head_hash),
        mark_hash: Hex(mark.hash),
        begun,
        skipped_size: has_gap.then_some(gap.bytes),
        skipped_reason: has_gap.then(|| gap.reason.as_str().to_owned()),
        modified_ns: (file.modified_ns != 0).then(|| Hex(file.modified_ns.cast_unsigned())),
        read_archive: file.read_archive,
    }
}

/// Puts the positions of an export in the place of those that are there.
pub fn import(snapshot: &Snapshot, setup: &Setup, text: &str) -> anyhow::Result<Change> {
    let Export { generations, agent, topic, .. } = parse(text)?;
    let files: Vec<FileSnapshot> = generations.iter().map(file).collect::<anyhow::Result<_>>()?;
    let streams: HashSet<StreamId> = files.iter().map(|file| file.entry.stream).collect();
    if streams.len() < files.len() {
        return Err(refused("a stream is in it twice"));
    }
    let (count, present) = (files.len(), snapshot.files.len());
    let meaning = format!(
        "{count} generations of agent {agent} (topic {topic}) take the place of {present} of agent {}; the agent that they are \
         from must not be started again",
        setup.agent_id
    );
    // What was seen elsewhere is known here: reading too much can be seen, reading too little cannot.
    let logs = setup.logs.iter().map(|log| log.key).collect();
    Ok(Change { snapshot: Snapshot { files, logs, ..snapshot.clone() }, meaning })
}

fn parse(text: &str) -> anyhow::Result<Export> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let version = serde_json::from_str::<Version>(text).map_err(|error| refused(&error.to_string()))?.format;
    if version > FORMAT_VERSION {
        let fact = format!(
            "it has format {version}, and this viewtail knows {FORMAT_VERSION}: use that version's or a newer one"
        );
        return Err(refused(&fact));
    }
    serde_json::from_str(text).map_err(|error| refused(&error.to_string()))
}

fn file(generation: &Generation) -> anyhow::Result<FileSnapshot> {
    let stream = StreamId(generation.stream.0);
    let reason = match &generation.skipped_reason {
        None => SkipReason::default(),
        Some(word) => [SkipReason::Filtered, SkipReason::Start, SkipReason::Hole, SkipReason::Unreadable]
            .into_iter()
            .find(|reason| reason.as_str() == word)
            .ok_or_else(|| refused(&format!("{word:?} of stream {stream} is no reason")))?,
    };
    let home_hash = u32::try_from(generation.home_hash.0)
        .map_err(|_| refused(&format!("home_hash of stream {stream} has more than 32 bits")))?;
    let path = |text: &str| SharedPath::from(Path::new(OsStr::from_bytes(text.as_bytes())));
    Ok(FileSnapshot {
        entry: Entry {
            stream,
            home_hash,
            tuple: Tuple {
                device: generation.device.0,
                inode: generation.inode.0,
                birth_ns: generation.birth_ns.map(|birth| birth.0.cast_signed()),
            },
            head_hash: generation.head_hash.0,
            mark: Mark { position: generation.position, hash: generation.mark_hash.0 },
            gap: Gap { bytes: generation.skipped_size.unwrap_or(0), reason },
            begun: generation.begun,
        },
        home: path(&generation.home),
        path: path(&generation.path),
        is_rotated: generation.rotated,
        books: Books::at(generation.position),
        modified_ns: generation.modified_ns.map_or(0, |modified| modified.0.cast_signed()),
        read_archive: generation.read_archive,
    })
}

fn refused(fact: &str) -> anyhow::Error {
    let text =
        format!("this is no export that can be taken: {fact}; make one with `viewtail checkpoints export`");
    Failure::new(Exit::Configuration, text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let tuple = Tuple { device: u64::MAX, inode: 7, birth_ns: Some(-3) };
        let entry = Entry {
            stream: StreamId(1),
            home_hash: 9,
            tuple,
            head_hash: u64::MAX - 1,
            mark: Mark { position: 5000, hash: 3 },
            gap: Gap { bytes: 12, reason: SkipReason::Hole },
            begun: true,
        };
        let plain = Entry {
            stream: StreamId(2),
            tuple: Tuple { birth_ns: None, ..tuple },
            gap: Gap::default(),
            begun: false,
            ..entry
        };
        let place = |entry: Entry| FileSnapshot {
            home: Path::new("/l/a").into(),
            path: Path::new("/l/a.1").into(),
            is_rotated: entry.begun,
            ..FileSnapshot::nowhere(entry)
        };
        Snapshot {
            sequence: 4,
            anchor: "views".to_owned(),
            files: vec![place(entry), place(plain)],
            ..Snapshot::default()
        }
    }

    #[test]
    fn what_is_exported_is_what_is_imported() {
        let text = export(&snapshot(), "web-1").unwrap();
        let files: Vec<FileSnapshot> =
            parse(&text).unwrap().generations.iter().map(|it| file(it).unwrap()).collect();
        assert_eq!(files, snapshot().files);
    }

    #[test]
    fn what_is_no_export_is_refused_with_its_reason() {
        let text = export(&snapshot(), "web-1").unwrap();
        for (broken, expect) in [
            (text.replace("\"format\": 1", "\"format\": 2"), "it has format 2"),
            (text.replace("\"begun\": true", "\"begun\": 3"), "line"),
            (text.replace("\"position\": 5000,", ""), "position"),
            (text.replace("ffffffffffffffff", "fff"), "16 hexadecimal digits"),
            (text.replace("\"agent\"", "\"agnet\""), "agnet"),
            ("x".to_owned(), "expected value"),
        ] {
            let error = parse(&broken).err().expect("it is broken").to_string();
            assert!(error.contains(expect), "{error}");
        }
        let bad = text.replace("\"hole\"", "\"whole\"");
        let generation = &parse(&bad).unwrap().generations[0];
        assert!(file(generation).unwrap_err().to_string().contains("whole"));
    }
}

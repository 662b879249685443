//! `checkpoints list` and `show`: positions as Kafka has them beside those of the local state. Nothing is fenced, so
//! this may be done while the agent runs.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;

use anyhow::Context as _;
use serde::Serialize;

use super::super::context::Output;
use super::super::setup::Setup;
use super::super::{Context, Exit, Failure};
use super::edit;
use crate::event::StreamId;
use crate::io::kafka::positions;
use crate::io::state;
use crate::io::table::{self, Align};
use crate::io::terminal;
use crate::pipeline::checkpoint::{FileSnapshot, Snapshot};
use crate::pipeline::options::Mode;
use crate::pipeline::resolve::{Fetched, Remote, assemble};
use crate::pipeline::shard::Entry;

/// The documented JSON of `checkpoints list --json`.
#[derive(Serialize)]
struct List {
    agent: String,
    topic: String,
    /// The process that holds the lock.
    pid: Option<i32>,
    /// What the two sides say of each other, for a person.
    verdict: String,
    kafka: Side,
    local: Side,
    generations: Vec<Row>,
}

/// One of the two memories.
#[derive(Serialize)]
struct Side {
    /// The number of its last commit; `null` where it has none.
    sequence: Option<u64>,
    error: Option<String>,
}

#[derive(Serialize)]
struct Row {
    stream: String,
    path: String,
    kafka: Option<u64>,
    local: Option<u64>,
}

/// What both sides know.
struct Known {
    remote: Result<Option<Remote>, String>,
    local: Option<Snapshot>,
}

/// Prints every generation with its positions.
pub fn list(context: &Context, setup: &Setup) -> anyhow::Result<Exit> {
    let known = Known::ask(setup)?;
    let list = List {
        agent: setup.agent_id.clone(),
        topic: setup.anchor(),
        pid: state::holder(&setup.config.agent.state_dir),
        verdict: known.verdict(setup.delivery().mode),
        kafka: Side {
            sequence: known.remote.as_ref().ok().and_then(Option::as_ref).map(|remote| remote.sequence),
            error: known.remote.as_ref().err().cloned(),
        },
        local: Side { sequence: known.local.as_ref().map(|local| local.sequence), error: None },
        generations: known.rows(),
    };
    let mut stdout = anstream::stdout().lock();
    match context.output {
        Output::Json => {
            let line = serde_json::to_string(&list).context("write the positions as JSON")?;
            writeln!(stdout, "{}", terminal::escape_json(&line))?;
        }
        Output::Text => write!(stdout, "{}", text(&list))?,
    }
    stdout.flush()?;
    Ok(if known.remote.is_err() { Exit::Temporary } else { Exit::Ok })
}

/// Prints all that is known of one generation.
pub fn show(context: &Context, setup: &Setup, name: &str) -> anyhow::Result<Exit> {
    let known = Known::ask(setup)?;
    let snapshot = Snapshot { files: known.files(), ..Snapshot::default() };
    let file = &snapshot.files[edit::find(&snapshot, name)?];
    let facts = facts(file, &known);
    let mut stdout = anstream::stdout().lock();
    match context.output {
        Output::Json => {
            let facts: BTreeMap<_, _> = facts.into_iter().collect();
            let line = serde_json::to_string(&facts).context("write the generation as JSON")?;
            writeln!(stdout, "{}", terminal::escape_json(&line))?;
        }
        Output::Text => {
            for (name, value) in facts {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                writeln!(stdout, "{name:<14} {}", terminal::escape(&value))?;
            }
        }
    }
    stdout.flush()?;
    Ok(Exit::Ok)
}

impl Known {
    fn ask(setup: &Setup) -> anyhow::Result<Self> {
        let local = state::read(&setup.config.agent.state_dir)?.map(|saved| saved.snapshot);
        let remote = match setup.delivery().mode {
            Mode::ExactlyOnce => remote(setup)?,
            Mode::AtLeastOnce | Mode::BestEffort => Ok(None),
        };
        Ok(Self { remote, local })
    }

    fn remote_entries(&self) -> impl Iterator<Item = &Entry> {
        self.remote.iter().flatten().flat_map(Remote::entries)
    }

    /// Every generation that one of the two knows, as Kafka has it where it does; only the local state knows paths.
    fn files(&self) -> Vec<FileSnapshot> {
        let local = self.local.iter().flat_map(|local| &local.files);
        let mut files: BTreeMap<StreamId, FileSnapshot> =
            local.map(|file| (file.entry.stream, file.clone())).collect();
        for entry in self.remote_entries() {
            files.entry(entry.stream).or_insert_with(|| FileSnapshot::nowhere(*entry)).entry = *entry;
        }
        let mut files: Vec<FileSnapshot> = files.into_values().collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        files
    }

    fn positions(&self) -> Positions {
        let local = self.local.iter().flat_map(|local| &local.files).map(|file| &file.entry);
        Positions { kafka: by_stream(self.remote_entries()), local: by_stream(local) }
    }

    fn rows(&self) -> Vec<Row> {
        let positions = self.positions();
        let row = |file: FileSnapshot| {
            let (kafka, local) = positions.of(file.entry.stream);
            let path = file.path.to_string_lossy().into_owned();
            Row { stream: file.entry.stream.to_string(), path, kafka, local }
        };
        self.files().into_iter().map(row).collect()
    }

    fn verdict(&self, mode: Mode) -> String {
        if mode != Mode::ExactlyOnce {
            return "without transactions the positions are in the local state alone".to_owned();
        }
        let local = self.local.as_ref().map(|local| local.sequence).filter(|sequence| *sequence > 0);
        let remote = match &self.remote {
            Err(error) => return format!("Kafka's positions are not known: {error}"),
            Ok(remote) => remote.as_ref().map(|remote| remote.sequence),
        };
        match (remote, local) {
            (None, None) => "nothing was committed yet".to_owned(),
            (Some(_), None) => "only Kafka knows positions, and the agent goes on from these".to_owned(),
            (None, Some(_)) => "Kafka lost its positions: the agent goes on from the local ones, and its last transaction may repeat".to_owned(),
            (Some(remote), Some(local)) if remote == local => "Kafka and the local state agree".to_owned(),
            (Some(remote), Some(local)) if remote > local => {
                format!("Kafka is ahead by {} commits, as after a crash: its positions count", remote - local)
            }
            (Some(remote), Some(local)) => format!(
                "Kafka was set back by {} commits: the agent goes on from the local positions, and its last transaction may repeat",
                local - remote
            ),
        }
    }
}

/// The positions of all generations, on both sides.
struct Positions {
    kafka: HashMap<StreamId, u64>,
    local: HashMap<StreamId, u64>,
}

impl Positions {
    /// Kafka's and the local one.
    fn of(&self, stream: StreamId) -> (Option<u64>, Option<u64>) {
        (self.kafka.get(&stream).copied(), self.local.get(&stream).copied())
    }
}

fn by_stream<'a>(entries: impl Iterator<Item = &'a Entry>) -> HashMap<StreamId, u64> {
    entries.map(|entry| (entry.stream, entry.mark.position)).collect()
}

/// What Kafka has, or why that cannot be said now.
///
/// # Errors
/// Kafka's positions cannot be read, now or later: a [`Failure`] with exit 78.
fn remote(setup: &Setup) -> anyhow::Result<Result<Option<Remote>, String>> {
    let options = setup.kafka()?;
    let mut groups = Vec::new();
    let mut needed = 1;
    loop {
        let known = u32::try_from(groups.len()).unwrap_or(needed);
        match positions::committed(&options, known..needed) {
            Ok(more) => groups.extend(more),
            Err(failure) => return Ok(Err(failure.message)),
        }
        match assemble(&groups).map_err(|error| Failure::new(Exit::Configuration, error.to_string()))? {
            Fetched::Absent => return Ok(Ok(None)),
            Fetched::Torn => return Ok(Err("a part of them is missing".to_owned())),
            Fetched::More(groups) => needed = groups,
            Fetched::Complete(remote) => return Ok(Ok(Some(remote))),
        }
    }
}

fn facts(file: &FileSnapshot, known: &Known) -> Vec<(&'static str, serde_json::Value)> {
    let entry = &file.entry;
    let (kafka, local) = known.positions().of(entry.stream);
    let metadata = std::fs::symlink_metadata(&file.path).ok();
    let is_there = metadata.as_ref().is_some_and(|metadata| metadata.ino() == entry.tuple.inode);
    let mut facts = vec![
        ("stream", entry.stream.to_string().into()),
        ("path", file.path.to_string_lossy().into()),
        ("first_path", file.home.to_string_lossy().into()),
        ("kafka", kafka.into()),
        ("local", local.into()),
        ("size", metadata.filter(|_| is_there).map(|metadata| metadata.len()).into()),
        ("device", entry.tuple.device.into()),
        ("inode", entry.tuple.inode.into()),
        ("born_ns", entry.tuple.birth_ns.into()),
        ("events_sent", entry.begun.into()),
    ];
    if entry.gap.bytes > 0 {
        facts.push(("skipped_size", entry.gap.bytes.into()));
        facts.push(("skipped_reason", entry.gap.reason.as_str().into()));
    }
    facts
}

fn text(list: &List) -> String {
    let heading = [
        ("stream", Align::Left),
        ("in Kafka", Align::Right),
        ("local", Align::Right),
        ("last seen at", Align::Left),
    ];
    let position = |position: Option<u64>| position.map_or("-".to_owned(), |position| position.to_string());
    let rows: Vec<Vec<String>> = list
        .generations
        .iter()
        .map(|row| {
            vec![
                row.stream.clone(),
                position(row.kafka),
                position(row.local),
                terminal::escape(&row.path).into_owned(),
            ]
        })
        .collect();
    let running = list.pid.map_or(String::new(), |pid| format!(", running with pid {pid}"));
    let table = if rows.is_empty() { String::new() } else { table::table(&heading, &rows) };
    format!(
        "agent {}, topic {}{running}: {}\n{table}",
        terminal::escape(&list.agent),
        terminal::escape(&list.topic),
        terminal::escape(&list.verdict)
    )
}

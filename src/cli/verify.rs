//! `viewtail verify`: the audit of `crate::verify`, fed from real topics and real logs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::arguments::VerifyArguments;
use super::context::Output;
use super::topics::{self, Needs, Topics};
use super::{Context, Exit, StateView};
use crate::event::StreamId;
use crate::io::kafka::topic::ReadError;
use crate::io::table::{self, Align, BOLD, GREEN, RED, RESET, YELLOW};
use crate::io::terminal;
use crate::verify::{Audit, DiskAudit, FileReport, Report, SourceId};

/// Rows of the table for a person: what is wrong comes first, so that a cut hides only what is well.
const ROWS_MAX: usize = 20;

/// Gaps that are listed for a person; `--json` has all of them.
const GAPS_MAX: usize = 20;

/// Block in which logs are read.
const BLOCK_BYTES: usize = 256 * 1024;

/// Audits the topics and prints the verdict.
pub fn run(context: &Context, arguments: &VerifyArguments) -> anyhow::Result<Exit> {
    // The state directory is only known to a configuration.
    let needs = if arguments.against.is_empty() { Needs::Cluster } else { Needs::StateDir };
    let topics = Topics::resolve(context, (&arguments.brokers, &arguments.topic), needs)?;
    let audit =
        audit_topics(context, &topics).map_err(|error| topics::failure(&error, topics.brokers_from))?;
    let mut report = audit.report();
    if let Some(state_dir) = &topics.state_dir {
        report.compare(compare_files(context, &audit, state_dir, &arguments.against)?);
    }
    print(context, &report)?;
    Ok(if report.ok { Exit::Ok } else { Exit::Runtime })
}

/// Reads topics to their present end into one audit.
fn audit_topics(context: &Context, topics: &Topics) -> Result<Audit, ReadError> {
    let mut audit = Audit::default();
    let mut sources = Sources::default();
    for topic in &topics.names {
        let reader = topics.read(context, topic, &mut |record| {
            audit.feed(sources.id(topic, record.partition), record.value);
        })?;
        for (partition, _) in reader.log_starts()?.into_iter().filter(|(_, start)| *start > 0) {
            audit.retention_began(sources.id(topic, partition));
        }
    }
    Ok(audit)
}

/// Prints the verdict.
pub fn print(context: &Context, report: &Report) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    match context.output {
        Output::Json => {
            writeln!(stdout, "{}", serde_json::to_string(report).context("write the report as JSON")?)?;
        }
        Output::Text => write!(stdout, "{}", text(report))?,
    }
    stdout.flush()?;
    Ok(())
}

/// Numbers for the partitions of all topics.
#[derive(Default)]
struct Sources {
    ids: BTreeMap<(String, i32), SourceId>,
    last: Option<(String, i32, SourceId)>,
}

impl Sources {
    fn id(&mut self, topic: &str, partition: i32) -> SourceId {
        // Records come in runs of one partition: the common case asks for no key.
        if let Some((last_topic, last_partition, id)) = &self.last
            && *last_partition == partition
            && last_topic == topic
        {
            return *id;
        }
        let next = SourceId(u32::try_from(self.ids.len()).unwrap_or(u32::MAX));
        let id = *self.ids.entry((topic.to_owned(), partition)).or_insert(next);
        self.last = Some((topic.to_owned(), partition, id));
        id
    }
}

fn compare_files(
    context: &Context,
    audit: &Audit,
    state_dir: &Path,
    files: &[PathBuf],
) -> anyhow::Result<Vec<FileReport>> {
    let mut reports = Vec::new();
    for (stream, committed, path) in streams_of_files(context, state_dir, files)? {
        let name = path.to_string_lossy().into_owned();
        let mut disk = DiskAudit::new(audit, name, (stream.0, committed));
        let mut file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let size = file.read(&mut block).with_context(|| format!("read {}", path.display()))?;
            if size == 0 {
                break;
            }
            disk.feed(&block[..size]);
        }
        reports.push(disk.finish());
    }
    Ok(reports)
}

/// The generations that these files are and how far they are committed; a file that is none is named and left out.
fn streams_of_files(
    context: &Context,
    state_dir: &Path,
    files: &[PathBuf],
) -> anyhow::Result<Vec<(StreamId, u64, PathBuf)>> {
    let state = StateView::read(state_dir)?.unwrap_or_default();
    let mut found = Vec::with_capacity(files.len());
    for path in files {
        let metadata = std::fs::metadata(path).with_context(|| format!("look at {}", path.display()))?;
        match state.file_of(&metadata) {
            Some(file) => found.push((file.stream, file.position, path.clone())),
            None => {
                let path = terminal::escape(&path.to_string_lossy()).into_owned();
                let state_dir = state_dir.display();
                context.say(&format!(
                    "viewtail: {path}: the state in {state_dir} does not know this file; not compared"
                ));
            }
        }
    }
    Ok(found)
}

/// The verdict for a person.
pub fn text(report: &Report) -> String {
    let mut text = if report.streams.is_empty() { String::new() } else { streams_table(report) };
    text.push_str(&gaps_text(report));
    for file in report.files.iter().flatten() {
        text.push_str(&file_text(file));
    }
    if report.foreign > 0 {
        let records = table::count(report.foreign, "record");
        text.push_str(&format!("{YELLOW}Not audited, because no event of viewtail: {records}.{RESET}\n"));
    }
    text.push_str(&verdict(report));
    text.push('\n');
    text
}

fn streams_table(report: &Report) -> String {
    let mut streams: Vec<_> = report.streams.iter().collect();
    streams
        .sort_by_key(|stream| stream.doubled == 0 && stream.missing_bytes() == 0 && stream.out_of_order == 0);
    let row = |stream: &&crate::verify::StreamReport| {
        let explained: u64 =
            stream.gaps.iter().filter(|gap| gap.reason.is_some()).map(crate::verify::Gap::size).sum();
        let numbers = [
            stream.lines,
            stream.bytes,
            stream.doubled,
            stream.missing_bytes(),
            explained,
            stream.out_of_order,
        ];
        std::iter::once(stream.stream.clone()).chain(numbers.map(table::number)).collect()
    };
    let rows: Vec<Vec<String>> = streams.iter().take(ROWS_MAX).map(row).collect();
    let heading = [
        ("stream", Align::Left),
        ("lines", Align::Right),
        ("bytes", Align::Right),
        ("doubled", Align::Right),
        ("missing bytes", Align::Right),
        ("explained bytes", Align::Right),
        ("out of order", Align::Right),
    ];
    let mut text = table::table(&heading, &rows);
    if streams.len() > ROWS_MAX {
        text.push_str(&format!("and {} more, see --json\n", streams.len() - ROWS_MAX));
    }
    text
}

fn gaps_text(report: &Report) -> String {
    let mut gaps: Vec<_> = report
        .streams
        .iter()
        .flat_map(|stream| stream.gaps.iter().map(move |gap| (&stream.stream, gap)))
        .collect();
    gaps.sort_by_key(|(_, gap)| gap.reason.is_some());
    let mut text = String::new();
    for (stream, gap) in gaps.iter().take(GAPS_MAX) {
        let (color, why) = match gap.reason {
            None => (RED, "missing".to_owned()),
            Some(reason) => (YELLOW, format!("no event: {reason}")),
        };
        let bytes = table::count(gap.size(), "byte");
        text.push_str(&format!("{color}gap{RESET} {stream} {}..{}  {bytes}  {why}\n", gap.from, gap.to));
    }
    if gaps.len() > GAPS_MAX {
        text.push_str(&format!("and {} more gaps, see --json\n", gaps.len() - GAPS_MAX));
    }
    text
}

fn file_text(file: &FileReport) -> String {
    let path = terminal::escape(&file.path);
    let mut text = format!(
        "{path} (stream {}): {} on disk, {} in the topic",
        file.stream,
        table::count(file.lines, "line"),
        table::number(file.delivered_lines)
    );
    if file.explained_lines > 0 {
        text.push_str(&format!(", {} left out with a reason", table::number(file.explained_lines)));
    }
    if file.unsent_lines > 0 {
        text.push_str(&format!(", {} not yet sent", table::number(file.unsent_lines)));
    }
    if let Some((from, to)) = file.first_missing {
        let missing = table::number(file.missing_lines);
        text.push_str(&format!(", {RED}{missing} missing{RESET} (the first at {from}..{to})"));
    }
    text.push('\n');
    text
}

fn verdict(report: &Report) -> String {
    let total = format!(
        "{} in {}",
        table::count(report.lines, "line"),
        table::count(report.streams.len() as u64, "stream")
    );
    if report.streams.is_empty() {
        return format!("{YELLOW}There is nothing to prove: the topic holds no event of viewtail.{RESET}");
    }
    if report.ok {
        return format!(
            "{GREEN}{BOLD}Exactly once:{RESET} {total}, none missing, none doubled, all in order."
        );
    }
    let out_of_order: u64 = report.streams.iter().map(|stream| stream.out_of_order).sum();
    let missing_lines: u64 = report.files.iter().flatten().map(|file| file.missing_lines).sum();
    let mut faults = Vec::new();
    if report.missing_bytes > 0 {
        faults.push(format!("{} missing", table::count(report.missing_bytes, "byte")));
    }
    if missing_lines > 0 {
        faults.push(format!("{} on disk missing", table::count(missing_lines, "line")));
    }
    if report.doubled > 0 {
        faults.push(format!("{} doubled", table::count(report.doubled, "event")));
    }
    if out_of_order > 0 {
        faults.push(format!("{} out of order", table::count(out_of_order, "line")));
    }
    format!("{RED}{BOLD}Not exactly once:{RESET} {total}, {}.", faults.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_keeps_its_number() {
        let mut sources = Sources::default();
        let ids: Vec<SourceId> = [("a", 0), ("a", 1), ("b", 0), ("a", 0), ("b", 0)]
            .map(|(topic, partition)| sources.id(topic, partition))
            .into();
        assert_eq!(ids, [0, 1, 2, 0, 2].map(SourceId));
    }

    #[test]
    fn an_empty_topic_gets_one_sentence() {
        let text = anstream::adapter::strip_str(&text(&Audit::default().report())).to_string();
        assert_eq!(text, "There is nothing to prove: the topic holds no event of viewtail.\n");
    }

    #[test]
    fn the_text_names_what_is_wrong() {
        let mut audit = Audit::default();
        for (start, size) in [(0, 10), (20, 10), (20, 10)] {
            let event = format!(r#"{{"id":"00000000000000aa:{start}","line_size":{size}}}"#);
            audit.feed(SourceId(0), event.as_bytes());
        }
        let text = anstream::adapter::strip_str(&text(&audit.report())).to_string();
        assert!(text.contains("gap 00000000000000aa 10..20  10 bytes  missing"), "{text}");
        assert!(
            text.contains("Not exactly once: 2 lines in 1 stream, 10 bytes missing, 1 event doubled."),
            "{text}"
        );
    }
}

//! `viewtail verify`: the audit of `crate::verify`, fed from real topics and real logs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::arguments::VerifyArguments;
use super::context::Output;
use super::{Context, Exit, Failure, Settings, StateView};
use crate::event::StreamId;
use crate::io::clock::Clock;
use crate::io::kafka::topic::{PartitionRange, ReadError, TopicReader};
use crate::io::table::{self, Align, BOLD, GREEN, RED, RESET, YELLOW};
use crate::io::terminal;
use crate::pipeline::action::Millis;
use crate::verify::{Audit, DiskAudit, FileReport, Report, SourceId};

/// Rows of the table for a person: what is wrong comes first, so that a cut hides only what is well.
const ROWS_MAX: usize = 20;

/// Gaps that are listed for a person; `--json` has all of them.
const GAPS_MAX: usize = 20;

/// Block in which logs are read.
const BLOCK_BYTES: usize = 256 * 1024;

/// How often the progress line changes.
const PROGRESS_MS: u64 = 200;

/// Audits the topics and prints the verdict.
pub fn run(context: &Context, arguments: &VerifyArguments) -> anyhow::Result<Exit> {
    let scope = Scope::resolve(context, arguments)?;
    let audit = audit_topics(context, &scope).map_err(|error| failure(&error, scope.brokers_from))?;
    let mut report = audit.report();
    if let Some(state_dir) = &scope.state_dir {
        report.compare(compare_files(context, &audit, state_dir, &arguments.against)?);
    }
    print(context, &report)?;
    Ok(if report.ok { Exit::Ok } else { Exit::Runtime })
}

/// Reads topics to their present end into one audit.
fn audit_topics(context: &Context, scope: &Scope) -> Result<Audit, ReadError> {
    let mut audit = Audit::default();
    let mut sources = Sources::default();
    for topic in &scope.topics {
        let reader = TopicReader::open(&scope.properties, topic)?;
        warn_of_open_transactions(context, topic, reader.partitions());
        let mut progress = Progress::new(context, topic, reader.partitions());
        let result = reader.read_to_end(&mut |record| {
            audit.feed(sources.id(topic, record.partition), record.value);
            progress.step();
        });
        progress.finish();
        result?;
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

/// Turns a reader's error into the command's; `brokers_from` is the option that named the brokers.
pub fn failure(error: &ReadError, brokers_from: &str) -> Failure {
    match error {
        ReadError::Unreachable { .. } => {
            Failure::new(Exit::Temporary, format!("{error} and that {brokers_from} names them"))
        }
        ReadError::TopicMissing(_) => Failure::new(Exit::Configuration, error.to_string()),
        ReadError::Refused { .. } => Failure::new(Exit::Permission, error.to_string()),
        ReadError::Other { .. } => Failure::new(Exit::Runtime, error.to_string()),
    }
}

/// What is to be read.
struct Scope {
    properties: Vec<(String, String)>,
    /// The option that named the brokers.
    brokers_from: &'static str,
    topics: Vec<String>,
    /// Only for `--against`.
    state_dir: Option<PathBuf>,
}

impl Scope {
    fn resolve(context: &Context, arguments: &VerifyArguments) -> anyhow::Result<Self> {
        let is_told = !arguments.brokers.is_empty() && !arguments.topic.is_empty();
        let settings = if is_told && arguments.against.is_empty() && !context.is_config_given() {
            None
        } else {
            Some(Settings::load(context.config())?)
        };
        let mut properties =
            settings.as_ref().map(|settings| settings.properties.clone()).unwrap_or_default();
        if !arguments.brokers.is_empty() {
            properties.retain(|(name, _)| name != "bootstrap.servers");
            properties.push(("bootstrap.servers".to_owned(), arguments.brokers.join(",")));
        }
        let configured = settings.as_ref().map(|settings| settings.topics.clone()).unwrap_or_default();
        let mut topics = if arguments.topic.is_empty() { configured } else { arguments.topic.clone() };
        // A topic that is named twice would look like one whose every line is doubled.
        topics.sort_unstable();
        topics.dedup();
        let state_dir = settings.filter(|_| !arguments.against.is_empty()).map(|settings| settings.state_dir);
        let brokers_from = if arguments.brokers.is_empty() { "kafka.brokers" } else { "--brokers" };
        Ok(Self { properties, brokers_from, topics, state_dir })
    }
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

fn warn_of_open_transactions(context: &Context, topic: &str, partitions: &[PartitionRange]) {
    let open: Vec<String> = partitions
        .iter()
        .filter(|range| range.high_watermark > range.end)
        .map(|range| format!("{} ({} offsets)", range.partition, range.high_watermark - range.end))
        .collect();
    if !open.is_empty() {
        let topic = terminal::escape(topic);
        context.say(&format!(
            "viewtail: {topic}: a transaction is open in partition {}; what follows its beginning is not audited yet",
            open.join(", ")
        ));
    }
}

/// A line on stderr that overwrites itself.
struct Progress {
    is_shown: bool,
    topic: String,
    /// Offsets to go through: more than there are records, because transaction markers have offsets too.
    offsets: u64,
    records: u64,
    clock: Clock,
    shown_at: Millis,
}

impl Progress {
    fn new(context: &Context, topic: &str, partitions: &[PartitionRange]) -> Self {
        let offsets =
            partitions.iter().map(|range| u64::try_from(range.end - range.log_start).unwrap_or(0)).sum();
        let topic = terminal::escape(topic).into_owned();
        Self {
            is_shown: context.shows_progress(),
            topic,
            offsets,
            records: 0,
            clock: Clock::start(),
            shown_at: Millis(0),
        }
    }

    fn step(&mut self) {
        self.records += 1;
        // The clock is asked once in 1024 records: it must not cost more than the audit.
        if !self.is_shown || !self.records.is_multiple_of(1024) {
            return;
        }
        let now = self.clock.now();
        if now.since(self.shown_at) >= PROGRESS_MS {
            self.shown_at = now;
            let (records, offsets) = (table::number(self.records), table::number(self.offsets));
            eprint!("\r\x1b[Kreading {}: {records} of about {offsets} records", self.topic);
        }
    }

    fn finish(&self) {
        if self.is_shown {
            eprint!("\r\x1b[K");
        }
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
    use crate::cli::Exit;

    #[test]
    fn a_partition_keeps_its_number() {
        let mut sources = Sources::default();
        let ids: Vec<SourceId> = [("a", 0), ("a", 1), ("b", 0), ("a", 0), ("b", 0)]
            .map(|(topic, partition)| sources.id(topic, partition))
            .into();
        assert_eq!(ids, [0, 1, 2, 0, 2].map(SourceId));
    }

    #[test]
    fn a_silent_broker_is_temporary() {
        let error = ReadError::Unreachable { brokers: "b:1".into(), reason: "refused".into() };
        assert_eq!(failure(&error, "kafka.brokers").exit(), Exit::Temporary);
        assert_eq!(
            failure(&ReadError::TopicMissing("t".into()), "kafka.brokers").exit(),
            Exit::Configuration
        );
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

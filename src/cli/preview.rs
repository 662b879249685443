//! `viewtail preview`: the events of a log, exactly as they would be produced.

use std::fs::File;
use std::io::{BufReader, BufWriter, IsTerminal as _, Read, Seek as _, SeekFrom, Write};
use std::path::Path;

use anyhow::Context as _;

use super::arguments::PreviewArguments;
use super::lines::{LINE_BYTES_DEFAULT, read_line};
use super::settings::{self, LogSource};
use super::{Context, Exit, Failure, Settings};
use crate::event::{Encoded, Encoder, Place, Reason, SkipReason, StreamId};
use crate::io::archive::Archive;
use crate::io::{table, terminal};

/// Lines of each configured log that are shown without FILE.
const TAIL_LINES: usize = 10;

/// Block in which the end of a log is searched for lines.
const TAIL_BLOCK_BYTES: u64 = 64 * 1024;

/// Prints the events.
pub fn run(context: &Context, arguments: &PreviewArguments) -> anyhow::Result<Exit> {
    let stdout = std::io::stdout().lock();
    let reader = if stdout.is_terminal() { Reader::Terminal } else { Reader::Program };
    let mut preview = Preview { output: BufWriter::new(stdout), reader, summary: Summary::default() };
    match arguments.file.as_deref() {
        None => preview_configured(context, &mut preview)?,
        Some(path) => preview_file(context, arguments, path, &mut preview)?,
    }
    preview.output.flush().context("write the events")?;
    context.say(&preview.summary.text());
    Ok(Exit::Ok)
}

/// The last lines of each configured log.
fn preview_configured(context: &Context, preview: &mut Preview<impl Write>) -> anyhow::Result<()> {
    let settings = Settings::load(context.config())?;
    say_foreign_ids(context, &settings);
    for log in &settings.logs {
        for path in &log.files {
            context.say(&format!("viewtail: {}", terminal::escape(&path.to_string_lossy())));
            let archive = Archive::open(path).with_context(|| format!("open {}", path.display()))?;
            if archive.is_packed() {
                context.say("viewtail: compressed, and nothing of it is shown here: viewtail preview FILE shows all of it");
                continue;
            }
            let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
            let start =
                tail_start(&mut file, TAIL_LINES).with_context(|| format!("read {}", path.display()))?;
            file.seek(SeekFrom::Start(start)).with_context(|| format!("read {}", path.display()))?;
            preview.lines(BufReader::new(file), start, &mut Encoder::new(log.encoder.clone())?)?;
        }
    }
    if settings.logs.iter().all(|log| log.files.is_empty()) {
        let config = context.config().display();
        let text = format!("{config}: no file matches `paths`; name a FILE, or correct the paths");
        return Err(Failure::new(Exit::Runtime, text).into());
    }
    Ok(())
}

/// All lines of one file, or of stdin.
fn preview_file(
    context: &Context,
    arguments: &PreviewArguments,
    path: &Path,
    preview: &mut Preview<impl Write>,
) -> anyhow::Result<()> {
    let mut encoder = Encoder::new(source(context, arguments, path)?.encoder)?;
    if path == Path::new("-") {
        return preview.lines(BufReader::new(std::io::stdin().lock()), 0, &mut encoder);
    }
    let log = Archive::open(path).with_context(|| format!("open {}", path.display()))?;
    preview.lines(BufReader::new(log), 0, &mut encoder)
}

/// How the lines of FILE become events: as the options say, else as the configured log that has it, else as the first one.
fn source(context: &Context, arguments: &PreviewArguments, path: &Path) -> anyhow::Result<LogSource> {
    let Some(format) = &arguments.format else {
        if !context.is_config_given() && !context.config().exists() {
            let config = context.config().display();
            let text = format!(
                "{config}: it does not exist, so the log's format is not known; say it with --format combined, or name a configuration with -c"
            );
            return Err(Failure::new(Exit::Configuration, text).into());
        }
        let settings = Settings::load(context.config())?;
        say_foreign_ids(context, &settings);
        let mut logs = settings.logs;
        let index = logs.iter().position(|log| log.files.iter().any(|file| file == path)).unwrap_or(0);
        if index >= logs.len() {
            let config = context.config().display();
            return Err(
                Failure::new(Exit::Configuration, format!("{config}: it has no `logs:`; add one")).into()
            );
        }
        let mut log = logs.swap_remove(index);
        if let Some(site) = &arguments.site {
            log.encoder.site = crate::event::Site::Fixed(site.clone());
        }
        return Ok(log);
    };
    Ok(LogSource {
        files: Vec::new(),
        refused: Vec::new(),
        encoder: settings::encoder_options(format, arguments.site.as_deref())?,
    })
}

/// Where ids are shown, it matters that they are others than in the topic.
fn say_foreign_ids(context: &Context, settings: &Settings) {
    if let Some(reason) = &settings.foreign_ids {
        context.say(&format!("viewtail: {}", terminal::escape(reason)));
    }
}

/// Where events go, and what was seen.
struct Preview<W> {
    output: W,
    reader: Reader,
    summary: Summary,
}

/// Who reads the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// Gets the exact bytes of the records.
    Program,
    /// Obeys some characters that JSON lets through: they are escaped, which leaves the value as it is.
    Terminal,
}

impl<W: Write> Preview<W> {
    /// Prints the event of every line; the first one stands at `position`.
    fn lines<R: Read>(
        &mut self,
        mut input: BufReader<R>,
        position: u64,
        encoder: &mut Encoder,
    ) -> anyhow::Result<()> {
        let (mut line, mut event, mut position) = (Vec::new(), Vec::new(), position);
        let mut filtered = 0;
        loop {
            line.clear();
            let span = read_line(&mut input, LINE_BYTES_DEFAULT, &mut line).context("read the log")?;
            if span.size == 0 {
                return Ok(());
            }
            let place = Place {
                stream: StreamId(0),
                position,
                line_size: span.size,
                skipped: (filtered > 0).then_some((filtered, SkipReason::Filtered)),
                partial: !span.is_terminated,
                truncated: span.is_truncated,
            };
            event.clear();
            let encoded = encoder.encode(&line, &place, &mut event);
            if encoder.lets_out(&encoded) {
                filtered = 0;
                self.event(&event).context("write the events")?;
            } else {
                filtered += span.size;
            }
            self.summary.add(&encoded);
            position += span.size;
            // Behind a pipe that still runs, an event is shown as soon as its line is there.
            if input.buffer().is_empty() {
                self.output.flush().context("write the events")?;
            }
        }
    }

    fn event(&mut self, event: &[u8]) -> std::io::Result<()> {
        match self.reader {
            Reader::Program => self.output.write_all(event)?,
            Reader::Terminal => {
                let text = String::from_utf8_lossy(event);
                self.output.write_all(terminal::escape_json(&text).as_bytes())?;
            }
        }
        self.output.write_all(b"\n")
    }
}

/// What the summary says.
#[derive(Clone, Copy, Debug, Default)]
struct Summary {
    lines: u64,
    views: u64,
    /// By the place of the reason in [`Reason::ALL`].
    excluded: [u64; Reason::ALL.len()],
}

impl Summary {
    fn add(&mut self, encoded: &Encoded) {
        self.lines += 1;
        self.views += u64::from(encoded.view);
        for (reason, count) in Reason::ALL.iter().zip(&mut self.excluded) {
            *count += u64::from(encoded.reason == Some(*reason));
        }
    }

    fn text(&self) -> String {
        let counted: Vec<(Reason, u64)> = Reason::ALL.into_iter().zip(self.excluded).collect();
        let malformed: u64 =
            counted.iter().filter(|(reason, _)| *reason == Reason::Malformed).map(|(_, count)| count).sum();
        let others = counted.iter().filter(|(reason, count)| *reason != Reason::Malformed && *count > 0);
        let others: String = others
            .map(|(reason, count)| format!(", {} {}", table::number(*count), reason.as_str()))
            .collect();
        format!(
            "viewtail: {}: {} parsed, {} malformed; {}{others}",
            table::count(self.lines, "line"),
            table::number(self.lines - malformed),
            table::number(malformed),
            table::count(self.views, "page view"),
        )
    }
}

/// Where the last `lines` lines of a file start.
fn tail_start(file: &mut File, lines: usize) -> std::io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut wanted = lines;
    let mut is_at_end = true;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(TAIL_BLOCK_BYTES);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        Read::by_ref(file).take(end - start).read_to_end(&mut block)?;
        for at in memchr::memrchr_iter(b'\n', &block) {
            // The terminator of the very last line starts no line.
            let is_last = is_at_end && at + 1 == block.len();
            is_at_end = false;
            if is_last {
                continue;
            }
            wanted -= 1;
            if wanted == 0 {
                return Ok(start + at as u64 + 1);
            }
        }
        is_at_end = false;
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_escapes_and_a_pipe_the_records_bytes() {
        let line = "no access log \u{9b}31m \u{202e}gpj.exe ä\n";
        let events = [Reader::Program, Reader::Terminal].map(|reader| {
            let mut preview = Preview { output: Vec::new(), reader, summary: Summary::default() };
            let mut encoder =
                Encoder::new(settings::encoder_options("combined", Some("s")).unwrap()).unwrap();
            preview.lines(BufReader::new(line.as_bytes()), 0, &mut encoder).unwrap();
            String::from_utf8(preview.output).unwrap()
        });
        let [exact, escaped] = &events;
        assert!(exact.contains(line.trim_end()), "{exact}");
        assert!(escaped.contains(r"no access log \u009b31m \u202egpj.exe ä"), "{escaped}");
        let value = |event: &str| serde_json::from_str::<serde_json::Value>(event).unwrap();
        assert_eq!(value(exact), value(escaped));
    }

    #[test]
    fn the_tail_starts_at_a_line() {
        let mut file = tempfile::tempfile().unwrap();
        assert_eq!(tail_start(&mut file, 2).unwrap(), 0);
        file.write_all(b"one\ntwo\nthree\n").unwrap();
        assert_eq!(tail_start(&mut file, 2).unwrap(), 4);
        assert_eq!(tail_start(&mut file, 3).unwrap(), 0);
        assert_eq!(tail_start(&mut file, 9).unwrap(), 0);
        file.write_all(b"unfinished").unwrap();
        assert_eq!(tail_start(&mut file, 1).unwrap(), 14);
        let long = vec![b'x'; 200_000];
        file.write_all(&long).unwrap();
        assert_eq!(tail_start(&mut file, 2).unwrap(), 8);
    }
}

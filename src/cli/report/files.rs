//! A report's events from log files: plain or compressed, in any order, each by the format of the log that it belongs to.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::Counted;
use crate::cli::arguments::ReportArguments;
use crate::cli::lines::{LINE_BYTES_DEFAULT, read_line};
use crate::cli::setup::Setup;
use crate::cli::{Context, Exit, Failure, Settings, settings};
use crate::event::{Encoder, EncoderOptions, Place, Site, StreamId};
use crate::io::archive::Archive;
use crate::io::progress::Progress;
use crate::pipeline::action::COMPRESSED_ENDINGS;
use crate::pipeline::options::PathMatcher;
use crate::report::Tally;

/// So many lines are read between two looks at the progress: a look must cost nothing.
const LINES_PER_LOOK: u64 = 4096;

/// Counts the lines of the files that were named, or of those that are configured.
pub fn count(context: &Context, arguments: &ReportArguments) -> anyhow::Result<Counted> {
    let (logs, files) = logs_and_files(context, arguments)?;
    let sizes = files.iter().filter(|path| !is_stdin(path)).filter_map(|path| std::fs::metadata(path).ok());
    let bytes = sizes.filter(std::fs::Metadata::is_file).map(|metadata| metadata.len()).sum();
    let progress = if context.shows_progress() { Progress::over_bytes(bytes) } else { Progress::none() };
    let mut counting =
        Counting { logs: &logs, encoders: HashMap::new(), counted: Counted::default(), progress, done: 0 };
    for path in &files {
        counting.file(path)?;
    }
    counting.progress.finish();
    let counted = counting.counted;
    match &counted.missing[..] {
        // Where nothing could be read there is nothing to show.
        [(sentence, exit), ..] if counted.tally.events() == 0 => Err(Failure::new(*exit, sentence).into()),
        _ => Ok(counted),
    }
}

/// How the lines of some files become events.
struct Log {
    /// Which files; `None` for all.
    paths: Option<PathMatcher>,
    encoder: EncoderOptions,
    line_bytes_max: usize,
}

fn logs_and_files(
    context: &Context,
    arguments: &ReportArguments,
) -> anyhow::Result<(Vec<Log>, Vec<PathBuf>)> {
    let typed = arguments.format.as_deref();
    let site = arguments.site.as_deref();
    let mut logs = Vec::new();
    let mut files = arguments.files.clone();
    if typed.is_none() || files.is_empty() || context.is_config_given() {
        let setup = load(context)?;
        if files.is_empty() {
            files = configured_files(context, &setup)?;
        }
        logs.extend(setup.logs.into_iter().map(|log| Log {
            paths: Some(log.paths),
            encoder: log.encoder,
            line_bytes_max: log.line_bytes_max,
        }));
    }
    if let Some(format) = typed {
        let options = settings::encoder_options(format, site)?;
        for log in &mut logs {
            log.encoder.format = options.format.clone();
        }
        if logs.is_empty() {
            logs.push(Log { paths: None, encoder: options, line_bytes_max: LINE_BYTES_DEFAULT });
        }
    }
    if let Some(site) = site {
        logs.iter_mut().for_each(|log| log.encoder.site = Site::Fixed(site.to_owned()));
    }
    Ok((logs, files))
}

fn load(context: &Context) -> anyhow::Result<Setup> {
    if !context.is_config_given() && !context.config().exists() {
        let text = format!(
            "{}: it does not exist, so files and their format are not known; name FILES and --format combined, or a configuration with -c",
            context.config().display()
        );
        return Err(Failure::new(Exit::Configuration, text).into());
    }
    Setup::load(context.config())
}

fn configured_files(context: &Context, setup: &Setup) -> anyhow::Result<Vec<PathBuf>> {
    let files: Vec<PathBuf> = Settings::of(setup)?.logs.into_iter().flat_map(|log| log.files).collect();
    if files.is_empty() {
        let text = format!("{}: no file matches `paths`; name FILES", context.config().display());
        return Err(Failure::new(Exit::Runtime, text).into());
    }
    Ok(files)
}

/// Files on their way into the tally.
struct Counting<'a> {
    logs: &'a [Log],
    /// Made when the first file of a log comes: the patterns of crawlers take their time.
    encoders: HashMap<usize, Encoder>,
    counted: Counted,
    progress: Progress,
    /// Bytes of the files before.
    done: u64,
}

impl Counting<'_> {
    /// Counts a file as far as it can be read.
    fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        let log = self.log_of(path)?;
        let name = if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() };
        let archive = if is_stdin(path) { Archive::stdin() } else { Archive::open(path) };
        match archive {
            Ok(archive) => {
                if let Err((position, error)) = self.lines(archive, log)? {
                    let sentence = format!("{name}: {}", unreadable(position, &error));
                    self.counted.missing.push((sentence, Exit::Runtime));
                }
            }
            Err(error) => {
                let exit = if error.kind() == ErrorKind::PermissionDenied {
                    Exit::Permission
                } else {
                    Exit::Runtime
                };
                self.counted.missing.push((format!("{name}: {error}"), exit));
            }
        }
        self.counted.sources.push(name);
        Ok(())
    }

    /// Counts the lines of a file; the error of the input comes with the position of the line that it cut.
    fn lines(&mut self, mut input: Archive, log: usize) -> anyhow::Result<Result<(), (u64, io::Error)>> {
        let Log { encoder: options, line_bytes_max, .. } = &self.logs[log];
        let encoder = match self.encoders.entry(log) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => place.insert(Encoder::new(options.clone())?),
        };
        let taken = input.taken();
        let mut feed = Feed { tally: &mut self.counted.tally, encoder, event: Vec::new(), position: 0 };
        let (mut line, mut lines) = (Vec::new(), 0_u64);
        loop {
            line.clear();
            let span = match read_line(&mut input, *line_bytes_max, &mut line) {
                Ok(span) => span,
                Err(error) => return Ok(Err((feed.position, error))),
            };
            if span.size == 0 {
                break;
            }
            let place = Place {
                stream: StreamId(0),
                position: feed.position,
                line_size: span.size,
                skipped: None,
                partial: !span.is_terminated,
                truncated: span.is_truncated,
            };
            feed.line(&line, &place);
            lines += 1;
            if lines.is_multiple_of(LINES_PER_LOOK) {
                self.progress.reach(self.done + taken.bytes());
            }
        }
        self.done += taken.bytes();
        Ok(Ok(()))
    }

    /// The log that a file belongs to.
    fn log_of(&self, path: &Path) -> anyhow::Result<usize> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        for name in names_before_rotation(&absolute) {
            let matches = |log: &Log| log.paths.as_ref().is_none_or(|paths| paths.matches(&name));
            if let Some(index) = self.logs.iter().position(matches) {
                return Ok(index);
            }
        }
        if self.logs.len() == 1 {
            return Ok(0);
        }
        let path = path.display();
        let text = format!(
            "{path}: no entry of `logs:` matches it, so its format is not known; say it with --format"
        );
        Err(Failure::new(Exit::Configuration, text).into())
    }
}

/// Lines of one file on their way into the tally.
struct Feed<'a> {
    tally: &'a mut Tally,
    encoder: &'a mut Encoder,
    event: Vec<u8>,
    position: u64,
}

impl Feed<'_> {
    fn line(&mut self, line: &[u8], place: &Place) {
        self.event.clear();
        let encoded = self.encoder.encode(line, place, &mut self.event);
        self.tally.add_encoded(&encoded, &self.event);
        self.position += place.line_size;
    }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// What happened to the input, and what to do.
fn unreadable(position: u64, error: &io::Error) -> String {
    let at = format!("cannot be read behind byte {position} of its content");
    if error.kind() == ErrorKind::UnexpectedEof {
        format!("{at}: the compressed file is cut off; copy it again")
    } else if error.raw_os_error().is_none() {
        format!("{at}: the compressed file is damaged ({error}); copy it again")
    } else {
        format!("{at}: {error}")
    }
}

/// A path, and what it was called before logrotate and its compressor renamed it: `access.log-20261123.gz`, `access.log.2.gz`.
fn names_before_rotation(path: &Path) -> Vec<PathBuf> {
    let mut names = vec![path.to_path_buf()];
    let mut name = path.as_os_str().as_bytes();
    while let Some(shorter) = without_suffix(name) {
        name = shorter;
        names.push(PathBuf::from(OsStr::from_bytes(name)));
    }
    names
}

/// A name without the last thing that a rotation added.
fn without_suffix(name: &[u8]) -> Option<&[u8]> {
    let at = name.iter().rposition(|byte| matches!(byte, b'.' | b'-' | b'/'))?;
    let (rest, suffix) = (&name[..at], &name[at + 1..]);
    let is_number = !suffix.is_empty() && suffix.iter().all(u8::is_ascii_digit);
    let is_compressed = COMPRESSED_ENDINGS.iter().any(|ending| ending.as_bytes() == suffix);
    let is_added = name[at] != b'/' && (is_number || (name[at] == b'.' && is_compressed));
    (is_added && !rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_names_belong_to_their_log() {
        let names = |path: &str| -> Vec<String> {
            names_before_rotation(Path::new(path)).iter().map(|name| name.display().to_string()).collect()
        };
        assert_eq!(names("/l/access.log"), ["/l/access.log"]);
        assert_eq!(names("/l/access.log.2.gz"), ["/l/access.log.2.gz", "/l/access.log.2", "/l/access.log"]);
        assert_eq!(
            names("/l/access.log-20261123-17.gz"),
            [
                "/l/access.log-20261123-17.gz",
                "/l/access.log-20261123-17",
                "/l/access.log-20261123",
                "/l/access.log"
            ]
        );
        assert_eq!(names("/l/access.log.xz"), ["/l/access.log.xz", "/l/access.log"]);
        assert_eq!(names("/2/3"), ["/2/3"]);
    }
}

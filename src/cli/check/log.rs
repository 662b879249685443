//! The logs: readable, of the configured format, and how their rotated files end.

use std::io::Read as _;
use std::path::Path;

use super::access::{self, Closed};
use super::answer::Answer;
use crate::cli::Exit;
use crate::cli::proof::Proof;
use crate::cli::settings::LogSource;
use crate::cli::setup::Setup;
use crate::config::Timestamp;
use crate::event::{Encoder, Place, StreamId};
use crate::format::{Format, Spans};
use crate::io::archive::Archive;
use crate::io::files::Files;
use crate::io::lease::Rights;
use crate::io::{clock, state};
use crate::pipeline::action::{Ask, FileError, FileId, Form};
use crate::pipeline::chain;
use crate::pipeline::options::LogOptions;

/// A format is tried on so many of the last bytes of each log: some hundred lines.
const TRIED_BYTES: u64 = 64 * 1024;

/// What is doubtful about a log's format, whatever its lines are.
pub fn format_warnings(log: &str, source: &LogSource) -> Vec<Answer> {
    let warnings = source.encoder.format.warnings().iter();
    let answer = |remark: &crate::format::Remark| {
        let fact = format!("byte {} of the format: {}", remark.span.start, remark.message);
        Answer::warning("format", log, (fact, "quote the variable in log_format, or leave it out"))
    };
    warnings.map(answer).collect()
}

/// A directory of logs that is closed to the user.
pub fn closed_directory(directory: &Path, user: &str) -> Option<Answer> {
    let Closed { fact, remedy } = access::closed_directory(directory, user)?;
    Some(Answer::failure("log", &directory.display().to_string(), (fact, remedy), Exit::Permission))
}

/// One answer per file of a log, which is one of `logs`.
pub fn check_log(log: &str, source: &LogSource, user: &str, logs: &[LogOptions]) -> Vec<Answer> {
    if source.files.is_empty() && source.refused.is_empty() {
        let fact = "no file matches its paths yet".to_owned();
        return vec![Answer::warning(
            "log",
            log,
            (fact, "correct `paths`, or wait for the web server's first request"),
        )];
    }
    source.files.iter().chain(&source.refused).map(|file| check_file(file, source, user, logs)).collect()
}

/// By which proof its files end once they are rotated: the first of each kind speaks for the others.
pub fn rotation(source: &LogSource, rights: Option<Rights>) -> Vec<Answer> {
    let mut told = Vec::new();
    let mut answers = Vec::new();
    for file in &source.files {
        let Some(proof) = Proof::of(rights, file).filter(|proof| !told.contains(proof)) else { continue };
        told.push(proof);
        let answer = Answer::ok("rotation", &file.display().to_string(), proof.fact());
        answers.push(Answer { remedy: proof.remedy().to_owned(), ..answer });
    }
    answers
}

/// Whether a file can be read, and whether its last lines are of the configured format.
fn check_file(path: &Path, source: &LogSource, user: &str, logs: &[LogOptions]) -> Answer {
    let target = path.display().to_string();
    let (which, lines) = match content(path) {
        Ok(Content::Last(lines)) => ("last", lines),
        Ok(Content::First(_)) if is_archive(path, logs) => {
            return Answer::ok("log", &target, "an archive: its log is read on in it where it was left");
        }
        Ok(Content::First(lines)) => ("first", lines),
        Err(FileError::Permission) => {
            let Closed { fact, remedy } = access::closed_file(path, user);
            return Answer::failure("log", &target, (fact, remedy), Exit::Permission);
        }
        Err(error) => {
            let remedy = error.remedy().unwrap_or("correct `paths`, or exclude it").to_owned();
            return Answer::failure("log", &target, (error.to_string(), remedy), Exit::Configuration);
        }
    };
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return Answer::ok("log", &target, "readable, no complete line yet");
    }
    let mut spans = Spans::default();
    let fitting = lines.iter().filter(|line| source.encoder.format.split(line, &mut spans).is_some()).count();
    let share = format!("{fitting} of its {which} {} lines fit the format", lines.len());
    if fitting * 2 >= lines.len() {
        return Answer::ok("log", &target, format!("readable, {share}"));
    }
    let remedy = match Format::best_fit(&lines) {
        Some(name) => format!("format: {name} fits them"),
        None => "copy the log_format of this log from nginx.conf: format: {nginx: '...'}".to_owned(),
    };
    Answer::failure("log", &target, (format!("only {share}"), remedy), Exit::Configuration)
}

/// How old the oldest line is that is still to be sent, in milliseconds, where records carry the time of their lines.
pub fn oldest(setup: &Setup, sources: &[LogSource]) -> Option<u64> {
    if setup.config.kafka.timestamp != Timestamp::Event {
        return None;
    }
    let saved = state::read(&setup.config.agent.state_dir).ok().flatten();
    let known = saved.map(|saved| saved.snapshot.files).unwrap_or_default();
    let position_of = |path: &Path| {
        known.iter().find(|file| &*file.path == path).map_or(0, |file| file.entry.mark.position)
    };
    let files = sources.iter().flat_map(|source| source.files.iter().map(move |file| (file, source)));
    let times = files.filter_map(|(file, source)| time_at(file, position_of(file), source));
    let oldest_ms = u64::try_from(times.min()?).ok()?;
    Some(clock::unix_milliseconds().saturating_sub(oldest_ms))
}

/// The time of the first line behind a position, in milliseconds since the epoch.
fn time_at(path: &Path, position: u64, source: &LogSource) -> Option<i64> {
    let mut files = Files::default();
    let file = FileId(0);
    files.open(file, path, &Ask { markers: Vec::new(), boundary: false }).ok()?;
    let length = usize::try_from(TRIED_BYTES).ok()?;
    let bytes = files.read(file, position, length, 0).ok()?.data.to_vec();
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    let mut encoder = Encoder::new(source.encoder.clone()).ok()?;
    let place = Place {
        stream: StreamId(0),
        position,
        line_size: line.len() as u64,
        skipped: None,
        partial: false,
        truncated: false,
    };
    encoder.encode(line, &place, &mut Vec::new()).time_ms
}

/// Whether a compressed file is an archive of a log, and not a log that its server compresses itself.
fn is_archive(path: &Path, logs: &[LogOptions]) -> bool {
    chain::continued_by(path).any(|log| logs.iter().any(|options| options.paths.matches(&log)))
}

/// What a file holds.
enum Content {
    /// Its last complete lines.
    Last(Vec<u8>),
    /// It is compressed: the first complete lines, as it takes long to come to its end.
    First(Vec<u8>),
}

/// What a file holds, opened as the agent would open it.
fn content(path: &Path) -> Result<Content, FileError> {
    let mut files = Files::default();
    let file = FileId(0);
    let opened = files.open(file, path, &Ask { markers: Vec::new(), boundary: true })?;
    if opened.form == Form::Packed {
        let mut bytes = Vec::new();
        // Half a file has lines, too.
        let _ = Archive::open(path).map(|archive| archive.take(TRIED_BYTES).read_to_end(&mut bytes));
        bytes.truncate(memchr::memrchr(b'\n', &bytes).map_or(0, |at| at + 1));
        return Ok(Content::First(bytes));
    }
    let end = opened.boundary.map_or(0, |boundary| boundary.position);
    let start = end.saturating_sub(TRIED_BYTES);
    let length = usize::try_from(end - start).unwrap_or(0);
    let bytes = files.read(file, start, length, 0)?.data.to_vec();
    // Unless it starts at the file's start, the first line is only the end of one.
    let whole = if start == 0 { 0 } else { memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1) };
    Ok(Content::Last(bytes[whole..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::check::answer::Status;
    use crate::cli::settings;
    use crate::io::packed::members::{Packing, packed};

    fn source(format: &str) -> LogSource {
        let encoder = settings::encoder_options(format, None).unwrap();
        LogSource { files: Vec::new(), refused: Vec::new(), encoder }
    }

    const LINE: &str = r#"192.0.2.1 - - [22/Nov/2026:10:13:39 +0000] "GET / HTTP/1.1" 200 5 "-" "curl""#;

    #[test]
    fn a_log_of_another_format_is_told_with_the_one_that_fits() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{LINE}\n").repeat(2000)).unwrap();
        assert_eq!(check_file(file.path(), &source("combined"), "me", &[]).status, Status::Ok);
        let wrong = check_file(file.path(), &source("$request_id $status"), "me", &[]);
        assert_eq!((wrong.status, wrong.exit), (Status::Failure, Exit::Configuration));
        assert_eq!(wrong.remedy, "format: combined fits them");
    }

    #[test]
    fn a_file_that_is_none_is_told() {
        let scratch = tempfile::tempdir().unwrap();
        let answer = check_file(&scratch.path().join("none"), &source("combined"), "me", &[]);
        assert_eq!((answer.status, answer.message.as_str()), (Status::Failure, "it does not exist"));
    }

    #[test]
    fn a_compressed_log_is_tried_and_an_archive_is_told_as_one() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("access.log.gz");
        for packing in Packing::ALL {
            std::fs::write(&path, packed(packing, format!("{LINE}\n").repeat(3).as_bytes())).unwrap();
            let answer = check_file(&path, &source("combined"), "me", &[]);
            assert_eq!(answer.message, "readable, 3 of its first 3 lines fit the format", "{packing:?}");
            let wrong = check_file(&path, &source("$request_id $status"), "me", &[]);
            assert_eq!(wrong.remedy, "format: combined fits them");
        }
        let text = format!(
            "logs: [{{paths: [\"{0}/access.log\", \"{0}/*.gz\"]}}]\nkafka: {{brokers: [\"b:9092\"], topic: t}}\nagent: {{id: me}}\n",
            scratch.path().display()
        );
        let config = scratch.path().join("agent.yaml");
        std::fs::write(&config, text).unwrap();
        let logs = Setup::load(&config).unwrap().logs;
        let answer = check_file(&path, &source("combined"), "me", &logs);
        assert!(answer.status == Status::Ok && answer.message.starts_with("an archive"), "{answer:?}");
        assert!(!is_archive(&scratch.path().join("static.gz"), &logs));
    }

    #[test]
    fn the_proof_that_ends_a_rotated_file_is_told_once_with_the_better_one() {
        let scratch = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/target")).unwrap();
        let files = ["one.log", "two.log"].map(|name| scratch.path().join(name));
        files.iter().for_each(|file| std::fs::write(file, "").unwrap());
        let source = LogSource { files: files.to_vec(), ..source("combined") };
        let owner = Rights { user: rustix::process::geteuid().as_raw(), has_capability: false };
        let [answer] = &rotation(&source, Some(owner))[..] else { panic!("not one answer") };
        assert_eq!((answer.status, answer.remedy.as_str()), (Status::Ok, ""));
        let stranger = Rights { user: owner.user + 1, ..owner };
        let [answer] = &rotation(&source, Some(stranger))[..] else { panic!("not one answer") };
        assert!(answer.remedy.contains("CAP_LEASE"), "{answer:?}");
    }

    #[test]
    fn a_symbolic_link_is_a_failure_and_not_a_log_that_is_still_to_come() {
        let scratch = tempfile::tempdir().unwrap();
        let link = scratch.path().join("access.log");
        std::os::unix::fs::symlink("elsewhere.log", &link).unwrap();
        let answers = check_log("blog", &LogSource { refused: vec![link], ..source("combined") }, "me", &[]);
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!((answer.status, answer.exit), (Status::Failure, Exit::Configuration));
        assert!(answer.message.contains("symbolic link"), "{answer:?}");
        assert!(answer.remedy.contains("name the real file in `paths`"), "{answer:?}");
    }
}

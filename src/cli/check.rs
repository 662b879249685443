//! `viewtail check`: everything that keeps the agent from working, each with its remedy. Changes nothing.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use super::context::Output;
use super::proof::Proof;
use super::settings::LogSource;
use super::setup::Setup;
use super::{Context, Exit, Settings, visitors};
use crate::config::{Style, Warning};
use crate::event;
use crate::format::{Format, Spans};
use crate::io::files::Files;
use crate::io::kafka::lookup::{self, Subject};
use crate::io::lease::Rights;
use crate::io::secret::{self, SecretError};
use crate::io::table::{GREEN, RED, RESET, YELLOW};
use crate::io::{state, terminal};
use crate::pipeline::action::{Ask, Cause, FileError, FileId, Form};

/// A format is tried on so many of the last bytes of each log: some hundred lines.
const TRIED_BYTES: u64 = 64 * 1024;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Answer {
    check: &'static str,
    target: String,
    status: Status,
    message: String,
    remedy: String,
    #[serde(skip)]
    exit: Exit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Warning,
    Failure,
}

/// The documented JSON of `check --json`.
#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    results: &'a [Answer],
}

/// Asks everything and says how it ended: the worst failure wins.
pub fn run(context: &Context) -> anyhow::Result<Exit> {
    let setup = Setup::load(context.config())?;
    let settings = Settings::of(&setup)?;
    let target = context.config().display().to_string();
    let mut answers = vec![Answer::ok("configuration", &target, "complete and consistent")];
    for warning in &setup.warnings {
        anstream::eprintln!("{}", Warning::render(warning, Style::Coloured));
    }
    answers.push(state_directory(&settings.state_dir));
    answers
        .extend(visitors::files(&setup.config).iter().map(|file| visitors_secret(file, &settings.state_dir)));
    let rights = Rights::of(state::holder(&settings.state_dir));
    for (log, source) in setup.config.logs.iter().zip(&settings.logs) {
        answers.extend(format_warnings(&log.name, source));
        answers.extend(check_log(&log.name, source));
        answers.extend(rotation(source, rights));
    }
    answers.extend(check_kafka(&setup)?);
    print(context, &answers)?;
    let failures = answers.iter().filter(|answer| answer.status == Status::Failure);
    Ok(failures.map(|answer| answer.exit).max().unwrap_or(Exit::Ok))
}

impl Answer {
    fn ok(check: &'static str, target: &str, message: impl Into<String>) -> Self {
        let (target, message) = (target.to_owned(), message.into());
        Self { check, target, status: Status::Ok, message, remedy: String::new(), exit: Exit::Ok }
    }

    fn warning(check: &'static str, target: &str, (message, remedy): (String, &str)) -> Self {
        let remedy = remedy.to_owned();
        Self { status: Status::Warning, remedy, ..Self::ok(check, target, message) }
    }

    fn failure(check: &'static str, target: &str, (message, remedy): (String, String), exit: Exit) -> Self {
        Self { status: Status::Failure, remedy, exit, ..Self::ok(check, target, message) }
    }
}

fn state_directory(directory: &Path) -> Answer {
    let target = directory.display().to_string();
    if let Some(pid) = state::holder(directory) {
        return Answer::ok("state", &target, format!("in use by the running agent, pid {pid}"));
    }
    let existing = directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let access = rustix::fs::access(existing, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    match (access, state::read(directory)) {
        (Err(_), _) => {
            let user = rustix::process::getuid().as_raw();
            let remedy =
                format!("run check as the service's user, or: install -d -o {user} -m 0750 {target}");
            let fact = format!("user {user} may not write in {}", existing.display());
            Answer::failure("state", &target, (fact, remedy), Exit::Permission)
        }
        (Ok(()), Err(error)) => {
            let remedy = "see the message".to_owned();
            Answer::failure("state", &target, (error.to_string(), remedy), Exit::Configuration)
        }
        (Ok(()), Ok(None)) => Answer::ok("state", &target, "writable, nothing saved yet"),
        (Ok(()), Ok(Some(saved))) => {
            let files = saved.snapshot.files.len();
            Answer::ok("state", &target, format!("writable, {files} files known"))
        }
    }
}

/// The secret itself is never shown: what tells it from another host's is.
fn visitors_secret(file: &Path, state_dir: &Path) -> Answer {
    const CHECK: &str = "visitors";
    /// The right of everybody to read.
    const READABLE_BY_OTHERS: u32 = 0o004;
    let target = file.display().to_string();
    match secret::read(file) {
        Ok(secret) => {
            let fact = format!(
                "fingerprint {}, to be the same on every host of a site",
                event::fingerprint(&secret)
            );
            let mode = std::fs::metadata(file).map_or(0, |metadata| metadata.mode());
            if mode & READABLE_BY_OTHERS != 0 {
                let remedy = "take the right to read from others: chmod o-r";
                return Answer::warning(
                    CHECK,
                    &target,
                    (format!("{fact}, and everybody here can read it"), remedy),
                );
            }
            let remedy =
                "where it is another: copy this file there, and name it in `visitor.secret_file`".to_owned();
            Answer { remedy, ..Answer::ok(CHECK, &target, fact) }
        }
        Err(SecretError::Io { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound && file == secret::kept_in(state_dir) =>
        {
            let fact =
                "made at the first start; further hosts of a site need a copy as `visitor.secret_file`";
            Answer::ok(CHECK, &target, fact)
        }
        Err(error) => {
            let exit = visitors::refusal(&error).exit();
            let remedy =
                "openssl rand -hex 32 makes one; chown it to the service's user, chmod 0400".to_owned();
            Answer::failure(CHECK, &target, (error.to_string(), remedy), exit)
        }
    }
}

fn format_warnings(log: &str, source: &LogSource) -> Vec<Answer> {
    let warnings = source.encoder.format.warnings().iter();
    let answer = |remark: &crate::format::Remark| {
        let fact = format!("byte {} of the format: {}", remark.span.start, remark.message);
        Answer::warning("format", log, (fact, "quote the variable in log_format, or leave it out"))
    };
    warnings.map(answer).collect()
}

fn check_log(log: &str, source: &LogSource) -> Vec<Answer> {
    if source.files.is_empty() && source.refused.is_empty() {
        let fact = "no file matches its paths yet".to_owned();
        return vec![Answer::warning(
            "log",
            log,
            (fact, "correct `paths`, or wait for the web server's first request"),
        )];
    }
    source.files.iter().chain(&source.refused).map(|file| check_file(file, source)).collect()
}

/// By which proof its files end once they are rotated: the first of each kind speaks for the others.
fn rotation(source: &LogSource, rights: Option<Rights>) -> Vec<Answer> {
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
fn check_file(path: &Path, source: &LogSource) -> Answer {
    let target = path.display().to_string();
    let lines = match content(path) {
        Ok(Content::Lines(lines)) => lines,
        Ok(Content::Compressed) => {
            let fact = "it is compressed and will not be read".to_owned();
            return Answer::warning("log", &target, (fact, "exclude it, to have no warning of it"));
        }
        Err(error) => {
            let remedy = match error {
                FileError::Permission => format!(
                    "setfacl -m u:viewtail:r {target}, and u:viewtail:rx on its directory; or add the user to the file's group"
                ),
                FileError::NotFound
                | FileError::TooManyFiles
                | FileError::SymbolicLink
                | FileError::BrokenLink
                | FileError::HardLink
                | FileError::NotRegular
                | FileError::Stale
                | FileError::Unpacking
                | FileError::Unknown => error.remedy().unwrap_or("correct `paths`, or exclude it").to_owned(),
            };
            let exit = if error == FileError::Permission { Exit::Permission } else { Exit::Configuration };
            return Answer::failure("log", &target, (error.to_string(), remedy), exit);
        }
    };
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return Answer::ok("log", &target, "readable, no complete line yet");
    }
    let mut spans = Spans::default();
    let fitting = lines.iter().filter(|line| source.encoder.format.split(line, &mut spans).is_some()).count();
    let share = format!("{fitting} of its last {} lines fit the format", lines.len());
    if fitting * 2 >= lines.len() {
        return Answer::ok("log", &target, format!("readable, {share}"));
    }
    let remedy = match Format::best_fit(&lines) {
        Some(name) => format!("format: {name} fits them"),
        None => "copy the log_format of this log from nginx.conf: format: {nginx: '...'}".to_owned(),
    };
    Answer::failure("log", &target, (format!("only {share}"), remedy), Exit::Configuration)
}

/// What a file holds.
enum Content {
    /// Its last complete lines.
    Lines(Vec<u8>),
    /// Nothing that the agent reads.
    Compressed,
}

/// What a file holds, opened as the agent would open it.
fn content(path: &Path) -> Result<Content, FileError> {
    let mut files = Files::default();
    let file = FileId(0);
    let opened = files.open(file, path, &Ask { markers: Vec::new(), boundary: true })?;
    if opened.form == Form::Packed {
        return Ok(Content::Compressed);
    }
    let end = opened.boundary.map_or(0, |boundary| boundary.position);
    let start = end.saturating_sub(TRIED_BYTES);
    let length = usize::try_from(end - start).unwrap_or(0);
    let bytes = files.read(file, start, length, 0)?.data.to_vec();
    // Unless it starts at the file's start, the first line is only the end of one.
    let whole = if start == 0 { 0 } else { memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1) };
    Ok(Content::Lines(bytes[whole..].to_vec()))
}

fn check_kafka(setup: &Setup) -> anyhow::Result<Vec<Answer>> {
    let options = setup.kafka()?;
    let answers = lookup::examine(&options).into_iter().map(|finding| {
        let (check, target) = match finding.subject {
            Subject::Brokers => ("brokers", options.brokers.join(", ")),
            Subject::Topic => ("topic", options.topic.clone()),
            Subject::Transactions => ("transactions", options.transactional_id.clone()),
        };
        match finding.outcome {
            Ok(message) => Answer::ok(check, &target, message),
            Err(problem) => {
                let exit = match problem.cause {
                    Cause::Unreachable => Exit::Temporary,
                    Cause::TopicMissing | Cause::Refused => Exit::Configuration,
                    Cause::Fenced | Cause::TooLarge | Cause::Other => Exit::Runtime,
                };
                Answer::failure(check, &target, (problem.message, problem.remedy), exit)
            }
        }
    });
    Ok(answers.collect())
}

fn print(context: &Context, answers: &[Answer]) -> anyhow::Result<()> {
    let ok = answers.iter().all(|answer| answer.status != Status::Failure);
    let mut stdout = anstream::stdout().lock();
    match context.output {
        Output::Json => {
            let report = Report { ok, results: answers };
            writeln!(stdout, "{}", serde_json::to_string(&report).context("write the answers as JSON")?)?;
        }
        Output::Text => {
            for answer in answers {
                write!(stdout, "{}", text(answer))?;
            }
        }
    }
    stdout.flush()?;
    Ok(())
}

fn text(answer: &Answer) -> String {
    let word = match answer.status {
        Status::Ok => format!("{GREEN}ok{RESET}     "),
        Status::Warning => format!("{YELLOW}warning{RESET}"),
        Status::Failure => format!("{RED}failure{RESET}"),
    };
    let (target, message) = (terminal::escape(&answer.target), terminal::escape(&answer.message));
    let remedy = if answer.remedy.is_empty() {
        String::new()
    } else {
        format!("        -> {}\n", terminal::escape(&answer.remedy))
    };
    format!("{word} {}: {target}: {message}\n{remedy}", answer.check)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::settings;

    fn source(format: &str) -> LogSource {
        let encoder = settings::encoder_options(format, None).unwrap();
        LogSource { files: Vec::new(), refused: Vec::new(), encoder }
    }

    const LINE: &str = r#"192.0.2.1 - - [22/Nov/2026:10:13:39 +0000] "GET / HTTP/1.1" 200 5 "-" "curl""#;

    #[test]
    fn a_log_of_another_format_is_told_with_the_one_that_fits() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{LINE}\n").repeat(2000)).unwrap();
        assert_eq!(check_file(file.path(), &source("combined")).status, Status::Ok);
        let wrong = check_file(file.path(), &source("$request_id $status"));
        assert_eq!((wrong.status, wrong.exit), (Status::Failure, Exit::Configuration));
        assert_eq!(wrong.remedy, "format: combined fits them");
    }

    #[test]
    fn a_file_that_is_none_is_told() {
        let scratch = tempfile::tempdir().unwrap();
        let answer = check_file(&scratch.path().join("none"), &source("combined"));
        assert_eq!((answer.status, answer.message.as_str()), (Status::Failure, "it does not exist"));
    }

    #[test]
    fn a_compressed_file_is_warned_about() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for magic in [&b"\x1f\x8b\x08"[..], b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0"] {
            std::fs::write(file.path(), [magic, b"\0\n\xff\n"].concat()).unwrap();
            let answer = check_file(file.path(), &source("combined"));
            assert_eq!(answer.status, Status::Warning);
            assert!(answer.message.contains("compressed") && answer.remedy.contains("exclude"), "{answer:?}");
        }
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
        let answers = check_log("blog", &LogSource { refused: vec![link], ..source("combined") });
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!((answer.status, answer.exit), (Status::Failure, Exit::Configuration));
        assert!(answer.message.contains("symbolic link"), "{answer:?}");
        assert!(answer.remedy.contains("name the real file in `paths`"), "{answer:?}");
    }

    #[test]
    fn the_json_is_the_documented_one() {
        let answers = [Answer::ok("log", "/a", "fine")];
        let json = serde_json::to_string(&Report { ok: true, results: &answers }).unwrap();
        let expected = r#"{"ok":true,"results":[{"check":"log","target":"/a","status":"ok","message":"fine","remedy":""}]}"#;
        assert_eq!(json, expected);
    }
}

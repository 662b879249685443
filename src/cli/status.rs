//! `viewtail status`: how far each file is delivered, as the running agent says, or from the local state and the files
//! themselves.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use super::arguments::StatusArguments;
use super::context::Output;
use super::proof::Proof;
use super::setup::Setup;
use super::{Context, Exit, FileView, Settings, StateView, topics};
use crate::event::{Encoder, Place};
use crate::io::clock::Deadline;
use crate::io::http::client;
use crate::io::interrupt::Interrupt;
use crate::io::kafka::topic;
use crate::io::lease::Rights;
use crate::io::table::{self, Align, GREEN, RED, RESET, YELLOW};
use crate::io::{clock, terminal};
use crate::pipeline::account::Account;
use crate::telemetry::status::{AgentStatus, FileStatus, KafkaStatus, PathAccount, State, Status};

/// How long Kafka may take to answer: a person waits for the table.
const PROBE_WAIT: Duration = Duration::from_secs(3);

/// Bytes that are read to find the time of the first line that waits; the longest line that nginx writes with its
/// default buffers fits.
const FIRST_LINE_BYTES: usize = 32 * 1024;

/// How long the running agent may take to answer: its loop comes by within milliseconds.
const AGENT_WAIT: Duration = Duration::from_secs(6);

/// How often a watch looks whether it is to end.
const WATCH_SLICE: Duration = Duration::from_millis(100);

/// Prints the status, once or again and again.
pub fn run(context: &Context, arguments: &StatusArguments) -> anyhow::Result<Exit> {
    let Some(seconds) = arguments.watch else {
        print(context, &look(context)?, Before::Nothing)?;
        return Ok(Exit::Ok);
    };
    let interrupt = Interrupt::install().context("listen to Ctrl-C")?;
    let mut before = if std::io::stdout().is_terminal() && context.output == Output::Text {
        Before::ClearedScreen
    } else {
        Before::Nothing
    };
    while !interrupt.is_wanted() {
        print(context, &look(context)?, before)?;
        if before == Before::Nothing && context.output == Output::Text {
            before = Before::EmptyLine;
        }
        let next = Deadline::after(Duration::from_secs(seconds.into()));
        while !next.passed() && !interrupt.is_wanted() {
            std::thread::sleep(next.remaining(WATCH_SLICE));
        }
    }
    Ok(Exit::Ok)
}

/// What stands before a status that is shown again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    EmptyLine,
    ClearedScreen,
}

fn print(context: &Context, (status, proofs): &(Status, Proofs), before: Before) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    match before {
        Before::Nothing => {}
        Before::EmptyLine => writeln!(stdout)?,
        Before::ClearedScreen => write!(stdout, "\x1b[H\x1b[2J")?,
    }
    match context.output {
        Output::Json => {
            writeln!(stdout, "{}", serde_json::to_string(status).context("write the status as JSON")?)?;
        }
        Output::Text => write!(stdout, "{}", text(status, proofs))?,
    }
    stdout.flush()?;
    Ok(())
}

/// What ends each file once it is rotated, in the order of the files.
type Proofs = Vec<Option<Proof>>;

/// Of the running agent where it answers, else from what it left behind.
fn look(context: &Context) -> anyhow::Result<(Status, Proofs)> {
    let setup = Setup::load(context.config())?;
    let live = setup.config.http.listen.and_then(|address| ask(address, &setup));
    let mut status = match live {
        Some(status) => status,
        None => remembered(&Settings::of(&setup)?)?,
    };
    let rights = rights_of(&status.agent);
    let proof = |file: &FileStatus| Proof::of(rights, Path::new(&file.path));
    let proofs: Proofs = status.files.iter().map(proof).collect();
    for (file, proof) in status.files.iter_mut().zip(&proofs) {
        file.proof = proof.map(|proof| proof.name().to_owned());
    }
    Ok((status, proofs))
}

/// What the agent may do. One that does not run will have the rights of whoever starts it: they are known if that is who asks,
/// because the state directory is his.
fn rights_of(agent: &AgentStatus) -> Option<Rights> {
    let rights = Rights::of(agent.pid)?;
    let is_owner = || std::fs::metadata(&agent.state_dir).is_ok_and(|state| state.uid() == rights.user);
    (agent.pid.is_some() || is_owner()).then_some(rights)
}

/// The status of the agent that listens there, if it is the configured one.
fn ask(address: SocketAddr, setup: &Setup) -> Option<Status> {
    let reply = client::get(address, "/status", AGENT_WAIT).ok().filter(|reply| reply.status == 200)?;
    let status: Status = serde_json::from_slice(&reply.body).ok()?;
    let state_dir = setup.config.agent.state_dir.to_string_lossy();
    (status.agent.id == setup.agent_id && status.agent.state_dir == state_dir).then_some(status)
}

/// The status of an agent that does not run, or does not listen: from its state directory, and Kafka is asked.
fn remembered(settings: &Settings) -> anyhow::Result<Status> {
    let state = StateView::read(&settings.state_dir)?;
    Ok(Status {
        agent: agent_status(settings, state.as_ref()),
        kafka: kafka_status(settings),
        files: file_statuses(settings, state.as_ref()),
        accounts: state.iter().flat_map(|state| &state.accounts).map(PathAccount::of).collect(),
    })
}

fn agent_status(settings: &Settings, state: Option<&StateView>) -> AgentStatus {
    let committed_at_ms = state.and_then(|state| state.committed_at_ms);
    AgentStatus {
        id: settings.agent_id.clone(),
        state_dir: settings.state_dir.to_string_lossy().into_owned(),
        pid: state.and_then(|state| state.running_pid),
        sequence: state.map(|state| state.sequence),
        last_commit_seconds: committed_at_ms.map(|at| (wall_ms() - at).max(0) / 1000),
        reload_refused: None,
    }
}

fn kafka_status(settings: &Settings) -> KafkaStatus {
    let (reachable, error) = match settings.properties() {
        // Without its password no broker can be asked.
        Err(error) => (false, Some(error.to_string())),
        Ok(properties) => {
            let probe = |topic: &String| topic::probe(&properties, topic, PROBE_WAIT);
            // The first failure says it all: the others would only add their waits.
            let error = settings.topics.iter().find_map(|topic| probe(topic).err());
            let is_reached = !matches!(&error, Some(topic::ReadError::Unreachable { .. }));
            (is_reached, error.map(|error| topics::failure(&error, "kafka.brokers").to_string()))
        }
    };
    KafkaStatus { brokers: settings.brokers(), topics: settings.topics.clone(), reachable, error }
}

fn file_statuses(settings: &Settings, state: Option<&StateView>) -> Vec<FileStatus> {
    let known = state.map(|state| state.files.as_slice()).unwrap_or_default();
    let mut statuses: Vec<FileStatus> = known.iter().map(|file| known_file(settings, file)).collect();
    for log in &settings.logs {
        for path in &log.files {
            let metadata = std::fs::metadata(path).ok();
            let is_known = |metadata| state.is_some_and(|state| state.file_of(metadata).is_some());
            if !metadata.as_ref().is_some_and(is_known) {
                statuses.push(new_file(path, metadata.map(|metadata| metadata.len())));
            }
        }
    }
    statuses.sort_by(|left, right| left.path.cmp(&right.path));
    statuses
}

fn known_file(settings: &Settings, file: &FileView) -> FileStatus {
    let metadata = std::fs::metadata(&file.path).ok().filter(|metadata| metadata.ino() == file.tuple.inode);
    let size = metadata.map(|metadata| metadata.len());
    let lag_bytes = size.map(|size| size.saturating_sub(file.position));
    FileStatus {
        path: file.path.to_string_lossy().into_owned(),
        stream: Some(file.stream.to_string()),
        size,
        position: file.position,
        committed: file.position,
        lag_bytes,
        lag_seconds: match lag_bytes {
            None => None,
            Some(0) => Some(0),
            Some(_) => first_line_age_seconds(settings, file),
        },
        state: match lag_bytes {
            None => State::Moved,
            Some(0) => State::Current,
            Some(_) => State::Behind,
        },
        proof: None,
    }
}

fn new_file(path: &Path, size: Option<u64>) -> FileStatus {
    FileStatus {
        path: path.to_string_lossy().into_owned(),
        stream: None,
        size,
        position: 0,
        committed: 0,
        lag_bytes: size,
        lag_seconds: None,
        state: State::New,
        proof: None,
    }
}

/// Whether what waits is the beginning of one line. Of a longer rest that is not asked.
fn is_unfinished_line(file: &FileStatus) -> bool {
    let size = usize::try_from(file.lag_bytes.unwrap_or_default()).unwrap_or(usize::MAX);
    if size > FIRST_LINE_BYTES {
        return false;
    }
    let mut rest = vec![0; size];
    let read = std::fs::File::open(&file.path).and_then(|log| log.read_exact_at(&mut rest, file.committed));
    read.is_ok() && memchr::memchr(b'\n', &rest).is_none()
}

/// The age of the first line that waits, by its own time; `None` where it has none or is not complete.
fn first_line_age_seconds(settings: &Settings, file: &FileView) -> Option<u64> {
    let log = settings.logs.iter().find(|log| log.files.contains(&file.path))?;
    let mut block = vec![0; FIRST_LINE_BYTES];
    let size = std::fs::File::open(&file.path).ok()?.read_at(&mut block, file.position).ok()?;
    let end = memchr::memchr(b'\n', &block[..size])?;
    let line = block[..end].strip_suffix(b"\r").unwrap_or(&block[..end]);
    let place = Place {
        stream: file.stream,
        position: file.position,
        line_size: end as u64 + 1,
        skipped: None,
        partial: false,
        truncated: false,
    };
    let time_ms = Encoder::new(log.encoder.clone()).ok()?.encode(line, &place, &mut Vec::new()).time_ms?;
    u64::try_from((wall_ms() - time_ms).max(0) / 1000).ok()
}

/// Milliseconds since the epoch, comparable with the times of events.
fn wall_ms() -> i64 {
    i64::try_from(clock::unix_milliseconds()).unwrap_or(i64::MAX)
}

fn text(status: &Status, proofs: &Proofs) -> String {
    let agent = &status.agent;
    let mut text = match agent.pid {
        Some(pid) => format!("agent  {} {GREEN}runs{RESET} (pid {pid})", terminal::escape(&agent.id)),
        None => format!("agent  {} {YELLOW}does not run{RESET}", terminal::escape(&agent.id)),
    };
    match (agent.sequence, agent.last_commit_seconds) {
        (None, _) => text.push_str(", has delivered nothing yet"),
        (Some(sequence), None) => {
            text.push_str(&format!(", {} committed", table::count(sequence, "transaction")));
        }
        (Some(sequence), Some(seconds)) => {
            let transactions = table::count(sequence, "transaction");
            text.push_str(&format!(
                ", {transactions} committed, the last one {} ago",
                duration(seconds.unsigned_abs())
            ));
        }
    }
    text.push_str(&format!("\nstate  {}\n", terminal::escape(&agent.state_dir)));
    if let Some(why) = &agent.reload_refused {
        text.push_str(&format!(
            "config {YELLOW}the one from before goes on, the new one was refused: {}{RESET}\n",
            terminal::escape(why)
        ));
    }
    text.push_str(&kafka_text(&status.kafka));
    text.push('\n');
    text.push_str(&files_text(&status.files, proofs));
    text.push_str(&accounts_text(&status.accounts));
    text
}

fn kafka_text(kafka: &KafkaStatus) -> String {
    let (brokers, topics) = (terminal::escape(&kafka.brokers), kafka.topics.join(", "));
    match &kafka.error {
        None => format!("kafka  {brokers}, topic {} {GREEN}answers{RESET}\n", terminal::escape(&topics)),
        Some(error) => format!("kafka  {RED}{}{RESET}\n", terminal::escape(error)),
    }
}

fn files_text(files: &[FileStatus], proofs: &Proofs) -> String {
    if files.is_empty() {
        return format!("{YELLOW}No file matches the configured paths.{RESET}\n");
    }
    let dash = || "-".to_owned();
    let row = |file: &FileStatus| {
        let state = match file.state {
            State::Current => "current",
            State::Behind if is_unfinished_line(file) => "unfinished line",
            State::Behind => "behind",
            State::New => "new",
            State::Moved => "moved or gone",
        };
        vec![
            terminal::escape(&file.path).into_owned(),
            state.to_owned(),
            file.size.map_or_else(dash, table::size),
            table::size(file.committed),
            file.lag_bytes.map_or_else(dash, table::size),
            file.lag_seconds.map_or_else(dash, duration),
        ]
    };
    let rows: Vec<Vec<String>> = files.iter().map(row).collect();
    let heading = [
        ("file", Align::Left),
        ("state", Align::Left),
        ("size", Align::Right),
        ("committed", Align::Right),
        ("waiting", Align::Right),
        ("since", Align::Right),
    ];
    table::table(&heading, &rows) + &proofs_text(proofs)
}

/// What became of the bytes, path by path; nothing while there is nothing to account for.
fn accounts_text(accounts: &[PathAccount]) -> String {
    let is_open = |account: &&PathAccount| account.account != Account::default();
    let row = |PathAccount { path, account }: &PathAccount| {
        let lost: Vec<String> = account
            .lost
            .iter()
            .filter(|(_, bytes)| *bytes > 0)
            .map(|(why, bytes)| format!("{} {}", table::size(bytes), why.name()))
            .collect();
        let lost = if lost.is_empty() { "-".to_owned() } else { lost.join(", ") };
        let path = if path.is_empty() { "(forgotten files)".into() } else { terminal::escape(path) };
        let mut cells = vec![path.into_owned()];
        cells.extend([account.read, account.committed, account.unread, account.reread].map(table::size));
        cells.push(lost);
        cells
    };
    let rows: Vec<Vec<String>> = accounts.iter().filter(is_open).map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let heading = [
        ("bytes of", Align::Left),
        ("read", Align::Right),
        ("committed", Align::Right),
        ("unread in rotated files", Align::Right),
        ("read again", Align::Right),
        ("lost", Align::Left),
    ];
    format!("\n{}", table::table(&heading, &rows))
}

/// What ends rotated files, each kind once.
fn proofs_text(proofs: &Proofs) -> String {
    let proofs: Vec<Proof> = proofs.iter().copied().flatten().collect();
    let mut text = String::new();
    for (number, proof) in
        proofs.iter().enumerate().filter(|(number, proof)| !proofs[..*number].contains(proof))
    {
        let files = proofs.iter().filter(|other| *other == proof).count();
        let start = if number == 0 { "\n" } else { "" };
        let remedy =
            if proof.remedy().is_empty() { String::new() } else { format!(" -> {}", proof.remedy()) };
        text.push_str(&format!("{start}{}: {}{remedy}\n", table::count(files as u64, "file"), proof.fact()));
    }
    text
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::account::{Loss, Losses};
    use crate::pipeline::action::NoProof;

    fn status() -> Status {
        let file = FileStatus {
            path: "/var/log/\u{1b}.log".into(),
            stream: Some("00000000000000aa".into()),
            size: Some(2048),
            position: 1024,
            committed: 1024,
            lag_bytes: Some(1024),
            lag_seconds: Some(7),
            state: State::Behind,
            proof: Some("quiet".to_owned()),
        };
        Status {
            agent: AgentStatus {
                id: "web-1".into(),
                state_dir: "/var/lib/viewtail".into(),
                pid: None,
                sequence: Some(2),
                last_commit_seconds: Some(180),
                reload_refused: Some("1 error".into()),
            },
            kafka: KafkaStatus {
                brokers: "b:9092".into(),
                topics: vec!["t".into()],
                reachable: true,
                error: None,
            },
            files: vec![file],
            accounts: vec![PathAccount {
                path: "/var/log/\u{1b}.log".into(),
                account: Account {
                    read: 4096,
                    committed: 3072,
                    lost: Losses::of(Loss::Deleted, 512),
                    ..Account::default()
                },
            }],
        }
    }

    #[test]
    fn the_json_is_the_documented_one() {
        let expected = concat!(
            r#"{"agent":{"id":"web-1","state_dir":"/var/lib/viewtail","pid":null,"sequence":2,"last_commit_seconds":180,"reload_refused":"1 error"},"#,
            r#""kafka":{"brokers":"b:9092","topics":["t"],"reachable":true,"error":null},"#,
            r#""files":[{"path":"/var/log/\u001b.log","stream":"00000000000000aa","size":2048,"position":1024,"#,
            r#""committed":1024,"lag_bytes":1024,"lag_seconds":7,"state":"behind","proof":"quiet"}],"#,
            r#""accounts":[{"path":"/var/log/\u001b.log","read":4096,"committed":3072,"reread":0,"unread":0,"finished":0,"#,
            r#""without_event":0,"lost":{"truncated":0,"deleted":512,"given_up":0,"cut":0,"skipped":0,"unreadable":0}}]}"#
        );
        assert_eq!(serde_json::to_string(&status()).unwrap(), expected);
    }

    #[test]
    fn a_person_sees_the_same() {
        let text = anstream::adapter::strip_str(&text(&status(), &vec![Some(Proof::Quiet(NoProof::Owner))]))
            .to_string();
        let expected = "\
agent  web-1 does not run, 2 transactions committed, the last one 3 min ago
state  /var/lib/viewtail
config the one from before goes on, the new one was refused: 1 error
kafka  b:9092, topic t answers

file               state      size  committed  waiting  since
/var/log/\\x1B.log  behind  2.0 KiB    1.0 KiB  1.0 KiB    7 s

1 file: once rotated, it ends after 5 min without a new byte: it belongs to another user, so the kernel does not say \
whether anybody still writes to it -> the drop-in /usr/share/doc/viewtail/examples/systemd/lease.conf gives the right to ask (CAP_LEASE)

bytes of              read  committed  unread in rotated files  read again  lost
/var/log/\\x1B.log  4.0 KiB    3.0 KiB                      0 B         0 B  512 B deleted
";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_rights_of_an_agent_that_does_not_run_are_those_of_its_owner_alone() {
        let own = tempfile::tempdir().unwrap();
        let agent = |state_dir: &Path| AgentStatus {
            state_dir: state_dir.to_string_lossy().into_owned(),
            ..status().agent
        };
        assert_eq!(rights_of(&agent(own.path())), Rights::of(None));
        // Of another user, or not there yet.
        let others = if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(own.path(), Some(64_990), None).unwrap();
            own.path()
        } else {
            Path::new("/")
        };
        assert_eq!(rights_of(&agent(others)), None);
        assert_eq!(rights_of(&agent(&own.path().join("none"))), None);
    }

    #[test]
    fn the_beginning_of_a_line_waits_for_its_end() {
        let log = tempfile::NamedTempFile::new().unwrap();
        for (content, expected) in [("one\ntwo", true), ("one\ntwo\n", false), ("one\ntwo\nthree", false)] {
            std::fs::write(log.path(), content).unwrap();
            let file = FileStatus {
                path: log.path().to_string_lossy().into_owned(),
                committed: 4,
                lag_bytes: Some(content.len() as u64 - 4),
                ..new_file(log.path(), None)
            };
            assert_eq!(is_unfinished_line(&file), expected, "{content:?}");
        }
    }
}

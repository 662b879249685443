//! Bad input and a bad environment: a clear message, and the rest goes on.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::stage::{CATCH_UP_LIMIT, Stage};
use crate::support::access_log::{AccessLog, Random};
use crate::support::agent::{Agent, binary};
use crate::support::kafka::Kafka;
use crate::support::process::command;
use crate::support::wait::wait_until;
use crate::support::writer::write_lines;

/// Options where lines that are no log lines lie between those of the truth.
const AMONG_OTHERS: &[&str] = &["--allow-unknown"];
/// A line without a newline of this size may cost `max_line_size` (1 MiB) and no more.
const ENDLESS_BYTES: usize = 100_000_000;
/// What an agent at work may hold (the figure for full speed).
const RSS_KIB_MAX: u64 = 40 * 1024;
/// "nobody" on Debian.
const NOBODY: u32 = 65_534;

#[test]
fn row_45_lines_of_garbage_are_events_and_the_lines_between_them_arrive() {
    let stage = Stage::shared("input-garbage");
    let truth = stage.scratch.join("truth");
    let mut source = AccessLog::new("w1", 3);
    let counter = stage.counter();
    let agent = stage.agent(&stage.config());
    let mut lines = 0;
    for garbage in garbage_lines() {
        write_lines(&stage.log(), &mut source, 3, &truth);
        append(&stage.log(), &garbage);
        lines +=
            3 + u64::try_from(garbage.iter().filter(|byte| **byte == b'\n').count()).expect("a small count");
    }
    write_lines(&stage.log(), &mut source, 3, &truth);
    stage.finish(agent, &counter, lines + 3, (AMONG_OTHERS, &[&truth]));
}

#[test]
fn a_topic_that_takes_small_batches_only_gets_every_line_once() {
    // A backlog fills batches of 1 MB, which lz4 makes some hundred kilobytes.
    let stage = Stage::on(Kafka::shared(), "input-small-batches", &[("max.message.bytes", "100000")]);
    let truth = stage.scratch.join("truth");
    write_lines(&stage.log(), &mut AccessLog::new("w1", 4), 30_000, &truth);
    let counter = stage.counter();
    let agent = stage.agent(&stage.config());
    counter.wait_for(30_000, CATCH_UP_LIMIT);
    assert!(agent.words().contains("takes less at once"), "nothing was halved:\n{}", agent.words());
    stage.finish(agent, &counter, 30_000, (&[], &[&truth]));
}

/// Each ends with a newline and holds no token.
fn garbage_lines() -> Vec<Vec<u8>> {
    let mut random = Random::new(5);
    let mut noise: Vec<u8> = (0..20_000).map(|_| random.next().to_le_bytes()[0]).collect();
    noise.retain(|byte| *byte != 0);
    noise.push(b'\n');
    vec![
        noise,
        b"\n".to_vec(),
        b"\r\n".to_vec(),
        b"\xff\xfe\xc3\x28 invalid UTF-8 \xed\xa0\x80\n".to_vec(),
        b"text with \0 one NUL\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS on port 80\n".to_vec(),
        b"\x1b]52;c;aGk=\x07\x1b[2J\xe2\x80\xae terminal\n".to_vec(),
        b"192.0.2.1 - - [99/Xyz/0000:99:99:99 +9999] \"\" 999 -1 \"\" \"\"\n".to_vec(),
        b"192.0.2.1 - \"unbalanced [01/Mar/2026:00:00:00 +0000] \"GET / HTTP/1.1 200 1 \"-\" \"-\n".to_vec(),
        [vec![b'{'; 4000], b"\n".to_vec()].concat(),
    ]
}

#[test]
fn row_44_a_line_without_an_end_costs_one_event_and_little_memory() {
    let stage = Stage::shared("input-endless");
    let truth = stage.scratch.join("truth");
    let mut source = AccessLog::new("w1", 4);
    let counter = stage.counter();
    let mut agent = stage.agent(&stage.config());
    write_lines(&stage.log(), &mut source, 10, &truth);
    let block = [b'x'; 100_000];
    for _ in 0..ENDLESS_BYTES / block.len() {
        append(&stage.log(), &block);
    }
    counter.wait_for(10, CATCH_UP_LIMIT);
    append(&stage.log(), b"\n");
    write_lines(&stage.log(), &mut source, 10, &truth);
    let mut rss_max = 0;
    wait_until(CATCH_UP_LIMIT, "the lines behind the endless one are committed", || {
        rss_max = rss_max.max(agent.process().rss_kib());
        counter.count() >= 21
    });
    println!("input: resident at most {rss_max} KiB with a line of {ENDLESS_BYTES} bytes");
    assert!(rss_max <= RSS_KIB_MAX, "resident {rss_max} KiB");
    stage.finish(agent, &counter, 21, (AMONG_OTHERS, &[&truth]));
}

#[test]
fn row_16_runs_of_nul_bytes_are_skipped_and_said() {
    let stage = Stage::shared("input-hole");
    let truth = stage.scratch.join("truth");
    let mut source = AccessLog::new("w1", 6);
    let counter = stage.counter();
    write_lines(&stage.log(), &mut source, 10, &truth);
    append(&stage.log(), &vec![0; 300_000]);
    write_lines(&stage.log(), &mut source, 10, &truth);
    let agent = stage.agent(&stage.config());
    let verdict = stage.finish(agent, &counter, 20, (&[], &[&truth]));
    assert_eq!(verdict.skipped_bytes, 300_000, "the hole is counted to the byte");
}

#[test]
fn row_50_what_is_no_file_is_left_alone_and_what_appears_later_is_found() {
    let stage = Stage::shared("input-places");
    let logs = stage.scratch.join("logs");
    let truth = stage.scratch.join("truth");
    let mut source = AccessLog::new("w1", 7);
    std::fs::create_dir(logs.join("a-directory.log")).expect("a directory can be made");
    let fifo = logs.join("a-fifo.log");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o644),
        0,
    )
    .expect("a FIFO can be made");
    let late_directory = stage.scratch.join("later");
    let mut config = stage.config().log(&late_directory.join("*.log"), "combined");
    config.logs[0].0 = logs.join("*.log").display().to_string();
    let counter = stage.counter();
    let mut agent = stage.agent(&config);
    write_lines(&logs.join("one.log"), &mut source, 50, &truth);
    counter.wait_for(50, CATCH_UP_LIMIT);
    agent.process().wait_for_words(Duration::from_secs(10), "a-fifo.log");

    // A log vanishes, another is there at once; then the missing directory appears with a log in it.
    std::fs::remove_file(logs.join("one.log")).expect("a log can be deleted");
    write_lines(&logs.join("two.log"), &mut source, 50, &truth);
    std::fs::create_dir(&late_directory).expect("a directory can be made");
    write_lines(&late_directory.join("three.log"), &mut source, 50, &truth);
    counter.wait_for(150, CATCH_UP_LIMIT);
    let said = agent.words().matches("a-fifo.log").count();
    assert_eq!(said, 1, "once is enough:\n{}", agent.words());
    stage.finish(agent, &counter, 150, (&[], &[&truth]));
}

#[test]
fn row_34_a_file_that_may_not_be_read_is_named_and_read_when_it_may() {
    let stage = Stage::shared("input-unreadable");
    let truth = stage.scratch.join("truth");
    let mut source = AccessLog::new("w1", 8);
    let secret = stage.scratch.join("logs/secret.log");
    write_lines(&stage.log(), &mut source, 20, &truth);
    write_lines(&secret, &mut source, 20, &truth);
    set_mode(&secret, 0o000);
    let config = stage.config().log(&secret, "combined");
    let counter = stage.counter();
    let mut agent = spawn_unprivileged(&stage, &config);
    counter.wait_for(20, CATCH_UP_LIMIT);
    agent.process().wait_for_words(Duration::from_secs(10), "secret.log");
    let said = agent.words().matches("secret.log").count();
    set_mode(&secret, 0o644);
    counter.wait_for(40, CATCH_UP_LIMIT);
    assert_eq!(said, 1, "once is enough:\n{}", agent.words());
    stage.finish(agent, &counter, 40, (&[], &[&truth]));
}

/// Root may read everything, so as root the agent runs as nobody, from a copy that nobody can reach.
fn spawn_unprivileged(stage: &Stage, config: &crate::support::agent::Config) -> Agent {
    if !rustix::process::geteuid().is_root() {
        return stage.agent(config);
    }
    set_mode(stage.scratch.path(), 0o755);
    let copy = stage.scratch.join("viewtail");
    std::fs::copy(binary(), &copy).expect("the binary can be copied");
    set_mode(&copy, 0o755);
    std::fs::create_dir_all(&config.state_dir).expect("the state directory can be made");
    std::os::unix::fs::chown(&config.state_dir, Some(NOBODY), Some(NOBODY)).expect("root can give it away");
    let mut starter = command("setpriv");
    starter
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig", "KILL", "--"])
        .arg(&copy);
    Agent::spawn_with(stage.scratch.path(), config, starter, |_| {})
}

#[test]
fn a_record_larger_than_the_topic_takes_is_given_up_and_counted() {
    // The line's event carries up to 8 KiB of it; three quarters of that is more than the topic takes.
    let stage = Stage::on(Kafka::shared(), "input-large", &[("max.message.bytes", "6000")]);
    let truth = stage.scratch.join("truth");
    let mut source = AccessLog::new("w1", 9);
    let mut random = Random::new(9);
    let large: String = (0..3000).map(|_| format!("{:016x}", random.next())).collect();
    write_lines(&stage.log(), &mut source, 200, &truth);
    append(&stage.log(), format!("{large}\n").as_bytes());
    write_lines(&stage.log(), &mut source, 200, &truth);
    // Batches within the topic's limit and as large as they are, so that the one line alone is too large.
    let config = stage.config().kafka("flush: {bytes: 4KB}").kafka("compression: none");
    let counter = stage.counter();
    let agent = stage.agent(&config);
    counter.wait_for(400, CATCH_UP_LIMIT);
    assert!(!agent.words().is_empty(), "the agent says nothing about the line it gave up");
    let verdict = stage.finish(agent, &counter, 400, (&[], &[&truth]));
    let size = u64::try_from(large.len() + 1).expect("a line's size fits");
    assert_eq!(verdict.skipped_bytes, size, "the event behind it says how many bytes are missing");
}

#[test]
fn row_37_a_full_state_directory_is_said_once_and_nothing_is_lost() {
    let stage = Stage::shared("input-full");
    let truth = stage.scratch.join("truth");
    let mut source = AccessLog::new("w1", 10);
    let config = stage.config();
    let state = stage.scratch.directory("state");
    let counter = stage.counter();
    for run in 1..=3 {
        write_lines(&stage.log(), &mut source, 100, &truth);
        let agent = spawn_on_full_disk(&stage, &config, &state);
        counter.wait_for(100 * run, CATCH_UP_LIMIT);
        // Each run finds a full state directory without positions: they come back from Kafka.
        agent.kill9();
    }
    let agent = spawn_on_full_disk(&stage, &config, &state);
    write_lines(&stage.log(), &mut source, 100, &truth);
    counter.wait_for(400, CATCH_UP_LIMIT);
    let said = agent.words().lines().filter(|line| line.contains(&state.display().to_string())).count();
    assert!(
        (1..=8).contains(&said),
        "a full disk is said once in each of four runs, at most twice, here {said} times:\n{}",
        agent.words()
    );
    stage.finish(agent, &counter, 400, (&[], &[&truth]));
}

/// A small file system without a free byte but with the visitors' secret of the agent's first start, in a mount name space of the agent's own: it vanishes with the agent.
fn spawn_on_full_disk(stage: &Stage, config: &crate::support::agent::Config, state: &Path) -> Agent {
    let mut starter = command("unshare");
    if !rustix::process::geteuid().is_root() {
        starter.arg("--map-root-user");
    }
    let script = format!(
        "set -e; mount -t tmpfs -o size=64k,mode=755 tmpfs '{0}'; printf %064d 7 >'{0}/visitor.secret'; cat /dev/zero >'{0}/filler' 2>/dev/null || true; exec \"$@\"",
        state.display()
    );
    starter.args(["--mount", "sh", "-c", &script, "sh"]).arg(PathBuf::from(binary()));
    Agent::spawn_with(stage.scratch.path(), config, starter, |_| {})
}

fn append(path: &Path, bytes: &[u8]) {
    let file = std::fs::File::options().create(true).append(true).open(path);
    file.expect("the log can be opened").write_all(bytes).expect("the log can be written");
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode can be set");
}

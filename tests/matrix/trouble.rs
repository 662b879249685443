//! Rows 31 to 36: the kernel says no, or nothing at all.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::row::{LIMIT, Row, append, appender};
use crate::support::agent::{Agent, Config, binary};
use crate::support::process::command;

/// More than the kernel queues for one instance.
fn more_than_the_queue_holds() -> u64 {
    let text = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("inotify has limits");
    text.trim().parse::<u64>().expect("a limit is a number") + 1000
}

#[test]
fn row_31_a_flood_of_events_that_overflows_the_queue_hides_nothing() {
    let mut row = Row::new("row-31");
    let mut agent = row.agent_with(&row.config_of("*.log"));
    let log = row.log();
    row.write(&log, 5);
    row.catch_up();
    agent.process().signal(Signal::STOP);
    // Equal events in a row count once, so two files take turns; neither is a log.
    let noise = ["noise-1", "noise-2"].map(|name| appender(&row.at(name)));
    for number in 0..more_than_the_queue_holds() {
        write_one(&noise, number);
    }
    row.write(&log, 5);
    let new = row.at("new.log");
    row.write(&new, 5);
    agent.process().signal(Signal::CONT);
    row.catch_up();
    row.write(&new, 5);
    row.finish(agent);
}

fn write_one(noise: &[std::fs::File; 2], number: u64) {
    use std::io::Write as _;
    let mut file = &noise[usize::from(number.is_multiple_of(2))];
    file.write_all(b"x").expect("noise can be written");
}

#[test]
fn row_32_without_a_watch_everything_is_looked_at_every_few_seconds() {
    for (name, limit) in
        [("row-32-instances", "max_inotify_instances"), ("row-32-watches", "max_inotify_watches")]
    {
        let mut row = Row::new(name);
        let config = row.config_of("*/access.log");
        for site in ["a", "b"] {
            std::fs::create_dir(row.at(site)).expect("a directory can be made");
        }
        // A user name space has limits of its own.
        let mut starter = command("unshare");
        let script = format!("echo 0 >/proc/sys/user/{limit} && exec \"$@\"");
        starter.args(["--user", "--map-root-user", "sh", "-c", &script, "sh"]).arg(binary());
        let agent = Agent::spawn_with(row.scratch().path(), &config, starter, |_| {});
        for site in ["a", "b"] {
            let log = row.at(site).join("access.log");
            row.write(&log, 10);
            row.catch_up();
            row.write(&log, 10);
        }
        row.catch_up();
        assert!(agent.words().contains("every few seconds"), "the limit is told:\n{}", agent.words());
        row.finish(agent);
    }
}

#[test]
fn row_33_without_a_free_descriptor_nothing_is_forgotten() {
    let mut row = Row::new("row-33");
    let mut agent = row.agent_with(&row.config_of("*.log"));
    let log = row.log();
    let old = appender(&log);
    row.write_to(&old, 10);
    row.catch_up();
    // Neither a file nor a directory can be opened from here on.
    set_descriptors(&mut agent, "3");
    row.write_to(&old, 10);
    row.catch_up();
    row.rotate("size 1\ncreate\nrotate 9");
    row.write_to(&old, 10);
    row.write(&log, 10);
    let other = row.at("other.log");
    row.write(&other, 10);
    agent.process().wait_for_words(LIMIT, "too many open files");
    set_descriptors(&mut agent, "1024");
    row.catch_up();
    row.write_to(&old, 10);
    row.write(&log, 10);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 3);
}

#[test]
fn row_33_a_shortage_closes_idle_files_and_hides_no_directory() {
    let mut row = Row::new("row-33-idle");
    for number in 0..20 {
        let path = row.at(&format!("idle-{number}.log"));
        row.write(&path, 1);
    }
    let mut agent = row.agent_with(&row.config_of("*.log"));
    row.catch_up();
    // One number is free for a new descriptor, and both a file and a listing take two: a directory's handle comes first.
    let taken = descriptors(&mut agent);
    let free = (0..).filter(|number| !taken.contains(number)).nth(1).expect("numbers do not end");
    assert!(
        taken.iter().filter(|number| **number < free).count() > 20,
        "idle files are below {free}: {taken:?}"
    );
    set_descriptors(&mut agent, &free.to_string());
    for number in 0..3 {
        let path = row.at(&format!("new-{number}.log"));
        row.write(&path, 10);
        row.catch_up();
    }
    // Whether it is one shortage or several depends on how soon a file was had after the last failure.
    let words = agent.words();
    let count = |of: &str| words.matches(of).count();
    let (told, over) = (count("too many open files"), count("can be read again after"));
    assert!((1..=over + 1).contains(&told) && told <= 3, "each shortage is told once:\n{words}");
    set_descriptors(&mut agent, "1024");
    row.write(&row.log(), 10);
    agent.process().wait_for_words(LIMIT, "can be read again after");
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 24);
}

/// The numbers of the descriptors that the agent has.
fn descriptors(agent: &mut Agent) -> Vec<u32> {
    let entries = std::fs::read_dir(format!("/proc/{}/fd", agent.process().id())).expect("the agent runs");
    let names = entries.map(|entry| entry.expect("descriptors can be listed").file_name());
    names.map(|name| name.to_string_lossy().parse().expect("a descriptor is a number")).collect()
}

fn set_descriptors(agent: &mut Agent, soft: &str) {
    let id = agent.process().id().to_string();
    let status = std::process::Command::new("prlimit")
        .args(["--pid", &id, &format!("--nofile={soft}:")])
        .status()
        .expect("prlimit can be run");
    assert!(status.success(), "prlimit: {status}");
}

#[test]
fn row_34_a_directory_that_may_not_be_entered_for_a_while_costs_nothing() {
    let mut row = Row::new("row-34");
    set_mode(row.scratch().path(), 0o755);
    let site = row.at("site");
    std::fs::create_dir(&site).expect("a directory can be made");
    let config = row.config_of("site/*.log");
    let mut agent = spawn_as_nobody(&row, &config);
    let log = site.join("access.log");
    let writer = appender(&log);
    row.write_to(&writer, 10);
    row.catch_up();
    set_mode(&site, 0o000);
    // What is open goes on, what is new has to wait.
    row.write_to(&writer, 10);
    row.catch_up();
    let new = site.join("new.log");
    row.write(&new, 10);
    agent.process().wait_for_words(LIMIT, "permission denied");
    set_mode(&site, 0o755);
    row.catch_up();
    row.write_to(&writer, 10);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

/// Root may enter everything, so as root the agent runs as nobody, from a copy that nobody can reach.
fn spawn_as_nobody(row: &Row, config: &Config) -> Agent {
    if !rustix::process::geteuid().is_root() {
        return row.agent_with(config);
    }
    const NOBODY: u32 = 65_534;
    let copy = row.scratch().join("viewtail");
    std::fs::copy(binary(), &copy).expect("the binary can be copied");
    set_mode(&copy, 0o755);
    std::fs::create_dir_all(&config.state_dir).expect("the state directory can be made");
    std::os::unix::fs::chown(&config.state_dir, Some(NOBODY), Some(NOBODY)).expect("root can give it away");
    let mut starter = command("setpriv");
    starter
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig", "KILL", "--"])
        .arg(&copy);
    Agent::spawn_with(row.scratch().path(), config, starter, |_| {})
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode can be set");
}

#[test]
fn row_35_reads_that_fail_move_nothing_and_are_tried_again() {
    let mut row = Row::new("row-35");
    let log = row.log();
    row.write(&log, 20);
    // Every pread of the log fails for a while: the 5th to the 9th, over half a minute. With -D the child is the agent, not strace.
    let mut starter = command("strace");
    let trace: PathBuf = row.scratch().join("strace.out");
    starter
        .args(["-D", "-f", "-qq", "-o"])
        .arg(&trace)
        .arg("-P")
        .arg(&log)
        .args(["-e", "trace=pread64", "-e", "inject=pread64:error=EIO:when=5..9"])
        .arg(binary());
    let agent = Agent::spawn_with(row.scratch().path(), &row.config(), starter, |_| {});
    row.catch_up();
    for _ in 0..5 {
        row.write(&log, 10);
        row.catch_up();
    }
    let traced = std::fs::read_to_string(&trace).expect("strace writes what it did");
    let failed = traced.matches("(INJECTED)").count();
    assert!(failed >= 5, "{failed} reads failed:\n{traced}");
    let words = agent.words();
    assert_eq!(words.matches("input/output error").count(), 1, "told once:\n{words}");
    assert!(words.contains("can be read again after"), "its end is told:\n{words}");
    row.finish(agent);
}

#[test]
fn row_35_a_disk_that_fails_moves_nothing_and_is_read_on_when_it_is_back() {
    let mut row = Row::on_fallible_disk("row-35-disk");
    let log = row.log();
    row.write(&log, 20);
    let mut agent = row.agent();
    row.catch_up();
    // So that the agent does not read what the kernel still remembers.
    agent.process().signal(Signal::STOP);
    row.write(&log, 200);
    let disk = row.fail_disk(&log);
    agent.process().signal(Signal::CONT);
    agent.process().wait_for_words(LIMIT, "cannot read");
    assert_eq!(row.committed(), 20);
    disk.mend();
    row.catch_up();
    assert!(agent.words().contains("can be read again after"), "{}", agent.words());
    row.finish(agent);
}

#[test]
fn row_36_a_line_that_a_full_disk_tore_is_one_bad_event_and_the_next_is_whole() {
    let mut row = Row::new("row-36");
    let agent = row.agent();
    let log = row.log();
    row.write(&log, 10);
    // A short write, as a full disk makes it: the writer may not make files larger than this.
    let torn = row.lost_lines(40);
    let source = row.scratch().join("source");
    append(&source, &torn);
    let size = std::fs::metadata(&log).expect("the log is there").len() + 2000;
    let status = std::process::Command::new("sh")
        .args(["-c", "exec prlimit --fsize=$1 --core=0 cat \"$2\" >>\"$3\"", "sh"])
        .arg(size.to_string())
        .args([&source, &log])
        .status()
        .expect("a shell can be run");
    assert!(!status.success(), "the writer was cut off");
    let written = std::fs::read(&log).expect("the log can be read");
    assert_eq!(u64::try_from(written.len()).expect("a size fits"), size);
    let whole = written.iter().rposition(|byte| *byte == b'\n').expect("there are lines") + 1;
    assert!(whole < written.len(), "the last line is torn");
    let before = usize::try_from(size - 2000).expect("a size fits");
    append(&row.truth(), &written[before..whole]);
    // Space again, and a new line right behind the torn one: the two are one bad line.
    let glued = row.lost_lines(1);
    append(&log, &glued);
    row.expect_others(1);
    row.write(&log, 10);
    row.finish(agent);
}

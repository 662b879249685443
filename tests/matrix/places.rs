//! Rows 25, 26, 30, 48, 49 and 51: directories that go, come and change their place, very many files, a configuration that
//! changes.

use std::time::Duration;

use crate::ext4::{Ext4, Journal};
use crate::row::{LIMIT, Row, append, appender, rename};
use crate::support::agent::{Agent, binary};
use crate::support::process::command;
use crate::support::wait::{pass_time, wait_until};

#[test]
fn row_25_a_directory_that_is_removed_and_made_again_is_watched_again() {
    let mut row = Row::new("row-25");
    let site = row.at("site");
    let agent = row.agent_with(&row.config_of("site/*.log"));
    for _ in 0..3 {
        std::fs::create_dir(&site).expect("a directory can be made");
        let log = site.join("access.log");
        row.write(&log, 10);
        row.catch_up();
        // Without a new watch the second part of it would wait for the next look at everything.
        row.write(&log, 10);
        row.catch_up();
        std::fs::remove_dir_all(&site).expect("a directory can be removed");
    }
    row.finish(agent);
}

#[test]
fn row_25_a_directory_that_is_renamed_takes_nothing_away() {
    let mut row = Row::new("row-25-renamed");
    let (site, aside) = (row.at("site"), row.at("aside"));
    std::fs::create_dir(&site).expect("a directory can be made");
    let agent = row.agent_with(&row.config_of("site/*.log"));
    let writer = appender(&site.join("access.log"));
    row.write_to(&writer, 10);
    row.catch_up();
    rename(&site, &aside);
    row.write_to(&writer, 10);
    std::fs::create_dir(&site).expect("a directory can be made");
    row.write(&site.join("access.log"), 10);
    row.catch_up();
    row.write_to(&writer, 10);
    row.catch_up();
    // And back again, while nobody looks.
    agent.kill9();
    std::fs::remove_dir_all(&site).expect("a directory can be removed");
    rename(&aside, &site);
    row.write_to(&writer, 10);
    let agent = row.agent_with(&row.config_of("site/*.log"));
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

#[test]
fn row_26_directories_that_appear_below_a_deep_glob_are_found() {
    let mut row = Row::new("row-26");
    let agent = row.agent_with(&row.config_of("**/access.log"));
    let log = row.log();
    row.write(&log, 5);
    row.catch_up();
    let deep = row.at("sites/one/logs");
    std::fs::create_dir_all(&deep).expect("directories can be made");
    row.write(&deep.join("access.log"), 10);
    row.catch_up();
    row.finish(agent);
}

#[test]
fn row_26_a_mount_on_a_directory_hides_logs_and_deletes_none() {
    let mut row = Row::new("row-26-mount");
    let site = row.at("site");
    std::fs::create_dir(&site).expect("a directory can be made");
    let config = row.config_of("site/*.log");
    let agent = row.agent_with(&config);
    let hidden = appender(&site.join("access.log"));
    row.write_to(&hidden, 10);
    row.catch_up();
    let mount = Ext4::at(row.scratch(), "logs/site", Journal::Kept);
    row.write(&site.join("access.log"), 10);
    row.write_to(&hidden, 10);
    row.catch_up();
    drop(mount);
    row.write_to(&hidden, 10);
    row.catch_up();
    row.finish(agent);
}

#[test]
fn row_30_a_log_that_an_overlay_copies_up_goes_on_in_its_new_inode() {
    let mut row = Row::new("row-30");
    let (lower, merged) = (row.at("lower"), row.at("merged"));
    for name in ["lower", "upper", "work", "merged"] {
        std::fs::create_dir(row.at(name)).expect("a directory can be made");
    }
    row.write(&lower.join("access.log"), 20);
    let config = row.config_of("merged/*.log");
    // The overlay is there for the agent alone, and vanishes with it; its tree is reached through the agent.
    let mut starter = command("unshare");
    if !rustix::process::geteuid().is_root() {
        starter.args(["--user", "--map-root-user"]);
    }
    let script = "cd \"$0\" && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged && exec \"$@\"";
    starter.args(["--mount", "sh", "-c", script]).arg(row.logs()).arg(binary());
    let mut agent = Agent::spawn_with(row.scratch().path(), &config, starter, |_| {});
    row.catch_up();
    let inside = format!("/proc/{}/root{}", agent.process().id(), merged.join("access.log").display());
    // The first byte that is appended makes a copy of the whole file in the upper layer.
    row.write(inside.as_ref(), 10);
    row.catch_up();
    assert!(row.at("upper/access.log").exists(), "the log was copied up");
    row.write(inside.as_ref(), 10);
    row.catch_up();
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 1);
}

#[test]
fn row_51_a_log_that_leaves_the_configuration_and_comes_back_goes_on_where_it_was() {
    let mut row = Row::new("row-51");
    let (kept, removed) = (row.at("kept.log"), row.at("removed.log"));
    let both = row.config_of("kept.log").log(&removed, "combined");
    let one = row.config_of("kept.log");
    row.write(&kept, 10);
    row.write(&removed, 10);
    let agent = row.agent_with(&both);
    row.catch_up();
    agent.stop();
    let waiting = row.lost_lines(10);
    append(&removed, &waiting);
    let agent = row.agent_with(&one);
    row.write(&kept, 10);
    row.catch_up();
    agent.stop();
    append(&row.truth(), &waiting);
    let agent = row.agent_with(&both);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

/// Far more than may be open at once.
const FILES: usize = 1500;
/// 64 files, and what the agent needs for itself.
const DESCRIPTORS_MAX: usize = 110;
/// Hundredths of a second of work that 5 s of idleness may cost, Kafka's threads included.
const IDLE_TICKS_MAX: u64 = 25;

#[test]
fn row_48_many_idle_files_cost_neither_descriptors_nor_work() {
    let mut row = Row::new("row-48");
    for number in 0..FILES {
        let path = row.at(&format!("site-{number}.log"));
        row.write(&path, 1);
    }
    let mut agent = row.agent_with(&row.config_of("*.log"));
    row.catch_up();
    for number in 0..10 {
        let path = row.at(&format!("site-{}.log", number * 100));
        row.write(&path, 5);
    }
    row.catch_up();
    pass_time(Duration::from_secs(2));
    let before = ticks(&mut agent);
    pass_time(Duration::from_secs(5));
    let (idle, open) = (ticks(&mut agent) - before, agent.process().descriptors());
    assert!(idle <= IDLE_TICKS_MAX, "{idle} hundredths of a second in 5 s of nothing");
    assert!(open <= DESCRIPTORS_MAX, "{open} descriptors");
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, FILES as u64);
}

/// Few enough that strace does not hold the agent up.
const TRACED_FILES: usize = 300;

/// One look at everything falls in, and no more than two.
const SWEEP: Duration = Duration::from_secs(65);

#[test]
fn row_48_idle_files_are_looked_at_once_a_minute_and_never_opened() {
    let mut row = Row::new("row-48-calls");
    for number in 0..TRACED_FILES {
        let path = row.at(&format!("site-{number}.log"));
        row.write(&path, 1);
    }
    let trace = row.scratch().join("strace.out");
    let mut starter = command("strace");
    starter.args(["-D", "-f", "-qq", "-o"]).arg(&trace);
    starter.args(["-e", "trace=openat,openat2,statx,pread64,getdents64"]).arg(binary());
    let agent = Agent::spawn_with(row.scratch().path(), &row.config_of("*.log"), starter, |_| {});
    row.catch_up();
    // What was read a moment ago is looked at once more.
    pass_time(Duration::from_secs(3));
    let traced = || std::fs::read_to_string(&trace).expect("strace writes what it sees");
    let before = traced().len();
    pass_time(SWEEP);
    let calls = traced()[before..].to_owned();
    let count = |call: &str, name: &str| {
        calls.lines().filter(|line| line.contains(&format!(" {call}")) && line.contains(name)).count()
    };
    let (looks, opens, reads) = (count("statx(", "site-"), count("open", "site-"), count("pread64(", ""));
    assert!((TRACED_FILES..=2 * TRACED_FILES).contains(&looks), "{looks} looks at {TRACED_FILES} files");
    assert_eq!((opens, reads), (0, 0), "nothing has changed:\n{calls}");
    let lists = count("getdents64(", "");
    assert!(lists <= 2 * 2 * 3, "{lists} reads of directories");
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, TRACED_FILES as u64);
}

/// Time that the agent has worked so far, in hundredths of a second: fields 14 and 15 of its stat.
fn ticks(agent: &mut Agent) -> u64 {
    let text =
        std::fs::read_to_string(format!("/proc/{}/stat", agent.process().id())).expect("the agent runs");
    let fields = text.rsplit(')').next().expect("a name in parentheses").split_whitespace();
    fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("a time is a number")).sum()
}

/// About 9 MB, which take half a minute at the rate below.
const BACKLOG_LINES: u64 = 40_000;

#[test]
fn row_49_small_sites_do_not_wait_for_the_backlog_of_a_large_one() {
    let mut row = Row::new("row-49");
    let large = row.at("large.log");
    row.write(&large, BACKLOG_LINES);
    let mut config = row.config_of("*.log");
    config.logs[0].1 = "combined\n    catch_up: 300kB/s".to_owned();
    let agent = row.agent_with(&config);
    wait_until(LIMIT, "the backlog is under way", || row.committed() > 0);
    let before = row.committed();
    for number in 0..20 {
        let path = row.at(&format!("small-{number}.log"));
        row.write(&path, 1);
    }
    // Each small site is a stream of its own.
    wait_until(LIMIT, "the small sites are delivered", || row.streams() == 21);
    let (large_lines, all) = (row.committed(), BACKLOG_LINES + 20);
    assert!(
        before < large_lines && large_lines < all,
        "{large_lines} of {all}: the backlog is not under way any more"
    );
    row.finish(agent);
}

//! Rows 38 to 41 and 53: what an agent finds when it starts, and how it ends.

use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use crate::row::{Row, append};
use crate::support::wait::wait_until;

/// As large as no machine's memory; on the disk it is a hole.
const HUGE_BYTES: u64 = 64 << 30;
/// What an agent at work may hold.
const RSS_KIB_MAX: u64 = 40 * 1024;
/// systemd's TimeoutStopSec in the unit.
const STOP_LIMIT: Duration = Duration::from_secs(45);

#[test]
fn row_38_an_agent_that_is_killed_after_each_line_goes_on_at_the_committed_position() {
    let mut row = Row::new("row-38");
    let log = row.log();
    for _ in 0..5 {
        let agent = row.agent();
        row.write(&log, 7);
        row.catch_up();
        row.write(&log, 7);
        agent.kill9();
    }
    let agent = row.agent();
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 1);
}

#[test]
fn row_39_a_deleted_state_directory_is_made_again_of_what_kafka_knows() {
    let mut row = Row::new("row-39");
    let log = row.log();
    for _ in 0..3 {
        let agent = row.agent();
        row.write(&log, 20);
        row.catch_up();
        agent.kill9();
        row.close_books();
        std::fs::remove_dir_all(&row.config().state_dir).expect("a state directory can be deleted");
        row.write(&log, 20);
    }
    let agent = row.agent();
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 1);
}

#[test]
fn row_40_times_of_the_future_and_the_past_decide_nothing() {
    let mut row = Row::new("row-40");
    let config = row.config_of("*.log*");
    let paths = ["a.log", "b.log", "b.log.1"].map(|name| row.at(name));
    let mut agent = row.agent_with(&config);
    for year in [-40, 30, -1, 0] {
        for path in &paths {
            row.write(path, 10);
            set_year(path, year);
        }
        row.catch_up();
        agent.kill9();
        for path in &paths {
            row.write(path, 10);
            set_year(path, -year);
        }
        agent = row.agent_with(&config);
        row.catch_up();
    }
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 3);
}

/// Says that a file was written so many years from now.
fn set_year(path: &std::path::Path, years: i64) {
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("the clock is right enough");
    let seconds = i64::try_from(since.as_secs()).expect("a time fits") + years * 365 * 86_400;
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::empty()).expect("the owner can set times");
}

#[test]
fn row_41_a_file_larger_than_memory_begins_at_its_last_line_where_that_is_said() {
    let mut row = Row::new("row-41");
    let log = row.log();
    append(&log, b"");
    let file = std::fs::File::options().write(true).open(&log).expect("the log can be opened");
    file.set_len(HUGE_BYTES).expect("a file can have a hole");
    append(&log, b"\nthe beginning of a line that is not complete ");
    let mut config = row.config();
    config.logs[0].1 = "combined\n    start: end".to_owned();
    let mut agent = row.agent_with(&config);
    agent.process().wait_for_words(crate::row::LIMIT, "from byte");
    append(&log, b"and its end\n");
    row.expect_others(1);
    row.write(&log, 20);
    row.catch_up();
    let resident = agent.process().rss_kib();
    assert!(resident <= RSS_KIB_MAX, "resident {resident} KiB");
    let verdict = row.finish(agent);
    assert_eq!(verdict.skipped_bytes, HUGE_BYTES + 1, "what was there before is counted to the byte");
}

#[test]
fn row_53_a_stop_under_load_is_over_well_before_systemd_kills() {
    let mut row = Row::new("row-53");
    let log = row.log();
    for run in 1..=3 {
        row.write(&log, 20_000);
        let agent = row.agent();
        // Each run says once where it begins to read; what it says is added to what the runs before it said.
        wait_until(crate::row::LIMIT, "the agent is at work", || {
            let words = agent.words();
            words.matches("first run:").count() + words.matches("going on with").count() == run
        });
        assert!(agent.stop() < STOP_LIMIT);
    }
    let agent = row.agent();
    row.finish(agent);
}

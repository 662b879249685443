//! Rows 11 to 16: bytes vanish from a log that keeps its inode.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;

use rustix::process::Signal;

use crate::row::{Row, append, appender};

const COPYTRUNCATE: &str = "size 1\ncopytruncate\nrotate 9";

#[test]
fn row_12_copytruncate_with_bytes_unread_goes_on_in_the_copy() {
    let mut row = Row::new("row-12");
    let mut agent = row.agent();
    let writer = appender(&row.log());
    for round in 0..4 {
        row.write_to(&writer, 20);
        row.catch_up();
        // Once the agent is asleep, once it is dead.
        if round % 2 == 0 {
            agent.process().signal(Signal::STOP);
            row.write_to(&writer, 20);
            row.rotate(COPYTRUNCATE);
            row.write_to(&writer, 5);
            agent.process().signal(Signal::CONT);
        } else {
            agent.kill9();
            row.write_to(&writer, 20);
            row.rotate(COPYTRUNCATE);
            row.write_to(&writer, 5);
            agent = row.agent();
        }
        row.catch_up();
    }
    row.finish(agent);
}

#[test]
fn row_13_a_file_that_grew_beyond_the_old_position_is_read_from_its_start() {
    let mut row = Row::new("row-13");
    let mut agent = row.agent();
    let log = row.log();
    for dead in [false, true, false] {
        row.write(&log, 20);
        row.catch_up();
        let resume = sleep_or_die(agent, dead);
        truncate(&log, 0);
        row.write(&log, 60);
        agent = resume(&row);
        row.catch_up();
    }
    row.finish(agent);
}

#[test]
fn row_13_an_equal_head_does_not_hide_that_a_file_was_written_anew() {
    let mut row = Row::new("row-13-head");
    let log = row.log();
    let mut agent = row.agent();
    for (dead, lines) in [(false, 60), (true, 200), (false, 400)] {
        // More than identifies a file, and the same every time; then more lines than there were before.
        append(&log, &health_checks());
        row.expect_others(HEALTH_CHECKS);
        row.write(&log, 20);
        row.catch_up();
        let resume = sleep_or_die(agent, dead);
        truncate(&log, 0);
        append(&log, &health_checks());
        row.expect_others(HEALTH_CHECKS);
        row.write(&log, lines);
        agent = resume(&row);
        row.catch_up();
    }
    row.finish(agent);
}

#[test]
fn row_14_a_cut_tail_is_not_read_again() {
    let mut row = Row::new("row-14");
    let log = row.log();
    let mut agent = row.agent();
    for dead in [false, true] {
        row.write(&log, 10);
        let kept = size(&log);
        row.write(&log, 20);
        row.catch_up();
        let resume = sleep_or_die(agent, dead);
        truncate(&log, kept);
        agent = resume(&row);
        // It is seen as cut before it grows.
        agent.process().wait_for_words(crate::row::LIMIT, &format!("from byte {kept}"));
        row.write(&log, 5);
        row.catch_up();
    }
    row.finish(agent);
}

#[test]
fn row_15_a_file_that_was_rewritten_in_its_size_is_read_again() {
    let mut row = Row::new("row-15");
    let log = row.log();
    let mut agent = row.agent();
    for dead in [false, true] {
        let lines = row.lines(20);
        append(&log, &lines);
        row.catch_up();
        let resume = sleep_or_die(agent, dead);
        let other = if dead { "b" } else { "a" };
        let rewritten =
            String::from_utf8(lines).expect("lines are text").replace("-r-", &format!("-{other}-"));
        append(&row.truth(), rewritten.as_bytes());
        let mut file = File::options().write(true).open(&log).expect("the log can be opened");
        file.write_all(rewritten.as_bytes()).expect("the log can be written");
        agent = resume(&row);
        row.catch_up();
        // The next round begins with a file of its own.
        std::fs::remove_file(&log).expect("a log can be deleted");
    }
    row.write(&log, 5);
    row.finish(agent);
}

#[test]
fn row_16_the_hole_that_a_writer_leaves_with_its_old_position_is_skipped_and_counted() {
    let mut row = Row::new("row-16");
    let log = row.log();
    let agent = row.agent();
    // No O_APPEND: after the truncation this writer goes on where it was.
    let mut writer =
        File::options().create(true).truncate(true).write(true).open(&log).expect("a log can be made");
    let mut holes = 0;
    for _ in 0..3 {
        row.write_to(&writer, 50);
        row.catch_up();
        holes += writer.stream_position().expect("a file has a position");
        truncate(&log, 0);
        row.write_to(&writer, 5);
        row.catch_up();
    }
    let verdict = row.finish(agent);
    assert_eq!(verdict.skipped_bytes, holes, "each hole is counted to the byte");
}

/// Stops the agent from looking; what is handed back brings it to look again.
fn sleep_or_die(
    mut agent: crate::support::agent::Agent,
    dead: bool,
) -> Box<dyn FnOnce(&Row) -> crate::support::agent::Agent> {
    if dead {
        agent.kill9();
        return Box::new(Row::agent);
    }
    agent.process().signal(Signal::STOP);
    Box::new(move |_| {
        agent.process().signal(Signal::CONT);
        agent
    })
}

const HEALTH_CHECKS: u64 = 60;

/// Lines without a token, the same in every file: 5 KiB of them.
fn health_checks() -> Vec<u8> {
    b"192.0.2.1 - - [01/Mar/2026:00:00:00 +0000] \"GET /health HTTP/1.1\" 200 2 \"-\" \"probe\"\n"
        .repeat(usize::try_from(HEALTH_CHECKS).expect("a small count"))
}

fn truncate(path: &Path, size: u64) {
    let file = File::options().write(true).open(path).expect("the log can be opened");
    file.set_len(size).expect("the log can be cut");
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).expect("the log is there").len()
}

#[test]
fn row_11_copytruncate_with_everything_read_goes_on_at_0() {
    let mut row = Row::new("row-11");
    let agent = row.agent();
    let writer = appender(&row.log());
    for _ in 0..5 {
        row.write_to(&writer, 20);
        row.catch_up();
        row.rotate(COPYTRUNCATE);
        row.write_to(&writer, 20);
        row.catch_up();
    }
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 6, "the copies were left alone");
}

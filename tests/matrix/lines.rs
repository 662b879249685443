//! Rows 42 to 45: what a line is, and when it is one.

use std::time::Duration;

use crate::row::{Row, append, appender};
use crate::support::wait::pass_time;

/// Longer than the time after which others cut a line (500 ms, 5 s).
const STALL: Duration = Duration::from_secs(7);

#[test]
fn row_42_the_beginning_of_a_line_waits_for_its_end() {
    let mut row = Row::new("row-42");
    let mut agent = row.agent();
    let log = row.log();
    row.write(&log, 10);
    row.catch_up();
    for dead in [false, true] {
        let line = row.lines(1);
        let (beginning, end) = line.split_at(line.len() / 2);
        append(&log, beginning);
        if dead {
            agent.kill9();
            agent = row.agent();
        }
        let before = row.committed();
        pass_time(STALL);
        assert_eq!(row.committed(), before, "half a line is no line");
        append(&log, end);
        row.catch_up();
    }
    row.write(&log, 10);
    row.finish(agent);
}

#[test]
fn row_43_the_beginning_of_a_line_whose_writer_is_gone_is_delivered_and_marked() {
    let mut row = Row::new("row-43");
    let agent = row.agent();
    let writer = appender(&row.log());
    row.write_to(&writer, 10);
    let torn = row.lost_lines(1);
    append(&row.log(), &torn[..torn.len() - 20]);
    row.catch_up();
    row.rotate("size 1\ncreate\nrotate 9");
    let log = row.log();
    row.write(&log, 5);
    row.catch_up();
    // As long as somebody can complete it, it waits.
    pass_time(STALL);
    assert_eq!(row.committed(), 15, "half a line is no line");
    drop(writer);
    row.expect_others(1);
    row.catch_up();
    row.write(&log, 5);
    row.catch_up();
    let partial: Vec<_> = row.events().into_iter().filter(|event| event["partial"] == true).collect();
    assert_eq!(partial.len(), 1);
    assert_eq!(partial[0]["line_size"], torn.len() - 20);
    row.finish(agent);
}

#[test]
fn row_44_a_line_beyond_the_limit_that_ends_behind_a_rotation_costs_one_event() {
    let mut row = Row::new("row-44");
    let mut config = row.config();
    config.logs[0].1 = "combined\n    max_line_size: 4KiB".to_owned();
    let agent = row.agent_with(&config);
    let writer = appender(&row.log());
    row.write_to(&writer, 10);
    append(&row.log(), &vec![b'x'; 300_000]);
    row.catch_up();
    row.rotate("size 1\ncreate\nrotate 9");
    append(&row.at("access.log.1"), &[vec![b'y'; 300_000], b"\n".to_vec()].concat());
    row.expect_others(1);
    row.write_to(&writer, 10);
    let log = row.log();
    row.write(&log, 10);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

#[test]
fn row_45_line_ends_empty_lines_marks_and_bytes_that_are_no_text_are_kept_apart() {
    let mut row = Row::new("row-45");
    let mut agent = row.agent();
    let log = row.log();
    // A byte order mark belongs to the first line, whatever that makes of it.
    let marked = [b"\xef\xbb\xbf".to_vec(), row.lost_lines(1)].concat();
    append(&log, &marked);
    append(&log, b"\n\r\n\n\xff\xfe\xc3(\n");
    row.expect_others(5);
    row.write(&log, 5);
    // Carriage returns belong to the line, so its size in the truth counts them too.
    let text = String::from_utf8(row.lost_lines(5)).expect("lines are text").replace('\n', "\r\n");
    append(&log, text.as_bytes());
    append(&row.truth(), text.as_bytes());
    row.write(&log, 5);
    row.catch_up();
    agent.kill9();
    agent = row.agent();
    row.write(&log, 5);
    row.finish(agent);
}

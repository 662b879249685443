//! Rows 1 to 10: a log gets another name, and sooner or later another file takes its place.

use std::time::Duration;

use crate::row::{Row, append, appender};
use crate::support::wait::pass_time;

/// Longer than any grace after which others let a renamed file go (5 s).
const LONG_AFTER: Duration = Duration::from_secs(6);

#[test]
fn row_01_logrotate_creates_and_the_writer_reopens_at_once() {
    let mut row = Row::new("row-01");
    let agent = row.agent();
    let mut writer = appender(&row.log());
    // A log that was rotated before anybody looked is nobody's log; from here on the agent knows it.
    row.write_to(&writer, 1);
    row.catch_up();
    for _ in 0..6 {
        row.write_to(&writer, 20);
        row.rotate("size 1\ncreate\nrotate 9");
        row.write_to(&writer, 1);
        writer = appender(&row.log());
        row.write_to(&writer, 20);
    }
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 7, "each file is one generation for its whole life");
}

#[test]
fn row_02_lines_written_into_the_renamed_file_for_long_arrive_and_the_new_file_does_not_wait() {
    let mut row = Row::new("row-02");
    let agent = row.agent();
    let old = appender(&row.log());
    row.write_to(&old, 30);
    row.catch_up();
    row.rotate("size 1\ncreate\nrotate 9");
    let new = appender(&row.log());
    for _ in 0..6 {
        row.write_to(&old, 3);
        row.write_to(&new, 3);
        row.catch_up();
        pass_time(LONG_AFTER / 6);
    }
    // Renamed once more, it is still the same file.
    row.rotate("size 1\ncreate\nrotate 9");
    row.write_to(&old, 5);
    row.write_to(&new, 5);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

#[test]
fn row_03_a_renamed_file_without_a_successor_is_read_on() {
    let mut row = Row::new("row-03");
    let agent = row.agent();
    let writer = appender(&row.log());
    row.write_to(&writer, 30);
    row.catch_up();
    row.rotate("size 1\nnocreate\nrotate 9");
    row.write_to(&writer, 3);
    row.catch_up();
    pass_time(LONG_AFTER);
    row.write_to(&writer, 3);
    row.catch_up();
    // There is still no successor when the agent dies and comes back.
    agent.kill9();
    row.write_to(&writer, 3);
    let agent = row.agent();
    row.catch_up();
    row.write_to(&writer, 3);
    row.catch_up();
    let log = row.log();
    row.write(&log, 5);
    row.write_to(&writer, 3);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

#[test]
fn row_04_a_date_in_the_name_is_a_name_like_any_other() {
    let mut row = Row::new("row-04-dateext");
    let dated = "size 1\ncreate\nrotate 9\ndateext\ndateformat -%Y%m%d-%s";
    let agent = row.agent();
    let writer = appender(&row.log());
    row.write_to(&writer, 20);
    row.catch_up();
    row.rotate(dated);
    row.write_to(&writer, 5);
    row.catch_up();
    agent.kill9();
    // Unread bytes lie in the dated file, and nothing but what is in it says which it is.
    row.write_to(&writer, 5);
    let log = row.log();
    row.write(&log, 5);
    let agent = row.agent();
    row.catch_up();
    row.write(&log, 5);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

#[test]
fn row_04_a_log_that_moves_to_another_directory_is_followed_by_its_descriptor() {
    let mut row = Row::new("row-04-olddir");
    let old = row.logs().join("old");
    std::fs::create_dir(&old).expect("a directory can be made");
    let moved = format!("size 1\ncreate\nrotate 9\nolddir {}", old.display());
    let agent = row.agent();
    let mut writer = appender(&row.log());
    for _ in 0..4 {
        row.write_to(&writer, 20);
        // What moves to a place where nobody looks has to be seen before.
        row.catch_up();
        row.rotate(&moved);
        let behind = std::mem::replace(&mut writer, appender(&row.log()));
        row.write_to(&behind, 3);
        row.write_to(&writer, 3);
    }
    row.catch_up();
    assert!(old.join("access.log.4").exists(), "logrotate moved the logs");
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 5);
}

#[test]
fn row_09_generations_that_pile_up_while_nothing_can_be_sent_are_kept_and_read_in_order() {
    let mut row = Row::new("row-09");
    let mut agent = row.agent();
    let mut writer = appender(&row.log());
    row.write_to(&writer, 20);
    row.catch_up();
    // Five rotations within one look of the agent: none of their files was ever seen under the log's name.
    agent.process().signal(rustix::process::Signal::STOP);
    for _ in 0..5 {
        row.write_to(&writer, 20);
        row.rotate("size 1\ncreate\nrotate 9");
        row.write_to(&writer, 2);
        writer = appender(&row.log());
    }
    row.write_to(&writer, 20);
    agent.process().signal(rustix::process::Signal::CONT);
    row.catch_up();
    row.write_to(&writer, 20);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 6);
}

#[test]
fn row_05_with_delaycompress_the_archive_is_the_file_that_was_read_before() {
    let mut row = Row::new("row-05");
    let agent = row.agent_with(&row.config_of("access.log*"));
    let mut writer = appender(&row.log());
    for _ in 0..5 {
        row.write_to(&writer, 20);
        row.rotate("size 1\ncreate\nrotate 9\ncompress\ndelaycompress");
        row.write_to(&writer, 2);
        row.catch_up();
        writer = appender(&row.log());
    }
    assert!(row.at("access.log.5.gz").exists(), "logrotate compressed the older ones");
    row.write_to(&writer, 20);
    row.catch_up();
    // A restart has only the positions to go by.
    agent.kill9();
    let agent = row.agent_with(&row.config_of("access.log*"));
    row.write_to(&writer, 20);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 6);
}

#[test]
fn row_06_what_is_written_after_compression_lives_in_our_descriptor_alone() {
    let mut row = Row::new("row-06");
    let agent = row.agent_with(&row.config_of("access.log*"));
    let mut writer = appender(&row.log());
    for _ in 0..4 {
        row.write_to(&writer, 20);
        row.catch_up();
        // gzip reads the file and unlinks it, and the writer does not know yet.
        row.rotate("size 1\ncreate\nrotate 9\ncompress");
        row.write_to(&writer, 5);
        pass_time(Duration::from_millis(300));
        row.write_to(&writer, 5);
        row.catch_up();
        writer = appender(&row.log());
    }
    assert!(row.at("access.log.1.gz").exists() && !row.at("access.log.1").exists());
    row.write_to(&writer, 20);
    row.finish(agent);
}

#[test]
fn row_07_an_archive_that_grows_before_our_eyes_is_never_lines() {
    let mut row = Row::new("row-07");
    let agent = row.agent_with(&row.config_of("access.log*"));
    let log = row.log();
    row.write(&log, 200);
    row.catch_up();
    // What gzip writes, in pieces that a look of the agent falls between.
    let gzip = std::process::Command::new("gzip").arg("-c").arg(&log).output().expect("gzip can be run");
    let archive = row.at("access.log.1.gz");
    append(&archive, b"");
    for piece in gzip.stdout.chunks(gzip.stdout.len() / 6 + 1) {
        append(&archive, piece);
        row.write(&log, 2);
        row.catch_up();
        pass_time(Duration::from_millis(100));
    }
    // And one that another program left half done.
    append(&row.at("access.log.2.gz"), &gzip.stdout[..gzip.stdout.len() / 2]);
    row.write(&log, 2);
    row.catch_up();
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 1);
}

#[test]
fn row_08_every_rotation_while_the_agent_was_down_is_read_in_order() {
    let mut row = Row::new("row-08");
    let agent = row.agent();
    let mut writer = appender(&row.log());
    row.write_to(&writer, 20);
    row.catch_up();
    agent.kill9();
    for _ in 0..5 {
        row.write_to(&writer, 20);
        row.rotate("size 1\ncreate\nrotate 9");
        row.write_to(&writer, 2);
        writer = appender(&row.log());
    }
    row.write_to(&writer, 20);
    let agent = row.agent();
    row.catch_up();
    row.write_to(&writer, 20);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 6);
}

#[test]
fn row_10_what_was_deleted_while_nobody_looked_stops_nothing_else() {
    let mut row = Row::new("row-10");
    let agent = row.agent();
    let log = row.log();
    row.write(&log, 30);
    row.catch_up();
    agent.kill9();
    let lost = row.lost_lines(7);
    append(&log, &lost);
    std::fs::remove_file(&log).expect("a log can be deleted");
    row.write(&log, 30);
    let agent = row.agent();
    row.catch_up();
    row.write(&log, 30);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

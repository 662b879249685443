//! Rows 17 to 24, 27, 28, 46 and 47: which file is which, when names, inodes and first lines lie.

use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags};

use crate::row::{LIMIT, Row, append, appender, inode, rename};
use crate::support::agent::Agent;
use crate::support::wait::{now, pass_time, wait_until};

/// A rotated file is asked about its writers every second; far below the minutes of a grace by the clock.
const RELEASE_LIMIT: Duration = Duration::from_secs(15);

#[test]
fn row_17_a_file_in_the_inode_of_a_deleted_one_is_read_from_its_start() {
    let mut row = Row::on_ext4("row-17");
    let mut agent = row.agent();
    let log = row.log();
    for _ in 0..4 {
        row.write(&log, 10);
        row.catch_up();
        let number = inode(&log);
        std::fs::remove_file(&log).expect("a log can be deleted");
        // Nobody writes to it any more, so the agent lets it go, and only then is its number free.
        wait_until(LIMIT, "the deleted log is closed", || deleted_but_open(&mut agent) == 0);
        create_in(&log, number);
        row.write(&log, 20);
        row.catch_up();
    }
    row.write(&log, 5);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 5);
}

/// Deleted files that the agent holds open: their space is not free.
fn deleted_but_open(agent: &mut Agent) -> usize {
    let links = std::fs::read_dir(format!("/proc/{}/fd", agent.process().id())).expect("the agent runs");
    let targets = links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().ends_with(".log (deleted)")).count()
}

#[test]
fn row_19_a_deleted_log_is_read_until_its_writer_is_gone_and_let_go_at_once_then() {
    let mut row = Row::on_ext4("row-19");
    let mut agent = row.agent();
    let writer = appender(&row.log());
    row.write_to(&writer, 20);
    row.catch_up();
    std::fs::remove_file(row.log()).expect("a log can be deleted");
    for _ in 0..4 {
        row.write_to(&writer, 5);
        row.catch_up();
        pass_time(Duration::from_secs(2));
        assert_eq!(deleted_but_open(&mut agent), 1, "its writer may write on");
    }
    row.write_to(&writer, 5);
    drop(writer);
    row.catch_up();
    let closed = now();
    wait_until(LIMIT, "the deleted log is closed", || deleted_but_open(&mut agent) == 0);
    assert!(closed.elapsed() < RELEASE_LIMIT, "its space is free at once, not after {:?}", closed.elapsed());
    let log = row.log();
    row.write(&log, 5);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

#[test]
fn row_18_a_file_in_the_inode_of_one_that_was_deleted_while_nobody_looked_is_read_from_its_start() {
    let mut row = Row::on_ext4("row-18");
    let log = row.log();
    let mut agent = row.agent();
    for _ in 0..3 {
        row.write(&log, 20);
        row.catch_up();
        agent.kill9();
        let number = inode(&log);
        std::fs::remove_file(&log).expect("a log can be deleted");
        create_in(&log, number);
        // Longer than the old one: by its inode and size alone it would be the old one.
        row.write(&log, 40);
        agent = row.agent();
        row.catch_up();
    }
    row.write(&log, 5);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 4);
}

/// Creates a file in this inode, which is free: ext4 gives the lowest free number of the directory's group.
fn create_in(path: &Path, number: u64) {
    for attempt in 0..32 {
        appender(path);
        if inode(path) == number {
            return;
        }
        let aside = path.with_file_name(format!("aside-{number}-{attempt}"));
        rename(path, &aside);
    }
    panic!("inode {number} was not used again by {}", path.display());
}

#[test]
fn row_20_a_log_that_is_deleted_and_made_anew_at_once_is_two_files_and_both_are_read() {
    let mut row = Row::on_ext4("row-20");
    let agent = row.agent();
    let mut writer = appender(&row.log());
    for _ in 0..6 {
        row.write_to(&writer, 20);
        row.catch_up();
        std::fs::remove_file(row.log()).expect("a log can be deleted");
        let behind = std::mem::replace(&mut writer, appender(&row.log()));
        row.write_to(&writer, 5);
        // Whoever had the deleted file open writes on.
        row.write_to(&behind, 5);
        row.write_to(&writer, 5);
        row.catch_up();
    }
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 7);
}

#[test]
fn row_24_swapped_names_and_shifted_names_are_names_only() {
    let mut row = Row::on_ext4("row-24");
    let config = row.config_of("*.log");
    let mut agent = row.agent_with(&config);
    let (one, other) = (row.at("one.log"), row.at("other.log"));
    row.write(&one, 20);
    row.write(&other, 30);
    row.catch_up();
    for dead in [false, true, false] {
        if dead {
            agent.kill9();
            swap(&one, &other);
            row.write(&one, 3);
            agent = row.agent_with(&config);
        } else {
            swap(&one, &other);
            row.write(&one, 3);
        }
        row.write(&other, 7);
        row.catch_up();
    }
    // Three names in a row, each taking the next one's.
    rename(&other, &row.at("third.log"));
    rename(&one, &other);
    row.write(&one, 10);
    row.write(&other, 10);
    let third = row.at("third.log");
    row.write(&third, 10);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 3);
}

fn swap(one: &Path, other: &Path) {
    rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).expect("ext4 can swap two names");
}

#[test]
fn row_46_files_that_begin_alike_are_files_of_their_own() {
    let mut row = Row::new("row-46");
    let agent = row.agent_with(&row.config_of("*.log"));
    let paths = ["a.log", "b.log", "c.log"].map(|name| row.at(name));
    // More than identifies a file, then a line that differs.
    let head = b"192.0.2.1 - - [01/Mar/2026:00:00:00 +0000] \"GET /health HTTP/1.1\" 200 2 \"-\" \"probe\"\n"
        .repeat(60);
    for path in &paths {
        append(path, &head);
        row.expect_others(60);
        row.write(path, 3);
    }
    row.catch_up();
    for path in &paths {
        row.write(path, 10);
    }
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 3);
}

#[test]
fn row_47_a_file_shorter_than_any_fingerprint_is_read_from_its_first_byte() {
    let mut row = Row::new("row-47");
    let config = row.config_of("*.log");
    let mut agent = row.agent_with(&config);
    let paths = ["a.log", "b.log"].map(|name| row.at(name));
    let texts = [row.lines(12), row.lines(12)];
    // Both begin with the same few bytes, and each dies as a file of one byte in the agent's memory.
    let cuts = [0, 1, 2, 200, 201, 900, texts[0].len().min(texts[1].len())];
    for (number, cut) in cuts.windows(2).enumerate() {
        for (path, text) in paths.iter().zip(&texts) {
            append(path, &text[cut[0]..cut[1]]);
        }
        if number % 2 == 1 {
            agent.kill9();
            agent = row.agent_with(&config);
        }
    }
    for (path, text) in paths.iter().zip(&texts) {
        append(path, &text[cuts[cuts.len() - 1]..]);
    }
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

#[test]
fn row_28_a_restored_log_is_not_sent_again() {
    let mut row = Row::new("row-28");
    let log = row.log();
    let mut agent = row.agent();
    row.write(&log, 40);
    row.catch_up();
    for dead in [false, true, false] {
        if dead {
            agent.kill9();
            restore(&mut row);
            agent = row.agent();
        } else {
            restore(&mut row);
        }
        row.write(&log, 4);
        row.catch_up();
    }
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 1, "it is the same generation in other inodes");
}

/// As editors, rsync and backups do it: another file with the same bytes, and some more, takes the name.
fn restore(row: &mut Row) {
    let copy = row.scratch().join("copy");
    std::fs::copy(row.log(), &copy).expect("a log can be copied");
    row.write(&copy, 4);
    rename(&copy, &row.log());
}

#[test]
fn row_27_logs_that_move_to_another_file_system_go_on_at_the_old_positions() {
    let mut row = Row::new("row-27");
    let config = row.config_of("site/*.log");
    let (site, aside) = (row.at("site"), row.at("aside"));
    std::fs::create_dir(&site).expect("a directory can be made");
    let agent = row.agent_with(&config);
    let log = site.join("access.log");
    row.write(&log, 20);
    row.catch_up();
    agent.kill9();
    // Lines that nobody has read yet; then another disk takes the place of the directory, with copies of what was in it.
    row.write(&log, 5);
    rename(&site, &aside);
    let disk = row.mount_ext4("logs/site");
    std::fs::copy(aside.join("access.log"), disk.join("access.log")).expect("a log can be copied");
    let agent = row.agent_with(&config);
    row.catch_up();
    row.write(&log, 5);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 1);
}

#[test]
fn row_27_a_log_that_moves_to_another_directory_on_another_file_system_goes_on_there() {
    let mut row = Row::new("row-27-elsewhere");
    let (here, there) = (row.at("here"), row.mount_ext4("logs/there"));
    std::fs::create_dir(&here).expect("a directory can be made");
    let (first, second) = (here.join("access.log"), there.join("moved.log"));
    let config = row.config_of("*/*.log");
    let agent = row.agent_with(&config);
    // More than the head that identifies: a few equal bytes are no copy.
    row.write(&first, 50);
    row.catch_up();
    agent.kill9();
    row.write(&first, 50);
    move_over(&first, &second);
    let agent = row.agent_with(&config);
    row.catch_up();
    row.write(&second, 10);
    row.catch_up();
    // And back, before the agent's eyes.
    let third = here.join("again.log");
    move_over(&second, &third);
    row.write(&third, 10);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 1);
}

/// What mv does between file systems: copies, then deletes.
fn move_over(from: &Path, to: &Path) {
    std::fs::copy(from, to).expect("a log can be copied");
    std::fs::remove_file(from).expect("a log can be deleted");
}

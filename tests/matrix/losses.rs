//! Rows 10, 14, 19 and 28: bytes that nobody can deliver, or shall not, are counted to the byte.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::row::{LIMIT, Row, append};
use crate::support::agent::Agent;
use crate::support::wait::wait_until;

/// Makes whatever is larger than one read a backlog that is read so slowly that it can be taken away unread.
const SLOWLY: &str = "combined\n    catch_up: 100kB/s";

#[test]
fn row_10_what_was_deleted_while_nobody_looked_is_counted_as_far_as_it_was_seen() {
    let mut row = Row::new("row-10-count");
    let mut config = row.config();
    config.logs[0].1 = SLOWLY.to_owned();
    let log = row.log();
    let lines = row.lost_lines(20_000);
    append(&log, &lines);
    let agent = row.agent_with(&config);
    wait_until(LIMIT, "some of it is committed", || row.committed() > 0);
    agent.kill9();
    std::fs::remove_file(&log).expect("a log can be deleted");
    let mut agent = row.agent_with(&config);
    row.write(&log, 10);
    // It may yet turn up under another name: that takes a minute, and the next look at everything.
    agent.process().wait_for_words(2 * LIMIT, "are gone unread: it was deleted");
    agent.stop();
    let (lost, committed) = (row.account("deleted"), row.account("committed"));
    assert_eq!(lost + committed, lines.len() as u64 + size(&log), "{}", row.status());
    assert_eq!(row.account("finished"), lines.len() as u64, "{}", row.status());
}

#[test]
fn row_14_what_is_cut_away_unread_is_counted() {
    let mut row = Row::new("row-14-count");
    let mut config = row.config();
    config.logs[0].1 = SLOWLY.to_owned();
    let log = row.log();
    let kept = row.lines(5000);
    let cut = row.lost_lines(5000);
    append(&log, &[kept.as_slice(), &cut].concat());
    let agent = row.agent_with(&config);
    wait_until(LIMIT, "some of it is committed", || row.committed() > 0);
    let file = File::options().write(true).open(&log).expect("the log can be opened");
    file.set_len(kept.len() as u64).expect("the log can be cut");
    row.catch_up();
    row.write(&log, 10);
    row.expect_lost(cut.len() as u64);
    row.finish(agent);
}

#[test]
fn row_28_a_rewritten_log_is_skipped_and_counted_where_its_log_says_so() {
    let mut row = Row::new("row-28-skip");
    let (agent, other) = rewrite_under(&mut row, "skip", "on_rewrite: skip");
    row.expect_lost(other);
    let log = row.log();
    row.write(&log, 5);
    row.catch_up();
    assert_eq!(row.account("skipped"), other);
    row.finish(agent);
}

#[test]
fn row_28_a_rewritten_log_is_left_alone_where_its_log_says_so_until_it_is_emptied() {
    let mut row = Row::new("row-28-alert");
    let (agent, _) = rewrite_under(&mut row, "alert", "left alone");
    let (log, more) = (row.log(), row.lost_lines(3));
    append(&log, &more);
    rewrite(&log, b"");
    wait_until(LIMIT, "the empty file is followed", || agent.words().matches(" reading ").count() >= 2);
    row.write(&log, 5);
    row.catch_up();
    assert_eq!(agent.words().matches("left alone").count(), 1, "told once:\n{}", agent.words());
    row.finish(agent);
}

/// An agent that delivered a log and says these words when it is written anew; how large it is then.
fn rewrite_under(row: &mut Row, policy: &str, words: &str) -> (Agent, u64) {
    let mut config = row.config();
    config.logs[0].1 = format!("combined\n    on_rewrite: {policy}");
    let mut agent = row.agent_with(&config);
    let log = row.log();
    row.write(&log, 20);
    row.catch_up();
    let other = row.lost_lines(30);
    rewrite(&log, &other);
    agent.process().wait_for_words(LIMIT, words);
    (agent, other.len() as u64)
}

#[test]
fn row_19_deleted_logs_hold_no_more_of_the_disk_than_they_may() {
    const LIMIT_BYTES: u64 = 2_000_000;
    let mut row = Row::new("row-19-limit");
    let mut config = row.config();
    config.agent.push("max_deleted_size: 2MB".to_owned());
    config.logs[0].1 = "combined\n    catch_up: 1kB/s".to_owned();
    let log = row.log();
    let mut agent = row.agent_with(&config);
    let pid = agent.process().id();
    let mut deleted = 0;
    for _ in 0..3 {
        let lines = row.lost_lines(6000);
        append(&log, &lines);
        deleted += lines.len() as u64;
        let inode = crate::row::inode(&log);
        wait_until(LIMIT, "the log is open", || open_files(pid).any(|file| file.ino() == inode));
        std::fs::remove_file(&log).expect("a log can be deleted");
        wait_until(LIMIT, "the log is known to be deleted", || held_bytes(pid) >= deleted);
    }
    agent.process().wait_for_words(LIMIT, "more than agent.max_deleted_size");
    wait_until(LIMIT, "no more is held than allowed", || held_bytes(pid) <= LIMIT_BYTES);
    assert!(held_bytes(pid) > 0, "the youngest is kept");
    // What is small is read at once, and its commit takes the books along.
    row.write(&log, 10);
    let delivered = || row.account("committed") + row.account("given_up") + row.account("unread");
    wait_until(LIMIT, "every byte is in the books", || delivered() == deleted + size(&log));
    assert!(row.account("given_up") > 0, "{}", row.status());
    agent.kill9();
}

/// The regular files that a process has open.
fn open_files(pid: u32) -> impl Iterator<Item = std::fs::Metadata> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("the agent runs");
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    paths.filter_map(|path| std::fs::metadata(path).ok()).filter(std::fs::Metadata::is_file)
}

/// What a process holds of the disk by files without a name.
fn held_bytes(pid: u32) -> u64 {
    open_files(pid).filter(|file| file.nlink() == 0).map(|file| file.size()).sum()
}

/// Writes a file anew in its inode; nothing at all empties it.
fn rewrite(path: &Path, bytes: &[u8]) {
    let mut file = File::options().write(true).open(path).expect("the log can be opened");
    if bytes.is_empty() {
        file.set_len(0).expect("the log can be emptied");
    }
    file.write_all(bytes).expect("the log can be written");
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).expect("the log is there").len()
}

//! Rows 22 and 23: names that lead nowhere, and several that lead to one file.

use std::os::unix::fs::symlink;

use crate::row::{LIMIT, Row, append};

#[test]
fn row_22_links_to_nothing_and_to_themselves_are_told_once() {
    let mut row = Row::new("row-22");
    let (nothing, itself) = (row.at("nothing.log"), row.at("itself.log"));
    symlink(row.at("missing"), &nothing).expect("a link can be made");
    symlink(&itself, &itself).expect("a link can be made");
    let mut agent = row.agent_with(&row.config_of("*.log"));
    let log = row.log();
    for _ in 0..5 {
        // Each write has the directory looked at again.
        row.write(&log, 5);
        append(&row.at("noise"), b"x");
        row.catch_up();
    }
    for name in ["nothing.log", "itself.log"] {
        agent.process().wait_for_words(LIMIT, name);
        assert_eq!(agent.words().matches(name).count(), 1, "once is enough:\n{}", agent.words());
    }
    // A file in the place of the link is a file.
    std::fs::remove_file(&nothing).expect("a link can be deleted");
    row.write(&nothing, 5);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

#[test]
fn row_23_a_file_that_two_globs_match_is_read_once() {
    let mut row = Row::new("row-23");
    let config = row.config_of("*.log").log(&row.at("access*"), "combined").log(&row.log(), "combined");
    let mut agent = row.agent_with(&config);
    let log = row.log();
    for _ in 0..3 {
        row.write(&log, 20);
        row.catch_up();
        agent.kill9();
        row.write(&log, 20);
        agent = row.agent_with(&config);
        row.catch_up();
    }
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 1);
}

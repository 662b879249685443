//! Rows 21 to 23: names that lead elsewhere, or nowhere, and several that lead to one file.

use std::os::unix::fs::symlink;

use crate::row::{LIMIT, Row, append, appender, rename};

#[test]
fn row_21_a_link_that_is_turned_to_another_file_is_a_rotation_and_turned_back_goes_on() {
    let mut row = Row::on_ext4("row-21");
    let mut config = row.config();
    config.logs[0].1 = "combined\n    follow_symlinks: true".to_owned();
    std::fs::create_dir(row.at("real")).expect("a directory can be made");
    let targets = ["a", "b", "c"].map(|name| row.at("real").join(name));
    let (link, next) = (row.log(), row.at("next"));
    row.write(&targets[0], 5);
    symlink(&targets[0], &link).expect("a link can be made");
    let agent = row.agent_with(&config);
    row.catch_up();
    for turn in 1..9 {
        let (old, new) = (&targets[(turn - 1) % 3], &targets[turn % 3]);
        let writer = appender(old);
        row.write_to(&writer, 20);
        let first = appender(new);
        row.write_to(&first, 5);
        symlink(new, &next).expect("a link can be made");
        rename(&next, &link);
        // Whoever opened the log before the turn goes on where it was.
        row.write_to(&writer, 20);
        row.write(&link, 20);
        row.catch_up();
        row.write_to(&writer, 5);
        row.catch_up();
    }
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 3, "each file is one generation, however often the link comes by");
}

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

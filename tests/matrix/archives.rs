//! Rows 5 to 8 and 38 with compressed files: real gzip, zstd, xz and bzip2, run by a real logrotate.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::row::{LIMIT, Row, append, appender};
use crate::support::wait::{pass_time, wait_until};

/// Compressors and what they add to a name.
const COMPRESSORS: [(&str, &str); 4] = [("gzip", "gz"), ("zstd", "zst"), ("xz", "xz"), ("bzip2", "bz2")];

/// As distributions rotate, with this compressor.
fn compressing((program, extension): (&str, &str)) -> String {
    let program = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    let path = String::from_utf8(program.expect("a shell can be run").stdout).expect("a path is text");
    let path = path.trim();
    assert!(!path.is_empty(), "{extension}: its compressor is missing; tests/tools/setup.sh brings it");
    format!(
        "size 1\ncreate\nrotate 9\ncompress\ncompresscmd {path}\ncompressext .{extension}\ncompressoptions -3"
    )
}

/// What a compressor makes of a file.
fn packed(program: &str, path: &Path) -> Vec<u8> {
    let output = Command::new(program).arg("-c").arg(path).output();
    output.unwrap_or_else(|error| panic!("{program} is needed: {error}")).stdout
}

/// With each compressor once: an agent is killed before it read a log to its end, and the log is compressed under a name that these
/// directives make. The archive is smaller than what was read of it.
fn assert_read_from_archives(row: &mut Row, naming: &str) {
    let log = row.log();
    for compressor in COMPRESSORS {
        let agent = row.agent();
        row.write(&log, 60);
        row.catch_up();
        agent.kill9();
        row.write(&log, 5);
        row.rotate(&format!("{}\n{naming}", compressing(compressor)));
        row.write(&log, 5);
        let agent = row.agent();
        row.catch_up();
        agent.kill9();
    }
    let agent = row.agent();
    row.write(&log, 5);
    let verdict = row.finish_against(agent, &[], &row.truth());
    assert_eq!(verdict.streams, 5, "an archive is the generation that it was made of");
}

#[test]
fn row_08_what_was_unread_when_it_was_compressed_is_read_from_the_archive() {
    let mut row = Row::new("row-08-archive");
    assert_read_from_archives(&mut row, "");
    for (_, extension) in COMPRESSORS {
        assert!(row.at(&format!("access.log.1.{extension}")).exists());
    }
}

#[test]
fn row_08_so_it_is_where_the_time_stands_before_the_ending() {
    let mut row = Row::new("row-08-extension");
    assert_read_from_archives(&mut row, "dateext\ndateformat -%Y%m%d-%s\nextension .log");
}

#[test]
fn row_05_an_archive_that_was_read_is_known_whatever_becomes_of_its_name() {
    let mut row = Row::new("row-05-known");
    let log = row.log();
    let config = row.config_of("access.log*");
    let mut agent = row.agent_with(&config);
    for _ in 0..4 {
        for compressor in COMPRESSORS {
            row.write(&log, 20);
            row.catch_up();
            row.rotate(&format!("{}\ndelaycompress", compressing(compressor)));
            row.write(&log, 5);
            row.catch_up();
        }
        agent.kill9();
        agent = row.agent_with(&config);
    }
    row.write(&log, 5);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 17);
}

#[test]
fn row_07_half_an_archive_waits_and_a_whole_one_goes_on_at_the_old_position() {
    let mut row = Row::new("row-07-half");
    let log = row.log();
    let agent = row.agent();
    row.write(&log, 20);
    row.catch_up();
    agent.kill9();
    for (program, extension) in COMPRESSORS {
        row.write(&log, 300);
        let stored = packed(program, &log);
        std::fs::remove_file(&log).expect("a log can be deleted");
        let archive = row.at(&format!("access.log.1.{extension}"));
        let half = stored.len() / 2;
        append(&archive, &stored[..half]);
        let before = row.committed();
        let agent = row.agent();
        // The next log shows that the agent is at work, and the rest of the archive is owed meanwhile.
        row.write(&log, 5);
        wait_until(LIMIT, "the new log is read", || row.committed() == before + 5);
        pass_time(std::time::Duration::from_secs(3));
        assert_eq!(row.committed(), before + 5, "{program}: half an archive is nothing");
        append(&archive, &stored[half..]);
        row.catch_up();
        agent.kill9();
    }
    let agent = row.agent();
    row.write(&log, 5);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 5);
}

/// About 13 MB, which take several seconds at the rate below.
const ARCHIVED_LINES: u64 = 60_000;

#[test]
fn row_38_an_agent_that_is_killed_in_the_middle_of_an_archive_goes_on_there() {
    let mut row = Row::new("row-38-archive");
    let log = row.log();
    let mut config = row.config();
    config.logs[0].1 = "combined\n    catch_up: 3MB/s".to_owned();
    let agent = row.agent_with(&config);
    row.write(&log, 20);
    row.catch_up();
    agent.kill9();
    row.write(&log, ARCHIVED_LINES);
    row.rotate(&compressing(COMPRESSORS[1]));
    for _ in 0..4 {
        let before = row.committed();
        let agent = row.agent_with(&config);
        wait_until(LIMIT, "the archive is being read", || row.committed() > before);
        agent.kill9();
        assert!(row.committed() < ARCHIVED_LINES, "it is in the middle of the archive");
    }
    let agent = row.agent();
    row.write(&log, 20);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

#[test]
fn row_06_the_file_itself_is_read_on_beside_its_archive() {
    let mut row = Row::new("row-06-beside");
    let agent = row.agent_with(&row.config_of("access.log*"));
    let writer = appender(&row.log());
    row.write_to(&writer, 50);
    row.catch_up();
    let (log, rotated): (PathBuf, PathBuf) = (row.log(), row.at("access.log.1"));
    std::fs::rename(&log, &rotated).expect("a log can be renamed");
    for (program, extension) in COMPRESSORS {
        append(&row.at(&format!("access.log.1.{extension}")), &packed(program, &rotated));
        // Four archives of it, and it is still written to.
        row.write_to(&writer, 5);
        row.catch_up();
    }
    drop(writer);
    std::fs::remove_file(&rotated).expect("a log can be deleted");
    row.write(&log, 5);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

/// The usual configuration, with a directory for rotated files.
fn with_archive_dir(row: &Row, directory: &Path) -> crate::support::agent::Config {
    let mut config = row.config();
    config.logs[0].1 = format!("combined\n    archive_dirs: [{}]", directory.display());
    config
}

#[test]
fn row_08_every_compressed_rotation_while_the_agent_was_down_is_read() {
    let mut row = Row::new("row-08-compressed");
    let log = row.log();
    let agent = row.agent();
    row.write(&log, 20);
    row.catch_up();
    agent.kill9();
    // Unread bytes of the known file, then files that nobody has ever seen, compressed or not.
    for compressor in [COMPRESSORS[0], COMPRESSORS[0], COMPRESSORS[0]] {
        row.write(&log, 20);
        row.rotate(&compressing(compressor));
    }
    row.write(&log, 20);
    row.rotate("size 1\ncreate\nrotate 9\nnocompress");
    for compressor in [COMPRESSORS[1], COMPRESSORS[2], COMPRESSORS[3]] {
        row.write(&log, 20);
        row.rotate(&format!("{}\ndateext\ndateformat -%Y%m%d-%s-{}", compressing(compressor), compressor.0));
    }
    row.write(&log, 20);
    let mut agent = row.agent();
    wait_until(LIMIT, "an archive is read", || row.committed() > 20);
    // What is known of the chain survives, wherever in it the agent dies.
    agent.kill9();
    agent = row.agent();
    row.catch_up();
    row.write(&log, 20);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 8);
}

#[test]
fn row_04_rotated_files_in_another_directory_are_found_after_a_restart() {
    let mut row = Row::new("row-04-archive-dir");
    let (log, old) = (row.log(), row.at("old"));
    std::fs::create_dir(&old).expect("a directory can be made");
    let config = with_archive_dir(&row, &old);
    let agent = row.agent_with(&config);
    row.write(&log, 20);
    row.catch_up();
    agent.kill9();
    for (number, compressor) in COMPRESSORS.into_iter().enumerate() {
        row.write(&log, 20);
        let compress = if number == 0 { "nocompress".to_owned() } else { compressing(compressor) };
        row.rotate(&format!(
            "size 1\ncreate\nrotate 9\n{compress}\nolddir {}\ndateext\ndateformat .%s-{number}",
            old.display()
        ));
    }
    assert_eq!(std::fs::read_dir(&old).expect("a directory can be listed").count(), 4);
    row.write(&log, 20);
    let agent = row.agent_with(&config);
    row.catch_up();
    row.write(&log, 20);
    row.rotate(&format!("size 1\ncreate\nrotate 9\nolddir {}", old.display()));
    row.write(&log, 20);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 6);
}

#[test]
fn row_41_archives_from_before_the_first_start_are_not_read() {
    let mut row = Row::new("row-41-archives");
    let log = row.log();
    for _ in 0..3 {
        let never_followed = row.lost_lines(20);
        append(&log, &never_followed);
        row.rotate(&compressing(COMPRESSORS[0]));
    }
    let config = row.config_of("access.log*");
    row.write(&log, 20);
    let mut agent = row.agent_with(&config);
    row.catch_up();
    agent.process().wait_for_words(LIMIT, "archive of lines that were not followed");
    row.rotate(&compressing(COMPRESSORS[0]));
    row.write(&log, 20);
    row.catch_up();
    agent.kill9();
    let agent = row.agent_with(&config);
    row.write(&log, 5);
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 2);
}

#[test]
fn row_10_what_was_rotated_and_deleted_while_nobody_looked_is_told_and_the_rest_is_read() {
    let mut row = Row::new("row-10-archives");
    let log = row.log();
    let agent = row.agent();
    row.write(&log, 20);
    row.catch_up();
    // The name of what is gone is in the state directory alone: a stop waits until it is.
    agent.stop();
    // Two rotations are kept, and the file that the agent knows was the third.
    let read = std::fs::metadata(&log).expect("the log is there").len();
    let lost = row.lost_lines(20);
    append(&log, &lost);
    for _ in 0..3 {
        row.rotate(&compressing(COMPRESSORS[0]).replace("rotate 9", "rotate 2"));
        row.write(&log, 20);
    }
    assert!(!row.at("access.log.3.gz").exists() && row.at("access.log.2.gz").exists());
    let mut agent = row.agent();
    row.catch_up();
    agent.process().wait_for_words(LIMIT, &format!("written to it behind byte {read}"));
    let verdict = row.finish(agent);
    assert_eq!(verdict.streams, 4);
}

//! The numbers of many days with hostile lines, counted by viewtail and by a program in another language.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::many_days::ManyDays;
use crate::numbers::{SITE, assert_same, events, output, parse, report};
use crate::support::scratch::Scratch;

const LINES: u64 = 30_000;

#[test]
fn another_language_counts_the_same_to_the_unit() {
    let scratch = Scratch::new("proof-independent");
    let whole = scratch.join("access.log");
    std::fs::write(&whole, log(7)).unwrap();
    let ours = report(&[&whole]);
    assert_same(&ours, &independent(&[&whole]));
    assert!(ours["days"].as_array().unwrap().len() > 40, "many days");
    assert!(ours["totals"]["undated"].as_u64() > Some(100), "rubbish");
    for reason in ["malformed", "method", "redirect", "status", "static", "feed", "bot"] {
        assert!(ours["days"][9]["excluded"][reason].as_u64() > Some(0), "{reason}");
    }
}

#[test]
fn neither_pieces_nor_their_order_nor_a_second_reading_change_a_number() {
    let scratch = Scratch::new("proof-pieces");
    let log = log(8);
    let whole = scratch.join("access.log");
    std::fs::write(&whole, &log).unwrap();
    let expected = report(&[&whole]);
    assert_same(&expected, &report(&[&whole]));

    let pieces = pieces(scratch.path(), &log);
    let backwards: Vec<_> = pieces.iter().rev().collect();
    assert_same(&report(&pieces), &expected);
    assert_same(&report(&backwards), &expected);

    // The last day's lines first, and each day's last line first: lateness is no reason to be counted elsewhere.
    let reversed = scratch.join("reversed.log");
    let mut lines: Vec<&[u8]> = log.split_inclusive(|&byte| byte == b'\n').collect();
    lines.reverse();
    std::fs::write(&reversed, lines.concat()).unwrap();
    assert_same(&report(&[&reversed]), &expected);
}

#[test]
fn a_second_reading_gives_the_same_ids() {
    let scratch = Scratch::new("proof-ids");
    let whole = scratch.join("access.log");
    std::fs::write(&whole, log(9)).unwrap();
    let ids = |events: &[u8]| -> Vec<String> {
        let lines = events.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| parse(line)["id"].to_string()).collect()
    };
    let first = ids(&events(&whole));
    assert_eq!(u64::try_from(first.len()).unwrap(), LINES, "every line is an event");
    assert_eq!(first, ids(&events(&whole)));
    let distinct: std::collections::HashSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), first.len());
}

fn log(seed: u64) -> Vec<u8> {
    let mut source = ManyDays::new(seed, LINES);
    let mut log = Vec::new();
    for number in 0..LINES {
        if number % 5 == 0 {
            source.hostile(&mut log);
        } else {
            source.plain(&mut log);
        }
    }
    log
}

/// The log in four files, one of which is compressed in two members.
fn pieces(directory: &Path, log: &[u8]) -> Vec<PathBuf> {
    let lines: Vec<&[u8]> = log.split_inclusive(|&byte| byte == b'\n').collect();
    let quarter = |number: usize| lines[number * lines.len() / 4..(number + 1) * lines.len() / 4].concat();
    let mut paths = Vec::new();
    for number in 0..4 {
        let (mut bytes, mut name) = (quarter(number), format!("piece{number}.log"));
        if number == 1 {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            bytes = [gzip(first), gzip(second)].concat();
            name.push_str(".gz");
        }
        let path = directory.join(name);
        std::fs::write(&path, bytes).expect("the scratch directory takes a file");
        paths.push(path);
    }
    paths
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("a vector takes every byte");
    encoder.finish().expect("a vector takes every byte")
}

fn independent(files: &[&PathBuf]) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("python3");
    command.arg(root.join("tests/tools/count_views.py")).args(["--site", SITE, "--bots"]);
    command.arg(root.join("src/event/data/crawler-user-agents/crawler-user-agents.json")).args(files);
    parse(&output(command))
}

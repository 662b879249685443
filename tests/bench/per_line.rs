//! What one `combined` line costs: `per_line LOG` prints nanoseconds of CPU per line as JSON.
//!
//! Three programs take the same lines in turns: the `regex` crate capturing the line, the format splitting it, and the
//! encoder making its whole event, with page key, rules, bot check and visitor id. Beside them the rules run alone,
//! so that the cost of parsing and writing alone is known.

use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use regex::bytes::Regex;
use rustix::time::{ClockId, clock_gettime};
use viewtail::event::rules::Rules;
use viewtail::event::{Encoder, EncoderOptions, Place, Site, StreamId};
use viewtail::format::{Format, Spans};

/// What a careful person writes for `combined`.
const COMBINED: &str = concat!(
    r#"^(\S+) - (.*?) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+) "#,
    r#""((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$"#
);
/// Rounds, of which the median counts.
const ROUNDS: usize = 7;
/// The arena is emptied at this size, as a block is handed over.
const ARENA_BYTES: usize = 1 << 20;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("per_line: name a log of combined lines: per_line access.log");
        return ExitCode::from(2);
    };
    let log = match std::fs::read(&path) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("per_line: {}: {error}", Path::new(&path).display());
            return ExitCode::FAILURE;
        }
    };
    let lines: Vec<&[u8]> = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let mut programs = [("regex", Vec::new()), ("split", Vec::new()), ("event", Vec::new())];
    let (mut captures, mut split, mut event) = (captures(), split(), event());
    for _ in 0..ROUNDS {
        programs[0].1.push(per_line(&lines, &mut captures));
        programs[1].1.push(per_line(&lines, &mut split));
        programs[2].1.push(per_line(&lines, &mut event));
    }
    let figures = programs.map(|(name, mut rounds)| {
        rounds.sort_by(f64::total_cmp);
        format!("\"{name}_ns\":{:.1}", rounds[ROUNDS / 2])
    });
    println!("{{{}}}", figures.join(","));
    ExitCode::SUCCESS
}

fn captures() -> impl FnMut(&[u8], u64) {
    let regex = Regex::new(COMBINED).expect("the pattern is one");
    let mut places = regex.capture_locations();
    move |line, _| {
        assert!(regex.captures_read(&mut places, line).is_some(), "a line of the log is not combined");
        black_box(places.get(8));
    }
}

fn split() -> impl FnMut(&[u8], u64) {
    let (format, mut spans) = (Format::combined(), Spans::default());
    move |line, _| {
        assert!(black_box(format.split(line, &mut spans)).is_some(), "a line of the log is not combined");
    }
}

fn event() -> impl FnMut(&[u8], u64) {
    let options = EncoderOptions {
        format: Format::combined(),
        site: Site::Fixed("bench.example.org".to_owned()),
        host: "web1".to_owned(),
        log: "access".to_owned(),
        rules: Arc::new(Rules::default()),
    };
    let mut encoder = Encoder::new(options).expect("the default rules are right");
    let mut arena = Vec::with_capacity(2 * ARENA_BYTES);
    move |line, position| {
        let line_size = u64::try_from(line.len()).unwrap_or(0) + 1;
        let place = Place {
            stream: StreamId(1),
            position,
            line_size,
            skipped: None,
            partial: false,
            truncated: false,
        };
        assert!(encoder.encode(line, &place, &mut arena).parsed, "a line of the log is not combined");
        if arena.len() > ARENA_BYTES {
            black_box(&arena);
            arena.clear();
        }
    }
}

fn per_line(lines: &[&[u8]], program: &mut impl FnMut(&[u8], u64)) -> f64 {
    let (began, mut position) = (cpu_ns(), 0);
    for line in lines {
        program(line, position);
        position += u64::try_from(line.len()).unwrap_or(0) + 1;
    }
    (cpu_ns() - began) / f64::from(u32::try_from(lines.len()).unwrap_or(u32::MAX))
}

fn cpu_ns() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, ns) =
        (i32::try_from(now.tv_sec).unwrap_or(i32::MAX), i32::try_from(now.tv_nsec).unwrap_or(0));
    f64::from(seconds) * 1e9 + f64::from(ns)
}

//! What one `combined` line costs: `per_line LOG` prints nanoseconds of CPU per line as JSON; `per_line LOG PROGRAM` runs one
//! of the programs once and without a clock, for a profiler that counts instructions; `per_line LOG allocations` prints how
//! often the encoder asks for memory, in the second half of the log, when its caches are as large as they become;
//! `per_line LOG reads` what the agent's way to read a block costs, and the proof behind it.
//!
//! Four programs take the same lines in turns: the `regex` crate capturing the line, the format splitting it, the encoder
//! making its whole event, and the rules of the event alone: page key, page view, bot check, visitor id and client key.
//! What the whole event costs without the rules is parsing and writing.

use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use regex::bytes::Regex;
use rustix::time::{ClockId, clock_gettime};
use viewtail::event::agents::{Agent, Agents};
use viewtail::event::bots::Bots;
use viewtail::event::client::ClientResolver;
use viewtail::event::exclusion::{Exclusion, Facts};
use viewtail::event::page::PageKeys;
use viewtail::event::rules::Rules;
use viewtail::event::visitor::Identities;
use viewtail::event::{Encoder, EncoderOptions, Place, Site, StreamId};
use viewtail::format::{Format, Spans};
use viewtail::io::files::Files;
use viewtail::pipeline::action::{Ask, FileId};
use viewtail::pipeline::identity::MARKER_BYTES_MAX;
use viewtail::pipeline::line::READ_BYTES;

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
    let lines = lines(&log);
    if let Some(program) = std::env::args().nth(2) {
        if program == "reads" {
            return reads(Path::new(&path));
        }
        return once(&lines, &program);
    }
    let asked: Vec<Asked<'_>> = lines.iter().map(|line| asked(line)).collect();
    let mut programs =
        [("regex", Vec::new()), ("split", Vec::new()), ("event", Vec::new()), ("rules", Vec::new())];
    let (mut captures, mut split, mut event, mut rules) = (captures(), split(), event(), rules());
    for _ in 0..ROUNDS {
        programs[0].1.push(per_line(&lines, &mut captures));
        programs[1].1.push(per_line(&lines, &mut split));
        programs[2].1.push(per_line(&lines, &mut event));
        programs[3].1.push(per_line(&asked, &mut |asked, _| rules(&asked)));
    }
    let figures = programs.map(|(name, mut rounds)| {
        rounds.sort_by(f64::total_cmp);
        format!("\"{name}_ns\":{:.1}", rounds[ROUNDS / 2])
    });
    println!("{{{}}}", figures.join(","));
    ExitCode::SUCCESS
}

/// The lines of a log, found as the agent finds them, so that a profile of a program is not one of this.
fn lines(log: &[u8]) -> Vec<&[u8]> {
    let mut start = 0;
    let lines = memchr::memchr_iter(b'\n', log).map(|end| &log[std::mem::replace(&mut start, end + 1)..end]);
    lines.filter(|line| !line.is_empty()).collect()
}

fn once(lines: &[&[u8]], program: &str) -> ExitCode {
    match program {
        "regex" => each(lines, &mut captures()),
        "split" => each(lines, &mut split()),
        "event" => each(lines, &mut event()),
        "allocations" => println!("{{\"per_1000_events\":{:.3}}}", allocations_per_1000(lines)),
        _ => {
            eprintln!("per_line: the programs are regex, split, event, allocations and reads, not {program}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Prints what a read of a block costs without its proof, and what the proof does: the bytes before the position, and the
/// file's status.
fn reads(log: &Path) -> ExitCode {
    let mut files = Files::default();
    let file = FileId(0);
    let opened = match files.open(file, log, &Ask::default()) {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("per_line: {}: {error:?}", log.display());
            return ExitCode::FAILURE;
        }
    };
    let positions: Vec<u64> = (0..opened.stat.size).step_by(READ_BYTES).skip(1).collect();
    let mut took = |length, before| {
        let mut rounds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                per_line(&positions, &mut |position: u64, _| {
                    black_box(files.read(file, position, length, before).expect("the log can be read"));
                })
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        rounds[ROUNDS / 2]
    };
    let (read, proof) = (took(READ_BYTES, 0), took(0, MARKER_BYTES_MAX));
    println!("{{\"read_bytes\":{READ_BYTES},\"read_ns\":{read:.0},\"proof_ns\":{proof:.0}}}");
    ExitCode::SUCCESS
}

fn allocations_per_1000(lines: &[&[u8]]) -> f64 {
    let (first, second) = lines.split_at(lines.len() / 2);
    let mut event = event();
    each(first, &mut event);
    let counted = allocation_counter::measure(|| each(second, &mut event)).count_total;
    let float = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    float(counted) * 1000.0 / float(u64::try_from(second.len()).unwrap_or(u64::MAX))
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

/// What the rules are asked about.
#[derive(Clone, Copy)]
struct Asked<'a> {
    address: &'a [u8],
    target: &'a [u8],
    status: Option<u16>,
    user_agent: &'a [u8],
}

/// Takes a line apart at its quotes; the generated log has none within its values.
fn asked(line: &[u8]) -> Asked<'_> {
    let parts: Vec<&[u8]> = line.split(|byte| *byte == b'"').collect();
    let [begin, request, response, _, _, user_agent, _] = parts[..] else {
        panic!("a line of the log is not combined")
    };
    let status = std::str::from_utf8(word(response, 1)).ok().and_then(|status| status.parse().ok());
    Asked { address: word(begin, 0), target: word(request, 1), status, user_agent }
}

fn word(text: &[u8], number: usize) -> &[u8] {
    text.split(|byte| *byte == b' ').nth(number).unwrap_or_default()
}

fn rules() -> impl FnMut(&Asked<'_>) {
    let rules = Arc::new(Rules::default());
    let (clients, mut pages) = (ClientResolver::new(&rules.client), PageKeys::new(&rules.page));
    let (exclusion, mut identities) = (Exclusion::new(&rules), Identities::new(b"secret"));
    let bots = Bots::new(&rules.views.bots).expect("the default rules are right");
    let mut agents = Agents::default();
    let mut page = Vec::new();
    move |asked| {
        page.clear();
        pages.write(asked.target, &mut page);
        let address = clients.resolve(asked.address, None).expect("the log has addresses");
        let agent = agents.of(asked.user_agent, || Agent {
            verdict: bots.judge(asked.user_agent),
            digest: identities.agent(asked.user_agent),
            is_plain: true,
        });
        let bot = bots.meant_by(agent.verdict).is_some();
        let path = asked.target.split(|byte| *byte == b'?').next();
        let facts = Facts {
            method: Some(b"GET"),
            path,
            address: Some(address),
            status: asked.status,
            ..Facts::default()
        };
        black_box(exclusion.first(&facts, || bot));
        black_box(identities.ip_ua(0, b"bench.example.org", (address, &agent.digest)));
        black_box(identities.client(0, clients.counted(address)));
        black_box(&page);
    }
}

/// The program gets each line with its position among lines of one size.
fn each<L: Copy>(lines: &[L], program: &mut impl FnMut(L, u64)) {
    for (line, position) in lines.iter().zip((0..).step_by(256)) {
        program(*line, position);
    }
}

/// Nanoseconds of CPU per line.
fn per_line<L: Copy>(lines: &[L], program: &mut impl FnMut(L, u64)) -> f64 {
    let began = cpu_ns();
    each(lines, program);
    (cpu_ns() - began) / f64::from(u32::try_from(lines.len()).unwrap_or(u32::MAX))
}

fn cpu_ns() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, ns) =
        (i32::try_from(now.tv_sec).unwrap_or(i32::MAX), i32::try_from(now.tv_nsec).unwrap_or(0));
    f64::from(seconds) * 1e9 + f64::from(ns)
}

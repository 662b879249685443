//! Writes a realistic access log: `genlog LINES [SEED] > access.log`.

#[path = "../support/access_log.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod access_log;

use std::io::Write;
use std::process::ExitCode;

/// Written at once: large enough that system calls do not count.
const BLOCK_BYTES: usize = 1 << 20;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (Some(Ok(lines)), seed) = (arguments.next(), arguments.next()) else {
        eprintln!("genlog: say how many lines: genlog LINES [SEED] > access.log");
        return ExitCode::from(2);
    };
    let Ok(seed) = seed.unwrap_or(Ok(1)) else {
        eprintln!("genlog: the seed is a number");
        return ExitCode::from(2);
    };
    match write(lines, seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("genlog: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(lines: u64, seed: u64) -> std::io::Result<()> {
    let mut log = access_log::AccessLog::new("g", seed);
    let mut out = std::io::stdout().lock();
    let mut block = Vec::with_capacity(BLOCK_BYTES + 4096);
    while log.count() < lines {
        log.append_line(&mut block);
        if block.len() >= BLOCK_BYTES {
            out.write_all(&block)?;
            block.clear();
        }
    }
    out.write_all(&block)?;
    out.flush()
}

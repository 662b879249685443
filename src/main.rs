//! The `viewtail` command.

use std::panic;
use std::process::{self, ExitCode};

fn main() -> ExitCode {
    end_with_the_first_panic();
    viewtail::cli::main(std::env::args_os())
}

/// A panic is an invariant that does not hold: whichever thread it is in, nothing may be committed after it. The agent's
/// profile says so too; that of the tests could not, because their own panics must unwind.
fn end_with_the_first_panic() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        report(panicked);
        process::abort();
    }));
}

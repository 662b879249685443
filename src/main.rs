//! The `viewtail` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    viewtail::cli::main(std::env::args_os())
}

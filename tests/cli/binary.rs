//! Calls the binary.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// What a call brought.
pub struct Called {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Calls `viewtail` with these arguments and an empty stdin, away from any terminal.
pub fn call(arguments: &[&str]) -> Called {
    call_with_stdin(arguments, b"")
}

/// The same with something to read.
pub fn call_with_stdin(arguments: &[&str], stdin: &[u8]) -> Called {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viewtail"));
    command.args(arguments).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read closes the pipe early, which is not what is tested here.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Called {
        code: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

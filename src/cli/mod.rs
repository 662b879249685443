//! The command line: one file per subcommand, and what they share.
//!
//! stdout is data and stderr is talk. Whatever stems from a log or a topic passes `io::terminal` on its way out.

mod arguments;
mod check;
mod checkpoints;
mod completions;
mod config;
mod context;
mod demo;
mod exit;
mod explain;
mod init;
mod lines;
mod man;
mod preview;
mod proof;
mod reload;
mod report;
mod run;
mod settings;
mod setup;
mod state;
mod status;
mod topics;
mod verify;
mod visitors;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use tracing::Level;

use crate::io::{diagnostics, terminal};
use arguments::{Arguments, Command};

pub use context::Context;
pub use exit::{Exit, Failure};
pub use settings::{LogSource, Settings};
pub use state::{FileView, StateView};

/// Runs the command that the arguments name (the first one is the program) and says how it ended.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to stdout and are no errors; a closed pipe behind them is none either.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    let context = Context::new(&arguments.global);
    match dispatch(&context, &arguments.command) {
        Ok(exit) => exit.into(),
        Err(error) => tell(&error).into(),
    }
}

fn dispatch(context: &Context, command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Run(arguments) => run::run(context, arguments),
        Command::Init(arguments) => init::run(context, arguments),
        Command::Check(arguments) => check::run(context, arguments),
        Command::Preview(arguments) => preview::run(context, arguments),
        Command::Status(arguments) => status::run(context, arguments),
        Command::Checkpoints(command) => checkpoints::run(context, command),
        Command::Config(command) => config::run(context, command),
        Command::Explain(arguments) => explain::run(context, arguments),
        Command::Report(arguments) => report::run(context, arguments),
        Command::Verify(arguments) => verify::run(context, arguments),
        Command::Demo(arguments) => demo::run(context, arguments),
        Command::Completions(arguments) => completions::run(arguments),
        Command::Man(arguments) => man::run(arguments),
    }
}

/// Prints an error once and finds its exit code.
fn tell(error: &anyhow::Error) -> Exit {
    if is_closed_pipe(error) {
        // `viewtail preview | head`: the reader has what it wanted.
        return Exit::Ok;
    }
    if let Some(Failure::Rendered { text, .. }) = error.downcast_ref() {
        diagnostics::say(Level::ERROR, text);
    } else {
        diagnostics::say(Level::ERROR, &format!("viewtail: {}", terminal::escape(&format!("{error:#}"))));
    }
    Exit::of(error)
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

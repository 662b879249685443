//! `viewtail completions`: what a shell completes behind `viewtail`, made of the same tree as the help.

use std::io::Write as _;

use clap::CommandFactory as _;
use clap_complete::shells;

use super::Exit;
use super::arguments::{Arguments, CompletionsArguments, Shell};

/// Prints the script; where each shell looks for it, the help says.
pub fn run(arguments: &CompletionsArguments) -> anyhow::Result<Exit> {
    let mut tree = Arguments::command();
    let mut script = Vec::new();
    match arguments.shell {
        Shell::Bash => clap_complete::generate(shells::Bash, &mut tree, "viewtail", &mut script),
        Shell::Zsh => clap_complete::generate(shells::Zsh, &mut tree, "viewtail", &mut script),
        Shell::Fish => clap_complete::generate(shells::Fish, &mut tree, "viewtail", &mut script),
    }
    std::io::stdout().write_all(&script)?;
    Ok(Exit::Ok)
}

//! `viewtail check`: everything that keeps the agent from working, each with its remedy. Changes nothing.

mod answer;
mod kafka;
mod log;
mod state;

use answer::Answer;

use super::setup::Setup;
use super::{Context, Exit, Settings, visitors};
use crate::config::{Style, Warning};
use crate::io::lease::Rights;
use crate::io::state::holder;

/// Asks everything and says how it ended: the worst failure wins.
pub fn run(context: &Context) -> anyhow::Result<Exit> {
    let setup = Setup::load(context.config())?;
    let settings = Settings::of(&setup)?;
    let target = context.config().display().to_string();
    let mut answers = vec![Answer::ok("configuration", &target, "complete and consistent")];
    for warning in &setup.warnings {
        anstream::eprintln!("{}", Warning::render(warning, Style::Coloured));
    }
    answers.push(state::directory(&settings.state_dir));
    answers.extend(
        visitors::files(&setup.config).iter().map(|file| state::visitors_secret(file, &settings.state_dir)),
    );
    let rights = Rights::of(holder(&settings.state_dir));
    for (entry, source) in setup.config.logs.iter().zip(&settings.logs) {
        answers.extend(log::format_warnings(&entry.name, source));
        answers.extend(log::check_log(&entry.name, source));
        answers.extend(log::rotation(source, rights));
    }
    answers.extend(kafka::check(&setup, None));
    answer::print(context, &answers)?;
    Ok(answer::worst(&answers))
}

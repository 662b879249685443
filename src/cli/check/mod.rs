//! `viewtail check`: everything that keeps the agent from working, each with its remedy. Changes nothing.

mod access;
mod answer;
mod host;
mod kafka;
mod log;
mod rotation;
mod state;
mod user;

use std::path::Path;

use anyhow::Context as _;

use answer::Answer;
use rotation::Rotation;
use user::Viewer;

use super::arguments::CheckArguments;
use super::context::Output;
use super::settings::matching_files;
use super::setup::Setup;
use super::{Context, Exit, visitors};
use crate::config::{Style, Warning};
use crate::io::files::Directories;
use crate::io::lease::Rights;
use crate::io::state::holder;

/// Asks everything and says how it ended: the worst failure wins.
pub fn run(context: &Context, arguments: &CheckArguments) -> anyhow::Result<Exit> {
    let viewer = Viewer::choose(arguments.user.as_deref())?;
    // A thread of its own takes the user's identity, because there is no way back from it.
    let answers = std::thread::scope(|scope| scope.spawn(|| ask(context, &viewer)).join());
    let answers = answers.map_err(|_| anyhow::anyhow!("the thread of the check ended early"))??;
    answer::print(context, &answers)?;
    Ok(answer::worst(&answers))
}

fn ask(context: &Context, viewer: &Viewer) -> anyhow::Result<Vec<Answer>> {
    viewer.assume().with_context(|| format!("become {}", viewer.name()))?;
    let setup = Setup::load(context.config()).inspect_err(|error| tell_programs(context, error))?;
    for warning in &setup.warnings {
        anstream::eprintln!("{}", Warning::render(warning, Style::Coloured));
    }
    let target = context.config().display().to_string();
    let mut answers = vec![Answer::ok("configuration", &target, "complete and consistent"), viewer.answer()];
    let state_dir = &setup.config.agent.state_dir;
    answers.push(state::directory(state_dir, viewer));
    let secrets = visitors::files(&setup.config);
    answers.extend(secrets.iter().map(|file| state::visitors_secret(file, state_dir)));
    let oldest = logs(&setup, viewer, &mut answers)?;
    answers.extend(host::clock());
    answers.extend(kafka::check(&setup, oldest));
    Ok(answers)
}

/// A program gets its JSON of a configuration that is refused, too; what people read of it is told as by all commands.
fn tell_programs(context: &Context, error: &anyhow::Error) {
    if context.output == Output::Json {
        let fact = anstream::adapter::strip_str(&format!("{error:#}")).to_string();
        let target = context.config().display().to_string();
        let problem = (fact.trim_end().to_owned(), "correct what is named".to_owned());
        let answer = Answer::failure("configuration", &target, problem, Exit::of(error));
        // Whoever closed stdout wants none.
        let _ = answer::print(context, &[answer]);
    }
}

/// What is asked of the logs; the age of the oldest line that is still to be sent, where records carry its time.
fn logs(setup: &Setup, viewer: &Viewer, answers: &mut Vec<Answer>) -> anyhow::Result<Option<u64>> {
    let (sources, user) = (matching_files(setup)?, viewer.name());
    let directories = Directories::new(&setup.globs())?.find();
    let closed: Vec<Answer> =
        directories.iter().filter_map(|directory| log::closed_directory(directory, &user)).collect();
    // Nobody knows which files match in a directory that is closed.
    let is_known = closed.is_empty();
    answers.extend(closed);
    let rotation = Rotation::read(Path::new("/"));
    let rights = Rights::of(holder(&setup.config.agent.state_dir));
    for ((entry, options), source) in setup.config.logs.iter().zip(&setup.logs).zip(&sources) {
        let archives = &options.archives;
        answers.extend(log::format_warnings(&entry.name, source));
        if is_known || !source.files.is_empty() {
            answers.extend(log::check_log(&entry.name, source, &user, &setup.logs));
        }
        answers.extend(log::rotation(source, rights));
        let rotated = source.files.iter().flat_map(|file| rotation.check(file, archives, viewer));
        answers.extend(answer::once_each(rotated));
    }
    let files = sources.iter().map(|source| source.files.len()).sum();
    answers.push(host::descriptors(files, viewer.unit.as_ref()));
    answers.push(host::watches(&directories));
    Ok(log::oldest(setup, &sources))
}

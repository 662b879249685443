//! `viewtail checkpoints ...`: the committed positions in the hands of an operator.
//!
//! Looking reads; moving goes through the delivery machine, so that it fences whoever had this agent's id before, and
//! is one transaction: it happened or it did not.

mod edit;
mod exchange;
mod session;
mod view;

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;

use super::arguments::CheckpointsCommand;
use super::setup::Setup;
use super::{Context, Exit, Failure};
use crate::pipeline::checkpoint::Snapshot;
use session::Session;

/// An export of a hundred thousand generations is smaller.
const IMPORT_BYTES_MAX: u64 = 256 << 20;

/// Carries one of the subcommands out.
pub fn run(context: &Context, command: &CheckpointsCommand) -> anyhow::Result<Exit> {
    let setup = Setup::load(context.config())?;
    match command {
        CheckpointsCommand::List => view::list(context, &setup),
        CheckpointsCommand::Show { name } => view::show(context, &setup, name),
        CheckpointsCommand::Seek { name, position, yes } => {
            change(context, &setup, *yes, |snapshot| edit::seek(snapshot, &setup, name, position))
        }
        CheckpointsCommand::Reset { names, all, yes } => {
            change(context, &setup, *yes, |snapshot| edit::reset(snapshot, names, *all))
        }
        CheckpointsCommand::Export { file } => export(context, &setup, file),
        CheckpointsCommand::Import { file, yes } => {
            let text = read(file)?;
            change(context, &setup, *yes, |snapshot| exchange::import(snapshot, &setup, &text))
        }
    }
}

/// What a change would make of the positions, and what it means.
struct Change {
    /// The positions afterwards.
    snapshot: Snapshot,
    /// What happens, in a sentence without its period.
    meaning: String,
}

fn change(
    context: &Context,
    setup: &Setup,
    yes: bool,
    make: impl FnOnce(&Snapshot) -> anyhow::Result<Change>,
) -> anyhow::Result<Exit> {
    let session = Session::open(setup)?;
    let Change { snapshot, meaning } = make(session.snapshot())?;
    context.say(&crate::io::terminal::escape(&format!("{meaning}.")));
    if !yes && !confirmed()? {
        context.say("nothing was changed");
        return Ok(Exit::Runtime);
    }
    let sequence = session.commit(snapshot)?;
    context.say(&format!("committed as number {sequence}; the agent goes on from there"));
    Ok(Exit::Ok)
}

/// Asks on the terminal; a script has to say it beforehand.
fn confirmed() -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, "nobody is there to ask: add --yes to do it").into());
    }
    eprint!("Type yes to do it: ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("read the answer")?;
    Ok(answer.trim() == "yes")
}

fn export(context: &Context, setup: &Setup, file: &Path) -> anyhow::Result<Exit> {
    let session = Session::open(setup)?;
    let text = exchange::export(session.snapshot(), &setup.agent_id)?;
    let count = session.snapshot().files.len();
    session.close()?;
    if file == Path::new("-") {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()?;
    } else {
        let name = file.display();
        let mut created = std::fs::File::create_new(file).with_context(|| format!("create {name}"))?;
        created
            .write_all(text.as_bytes())
            .and_then(|()| created.sync_all())
            .with_context(|| format!("write {name}"))?;
    }
    context
        .say(&format!("{count} generations; do not start this agent again once they are imported elsewhere"));
    Ok(Exit::Ok)
}

fn read(file: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        io::stdin().take(IMPORT_BYTES_MAX).read_to_end(&mut bytes).context("read stdin")?;
    } else {
        let opened = std::fs::File::open(file).with_context(|| format!("open {}", file.display()))?;
        opened
            .take(IMPORT_BYTES_MAX)
            .read_to_end(&mut bytes)
            .with_context(|| format!("read {}", file.display()))?;
    }
    String::from_utf8(bytes).map_err(|_| {
        Failure::new(
            Exit::Configuration,
            format!("{}: it is not UTF-8: no export of viewtail's", file.display()),
        )
        .into()
    })
}

//! `viewtail config show`.

use std::io::Write as _;

use super::setup::Setup;
use super::{Context, Exit};
use crate::config;

/// Prints every option with its value and where the value comes from.
pub fn show(context: &Context) -> anyhow::Result<Exit> {
    let setup = Setup::load(context.config())?;
    let mut stdout = anstream::stdout().lock();
    write!(stdout, "{}", config::show(&setup.config))?;
    stdout.flush()?;
    Ok(Exit::Ok)
}

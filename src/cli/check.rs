//! `viewtail check`.

use super::{Context, Exit};

/// Runs the command.
pub fn run(context: &Context) -> anyhow::Result<Exit> {
    anyhow::bail!("{}: this build cannot run", context.config().display())
}

//! `viewtail config show`.

use super::{Context, Exit};

/// Prints the resolved configuration.
pub fn show(context: &Context) -> anyhow::Result<Exit> {
    anyhow::bail!("{}: this build cannot show it", context.config().display())
}

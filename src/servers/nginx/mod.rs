//! Which access logs an nginx writes, from its configuration alone: no nginx is started, nothing is guessed from files.
//!
//! `token` splits bytes into statements as nginx's `ngx_conf_file.c` does, `lua` steps over code, `tree` follows includes,
//! `variable` makes globs of paths with variables, `logs` knows formats, inheritance and `off`, `dump` reads `nginx -T`.

mod dump;
mod logs;
mod lua;
#[cfg(test)]
mod properties;
mod token;
mod tree;
mod variable;

use std::path::Path;

pub use dump::Dump;

use super::{ConfError, Loader, Scopes};

/// Reads the configuration that begins in `main`. `prefix` is the directory that relative paths of logs are below; without
/// it, it is told from where the configuration lies.
///
/// # Errors
/// The configuration is wrong or cannot be read: the first mistake, with its place.
pub fn read(main: &Path, prefix: Option<&Path>, loader: Loader<'_>) -> Result<Scopes, ConfError> {
    Ok(logs::find(&tree::read(main, loader)?, &logs::Prefix::of(main, prefix)))
}

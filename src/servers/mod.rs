//! PURE: where web servers write their access logs, read from their own configuration.
//!
//! Each server's reader turns its files into [`Scope`]s: who writes to which logs. [`choose`] makes of them what belongs
//! into agent.yaml, and says why the rest does not. What is on the disk is asked for through a [`Loader`] alone, so that a
//! host, a directory that looks like one and the output of `nginx -T` are read by the same code.

pub mod apache;
pub mod caddy;
mod choice;
mod format;
pub mod glob;
pub mod nginx;
mod output;
mod source;

pub use choice::{Found, FoundLog, LeftOut, choose};
pub use format::FormatText;
pub use output::{LogPath, Output, Scope, Scopes, Target};
pub use source::{ConfError, ErrorKind, Loader, Place};

use source::{Lines, Sources};

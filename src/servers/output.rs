//! What a server's reader finds: who writes where.

use std::path::Path;

use super::{FormatText, Place};

/// A log in a server's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The directive.
    pub place: Place,
    /// Where lines go.
    pub target: Target,
    /// How they are written.
    pub format: FormatText,
    /// Whether only some requests are logged (`if=`, `env=`).
    pub is_conditional: bool,
    /// What an operator should know about it.
    pub remarks: Vec<String>,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To a file, or to one of several.
    File(LogPath),
    /// Somewhere that is not followed.
    Elsewhere {
        /// As the configuration names it.
        shown: String,
        /// Why not, and what to do.
        reason: String,
    },
}

impl Target {
    /// What tells it from others.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::File(path) => &path.glob,
            Self::Elsewhere { shown, .. } => shown,
        }
    }
}

/// A path of `logs:`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPath {
    /// As agent.yaml takes it: what is special in a glob has a backslash.
    pub glob: String,
    /// The path itself, where it is one.
    pub literal: Option<String>,
    /// What matches its rotated files, where their names do not continue its own: else they are found by that.
    pub rotated: Option<String>,
}

impl LogPath {
    /// A path of one file.
    #[must_use]
    pub fn literal(path: &str) -> Self {
        Self { glob: escape_glob(path), literal: Some(path.to_owned()), rotated: None }
    }

    /// All that goes into `paths`.
    pub fn globs(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.glob.as_str()).chain(self.rotated.as_deref())
    }
}

/// A path below a base unless it is absolute, without `.`, `..` and doubled slashes.
pub(super) fn joined(base: &Path, path: &str) -> String {
    let mut names = Vec::new();
    for name in base.join(path).to_string_lossy().split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name.to_owned()),
        }
    }
    format!("/{}", names.join("/"))
}

/// Text in which nothing is special in a glob.
pub(super) fn escape_glob(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The logs that each request of one kind is written to, one line in each.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The name of the site, where there is one.
    pub site: Option<String>,
    /// The logs.
    pub outputs: Vec<Output>,
}

/// All that a configuration says about access logs.
#[derive(Clone, Debug, Default)]
pub struct Scopes {
    /// Who writes where, in the order of the configuration.
    pub scopes: Vec<Scope>,
    /// Logs that no request is written to.
    pub unused: Vec<Output>,
    /// Logs of another kind, which no glob must take in.
    pub others: Vec<String>,
}

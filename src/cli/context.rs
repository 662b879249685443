//! What every command is given: the global options, and how to talk.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anstream::ColorChoice;

use super::arguments::{CONFIG_DEFAULT, Color, Global};

/// The global options, resolved.
#[derive(Clone, Debug)]
pub struct Context {
    config: PathBuf,
    is_config_given: bool,
    /// How results are printed.
    pub output: Output,
    /// How much is said on stderr.
    pub talk: Talk,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// For a person.
    Text,
    /// For a program.
    Json,
}

/// How much is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Talk {
    /// `-q`: only what went wrong.
    Quiet,
    /// What changes.
    Normal,
    /// `-v`: more.
    Verbose,
    /// `-vv`: everything.
    Debug,
}

impl Context {
    /// Resolves the options and sets the colours of the process.
    pub(super) fn new(global: &Global) -> Self {
        match global.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
        .write_global();
        Self {
            config: global.config.clone().unwrap_or_else(|| CONFIG_DEFAULT.into()),
            is_config_given: global.config.is_some(),
            output: if global.json { Output::Json } else { Output::Text },
            talk: match (global.quiet, global.verbose) {
                (true, _) => Talk::Quiet,
                (false, 0) => Talk::Normal,
                (false, 1) => Talk::Verbose,
                (false, _) => Talk::Debug,
            },
        }
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Whether `-c` was typed: then the file has to be there, also for commands that could do without.
    #[must_use]
    pub fn is_config_given(&self) -> bool {
        self.is_config_given
    }

    /// One line on stderr unless `-q`. The text is escaped already where it stems from elsewhere.
    pub fn say(&self, line: &str) {
        if self.talk > Talk::Quiet {
            anstream::eprintln!("{line}");
        }
    }

    /// Whether a line on stderr that overwrites itself may be shown.
    #[must_use]
    pub fn shows_progress(&self) -> bool {
        self.talk > Talk::Quiet && std::io::stderr().is_terminal()
    }
}

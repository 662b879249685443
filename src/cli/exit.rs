//! How a command ends. The one place where exit codes are numbers.

use std::process::ExitCode;

/// How a command ended. Where several things are wrong, the worst one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything is well.
    Ok,
    /// It failed, or what was asked for does not hold.
    Runtime,
    /// It was called in a wrong way.
    Usage,
    /// It may work later: Kafka does not answer, the state directory is locked (`EX_TEMPFAIL`).
    Temporary,
    /// A permission is missing (`EX_NOPERM`).
    Permission,
    /// The configuration is wrong; trying again does not help (`EX_CONFIG`).
    Configuration,
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Runtime => 1,
            Self::Usage => 2,
            Self::Temporary => 75,
            Self::Permission => 77,
            Self::Configuration => 78,
        }
    }

    /// The exit code that an error asks for: its own, 77 where the system refused, else 1.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        let refused = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::PermissionDenied;
        error
            .chain()
            .find_map(|cause| {
                if let Some(failure) = cause.downcast_ref::<Failure>() {
                    return Some(failure.exit());
                }
                cause.downcast_ref().filter(|cause| refused(cause)).map(|_| Self::Permission)
            })
            .unwrap_or(Self::Runtime)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// An error that knows its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// One sentence; it is escaped when it is printed.
    #[error("{text}")]
    Plain {
        /// How the command ends.
        exit: Exit,
        /// Place, fact and remedy.
        text: String,
    },
    /// Lines that are ready for a terminal and escaped by their maker, like an error with a caret.
    #[error("{text}")]
    Rendered {
        /// How the command ends.
        exit: Exit,
        /// The lines.
        text: String,
    },
}

impl Failure {
    /// A failure of one sentence.
    #[must_use]
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self::Plain { exit, text: text.into() }
    }

    /// How the command ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Plain { exit, .. } | Self::Rendered { exit, .. } => *exit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn the_worst_wins() {
        let worst = [Exit::Runtime, Exit::Configuration, Exit::Temporary, Exit::Permission, Exit::Ok]
            .into_iter()
            .max();
        assert_eq!(worst, Some(Exit::Configuration));
        let codes =
            [Exit::Ok, Exit::Runtime, Exit::Usage, Exit::Temporary, Exit::Permission, Exit::Configuration];
        assert_eq!(codes.map(Exit::code), [0, 1, 2, 75, 77, 78]);
    }

    #[test]
    fn an_error_keeps_its_code_through_context() {
        let failure: anyhow::Result<()> = Err(Failure::new(Exit::Temporary, "no broker").into());
        assert_eq!(Exit::of(&failure.context("read the topic").unwrap_err()), Exit::Temporary);
        let refused: anyhow::Result<()> =
            Err(std::io::Error::from(std::io::ErrorKind::PermissionDenied).into());
        assert_eq!(Exit::of(&refused.context("open the log").unwrap_err()), Exit::Permission);
        assert_eq!(Exit::of(&anyhow::anyhow!("anything")), Exit::Runtime);
    }
}

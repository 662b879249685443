//! The text of a log's format in a server's configuration, and what becomes of it.

use crate::format::{Escape, Field, Format};

/// How lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatText {
    /// nginx's `log_format`, as agent.yaml takes it.
    Nginx {
        /// Its text.
        text: String,
        /// What `escape=` says.
        escape: Escape,
    },
    /// Apache's `LogFormat`, as agent.yaml takes it.
    Apache(String),
    /// Caddy's JSON.
    Caddy,
    /// One that cannot be read, and why.
    Unknown(String),
}

impl FormatText {
    /// The name, where it is a known format.
    #[must_use]
    pub fn known(&self) -> Option<&'static str> {
        match self {
            Self::Nginx { text, escape: Escape::Default } | Self::Apache(text) => Format::name_of(text),
            Self::Caddy => Some("caddy"),
            Self::Nginx { .. } | Self::Unknown(_) => None,
        }
    }

    /// The format.
    ///
    /// # Errors
    /// Why lines of this format cannot be read, and what to change.
    pub fn compile(&self) -> Result<Format, String> {
        let compiled = match self {
            Self::Nginx { text, escape } => Format::nginx(text, *escape),
            Self::Apache(text) => Format::apache(text),
            Self::Caddy => return Ok(Format::known("caddy").expect("it is a known format")),
            Self::Unknown(reason) => return Err(reason.clone()),
        };
        compiled.map_err(|error| {
            let reasons = error.remarks.iter().map(|remark| remark.message.as_str());
            reasons.collect::<Vec<_>>().join("; ")
        })
    }

    /// What would make lines say which host was asked for.
    pub(super) fn host_variable(&self) -> &'static str {
        match self {
            Self::Apache(_) => "%V",
            Self::Nginx { .. } | Self::Caddy | Self::Unknown(_) => "$host",
        }
    }

    /// Whether lines say which host was asked for.
    pub(super) fn names_host(format: &Format) -> bool {
        format.has(Field::Host)
    }
}

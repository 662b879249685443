//! The part of the configuration that the looking commands need, resolved.

use std::path::{Path, PathBuf};

use crate::event::EncoderOptions;

/// What `verify`, `preview` and `status` need to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The agent's identity.
    pub agent_id: String,
    /// Where the agent keeps its local state.
    pub state_dir: PathBuf,
    /// Properties of librdkafka that say how to reach the cluster.
    pub properties: Vec<(String, String)>,
    /// The topics that events go to.
    pub topics: Vec<String>,
    /// The configured logs.
    pub logs: Vec<LogSource>,
}

/// One entry of `logs:`.
#[derive(Clone, Debug)]
pub struct LogSource {
    /// Files that match it now, in order of their paths.
    pub files: Vec<PathBuf>,
    /// How its lines become events.
    pub encoder: EncoderOptions,
}

impl Settings {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// It is not there, not readable or wrong: a [`super::Failure`] with exit 77 or 78.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        anyhow::bail!("{}: this build has no configuration reader", path.display())
    }

    /// The brokers, for a person.
    #[must_use]
    pub fn brokers(&self) -> &str {
        let found = self.properties.iter().find(|(name, _)| name == "bootstrap.servers");
        found.map_or("", |(_, value)| value)
    }
}

/// How lines become events when options of the command line say it: `combined`, `main` or an nginx `log_format` string.
///
/// # Errors
/// The format cannot be compiled: a [`super::Failure`] with exit 2.
pub fn encoder_options(format: &str, _site: Option<&str>) -> anyhow::Result<EncoderOptions> {
    anyhow::bail!("{format}: this build has no formats")
}

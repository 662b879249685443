//! The part of a setup that the looking commands need.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::setup::Setup;
use super::{Exit, Failure, visitors};
use crate::event::rules::Rules;
use crate::event::{EncoderOptions, Site};
use crate::format::{Escape, Format};
use crate::io::files::{self, Directories};
use crate::io::identity;
use crate::io::trust::Trust;
use crate::pipeline::action::FileKind;

/// What `verify`, `preview` and `status` need to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The agent's identity.
    pub agent_id: String,
    /// Where the agent keeps its local state.
    pub state_dir: PathBuf,
    /// The topics that events go to.
    pub topics: Vec<String>,
    /// The configured logs.
    pub logs: Vec<LogSource>,
    /// Why visitors have other ids here than in the topic; `None` if they have the same.
    pub foreign_ids: Option<String>,
    setup: Setup,
}

/// One entry of `logs:`.
#[derive(Clone, Debug)]
pub struct LogSource {
    /// Files that match it now, in order of their paths.
    pub files: Vec<PathBuf>,
    /// What matches it and is never read: symbolic links, FIFOs and the like.
    pub refused: Vec<PathBuf>,
    /// How its lines become events.
    pub encoder: EncoderOptions,
}

impl Settings {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// It is not there, not readable or wrong: a [`super::Failure`] with exit 77 or 78.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        Self::of(&Setup::load(path)?)
    }

    /// What of a setup is looked at.
    ///
    /// # Errors
    /// A path is no glob, or the system has no randomness to give.
    pub fn of(setup: &Setup) -> anyhow::Result<Self> {
        let topics = setup.config.topics().into_iter().chain(setup.config.rejects_topic.clone());
        let mut logs = matching_files(setup)?;
        let mut encoders: Vec<_> = logs.iter_mut().map(|log| &mut log.encoder).collect();
        let foreign_ids = visitors::lend(&setup.config, &mut encoders)?;
        Ok(Self {
            agent_id: setup.agent_id.clone(),
            state_dir: setup.config.agent.state_dir.clone(),
            topics: topics.collect(),
            logs,
            foreign_ids,
            setup: setup.clone(),
        })
    }

    /// Properties of librdkafka that say how to reach the cluster. Read when a broker is to be asked: who asks none needs no
    /// password.
    ///
    /// # Errors
    /// A password cannot be read: a [`super::Failure`] with exit 77 or 78.
    pub fn properties(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut properties = vec![("bootstrap.servers".to_owned(), self.brokers())];
        properties.extend(self.setup.kafka()?.properties);
        Ok(properties)
    }

    /// The brokers, for a person.
    #[must_use]
    pub fn brokers(&self) -> String {
        let brokers = self.setup.config.kafka.brokers.iter();
        brokers.map(crate::config::Broker::as_str).collect::<Vec<_>>().join(",")
    }
}

/// The files of each log; one that two logs match belongs to the first.
///
/// # Errors
/// A path is no glob.
pub fn matching_files(setup: &Setup) -> anyhow::Result<Vec<LogSource>> {
    let source = |log: &crate::pipeline::options::LogOptions| LogSource {
        files: Vec::new(),
        refused: Vec::new(),
        encoder: log.encoder.clone(),
    };
    let mut sources: Vec<LogSource> = setup.logs.iter().map(source).collect();
    let trust = Trust::new(&setup.logs);
    for directory in Directories::new(&setup.globs())?.find() {
        for file in files::list(&directory, &trust).files.unwrap_or_default() {
            let log = setup.logs.iter().position(|log| log.paths.matches(&file.path));
            let Some(source) = log.map(|log| &mut sources[log]) else { continue };
            let paths = if file.kind == FileKind::Regular { &mut source.files } else { &mut source.refused };
            paths.push(file.path.to_path_buf());
        }
    }
    Ok(sources)
}

/// How lines become events when options of the command line say it: a known name, an nginx `log_format`
/// or an Apache `LogFormat`.
///
/// # Errors
/// The format cannot be compiled: a [`super::Failure`] with exit 2.
pub fn encoder_options(format: &str, site: Option<&str>) -> anyhow::Result<EncoderOptions> {
    let compiled = match Format::known(format) {
        Some(known) => Ok(known),
        None if format.contains('%') && !format.contains('$') => Format::apache(format),
        None => Format::nginx(format, Escape::Default),
    };
    let format = compiled.map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!(
                "--format: {error} (one of {}, or the text of an nginx log_format or an Apache LogFormat)",
                Format::KNOWN.join(", ")
            ),
        )
    })?;
    let host = identity::host_name();
    let site = match site {
        Some(site) => Site::Fixed(site.to_owned()),
        None => Site::Line { otherwise: host.clone() },
    };
    let mut rules = Rules::default();
    rules.visitor.secret = visitors::random()?;
    Ok(EncoderOptions { format, site, host, log: "preview".to_owned(), rules: Arc::new(rules) })
}

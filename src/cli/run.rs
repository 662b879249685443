//! `viewtail run`.

use anyhow::Context as _;
use tracing::Level;

use super::arguments::{LogFormatName, RunArguments};
use super::context::Talk;
use super::setup::Setup;
use super::{Context, Exit, Failure, reload, visitors};
use crate::agent::{self, AgentOptions};
use crate::config::{Style, Warning};
use crate::io::diagnostics::{self, LevelFilter, LogFormat};
use crate::io::state::{Durability, Saved, StateDir, StateError};
use crate::io::{identity, limits};
use crate::pipeline::action::Exit as Ended;
use crate::pipeline::options::{Mode, OpenFiles, Options};
use crate::planted;

/// With the sockets and pipes of the agent itself, idle logs hold no more than 64 descriptors.
const IDLE_FILES_MAX: usize = 32;

/// Runs the agent until it is stopped.
pub fn run(context: &Context, arguments: &RunArguments) -> anyhow::Result<Exit> {
    limits::forbid_cores().context("forbid core dumps")?;
    start_talking(context.talk, arguments.log_format.map(LogFormat::from));
    let mut setup = Setup::load(context.config())?;
    planted::plant_from_environment();
    for warning in &setup.warnings {
        diagnostics::say(Level::WARN, &Warning::render(warning, Style::Coloured));
    }
    let delivery = setup.delivery();
    let durability = durability(delivery.mode);
    let (state, saved) =
        StateDir::open(&setup.config.agent.state_dir, durability).map_err(|error| no_state(&error))?;
    if let Some(saved) = &saved {
        tell_foreign_state(&setup, saved);
    }
    let mut encoders: Vec<_> = setup.logs.iter_mut().map(|log| &mut log.encoder).collect();
    visitors::give(&setup.config, &state, &mut encoders)?;
    let committed_at_ms = saved.as_ref().map(|saved| saved.written_at_ms);
    tracing::info!(
        "viewtail {} starts as agent {}, {} to topic {} at {}",
        env!("CARGO_PKG_VERSION"),
        setup.agent_id,
        setup.config.kafka.delivery,
        setup.config.topics().join(", "),
        setup.config.kafka.brokers.iter().map(crate::config::Broker::as_str).collect::<Vec<_>>().join(", "),
    );
    let no_randomness = "get random numbers from the system";
    let ended = agent::run(AgentOptions {
        machine: Options {
            logs: setup.logs.clone(),
            delivery,
            deleted_bytes_max: setup.config.agent.max_deleted_size.bytes(),
            open_files: OpenFiles { idle: IDLE_FILES_MAX, all: limits::raise_open_files() },
            local: saved.map(|saved| saved.snapshot),
            nonce: identity::random().context(no_randomness)?,
            stream_seed: identity::random().context(no_randomness)?,
        },
        kafka: setup.kafka()?,
        globs: setup.globs(),
        reconfigure: reload::reconfigure(&setup, context.config()),
        state,
        agent_id: setup.agent_id,
        machine_id: setup.machine,
        http: setup.config.http.listen,
        committed_at_ms,
    })?;
    match ended {
        Ended::Stopped => {
            tracing::info!("stopped");
            Ok(Exit::Ok)
        }
        Ended::Refused(why) => Err(Failure::new(Exit::Configuration, why).into()),
    }
}

/// A state directory that was copied from another machine, or whose agent had another id.
fn tell_foreign_state(setup: &Setup, saved: &Saved) {
    if saved.agent_id != setup.agent_id {
        tracing::warn!(
            "the state directory was written by agent {}{}; going on from its positions as agent {}",
            saved.agent_id,
            if saved.machine == setup.machine { "" } else { " on another machine" },
            setup.agent_id
        );
    }
}

/// Whether the local state has to survive a power cut.
pub(super) fn durability(mode: Mode) -> Durability {
    match mode {
        Mode::ExactlyOnce => Durability::Cached,
        Mode::AtLeastOnce | Mode::BestEffort => Durability::Synced,
    }
}

/// Why there is no state directory to work with, with its exit code.
pub(super) fn no_state(error: &StateError) -> anyhow::Error {
    let exit = match error {
        StateError::Locked { .. } => Exit::Temporary,
        StateError::Newer { .. } => Exit::Configuration,
        StateError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            Exit::Permission
        }
        StateError::Io { .. } => Exit::Runtime,
    };
    Failure::new(exit, error.to_string()).into()
}

/// From now on diagnostics go to stderr.
fn start_talking(talk: Talk, format: Option<LogFormat>) {
    let level = match talk {
        Talk::Quiet => LevelFilter::WARN,
        Talk::Normal => LevelFilter::INFO,
        Talk::Verbose => LevelFilter::DEBUG,
        Talk::Debug => LevelFilter::TRACE,
    };
    diagnostics::start(format.unwrap_or_else(LogFormat::fitting), level, talk >= Talk::Verbose);
}

impl From<LogFormatName> for LogFormat {
    fn from(name: LogFormatName) -> Self {
        match name {
            LogFormatName::Text => Self::Text,
            LogFormatName::Journal => Self::Journal,
            LogFormatName::Json => Self::Json,
        }
    }
}

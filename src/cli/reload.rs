//! What SIGHUP does to `viewtail run`: the configuration is read anew, aside, and counts only if all of it can.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tracing::Level;

use super::setup::Setup;
use super::{Failure, visitors};
use crate::agent::{Reconfiguration, Reconfigure};
use crate::config::{self, Config, Style, Warning};
use crate::format::Format;
use crate::io::diagnostics;
use crate::io::state::StateDir;

/// What agent.yaml says must stay as it is while an agent is at work: its positions hang on it.
const FIXED: [&str; 4] = ["agent.id", "agent.state_dir", "kafka.topic", "kafka.delivery"];

/// Reads the configuration of a running agent again whenever it is asked to.
#[must_use]
pub fn reconfigure(setup: &Setup, path: &Path) -> Reconfigure {
    let mut running = Running { path: path.to_owned(), fixed: fixed(setup), formats: BTreeMap::new() };
    running.formats = running.formats_of(setup);
    Box::new(move |state| running.read(state).map_err(|error| told(&error)))
}

/// What is remembered of the configuration that counts.
struct Running {
    path: PathBuf,
    fixed: [String; FIXED.len()],
    /// By the keys of the logs.
    formats: BTreeMap<u64, KnownFormat>,
}

/// The format of a log.
struct KnownFormat {
    /// As it is written in agent.yaml.
    written: String,
    format: Format,
    /// The one that it had before.
    before: Option<Format>,
}

impl Running {
    fn read(&mut self, state: &StateDir) -> anyhow::Result<Reconfiguration> {
        let mut setup = Setup::load(&self.path)?;
        let now = fixed(&setup);
        let changed: Vec<String> = (0..FIXED.len())
            .filter(|option| now[*option] != self.fixed[*option])
            .map(|option| format!("{} from {} to {}", FIXED[option], self.fixed[option], now[option]))
            .collect();
        anyhow::ensure!(changed.is_empty(), "{} can change only with a restart", changed.join(" and "));
        let mut encoders: Vec<_> = setup.logs.iter_mut().map(|log| &mut log.encoder).collect();
        visitors::give(&setup.config, state, &mut encoders)?;
        let kafka = setup.kafka()?;
        for warning in &setup.warnings {
            diagnostics::say(Level::WARN, &Warning::render(warning, Style::Coloured));
        }
        self.formats = self.formats_of(&setup);
        let before = |key: &u64| self.formats.get(key).and_then(|known| known.before.clone());
        let logs = setup.logs.iter().map(|log| (log.clone(), before(&log.key))).collect();
        Ok(Reconfiguration {
            logs,
            delivery: setup.delivery(),
            deleted_bytes_max: setup.config.agent.max_deleted_size.bytes(),
            kafka,
            globs: setup.globs(),
            http: setup.config.http.listen,
        })
    }

    /// The formats of these logs, each with the one from before where it changed, now or earlier.
    fn formats_of(&self, setup: &Setup) -> BTreeMap<u64, KnownFormat> {
        let written = written_formats(&setup.config);
        let known = setup.logs.iter().zip(written).map(|(log, written)| {
            let format = log.encoder.format.clone();
            let before = match self.formats.get(&log.key) {
                Some(old) if old.written == written => old.before.clone(),
                Some(old) => Some(old.format.clone()),
                None => None,
            };
            (log.key, KnownFormat { written, format, before })
        });
        known.collect()
    }
}

/// What the positions hang on, in the order of [`FIXED`].
fn fixed(setup: &Setup) -> [String; FIXED.len()] {
    let Config { agent, kafka, .. } = &setup.config;
    [
        setup.agent_id.clone(),
        agent.state_dir.display().to_string(),
        setup.anchor(),
        kafka.delivery.to_string(),
    ]
}

/// What agent.yaml says of each log's format.
fn written_formats(config: &Config) -> Vec<String> {
    let effective = config::effective(config);
    let of = |index: usize| {
        let name = format!("logs[{index}].format");
        let options = effective.iter().filter(|option| option.option.starts_with(&name));
        options.map(|option| format!("{} {}\n", option.option, option.value)).collect()
    };
    (0..config.logs.len()).map(of).collect()
}

/// Shows what is wrong to whoever reads standard error, and says it in one sentence.
fn told(error: &anyhow::Error) -> String {
    match error.downcast_ref() {
        Some(Failure::Rendered { text, .. }) => {
            diagnostics::say(Level::ERROR, text);
            text.trim_end().lines().last().unwrap_or_default().to_owned()
        }
        Some(Failure::Plain { .. }) | None => format!("{error:#}"),
    }
}

//! Which secret each log's visitors get their ids with.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use super::{Exit, Failure};
use crate::config::{Config, Log, NoCredentials, SecretFile};
use crate::event::{self, EncoderOptions};
use crate::io::secret::{self, Origin, SecretError};
use crate::io::state::StateDir;

/// Where a log's secret is.
#[must_use]
fn file_of(log: &Log, state_dir: &Path) -> SecretFile {
    log.events.secret_file.clone().unwrap_or_else(|| SecretFile::Path(secret::kept_in(state_dir)))
}

/// Every secret's file once, the first log's first.
#[must_use]
pub fn files(config: &Config) -> Vec<SecretFile> {
    let mut files: Vec<SecretFile> = Vec::new();
    for log in &config.logs {
        let file = file_of(log, &config.agent.state_dir);
        if !files.contains(&file) {
            files.push(file);
        }
    }
    files
}

/// Gives the agent's logs their secrets; the state directory's is made where it is not there yet.
///
/// # Errors
/// A secret cannot be had: a [`Failure`] with exit 77 or 78.
pub fn give(config: &Config, state: &StateDir, encoders: &mut [&mut EncoderOptions]) -> anyhow::Result<()> {
    for file in files(config) {
        let path = file.path().map_err(|error| not_handed_over(&error))?;
        let (secret, origin) = if path == secret::kept_in(state.directory()) {
            secret::of_state(state)
        } else {
            secret::read(&path).map(|secret| (secret, Origin::Kept))
        }
        .map_err(|error| refusal(&error))?;
        let fingerprint = event::fingerprint(&secret);
        match origin {
            Origin::Kept => tracing::debug!("visitors' secret {fingerprint} of {}", path.display()),
            Origin::Made => tracing::info!(
                "made the visitors' secret {fingerprint}: other hosts of the same site need a copy of {}",
                path.display()
            ),
        }
        give_to(config, &file, &secret, encoders);
    }
    Ok(())
}

/// Gives the secrets to those who only look. Where one cannot be read, ids of this process alone are made, and the
/// sentence that says so is the answer.
///
/// # Errors
/// The system has no randomness to give.
pub fn lend(config: &Config, encoders: &mut [&mut EncoderOptions]) -> anyhow::Result<Option<String>> {
    let mut foreign = None;
    for file in files(config) {
        let secret = match read(&file) {
            Ok(secret) => secret,
            Err(why) => {
                foreign = Some(format!("visitor ids are not those of `viewtail run`: {why}"));
                random()?
            }
        };
        give_to(config, &file, &secret, encoders);
    }
    Ok(foreign)
}

/// The secret of a file, or in few words why it cannot be had.
fn read(file: &SecretFile) -> Result<Vec<u8>, String> {
    let path = file.path().map_err(|error| error.to_string())?;
    secret::read(&path).map_err(|error| match &error {
        SecretError::Io { source, .. } => format!("{}: {source}", path.display()),
        SecretError::NotSecret { .. } => error.to_string(),
    })
}

/// A secret for lines without a configuration: ids are the same within this process.
///
/// # Errors
/// The system has no randomness to give.
pub fn random() -> anyhow::Result<Vec<u8>> {
    secret::random().context("get random numbers from the system")
}

fn give_to(config: &Config, file: &SecretFile, secret: &[u8], encoders: &mut [&mut EncoderOptions]) {
    for (log, encoder) in config.logs.iter().zip(encoders) {
        if file_of(log, &config.agent.state_dir) == *file {
            Arc::make_mut(&mut encoder.rules).visitor.secret = secret.to_vec();
        }
    }
}

/// How a command ends without a credential.
#[must_use]
pub fn not_handed_over(error: &NoCredentials) -> Failure {
    Failure::new(Exit::Configuration, error.to_string())
}

/// How a command ends without a secret.
#[must_use]
pub fn refusal(error: &SecretError) -> Failure {
    let is_forbidden = matches!(error, SecretError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied);
    Failure::new(if is_forbidden { Exit::Permission } else { Exit::Configuration }, error.to_string())
}

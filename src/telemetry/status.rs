//! The status: the documented JSON of `viewtail status --json` and of `/status`.

use serde::{Deserialize, Serialize};

use super::Observation;
use super::metrics::{lag_bytes, lag_s};
use crate::pipeline::account::Account;
use crate::pipeline::action::SharedPath;
use crate::pipeline::facts::{FileFacts, Presence, Standing};

/// Everything.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Who the agent is.
    pub agent: AgentStatus,
    /// Where events go.
    pub kafka: KafkaStatus,
    /// One entry per file, by path.
    pub files: Vec<FileStatus>,
    /// One entry per path under which files began.
    pub accounts: Vec<PathAccount>,
}

/// What became of the bytes of the files that began under one path.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PathAccount {
    /// Empty for files whose path is remembered no more.
    pub path: String,
    /// Their bytes.
    #[serde(flatten)]
    pub account: Account,
}

impl PathAccount {
    /// The account of a path.
    #[must_use]
    pub fn of((path, account): (&SharedPath, &Account)) -> Self {
        Self { path: path.to_string_lossy().into_owned(), account: *account }
    }
}

/// Who the agent is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentStatus {
    /// `agent.id`.
    pub id: String,
    /// The state directory.
    pub state_dir: String,
    /// Its process, if it runs.
    pub pid: Option<i32>,
    /// The number of the last committed transaction.
    pub sequence: Option<u64>,
    /// How long ago that was.
    pub last_commit_seconds: Option<i64>,
    /// Why the configuration that was read last does not count, if it does not and the one before goes on.
    pub reload_refused: Option<String>,
}

/// Where events go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KafkaStatus {
    /// The brokers as configured.
    pub brokers: String,
    /// The topics.
    pub topics: Vec<String>,
    /// Whether a broker answers.
    pub reachable: bool,
    /// What is wrong.
    pub error: Option<String>,
}

/// One file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileStatus {
    /// Where it was last seen.
    pub path: String,
    /// Its stream, once the agent has begun with it.
    pub stream: Option<String>,
    /// Its size, if it is there.
    pub size: Option<u64>,
    /// How far it is read.
    pub position: u64,
    /// How far it is in Kafka.
    pub committed: u64,
    /// Bytes that are not in Kafka.
    pub lag_bytes: Option<u64>,
    /// How old what waits is.
    pub lag_seconds: Option<u64>,
    /// What it is to the agent.
    pub state: State,
    /// What ends it once it is rotated, `lease` or `quiet`; who asks finds that out.
    pub proof: Option<String>,
}

/// What a file is to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Everything in it is in Kafka.
    Current,
    /// Bytes wait.
    Behind,
    /// It is configured, and the agent has not begun with it.
    New,
    /// Its path is gone, or is another file now.
    Moved,
}

impl Status {
    /// Of a running agent, as it sees itself.
    #[must_use]
    pub fn of(observation: &Observation) -> Self {
        let Observation { at_ms, facts, agent, kafka, reload, .. } = observation;
        let error = match &facts.standing {
            Standing::Up => None,
            Standing::Connecting => Some("the positions are not known yet".to_owned()),
            Standing::Down(message) => Some(message.clone()),
        };
        let is_told = |file: &&FileFacts| file.presence != Presence::Gone || lag_bytes(file) > 0;
        let mut files: Vec<FileStatus> =
            facts.files.iter().filter(is_told).map(|file| file_status(observation, file)).collect();
        files.sort_by(|one, two| one.path.cmp(&two.path));
        let ago = |then_ms: u64| i64::try_from(at_ms.saturating_sub(then_ms) / 1000).unwrap_or(i64::MAX);
        Self {
            agent: AgentStatus {
                id: agent.id.clone(),
                state_dir: agent.state_dir.clone(),
                pid: i32::try_from(agent.pid).ok(),
                sequence: facts.sequence,
                last_commit_seconds: agent.committed_at_ms.map(ago),
                reload_refused: reload.refused.clone(),
            },
            kafka: KafkaStatus {
                brokers: kafka.brokers.clone(),
                topics: kafka.topics.clone(),
                reachable: !matches!(facts.standing, Standing::Down(_)),
                error,
            },
            files,
            accounts: facts.accounts.iter().map(PathAccount::of).collect(),
        }
    }
}

fn file_status(observation: &Observation, file: &FileFacts) -> FileStatus {
    let lag_bytes = lag_bytes(file);
    let state = match (file.presence, lag_bytes) {
        (Presence::Gone, _) => State::Moved,
        (_, 0) => State::Current,
        (Presence::Active | Presence::Rotated | Presence::Finished | Presence::Unlocated, _) => State::Behind,
    };
    let path = file.path.as_ref().or(file.home.as_ref());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an age is never negative")]
    let lag_seconds = lag_s(observation, file) as u64;
    FileStatus {
        path: path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default(),
        stream: Some(file.stream.to_string()),
        size: (file.presence != Presence::Gone).then_some(file.size),
        position: file.position,
        committed: file.committed,
        lag_bytes: Some(lag_bytes),
        lag_seconds: Some(lag_seconds),
        state,
        proof: None,
    }
}

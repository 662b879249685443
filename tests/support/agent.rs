//! The real agent as a child process, with a configuration written for the test.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::Signal;

use super::process::{Process, command};

/// A graceful stop has 30 s; what takes longer is broken, and the tests see which it was.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The binary under test.
const BINARY: &str = env!("CARGO_BIN_EXE_viewtail");

/// What a test wants of its agent; rendered as an agent.yaml.
#[derive(Clone, Debug)]
pub struct Config {
    /// `agent.id`.
    pub id: String,
    /// `agent.state_dir`.
    pub state_dir: PathBuf,
    /// Further lines below `agent:`, as YAML.
    pub agent: Vec<String>,
    /// `kafka.brokers`, one HOST:PORT.
    pub brokers: String,
    /// `kafka.topic`.
    pub topic: String,
    /// Paths of each entry of `logs:`, and the entry's format as YAML.
    pub logs: Vec<(String, String)>,
    /// The site of each entry of `logs:`; entries beyond have the last one's.
    pub sites: Vec<String>,
    /// Further lines below `kafka:`, as YAML.
    pub kafka: Vec<String>,
    /// Port of its endpoints; none unless a test looks, because many agents run side by side.
    pub http: Option<u16>,
}

impl Config {
    /// One `combined` log; commits every 150 ms, so that a kill finds many transactions.
    pub fn new(id: &str, state_dir: &Path, log: &Path) -> Self {
        Self {
            id: id.to_owned(),
            state_dir: state_dir.to_owned(),
            agent: Vec::new(),
            brokers: String::new(),
            topic: String::new(),
            logs: vec![(log.display().to_string(), "combined".to_owned())],
            sites: vec!["test.example.org".to_owned()],
            kafka: vec!["commit_interval: 150ms".to_owned()],
            http: None,
        }
    }

    /// Where its events go.
    #[must_use]
    pub fn to(mut self, brokers: &str, topic: &str) -> Self {
        brokers.clone_into(&mut self.brokers);
        topic.clone_into(&mut self.topic);
        self
    }

    /// Another entry of `logs:`.
    #[must_use]
    pub fn log(mut self, path: &Path, format: &str) -> Self {
        self.logs.push((path.display().to_string(), format.to_owned()));
        self
    }

    /// Another line below `kafka:`.
    #[must_use]
    pub fn kafka(mut self, line: &str) -> Self {
        self.kafka.push(line.to_owned());
        self
    }

    /// Endpoints at a port of the loopback.
    #[must_use]
    pub fn http(mut self, port: u16) -> Self {
        self.http = Some(port);
        self
    }

    /// The text of agent.yaml.
    pub fn yaml(&self) -> String {
        let mut text = format!(
            "agent:\n  id: {}\n  state_dir: {}\n",
            quoted(&self.id),
            quoted(&self.state_dir.display().to_string())
        );
        for line in &self.agent {
            text += &format!("  {line}\n");
        }
        text += "logs:\n";
        let last = self.sites.last().into_iter().cycle();
        for ((path, format), site) in self.logs.iter().zip(self.sites.iter().chain(last)) {
            text +=
                &format!("  - paths: [{}]\n    format: {format}\n    site: {}\n", quoted(path), quoted(site));
        }
        text +=
            &format!("kafka:\n  brokers: [{}]\n  topic: {}\n", quoted(&self.brokers), quoted(&self.topic));
        for line in &self.kafka {
            text += &format!("  {line}\n");
        }
        match self.http {
            Some(port) => text += &format!("http: {{listen: 127.0.0.1:{port}}}\n"),
            None => text += "http: false\n",
        }
        text
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is always JSON, and JSON text is YAML text")
}

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    process: Process,
}

impl Agent {
    /// Starts `viewtail run` with this configuration; configuration and output are in `directory`.
    pub fn spawn(directory: &Path, config: &Config) -> Self {
        Self::spawn_with(directory, config, command(BINARY), |_| {})
    }

    /// The same with a failpoint: the agent aborts itself at the `passing`-th time it comes by.
    pub fn spawn_failing(directory: &Path, config: &Config, failpoint: &str, passing: u64) -> Self {
        Self::spawn_with(directory, config, command(BINARY), |run| {
            run.env("VIEWTAIL_FAILPOINT", format!("{failpoint}:{passing}"));
        })
    }

    /// The same behind other programs: `starter` ends where the agent's own path is due.
    pub fn spawn_with(
        directory: &Path,
        config: &Config,
        mut starter: Command,
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let path = directory.join(format!("{}.yaml", config.id));
        std::fs::write(&path, config.yaml()).expect("the configuration can be written");
        starter.arg("run").arg("-c").arg(&path);
        prepare(&mut starter);
        Self { process: Process::start(&config.id, directory, starter) }
    }

    /// The process: signals, memory, descriptors, words.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// SIGKILL.
    pub fn kill9(mut self) {
        self.process.kill();
    }

    /// SIGTERM; what it ended with and how long that took.
    ///
    /// # Panics
    /// When it takes longer than the 30 s that are promised, or does not end with 0.
    pub fn stop(mut self) -> Duration {
        let began = super::wait::now();
        self.process.signal(Signal::TERM);
        let status = self.process.wait(STOP_LIMIT);
        assert!(status.success(), "the agent ended with {status}:\n{}", self.process.last_words());
        began.elapsed()
    }

    /// Waits for an end that nobody asked for.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.process.wait(limit)
    }

    /// What it said so far on stderr, all runs of this id together.
    pub fn words(&self) -> String {
        self.process.stderr()
    }
}

/// The path of the binary under test.
pub fn binary() -> &'static Path {
    Path::new(BINARY)
}

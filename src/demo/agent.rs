//! The real agent as a child process.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::io::clock::Clock;
use crate::io::terminal;

/// Lines of the agent's own log that are shown when it failed.
const LOG_LINES_SHOWN: usize = 15;

/// How often a stopping agent is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The agent; killed and waited for when this is dropped.
#[derive(Debug)]
pub struct Agent {
    program: PathBuf,
    config: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

/// What the configuration of the show says.
#[derive(Clone, Debug)]
pub struct AgentSettings<'a> {
    /// The scratch directory.
    pub directory: &'a Path,
    /// `host:port`.
    pub brokers: &'a str,
    /// The topic.
    pub topic: &'a str,
    /// Partitions of a topic that the agent has to create; `None` where it is there.
    pub create_partitions: Option<i32>,
}

impl Agent {
    /// Writes the configuration and makes the directories; starts nothing yet.
    ///
    /// # Errors
    /// A file could not be written, or this program's own path is unknown.
    pub fn prepare(settings: &AgentSettings<'_>) -> io::Result<Self> {
        let config = settings.directory.join("agent.yaml");
        fs::create_dir(settings.directory.join("state"))?;
        fs::write(&config, settings.yaml())?;
        let log = settings.directory.join("agent.log");
        Ok(Self { program: std::env::current_exe()?, config, log, child: None })
    }

    /// Starts it.
    ///
    /// # Errors
    /// The process could not be made.
    pub fn start(&mut self) -> io::Result<()> {
        let log = OpenOptions::new().append(true).create(true).open(&self.log)?;
        let mut command = Command::new(&self.program);
        command.arg("run").arg("-c").arg(&self.config);
        // Its own talk goes into a file: the screen belongs to the show.
        command.stdin(Stdio::null()).stdout(Stdio::from(log.try_clone()?)).stderr(Stdio::from(log));
        self.child = Some(command.spawn()?);
        Ok(())
    }

    /// Asks it to stop; [`Agent::poll`] says when it has.
    ///
    /// # Errors
    /// The signal could not be sent.
    pub fn ask_to_stop(&self) -> io::Result<()> {
        let pid =
            self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok()).and_then(Pid::from_raw);
        match pid {
            Some(pid) => Ok(kill_process(pid, Signal::TERM)?),
            None => Ok(()),
        }
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// It could not be killed or waited for.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Its exit status if it has ended.
    ///
    /// # Errors
    /// It could not be asked.
    pub fn poll(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let status = child.try_wait()?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    /// Waits for its end; `None` if it does not end in time.
    ///
    /// # Errors
    /// It could not be asked.
    pub fn wait(&mut self, milliseconds_max: u64) -> io::Result<Option<ExitStatus>> {
        let clock = Clock::start();
        loop {
            if let Some(status) = self.poll()? {
                return Ok(Some(status));
            }
            if clock.now().0 >= milliseconds_max {
                return Ok(None);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The last lines that it said, escaped, for a person who wants to know why it failed.
    #[must_use]
    pub fn last_words(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        let shown = lines.iter().skip(lines.len().saturating_sub(LOG_LINES_SHOWN));
        shown.map(|line| format!("  {}\n", terminal::escape_bytes(line))).collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Nothing is left to be done about a process that cannot be killed.
        let _ = self.kill();
    }
}

impl AgentSettings<'_> {
    fn yaml(&self) -> String {
        let quoted =
            |path: &str| serde_json::Value::from(self.directory.join(path).to_string_lossy()).to_string();
        let create = match self.create_partitions {
            None => "null".to_owned(),
            Some(partitions) => format!("{{partitions: {partitions}, replication_factor: 1}}"),
        };
        format!(
            "agent:\n  id: {topic}\n  state_dir: {state}\nlogs:\n  - paths: [{log}]\n    format: combined\n    \
             site: blog.example.com\n    start: beginning\nkafka:\n  brokers: [{brokers}]\n  topic: {topic}\n  \
             delivery: exactly_once\n  commit_interval: 250ms\n  create_topic: {create}\nhttp: false\n",
            topic = serde_json::Value::from(self.topic),
            state = quoted("state"),
            log = quoted("access.log"),
            brokers = serde_json::Value::from(self.brokers),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_yaml_whatever_the_path_is() {
        let directory = Path::new("/tmp/with: \"quotes\" # and more");
        let settings =
            AgentSettings { directory, brokers: "localhost:1", topic: "demo", create_partitions: Some(3) };
        let yaml = settings.yaml();
        assert!(yaml.contains(r#"paths: ["/tmp/with: \"quotes\" # and more/access.log"]"#), "{yaml}");
        assert!(yaml.contains("create_topic: {partitions: 3, replication_factor: 1}"), "{yaml}");
        assert!(yaml.contains(r#"id: "demo""#), "{yaml}");
    }
}

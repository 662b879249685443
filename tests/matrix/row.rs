//! What every row begins and ends with: a topic, a directory of logs, a truth; and the independent checker.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::ext4::Ext4;
use crate::support::access_log::AccessLog;
use crate::support::agent::{Agent, Config};
use crate::support::checker::{self, Verdict};
use crate::support::kafka::Kafka;
use crate::support::nginx::logrotate;
use crate::support::scratch::Scratch;
use crate::support::topic::{self, Counter};
use crate::support::writer::lines_in;

/// Everything here is small; what takes longer hangs. A sweep of everything (60 s) fits in, on a busy machine too.
pub const LIMIT: Duration = Duration::from_secs(100);

/// One row at work.
pub struct Row {
    kafka: Arc<Kafka>,
    topic: String,
    // Unmounted before the directory below it is removed: fields are dropped in their order.
    ext4: Option<Ext4>,
    scratch: Scratch,
    source: AccessLog,
    counter: Counter,
    /// Events that are no lines of the truth.
    others: u64,
}

impl Row {
    /// A topic on the shared broker and a directory, both with this name.
    pub fn new(name: &str) -> Self {
        let kafka = Kafka::shared();
        let scratch = Scratch::new(name);
        scratch.directory("logs");
        std::fs::write(scratch.join("truth"), "").expect("the truth can be made");
        // Two partitions: streams spread, and a transaction touches more than one.
        topic::create(&kafka.brokers(), name, 2, &[]);
        let counter = Counter::start(&kafka.brokers(), name, scratch.path());
        let source = AccessLog::new("r", name.bytes().map(u64::from).sum());
        Self { kafka, topic: name.to_owned(), scratch, ext4: None, source, counter, others: 0 }
    }

    /// The same with its logs on an ext4 of its own, where nobody else takes the inode numbers that come free.
    pub fn on_ext4(name: &str) -> Self {
        let mut row = Self::new(name);
        row.ext4 = Some(Ext4::at(&row.scratch, "logs"));
        row
    }

    /// The directory of the logs.
    pub fn logs(&self) -> PathBuf {
        self.ext4.as_ref().map_or_else(|| self.scratch.join("logs"), |ext4| ext4.path().to_owned())
    }

    /// A path below the directory of the logs.
    pub fn at(&self, name: &str) -> PathBuf {
        self.logs().join(name)
    }

    /// The log that is configured unless a test says otherwise.
    pub fn log(&self) -> PathBuf {
        self.at("access.log")
    }

    /// The row's scratch directory.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Where the lines that must arrive are kept.
    pub fn truth(&self) -> PathBuf {
        self.scratch.join("truth")
    }

    /// The configuration for the one log; the agent's id is the row's name.
    pub fn config(&self) -> Config {
        Config::new(&self.topic, &self.scratch.join("state"), &self.log())
            .to(&self.kafka.brokers(), &self.topic)
    }

    /// The configuration for a glob in the directory of the logs.
    pub fn config_of(&self, glob: &str) -> Config {
        let mut config = self.config();
        config.logs[0].0 = self.at(glob).display().to_string();
        config
    }

    /// Starts the agent on the one log.
    pub fn agent(&self) -> Agent {
        self.agent_with(&self.config())
    }

    /// Starts the agent.
    pub fn agent_with(&self, config: &Config) -> Agent {
        Agent::spawn(self.scratch.path(), config)
    }

    /// The next lines, and the truth has them too.
    pub fn lines(&mut self, count: u64) -> Vec<u8> {
        let block = self.lost_lines(count);
        append(&self.truth(), &block);
        block
    }

    /// The next lines, of which nobody expects that they arrive.
    pub fn lost_lines(&mut self, count: u64) -> Vec<u8> {
        let mut block = Vec::new();
        for _ in 0..count {
            self.source.append_line(&mut block);
        }
        block
    }

    /// Appends lines to a file by its name, which is created where it is missing.
    pub fn write(&mut self, path: &Path, count: u64) {
        let block = self.lines(count);
        append(path, &block);
    }

    /// Appends lines to a file that is open.
    pub fn write_to(&mut self, mut file: &File, count: u64) {
        let block = self.lines(count);
        file.write_all(&block).expect("the log can be written");
    }

    /// So many events more that are no lines of the truth.
    pub fn expect_others(&mut self, events: u64) {
        self.others += events;
    }

    /// Waits until every line of the truth is committed.
    pub fn catch_up(&self) {
        self.counter.wait_for(self.expected(), LIMIT);
    }

    /// Committed events so far.
    pub fn committed(&self) -> u64 {
        self.counter.count()
    }

    fn expected(&self) -> u64 {
        lines_in(&self.truth()) + self.others
    }

    /// Runs logrotate on the log with these options, one a line.
    pub fn rotate(&self, options: &str) {
        let configuration = self.scratch.join("logrotate.conf");
        let text = format!("{} {{\n{options}\n}}\n", self.log().display());
        std::fs::write(&configuration, text).expect("logrotate.conf can be written");
        logrotate(&configuration, &self.scratch.join("logrotate.state"));
    }

    /// The usual end: wait until all is committed, stop the agent, look at all of it.
    pub fn finish(self, agent: Agent) -> Verdict {
        self.finish_against(agent, &[], &self.truth())
    }

    /// The same against another truth.
    pub fn finish_against(&self, agent: Agent, options: &[&str], truth: &Path) -> Verdict {
        let wanted = lines_in(truth) + self.others;
        self.counter.wait_for(wanted, LIMIT);
        agent.stop();
        let mut options = options.to_vec();
        if self.others > 0 {
            options.push("--allow-unknown");
        }
        let verdict = checker::check(&self.kafka.brokers(), &self.topic, &options, &[truth]);
        self.counter.wait_for(wanted, LIMIT);
        assert_eq!(self.counter.count(), wanted, "{}: a reader saw each line once", self.topic);
        verdict
    }

    /// Streams of which an event is committed.
    pub fn streams(&self) -> usize {
        let events = self.events();
        let ids = events.iter().filter_map(|event| event["id"].as_str()?.split(':').next());
        ids.collect::<std::collections::HashSet<_>>().len()
    }

    /// Every committed event, as JSON.
    pub fn events(&self) -> Vec<serde_json::Value> {
        let output = std::process::Command::new("kcat")
            .args(["-C", "-q", "-e", "-b", &self.kafka.brokers(), "-t", &self.topic, "-o", "beginning"])
            .args(["-X", "isolation.level=read_committed"])
            .output()
            .expect("kcat can be run");
        let text = String::from_utf8(output.stdout).expect("events are UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("events are JSON")).collect()
    }
}

/// Opens a file for appending, as nginx does, and creates it where it is missing.
pub fn appender(path: &Path) -> File {
    File::options().create(true).append(true).open(path).expect("a log can be opened for appending")
}

/// Appends bytes to a file by its name.
pub fn append(path: &Path, bytes: &[u8]) {
    appender(path).write_all(bytes).expect("a file can be written");
}

/// Renames, which the tests do on one file system only.
pub fn rename(from: &Path, to: &Path) {
    std::fs::rename(from, to).expect("a log can be renamed");
}

/// The inode's number.
pub fn inode(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).expect("a log is there").ino()
}

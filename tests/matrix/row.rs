//! What every row begins and ends with: a topic, a directory of logs, a truth; and the independent checker.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::ext4::{Ext4, FailedDisk, Journal};
use crate::support::access_log::AccessLog;
use crate::support::agent::{Agent, Config, binary};
use crate::support::checker::{self, Verdict};
use crate::support::kafka::Kafka;
use crate::support::nginx::logrotate;
use crate::support::scratch::Scratch;
use crate::support::topic::{self, Counter};
use crate::support::writer::lines_in;

/// Everything here is small; what takes longer hangs. A sweep of everything (60 s) fits in, on a busy machine too.
pub const LIMIT: Duration = Duration::from_secs(100);

/// Why bytes can be lost.
const LOSSES: [&str; 6] = ["truncated", "deleted", "given_up", "cut", "skipped", "unreadable"];

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
    /// Bytes that the agent has to count as lost.
    lost: u64,
    /// Bytes that were delivered before its books began.
    booked_before: u64,
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
        Self {
            kafka,
            topic: name.to_owned(),
            scratch,
            ext4: None,
            source,
            counter,
            others: 0,
            lost: 0,
            booked_before: 0,
        }
    }

    /// The same with its logs on an ext4 of its own, where nobody else takes the inode numbers that come free.
    pub fn on_ext4(name: &str) -> Self {
        let mut row = Self::new(name);
        row.mount_ext4("logs");
        row
    }

    /// The same with its logs on a disk that can fail.
    pub fn on_fallible_disk(name: &str) -> Self {
        let mut row = Self::new(name);
        row.ext4 = Some(Ext4::at(&row.scratch, "logs", Journal::Absent));
        row
    }

    /// An ext4 of its own at this place of the scratch directory, for as long as the row lasts.
    pub fn mount_ext4(&mut self, name: &str) -> PathBuf {
        let ext4 = self.ext4.insert(Ext4::at(&self.scratch, name, Journal::Kept));
        ext4.path().to_owned()
    }

    /// Lets the disk of that ext4 fail, with this file on it.
    pub fn fail_disk(&self, file: &Path) -> FailedDisk {
        self.ext4.as_ref().expect("the row has a disk that can fail").fail(file)
    }

    /// The directory of the logs.
    pub fn logs(&self) -> PathBuf {
        self.scratch.join("logs")
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

    /// So many bytes more that nobody can deliver, and that the agent has to count.
    pub fn expect_lost(&mut self, bytes: u64) {
        self.lost += bytes;
    }

    /// What the agent's books say of all paths together: `committed`, `finished`, or a reason of a loss.
    pub fn account(&self, what: &str) -> u64 {
        let accounts = self.status()["accounts"].as_array().cloned().unwrap_or_default();
        let of =
            |account: &serde_json::Value| account[what].as_u64().or_else(|| account["lost"][what].as_u64());
        accounts.iter().map(|account| of(account).unwrap_or_else(|| panic!("{what} of {account}"))).sum()
    }

    /// What `viewtail status --json` says.
    pub fn status(&self) -> serde_json::Value {
        let configuration = self.scratch.join(&format!("{}.yaml", self.topic));
        let output = std::process::Command::new(binary())
            .args(["status", "--json", "-c"])
            .arg(&configuration)
            .output()
            .expect("the binary can be run");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("status: {error}\n{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The state directory is about to go: what was delivered so far is in no book of the next one.
    pub fn close_books(&mut self) {
        self.booked_before = self.delivered_bytes();
    }

    /// The agent's books against the topic and against what cannot be there: every byte is in one of the two.
    fn check_account(&self) {
        let delivered = self.delivered_bytes() - self.booked_before;
        assert_eq!(
            self.account("committed"),
            delivered,
            "{}: bytes in the books and in the topic",
            self.topic
        );
        let lost: u64 = LOSSES.iter().map(|reason| self.account(reason)).sum();
        assert_eq!(lost, self.lost, "{}: bytes that are lost in the books: {}", self.topic, self.status());
    }

    /// Bytes of the lines in the topic and of what they say gave no event.
    fn delivered_bytes(&self) -> u64 {
        let is_before_start = |event: &serde_json::Value| event["skipped_reason"] == "start";
        let skipped = |event: &serde_json::Value| {
            if is_before_start(event) { 0 } else { event["skipped_size"].as_u64().unwrap_or(0) }
        };
        let size = |event: &serde_json::Value| event["line_size"].as_u64().unwrap_or(0) + skipped(event);
        self.events().iter().map(size).sum()
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
        self.check_account();
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

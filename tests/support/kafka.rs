//! One real Kafka node: killed like by a power cut, and started again on the same data and port.

use std::process::Command;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use rustix::process::Signal;

use super::process::{Process, command};
use super::scratch::Scratch;
use super::topic;
use super::wait::free_port;

/// Cold start takes 4 s on an idle machine; here two of them may start beside a busy agent.
const READY_LIMIT: Duration = Duration::from_secs(90);

/// The script that knows the broker's settings.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/kafka.sh");

/// A broker with its own data directory.
#[derive(Debug)]
pub struct Kafka {
    process: Mutex<Option<Process>>,
    port: u16,
    scratch: Scratch,
}

impl Kafka {
    /// Starts a fresh node on a free port and waits until it answers.
    pub fn start() -> Self {
        let kafka = Self::prepared();
        kafka.restart();
        kafka
    }

    /// A node that is ready to start but does not run: its port refuses connections.
    pub fn prepared() -> Self {
        let ports = [free_port(), free_port()].map(|port| port.to_string());
        Self::formatted(Scratch::new("kafka"), ports.each_ref().map(String::as_str), &[])
    }

    /// The same in this directory, on these ports of the node and of its controller, and with further arguments for
    /// `kafka.sh format`.
    pub fn formatted(scratch: Scratch, ports: [&str; 2], further: &[&str]) -> Self {
        let output = Command::new(SCRIPT)
            .arg("format")
            .arg(scratch.path())
            .args(ports)
            .args(further)
            .output()
            .expect("kafka.sh can be run");
        assert!(
            output.status.success(),
            "kafka.sh format: {}; is Kafka there? make setup",
            String::from_utf8_lossy(&output.stderr)
        );
        let port = ports[0].parse().expect("a port is a number");
        Self { process: Mutex::new(None), port, scratch }
    }

    /// One of Kafka's own tools, by its class.
    ///
    /// # Panics
    /// With what it said, when it fails.
    pub fn tool(class: &str, arguments: &[&str]) {
        let output = Command::new(SCRIPT).args(["tool", class]).args(arguments).output();
        let output = output.expect("kafka.sh can be run");
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(output.status.success(), "{class} {arguments:?}: {}", said.concat());
    }

    /// A node that all tests use which do it no harm; it ends with the last of them.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Kafka>> = Mutex::new(Weak::new());
        // A test that failed while it waited for the broker poisons nothing: the next one starts another.
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(kafka) = shared.upgrade() {
            return kafka;
        }
        let kafka = Arc::new(Self::start());
        *shared = Arc::downgrade(&kafka);
        kafka
    }

    /// HOST:PORT.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts the node on its old data and port and waits until it answers.
    pub fn restart(&self) {
        let mut serve = command(SCRIPT);
        serve.arg("serve").arg(self.scratch.path());
        let mut process = Process::start("server", self.scratch.path(), serve);
        super::wait::wait_until(READY_LIMIT, "the broker answers", || {
            assert!(process.exited().is_none(), "the broker ended: {}", process.last_words());
            topic::broker_answers(&self.brokers())
        });
        *self.process.lock().expect("no test panics while it holds the lock") = Some(process);
    }

    /// Sends a signal to the node.
    pub fn signal(&self, signal: Signal) {
        let mut process = self.process.lock().expect("no test panics while it holds the lock");
        process.as_mut().expect("the broker runs").signal(signal);
    }

    /// SIGKILL: what is not on its disk is gone.
    pub fn kill9(&self) {
        let process = self.process.lock().expect("no test panics while it holds the lock").take();
        process.expect("the broker runs").kill();
    }
}

//! Who may talk to a broker, and what is said to an agent that may not.
//!
//! One broker has a door for each case: a listener that wants something else of whoever comes. `check` is asked at a
//! door and must name cause and remedy, and end with the exit code that a script acts on.

mod door;
mod reload;
mod rights;
mod sasl;
mod tls;

use std::process::{Command, Output};

use crate::support::access_log::AccessLog;
use crate::support::agent::{Agent, Config, binary};
use crate::support::scratch::Scratch;
use crate::support::topic::Counter;
use crate::support::writer::write_lines;
use door::{Door, Doors};

/// A later time may do it.
pub const EXIT_TEMPORARY: i32 = 75;
/// Somebody has to give a right or a credential.
pub const EXIT_PERMISSION: i32 = 77;
/// Somebody has to change the configuration.
pub const EXIT_CONFIGURATION: i32 = 78;

/// A password or token that must be in no output at all.
pub const CANARY: &str = "canary-4b1d";

/// An agent that knocks at a door with these lines below `kafka:`.
pub struct Visitor {
    scratch: Scratch,
    config: Config,
}

impl Visitor {
    pub fn new(name: &str, address: &str, lines: &[String]) -> Self {
        let scratch = Scratch::new(name);
        let mut config = Config::new(name, &scratch.join("state"), &scratch.join("access.log"));
        config = config.to(address, name);
        for line in lines {
            config = config.kafka(line);
        }
        Self { scratch, config }
    }

    /// What `check` answers, and how it ends.
    pub fn check(&self) -> (Option<i32>, String) {
        write_lines(&self.config_log(), &mut AccessLog::new("c", 1), 3, &self.scratch.join("unused-truth"));
        let path = self.scratch.join("check.yaml");
        std::fs::write(&path, self.config.yaml()).expect("the configuration can be written");
        let Output { status, stdout, stderr } =
            Command::new(binary()).arg("check").arg("-c").arg(&path).output().expect("check can be run");
        let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(!said.contains(CANARY), "a secret is shown:\n{said}");
        (status.code(), said)
    }

    /// Checks that it is refused with this exit code, and that all these words are said.
    pub fn is_refused(&self, exit: i32, words: &[&str]) {
        let (code, said) = self.check();
        assert_eq!(code, Some(exit), "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not said:\n{said}");
        }
    }

    /// Starts the agent itself.
    pub fn run(&self) -> Agent {
        Agent::spawn(self.scratch.path(), &self.config)
    }

    /// Writes what a running agent reads at a reload: another door, and this line below `kafka:`.
    pub fn write_configuration(&self, address: &str, line: &str) {
        let mut config = self.config.clone().to(address, &self.config.topic).kafka(line);
        config.kafka.retain(|kept| kept == line || !kept.starts_with("tls:") && !kept.starts_with("sasl:"));
        let path = self.scratch.join(&format!("{}.yaml", config.id));
        std::fs::write(path, config.yaml()).expect("the configuration can be written");
    }

    /// Checks that everything is well, and that lines arrive.
    pub fn is_let_in(&self, doors: &Doors) {
        doors.create_topic(&self.config.topic);
        let (code, said) = self.check();
        assert_eq!(code, Some(0), "{said}");
        let truth = self.scratch.join("truth");
        std::fs::remove_file(self.config_log()).expect("the lines of the check can be removed");
        write_lines(&self.config_log(), &mut AccessLog::new("w1", 2), LINES, &truth);
        let counter = Counter::start(&doors.address(Door::Plain), &self.config.topic, self.scratch.path());
        let agent = self.run();
        counter.wait_for(LINES, crate::stage::CATCH_UP_LIMIT);
        assert!(!agent.words().contains(CANARY), "a secret is shown:\n{}", agent.words());
        agent.stop();
        assert_eq!(counter.count(), LINES);
    }

    fn config_log(&self) -> std::path::PathBuf {
        self.scratch.join("access.log")
    }
}

/// Enough for a transaction on each partition.
const LINES: u64 = 50;

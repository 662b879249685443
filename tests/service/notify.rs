//! sd_notify over a real socket.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::agent::{Agent, Config};
use crate::support::process::command;
use crate::support::scratch::Scratch;
use crate::support::wait::free_port;

/// Nothing here takes longer than the start of a process.
const LIMIT: Duration = Duration::from_secs(20);
/// What the service manager waits for a sign of life, in microseconds.
const WATCHDOG_USEC: &str = "400000";

#[test]
fn without_kafka_the_service_is_ready_and_alive_and_says_what_it_waits_for() {
    let scratch = Scratch::new("service-notify");
    let manager = UnixDatagram::bind(scratch.join("notify")).expect("a socket can be bound");
    manager.set_read_timeout(Some(LIMIT)).expect("the limit is valid");
    let log = scratch.join("access.log");
    std::fs::write(&log, "").expect("the scratch directory takes a file");
    let nobody = format!("127.0.0.1:{}", free_port());
    let config = Config::new("service", &scratch.directory("state"), &log).to(&nobody, "views");
    let mut agent =
        Agent::spawn_with(scratch.path(), &config, command(env!("CARGO_BIN_EXE_viewtail")), |run| {
            run.env("NOTIFY_SOCKET", scratch.join("notify")).env("WATCHDOG_USEC", WATCHDOG_USEC);
        });
    let mut heard = Vec::new();
    let mut hear_until = |wanted: &str, count: usize| {
        let found = |heard: &[String]| heard.iter().filter(|line| line.starts_with(wanted)).count();
        while found(&heard) < count {
            let mut message = [0; 4096];
            let size = manager.recv(&mut message).unwrap_or_else(|error| {
                panic!("{wanted}: {error}; heard {heard:?}");
            });
            let text = String::from_utf8_lossy(&message[..size]).into_owned();
            heard.extend(text.lines().map(str::to_owned));
        }
        heard.clone()
    };
    let start = hear_until("READY=1", 1);
    assert!(!start.iter().any(|line| line.starts_with("STOPPING")), "{start:?}");
    hear_until("STATUS=Kafka: ", 1);
    hear_until("WATCHDOG=1", 4);
    // What is the same counts; what is wrong does not, and is said; the service goes on with each.
    agent.process().signal(Signal::HUP);
    let reloaded = hear_until("READY=1", 2);
    let heard_of = |wanted: &str| reloaded.iter().any(|line| line.starts_with(wanted));
    assert!(heard_of("RELOADING=1") && heard_of("MONOTONIC_USEC="), "{reloaded:?}");
    std::fs::write(scratch.join("service.yaml"), "nonsense").expect("the configuration can be written");
    agent.process().signal(Signal::HUP);
    hear_until("STATUS=the configuration was refused", 1);
    hear_until("READY=1", 3);
    agent.process().signal(Signal::TERM);
    let all = hear_until("STOPPING=1", 1);
    assert_eq!(all.iter().filter(|line| *line == "READY=1").count(), 3, "{all:?}");
    agent.stop();
}

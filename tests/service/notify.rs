//! sd_notify over a real socket.

use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::agent::{Agent, Config, binary};
use crate::support::page::get;
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

/// What a pipe holds, and how much of it is left to the agent: the lines of some refused reloads.
const PIPE_BYTES: usize = 64 * 1024;
const ROOM_BYTES: usize = 4 * 1024;
/// Ten signs of life.
const SILENCE: Duration = Duration::from_secs(2);
/// Far more messages than the room has lines.
const MESSAGES_MAX: usize = 2000;

/// The loop is stopped as a broken one would stop: it waits for ever, here for somebody to read what it says.
#[test]
fn a_loop_that_hangs_gives_no_sign_of_life_whatever_other_threads_do() {
    let scratch = Scratch::new("service-hang");
    let manager = UnixDatagram::bind(scratch.join("notify")).expect("a socket can be bound");
    manager.set_read_timeout(Some(LIMIT)).expect("the limit is valid");
    let log = scratch.join("access.log");
    std::fs::write(&log, "").expect("the scratch directory takes a file");
    let (nobody, port) = (format!("127.0.0.1:{}", free_port()), free_port());
    let config = Config::new("hang", &scratch.directory("state"), &log).to(&nobody, "views").http(port);
    let path = scratch.join("agent.yaml");
    std::fs::write(&path, config.yaml()).expect("the configuration can be written");
    let (mut words, mut stderr) = std::io::pipe().expect("a pipe can be had");
    stderr.write_all(&[b'.'; PIPE_BYTES - ROOM_BYTES]).expect("a pipe takes as much as it holds");
    let mut run = command(&binary().to_string_lossy());
    run.args(["run", "-c"]).arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
    run.env("NOTIFY_SOCKET", scratch.join("notify")).env("WATCHDOG_USEC", WATCHDOG_USEC);
    let mut agent = run.spawn().expect("the agent starts");
    // It has the end of the pipe that is written to, and nobody else does.
    drop(run);
    let heard = || {
        let mut message = [0; 4096];
        manager.recv(&mut message).map(|size| String::from_utf8_lossy(&message[..size]).into_owned())
    };
    let hear_until = |wanted: &str| while !heard().expect(wanted).contains(wanted) {};
    hear_until("READY=1");
    hear_until("WATCHDOG=1");
    std::fs::write(&path, "nonsense").expect("the configuration can be written");
    manager.set_read_timeout(Some(SILENCE)).expect("the limit is valid");
    let id = i32::try_from(agent.id()).ok().and_then(Pid::from_raw).expect("a child has a valid id");
    let is_silent = (0..MESSAGES_MAX).any(|_| {
        kill_process(id, Signal::HUP).expect("a signal can be sent to a child");
        heard().is_err()
    });
    assert!(is_silent, "it said all it had to say, and lived");
    assert_eq!(get(port, "/healthz").map(|(status, _)| status), Some(503), "the page knows it, too");
    manager.set_read_timeout(Some(LIMIT)).expect("the limit is valid");
    let reader = std::thread::spawn(move || std::io::copy(&mut words, &mut std::io::sink()));
    hear_until("WATCHDOG=1");
    agent.kill().expect("a child can be killed");
    agent.wait().expect("a child can be waited for");
    reader.join().expect("the reader ends").expect("a pipe can be read");
}

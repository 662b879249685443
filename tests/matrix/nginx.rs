//! Rows 2 and 7 with a real nginx: log buffers, workers that are stopped, workers that are shutting down.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::row::{LIMIT, Row, rename};
use crate::support::load::Load;
use crate::support::nginx::{FORMAT, Nginx, TOKEN};
use crate::support::wait::{pass_time, wait_until};
use crate::support::writer::lines_in;

/// Nothing is flushed by itself while a test runs.
const BUFFERED: &str = " buffer=256k flush=10m";
/// Longer than others keep a renamed file (5 s).
const LONG_AFTER: Duration = Duration::from_secs(6);

#[test]
fn row_02_a_worker_that_was_stopped_flushes_its_buffer_into_the_renamed_file() {
    let row = Row::new("row-02-buffer");
    let mut nginx = Nginx::start_with(row.scratch().path(), BUFFERED);
    let agent = row.agent_with(&config(&row, &nginx));
    // Some lines in the file, so that the agent knows it before it is renamed.
    load(&nginx);
    nginx.reopen();
    wait_until(LIMIT, "nginx has flushed its buffers", || row.committed() > 0);
    load(&nginx);
    let worker = nginx.workers()[0];
    signal(worker, Signal::STOP);
    nginx.rotate();
    pass_time(LONG_AFTER);
    signal(worker, Signal::CONT);
    load(&nginx);
    nginx.rotate();
    finish(&row, nginx, agent);
}

#[test]
fn row_02_a_worker_that_is_shutting_down_writes_into_the_renamed_file() {
    let row = Row::new("row-02-shutdown");
    let mut nginx = Nginx::start_with(row.scratch().path(), BUFFERED);
    let agent = row.agent_with(&config(&row, &nginx));
    load(&nginx);
    nginx.reopen();
    wait_until(LIMIT, "nginx has flushed its buffers", || row.committed() > 0);
    // A request whose end does not come keeps its worker from ending.
    let mut slow = TcpStream::connect(("127.0.0.1", nginx.port())).expect("nginx takes connections");
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: test.example.org\r\n").expect("a request can begin");
    let old = nginx.workers();
    load(&nginx);
    nginx.reload();
    wait_until(LIMIT, "new workers are there", || nginx.workers().iter().any(|id| !old.contains(id)));
    wait_until(LIMIT, "one old worker waits for its request", || {
        nginx.workers().iter().filter(|id| old.contains(id)).count() == 1
    });
    // Renamed, and nobody is told to reopen: all write into the renamed file.
    rename(&nginx.log(), &nginx.log().with_extension("log.1"));
    pass_time(LONG_AFTER);
    slow.write_all(b"Connection: close\r\n\r\n").expect("a request can end");
    slow.read_to_end(&mut Vec::new()).expect("nginx answers");
    wait_until(LIMIT, "the old worker has ended", || nginx.workers().iter().all(|id| !old.contains(id)));
    load(&nginx);
    nginx.reopen();
    load(&nginx);
    finish(&row, nginx, agent);
}

#[test]
fn row_07_a_log_that_nginx_compresses_is_read_member_by_member() {
    let row = Row::new("row-07-nginx");
    let nginx = Nginx::start_with(row.scratch().path(), " gzip=1 buffer=4k flush=200ms");
    let agent = row.agent_with(&config(&row, &nginx));
    load(&nginx);
    wait_until(LIMIT, "members are read", || row.committed() > 100);
    agent.kill9();
    load(&nginx);
    nginx.rotate();
    let agent = row.agent_with(&config(&row, &nginx));
    load(&nginx);
    let log = std::fs::read(nginx.log()).expect("the log is there");
    assert!(log.starts_with(b"\x1f\x8b"), "nginx compresses it");
    nginx.rotate();
    load(&nginx);
    finish(&row, nginx, agent);
}

fn config(row: &Row, nginx: &Nginx) -> crate::support::agent::Config {
    let mut config = row.config();
    let format = format!("{{nginx: {}}}", serde_json::Value::from(FORMAT));
    config.logs = vec![(nginx.log().display().to_string(), format)];
    config
}

fn load(nginx: &Nginx) {
    let load = Load::start(nginx.port(), 3, 300);
    wait_until(LIMIT, "there were requests", || load.requests() >= 200);
    load.finish();
}

fn signal(id: i32, signal: Signal) {
    kill_process(Pid::from_raw(id).expect("a worker has a valid id"), signal)
        .expect("a worker can be signalled");
}

fn finish(row: &Row, nginx: Nginx, agent: crate::support::agent::Agent) {
    let truth = nginx.truth();
    nginx.stop();
    assert!(lines_in(&truth) >= 600);
    // Two workers write both logs, and not always in the same order.
    row.finish_against(agent, &["--token", TOKEN, "--any-order"], &truth);
}

//! A real nginx under load, rotated by the real logrotate, with an agent that is killed now and then.

use std::time::Duration;

use crate::stage::Stage;
use crate::support::load::Load;
use crate::support::nginx::{FORMAT, Nginx, TOKEN};
use crate::support::wait::pass_time;
use crate::support::writer::lines_in;

const ROTATIONS: u64 = 12;
/// Time between two rotations.
const PERIOD: Duration = Duration::from_millis(1800);
/// Every so many rotations the agent is killed and started again.
const KILL_EVERY: u64 = 3;

#[test]
fn row_01_every_request_of_a_rotated_nginx_log_arrives_once() {
    let stage = Stage::shared("nginx");
    let nginx = Nginx::start(stage.scratch.path());
    let mut config = stage.config();
    let format = format!("{{nginx: {}}}", serde_json::Value::from(FORMAT));
    config.logs = vec![(nginx.log().display().to_string(), format)];
    let counter = stage.counter();
    let mut agent = stage.agent(&config);
    let load = Load::start(nginx.port(), 4, 500);
    for rotation in 1..=ROTATIONS {
        pass_time(PERIOD);
        nginx.rotate();
        if rotation % KILL_EVERY == 0 {
            agent.kill9();
            // One rotation happens while nobody looks.
            nginx.rotate();
            agent = stage.agent(&config);
        }
    }
    let requests = load.finish();
    let truth = nginx.truth();
    nginx.stop();
    let lines = lines_in(&truth);
    assert_eq!(lines, requests, "nginx logged every request that was answered");
    // Two workers write both logs, and not always in the same order.
    let options = ["--token", TOKEN, "--any-order"];
    let verdict = stage.finish(agent, &counter, lines, (&options, &[&truth]));
    println!("nginx: {requests} requests, {} generations", verdict.streams);
    assert!(verdict.streams > ROTATIONS, "{} generations after {ROTATIONS} rotations", verdict.streams);
}

//! A graceful stop: bounded, and free of charge.

use std::time::Duration;

use crate::stage::{CATCH_UP_LIMIT, Stage};
use crate::support::wait::pass_time;
use crate::support::writer::{Plan, Writer, lines_in};

#[test]
fn row_53_stopping_under_load_loses_and_doubles_nothing() {
    let stage = Stage::shared("stop");
    let counter = stage.counter();
    let writer = Writer::start(Plan::steady(&stage.log(), "w1", 4000));
    let mut slowest = Duration::ZERO;
    for run in 0..6 {
        let agent = stage.agent(&stage.config());
        // The first stop comes in the middle of start-up, the later ones under load.
        pass_time(Duration::from_millis(300 + 300 * run));
        slowest = slowest.max(agent.stop());
    }
    println!("stop: slowest of 6 stops {slowest:?}");
    let agent = stage.agent(&stage.config());
    counter.wait_for(4000, CATCH_UP_LIMIT);
    let truth = writer.finish();
    let lines = lines_in(&truth);
    stage.finish(agent, &counter, lines, (&[], &[&truth]));
}

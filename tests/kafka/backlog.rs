//! The end of a backlog does not wait for company.

use std::time::Duration;

use crate::stage::Stage;
use crate::support::access_log::AccessLog;
use crate::support::wait::now;
use crate::support::writer::{lines_in, write_lines};

/// More than a batch needs to be committed before its interval when nothing more is at hand.
const LINES: u64 = 120_000;
/// Far longer than reading all of them takes.
const INTERVAL: Duration = Duration::from_secs(40);

#[test]
fn the_end_of_a_backlog_is_committed_before_the_interval() {
    committed_before_the_interval("backlog", "");
}

#[test]
fn so_is_an_end_that_is_small_behind_a_batch_that_is_not() {
    committed_before_the_interval("backlog-end", "flush: {messages: 110000}");
}

fn committed_before_the_interval(name: &str, option: &str) {
    let stage = Stage::shared(name);
    let truth = stage.scratch.join("truth");
    write_lines(&stage.log(), &mut AccessLog::new("w1", 12), LINES, &truth);
    let mut config = stage.config();
    config.kafka = vec![
        format!("commit_interval: {}s", INTERVAL.as_secs()),
        "properties: {transaction.timeout.ms: 90000}".to_owned(),
        option.to_owned(),
    ];
    let counter = stage.counter();
    let began = now();
    let agent = stage.agent(&config);
    counter.wait_for(LINES, INTERVAL);
    assert!(began.elapsed() < INTERVAL, "{:?}", began.elapsed());
    stage.finish(agent, &counter, lines_in(&truth), (&[], &[&truth]));
}

//! Two agents where there may be one.

use std::time::Duration;

use crate::stage::{CATCH_UP_LIMIT, Stage};
use crate::support::wait::wait_until;
use crate::support::writer::{Plan, Writer, lines_in};

/// sysexits: the state directory is in use now, later it may not be.
const EXIT_TEMPORARY: i32 = 75;
/// sysexits: a person has to change the configuration.
const EXIT_CONFIGURATION: i32 = 78;

#[test]
fn row_52_a_second_agent_on_the_same_state_directory_refuses_and_names_the_first() {
    let stage = Stage::shared("rivals-state");
    let counter = stage.counter();
    let writer = Writer::start(Plan::steady(&stage.log(), "w1", 300));
    let mut first = stage.agent(&stage.config());
    counter.wait_for(100, CATCH_UP_LIMIT);

    let mut config = stage.config();
    config.id = "rivals-state-second".to_owned();
    let mut second = stage.agent(&config);
    let status = second.wait(Duration::from_secs(10));
    assert_eq!(status.code(), Some(EXIT_TEMPORARY), "{}", second.words());
    let first_pid = first.process().id().to_string();
    assert!(second.words().contains(&first_pid), "process {first_pid} is not named:\n{}", second.words());

    let truth = writer.finish();
    stage.finish(first, &counter, lines_in(&truth), (&[], &[&truth]));
}

#[test]
fn row_39_of_two_agents_with_one_id_one_gives_up_and_nothing_is_doubled() {
    let stage = Stage::shared("rivals-id");
    let counter = stage.counter();
    let writer = Writer::start(Plan::steady(&stage.log(), "w1", 500));
    let mut first = stage.agent(&stage.config());
    counter.wait_for(500, CATCH_UP_LIMIT);

    // A cloned machine: the same id and log, another state directory. Output in files of its own.
    let mut config = stage.config();
    config.state_dir = stage.scratch.join("state-of-the-clone");
    let mut second = crate::support::agent::Agent::spawn(&stage.scratch.directory("clone"), &config);
    wait_until(Duration::from_secs(60), "one of the two agents gives up", || {
        first.process().exited().is_some() || second.process().exited().is_some()
    });
    let first_gave_up = first.process().exited().is_some();
    let (mut gone, kept) = if first_gave_up { (first, second) } else { (second, first) };
    let status = gone.wait(Duration::from_secs(1));
    assert_eq!(status.code(), Some(EXIT_CONFIGURATION), "{}", gone.words());
    assert!(gone.words().contains(&stage.topic), "the id is not named:\n{}", gone.words());

    let truth = writer.finish();
    stage.finish(kept, &counter, lines_in(&truth), (&[], &[&truth]));
}

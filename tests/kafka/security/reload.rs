//! SIGHUP with another password and another encryption: a new producer takes the place of the one before.

use rustix::process::Signal;

use super::door::{Door, Doors};
use super::sasl::password;
use super::tls::shown;
use super::{CANARY, LINES, Visitor};
use crate::stage::CATCH_UP_LIMIT;
use crate::support::access_log::AccessLog;
use crate::support::agent::Agent;
use crate::support::topic::Counter;
use crate::support::wait::wait_until;
use crate::support::writer::write_lines;

/// Asks for a reload, and waits until the agent says these words once more.
fn reload(agent: &mut Agent, words: &str) {
    let said = |agent: &Agent| agent.words().matches(words).count();
    let before = said(agent);
    agent.process().signal(Signal::HUP);
    wait_until(CATCH_UP_LIMIT, words, || said(agent) > before);
}

#[test]
fn another_password_and_another_door_count_after_a_reload_and_cost_no_line() {
    let doors = Doors::shared();
    let name = "security-reload";
    doors.create_topic(name);
    let sasl = password(&doors, "SCRAM-SHA-512", "alice", CANARY);
    let visitor = Visitor::new(name, &doors.address(Door::Sasl), &[doors.trusted(), sasl]);
    let counter = Counter::start(&doors.address(Door::Plain), name, visitor.scratch.path());
    let mut source = AccessLog::new("w1", 5);
    let mut write = || write_lines(&visitor.config_log(), &mut source, LINES, &visitor.scratch.join("truth"));
    write();
    let mut agent = visitor.run();
    counter.wait_for(LINES, CATCH_UP_LIMIT);

    // The text of the configuration stays: only the password's file says something else.
    password(&doors, "SCRAM-SHA-512", "alice", "wrong");
    reload(&mut agent, "refuses the user or the password");
    write();
    password(&doors, "SCRAM-SHA-512", "alice", CANARY);
    reload(&mut agent, "the configuration was read again and counts");
    counter.wait_for(2 * LINES, CATCH_UP_LIMIT);

    let certificate = shown(&doors, "agent.pem", "agent.key", "");
    visitor.write_configuration(&doors.address(Door::Mutual), &certificate);
    reload(&mut agent, "the configuration was read again and counts");
    write();
    counter.wait_for(3 * LINES, CATCH_UP_LIMIT);
    assert!(!agent.words().contains(CANARY), "a secret is shown:\n{}", agent.words());
    agent.stop();
    assert_eq!(counter.count(), 3 * LINES, "each line is there once");
}

//! Whether the agent does its work, and if not, why. A backlog alone is no reason: working it off is the work.

use super::Observation;
use crate::io::terminal;
use crate::pipeline::facts::Standing;

/// What keeps the agent from its work; nothing where nothing does.
#[must_use]
pub fn reasons(observation: &Observation) -> Vec<String> {
    let Observation { agent, facts, .. } = observation;
    let mut reasons = Vec::new();
    if agent.is_stopping {
        reasons.push("it was asked to stop".to_owned());
    }
    if !agent.is_discovered {
        reasons.push("the directories of the logs were not looked at yet".to_owned());
    }
    match &facts.standing {
        Standing::Up => {}
        Standing::Connecting => reasons.push("the positions in Kafka are not known yet".to_owned()),
        Standing::Down(message) => reasons.push(format!("Kafka: {}", terminal::escape(message))),
    }
    if agent.state_in_trouble {
        reasons.push(format!("the local state in {} cannot be written", terminal::escape(&agent.state_dir)));
    }
    reasons
}

/// The reasons as a page: one a line, or `ready`.
#[must_use]
pub fn readiness(reasons: &[String]) -> String {
    if reasons.is_empty() { "ready\n".to_owned() } else { reasons.join("\n") + "\n" }
}

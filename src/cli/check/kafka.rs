//! Kafka: whether brokers answer, the topic is there, rights and transactions are given.

use super::answer::Answer;
use crate::cli::Exit;
use crate::cli::setup::Setup;
use crate::io::kafka::connection::Blame;
use crate::io::kafka::lookup::{self, Finding, Oldest, Outcome, Subject};

/// Asks the brokers.
pub fn check(setup: &Setup, oldest: Oldest) -> Vec<Answer> {
    let options = match setup.kafka() {
        Ok(options) => options,
        Err(error) => {
            let remedy = "without it no broker can be asked".to_owned();
            return vec![Answer::failure("password", "kafka", (error.to_string(), remedy), Exit::of(&error))];
        }
    };
    let brokers = options.brokers.join(", ");
    lookup::examine(&options, oldest).into_iter().map(|finding| answer(finding, &brokers)).collect()
}

fn answer(finding: Finding, brokers: &str) -> Answer {
    let check = match finding.subject {
        Subject::Brokers => "brokers",
        Subject::Topic => "topic",
        Subject::Rights => "rights",
        Subject::Transactions => "transactions",
        Subject::Retention => "retention",
        Subject::Positions => "positions",
    };
    let target = if finding.name.is_empty() { brokers } else { &finding.name };
    match finding.outcome {
        Outcome::Good(message) => Answer::ok(check, target, message),
        Outcome::Doubtful(message, remedy) => Answer::warning(check, target, (message, &remedy)),
        Outcome::Bad(problem) => {
            let exit = match problem.blame {
                Some(Blame::Time) => Exit::Temporary,
                Some(Blame::Rights) => Exit::Permission,
                Some(Blame::Configuration) => Exit::Configuration,
                None => Exit::Runtime,
            };
            Answer::failure(check, target, (problem.message, problem.remedy), exit)
        }
    }
}

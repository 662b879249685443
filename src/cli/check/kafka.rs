//! Kafka: whether brokers answer, the topic is there and transactions are allowed.

use super::answer::Answer;
use crate::cli::Exit;
use crate::cli::setup::Setup;
use crate::io::kafka::lookup::{self, Subject};
use crate::pipeline::action::Cause;

/// Asks the brokers.
///
/// # Errors
/// A password cannot be read.
pub fn check(setup: &Setup) -> anyhow::Result<Vec<Answer>> {
    let options = setup.kafka()?;
    let answers = lookup::examine(&options).into_iter().map(|finding| {
        let (check, target) = match finding.subject {
            Subject::Brokers => ("brokers", options.brokers.join(", ")),
            Subject::Topic => ("topic", options.topic.clone()),
            Subject::Transactions => ("transactions", options.transactional_id.clone()),
        };
        match finding.outcome {
            Ok(message) => Answer::ok(check, &target, message),
            Err(problem) => {
                let exit = match problem.cause {
                    Cause::Unreachable => Exit::Temporary,
                    Cause::TopicMissing | Cause::Refused => Exit::Configuration,
                    Cause::Fenced | Cause::TooLarge | Cause::Other => Exit::Runtime,
                };
                Answer::failure(check, &target, (problem.message, problem.remedy), exit)
            }
        }
    });
    Ok(answers.collect())
}

//! What is asked of the cluster beside records and positions: to create the topic, and how it is set up.

use std::path::Path;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::runtime::{Builder, Runtime};

use super::ffi::give_token;
use super::options::{CreateTopic, KafkaOptions};
use super::reader::bad_configuration;
use super::token::{Context, FILE_PROPERTY};
use crate::pipeline::action::{Cause, Class, Failure};

/// The controller waits this long for a new topic to be everywhere.
const CREATE_MAX: Duration = Duration::from_secs(10);
/// One question about settings.
const ASK_MAX: Duration = Duration::from_secs(5);

/// Creates the topic. Whatever is wrong with that, the fact that counts stays that the topic is missing: a person may
/// still create it, and too few brokers for the replicas may be a matter of time.
pub fn create_topic(options: &KafkaOptions, name: &str, wanted: CreateTopic) -> Result<(), Failure> {
    let fail = |reason: &dyn std::fmt::Display| Failure {
        class: Class::Retriable,
        cause: Cause::TopicMissing,
        message: format!(
            "topic {name} does not exist and cannot be created ({reason}): create it by hand, or correct kafka.create_topic"
        ),
    };
    let admin = open(options)?;
    let topic = NewTopic::new(name, wanted.partitions, TopicReplication::Fixed(wanted.replication_factor));
    let limits = AdminOptions::new().operation_timeout(Some(CREATE_MAX)).request_timeout(Some(CREATE_MAX));
    let runtime = runtime().map_err(|error| fail(&error))?;
    let answer = runtime.block_on(admin.create_topics([&topic], &limits)).map_err(|error| fail(&error))?;
    match answer.into_iter().next() {
        Some(Ok(_) | Err((_, Code::TopicAlreadyExists))) => Ok(()),
        Some(Err((_, code))) => Err(fail(&code)),
        None => Err(fail(&"the answer is empty")),
    }
}

/// Whose setting it is.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// A topic's.
    Topic(&'a str),
    /// A broker's, by its number.
    Broker(i32),
}

/// The value of a setting; `None` where it is not told, as to a client without the right DescribeConfigs.
pub fn setting(options: &KafkaOptions, owner: Owner<'_>, name: &str) -> Option<String> {
    let resource = match owner {
        Owner::Topic(topic) => ResourceSpecifier::Topic(topic),
        Owner::Broker(id) => ResourceSpecifier::Broker(id),
    };
    let admin = open(options).ok()?;
    let limits = AdminOptions::new().request_timeout(Some(ASK_MAX));
    let answer = runtime().ok()?.block_on(admin.describe_configs([&resource], &limits)).ok()?;
    let found = answer.into_iter().next()?.ok()?;
    found.get(name)?.value.clone()
}

/// A client of its own: this one's thread waits for answers alone and hears of no wish for a token, so it gets one first.
fn open(options: &KafkaOptions) -> Result<AdminClient<Context>, Failure> {
    let properties = options.admin_properties();
    let admin: AdminClient<Context> =
        properties.create_with_context(Context).map_err(|error| bad_configuration(&error))?;
    if let Some(file) = properties.get(FILE_PROPERTY) {
        give_token(admin.inner(), Path::new(file));
    }
    Ok(admin)
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().build()
}

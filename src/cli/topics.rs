//! The topics that a command reads back, from the command line or the configuration, each to its present end.

use std::path::PathBuf;

use super::{Context, Exit, Failure, Settings};
use crate::io::clock::Clock;
use crate::io::kafka::topic::{PartitionRange, ReadError, Record, TopicReader};
use crate::io::{table, terminal};
use crate::pipeline::action::Millis;

/// How often the progress line changes.
const PROGRESS_MS: u64 = 200;

/// What a command has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Brokers and topics, which the command line alone can tell.
    Cluster,
    /// The state directory too.
    StateDir,
}

/// What is to be read.
pub struct Topics {
    properties: Vec<(String, String)>,
    /// The option that named the brokers.
    pub brokers_from: &'static str,
    /// The topics, each once.
    pub names: Vec<String>,
    /// If it was needed.
    pub state_dir: Option<PathBuf>,
}

impl Topics {
    /// Takes what was typed, and what was not from the configuration.
    ///
    /// # Errors
    /// The configuration is needed and is missing or wrong.
    pub fn resolve(
        context: &Context,
        (brokers, topics): (&[String], &[String]),
        needs: Needs,
    ) -> anyhow::Result<Self> {
        let is_told = !brokers.is_empty() && !topics.is_empty();
        let settings = if is_told && needs == Needs::Cluster && !context.is_config_given() {
            None
        } else {
            Some(Settings::load(context.config())?)
        };
        let mut properties = settings.as_ref().map(Settings::properties).transpose()?.unwrap_or_default();
        if !brokers.is_empty() {
            properties.retain(|(name, _)| name != "bootstrap.servers");
            properties.push(("bootstrap.servers".to_owned(), brokers.join(",")));
        }
        let configured = settings.as_ref().map(|settings| settings.topics.clone()).unwrap_or_default();
        let mut names = if topics.is_empty() { configured } else { topics.to_vec() };
        // A topic that is named twice would look like one whose every line is doubled.
        names.sort_unstable();
        names.dedup();
        let state_dir = settings.filter(|_| needs == Needs::StateDir).map(|settings| settings.state_dir);
        let brokers_from = if brokers.is_empty() { "kafka.brokers" } else { "--brokers" };
        Ok(Self { properties, brokers_from, names, state_dir })
    }

    /// Reads a topic to the end it has now, with a line of progress where that may be shown.
    ///
    /// # Errors
    /// The broker does not answer or refuses.
    pub fn read(
        &self,
        context: &Context,
        topic: &str,
        visit: &mut dyn FnMut(Record<'_>),
    ) -> Result<TopicReader, ReadError> {
        let reader = TopicReader::open(&self.properties, topic)?;
        warn_of_open_transactions(context, topic, reader.partitions());
        let mut progress = Progress::new(context, topic, reader.partitions());
        let result = reader.read_to_end(&mut |record| {
            visit(record);
            progress.step();
        });
        progress.finish();
        result.map(|()| reader)
    }
}

/// Turns a reader's error into the command's; `brokers_from` is the option that named the brokers.
pub fn failure(error: &ReadError, brokers_from: &str) -> Failure {
    match error {
        ReadError::Unreachable { .. } => {
            Failure::new(Exit::Temporary, format!("{error} and that {brokers_from} names them"))
        }
        ReadError::TopicMissing(_) => Failure::new(Exit::Configuration, error.to_string()),
        ReadError::Refused { .. } => Failure::new(Exit::Permission, error.to_string()),
        ReadError::Other { .. } => Failure::new(Exit::Runtime, error.to_string()),
    }
}

fn warn_of_open_transactions(context: &Context, topic: &str, partitions: &[PartitionRange]) {
    let open: Vec<String> = partitions
        .iter()
        .filter(|range| range.high_watermark > range.end)
        .map(|range| format!("{} ({} offsets)", range.partition, range.high_watermark - range.end))
        .collect();
    if !open.is_empty() {
        let topic = terminal::escape(topic);
        context.say(&format!(
            "viewtail: {topic}: a transaction is open in partition {}; what follows its beginning is not read yet",
            open.join(", ")
        ));
    }
}

/// A line on stderr that overwrites itself.
struct Progress {
    is_shown: bool,
    topic: String,
    /// Offsets to go through: more than there are records, because transaction markers have offsets too.
    offsets: u64,
    records: u64,
    clock: Clock,
    shown_at: Millis,
}

impl Progress {
    fn new(context: &Context, topic: &str, partitions: &[PartitionRange]) -> Self {
        let offsets =
            partitions.iter().map(|range| u64::try_from(range.end - range.log_start).unwrap_or(0)).sum();
        let topic = terminal::escape(topic).into_owned();
        Self {
            is_shown: context.shows_progress(),
            topic,
            offsets,
            records: 0,
            clock: Clock::start(),
            shown_at: Millis(0),
        }
    }

    fn step(&mut self) {
        self.records += 1;
        // The clock is asked once in 1024 records: it must not cost more than the audit.
        if !self.is_shown || !self.records.is_multiple_of(1024) {
            return;
        }
        let now = self.clock.now();
        if now.since(self.shown_at) >= PROGRESS_MS {
            self.shown_at = now;
            let (records, offsets) = (table::number(self.records), table::number(self.offsets));
            eprint!("\r\x1b[Kreading {}: {records} of about {offsets} records", self.topic);
        }
    }

    fn finish(&self) {
        if self.is_shown {
            eprint!("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_broker_is_temporary() {
        let error = ReadError::Unreachable { brokers: "b:1".into(), reason: "refused".into() };
        assert_eq!(failure(&error, "kafka.brokers").exit(), Exit::Temporary);
        assert_eq!(
            failure(&ReadError::TopicMissing("t".into()), "kafka.brokers").exit(),
            Exit::Configuration
        );
    }
}

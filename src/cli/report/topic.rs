//! A report's events from the topic, read as `verify` reads it.

use super::Counted;
use crate::cli::arguments::ReportArguments;
use crate::cli::topics::{self, Needs, Topics};
use crate::cli::{Context, Exit, Failure};
use crate::io::{table, terminal};
use crate::report::{Records, Tally};

/// Counts every event of the topics once.
pub fn count(context: &Context, arguments: &ReportArguments) -> anyhow::Result<Counted> {
    let topics = Topics::resolve(context, (&arguments.brokers, &arguments.topic), Needs::Cluster)?;
    let (mut records, mut tally) = (Records::default(), Tally::default());
    for topic in &topics.names {
        topics
            .read(context, topic, &mut |record| records.feed(record.value, &mut tally))
            .map_err(|error| topics::failure(&error, topics.brokers_from))?;
    }
    let names: Vec<String> = topics.names.iter().map(|topic| format!("topic {topic}")).collect();
    if tally.events() == 0 {
        let text = format!("{}: it holds no event of viewtail; is it the right one?", names.join(", "));
        return Err(Failure::new(Exit::Runtime, text).into());
    }
    say_what_was_left_out(context, &records, &names.join(", "));
    Ok(Counted { tally, sources: names, missing: Vec::new(), reaches: records.reaches() })
}

fn say_what_was_left_out(context: &Context, records: &Records, names: &str) {
    let names = terminal::escape(names);
    if records.doubled > 0 {
        let events = table::count(records.doubled, "event");
        context.say(&format!("viewtail: {names}: {events} came more than once and counted once"));
    }
    if records.foreign > 0 {
        let foreign = table::count(records.foreign, "record");
        context.say(&format!("viewtail: {names}: {foreign} not counted, because no event of viewtail"));
    }
}

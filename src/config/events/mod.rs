//! What agent.yaml says about events: sections at the top for all logs, and in an entry of `logs:` for that log alone.
//!
//! A section of a log replaces the one at the top as a whole: what it leaves out has its default there, so that nobody
//! has to look in two places. Whatever is read here is compiled: who holds the rules need not check anything again.

mod client;
mod day;
mod page;
mod privacy;
mod variable;
mod views;
mod visitor;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::finding::{Finding, Severity};
use super::kafka::TopicName;
use super::node::quoted;
use super::place::Place;
use super::reader::{Reader, Section, nearest};
use super::secret::SecretFile;
use super::shape::Shape;
use super::survey::Presence;
use super::value::{Choice, Fault};
use crate::event::rules::{Emit, Rules};
use crate::format::Format;
use variable::Extra;

/// The sections about events, wherever they stand.
const SECTIONS: [&str; 8] =
    ["client_address", "visitor", "day", "page", "page_views", "privacy", "fields", "emit"];

/// All that counts for the events of a log.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// The rules; the visitors' secret is not among them yet.
    pub rules: Arc<Rules>,
    /// The file with the visitors' secret; `None`: the one in the state directory.
    pub secret_file: Option<SecretFile>,
    /// Variables that a section asks the log's format for.
    asked: BTreeMap<&'static str, Vec<Asked>>,
}

/// A variable, and where it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    place: Place,
    variable: String,
}

impl Choice for Emit {
    const WORDS: &'static [(&'static str, Self)] = &[("all", Self::All), ("page_views", Self::PageViews)];
}

/// Reads the sections at the top.
pub(super) fn read(root: &mut Section<'_>) -> Events {
    let mut events = Events::default();
    read_sections(root, &mut events, &SECTIONS);
    events
}

/// Reads the sections of a log; those that it does not have are `above`'s.
pub(super) fn read_of_log(section: &mut Section<'_>, above: &Events) -> Events {
    let mut events = above.clone();
    // Not one of its keys, so that no error proposes it.
    if section.entry("rejects_topic").is_some()
        && let Some(entry) = section.given("rejects_topic")
    {
        let fault = Fault::new("counts for all logs", "move it to the top of the file");
        section.fault(entry.key.place, "rejects_topic", &fault);
    }
    for key in SECTIONS {
        section.declare(key, || (Some(Shape::as_at_the_top(key)), Presence::AtTheTop));
    }
    let given: Vec<&str> = SECTIONS.into_iter().filter(|key| section.given(key).is_some()).collect();
    if !given.is_empty() {
        read_sections(section, &mut events, &given);
    }
    events
}

fn read_sections(section: &mut Section<'_>, events: &mut Events, keys: &[&str]) {
    let mut rules = Rules::clone(&events.rules);
    let asked = &mut events.asked;
    let is_read = |key| keys.contains(&key);
    if is_read("client_address") {
        let (client, variables) = client::read(section.section("client_address"));
        rules.client = client;
        asked.insert("client_address", variables);
    }
    if is_read("visitor") {
        let (visitor, secret_file, variables) = visitor::read(section.section("visitor"));
        rules.visitor = visitor;
        events.secret_file = secret_file;
        asked.insert("visitor", variables);
    }
    if is_read("day") {
        rules.day = day::read(section.section("day"));
    }
    if is_read("page") {
        rules.page = page::read(section.section("page"));
    }
    if is_read("page_views") {
        rules.views = views::read(section.section("page_views"));
    }
    if is_read("privacy") {
        rules.privacy = privacy::read(section.section("privacy"));
    }
    if is_read("fields") {
        rules.extra = section.list::<Extra>("fields").into_iter().map(|Extra(name)| name).collect();
        asked.insert("fields", variable::asked_in_list(section, "fields"));
    }
    if is_read("emit") {
        rules.emit = section.optional("emit", Emit::All);
    }
    events.rules = Arc::new(rules);
}

/// Reads where events of lines that could not be read go; `None`: where all go.
pub(super) fn read_rejects(root: &mut Section<'_>, topics: &[String]) -> Option<String> {
    let rejects = root.nullable::<TopicName>("rejects_topic").map(|TopicName(name)| name);
    let is_apart = rejects.as_ref().is_none_or(|rejects| !topics.contains(rejects));
    root.rule(&["rejects_topic", "kafka.topic"], is_apart, || {
        let rejects = quoted(rejects.as_deref().unwrap_or_default());
        Fault::new(
            format!("`rejects_topic` is {rejects}, a topic of events"),
            "name another topic, or remove it: unparsed lines are events with `exclude_reason: malformed`",
        )
    });
    rejects
}

/// Warns of variables that formats do not have: what is asked of them will be absent from every event.
pub(super) fn advise_variables(logs: &[(&str, &Format, &Events)], reader: &Reader) {
    let mut lacking: BTreeMap<&Asked, Vec<(&str, &Format)>> = BTreeMap::new();
    for (name, format, events) in logs {
        for asked in events.asked.values().flatten() {
            if format.slot(&asked.variable).is_none() {
                lacking.entry(asked).or_default().push((name, format));
            }
        }
    }
    for (asked, logs) in lacking {
        let [(log, format), others @ ..] = logs.as_slice() else { continue };
        let others = match others.len() {
            0 => String::new(),
            count => format!(" (and of {count} more)"),
        };
        let known: Vec<&str> = format.names().collect();
        let help = match nearest(&asked.variable, &known) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("add ${} to the log's format in the web server and here", asked.variable),
        };
        reader.report(Finding {
            severity: Severity::Warning,
            place: Some(asked.place),
            message: format!("the format of log {}{others} has no ${}", quoted(log), asked.variable),
            help,
        });
    }
}

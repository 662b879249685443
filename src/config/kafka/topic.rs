//! `kafka.topic`: one topic for all events, or a template that makes one for each site.
//!
//! A template knows the sites that the logs name and no others. So every topic is known before a line is read, and what
//! stands in a line chooses none.

use std::collections::{HashMap, HashSet};

use crate::config::defaults;
use crate::config::log::Log;
use crate::config::node::{Node, quoted};
use crate::config::reader::Reader;
use crate::config::shape::Shape;
use crate::config::value::{Fault, Value};

/// What stands for the site in a template.
const SITE: &str = "{site}";

const NAMED_SO: &str = "use a name that Kafka accepts, for example page-views";

/// Where events go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic(String);

impl Topic {
    /// The topic of a log's events: of the site that every log names where this is a template.
    #[must_use]
    pub fn of(&self, log: &Log) -> String {
        self.0.replace(SITE, log.site.as_deref().unwrap_or_default())
    }

    /// Every topic once, that of the first log first.
    #[must_use]
    pub fn of_all(&self, logs: &[Log]) -> Vec<String> {
        let mut known = HashSet::new();
        logs.iter().map(|log| self.of(log)).filter(|topic| known.insert(topic.clone())).collect()
    }

    fn is_template(&self) -> bool {
        self.0.contains(SITE)
    }
}

impl Value for Topic {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        let Some(start) = text.find(['{', '}']) else {
            return TopicName::read(node).map(|TopicName(name)| Self(name));
        };
        let around = text.replacen(SITE, "", 1);
        if around.contains(['{', '}']) {
            let end = text[start..].find('}').map_or(text.len(), |length| start + length + 1);
            let fault = format!("knows `{SITE}` alone, and once, found {}", quoted(&text));
            let help = "write views.{site} for a topic of each site that the logs name, or one fixed topic";
            return Err(Fault::new(fault, help).at(start..end));
        }
        if !around.chars().all(is_allowed) || around.len() >= defaults::TOPIC_BYTES_MAX {
            let fault = format!(
                "must be at most {} characters of a-z A-Z 0-9 . _ - around `{SITE}`, found {}",
                defaults::TOPIC_BYTES_MAX - 1,
                quoted(&text)
            );
            return Err(Fault::new(fault, NAMED_SO));
        }
        Ok(Self(text))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        let template =
            Shape::matching("a template such as views.{site}", "^[A-Za-z0-9._-]*\\{site\\}[A-Za-z0-9._-]*$");
        TopicName::shape().or(&template)
    }
}

/// The name of one topic.
pub(in crate::config) struct TopicName(pub(in crate::config) String);

impl Value for TopicName {
    fn read(node: &Node) -> Result<Self, Fault> {
        let name = String::read(node)?;
        if !is_name(&name) {
            let fault = format!(
                "must be at most {} characters of a-z A-Z 0-9 . _ -, found {}",
                defaults::TOPIC_BYTES_MAX,
                quoted(&name)
            );
            return Err(Fault::new(fault, NAMED_SO));
        }
        Ok(Self(name))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::matching(
            "a topic's name: letters, digits, dots, underscores and dashes",
            "^[A-Za-z0-9._-]{1,249}$",
        )
    }
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

fn is_name(name: &str) -> bool {
    name.len() <= defaults::TOPIC_BYTES_MAX && name.chars().all(is_allowed) && name != "." && name != ".."
}

/// What must hold between a template and the logs.
pub(in crate::config) fn judge(topic: &Topic, logs: &[Log], reader: &Reader) {
    if !topic.is_template() {
        return;
    }
    let Topic(template) = topic;
    let mut alike: HashMap<String, String> = HashMap::new();
    for (index, log) in logs.iter().enumerate() {
        let [site, paths] = ["site", "paths"].map(|key| format!("logs[{index}].{key}"));
        let places = [site.as_str(), paths.as_str(), "kafka.topic"];
        reader.rule(&places, log.site.is_some(), || {
            Fault::new(
                format!("log {} names no `site`, and `topic: {template}` makes a topic of it", quoted(&log.name)),
                "add `site:` to the log, or give all logs one fixed topic: what stands in a line chooses none",
            )
        });
        if log.site.is_none() {
            continue;
        }
        let name = topic.of(log);
        reader.rule(&places, is_name(&name), || {
            Fault::new(
                format!(
                    "`topic: {template}` makes {} of this site, which Kafka does not accept",
                    quoted(&name)
                ),
                format!(
                    "name the site with a-z A-Z 0-9 . _ - so that the topic has at most {} characters",
                    defaults::TOPIC_BYTES_MAX
                ),
            )
        });
        // Kafka's metrics write both as an underscore, so a broker has only one of two such topics.
        let other = alike.entry(name.replace('.', "_")).or_insert_with(|| name.clone());
        reader.rule(&places, *other == name, || {
            Fault::new(
                format!("the topics {} and {} are one to Kafka", quoted(other), quoted(&name)),
                "brokers do not tell `.` and `_` apart in names of topics: name one of the sites otherwise",
            )
        });
    }
    let count = topic.of_all(logs).len();
    reader.rule(&["kafka.topic"], count <= defaults::TOPICS_MAX, || {
        Fault::new(
            format!(
                "`topic: {template}` makes {count} topics of the logs, more than {}",
                defaults::TOPICS_MAX
            ),
            "write one fixed topic: every event carries its site",
        )
    });
}

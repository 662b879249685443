//! agent.yaml to [`Config`]: every option typed, with its unit in its name and its default filled in.
//!
//! What is wrong is reported all at once, each with file, line, column, a caret and the remedy. Whoever holds a
//! `Config` need not check anything again. The path of the text through the files here:
//! `source` (the text, secrets masked), `scan` (places and bounds), `node` (the tree), `environment` and `include` (what
//! stands elsewhere), `reader`, `value` and `number`
//! (typed options), one file for each section of agent.yaml, `finding` (messages). An option is added where its section is
//! read, with its default and the reason for it in `defaults` and its comment in agent.yaml.
//!
//! [`options`] is the table of all of them: path, what it accepts, default, meaning, reason, example. It is made of what
//! the readers ask for (`survey`) and of the shipped file's comments (`words`), and all that tells of options is made of it:
//! the JSON Schema ([`schema`]), `viewtail config explain`, the man page.
//!
//! Knows neither the network nor the logs: whether a path exists or a broker answers is for `check` to find out.

mod agent;
pub mod defaults;
mod environment;
mod events;
mod finding;
mod http;
mod include;
mod kafka;
mod log;
mod node;
mod number;
mod options;
mod path;
mod pattern;
mod place;
mod reader;
mod scalar;
mod scan;
mod schema;
mod secret;
mod shape;
mod show;
mod source;
mod survey;
mod syntax;
#[cfg(test)]
mod tests;
mod units;
mod value;
mod words;

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

pub use agent::{Agent, AgentId, DeletedSize};
pub use events::Events;
pub use finding::{ConfigErrors, Finding, Severity, Style, Warning};
pub use http::Http;
pub use kafka::{
    Acks, Broker, Buffer, Compression, CreateTopic, Credentials, Delivery, Flush, Kafka, PartitionBy,
    Properties, Sasl, SaslMechanism, Timestamp, Tls, TlsIdentity, Topic,
};
pub use log::{CatchUp, Log, OnReadError, OnRewrite, Start};
pub use options::{ConfigOption, find_option, options};
pub use pattern::{DirectoryPattern, Exclude, PathPattern};
pub use place::Place;
pub use schema::schema;
pub use secret::{NoCredentials, Password, PasswordError, Secret, SecretFile};
pub use show::Effective;
pub use source::ConfigSource;
pub use units::Measure;

use environment::Lookup;
use node::{Kind, Node};
use reader::{Reader, Section, Setting};
use scan::Stop;
use survey::Declared;

/// A hundred thousand paths fit; what is larger is no configuration but a log given by mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Everything that agent.yaml says, and every default that it does not.
#[derive(Clone, Debug)]
pub struct Config {
    /// The agent itself.
    pub agent: Agent,
    /// What is read; at least one.
    pub logs: Vec<Log>,
    /// Where it goes.
    pub kafka: Kafka,
    /// Where events of lines that could not be read go; `None`: where all go.
    pub rejects_topic: Option<String>,
    /// Where the agent is looked at.
    pub http: Http,
    source: Arc<ConfigSource>,
    settings: Vec<Setting>,
}

impl Config {
    /// Every topic that events of lines that could be read go to, each once; the first is the anchor of the positions.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        self.kafka.topic.of_all(&self.logs)
    }

    /// The text that this was read from, for errors that are found later.
    #[must_use]
    pub fn source(&self) -> &Arc<ConfigSource> {
        &self.source
    }
}

/// Reads a configuration from a file.
///
/// # Errors
/// All mistakes in the file, or why it cannot be read.
pub fn load(path: &Path) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    let name = path.display().to_string();
    let (bytes, mode) = read_file(path).map_err(|error| unreadable(&name, &error))?;
    let (config, mut warnings) = parse_bytes(&bytes, &name)?;
    warnings.extend(exposed_password(&config, mode));
    Ok((config, warnings))
}

/// Reads a configuration from a text; `name` stands for it in messages.
///
/// # Errors
/// All mistakes in the text.
pub fn parse(text: &str, name: &str) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    parse_bytes(text.as_bytes(), name)
}

/// The effective configuration as YAML: every option with the origin of its value, secrets masked.
#[must_use]
pub fn show(config: &Config) -> String {
    show::show(&config.settings, &config.source)
}

/// The effective configuration, option by option, secrets masked.
#[must_use]
pub fn effective(config: &Config) -> Vec<Effective> {
    show::effective(&config.settings, &config.source)
}

fn read_file(path: &Path) -> std::io::Result<(Vec<u8>, u32)> {
    let file = std::fs::File::open(path)?;
    let mode = file.metadata()?.mode();
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok((bytes, mode))
}

fn unreadable(name: &str, error: &std::io::Error) -> ConfigErrors {
    let source = ConfigSource::new(name, "").shared();
    let fact = format!("cannot read the configuration: {error}");
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        let help = "make the file readable by the user that runs viewtail, or become that user";
        return ConfigErrors::new(source, vec![Finding::of_file(fact, help)]).of_permission();
    }
    let help = "name another file with -c, or copy the agent.yaml that is shipped with viewtail";
    ConfigErrors::new(source, vec![Finding::of_file(fact, help)])
}

fn parse_bytes(bytes: &[u8], name: &str) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    let whole = |message: String, help: &str| {
        Err(ConfigErrors::new(ConfigSource::new(name, "").shared(), vec![Finding::of_file(message, help)]))
    };
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let limit = Measure::Size.show(FILE_BYTES_MAX);
        return whole(format!("the file is larger than {limit}"), "name a configuration with -c, not a log");
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            return whole(format!("line {line} is not UTF-8"), "save the file as UTF-8");
        }
    };
    let directory = Path::new(name).parent().unwrap_or(Path::new(""));
    read(ConfigSource::new(name, text), directory, &|name| std::env::var(name).ok())
}

/// Reads a text, and the files of `directory` that it includes, with these environment variables.
fn read(
    mut source: ConfigSource,
    directory: &Path,
    lookup: Lookup<'_>,
) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    let help = "copy the agent.yaml that is shipped with viewtail";
    let planted = plant(&mut source)
        .and_then(|tree| tree.ok_or_else(|| Finding::of_file("the file is empty".to_owned(), help)));
    let mut tree = match planted {
        Ok(tree) => tree,
        Err(finding) => return Err(ConfigErrors::new(source.shared(), vec![finding])),
    };
    let mut expanded = environment::expand(&mut tree, &source, lookup);
    let include::Included { logs, findings: of_files, is_forbidden } =
        include::gather(&tree, &mut source, directory);
    let mut included = Node { place: Place::default(), kind: Kind::List(logs) };
    expanded.add(environment::expand(&mut included, &source, lookup));
    include::join(&mut tree, included);
    let source = source.shared();
    let Reading { values, findings, mut settings } = interpret(&tree, &source);
    for setting in &mut settings {
        let names = setting.place.and_then(|place| expanded.names.get(&place));
        setting.variables = names.cloned().unwrap_or_default();
    }
    let findings = findings.into_iter().filter(|finding| !expanded.knows(finding));
    let (mut errors, warnings): (Vec<_>, Vec<_>) =
        findings.partition(|finding| finding.severity == Severity::Error);
    errors.extend(of_files);
    errors.extend(std::mem::take(&mut expanded.findings));
    if !errors.is_empty() {
        let is_forbidden = is_forbidden && errors.len() == 1;
        let errors = ConfigErrors::new(source, errors);
        return Err(if is_forbidden { errors.of_permission() } else { errors });
    }
    let warnings = warnings.into_iter().map(|finding| Warning::new(source.clone(), finding)).collect();
    let Values { agent, logs, kafka, rejects_topic, http } = values;
    Ok((Config { agent, logs, kafka, rejects_topic, http, source, settings }, warnings))
}

/// From the text of one file to its tree, `None` where it says nothing; secrets are masked on the way, before anything
/// is shown.
fn plant(source: &mut ConfigSource) -> Result<Option<Node>, Finding> {
    let scan = scan::scan(source);
    source.mask(&scan.secrets);
    match scan.stopped {
        None if scan.places.is_empty() => Ok(None),
        None => node::parse(source, &scan.places).map(Some),
        Some(stop) => {
            source.mask_lines();
            Err(match stop {
                Stop::Refused(finding) => finding,
                Stop::Syntax(place, reason) => node::explain(source, place, &reason),
            })
        }
    }
}

/// All that a tree says. The values count only if there is no error among the findings.
struct Reading {
    values: Values,
    findings: Vec<Finding>,
    settings: Vec<Setting>,
}

/// The values of the options.
struct Values {
    agent: Agent,
    logs: Vec<Log>,
    kafka: Kafka,
    rejects_topic: Option<String>,
    http: Http,
}

fn interpret(tree: &Node, source: &ConfigSource) -> Reading {
    let reader = Reader::default();
    let values = read_root(reader.root(tree), &reader, source);
    let (findings, mut settings) = reader.finish(source);
    // What has to be right before the first start comes first.
    settings.sort_by_key(|setting| !setting.path.begins_with(&["agent", "logs", "kafka"]));
    Reading { values, findings, settings }
}

/// Every option that is read, whatever a file says.
fn survey_all() -> Vec<Declared> {
    let reader = Reader::surveying();
    let nothing = ConfigSource::new("", "");
    // No file says anything, so the values are of no use.
    let _ = read_root(reader.no_root(), &reader, &nothing);
    reader.declared()
}

fn read_root(mut root: Section<'_>, reader: &Reader, source: &ConfigSource) -> Values {
    // What they hold is among the logs already.
    let _: Vec<include::Include> = root.list(include::KEY);
    let agent = agent::read(root.section("agent"));
    let logs = root.sections("logs", "[{paths: [/var/log/nginx/access.log]}]");
    let events = events::read(&mut root);
    let logs = log::read_all(logs, &log::Shared { reader, source, events: &events });
    let kafka = root.required_section("kafka", "{brokers: [localhost:9092], topic: page-views}");
    let kafka = kafka::read(kafka, reader);
    kafka::judge_topics(&kafka.topic, &logs, reader);
    let rejects_topic = events::read_rejects(&mut root, &kafka.topic.of_all(&logs));
    let http = http::read(&mut root, reader);
    root.finish();
    Values { agent, logs, kafka, rejects_topic, http }
}

/// A password that stands in a file that everybody on the host can read.
fn exposed_password(config: &Config, mode: u32) -> Option<Warning> {
    const READABLE_BY_OTHERS: u32 = 0o004;
    let inline = |sasl: &Sasl| match &sasl.credentials {
        Credentials::Password { password, .. } => matches!(password, Password::Inline(_)),
        Credentials::Token(_) => false,
    };
    if mode & READABLE_BY_OTHERS == 0 || !config.kafka.sasl.as_ref().is_some_and(inline) {
        return None;
    }
    let password = config.settings.iter().find(|setting| setting.path.to_string() == "kafka.sasl.password");
    if password.is_some_and(|setting| !setting.variables.is_empty()) {
        return None;
    }
    let finding = Finding {
        severity: Severity::Warning,
        place: password.and_then(|setting| setting.place),
        message: "everybody on this host can read the password in this file".to_owned(),
        help:
            "use `password_file` with a file of mode 0400, or take the right to read from others: chmod o-r"
                .to_owned(),
    };
    Some(Warning::new(config.source.clone(), finding))
}

//! `${NAME}` and `${NAME:-otherwise}`: environment variables within values, after the text has become a tree.
//!
//! So a variable is a value and never YAML: whatever it holds, it adds no key and closes no quote. Names are in capitals,
//! which is how they are told from nginx's own `${remote_addr}`: variables of log formats are in small letters, always.
//! `$${` stands for `${`. An unquoted value is read as if the variable's text stood there, a number too; a quoted one is text.

use std::collections::HashMap;
use std::ops::Range;

use super::finding::Finding;
use super::node::{Entry, Kind, Node};
use super::place::Place;
use super::secret::is_secret_key;
use super::source::ConfigSource;

/// Keys below which `${...}` in small letters belongs to a log format or a pattern.
const KEYS_WITH_OWN_VARIABLES: [&str; 5] = ["format", "fields", "header", "cookie", "match"];

/// As much as a configuration may have: a variable may be large, and be named often.
const EXPANDED_BYTES_MAX: usize = 1 << 20;

/// Gives a variable's text; `None` if it is not set.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What became of the variables of a tree.
#[derive(Default)]
pub(super) struct Expanded {
    pub findings: Vec<Finding>,
    /// The variables in the value of a key, by the place of the key.
    pub names: HashMap<Place, Vec<String>>,
    /// The values that could not be made.
    broken: Vec<Place>,
}

impl Expanded {
    /// Takes in what became of another tree.
    pub(super) fn add(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.names.extend(other.names);
        self.broken.extend(other.broken);
    }

    /// Whether a finding is about a value that could not be made: what is wrong with it was said.
    pub(super) fn knows(&self, finding: &Finding) -> bool {
        finding.place.is_some_and(|place| self.broken.contains(&place))
    }
}

/// Puts the variables' texts into a tree.
pub(super) fn expand(tree: &mut Node, source: &ConfigSource, lookup: Lookup<'_>) -> Expanded {
    let mut expansion = Expansion { source, lookup, bytes: 0, done: Expanded::default() };
    expansion.node(tree, Within::default());
    expansion.done
}

/// What is known of the place of a value.
#[derive(Clone, Copy, Default)]
struct Within {
    /// The key whose value it is, or is in.
    key: Option<Place>,
    has_own_variables: bool,
    is_secret: bool,
}

struct Expansion<'a> {
    source: &'a ConfigSource,
    lookup: Lookup<'a>,
    bytes: usize,
    done: Expanded,
}

/// Why a reference is none, and what of the text is blamed.
struct Mistake {
    blamed: Range<usize>,
    message: String,
    help: &'static str,
}

impl Expansion<'_> {
    fn node(&mut self, node: &mut Node, within: Within) {
        match &mut node.kind {
            Kind::Text(text) if text.contains("${") => match self.text(text, within) {
                Ok(expanded) => {
                    node.kind =
                        if self.is_plain(node.place) { resolved(expanded) } else { Kind::Text(expanded) };
                }
                Err(mistake) => {
                    let place = self.source.place_within(node.place, mistake.blamed);
                    self.done.broken.push(node.place);
                    self.done.findings.push(Finding::error(place, &mistake.message, mistake.help));
                }
            },
            Kind::List(nodes) => nodes.iter_mut().for_each(|node| self.node(node, within)),
            Kind::Map(entries) => entries.iter_mut().for_each(|entry| self.entry(entry, within)),
            Kind::Null | Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) => {}
        }
    }

    fn entry(&mut self, Entry { key, value }: &mut Entry, within: Within) {
        let name = match &key.kind {
            Kind::Text(name) => name.as_str(),
            Kind::Null | Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => {
                ""
            }
        };
        let within = Within {
            key: Some(key.place),
            has_own_variables: within.has_own_variables || KEYS_WITH_OWN_VARIABLES.contains(&name),
            is_secret: within.is_secret || is_secret_key(name),
        };
        self.node(value, within);
    }

    fn is_plain(&self, scalar: Place) -> bool {
        !self.source.written(scalar).starts_with(['\'', '"', '|', '>'])
    }

    fn text(&mut self, text: &str, within: Within) -> Result<String, Mistake> {
        let mut expanded = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(found) = text[at..].find("${").map(|found| at + found) {
            expanded += &text[at..found];
            if text[..found].ends_with('$') && found > at {
                // `$${`: one of the dollars is there already.
                expanded.push('{');
                at = found + 2;
            } else if begins_name(&text[found + 2..]) {
                let reference = Reference::of(text, found)?;
                expanded += &self.value(&reference, within)?;
                at = reference.whole.end;
            } else if within.has_own_variables {
                expanded += "${";
                at = found + 2;
            } else {
                let end = text[found..].find('}').map_or(text.len(), |end| found + end + 1);
                let shown = if within.is_secret { "${...}" } else { &text[found..end] };
                return Err(Mistake {
                    blamed: found..end,
                    message: format!(
                        "`{shown}` is no environment variable: their names are in capitals here"
                    ),
                    help: "write ${NAME} or ${NAME:-otherwise}; for the characters themselves write $${",
                });
            }
        }
        expanded += &text[at..];
        Ok(expanded)
    }

    fn value(&mut self, reference: &Reference<'_>, within: Within) -> Result<String, Mistake> {
        let blamed = reference.whole.clone();
        let set =
            (self.lookup)(reference.name).filter(|value| reference.otherwise.is_none() || !value.is_empty());
        let Some(value) = set.or_else(|| reference.otherwise.map(str::to_owned)) else {
            let help = if within.has_own_variables {
                "variables of log formats are in small letters: ${remote_addr}; for an environment variable write ${NAME:-otherwise}, or set it"
            } else {
                "set it for the service (Environment= or EnvironmentFile= of the unit), or write ${NAME:-otherwise}"
            };
            let message = format!("the environment variable {} is not set", reference.name);
            return Err(Mistake { blamed, message, help });
        };
        self.bytes += value.len();
        if self.bytes > EXPANDED_BYTES_MAX {
            let message = "the environment variables up to here are larger together than 1MiB".to_owned();
            return Err(Mistake {
                blamed,
                message,
                help: "name a file instead, where there is an option for one",
            });
        }
        if let Some(key) = within.key {
            let names = self.done.names.entry(key).or_default();
            if !names.iter().any(|name| name == reference.name) {
                names.push(reference.name.to_owned());
            }
        }
        Ok(value)
    }
}

/// `${NAME}` or `${NAME:-otherwise}`.
struct Reference<'a> {
    whole: Range<usize>,
    name: &'a str,
    otherwise: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// The reference that begins at this byte.
    fn of(text: &'a str, start: usize) -> Result<Self, Mistake> {
        let name_start = start + 2;
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let name_end = text[name_start..].find(|c| !is_name(c)).map_or(text.len(), |end| name_start + end);
        let name = &text[name_start..name_end];
        let rest = &text[name_end..];
        let (otherwise, length) = match (rest.strip_prefix(":-").and_then(|rest| rest.split_once('}')), rest)
        {
            (Some((otherwise, _)), _) if !otherwise.contains("${") => (Some(otherwise), otherwise.len() + 3),
            (None, rest) if rest.starts_with('}') => (None, 1),
            _ => {
                let end = rest.find('}').map_or(text.len(), |end| name_end + end + 1);
                return Err(Mistake {
                    blamed: start..end,
                    message: format!("`${{{name}` is not continued as a variable"),
                    help: "the two forms are ${NAME} and ${NAME:-otherwise}; for the characters themselves write $${",
                });
            }
        };
        Ok(Self { whole: start..name_end + length, name, otherwise })
    }
}

fn begins_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
}

/// What an unquoted text is in YAML 1.2.
fn resolved(text: String) -> Kind {
    match text.as_str() {
        "" | "~" | "null" => Kind::Null,
        "true" => Kind::Bool(true),
        "false" => Kind::Bool(false),
        _ => match text.parse() {
            Ok(number) if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => Kind::Integer(number),
            Ok(_) | Err(_) => Kind::Text(text),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    /// The configuration with these values of `site`, `format` and `commit_interval`.
    fn read(lines: &str) -> Result<Config, String> {
        let text = format!("kafka: {{brokers: [a], topic: t}}\nlogs:\n- paths: [/a.log]\n{lines}");
        let lookup = |name: &str| match name {
            "SITE" => Some("blog.example.net".to_owned()),
            "HOSTILE" => Some("x\nkafka: {topic: stolen}".to_owned()),
            "NUMBER" => Some("4096".to_owned()),
            "EMPTY" => Some(String::new()),
            "LARGE" => Some("x".repeat(1 << 19)),
            _ => None,
        };
        let source = ConfigSource::new("agent.yaml", &text);
        super::super::read(source, Path::new(""), &lookup)
            .map(|(config, _)| config)
            .map_err(|e| e.to_string())
    }

    fn site(value: &str) -> Result<Option<String>, String> {
        read(&format!("  site: {value}\n")).map(|config| config.logs[0].site.clone())
    }

    #[test]
    fn a_variable_stands_for_its_text() {
        let is = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(site("${SITE}"), is("blog.example.net"));
        assert_eq!(site("'www.${SITE}'"), is("www.blog.example.net"));
        assert_eq!(site("${UNSET:-other}"), is("other"));
        assert_eq!(site("${EMPTY:-other}"), is("other"));
        assert_eq!(site("${SITE:-other}"), is("blog.example.net"));
        assert_eq!(site("a$${SITE}"), is("a${SITE}"));
        assert_eq!(site("${EMPTY}"), Ok(None));
        assert_eq!(site("\"${NUMBER}\""), is("4096"));
    }

    #[test]
    fn an_unquoted_value_is_read_as_if_it_stood_there() {
        let lines = "  max_line_size: ${NUMBER}B\n  follow_symlinks: ${UNSET:-true}\n";
        let log = read(lines).unwrap().logs.remove(0);
        assert_eq!((log.max_line_bytes, log.follow_symlinks), (4096, true));
        assert!(site("${NUMBER}").unwrap_err().contains("put it in quotes"));
    }

    #[test]
    fn a_variable_is_never_yaml() {
        assert!(site("${HOSTILE}").unwrap_err().contains("control character"));
    }

    #[test]
    fn variables_of_log_formats_are_left_alone() {
        let format = "'${remote_addr} - ${remote_user} [$time_local] \"$request\" $status $body_bytes_sent'";
        assert!(read(&format!("  format: {format}\n")).is_ok());
        let both = format.replace("$status", "$status${NUMBER} $${literal}");
        assert!(read(&format!("  format: {both}\n")).is_ok());
        let wrong = read("  format: '${REMOTE_ADDR} \"$request\"'\n").unwrap_err();
        assert!(wrong.contains("small letters: ${remote_addr}"), "{wrong}");
    }

    #[test]
    fn what_is_no_reference_is_refused_with_its_place() {
        for (value, place, part) in [
            ("${UNSET}", "4:9", "UNSET is not set"),
            ("'a${UNSET}'", "4:11", "UNSET is not set"),
            ("'${SITE'", "4:10", "two forms"),
            ("'${SITE:?x}'", "4:10", "two forms"),
            ("'${SITE:-${NUMBER}}'", "4:10", "two forms"),
            ("'${host}'", "4:10", "in capitals"),
            ("${LARGE}${LARGE}${LARGE}", "4:25", "larger together"),
        ] {
            let error = site(value).unwrap_err();
            assert!(
                error.contains(&format!("agent.yaml:{place}")) && error.contains(part),
                "{value}: {error}"
            );
        }
    }

    #[test]
    fn where_a_value_came_from_is_shown() {
        let shown = show(&read("  site: ${SITE}\n").unwrap());
        assert!(shown.contains("agent.yaml:4, environment SITE"), "{shown}");
    }
}

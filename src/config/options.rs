//! The table of all options: what each accepts, its default and the reason for it, what it means, how it is written.
//!
//! Nothing here is written by hand. Which options there are, what they accept and what they default to is asked of the
//! readers (`survey`), what they mean is said by the shipped agent.yaml (`words`), why a default is one by `defaults`. The
//! JSON Schema, `config explain` and the man page are made of this table; a test holds that no cell of it is empty.

use serde::Serialize;

use super::defaults::REASONS;
use super::reader::nearest;
use super::survey::{Declared, Presence};
use super::words::{self, Words};

/// The default of a log's own section, in words: it is no value.
const AT_THE_TOP: &str = "as at the top";

/// An option of agent.yaml.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigOption {
    /// Its name from the top: `kafka.flush.bytes`. `[]` stands for any item of a list: `logs[].paths`.
    pub path: String,
    /// What it accepts: `a size from 1kB to 1GiB`. Nothing for a mapping that only holds the options below it.
    pub accepts: Option<String>,
    /// What it is where it is not given, in YAML; `None` where it has to be given.
    pub default: Option<String>,
    /// What it means: whole sentences, wrapped lines joined; lines that begin with two spaces are examples.
    pub meaning: String,
    /// Why the default is what it is.
    pub why: Option<String>,
    /// Lines of agent.yaml that set it, from the top.
    pub example: String,
}

impl ConfigOption {
    /// Whether it is a mapping that only holds other options.
    #[must_use]
    pub fn is_section(&self) -> bool {
        self.accepts.is_none()
    }
}

/// Every option in the order in which agent.yaml shows them.
#[must_use]
pub fn options() -> Vec<ConfigOption> {
    let words = words::of_shipped_file();
    let declared = super::survey_all();
    let table = Table { declared: &declared, words: &words };
    let mut options: Vec<ConfigOption> = declared.iter().map(|declared| table.option(declared)).collect();
    // An option that the file offers only as a part of another one stands behind that one.
    let order = |path: &str| {
        let is_of = |words: &Words| path == words.path || path.starts_with(&format!("{}.", words.path));
        words.iter().rposition(is_of).unwrap_or(words.len())
    };
    options.sort_by_cached_key(|option| order(&option.path));
    options
}

/// The option that a person means: by its whole name, with or without the numbers and brackets of lists, or by its last
/// part where only one option ends in it.
///
/// # Errors
/// What was most likely meant, as a sentence.
pub fn find_option<'a>(options: &'a [ConfigOption], key: &str) -> Result<&'a ConfigOption, String> {
    let plain = |path: &str| {
        let steps = path.split('.').map(|step| step.split('[').next().unwrap_or_default());
        steps.collect::<Vec<_>>().join(".")
    };
    let wanted = plain(key);
    if let Some(option) = options.iter().find(|option| plain(&option.path) == wanted) {
        return Ok(option);
    }
    let ending = format!(".{wanted}");
    let ends_so: Vec<&ConfigOption> =
        options.iter().filter(|option| plain(&option.path).ends_with(&ending)).collect();
    if let [option] = ends_so.as_slice() {
        return Ok(option);
    }
    let paths: Vec<&str> = options.iter().map(|option| option.path.as_str()).collect();
    let last_steps: Vec<&str> = paths.iter().map(|path| path.rsplit('.').next().unwrap_or(path)).collect();
    let likely: Vec<&str> = if ends_so.is_empty() {
        let by_last_step = nearest(&wanted, &last_steps)
            .into_iter()
            .flat_map(|step| paths.iter().copied().filter(move |path| path.rsplit('.').next() == Some(step)));
        let mut likely: Vec<&str> = nearest(&wanted, &paths).into_iter().chain(by_last_step).collect();
        likely.sort_unstable();
        likely.dedup();
        likely
    } else {
        ends_so.iter().map(|option| option.path.as_str()).collect()
    };
    Err(if likely.is_empty() {
        "`viewtail config explain` names them all".to_owned()
    } else {
        format!("did you mean {}?", likely.join(" or "))
    })
}

/// What the table is made of.
struct Table<'a> {
    declared: &'a [Declared],
    words: &'a [Words],
}

impl Table<'_> {
    fn option(&self, declared: &Declared) -> ConfigOption {
        let path = &declared.path;
        let (default, fallback) = match &declared.presence {
            Presence::Required(example) | Presence::Alternative(example) => (None, *example),
            Presence::Default(default) => (Some(default.clone()), default.as_str()),
            Presence::AtTheTop => (Some(AT_THE_TOP.to_owned()), "{}"),
        };
        ConfigOption {
            path: path.clone(),
            accepts: declared.shape.as_ref().map(|shape| shape.words.clone()),
            default,
            meaning: nearest_words(path, self.words).map(|words| joined(&words.comment)).unwrap_or_default(),
            why: reason(path),
            example: self.example(path, fallback),
        }
    }

    /// The option and the headings above it, as in the shipped file, with the neighbour that it cannot be without.
    fn example(&self, path: &str, fallback: &str) -> String {
        // A mapping's own line has no value: what it holds stands below it.
        let of_top = path.strip_prefix("logs[].");
        let is_shown = |words: &&Words| !words.example.ends_with(':');
        let of = |path: &str| self.words.iter().find(|words| words.path == path).filter(is_shown);
        let shown = of(path).or_else(|| of_top.and_then(of));
        let steps: Vec<&str> = path.split('.').collect();
        let (key, above) = steps.split_last().expect("a path has a step");
        let mut text = String::new();
        let mut indentation = String::new();
        for step in above {
            text += &format!("{indentation}{}:\n", step.trim_end_matches("[]"));
            indentation = indentation.replace('-', " ") + if step.ends_with("[]") { "  - " } else { "  " };
        }
        for (neighbour, example) in self.needed_beside(path) {
            text += &format!("{indentation}{neighbour}: {example}\n");
            indentation = indentation.replace('-', " ");
        }
        let shown = shown.map_or_else(|| format!("{key}: {fallback}"), |words| words.example.clone());
        text + &indentation + &shown
    }

    /// What has to stand beside an option in a mapping that may be left out, with values to copy: what such a mapping
    /// requires, and of alternatives the first, unless the option is one itself.
    fn needed_beside(&self, path: &str) -> Vec<(&str, &str)> {
        let presence =
            |path: &str| self.declared.iter().find(|one| one.path == path).map(|one| &one.presence);
        let Some((parent, _)) = path.rsplit_once('.') else { return Vec::new() };
        if !matches!(presence(parent.trim_end_matches("[]")), Some(Presence::Default(_))) {
            return Vec::new();
        }
        let mut wants_alternative = !matches!(presence(path), Some(Presence::Alternative(_)));
        let neighbours = self.declared.iter().filter(|one| one.path != path);
        let needed = neighbours.filter_map(|one| {
            let (_, key) = one.path.rsplit_once('.').filter(|(other, _)| *other == parent)?;
            match one.presence {
                Presence::Required(example) => Some((key, example)),
                Presence::Alternative(example) => {
                    std::mem::take(&mut wants_alternative).then_some((key, example))
                }
                Presence::Default(_) | Presence::AtTheTop => None,
            }
        });
        needed.collect()
    }
}

/// The words about an option, or about the nearest one that it is a part of.
fn nearest_words<'a>(path: &str, words: &'a [Words]) -> Option<&'a Words> {
    let found = words.iter().find(|words| words.path == path && !words.comment.is_empty());
    // A section of a log is the one at the top, for that log.
    let at_the_top = || words.iter().find(|words| path.strip_prefix("logs[].") == Some(words.path.as_str()));
    found.or_else(at_the_top).or_else(|| {
        let parent = path.rsplit_once('.').map(|(parent, _)| parent.trim_end_matches("[]"))?;
        nearest_words(parent, words)
    })
}

fn reason(path: &str) -> Option<String> {
    let reason = REASONS.iter().find(|reason| reason.option == path)?;
    let words: Vec<&str> = reason.why.split_whitespace().collect();
    Some(words.join(" "))
}

/// Sentences joined, examples on lines of their own.
fn joined(comment: &[String]) -> String {
    let mut text = String::new();
    let mut was_example = false;
    for line in comment {
        let is_example = line.starts_with("  ");
        let separator = if is_example || was_example { "\n" } else { " " };
        if !text.is_empty() {
            text += separator;
        }
        text += line;
        was_example = is_example;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_of_the_table_is_empty() {
        let options = options();
        assert!(options.len() > 70, "{}", options.len());
        let lacking: Vec<&str> =
            options.iter().filter(|option| option.meaning.is_empty()).map(|o| &*o.path).collect();
        assert!(lacking.is_empty(), "agent.yaml says nothing of {lacking:?}");
        // A mapping's default is that of what it holds, and a log's section is the one at the top.
        let has_default = |option: &&ConfigOption| option.default.is_some() && !option.is_section();
        let is_own = |option: &&ConfigOption| option.default.as_deref() != Some(AT_THE_TOP);
        let without = options.iter().filter(has_default).filter(is_own).filter(|option| option.why.is_none());
        let without: Vec<&str> = without.map(|option| &*option.path).collect();
        assert!(without.is_empty(), "defaults.rs gives no reason for {without:?}");
    }

    #[test]
    fn every_word_is_about_an_option() {
        let options = options();
        let is_known = |path: &str| options.iter().any(|option| option.path == path);
        let of_open_maps = |path: &str| path.starts_with("kafka.properties.");
        let words = words::of_shipped_file().into_iter().filter(|words| !of_open_maps(&words.path));
        let strange: Vec<String> = words.map(|words| words.path).filter(|path| !is_known(path)).collect();
        assert!(strange.is_empty(), "agent.yaml shows {strange:?}, which nobody reads");
        let reasons = REASONS.iter().map(|reason| reason.option);
        let strange: Vec<&str> = reasons.filter(|path| !is_known(path)).collect();
        assert!(strange.is_empty(), "defaults.rs gives reasons for {strange:?}, which nobody reads");
    }

    #[test]
    fn options_are_found_by_what_people_type() {
        let options = options();
        let found = |key: &str| find_option(&options, key).map(|option| option.path.as_str());
        assert_eq!(found("kafka.flush.bytes"), Ok("kafka.flush.bytes"));
        assert_eq!(found("logs.paths"), Ok("logs[].paths"));
        assert_eq!(found("logs[3].paths"), Ok("logs[].paths"));
        assert_eq!(found("commit_interval"), Ok("kafka.commit_interval"));
        assert_eq!(found("flush"), Ok("kafka.flush"));
        assert_eq!(found("bytes"), Err("did you mean kafka.flush.bytes or kafka.buffer.bytes?".to_owned()));
        assert_eq!(found("kafka.comit_interval"), Err("did you mean kafka.commit_interval?".to_owned()));
        assert_eq!(found("comit_interval"), Err("did you mean kafka.commit_interval?".to_owned()));
        assert!(found("xyzzyxyzzy").unwrap_err().contains("config explain"));
    }

    #[test]
    fn every_example_can_be_read() {
        for option in options() {
            let read: Result<serde_yaml::Value, _> = serde_yaml::from_str(&option.example);
            assert!(read.is_ok(), "{}:\n{}", option.path, option.example);
        }
    }
}

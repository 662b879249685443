//! `viewtail config ...`: the configuration as it counts, what an option means, and the schema for editors.

use std::fmt::Write as _;
use std::io::Write as _;

use serde::Serialize;

use super::arguments::ConfigCommand;
use super::context::Output;
use super::setup::Setup;
use super::{Context, Exit, Failure};
use crate::config::{self, ConfigOption, Effective};
use crate::io::table;

/// Words are wrapped here: three quarters of a wide terminal, and what a narrow one has.
const WIDTH: usize = 100;

/// Runs the command that was typed.
pub fn run(context: &Context, command: &ConfigCommand) -> anyhow::Result<Exit> {
    match command {
        ConfigCommand::Show => show(context),
        ConfigCommand::Schema => print(&(serde_json::to_string_pretty(&config::schema())? + "\n")),
        ConfigCommand::Explain(arguments) => match &arguments.key {
            None => list(context),
            Some(key) => explain(context, key),
        },
    }
}

fn print(text: &str) -> anyhow::Result<Exit> {
    let mut stdout = anstream::stdout().lock();
    write!(stdout, "{text}")?;
    stdout.flush()?;
    Ok(Exit::Ok)
}

/// The documented JSON of `config show --json`.
#[derive(Serialize)]
struct Shown {
    options: Vec<Effective>,
}

/// Prints every option with its value and where the value comes from.
fn show(context: &Context) -> anyhow::Result<Exit> {
    let setup = Setup::load(context.config())?;
    match context.output {
        Output::Text => print(&config::show(&setup.config)),
        Output::Json => {
            let shown = Shown { options: config::effective(&setup.config) };
            print(&(serde_json::to_string(&shown)? + "\n"))
        }
    }
}

/// Names every option with its default.
fn list(context: &Context) -> anyhow::Result<Exit> {
    let options = config::options();
    if context.output == Output::Json {
        return print(&(serde_json::to_string(&options)? + "\n"));
    }
    let default =
        |option: &ConfigOption| option.default.clone().unwrap_or_else(|| "(has to be given)".into());
    let width = options.iter().map(|option| option.path.len()).max().unwrap_or_default();
    let lines: String = options.iter().fold(String::new(), |mut text, option| {
        let _ = writeln!(text, "{:<width$}  {}", option.path, default(option));
        text
    });
    print(
        &(lines + "\nviewtail config explain KEY says what one means, and why its default is what it is.\n"),
    )
}

/// Explains one option.
fn explain(context: &Context, key: &str) -> anyhow::Result<Exit> {
    let options = config::options();
    let option = config::find_option(&options, key)
        .map_err(|hint| Failure::new(Exit::Usage, format!("{key} is no option of agent.yaml; {hint}")))?;
    match context.output {
        Output::Json => print(&(serde_json::to_string(option)? + "\n")),
        Output::Text => print(&explanation(option, &options)),
    }
}

fn explanation(option: &ConfigOption, all: &[ConfigOption]) -> String {
    let mut text = format!("{}\n\n", option.path);
    for line in option.meaning.lines() {
        text += &table::wrapped(line, "  ", WIDTH);
    }
    text.push('\n');
    let mut fact = |name: &str, value: &str| text += &table::wrapped(value, &format!("  {name:<9}"), WIDTH);
    if let Some(accepts) = &option.accepts {
        fact("accepts", accepts);
    }
    fact("default", option.default.as_deref().unwrap_or("none: it has to be given"));
    if let Some(why) = &option.why {
        fact("why", why);
    }
    let below: Vec<&str> = all
        .iter()
        .filter_map(|other| other.path.strip_prefix(&option.path))
        .filter(|rest| is_key(rest))
        .collect();
    if !below.is_empty() {
        let keys: Vec<&str> = below.iter().map(|rest| rest.trim_start_matches(['[', ']', '.'])).collect();
        fact("options", &keys.join(", "));
    }
    text += "\n";
    for line in option.example.lines() {
        let _ = writeln!(text, "    {line}");
    }
    text
}

/// Whether what follows an option's name is one more key.
fn is_key(rest: &str) -> bool {
    let key = rest.strip_prefix("[].").or_else(|| rest.strip_prefix('.'));
    key.is_some_and(|key| !key.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_has_everything() {
        let options = config::options();
        let of = |key: &str| explanation(config::find_option(&options, key).unwrap(), &options);
        let interval = of("commit_interval");
        for part in [
            "kafka.commit_interval",
            "accepts  a duration from 50ms",
            "default  1s",
            "why      A reader sees",
        ] {
            assert!(interval.contains(part), "{interval}");
        }
        assert!(interval.ends_with("    kafka:\n      commit_interval: 1s\n"), "{interval}");
        assert!(of("kafka.flush").contains("options  frequency, bytes, max_messages, messages"));
        assert!(of("logs").contains("paths"));
    }
}

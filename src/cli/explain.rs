//! `viewtail explain`: why a line is, or is not, a page view.

use std::fmt::Write as _;
use std::io::{BufReader, Write as _};

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::arguments::ExplainArguments;
use super::context::Output;
use super::lines::{LINE_BYTES_DEFAULT, read_line};
use super::{Context, Exit, Failure, Settings, settings};
use crate::event::{Encoder, EncoderOptions, Explanation, Place, StreamId};
use crate::format::{Format, Spans};
use crate::io::table::{BOLD, DIM, GREEN, RESET, YELLOW};
use crate::io::terminal;

/// Explains the line that was typed, or every line of stdin.
pub fn run(context: &Context, arguments: &ExplainArguments) -> anyhow::Result<Exit> {
    let sources = sources(context, arguments)?;
    let mut stdout = anstream::stdout().lock();
    if arguments.line != "-" {
        let text = explain(context.output, &sources, arguments.line.as_bytes())?;
        stdout.write_all(text.as_bytes()).context("write the explanation")?;
        return Ok(Exit::Ok);
    }
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut line = Vec::new();
    while read_line(&mut input, LINE_BYTES_DEFAULT, &mut line).context("read stdin")?.size > 0 {
        let text = explain(context.output, &sources, &line)?;
        stdout.write_all(text.as_bytes()).context("write the explanation")?;
        line.clear();
    }
    Ok(Exit::Ok)
}

/// How the line may become an event: as --format says, as the log of --log does, or as one of all logs does.
fn sources(context: &Context, arguments: &ExplainArguments) -> anyhow::Result<Vec<EncoderOptions>> {
    if let Some(format) = &arguments.format {
        return Ok(vec![settings::encoder_options(format, arguments.site.as_deref())?]);
    }
    if !context.is_config_given() && !context.config().exists() {
        let text = format!(
            "{}: it does not exist, so the line's format is not known; say it with --format combined, or name a configuration with -c",
            context.config().display()
        );
        return Err(Failure::new(Exit::Configuration, text).into());
    }
    let settings = Settings::load(context.config())?;
    if let Some(reason) = &settings.foreign_ids {
        context.say(&format!("viewtail: {}", terminal::escape(reason)));
    }
    let mut sources: Vec<EncoderOptions> = settings.logs.into_iter().map(|log| log.encoder).collect();
    if let Some(name) = &arguments.log {
        let known: Vec<String> = sources.iter().map(|source| source.log.clone()).collect();
        sources.retain(|source| source.log == *name);
        if sources.is_empty() {
            let text = format!("--log {name}: no log of that name; there is {}", known.join(", "));
            return Err(Failure::new(Exit::Usage, text).into());
        }
    }
    if let Some(site) = &arguments.site {
        for source in &mut sources {
            source.site = crate::event::Site::Fixed(site.clone());
        }
    }
    Ok(sources)
}

/// Everything about one line: for a person, or one line of JSON.
fn explain(output: Output, sources: &[EncoderOptions], line: &[u8]) -> anyhow::Result<String> {
    let mut spans = Spans::default();
    let fitting = sources.iter().find(|source| source.format.split(line, &mut spans).is_some());
    let source = fitting.or(sources.first()).context("agent.yaml has no `logs:`")?;
    let mut encoder = Encoder::new(source.clone())?;
    let place = Place {
        stream: StreamId(0),
        position: 0,
        line_size: line.len() as u64 + 1,
        skipped: None,
        partial: false,
        truncated: false,
    };
    let explanation = encoder.explain(line);
    let mut event = Vec::new();
    encoder.encode(line, &place, &mut event);
    let event = String::from_utf8_lossy(&event).into_owned();
    let subject = Subject { log: &source.log, line, explanation: explanation.as_ref(), event: &event };
    match output {
        Output::Json => Ok(terminal::escape_json(&subject.json()?.to_string()).into_owned() + "\n"),
        Output::Text => Ok(subject.text()),
    }
}

/// A line and what became of it.
struct Subject<'a> {
    log: &'a str,
    line: &'a [u8],
    /// `None` for a line that is not of the format.
    explanation: Option<&'a Explanation>,
    event: &'a str,
}

impl Subject<'_> {
    fn json(&self) -> anyhow::Result<Value> {
        let event: Value = serde_json::from_str(self.event).context("read the event")?;
        let mut all = Map::new();
        all.insert("log".to_owned(), self.log.into());
        all.insert("parsed".to_owned(), self.explanation.is_some().into());
        if let Some(explanation) = self.explanation {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let fields = explanation.fields.iter().map(|field| {
                json!({"name": field.name, "from": field.place.start, "to": field.place.end, "value": text(&field.value)})
            });
            let steps = explanation.page.iter().map(|step| json!({"what": step.what, "key": step.key}));
            let rules = explanation.rules.iter();
            let rules = rules
                .map(|(reason, fires, why)| json!({"rule": reason.as_str(), "fires": fires, "why": why}));
            let address = explanation.address.map(|address| address.to_string());
            let bot = explanation.bot.as_ref();
            all.insert("fields".to_owned(), fields.collect());
            all.insert("client".to_owned(), json!({"address": address, "how": explanation.address_how}));
            all.insert("page".to_owned(), steps.collect());
            all.insert("visitor".to_owned(), json!({"how": explanation.visitor_how}));
            all.insert(
                "bot".to_owned(),
                bot.map_or(
                    Value::Null,
                    |bot| json!({"name": bot.name, "pattern": bot.pattern, "url": bot.url}),
                ),
            );
            all.insert("rules".to_owned(), rules.collect());
        }
        all.insert("event".to_owned(), event);
        Ok(all.into())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        heading(&mut text, "line", &format!("of log {}", self.log));
        match self.explanation {
            Some(explanation) => push_explanation(&mut text, explanation),
            None => push_unparsed(&mut text, self.line),
        }
        heading(&mut text, "event", "as it goes to Kafka");
        row(&mut text, "", &terminal::escape_json(self.event));
        text
    }
}

/// What can be said of a line that is not of its format.
fn push_unparsed(text: &mut String, line: &[u8]) {
    row(text, "", "The line is not of the log's format: a malformed event, no page view.");
    let hint = match Format::best_fit(&[line]) {
        Some(name) => format!("It would be of the format {name}."),
        None => "It is of no format that has a name: copy the log_format from the web server.".to_owned(),
    };
    row(text, "", &hint);
}

fn push_explanation(text: &mut String, explanation: &Explanation) {
    for field in &explanation.fields {
        let place = format!("{DIM}{:>5}..{:<5}{RESET} ", field.place.start, field.place.end);
        row(text, &format!("${}", field.name), &(place + &terminal::escape_bytes(&field.value)));
    }
    heading(text, "client", &explanation.address_how);
    row(text, "", &explanation.address.map_or("none".to_owned(), |address| address.to_string()));
    heading(text, "page", "its key, step by step");
    for step in &explanation.page {
        row(text, &step.what, &terminal::escape(&step.key));
    }
    if explanation.page.is_empty() {
        row(text, "", "none: the line shows no target");
    }
    heading(text, "visitor", "told by");
    row(text, "", &explanation.visitor_how);
    heading(text, "bot", "by the user agent");
    match &explanation.bot {
        Some(bot) => {
            row(text, "name", &terminal::escape(&bot.name));
            for (name, value) in [("pattern", &bot.pattern), ("described at", &bot.url)] {
                row(text, name, &terminal::escape(value.as_deref().unwrap_or("-")));
            }
        }
        None => row(text, "", "none"),
    }
    push_rules(text, explanation);
}

fn push_rules(text: &mut String, explanation: &Explanation) {
    let first = explanation.rules.iter().position(|(_, fires, _)| *fires);
    let verdict = first.map_or_else(
        || format!("{GREEN}a page view: none of them fires{RESET}"),
        |first| format!("{YELLOW}no page view: {}{RESET}", explanation.rules[first].0.as_str()),
    );
    heading(text, "rules", &verdict);
    for (index, (reason, fires, why)) in explanation.rules.iter().enumerate() {
        let mark = match (first == Some(index), fires) {
            (true, _) => "=> ",
            (false, true) => "yes",
            (false, false) => "no ",
        };
        row(text, &format!("{mark} {}", reason.as_str()), &terminal::escape(why));
    }
}

/// What stands behind a heading may come from a log's name or a rule.
fn heading(text: &mut String, name: &str, about: &str) {
    // The colours of a verdict are ours; everything else is escaped where it is made or holds nothing to escape.
    let _ = writeln!(text, "{BOLD}{name}{RESET}: {about}");
}

fn row(text: &mut String, name: &str, value: &str) {
    /// Wide enough for the longest of nginx's names that are common in logs.
    const NAME_COLUMNS: usize = 26;
    let _ = match name {
        "" => writeln!(text, "  {value}"),
        name => writeln!(text, "  {:<NAME_COLUMNS$} {value}", terminal::escape(name)),
    };
}

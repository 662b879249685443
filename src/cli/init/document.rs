//! The agent.yaml that `init` writes.

use std::fmt::Write as _;

use super::search::{Search, Source};
use crate::config::defaults::SITE_BYTES_MAX;
use crate::format::Escape;
use crate::io::terminal;
use crate::servers::{FormatText, FoundLog};

/// Where comments are wrapped.
const WIDTH: usize = 110;

/// The text, which [`crate::config::parse`] accepts.
#[must_use]
pub fn document(search: &Search, brokers: &[String], topic: &str) -> String {
    let mut text = String::new();
    let names: Vec<String> = search.sources.iter().map(|source| source.name.display().to_string()).collect();
    comment(&mut text, "", &format!("Written by `viewtail init` from {}.", names.join(", ")));
    text += "#\n";
    comment(
        &mut text,
        "",
        "Look it over: are these the logs, and the sites? Are the brokers yours? Then `viewtail check` tries it, and says what \
         is missing. Options that are not here have their defaults: `viewtail config show` prints them all.",
    );
    text += "\n# Not root? Then a directory of yours:\n#agent: {state_dir: /home/you/viewtail}\n\nlogs:\n";
    for source in &search.sources {
        for log in &source.found.logs {
            entry(&mut text, log);
        }
        left_out(&mut text, source);
    }
    text += "kafka:\n  # Some of the brokers; the others are found through them.\n";
    let brokers: Vec<String> = brokers.iter().map(|broker| scalar(broker)).collect();
    let _ = writeln!(text, "  brokers: [{}]", brokers.join(", "));
    text += "\n  # It has to exist; or add `create_topic: {partitions: 6, replication_factor: 3}`.\n";
    let _ = writeln!(text, "  topic: {}", scalar(topic));
    text
}

fn entry(text: &mut String, log: &FoundLog) {
    comment(text, "  ", &log.place.line_of_file());
    for remark in &log.remarks {
        comment(text, "  ", &format!("Note: {remark}."));
    }
    let paths: Vec<String> = log.path.globs().map(scalar).collect();
    let _ = writeln!(text, "  - paths: [{}]", paths.join(", "));
    if !log.exclude.is_empty() {
        let exclude: Vec<String> = log.exclude.iter().map(|path| scalar(path)).collect();
        let _ = writeln!(text, "    exclude: [{}]", exclude.join(", "));
    }
    format(text, &log.format);
    match &log.site {
        Some(site) if site.len() <= SITE_BYTES_MAX => {
            let _ = writeln!(text, "    site: {}", scalar(site));
        }
        Some(_) | None => *text += "    #site: blog.example.com\n",
    }
    text.push('\n');
}

fn format(text: &mut String, format: &FormatText) {
    let _ = match (format.known(), format) {
        (Some(name), _) => writeln!(text, "    format: {name}"),
        (None, FormatText::Nginx { text: format, escape }) => {
            let escape = match escape {
                Escape::Json => "\n      escape: json",
                Escape::None => "\n      escape: none",
                Escape::Default | Escape::Apache | Escape::Go | Escape::JsonText => "",
            };
            writeln!(text, "    format:\n      nginx: {}{escape}", scalar(format))
        }
        (None, FormatText::Apache(format)) => writeln!(text, "    format:\n      apache: {}", scalar(format)),
        // Logs of these are named, or left out.
        (None, FormatText::Caddy | FormatText::Unknown(_)) => Ok(()),
    };
}

fn left_out(text: &mut String, source: &Source) {
    if source.found.left_out.is_empty() {
        return;
    }
    for log in &source.found.left_out {
        comment(
            text,
            "  ",
            &format!("Left out: {} ({}): {}.", log.shown, log.place.line_of_file(), log.reason),
        );
    }
    text.push('\n');
}

/// A comment of as many lines as it needs. What a configuration says in it cannot end it.
fn comment(text: &mut String, indent: &str, sentence: &str) {
    let mut line = format!("{indent}#");
    for word in terminal::escape(sentence).split(' ') {
        if line.len() + word.len() >= WIDTH && !line.ends_with('#') {
            *text += &line;
            text.push('\n');
            line = format!("{indent}#");
        }
        line.push(' ');
        line += word;
    }
    *text += &line;
    text.push('\n');
}

/// Text as YAML, on one line: plain where nothing can be mistaken, else in single quotes, which leave all as it is, else in
/// double ones.
fn scalar(text: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '/' | '.' | '_' | '-');
    // A name without a dot or a slash could be `no`, `null` or a number.
    let is_name = text.contains(['.', '/', '-', '_'])
        && text.starts_with(|it: char| it == '/' || it.is_ascii_alphabetic());
    let is_host = text.rsplit_once(':').is_some_and(|(host, port)| {
        host.starts_with(|it: char| it.is_ascii_alphabetic())
            && host.chars().all(is_plain)
            && !port.is_empty()
            && port.chars().all(|it| it.is_ascii_digit())
    });
    if (is_name && text.chars().all(is_plain)) || is_host {
        return text.to_owned();
    }
    // Other scripts are read well; what else is not ASCII may end a line, or hide.
    if text.chars().all(|it| matches!(it, ' '..='~') || it.is_alphanumeric()) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        let _ = match character {
            '"' | '\\' => write!(quoted, "\\{character}"),
            ' '..='~' => write!(quoted, "{character}"),
            other => write!(quoted, "\\U{:08X}", u32::from(other)),
        };
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::super::super::arguments::Server;
    use super::*;
    use crate::config;
    use crate::servers::{Found, LeftOut, LogPath, Place};

    fn search(path: &str, text: &str, site: &str) -> Search {
        let place = Place::of_file(Path::new("/c"));
        let log = FoundLog {
            path: LogPath::literal(path),
            exclude: vec![LogPath::literal(path).glob],
            format: FormatText::Nginx { text: text.to_owned(), escape: Escape::Json },
            site: Some(site.to_owned()),
            place: place.clone(),
            remarks: vec![text.to_owned()],
        };
        let left_out = vec![LeftOut { shown: text.to_owned(), place, reason: path.to_owned() }];
        let found = Found { logs: vec![log], left_out };
        Search {
            sources: vec![Source { server: Server::Nginx, name: "/c".into(), found }],
            absent: Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn whatever_was_found_is_read_back(
            name in "[^/\\p{Cc}]{1,20}x", literal in "[^$\\\\\n]{0,20}", site in "[a-z0-9.-]{1,20}"
        ) {
            let path = format!("/l/{name}");
            let format = format!("$status {literal}");
            let text = document(&search(&path, &format, &site), &["localhost:9092".to_owned()], "no");
            let (config, _) = config::parse(&text, "agent.yaml").map_err(|error| {
                TestCaseError::fail(format!("{text}\n{error}"))
            })?;
            let log = &config.logs[0];
            prop_assert!(log.paths[0].matches(Path::new(&path)), "{text}");
            prop_assert_eq!(log.site.as_deref(), Some(site.as_str()));
            prop_assert_eq!(config.topics(), ["no"]);
            let mut spans = crate::format::Spans::default();
            let line = format!("200 {literal}");
            prop_assert!(log.format.split(line.as_bytes(), &mut spans).is_some(), "{}", text);
        }
    }

    #[test]
    fn scalars() {
        for (text, expect) in [
            ("/var/log/a.log", "/var/log/a.log"),
            ("kafka-1:9092", "kafka-1:9092"),
            ("1.2.3.4", "'1.2.3.4'"),
            ("no", "'no'"),
            ("it's *", "'it''s *'"),
            ("a\tb\u{2028}\"", "\"a\\U00000009b\\U00002028\\\"\""),
        ] {
            assert_eq!(scalar(text), expect);
        }
    }
}

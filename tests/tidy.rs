//! House rules that no linter knows, checked on the source text: which module may name which, where each outside
//! library lives, what every file begins with.

use std::path::{Path, PathBuf};

/// A file longer than this holds more than one noun.
const LINES_MAX: usize = 900;
/// ARCHITECTURE.md has to stay readable in one sitting.
const ARCHITECTURE_LINES_MAX: usize = 200;

/// An outside library and the only places of `src` that may name it.
const HOMES: [(&str, &[&str]); 20] = [
    ("rdkafka", &["io/kafka"]),
    ("bzip2", &["io/packed"]),
    ("clap_complete", &["cli/completions"]),
    ("clap_mangen", &["cli/man"]),
    ("flate2", &["io/packed"]),
    ("http_body_util", &["io/http"]),
    ("hyper", &["io/http"]),
    ("hyper_util", &["io/http"]),
    ("indicatif", &["io/progress"]),
    ("libc", &["io/sys"]),
    ("lzma_rust2", &["io/packed"]),
    ("notify", &["io/watch"]),
    ("prometheus_client", &["telemetry"]),
    ("serde_yaml", &["config"]),
    ("saphyr_parser", &["config"]),
    ("sd_notify", &["io/service"]),
    ("regex", &["format", "event"]),
    ("ruzstd", &["io/packed"]),
    ("tokio", &["main.rs", "agent", "io"]),
    ("tracing_subscriber", &["io/diagnostics"]),
];

/// Modules without any input, output or clock, and what they must not name.
const PURE: [&str; 4] = ["pipeline", "format", "event", "servers"];
const IMPURE: [&str; 14] = [
    "crate::io",
    "crate::agent",
    "crate::cli",
    "crate::config",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "ToSocketAddrs",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "Instant::now",
    "SystemTime::now",
    "std::env",
];

/// Words that must not be left behind in source or tests. Put together here, so that this file may stay one of them.
fn leftovers() -> Vec<String> {
    [("#[ign", "ore"), ("todo", "!("), ("dbg", "!("), ("TO", "DO"), ("FIX", "ME"), ("XX", "X")]
        .iter()
        .map(|(first, second)| format!("{first}{second}"))
        .collect()
}

/// One source file: its path below the repository, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Its lines without comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(number, line)| (number + 1, line));
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Whether it lies at one of these places of `src`.
    fn is_in(&self, places: &[&str]) -> bool {
        let path = self.path.trim_start_matches("src/");
        places.iter().any(|place| {
            path == *place
                || path == format!("{place}.rs")
                || path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
        })
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directory: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join(directory)];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).expect("the sources are there") {
            let path: PathBuf = entry.expect("the sources can be listed").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name =
                    path.strip_prefix(root()).expect("it was found below the root").display().to_string();
                found.push(Source {
                    path: name,
                    text: std::fs::read_to_string(&path).expect("source is text"),
                });
            }
        }
    }
    assert!(!found.is_empty(), "{directory} holds no source");
    found
}

fn assert_none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

/// Whether a line of code names `path::...` or imports it.
fn names(line: &str, library: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(library).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let rest = &line[at + library.len()..];
        let starts_a_path = rest.starts_with("::") || rest.starts_with(';') || rest.starts_with(" as ");
        // `crate::notify::` and `self.notify` are names of our own.
        starts_a_path && before.is_none_or(|character| !is_word(character) && !matches!(character, ':' | '.'))
    })
}

#[test]
fn each_outside_library_has_one_home() {
    let mut offences = Vec::new();
    for source in sources("src") {
        for (library, homes) in HOMES {
            if source.is_in(homes) {
                continue;
            }
            let lines = source.code().filter(|(_, line)| names(line, library));
            offences.extend(lines.map(|(number, _)| format!("{}:{number} names {library}", source.path)));
        }
    }
    assert_none("libraries outside their home", &offences);
}

#[test]
fn pure_modules_know_neither_world_nor_clock() {
    let mut offences = Vec::new();
    for source in sources("src").iter().filter(|source| source.is_in(&PURE)) {
        for forbidden in IMPURE {
            let lines = source.code().filter(|(_, line)| line.contains(forbidden));
            offences.extend(lines.map(|(number, _)| format!("{}:{number} names {forbidden}", source.path)));
        }
    }
    assert_none("input, output or time in a pure module", &offences);
}

#[test]
fn io_does_not_know_who_drives_it_and_nobody_but_the_command_line_knows_the_agent() {
    let mut offences = Vec::new();
    for source in sources("src") {
        let mut forbidden = Vec::new();
        if !source.is_in(&["cli", "main.rs", "agent"]) {
            forbidden.push("crate::agent");
        }
        if !source.is_in(&["cli", "main.rs"]) {
            forbidden.push("crate::cli");
        }
        for word in forbidden {
            let lines = source.code().filter(|(_, line)| line.contains(word));
            offences.extend(lines.map(|(number, _)| format!("{}:{number} names {word}", source.path)));
        }
    }
    assert_none("a dependency against the direction main, cli, agent, pipeline and io", &offences);
}

#[test]
fn the_clock_is_read_in_one_place() {
    let mut offences = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_in(&["io/clock"])) {
        let lines = source.code().filter(|(_, line)| {
            line.contains("disallowed_methods")
                || line.contains("Instant::now(")
                || line.contains("SystemTime::now(")
        });
        offences.extend(lines.map(|(number, _)| format!("{}:{number}", source.path)));
    }
    assert_none("the clock outside io/clock", &offences);
}

#[test]
fn unsafe_code_has_two_homes() {
    let mut offences = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_in(&["io/kafka/ffi", "io/sys"])) {
        let lines =
            source.code().filter(|(_, line)| line.contains("unsafe {") || line.contains("unsafe_code"));
        offences.extend(lines.map(|(number, _)| format!("{}:{number}", source.path)));
    }
    assert_none("unsafe code outside the two modules that call C", &offences);
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let all = sources("src").into_iter().chain(sources("tests"));
    let silent = all.filter(|source| !source.text.starts_with("//! ")).map(|source| source.path);
    assert_none("files that do not begin with //!", &silent.collect::<Vec<_>>());
}

#[test]
fn files_stay_short() {
    let all = sources("src").into_iter().chain(sources("tests"));
    let long =
        all.map(|source| (source.text.lines().count(), source.path)).filter(|(lines, _)| *lines > LINES_MAX);
    assert_none(
        "files with more than one noun in them",
        &long.map(|(lines, path)| format!("{path}: {lines} lines")).collect::<Vec<_>>(),
    );
    let architecture = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap_or_default();
    let lines = architecture.lines().count();
    assert!(lines <= ARCHITECTURE_LINES_MAX, "ARCHITECTURE.md has {lines} lines");
}

#[test]
fn nothing_is_left_behind() {
    let mut offences = Vec::new();
    for source in sources("src").iter().chain(&sources("tests")) {
        for word in leftovers() {
            let lines = source.text.lines().enumerate().filter(|(_, line)| line.contains(&word));
            offences.extend(lines.map(|(number, _)| format!("{}:{} {word}", source.path, number + 1)));
        }
    }
    assert_none("unfinished or switched off", &offences);
}

#[test]
fn every_exception_from_a_lint_has_its_reason() {
    let mut offences = Vec::new();
    for source in sources("src").iter().chain(&sources("tests")) {
        for marker in ["[allow", "[expect"].map(|word| format!("{word}(")) {
            for (at, _) in source.text.match_indices(&marker) {
                let attribute = source.text[at..].split(")]").next().unwrap_or_default();
                if !attribute.contains("reason = ") {
                    let line = source.text[..at].lines().count();
                    offences.push(format!("{}:{line}", source.path));
                }
            }
        }
    }
    assert_none("lints switched off without a reason", &offences);
}

#[test]
fn the_rules_themselves_see_what_they_forbid() {
    assert!(names("use rdkafka::client;", "rdkafka"));
    assert!(names("    let _ = regex::bytes::Regex::new;", "regex"));
    assert!(names("use notify;", "notify"));
    assert!(!names("self.notify.notify_one();", "notify"));
    assert!(!names("use crate::notify::Thing;", "notify"));
    assert!(!names("use crate::format::my_regex::Thing;", "regex"));
    let source = Source {
        path: "src/io/kafka/producer.rs".to_owned(),
        text: "// rdkafka::x\nrdkafka::y\n".to_owned(),
    };
    assert!(source.is_in(&["io/kafka"]) && source.is_in(&["io"]) && !source.is_in(&["io/kaf"]));
    assert_eq!(source.code().count(), 1);
}

//! What holds for agent.yaml as a whole.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::node::{Entry, Kind, Node};
use super::*;

const SHIPPED: &str = include_str!("../../agent.yaml");

/// What a person must set, as the shipped file sets it.
const MINIMAL: &str = "logs: [{paths: [/var/log/nginx/access.log]}]
kafka: {brokers: [localhost:9092], topic: page-views}
";

fn valid(text: &str) -> (Config, Vec<Warning>) {
    parse(text, "agent.yaml").unwrap_or_else(|errors| panic!("{errors}"))
}

/// Everything of a configuration but where it stands.
fn values(config: &Config) -> String {
    format!("{:?}\n{:?}\n{:?}\n{:?}", config.agent, config.logs, config.kafka, config.http)
}

/// The shipped file with everything that it offers switched on.
fn all_switched_on() -> String {
    let switch = |line: &str| {
        let indentation = line.len() - line.trim_start().len();
        let option =
            line[indentation..].strip_prefix('#').filter(|rest| rest.starts_with(char::is_alphabetic));
        option.map_or(line.to_owned(), |option| format!("{}{option}", &line[..indentation]))
    };
    SHIPPED.lines().map(|line| switch(line) + "\n").collect()
}

/// The options of a configuration, `logs[0].paths` as `logs.paths`.
fn options(text: &str) -> (Vec<Finding>, BTreeSet<(String, bool)>) {
    let mut source = ConfigSource::new("agent.yaml", text);
    let tree = plant(&mut source).unwrap().unwrap();
    let reading = interpret(&tree, &source);
    let name = |path: &path::Path| path.to_string().replace("[0]", "");
    let options = reading.settings.iter().map(|setting| (name(&setting.path), setting.place.is_some()));
    (reading.findings, options.collect())
}

#[test]
fn the_shipped_file_is_the_defaults() {
    let (shipped, warnings) = valid(SHIPPED);
    let (minimal, _) = valid(MINIMAL);
    assert_eq!(values(&shipped), values(&minimal));
    assert!(warnings.is_empty(), "{}", warnings[0].render(Style::Plain));
}

#[test]
fn the_shipped_file_has_every_option_and_no_other() {
    let (findings, options) = options(&all_switched_on());
    let unset: Vec<&String> = options.iter().filter(|(_, given)| !given).map(|(name, _)| name).collect();
    assert!(unset.is_empty(), "agent.yaml does not show {unset:?}");
    // What the file offers asks for variables that `combined` does not have.
    let findings: Vec<Finding> =
        findings.into_iter().filter(|finding| !finding.message.contains("has no $")).collect();
    // The sources of a password exclude each other, a token excludes them all, and a file excludes the credential; nothing
    // else of what the file offers does.
    let excluded = ["more than one way", "of no use with this mechanism", "two places of one secret"];
    let (credentials, others): (Vec<_>, Vec<_>) =
        findings.iter().partition(|finding| excluded.iter().any(|words| finding.message.contains(words)));
    assert!(excluded.iter().all(|words| credentials.iter().any(|finding| finding.message.contains(words))));
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn the_long_form_of_a_format_is_shown_in_the_shipped_file() {
    let example: String = SHIPPED
        .lines()
        .skip_while(|line| !line.ends_with("#   format:"))
        .take_while(|line| line.trim_start().starts_with("#   "))
        .map(|line| line.trim_start().trim_start_matches('#').to_owned() + "\n")
        .collect();
    assert!(example.contains("nginx:") && example.contains("escape:"), "{example}");
    let example: String = example.lines().map(|line| format!("  {line}\n")).collect();
    valid(&format!("logs:\n  -  paths: [/a.log]\n{example}kafka: {{brokers: [a], topic: t}}\n"));
}

#[test]
fn what_is_shown_is_read_as_the_same_configuration() {
    let tls = "kafka: {brokers: ['[::1]:9092', a], topic: t, tls: {enabled: true, verify_hostname: false},
  create_topic: {partitions: 6, replication_factor: 1}, flush: {frequency: 0}, properties: {client.id: 'a # b'}}
logs: [{paths: ['/a/{b,c}*.log', \"/d e.log\"], exclude: ['*.gz'], site: 'no', start: 36h, format: {nginx: '$host \"$request\"'}}]
agent: {id: '5'}
";
    for text in [MINIMAL, SHIPPED, tls] {
        let (config, _) = valid(text);
        let shown = show(&config);
        assert_eq!(values(&valid(&shown).0), values(&config), "{shown}");
    }
}

#[test]
fn a_token_that_everybody_on_the_way_can_read_is_warned_of() {
    let of = |tls: &str| {
        let sasl = "sasl: {mechanism: OAUTHBEARER, token_file: /token}";
        valid(&MINIMAL.replace("topic: page-views", &format!("topic: t, {tls}{sasl}"))).1
    };
    let shown = of("")[0].render(Style::Plain);
    assert!(shown.contains("OAUTHBEARER sends the token as it is"), "{shown}");
    assert!(of("tls: {enabled: true}, ").is_empty());
}

#[test]
fn a_secret_is_in_nothing_that_can_be_printed() {
    let sasl = "  sasl: {mechanism: PLAIN, username: me, password: canary}\n  properties: {ssl.keystore.password: canary}\n";
    let text = format!("logs: [{{paths: [/a.log]}}]\nkafka:\n  brokers: [a]\n  topic: t\n{sasl}");
    let (config, warnings) = valid(&text);
    let printed = format!("{config:?}{warnings:?}{}{}", show(&config), warnings[0].render(Style::Plain));
    assert!(!printed.contains("canary"), "{printed}");
    for broken in [
        "password: \"canary",
        "password: [canary",
        "ssl.key.pem: |\n    a\n    canary\n  x\n  y: [",
        "pasword: canary",
    ] {
        let errors = parse(&format!("kafka:\n  {broken}\n"), "agent.yaml").unwrap_err();
        let printed = format!("{errors} {errors:?}");
        assert!(!printed.contains("canary"), "{printed}");
    }
}

#[test]
fn a_password_that_everybody_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = tempfile::NamedTempFile::new().unwrap();
    let sasl = "sasl: {mechanism: SCRAM-SHA-512, username: me, password: x}";
    std::fs::write(&file, MINIMAL.replace("topic: page-views", &format!("topic: t, {sasl}"))).unwrap();
    for (mode, expected) in [(0o644, 1), (0o640, 0)] {
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(load(file.path()).unwrap().1.len(), expected, "mode {mode:o}");
    }
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("agent.yaml");
    let reason = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        load(&path).unwrap_err().findings()[0].message.clone()
    };
    assert_eq!(reason(b"a: b\n\xff"), "line 2 is not UTF-8");
    assert_eq!(reason(&vec![b'#'; (1 << 20) + 1]), "the file is larger than 1MiB");
    assert_eq!(reason(b"\xef\xbb\xbf\n"), "the file is empty");
    assert!(load(&directory.path().join("absent")).unwrap_err().to_string().contains("-c"));
    assert!(load(directory.path()).unwrap_err().to_string().contains("cannot read"));
}

#[test]
fn only_so_many_errors_are_shown() {
    let keys: String = (0..500).map(|number| format!("key{number}: x\n")).collect();
    let shown = parse(&keys, "agent.yaml").unwrap_err().to_string();
    assert!(shown.contains("... and 452 more") && shown.ends_with("502 errors\n"), "{shown}");
}

#[test]
fn a_caret_points_into_a_folded_format() {
    let text = MINIMAL.replace(
        "[{paths: [/var/log/nginx/access.log]}]",
        "\n  - paths: [/a.log]\n    format:\n      nginx: >-\n        $remote_addr [$time_local]\n        \"$request\" $host$uri",
    );
    let errors = parse(&text, "agent.yaml").unwrap_err();
    let (line, column) = errors.source_text().line_column(errors.findings()[0].place.unwrap());
    let pointed: String = text.lines().nth(line - 1).unwrap().chars().skip(column - 1).collect();
    assert!(pointed.starts_with("$host$uri"), "{errors}");
}

/// Each scalar's place, read by itself, is the scalar.
fn places_hold(node: &Node, text: &str) {
    match &node.kind {
        Kind::Text(value) => {
            let written = &text[node.place.range()];
            let read: String = serde_yaml::from_str(written).unwrap_or_default();
            assert_eq!(read.trim_end(), value.trim_end(), "written {written:?}");
        }
        Kind::Integer(value) => assert_eq!(text[node.place.range()].parse::<i128>().ok(), Some(*value)),
        Kind::List(nodes) => nodes.iter().for_each(|node| places_hold(node, text)),
        Kind::Map(entries) => entries.iter().for_each(|Entry { key, value }| {
            places_hold(key, text);
            places_hold(value, text);
        }),
        Kind::Null | Kind::Bool(_) | Kind::Float(_) => {}
    }
}

#[test]
fn every_value_knows_its_place() {
    let hard = "a: {b: [1, 'x''y', \"\\u00e9\"], ? c : d}\r\né: ü # c\nlist:\n- - 5\n  - six seven\n-\n- k: v\n  l:\nempty:\nfolded: >-\n  a\n  b\n\"quoted\": |\n  x\n  y\nlast: z";
    let switched = all_switched_on();
    for text in [hard, SHIPPED, switched.as_str()] {
        let mut source = ConfigSource::new("agent.yaml", text);
        let tree = plant(&mut source).unwrap().unwrap();
        places_hold(&tree, source.text());
    }
}

/// Pieces of YAML that break parsers when they meet.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "a: ",
            "- ",
            "? ",
            ": ",
            "\n",
            "\n  ",
            "\n    ",
            "\t",
            "[",
            "]",
            "{",
            "}",
            ", ",
            "\"",
            "'",
            "|\n",
            ">-\n",
            "&a ",
            "*a",
            "!x ",
            "---\n",
            "...\n",
            "#",
            "%",
            "@",
            "\\",
            "\r\n",
            "\u{feff}",
            "é",
            "kafka:",
            "logs:",
            "password: ",
            "no",
            "1",
            "0x",
            "~",
            "<<: ",
            "paths: [/a]",
            "topic: t",
            "\u{85}",
            "\u{2028}",
            "\0",
            "nginx: '$x'",
            "format: ",
        ])
        .prop_map(str::to_owned),
        ".{0,3}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_text_is_too_hostile_to_be_answered(text in hostile()) {
        match parse(&text, "agent.yaml") {
            Ok((config, _)) => prop_assert!(!show(&config).is_empty()),
            Err(errors) => {
                prop_assert!(!errors.findings().is_empty());
                prop_assert!(errors.render(Style::Coloured).contains("help"));
            }
        }
    }

    #[test]
    fn a_damaged_shipped_file_is_answered(at in 0..SHIPPED.len(), piece in hostile()) {
        let at = SHIPPED.floor_char_boundary(at);
        let text = format!("{}{piece}{}", &SHIPPED[..at], &SHIPPED[at..]);
        if let Err(errors) = parse(&text, "agent.yaml") {
            prop_assert!(errors.to_string().contains("help"));
        }
    }
}

#[test]
fn what_is_hostile_is_refused_with_its_place_in_few_words() {
    let large = "x".repeat((1 << 20) - 200);
    for (text, place, fact) in [
        (MINIMAL.replace("page-views", &format!("'{large}'")), "2:43", "`topic` must be at most"),
        (MINIMAL.replace("kafka:", &format!("{large}:")), "2:1", "not valid YAML"),
        (MINIMAL.replace("page-views", "\0"), "2:43", "control character"),
        (MINIMAL.replace("page-views", "\"\\0\""), "2:43", "control character"),
        ("\u{feff}".to_owned() + &MINIMAL.replace("topic", "topik"), "2:36", "unknown key `topik`"),
        (format!("{MINIMAL}a: &a [x]\nb: *a\n"), "3:", "anchors are not accepted"),
        (format!("{MINIMAL}<<: {{a: b}}\n"), "3:1", "unknown key `<<`"),
        (format!("{MINIMAL}kafka: {{}}\n"), "3:1", "given twice"),
        (format!("{MINIMAL}x:\n\t- a\n"), "4:1", "a tab"),
        (format!("{MINIMAL}x: {}", "[".repeat(40)), "3:", "nested deeper"),
    ] {
        let shown = parse(&text, "agent.yaml").unwrap_err().to_string();
        let head: String = shown.chars().take(300).collect();
        assert!(shown.contains(&format!("agent.yaml:{place}")) && shown.contains(fact), "{fact}:\n{head}");
        assert!(shown.len() < 10_000, "{fact}: {} bytes of words\n{head}", shown.len());
    }
}

#[test]
fn the_delivery_is_shown_as_it_is_written() {
    for word in ["exactly_once", "at_least_once", "best_effort"] {
        let (config, _) = valid(&MINIMAL.replace("kafka: {", &format!("kafka: {{delivery: {word}, ")));
        assert_eq!(config.kafka.delivery.to_string(), word);
    }
}

#[test]
fn the_endpoints_are_where_they_are_told_or_nowhere() {
    let with = |http: &str| valid(&format!("{MINIMAL}http: {http}\n"));
    assert_eq!(valid(MINIMAL).0.http.listen, Some(defaults::HTTP_LISTEN));
    assert_eq!(with("false").0.http.listen, None);
    assert_eq!(with("{listen: '[::1]:80'}").0.http.listen.unwrap().to_string(), "[::1]:80");
    assert!(with("{listen: 127.0.0.2:80}").1.is_empty());
    assert_eq!(with("{listen: 0.0.0.0:9464}").1.len(), 1, "whoever shows it to everybody is warned");
    for wrong in
        ["true", "9464", "{listen: localhost}", "{listen: 127.0.0.1:0}", "{listen: 9464}", "{port: 1}"]
    {
        assert!(parse(&format!("{MINIMAL}http: {wrong}\n"), "agent.yaml").is_err(), "{wrong}");
    }
}

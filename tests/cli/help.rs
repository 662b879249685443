//! Help, version and wrong usage.

use crate::binary::call;

const COMMANDS: [&str; 13] = [
    "run",
    "init",
    "check",
    "preview",
    "explain",
    "report",
    "status",
    "checkpoints",
    "config",
    "verify",
    "demo",
    "completions",
    "man",
];

#[test]
fn help_names_what_is_built_and_nothing_else() {
    let called = call(&["--help"]);
    assert_eq!(called.code, Some(0));
    let listed: Vec<&str> = called
        .stdout
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(listed, COMMANDS, "{}", called.stdout);
    assert!(called.stdout.contains("Exit codes: 0 ok, 1 failed, 2 wrong usage, 75"), "{}", called.stdout);
    assert_eq!(called.stderr, "");
}

#[test]
fn every_command_has_help_with_the_global_options() {
    for command in COMMANDS {
        let called = call(&[command, "--help"]);
        assert_eq!(called.code, Some(0), "{command}");
        for option in ["--config", "--json", "--color", "--verbose", "--quiet"] {
            assert!(called.stdout.contains(option), "{command} {option}: {}", called.stdout);
        }
    }
}

#[test]
fn the_version_is_one_line() {
    let called = call(&["--version"]);
    assert_eq!((called.code, called.stdout), (Some(0), format!("viewtail {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn wrong_usage_exits_2_and_says_why_on_stderr() {
    let cases: [(&[&str], &str); 9] = [
        (&[], "Usage:"),
        (&["rum"], "run"),
        (&["run", "--nonsense"], "--nonsense"),
        (&["run", "extra"], "extra"),
        (&["config"], "Usage:"),
        (&["--color", "sometimes", "run"], "always"),
        (&["-v", "-q", "run"], "cannot be used with"),
        (&["demo", "--kill"], "--brokers"),
        (&["preview", "--format", "combined"], "FILE"),
    ];
    for (arguments, reason) in cases {
        let called = call(arguments);
        assert_eq!(called.code, Some(2), "{arguments:?}: {}", called.stderr);
        assert!(called.stderr.contains(reason), "{arguments:?}: {}", called.stderr);
        assert_eq!(called.stdout, "", "{arguments:?}");
    }
}

#[test]
fn global_options_stand_before_or_behind_the_command() {
    let arguments = ["verify", "--brokers", "127.0.0.1:1", "--topic", "t"];
    let before: Vec<&str> = ["--color", "never"].into_iter().chain(arguments).collect();
    let behind: Vec<&str> = arguments.into_iter().chain(["--color", "never"]).collect();
    assert_eq!(call(&before).code, Some(75));
    assert_eq!(call(&behind).code, Some(75));
}

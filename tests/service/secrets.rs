//! A secret that stands for all of them is in nothing that anybody can see.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::agent::{Agent, Config, binary};
use crate::support::page::get;
use crate::support::process::command;
use crate::support::scratch::Scratch;
use crate::support::wait::free_port;

const CANARY: &str = "canary-7f3a9";
/// Nothing here takes longer than a broker that does not answer is waited for.
const LIMIT: Duration = Duration::from_secs(60);
/// Where a password may come from. File and credential are the scratch directory's, the variable is set for every call.
const SOURCES: [&str; 5] = [
    "password: canary-7f3a9",
    "password: \"${CANARY}\"",
    "password_env: CANARY",
    "password_file: FILE",
    "password_credential: password",
];

fn config(scratch: &Scratch, source: &str) -> Config {
    let log = scratch.join("access.log");
    std::fs::write(&log, "noise\n").expect("the scratch directory takes a file");
    let file = scratch.join("password");
    std::fs::write(&file, format!("{CANARY}\n")).expect("the scratch directory takes a file");
    let source = source.replace("FILE", &file.display().to_string());
    let sasl = format!("sasl: {{mechanism: SCRAM-SHA-512, username: me, {source}}}");
    let nobody = format!("127.0.0.1:{}", free_port());
    Config::new("secrets", &scratch.directory("state"), &log)
        .to(&nobody, "views")
        .kafka(&sasl)
        .kafka(&format!("properties: {{ssl.keystore.password: {CANARY}}}"))
}

/// All that a command says.
fn said(config: &Path, arguments: &[&str]) -> String {
    let called = Command::new(binary())
        .args(arguments)
        .arg("-c")
        .arg(config)
        .env("CANARY", CANARY)
        // As systemd does for a unit with LoadCredential=.
        .env("CREDENTIALS_DIRECTORY", config.parent().expect("the configuration is in the scratch directory"))
        .output()
        .expect("the binary starts");
    String::from_utf8_lossy(&[called.stdout, called.stderr].concat()).into_owned()
}

fn assert_hidden(text: &str, what: &str) {
    assert!(!text.is_empty(), "{what} says nothing, which proves nothing");
    assert!(!text.contains(CANARY), "{what} shows the secret:\n{text}");
}

#[test]
fn no_command_shows_a_secret() {
    for source in SOURCES {
        let scratch = Scratch::new("service-secret");
        let path = scratch.join("agent.yaml");
        std::fs::write(&path, config(&scratch, source).yaml()).expect("the configuration can be written");
        for arguments in [
            &["config", "show"][..],
            &["config", "show", "--json"],
            &["check", "-vv"],
            &["status"],
            &["verify"],
            &["preview"],
        ] {
            assert_hidden(&said(&path, arguments), &format!("{source}: {arguments:?}"));
        }
    }
}

#[test]
fn who_asks_no_broker_needs_no_credential() {
    let scratch = Scratch::new("service-no-credential");
    let path = scratch.join("agent.yaml");
    std::fs::write(&path, config(&scratch, SOURCES[4]).yaml()).expect("the configuration can be written");
    let call = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        let called =
            command.args(arguments).arg("-c").arg(&path).env_remove("CREDENTIALS_DIRECTORY").output();
        called.expect("the binary starts")
    };
    for arguments in [&["preview"][..], &["explain", "noise"], &["report", "--json"]] {
        let called = call(arguments);
        let stderr = String::from_utf8_lossy(&called.stderr).into_owned();
        assert!(called.status.success() && !called.stdout.is_empty(), "{arguments:?}: {stderr}");
    }
    // Who would ask one says what is missing, and the line that brings it.
    for (arguments, exit) in [(&["status", "--json"][..], 0), (&["verify"], 78), (&["check"], 78)] {
        let called = call(arguments);
        let said = String::from_utf8_lossy(&[called.stdout, called.stderr].concat()).into_owned();
        assert!(said.contains("LoadCredential=password:"), "{arguments:?}: {said}");
        assert_eq!(called.status.code(), Some(exit), "{arguments:?}: {said}");
    }
}

#[test]
fn no_mistake_shows_a_secret() {
    let scratch = Scratch::new("service-secret-mistakes");
    let path = scratch.join("agent.yaml");
    let right = config(&scratch, SOURCES[0]).yaml();
    for (part, wrong) in [
        ("mechanism: SCRAM-SHA-512", "mechanism: SCRAM-SHA-513"),
        ("password: canary", "pasword: canary"),
        ("password: canary", "password: [canary"),
        ("password: canary", "password: \"canary"),
        ("password: canary", "password: ${canary"),
        ("password: canary", "password: ${UNSET}canary"),
        ("username: me", "username: {a: b}"),
    ] {
        assert!(right.contains(part));
        std::fs::write(&path, right.replacen(part, wrong, 1)).expect("the configuration can be written");
        assert_hidden(&said(&path, &["check"]), wrong);
    }
}

#[test]
fn a_running_agent_shows_no_secret_and_leaves_none_in_a_core() {
    let scratch = Scratch::new("service-secret-run");
    let port = free_port();
    let config = config(&scratch, SOURCES[4]).http(port);
    let mut agent =
        Agent::spawn_with(scratch.path(), &config, command(env!("CARGO_BIN_EXE_viewtail")), |run| {
            run.arg("-vv").env("CREDENTIALS_DIRECTORY", scratch.path());
        });
    agent.process().wait_for_words(LIMIT, "Kafka: ");
    let id = agent.process().id();
    let of_process = |name: &str| {
        let content = std::fs::read(format!("/proc/{id}/{name}")).expect("the process is there");
        String::from_utf8_lossy(&content).into_owned()
    };
    for name in ["cmdline", "environ"] {
        assert_hidden(&of_process(name), name);
    }
    let limits = of_process("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit of cores");
    let sizes: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(sizes, ["0", "0"], "{core}");
    for path in ["/metrics", "/status", "/healthz", "/readyz"] {
        let (_, page) = get(port, path).expect("the page is shown");
        assert_hidden(&page, path);
    }
    assert_hidden(&agent.words(), "run -vv");
    agent.kill9();
}

//! `viewtail check` on the host's side: the eyes that it looks with, and what it says of files that are closed to them.
//!
//! Files of other users can be made by root alone. Anybody else tries the same with files that are closed to himself.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::{Called, call};

const LINE: &str = "192.0.2.1 - - [22/Nov/2026:10:13:39 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl\"\n";

/// No broker answers there, which `check` says last.
const NOBODY: &str = "127.0.0.1:1";

/// A later time may bring the broker.
const EXIT_TEMPORARY: i32 = 75;
/// A permission is missing.
const EXIT_PERMISSION: i32 = 77;

/// A user of every Debian and RHEL, and the group that reads logs on Debian.
const USER: &str = "nobody";
const GROUP_ADM: u32 = 4;
const ROOT: u32 = 0;
/// Who the web server runs as; a number will do.
const WEB: u32 = 33;

/// A host's directory of logs with one log in it, and a configuration.
struct Host {
    scratch: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let scratch = tempfile::tempdir().expect("a directory can be made");
        set_mode(scratch.path(), 0o755);
        std::fs::create_dir(scratch.path().join("nginx")).expect("a directory can be made");
        let host = Self { scratch };
        std::fs::write(host.log(), LINE.repeat(10)).expect("a file can be written");
        let yaml = format!(
            "agent: {{id: check, state_dir: {}}}\nlogs: [{{paths: [{}], format: combined}}]\n\
             kafka: {{brokers: [\"{NOBODY}\"], topic: t}}\n",
            host.scratch.path().join("state").display(),
            host.log().display()
        );
        std::fs::write(host.scratch.path().join("agent.yaml"), yaml).expect("a file can be written");
        set_mode(&host.scratch.path().join("agent.yaml"), 0o644);
        std::fs::create_dir(host.scratch.path().join("state")).expect("a directory can be made");
        set_mode(&host.scratch.path().join("state"), 0o777);
        host
    }

    fn directory(&self) -> PathBuf {
        self.scratch.path().join("nginx")
    }

    fn log(&self) -> PathBuf {
        self.directory().join("access.log")
    }

    /// Owner, group and mode of the directory and of the log.
    fn layout(&self, directory: (u32, u32, u32), log: (u32, u32, u32)) {
        for (path, (owner, group, mode)) in [(self.directory(), directory), (self.log(), log)] {
            chown(&path, Some(owner), Some(group)).expect("root can give files away");
            set_mode(&path, mode);
        }
    }

    /// Asks with the eyes of [`USER`], or with one's own.
    fn check(&self) -> Called {
        let config = self.scratch.path().join("agent.yaml");
        let mut arguments = vec!["check", "-c", config.to_str().expect("scratch paths are UTF-8")];
        if is_root() {
            arguments.extend(["--user", USER]);
        }
        call(&arguments)
    }

    fn assert_closed(&self, words: &[&str]) {
        let called = self.check();
        assert_eq!(called.code, Some(EXIT_PERMISSION), "{}{}", called.stdout, called.stderr);
        for word in words {
            assert!(called.stdout.contains(word), "{word:?} is not said:\n{}", called.stdout);
        }
    }

    fn assert_open(&self) {
        let called = self.check();
        assert_eq!(called.code, Some(EXIT_TEMPORARY), "only the broker is missing:\n{}", called.stdout);
        assert!(called.stdout.contains("10 of its last 10 lines fit the format"), "{}", called.stdout);
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode can be set");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn user() -> String {
    if is_root() {
        return USER.to_owned();
    }
    let output = Command::new("id").arg("-un").output().expect("id can be run");
    String::from_utf8(output.stdout).expect("names are UTF-8").trim().to_owned()
}

/// Runs the line that `check` printed behind this beginning.
fn run_remedy(said: &str, beginning: &str) {
    let line = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("-> ").filter(|line| line.starts_with(beginning)));
    let line = line.unwrap_or_else(|| panic!("no remedy begins with {beginning:?}:\n{said}"));
    let output = Command::new("sh").args(["-c", line]).output().expect("sh can be run");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_readable_log_leaves_only_the_broker_to_be_missed() {
    Host::new().assert_open();
}

#[test]
fn the_layout_of_debian_asks_for_the_group_and_that_of_rhel_for_an_acl_that_outlives_rotations() {
    let host = Host::new();
    if !is_root() {
        set_mode(&host.log(), 0o000);
        host.assert_closed(&["may not read it", "setfacl -m u:"]);
        return;
    }
    host.layout((ROOT, GROUP_ADM, 0o755), (WEB, GROUP_ADM, 0o640));
    host.assert_closed(&[
        "nobody may not read it: it belongs to",
        ":adm with mode 0640",
        "usermod -aG adm nobody",
    ]);

    host.layout((ROOT, ROOT, 0o711), (WEB, ROOT, 0o640));
    host.assert_closed(&["nobody may not list"]);
    run_remedy(&host.check().stdout, "setfacl ");
    host.assert_open();

    // As RHEL's package of nginx rotates: the next log is the web server's and root's again.
    let rules = host.scratch.path().join("logrotate.conf");
    let create = format!(
        "{} {{\nsu root root\nrotate 2\ncreate 0640 {WEB} root\npostrotate\ntrue\nendscript\n}}\n",
        host.log().display()
    );
    std::fs::write(&rules, create.replace(&format!(" {WEB} "), " www-data ")).unwrap();
    set_mode(&rules, 0o644);
    let status = host.scratch.path().join("logrotate.status");
    let rotated =
        Command::new("/usr/sbin/logrotate").arg("-f").arg("-s").args([&status, &rules]).output().unwrap();
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    std::fs::write(host.log(), LINE.repeat(10)).unwrap();
    let mode = std::fs::metadata(host.log()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o640, "logrotate made the next log");
    host.assert_open();
}

#[test]
fn a_directory_that_cannot_be_passed_is_told_and_not_taken_for_an_empty_one() {
    let host = Host::new();
    set_mode(&host.directory(), 0o000);
    host.assert_closed(&[&format!("{} may not list", user()), "setfacl -m u:"]);
    set_mode(&host.directory(), 0o755);
    let deeper = host.directory().join("sites");
    std::fs::create_dir(&deeper).unwrap();
    let config = host.scratch.path().join("agent.yaml");
    let yaml = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, yaml.replace("nginx/access.log", "nginx/sites/access.log")).unwrap();
    set_mode(&host.directory(), 0o600);
    host.assert_closed(&["may not pass through", "setfacl -m u:"]);
    set_mode(&host.directory(), 0o755);
}

#[test]
fn a_program_gets_json_of_a_configuration_that_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let config = scratch.path().join("agent.yaml");
    std::fs::write(&config, "logs: [{paths: [/a]}]\nkafka: {brokers: [\"b:9092\"], topci: t}\n").unwrap();
    let called = call(&["check", "--json", "-c", config.to_str().unwrap()]);
    assert_eq!(called.code, Some(78), "{}", called.stderr);
    let answers: serde_json::Value = serde_json::from_str(&called.stdout).expect("stdout is JSON");
    let [answer] = &answers["results"].as_array().expect("there are results")[..] else {
        panic!("{answers}")
    };
    assert_eq!((&answers["ok"], &answer["status"]), (&false.into(), &"failure".into()));
    let message = answer["message"].as_str().expect("a message is text");
    assert!(message.contains("did you mean `topic`?") && !message.contains('\x1b'), "{message}");
}

#[test]
fn a_user_that_is_not_there_and_eyes_that_one_cannot_have_are_wrong_usage() {
    let host = Host::new();
    let config = host.scratch.path().join("agent.yaml");
    let called = call(&["check", "-c", config.to_str().unwrap(), "--user", "nobody-of-this-name"]);
    assert_eq!(called.code, Some(2), "{}", called.stderr);
    let expected = if is_root() { "is not in /etc/passwd" } else { "only root can look" };
    assert!(called.stderr.contains(expected), "{}", called.stderr);
}

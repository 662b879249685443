//! `viewtail checkpoints` where no Kafka is needed: without transactions the positions are in the local state alone.

use std::fs;
use std::path::{Path, PathBuf};

use crate::binary::{Called, call};

/// A state directory and a configuration that has no broker, and needs none for this.
fn configuration(scratch: &Path) -> PathBuf {
    let path = scratch.join("agent.yaml");
    let text = format!(
        "agent: {{id: cli, state_dir: {0}/state}}\nlogs: [{{paths: [{0}/access.log], format: combined}}]\n\
         kafka: {{brokers: [localhost:1], topic: views, delivery: at_least_once}}\n",
        scratch.display()
    );
    fs::write(&path, text).expect("the configuration can be written");
    path
}

fn checkpoints(configuration: &Path, arguments: &[&str]) -> Called {
    let mut all = vec!["-c", configuration.to_str().expect("scratch paths are UTF-8"), "checkpoints"];
    all.extend(arguments);
    call(&all)
}

/// One generation at `position` of a log whose lines have 8 bytes.
fn export(scratch: &Path, position: u64) -> String {
    format!(
        "{{\"format\":1,\"viewtail\":\"0\",\"agent\":\"old\",\"topic\":\"views\",\"sequence\":3,\"generations\":[{{\"stream\":\
         \"00000000000000aa\",\"position\":{position},\"path\":\"{0}/access.log\",\"home\":\"{0}/access.log\",\"rotated\":false,\"home_hash\":\
         \"0000000000000001\",\"device\":\"0000000000000001\",\"inode\":\"0000000000000001\",\"head_hash\":\"0000000000000001\",\
         \"mark_hash\":\"0000000000000001\",\"begun\":true}}]}}",
        scratch.display()
    )
}

#[test]
fn an_import_is_listed_exported_and_reset() {
    let scratch = tempfile::tempdir().unwrap();
    let configuration = configuration(scratch.path());
    let nothing = checkpoints(&configuration, &["list"]);
    assert_eq!(nothing.code, Some(0), "{}", nothing.stderr);

    let file = scratch.path().join("positions.json");
    fs::write(&file, export(scratch.path(), 4096)).unwrap();
    let name = file.to_str().unwrap();
    let unasked = checkpoints(&configuration, &["import", name]);
    assert_eq!(unasked.code, Some(2), "{}", unasked.stderr);
    assert!(
        unasked.stderr.contains("1 generations of agent old") && unasked.stderr.contains("--yes"),
        "{}",
        unasked.stderr
    );
    let imported = checkpoints(&configuration, &["import", name, "--yes"]);
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);

    let listed = checkpoints(&configuration, &["list", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&listed.stdout).expect("one object");
    assert_eq!(list["generations"][0]["local"], 4096);
    assert_eq!(list["generations"][0]["kafka"], serde_json::Value::Null);
    let shown = checkpoints(&configuration, &["show", "00000000000000aa"]);
    assert!(shown.stdout.contains("access.log") && shown.stdout.contains("4096"), "{}", shown.stdout);

    let exported = checkpoints(&configuration, &["export"]);
    let again: serde_json::Value = serde_json::from_str(&exported.stdout).expect("one object");
    let first: serde_json::Value = serde_json::from_str(&export(scratch.path(), 4096)).unwrap();
    assert_eq!(again["generations"], first["generations"]);
    let kept = checkpoints(&configuration, &["export", name]);
    assert_eq!(kept.code, Some(1), "an export overwrites nothing: {}", kept.stderr);

    assert_eq!(
        checkpoints(&configuration, &["reset", "--yes"]).code,
        Some(2),
        "what is to be reset has to be said"
    );
    let path = scratch.path().join("access.log");
    let reset = checkpoints(&configuration, &["reset", "--yes", path.to_str().unwrap()]);
    assert_eq!(reset.code, Some(0), "{}", reset.stderr);
    let list = checkpoints(&configuration, &["list", "--json"]).stdout;
    assert!(list.contains("\"generations\":[]"), "{list}");
}

#[test]
fn a_file_that_is_another_one_is_not_moved_within() {
    let scratch = tempfile::tempdir().unwrap();
    let configuration = configuration(scratch.path());
    let file = scratch.path().join("positions.json");
    fs::write(&file, export(scratch.path(), 8)).unwrap();
    fs::write(scratch.path().join("access.log"), "1234567\n".repeat(4)).unwrap();
    assert_eq!(checkpoints(&configuration, &["import", file.to_str().unwrap(), "--yes"]).code, Some(0));
    let moved = checkpoints(&configuration, &["seek", "00000000000000aa", "beginning", "--yes"]);
    assert_eq!(moved.code, Some(1), "{}", moved.stderr);
    assert!(moved.stderr.contains("another one than stream 00000000000000aa"), "{}", moved.stderr);
    let unknown = checkpoints(&configuration, &["seek", "/none", "end", "--yes"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("checkpoints list"), "{}", unknown.stderr);
}

//! `viewtail config ...`: what counts, what an option means, the schema.

use serde_json::Value as Json;

use crate::binary::call;

const CONFIG: &str = "logs: [{paths: [/var/log/nginx/access.log]}]
kafka:
  brokers: [localhost:9092]
  topic: page-views
  sasl: {mechanism: SCRAM-SHA-512, username: me, password: canary}
";

#[test]
fn what_counts_is_shown_with_its_origin_for_people_and_for_programs() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("agent.yaml");
    std::fs::write(&file, CONFIG).unwrap();
    let file = file.to_str().unwrap();
    let text = call(&["config", "show", "-c", file]);
    assert_eq!(text.code, Some(0), "{}", text.stderr);
    assert!(
        text.stdout.contains(&format!("# {file}:4")) && text.stdout.contains("# default"),
        "{}",
        text.stdout
    );
    let json = call(&["config", "show", "--json", "-c", file]);
    let shown: Json = serde_json::from_str(&json.stdout).unwrap();
    let options = shown["options"].as_array().unwrap();
    let of = |name: &str| options.iter().find(|option| option["option"] == name).unwrap();
    assert_eq!(of("kafka.topic")["value"], "page-views");
    assert_eq!(of("kafka.topic")["origin"], format!("{file}:4"));
    assert_eq!(of("kafka.delivery")["origin"], "default");
    assert_eq!(of("kafka.sasl.password")["value"], "\"********\"");
    assert!(!(text.stdout + &json.stdout).contains("canary"));
}

#[test]
fn an_option_is_explained_without_any_configuration() {
    let one = call(&["config", "explain", "kafka.commit_interval", "-c", "/nowhere"]);
    assert_eq!(one.code, Some(0), "{}", one.stderr);
    for part in
        ["kafka.commit_interval", "default", "1s", "why", "accepts", "    kafka:\n      commit_interval: 1s"]
    {
        assert!(one.stdout.contains(part), "{part}: {}", one.stdout);
    }
    let all = call(&["config", "explain"]);
    assert!(all.stdout.contains("logs[].paths") && all.stdout.contains("privacy.raw"), "{}", all.stdout);
    let json = call(&["config", "explain", "--json"]);
    let options: Json = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(options[0]["path"], "include");
    let wrong = call(&["config", "explain", "kafka.comit_interval"]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""));
    assert!(wrong.stderr.contains("did you mean kafka.commit_interval?"), "{}", wrong.stderr);
}

#[test]
fn the_schema_is_the_shipped_one() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/agent.schema.json");
    let called = call(&["config", "schema"]);
    assert_eq!((called.code, called.stdout), (Some(0), std::fs::read_to_string(shipped).unwrap()));
}

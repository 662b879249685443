//! What `check` learns of the cluster beside rights: how long records and positions are kept.

use std::process::Command;

use crate::stage::Stage;
use crate::support::agent::binary;
use crate::support::kafka::Kafka;

/// A line of years ago.
const OLD: &str = "192.0.2.1 - - [22/Nov/2021:10:13:39 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl\"\n";

fn check(stage: &Stage, line: &str) -> String {
    let config = stage.scratch.join("check.yaml");
    std::fs::write(&config, stage.config().kafka(line).yaml()).expect("the configuration can be written");
    let output =
        Command::new(binary()).arg("check").arg("-c").arg(&config).output().expect("check can be run");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "a warning is no failure:\n{said}");
    said
}

#[test]
fn records_that_would_be_deleted_when_they_arrive_are_warned_of() {
    let stage = Stage::on(Kafka::shared(), "check-retention", &[("retention.ms", "3600000")]);
    std::fs::write(stage.log(), OLD).expect("the log can be written");
    let said = check(&stage, "timestamp: event");
    assert!(said.contains("warning retention: check-retention"), "{said}");
    assert!(said.contains("keeps records for 1 h") && said.contains("timestamp: now"), "{said}");
    assert!(!check(&stage, "timestamp: now").contains(" retention: "), "its own time is none of the line's");

    let forever = Stage::on(Kafka::shared(), "check-forever", &[("retention.ms", "-1")]);
    std::fs::write(forever.log(), OLD).expect("the log can be written");
    assert!(check(&forever, "timestamp: event").contains("ok      retention: check-forever"));
}

#[test]
fn how_long_positions_are_kept_without_a_state_directory_is_told() {
    let stage = Stage::shared("check-positions");
    std::fs::write(stage.log(), OLD).expect("the log can be written");
    let said = check(&stage, "acks: all");
    // Kafka's default is 7 days.
    assert!(said.contains("away for 168 h (offsets.retention.minutes)"), "{said}");
}

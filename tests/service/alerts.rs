//! The shipped alerts and the dashboard as Prometheus's own checker reads them, and whether each alert fires when it should
//! and only then.

use std::path::Path;
use std::process::Command;

use crate::support::scratch::Scratch;

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = Scratch::new("service-alerts");
    let copies = [
        ("packaging/prometheus/viewtail.rules.yaml", "viewtail.rules.yaml"),
        ("tests/service/alerts.test.yaml", "alerts.test.yaml"),
    ];
    for (from, to) in copies {
        std::fs::copy(repository.join(from), scratch.join(to)).expect("the scratch directory takes a file");
    }
    promtool(&scratch, ["check", "rules", "viewtail.rules.yaml"]);
    promtool(&scratch, ["test", "rules", "alerts.test.yaml"]);
}

#[test]
fn prometheus_understands_what_the_dashboard_asks_for() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/grafana/viewtail.json");
    let text = std::fs::read_to_string(path).expect("the dashboard is there");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("a panel has targets"));
    // Grafana puts a duration in place of its interval; as recording rules the queries are all that promtool needs.
    let rules: Vec<serde_json::Value> = targets
        .map(|target| target["expr"].as_str().expect("a target has an expression"))
        .map(|query| serde_json::json!({"record": "asked", "expr": query.replace("$__rate_interval", "5m")}))
        .collect();
    assert!(rules.len() >= panels.len(), "a panel asks for nothing");
    let groups = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    let scratch = Scratch::new("service-dashboard");
    std::fs::write(scratch.join("dashboard.yaml"), groups.to_string())
        .expect("the scratch directory takes a file");
    promtool(&scratch, ["check", "rules", "dashboard.yaml"]);
}

fn promtool(scratch: &Scratch, arguments: [&str; 3]) {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(scratch.path())
        .output()
        .expect("promtool is installed: tests/tools/setup.sh test");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
}

//! The shipped alerts as Prometheus's own checker reads them, and whether each fires when it should and only then.

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
    for arguments in [["check", "rules", "viewtail.rules.yaml"], ["test", "rules", "alerts.test.yaml"]] {
        let output = Command::new("promtool")
            .args(arguments)
            .current_dir(scratch.path())
            .output()
            .expect("promtool is installed: tests/tools/setup.sh test");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
    }
}

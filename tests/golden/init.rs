//! What `viewtail init` makes of hosts: Debian's and RHEL's layouts, many sites, Apache, Caddy, a container.
//!
//! Each `tests/golden/init/<case>/root` is such a host's root; beside it are `agent.yaml`, where one is written, and `talk.txt`, what
//! is said on the way.

use std::path::Path;
use std::process::Command;

use viewtail::config;

use super::{cases, check};

#[test]
fn every_host_gives_the_configuration_beside_it() {
    let mut hosts: Vec<_> =
        std::fs::read_dir(cases("init")).unwrap().map(|entry| entry.unwrap().path()).collect();
    hosts.sort();
    assert!(hosts.len() >= 7, "cases are missing: {}", hosts.len());
    let wrong: Vec<String> = hosts.iter().flat_map(|host| outputs(host)).filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn outputs(host: &Path) -> Vec<Result<(), String>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viewtail"));
    command.args(["init", "-o", "-", "--root"]).arg(host.join("root"));
    let called = command.env_remove("CLICOLOR_FORCE").output().expect("the binary starts");
    let talk = String::from_utf8(called.stderr).expect("talk is UTF-8");
    let text = String::from_utf8(called.stdout).expect("data is UTF-8");
    let mut results = vec![check(&host.join("talk.txt"), &talk)];
    if called.status.success() {
        config::parse(&text, "agent.yaml").unwrap_or_else(|errors| panic!("{}: {errors}", host.display()));
        results.push(check(&host.join("agent.yaml"), &text));
    } else {
        assert_eq!((called.status.code(), text.as_str()), (Some(1), ""), "{talk}");
    }
    results
}

//! The Dockerfile and the example for Kubernetes: they parse, and say what a sidecar without a disk rests on.

use std::collections::HashMap;
use std::process::Command;

use serde_yaml::Value;

use crate::made::{source, succeed};
use crate::scratch::Scratch;

fn lint(program: &str) -> Command {
    let path = source().join("target/lint/bin").join(program);
    assert!(path.is_file(), "{} is missing: tests/tools/setup.sh test", path.display());
    Command::new(path)
}

/// The manifests by their kind.
fn manifests() -> HashMap<String, Value> {
    use serde::Deserialize as _;
    let text = std::fs::read_to_string(source().join("packaging/kubernetes/sidecar.yaml"));
    let text = text.expect("the example is there");
    let documents = serde_yaml::Deserializer::from_str(&text);
    let documents = documents.map(|document| Value::deserialize(document).expect("each manifest is YAML"));
    documents.map(|document| (document["kind"].as_str().expect("a kind").to_owned(), document)).collect()
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let list = list.as_sequence().unwrap_or_else(|| panic!("a list with {name}"));
    list.iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("{name} is in the list"))
}

#[test]
fn hadolint_has_nothing_to_say() {
    let said = succeed(lint("hadolint").arg(source().join("packaging/docker/Dockerfile")));
    assert_eq!(said, "");
}

#[test]
fn kubernetes_would_take_the_manifests() {
    let said = succeed(lint("kubernetes-validate").arg("--strict").arg("packaging/kubernetes/sidecar.yaml"));
    assert_eq!(said.matches(" passed for resource ").count(), manifests().len(), "{said}");
}

#[test]
fn the_agents_id_is_the_stable_name_of_its_pod() {
    let manifests = manifests();
    let text = manifests["ConfigMap"]["data"]["agent.yaml"].as_str().expect("the configuration");
    let config: Value = serde_yaml::from_str(text).expect("it is YAML");
    assert_eq!(config["agent"]["id"], "${POD_NAME}");
    let scratch = Scratch::new("pod-config");
    let path = scratch.join("agent.yaml");
    std::fs::write(&path, text).expect("the scratch directory takes a file");
    let mut show = Command::new(env!("CARGO_BIN_EXE_viewtail"));
    let shown = succeed(show.args(["config", "show", "-c"]).arg(&path).env("POD_NAME", "blog-0"));
    assert!(shown.contains("blog-0"), "the agent understands it:\n{shown}");
    // Names of a StatefulSet's pods come back, those of a Deployment's do not.
    let pod = &manifests["StatefulSet"]["spec"]["template"]["spec"];
    let sidecar = named(&pod["initContainers"], "viewtail");
    assert_eq!(sidecar["restartPolicy"], "Always", "what makes it a sidecar");
    let variable = named(&sidecar["env"], "POD_NAME");
    assert_eq!(variable["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");
}

#[test]
fn the_sidecar_keeps_nothing_on_a_disk_and_may_do_nothing_but_read_the_logs() {
    let manifests = manifests();
    let set = &manifests["StatefulSet"]["spec"];
    assert!(set["volumeClaimTemplates"].is_null());
    let pod = &set["template"]["spec"];
    assert_eq!(named(&pod["volumes"], "state")["emptyDir"]["medium"], "Memory");
    assert!(named(&pod["volumes"], "logs")["emptyDir"].is_mapping());
    let sidecar = named(&pod["initContainers"], "viewtail");
    assert_eq!(named(&sidecar["volumeMounts"], "logs")["readOnly"], true);
    let security = &sidecar["securityContext"];
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["allowPrivilegeEscalation"], false);
    assert_eq!(security["capabilities"]["drop"][0], "ALL");
    // The agent takes up to 30 s to deliver what it read.
    let grace = pod["terminationGracePeriodSeconds"].as_u64();
    assert!(grace.is_some_and(|seconds| seconds > 30), "{grace:?}");
}

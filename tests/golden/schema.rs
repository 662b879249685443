//! The JSON Schema of agent.yaml: the shipped file is what the readers say, and it judges as they do.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use viewtail::config;

use super::{cases, check};

/// Wrong configurations that only the readers can know to be wrong: rules between options, what a format makes of its
/// text, keys that are given twice. What a single value can be is the schema's to know, so nothing else belongs here.
const BEYOND_A_SCHEMA: [&str; 8] = [
    "acks_none",
    "cross_rules",
    "duplicate_key",
    "format_faults",
    "sasl_token",
    "sasl_token_in_vain",
    "sasl_without_password",
    "topic_template_faults",
];

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&config::schema()).expect("the schema is a schema")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A text as a validator of an editor sees it; `None` if it is not YAML.
fn json_of(yaml: &str) -> Option<Json> {
    serde_yaml::from_str(yaml).ok()
}

#[test]
fn the_shipped_schema_is_made_of_what_the_readers_say() {
    let text = serde_json::to_string_pretty(&config::schema()).unwrap() + "\n";
    check(&root().join("schema/agent.schema.json"), &text).unwrap();
}

#[test]
fn the_shipped_file_names_the_schema_and_is_valid_by_it() {
    let shipped = std::fs::read_to_string(root().join("agent.yaml")).unwrap();
    let reference = "# yaml-language-server: $schema=/usr/share/viewtail/agent.schema.json";
    assert_eq!(shipped.lines().next(), Some(reference));
    let errors: Vec<String> =
        validator().iter_errors(&json_of(&shipped).unwrap()).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn every_example_of_an_explanation_is_valid() {
    let complete = "logs: [{paths: [/a.log]}]\nkafka: {brokers: [a], topic: t}\n";
    let validator = validator();
    for option in config::options() {
        let mut document = json_of(complete).unwrap();
        merge(&mut document, json_of(&option.example).unwrap());
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", option.path);
    }
}

/// Puts what `new` gives over what is there, items of lists by their number.
fn merge(document: &mut Json, new: Json) {
    match (document, new) {
        (Json::Object(old), Json::Object(new)) => {
            for (key, value) in new {
                merge(old.entry(key).or_insert(Json::Null), value);
            }
        }
        (Json::Array(old), Json::Array(new)) if new.iter().all(Json::is_object) => {
            for (old, new) in old.iter_mut().zip(new) {
                merge(old, new);
            }
        }
        (old, new) => *old = new,
    }
}

#[test]
fn the_schema_judges_as_the_readers_do() {
    let validator = validator();
    let mut refused = 0;
    for file in yaml_files(&cases("config")) {
        let yaml = std::fs::read_to_string(&file).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(document) = json_of(&yaml) else { continue };
        let is_right = config::parse(&yaml, "agent.yaml").is_ok();
        let accepted = validator.is_valid(&document);
        assert!(accepted || !is_right, "{name} is right, and the schema refuses it");
        let is_beyond = BEYOND_A_SCHEMA.contains(&name.as_str());
        if !is_right && !is_beyond {
            assert!(!accepted, "{name} is wrong, and the schema accepts it");
            refused += 1;
        }
    }
    assert!(refused >= 10, "only {refused} wrong configurations were seen");
}

fn yaml_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the cases are there");
    let files = entries.map(|entry| entry.expect("the cases can be listed").path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml")).collect()
}

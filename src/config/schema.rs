//! The JSON Schema of agent.yaml (draft 7, which editors know best), made of what the readers ask for.
//!
//! It says what a value alone can be; what must hold between options, and whether a format or a pattern is one, only
//! the readers know. So whatever it refuses is wrong, and what it accepts `viewtail check` still has to see.

use serde_json::{Map, Value as Json, json};

use super::options::{ConfigOption, options};
use super::survey::{Declared, Presence};

/// The schema, as it is shipped.
#[must_use]
pub fn schema() -> Json {
    let declared = super::survey_all();
    let options = options();
    let mut root = mapping(&Tree { declared: &declared, options: &options }, "");
    let fields = root.as_object_mut().expect("a mapping's schema is an object");
    fields.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    fields.insert("title".to_owned(), json!("agent.yaml of viewtail"));
    let description = "An environment variable, in capitals: ${NAME} or ${NAME:-default}";
    let pattern = r"\$\{[A-Z_][A-Z0-9_]*(:-[^}]*)?\}";
    let variable = json!({"type": "string", "pattern": pattern, "description": description});
    fields.insert("definitions".to_owned(), json!({"variable": variable}));
    root
}

struct Tree<'a> {
    declared: &'a [Declared],
    options: &'a [ConfigOption],
}

/// The schema of the options right below `prefix`, which ends in a dot unless it is empty.
fn mapping(tree: &Tree<'_>, prefix: &str) -> Json {
    let mut properties = Map::new();
    let (mut required, mut alternatives) = (Vec::new(), Vec::new());
    for declared in tree.declared {
        let Some(key) = declared.path.strip_prefix(prefix).filter(|key| !key.contains('.')) else { continue };
        match declared.presence {
            Presence::Required(_) => required.push(key),
            Presence::Alternative(_) => alternatives.push(json!({"required": [key]})),
            Presence::Default(_) | Presence::AtTheTop => {}
        }
        properties.insert(key.to_owned(), option(tree, declared));
    }
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if let Some(fields) = schema.as_object_mut() {
        if !required.is_empty() {
            fields.insert("required".to_owned(), json!(required));
        }
        if !alternatives.is_empty() {
            fields.insert("oneOf".to_owned(), json!(alternatives));
        }
    }
    schema
}

fn option(tree: &Tree<'_>, declared: &Declared) -> Json {
    let mut kinds = Vec::new();
    kinds.extend(declared.shape.iter().map(|shape| shape.schema.clone()));
    for (prefix, is_list) in
        [(".", false), ("[].", true)].map(|(end, list)| (declared.path.clone() + end, list))
    {
        if !tree.declared.iter().any(|other| other.path.starts_with(&prefix)) {
            continue;
        }
        let mapping = mapping(tree, &prefix);
        kinds.push(if is_list { json!({"type": "array", "items": mapping}) } else { mapping });
    }
    if declared.shape.is_none() && matches!(declared.presence, Presence::Default(_)) {
        kinds.push(json!({"type": "null"}));
    }
    let mut schema = match kinds.len() {
        1 => json!({"allOf": kinds}),
        _ => json!({"anyOf": kinds}),
    };
    let about = tree.options.iter().find(|option| option.path == declared.path);
    if let (Some(about), Some(fields)) = (about, schema.as_object_mut()) {
        let default = about.default.as_ref().map_or(String::new(), |default| format!("\nDefault: {default}"));
        let accepts = about.accepts.as_ref().map_or(String::new(), |accepts| format!("\nAccepts: {accepts}"));
        fields.insert("description".to_owned(), json!(format!("{}{accepts}{default}", about.meaning)));
    }
    schema
}

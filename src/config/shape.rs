//! What may stand as the value of an option: in words for people, as JSON Schema for editors.
//!
//! A type says its shape where it says how it is read, so that neither can change without the other in sight.

use serde_json::{Value as Json, json};

use super::units::Measure;

/// What an option accepts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    /// As it follows "is": `a size from 1kB to 1GiB`.
    pub words: String,
    /// A schema of draft 7 without title and description.
    pub schema: Json,
}

impl Shape {
    /// Any text, described.
    pub(super) fn text(words: &str) -> Self {
        Self { words: words.to_owned(), schema: json!({"type": "string", "minLength": 1}) }
    }

    /// Text that a regular expression of ECMA 262 matches.
    pub(super) fn matching(words: &str, pattern: &str) -> Self {
        Self { words: words.to_owned(), schema: or_variable(&json!({"type": "string", "pattern": pattern})) }
    }

    /// One of these words.
    pub(super) fn one_of(words: &[&str]) -> Self {
        Self { words: words.join(", "), schema: or_variable(&json!({"enum": words})) }
    }

    pub(super) fn boolean() -> Self {
        Self { words: "true, false".to_owned(), schema: or_variable(&json!({"type": "boolean"})) }
    }

    /// A whole number, both ends included.
    pub(super) fn whole(low: i128, high: i128) -> Self {
        let schema = json!({"type": "integer", "minimum": low, "maximum": high});
        Self { words: format!("a whole number from {low} to {high}"), schema: or_variable(&schema) }
    }

    /// A number with a unit; its bounds are in the words alone, because a schema cannot reckon with units.
    pub(super) fn measured(measure: Measure, low: u64, high: u64) -> Self {
        let (low, high) = (measure.show(low), measure.show(high));
        Self { words: format!("{} from {low} to {high}", measure.noun()), ..Self::any(measure) }
    }

    /// Any number with a unit.
    pub(super) fn any(measure: Measure) -> Self {
        let units: Vec<&str> = measure.unit_names().collect();
        let pattern = format!("^([0-9]+ *({})|0)$", units.join("|"));
        let text = json!({"type": "string", "pattern": pattern});
        let schema = json!({"anyOf": [{"const": 0}, text, variable()]});
        Self { words: measure.noun().to_owned(), schema }
    }

    /// A list of what this is.
    pub(super) fn listed(self) -> Self {
        let schema = json!({"type": ["array", "null"], "items": self.schema});
        Self { words: format!("a list; each is {}", self.words), schema }
    }

    /// A list of what this is that has an item.
    pub(super) fn filled(self) -> Self {
        let schema = json!({"type": "array", "minItems": 1, "items": self.schema});
        Self { words: format!("a list of at least one; each is {}", self.words), schema }
    }

    /// A mapping whose keys are not viewtail's.
    pub(super) fn open(words: &str) -> Self {
        let values = json!({"type": ["string", "number", "boolean"]});
        let schema = json!({"type": ["object", "null"], "additionalProperties": values});
        Self { words: words.to_owned(), schema }
    }

    /// What stands at the top under this key.
    pub(super) fn as_at_the_top(key: &str) -> Self {
        Self {
            words: format!("as `{key}` at the top of the file, for this log alone"),
            schema: json!({"$ref": format!("#/properties/{key}")}),
        }
    }

    /// This or that.
    pub(super) fn or(self, other: &Self) -> Self {
        let words = format!("{}, or {}", self.words, other.words);
        Self { words, schema: json!({"anyOf": [self.schema, other.schema]}) }
    }

    /// This, or nothing.
    pub(super) fn or_null(self) -> Self {
        Self { schema: json!({"anyOf": [self.schema, {"type": "null"}]}), ..self }
    }
}

/// Where a schema tells what text may be: an environment variable may stand for it.
fn or_variable(schema: &Json) -> Json {
    json!({"anyOf": [schema, variable()]})
}

fn variable() -> Json {
    json!({"$ref": "#/definitions/variable"})
}

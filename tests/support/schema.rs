//! The published schema, and what is true of every event beside it: every event of the tests comes through here.

use std::fmt;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The most bytes of an event, as consumers are promised.
const EVENT_BYTES_MAX: usize = 192 * 1024;

const TEXT: &str = include_str!("../../schema/view-event-v1.schema.json");

static SCHEMA: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&parsed_schema()).expect("the schema is one"));

fn parsed_schema() -> Value {
    serde_json::from_str(TEXT).expect("the schema is JSON")
}

/// The fields in the order of the schema, whose text has one on a line.
pub static FIELDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let properties = TEXT.split_once(r#""properties": {"#).expect("the schema has fields").1;
    let properties = properties.split_once(r#""patternProperties""#).expect("behind the fields").0;
    let name = |line: &'static str| Some(line.strip_prefix("    \"")?.split_once("\": {")?.0);
    properties.lines().filter_map(name).collect()
});

/// The members of an object in their order, doubled ones too, which a map would hide.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Reads an event that is one line of JSON, no larger than allowed, of the schema, with its fields in order and once.
pub fn read(event: &[u8]) -> Result<Value, String> {
    if event.len() > EVENT_BYTES_MAX {
        return Err(format!("{} bytes", event.len()));
    }
    if event.iter().any(|byte| *byte < b' ') {
        return Err("a control byte".to_owned());
    }
    let members = serde_json::from_slice::<Members>(event).map_err(|error| error.to_string())?.0;
    let places = members.iter().map(|(key, _)| place_of(key)).collect::<Option<Vec<_>>>();
    let places = places.ok_or_else(|| format!("a field that the schema does not know: {members:?}"))?;
    if !places.is_sorted_by(|one, next| one < next) {
        return Err(format!("fields out of order: {members:?}"));
    }
    let value: Value = members.into_iter().collect();
    let errors: Vec<String> = SCHEMA.iter_errors(&value).map(|error| format!("{error}: {value}")).collect();
    if errors.is_empty() { Ok(value) } else { Err(errors.join("; ")) }
}

/// Where a field stands among all; further variables stand behind `raw`, by their names.
fn place_of(key: &str) -> Option<(usize, &str)> {
    let known = if key.starts_with("x_") { "raw" } else { key };
    let place = FIELDS.iter().position(|field| *field == known)?;
    Some((place, key.strip_prefix("x_").unwrap_or_default()))
}

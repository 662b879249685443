//! YAML as a tree in which every node knows its place. The home of `serde_yaml`.
//!
//! `serde_yaml` says what a text means; it gives values no place and stops at its first type error. So it fills this
//! tree, which takes any type and any key, twice the same key too, and the readers judge the tree as a whole. Places
//! come from the scan: both parsers visit the same nodes in the same order.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::finding::Finding;
use super::place::Place;
use super::source::ConfigSource;
use super::syntax;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub place: Place,
    pub kind: Kind,
}

/// What a value is in YAML 1.2: `no`, `on` and `yes` are text.
#[derive(Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub key: Node,
    pub value: Node,
}

impl Node {
    /// Moves this and all that is in it behind so many bytes.
    pub(super) fn shift(&mut self, bytes: usize) {
        self.place = self.place.shifted(bytes);
        match &mut self.kind {
            Kind::List(nodes) => nodes.iter_mut().for_each(|node| node.shift(bytes)),
            Kind::Map(entries) => entries.iter_mut().for_each(|Entry { key, value }| {
                key.shift(bytes);
                value.shift(bytes);
            }),
            Kind::Null | Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) => {}
        }
    }

    /// What stands here, in words; long text is cut.
    pub(super) fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Bool(value) => format!("the truth value {value}"),
            Kind::Integer(value) => format!("the number {value}"),
            Kind::Float(value) => format!("the number {value}"),
            Kind::Text(text) => format!("the text {}", quoted(text)),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// A text in backticks, cut where it is too long to be read in a message.
pub(super) fn quoted(text: &str) -> String {
    /// Half a line of a terminal.
    const CHARS_MAX: usize = 40;
    match text.char_indices().nth(CHARS_MAX) {
        Some((cut, _)) => format!("`{}...`", &text[..cut]),
        None => format!("`{text}`"),
    }
}

/// Whether YAML reads this, written without quotes, as this text.
pub(super) fn is_plain_text(text: &str) -> bool {
    serde_yaml::from_str::<serde_yaml::Value>(text).is_ok_and(|value| value.as_str() == Some(text))
}

/// Builds the tree of a text that was scanned to its end.
pub(super) fn parse(source: &ConfigSource, places: &[Place]) -> Result<Node, Finding> {
    let places = Places { places, next: Cell::new(0) };
    let node = (&places).deserialize(serde_yaml::Deserializer::from_str(source.text()));
    node.map_err(|error| syntax_error(source, &error, Place::default()))
}

/// Why a text is not YAML. Asks `serde_yaml`, which names causes better than the scanner; `seen` is what the scanner
/// saw, for the case that they disagree. Nothing is built and no alias followed, whatever the text is.
pub(super) fn explain(source: &ConfigSource, place: Place, seen: &str) -> Finding {
    match serde::Deserialize::deserialize(serde_yaml::Deserializer::from_str(source.text())) {
        Err(error) => syntax_error(source, &error, place),
        Ok(IgnoredAny) => syntax::finding(source, place, seen),
    }
}

fn syntax_error(source: &ConfigSource, error: &serde_yaml::Error, otherwise: Place) -> Finding {
    let place = error.location().map(|location| source.place_of(location.line(), location.column()));
    syntax::finding(source, place.unwrap_or(otherwise), &error.to_string())
}

/// Hands each node its place.
struct Places<'a> {
    places: &'a [Place],
    next: Cell<usize>,
}

impl Places<'_> {
    fn take(&self) -> Place {
        let next = self.next.replace(self.next.get() + 1);
        self.places.get(next).copied().unwrap_or_default()
    }
}

impl<'de> DeserializeSeed<'de> for &Places<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let place = self.take();
        Ok(Node { place, kind: deserializer.deserialize_any(self)? })
    }
}

impl<'de> Visitor<'de> for &Places<'_> {
    type Value = Kind;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    /// What an empty document is.
    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Kind, E> {
        Ok(Kind::Integer(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Kind, E> {
        Ok(Kind::Integer(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(self)? {
            nodes.push(node);
        }
        Ok(Kind::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(self)? {
            entries.push(Entry { key, value: map.next_value_seed(self)? });
        }
        Ok(Kind::Map(entries))
    }
}

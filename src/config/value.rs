//! The types of single options: from a node to a value, and from a value back to YAML.

use std::ops::Range;
use std::path::{Component, PathBuf};

use super::node::{Kind, Node, is_plain_text, quoted};
use super::reader::did_you_mean;
use super::secret::{MASK, Secret};
use super::shape::Shape;

/// Why a value is wrong. The message goes on where the option's name ends: "must be text, found ...".
pub(super) struct Fault {
    pub message: String,
    pub help: String,
    /// The bytes of the value that are blamed; `None`: all of them.
    pub within: Option<Range<usize>>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into(), within: None }
    }

    /// The same, with the blame on some bytes of the value alone.
    pub(super) fn at(self, within: Range<usize>) -> Self {
        Self { within: Some(within), ..self }
    }
}

/// A type that an option can have.
pub(super) trait Value: Sized {
    /// Reads a node that is not null.
    fn read(node: &Node) -> Result<Self, Fault>;

    /// The value in YAML, on one line; reading it gives the value again, secrets excepted.
    fn show(&self) -> String;

    /// What [`Value::read`] takes.
    fn shape() -> Shape;
}

/// A type with a fixed set of words.
pub(super) trait Choice: Copy + PartialEq + 'static {
    /// The words and what they mean.
    const WORDS: &'static [(&'static str, Self)];

    /// Words that are settled and cannot be used yet.
    const LATER: &'static [&'static str] = &[];

    /// The word for a value.
    fn word(self) -> &'static str {
        let word = Self::WORDS.iter().find(|(_, value)| *value == self);
        word.map_or("", |(word, _)| word)
    }
}

impl<T: Choice> Value for T {
    fn read(node: &Node) -> Result<Self, Fault> {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        let listed: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        let listed = listed.join(", ");
        let Kind::Text(text) = &node.kind else {
            let fault = format!("must be one of {listed}, found {}", node.describe());
            return Err(Fault::new(fault, "write one of these words"));
        };
        if T::LATER.contains(&text.as_str()) {
            return Err(Fault::new(
                format!("cannot be `{text}` in this version"),
                format!("use one of {listed}"),
            ));
        }
        let found = T::WORDS.iter().find(|(word, _)| word == text).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let fault = format!("must be one of {listed}, found {}", node.describe());
            Fault::new(fault, did_you_mean(text, &words, "value"))
        })
    }

    fn show(&self) -> String {
        self.word().to_owned()
    }

    fn shape() -> Shape {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        Shape::one_of(&words)
    }
}

impl Value for String {
    /// Text of at least one character, none of them a control character: names, hosts, paths.
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = any_text(node)?;
        if text.is_empty() {
            return Err(Fault::new("must not be empty", "write a value, or remove the line"));
        }
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            let fault = format!("must not contain the control character {}", control.escape_unicode());
            return Err(Fault::new(fault, "remove it"));
        }
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        yaml_text(self)
    }

    fn shape() -> Shape {
        Shape::text("text")
    }
}

impl Value for bool {
    fn read(node: &Node) -> Result<Self, Fault> {
        let fault = || format!("must be true or false, found {}", node.describe());
        match &node.kind {
            Kind::Bool(value) => Ok(*value),
            Kind::Text(text) => Err(match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" => Fault::new(fault(), "YAML 1.2 takes that for text: write true"),
                "no" | "off" | "n" => Fault::new(fault(), "YAML 1.2 takes that for text: write false"),
                _ => Fault::new(fault(), "write true or false, without quotes"),
            }),
            Kind::Null | Kind::Integer(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => {
                Err(Fault::new(fault(), "write true or false"))
            }
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn shape() -> Shape {
        Shape::boolean()
    }
}

impl Value for i32 {
    fn read(node: &Node) -> Result<Self, Fault> {
        let whole = match &node.kind {
            Kind::Integer(number) => Self::try_from(*number).ok(),
            Kind::Null | Kind::Bool(_) | Kind::Float(_) | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => {
                None
            }
        };
        let fault = || format!("must be a whole number, found {}", node.describe());
        whole.ok_or_else(|| Fault::new(fault(), "write digits alone, without quotes or unit"))
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn shape() -> Shape {
        Shape::whole(Self::MIN.into(), Self::MAX.into())
    }
}

impl Value for PathBuf {
    /// The path of a file or directory: absolute, because a service has no current directory worth the name.
    fn read(node: &Node) -> Result<Self, Fault> {
        let path = Self::from(String::read(node)?);
        absolute(&path).map(|()| path)
    }

    fn show(&self) -> String {
        yaml_text(&self.to_string_lossy())
    }

    fn shape() -> Shape {
        Shape::matching("an absolute path", "^/")
    }
}

impl Value for Secret {
    fn read(node: &Node) -> Result<Self, Fault> {
        match &node.kind {
            Kind::Text(text) if !text.is_empty() => Ok(Self::new(text.clone())),
            Kind::Null
            | Kind::Bool(_)
            | Kind::Integer(_)
            | Kind::Float(_)
            | Kind::Text(_)
            | Kind::List(_)
            | Kind::Map(_) => Err(Fault::new("must be text that is not empty", "put it in quotes")),
        }
    }

    fn show(&self) -> String {
        yaml_text(MASK)
    }

    fn shape() -> Shape {
        Shape::text("a secret text")
    }
}

/// Refuses a path that is not absolute or that climbs.
pub(super) fn absolute(path: &std::path::Path) -> Result<(), Fault> {
    if !path.is_absolute() {
        let fault = format!("must be an absolute path, found {}", quoted(&path.to_string_lossy()));
        return Err(Fault::new(fault, "begin it with `/`"));
    }
    if path.components().any(|component| component == Component::ParentDir) {
        let fault = format!("must not contain `..`, found {}", quoted(&path.to_string_lossy()));
        return Err(Fault::new(fault, "write the path that is meant"));
    }
    Ok(())
}

/// The text of a node, whatever characters it has.
pub(super) fn any_text(node: &Node) -> Result<&str, Fault> {
    let fault = || format!("must be text, found {}", node.describe());
    match &node.kind {
        Kind::Text(text) => Ok(text),
        Kind::Bool(value) => Err(Fault::new(fault(), format!("put it in quotes: \"{value}\""))),
        Kind::Integer(value) => Err(Fault::new(fault(), format!("put it in quotes: \"{value}\""))),
        Kind::Null | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => {
            Err(Fault::new(fault(), "put it in quotes"))
        }
    }
}

/// A text as YAML on one line, quoted where it has to be. Inside brackets commas and brackets need quotes too, and
/// a quoted text is right everywhere.
pub(super) fn yaml_text(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-*+@:$=~".contains(c);
    let begins_plainly = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    if begins_plainly && text.chars().all(plain) && !text.ends_with(':') && is_plain_text(text) {
        return text.to_owned();
    }
    // A JSON string is a double-quoted YAML scalar.
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_text_is_read_as_the_same_text() {
        for text in [
            "web-1",
            "no",
            "null",
            "5",
            "1.5",
            "true",
            "a: b",
            "*.log",
            "/var/log/*.log",
            "x\ny",
            "",
            "é",
            "[a]",
            "a,b",
            "0x10",
            "$host",
            "a:",
        ] {
            let yaml = format!("[{}, z]", yaml_text(text));
            let read: Vec<String> = serde_yaml::from_str(&yaml).unwrap();
            assert_eq!(read, [text, "z"], "{yaml}");
        }
    }
}

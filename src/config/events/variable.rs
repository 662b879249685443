//! Names of variables that a log format writes, as options give them.

use super::Asked;
use crate::config::node::{Kind, Node, quoted};
use crate::config::reader::Section;
use crate::config::shape::Shape;
use crate::config::value::{Fault, Value};
use crate::event::may_be_shown;

/// A variable by nginx's name, lower-case, without its `$`.
pub(super) struct Variable(pub(super) String);

impl Value for Variable {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        let name = bare(&text);
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let fault = format!("must be the name of a variable of the log format, found {}", quoted(&text));
            return Err(Fault::new(fault, "write it as nginx calls it, for example cookie_vid"));
        }
        Ok(Self(name.to_ascii_lowercase()))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::text("the name of a variable of the log format")
    }
}

/// A variable that becomes a field of the event.
pub(super) struct Extra(pub(super) String);

impl Value for Extra {
    fn read(node: &Node) -> Result<Self, Fault> {
        let Variable(name) = Variable::read(node)?;
        if !may_be_shown(&name) {
            let fault =
                format!("must not take {} along: it lets its reader in as the visitor", quoted(&name));
            return Err(Fault::new(
                fault,
                "leave it out; a cookie that tells visitors apart is `visitor.cookie`",
            ));
        }
        Ok(Self(name))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::text("the name of a variable of the log format")
    }
}

/// A header of the request, or a variable with its `$`.
pub(super) struct Header(pub(super) String);

impl Value for Header {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        if text.starts_with('$') || text.starts_with("http_") {
            return Variable::read(node).map(|Variable(name)| Self(name));
        }
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
            let fault = format!("must be the name of one header, found {}", quoted(&text));
            return Err(Fault::new(
                fault,
                "write it as in X-Forwarded-For; the log has it as $http_x_forwarded_for",
            ));
        }
        Ok(Self(format!("http_{}", text.to_ascii_lowercase().replace('-', "_"))))
    }

    fn show(&self) -> String {
        if self.0.starts_with("http_") { self.0.show() } else { format!("${}", self.0).show() }
    }

    fn shape() -> Shape {
        Shape::text("the name of a header, or a variable with its $")
    }
}

/// The variable of an option that is given, with the option's place.
pub(super) fn asked(section: &Section<'_>, key: &str, variable: Option<&str>) -> Vec<Asked> {
    let entry = section.entry(key).zip(variable);
    let asked = |(entry, variable): (&crate::config::node::Entry, &str)| Asked {
        place: entry.value.place,
        variable: variable.to_owned(),
    };
    entry.map(asked).into_iter().collect()
}

/// The variables of a list that is given, each with its own place.
pub(super) fn asked_in_list(section: &Section<'_>, key: &str) -> Vec<Asked> {
    let nodes: &[Node] = match section.entry(key).map(|entry| &entry.value.kind) {
        Some(Kind::List(nodes)) => nodes,
        Some(
            Kind::Null | Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) | Kind::Map(_),
        )
        | None => &[],
    };
    let asked = |node: &Node| {
        let Variable(variable) = Variable::read(node).ok()?;
        Some(Asked { place: node.place, variable })
    };
    nodes.iter().filter_map(asked).collect()
}

/// Without `$` or `${}`.
fn bare(text: &str) -> &str {
    let Some(name) = text.strip_prefix('$') else { return text };
    name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name)
}

//! PURE: log formats. A format is compiled once; a line is split by it into fields without copying.
//!
//! Whoever reads a line asks for nginx's variables by [`Field`], whatever server wrote it. Knows nothing of events.

mod address;
mod apache;
mod escape;
mod expression;
mod fields;
mod json;
mod known;
mod matcher;
#[cfg(test)]
mod properties;
pub mod request;
mod template;
pub mod time;
mod variable;

use std::sync::Arc;

pub use address::ipv6;
pub use escape::Escape;
#[cfg(test)]
pub(crate) use escape::write_as_nginx;
pub use fields::{Fields, Slot, Spans, Value};
pub use template::{FormatError, Remark};
pub use variable::Field;

use expression::Expression;
use fields::Writing;
use json::Map;
use matcher::Matcher;
use template::Compiled;
use variable::Unit;

/// A compiled log format. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Format {
    dialect: Dialect,
    names: Arc<[String]>,
    /// The variable of each field, by the field's number.
    slots: [Option<Slot>; Field::ALL.len()],
    /// How each variable is written.
    writings: Arc<[Writing]>,
    warnings: Arc<[Remark]>,
}

/// How lines are written, and so how they are split.
#[derive(Clone, Debug)]
enum Dialect {
    /// Literals and variables.
    Text(Matcher),
    /// One JSON object.
    Json(Map),
    /// A regular expression with named groups.
    Regex(Expression),
}

impl Format {
    /// The formats that have a name.
    pub const KNOWN: &[&str] = known::NAMES;

    /// Compiles the text of an nginx `log_format`, as it stands between the quotes in nginx.conf.
    ///
    /// # Errors
    /// All mistakes of the template, each with its place and remedy; without escaping also each variable by which a
    /// request could write lines of its own.
    pub fn nginx(template: &str, escape: Escape) -> Result<Self, FormatError> {
        match template::forgeable(template) {
            Some(error) if escape == Escape::None => Err(error),
            Some(_) | None => Self::nginx_forced(template, escape),
        }
    }

    /// As [`Self::nginx`], for somebody who wants `escape=none` whatever requests can do with it.
    ///
    /// # Errors
    /// All mistakes of the template.
    pub fn nginx_forced(template: &str, escape: Escape) -> Result<Self, FormatError> {
        template::compile(template, escape).map(Self::text)
    }

    /// Compiles the text of an Apache `LogFormat`, as it stands between the quotes in httpd.conf.
    ///
    /// # Errors
    /// All mistakes, each with its place and remedy.
    pub fn apache(template: &str) -> Result<Self, FormatError> {
        apache::compile(template).map(Self::text)
    }

    /// Lines that are JSON objects: pairs of a variable's name and the path of its key, with dots. The path of a list
    /// means its first element. `request_time_ms`, `_us` and `_ns` are `request_time` in these units.
    ///
    /// # Errors
    /// All mistakes; the place of each is the number of its pair.
    pub fn json(pairs: &[(&str, &str)]) -> Result<Self, FormatError> {
        let json::Compiled { map, names, units, warnings } = json::compile(pairs)?;
        Ok(Self::new(Dialect::Json(map), names, units, warnings))
    }

    /// Lines that a regular expression matches from their first byte to their last; its named groups are variables, and
    /// their values are escaped as `escape` says.
    ///
    /// # Errors
    /// The expression's mistakes, with their places.
    pub fn regex(pattern: &str, escape: Escape) -> Result<Self, FormatError> {
        let expression::Compiled { expression, names, units, warnings } =
            expression::compile(pattern, escape)?;
        Ok(Self::new(Dialect::Regex(expression), names, units, warnings))
    }

    /// The format of a well-known name, one of [`Self::KNOWN`].
    #[must_use]
    pub fn known(name: &str) -> Option<Self> {
        known::of(name)
    }

    /// The text of a named format, as the server's configuration would have it; `None` for those that have none.
    #[must_use]
    pub fn text_of(name: &str) -> Option<&'static str> {
        known::text_of(name)
    }

    /// The name of the known format with this text, whether or not its quotes have backslashes.
    #[must_use]
    pub fn name_of(text: &str) -> Option<&'static str> {
        let plain = |text: &str| text.replace("\\\"", "\"");
        Self::KNOWN.iter().copied().find(|name| known::text_of(name).map(plain) == Some(plain(text)))
    }

    /// nginx's `combined`.
    #[must_use]
    pub fn combined() -> Self {
        Self::known("combined").expect("it is known")
    }

    /// `main`, as nginx's packages configure it: `combined` and `"$http_x_forwarded_for"`.
    #[must_use]
    pub fn main() -> Self {
        Self::known("main").expect("it is known")
    }

    /// The name of the known format that fits most of `lines`, if one fits more than half of them.
    #[must_use]
    pub fn best_fit(lines: &[&[u8]]) -> Option<&'static str> {
        let mut spans = Spans::default();
        let mut best = None;
        let mut most = lines.len() / 2;
        for name in Self::KNOWN {
            let Some(format) = Self::known(name) else { continue };
            let fitting = lines.iter().filter(|line| format.split(line, &mut spans).is_some()).count();
            if fitting > most {
                (best, most) = (Some(*name), fitting);
            }
        }
        best
    }

    fn text(compiled: Compiled) -> Self {
        let Compiled { matcher, names, units, warnings } = compiled;
        Self::new(Dialect::Text(matcher), names, units, warnings)
    }

    fn new(dialect: Dialect, names: Vec<String>, units: Vec<Unit>, warnings: Vec<Remark>) -> Self {
        let mut slots = [None; Field::ALL.len()];
        for (place, field) in slots.iter_mut().zip(Field::ALL) {
            *place = names.iter().position(|name| name == field.name()).map(Slot);
        }
        let escape = match &dialect {
            Dialect::Text(matcher) => matcher.escape,
            Dialect::Json(_) => Escape::JsonText,
            Dialect::Regex(expression) => expression.escape,
        };
        let writings = units.into_iter().map(|unit| Writing { escape, unit }).collect();
        Self { dialect, names: names.into(), slots, writings, warnings: warnings.into() }
    }

    /// The same format of a writer that escapes these variables alone.
    fn quoting(mut self, quoted: &[&str]) -> Self {
        let writing = |(name, writing): (&String, &Writing)| {
            let escape = if quoted.contains(&name.as_str()) { writing.escape } else { Escape::None };
            Writing { escape, ..*writing }
        };
        self.writings = self.names.iter().zip(self.writings.iter()).map(writing).collect();
        self
    }

    /// What is doubtful about the format, in the order of the template.
    #[must_use]
    pub fn warnings(&self) -> &[Remark] {
        &self.warnings
    }

    /// Splits a line (without its terminator) if the whole line is of this format.
    #[must_use]
    pub fn split<'a>(&'a self, line: &'a [u8], spans: &'a mut Spans) -> Option<Fields<'a>> {
        let fits = match &self.dialect {
            Dialect::Text(matcher) => matcher.run(line, spans),
            Dialect::Json(map) => map.run(line, spans),
            Dialect::Regex(expression) => expression.run(line, spans),
        };
        fits.then_some(Fields { format: self, line, spans: &spans.values })
    }

    /// Names of all variables in the order of the format, without `$`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The first variable of that name (without `$`).
    #[must_use]
    pub fn slot(&self, name: &str) -> Option<Slot> {
        self.names().position(|known| known == name).map(Slot)
    }

    /// Whether the format has a well-known variable.
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.slot_of(field).is_some()
    }

    #[inline]
    fn slot_of(&self, field: Field) -> Option<Slot> {
        self.slots[field as usize]
    }

    /// Whether a value stands for "no value". A group that took no part in a match is empty.
    fn is_absent(&self, escape: Escape, value: &[u8]) -> bool {
        match &self.dialect {
            Dialect::Text(_) | Dialect::Json(_) => escape.is_absent(value),
            Dialect::Regex(_) => value.is_empty() || escape.is_absent(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Escape, Field, Format, Spans};

    const LINE: &str = r#"192.0.2.1 - - [22/Nov/2026:10:13:39 +0000] "GET / HTTP/1.1" 200 612 "-" "a\x22""#;

    #[test]
    fn the_built_in_formats_compile_without_a_doubt() {
        for name in Format::KNOWN {
            assert_eq!(Format::known(name).unwrap().warnings(), [], "{name}");
        }
        assert!(Format::known("combind").is_none());
    }

    #[test]
    fn a_text_has_its_name_however_its_quotes_are_written() {
        for name in ["combined", "main", "common", "apache_combined", "vhost_combined"] {
            let text = Format::text_of(name).unwrap();
            assert_eq!(Format::name_of(text), Some(name));
            assert_eq!(Format::name_of(&text.replace("\\\"", "\"")), Some(name));
        }
        assert_eq!((Format::text_of("caddy"), Format::name_of("$status")), (None, None));
    }

    #[test]
    fn fields_are_found_by_field_and_by_name() {
        let format = Format::nginx("$status $cookie_Vid $status ${http_REFERER}", Escape::Default).unwrap();
        assert_eq!(format.names().collect::<Vec<_>>(), ["status", "cookie_vid", "status", "http_referer"]);
        let mut spans = Spans::default();
        let fields = format.split(b"200 v 404 -", &mut spans).unwrap();
        assert_eq!(fields.get(Field::Status).unwrap().text(), b"200");
        assert_eq!(fields.at(format.slot("cookie_vid").unwrap()).unwrap().text(), b"v");
        assert_eq!((fields.get(Field::HttpReferer), fields.get(Field::Host)), (None, None));
        assert!(fields.has(Field::HttpReferer) && !fields.has(Field::Host));
        assert_eq!(format.slot("nothing"), None);
    }

    #[test]
    fn values_are_decoded_on_demand() {
        let (format, mut spans) = (Format::combined(), Spans::default());
        let fields = format.split(LINE.as_bytes(), &mut spans).unwrap();
        assert_eq!(fields.get(Field::HttpUserAgent).unwrap().decode(&mut Vec::new()), b"a\"");
        assert_eq!(fields.get(Field::RemoteUser), None);
    }

    #[test]
    fn without_escaping_a_request_could_write_lines() {
        let error = Format::nginx("$msec $request_uri $status", Escape::None).unwrap_err();
        assert_eq!((error.remarks.len(), error.remarks[0].span.clone()), (1, 6..18));
        assert!(Format::nginx_forced("$msec $request_uri $status", Escape::None).is_ok());
        assert!(Format::nginx("$msec $remote_addr $status", Escape::None).is_ok());
    }

    #[test]
    fn the_format_that_fits_most() {
        let main = format!(r#"{LINE} "-""#);
        let [line, main] = [LINE.as_bytes(), main.as_bytes()];
        assert_eq!(Format::best_fit(&[line, line, main]), Some("combined"));
        assert_eq!(Format::best_fit(&[main, b"", main]), Some("main"));
        assert_eq!(Format::best_fit(&[line, b""]), None);
        assert_eq!(Format::best_fit(&[]), None);
    }
}

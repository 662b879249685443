//! PURE: log formats. A format is compiled once; a line is split by it into fields without copying.
//!
//! Whoever reads a line asks for nginx's variables by [`Field`], whatever server wrote it. Knows nothing of events.

mod escape;
mod fields;
mod matcher;
#[cfg(test)]
mod properties;
pub mod request;
mod template;
pub mod time;
mod variable;

use std::sync::Arc;

pub use escape::Escape;
#[cfg(test)]
pub(crate) use escape::write_as_nginx;
pub use fields::{Fields, Slot, Spans, Value};
pub use template::{FormatError, Remark};
pub use variable::Field;

use matcher::Matcher;

/// nginx's built-in format.
const COMBINED: &str = concat!(
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "#,
    r#""$http_referer" "$http_user_agent""#
);

/// The format that nginx's packages configure.
const MAIN: &str = concat!(
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "#,
    r#""$http_referer" "$http_user_agent" "$http_x_forwarded_for""#
);

/// A compiled log format. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Format {
    dialect: Dialect,
    names: Arc<[String]>,
    /// The variable of each field, by the field's number.
    slots: [Option<Slot>; Field::ALL.len()],
    warnings: Arc<[Remark]>,
}

/// How lines are written, and so how they are split.
#[derive(Clone, Debug)]
enum Dialect {
    /// Literals and variables.
    Text(Matcher),
}

impl Format {
    /// Compiles the text of an nginx `log_format`, as it stands between the quotes in nginx.conf.
    ///
    /// # Errors
    /// All mistakes of the template, each with its place and remedy.
    pub fn nginx(template: &str, escape: Escape) -> Result<Self, FormatError> {
        let compiled = template::compile(template, escape)?;
        let slot = |field: &Field| compiled.names.iter().position(|name| name == field.name()).map(Slot);
        let mut slots = [None; Field::ALL.len()];
        for (place, field) in slots.iter_mut().zip(Field::ALL) {
            *place = slot(field);
        }
        Ok(Self {
            dialect: Dialect::Text(compiled.matcher),
            names: compiled.names.into(),
            slots,
            warnings: compiled.warnings.into(),
        })
    }

    /// nginx's `combined`.
    #[must_use]
    pub fn combined() -> Self {
        Self::built_in(COMBINED)
    }

    /// `main`, as nginx's packages configure it: `combined` and `"$http_x_forwarded_for"`.
    #[must_use]
    pub fn main() -> Self {
        Self::built_in(MAIN)
    }

    /// The name of the known format that fits most of `lines`, if one fits more than half of them.
    #[must_use]
    pub fn best_fit(lines: &[&[u8]]) -> Option<&'static str> {
        let known = [("combined", Self::combined()), ("main", Self::main())];
        let mut spans = Spans::default();
        let mut fitting =
            |format: &Self| lines.iter().filter(|line| format.split(line, &mut spans).is_some()).count();
        let counted = known.iter().map(|(name, format)| (*name, fitting(format)));
        counted
            .max_by_key(|(_, count)| *count)
            .filter(|(_, count)| count * 2 > lines.len())
            .map(|(name, _)| name)
    }

    /// What is doubtful about the format, in the order of the template.
    #[must_use]
    pub fn warnings(&self) -> &[Remark] {
        &self.warnings
    }

    /// Splits a line (without its terminator) if the whole line is of this format.
    #[must_use]
    pub fn split<'a>(&'a self, line: &'a [u8], spans: &'a mut Spans) -> Option<Fields<'a>> {
        let Dialect::Text(matcher) = &self.dialect;
        matcher.run(line, spans).then_some(Fields { format: self, line, spans: &spans.values })
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

    fn slot_of(&self, field: Field) -> Option<Slot> {
        self.slots[field as usize]
    }

    fn escape(&self) -> Escape {
        let Dialect::Text(matcher) = &self.dialect;
        matcher.escape
    }

    fn built_in(template: &str) -> Self {
        Self::nginx(template, Escape::Default).expect("the built-in formats are compiled by a test")
    }
}

#[cfg(test)]
mod tests {
    use super::{Escape, Field, Format, Spans};

    const LINE: &str = r#"192.0.2.1 - - [22/Nov/2026:10:13:39 +0000] "GET / HTTP/1.1" 200 612 "-" "a\x22""#;

    #[test]
    fn the_built_in_formats_compile_without_a_doubt() {
        assert_eq!(Format::combined().warnings(), []);
        assert_eq!(Format::main().warnings(), []);
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
    fn the_format_that_fits_most() {
        let main = format!(r#"{LINE} "-""#);
        let [line, main] = [LINE.as_bytes(), main.as_bytes()];
        assert_eq!(Format::best_fit(&[line, line, main]), Some("combined"));
        assert_eq!(Format::best_fit(&[main, b"", main]), Some("main"));
        assert_eq!(Format::best_fit(&[line, b""]), None);
        assert_eq!(Format::best_fit(&[]), None);
    }
}

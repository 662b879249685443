//! From the text of a `log_format` to a matcher, with every complaint at its place.
//!
//! The text is what stands between the quotes in nginx.conf: `\t`, `\"`, `\'` and `\\` mean there what they mean here.

use std::ops::Range;

use super::escape::Escape;
use super::matcher::{Matcher, Order, Step};
use super::variable::{Field, Kind, Unit, misspelled};

/// Far above real formats (the longest published ones have about 60 variables), and small enough to bound a line's work.
const VARIABLES_MAX: usize = 256;

/// What is wrong or doubtful about one place of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Bytes of the template.
    pub span: Range<usize>,
    /// The fact and its remedy.
    pub message: String,
}

/// A format that cannot be read: all of its mistakes, in their order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", shown(.remarks))]
pub struct FormatError {
    /// At least one.
    pub remarks: Vec<Remark>,
}

/// A template that can be matched.
pub(super) struct Compiled {
    pub(super) matcher: Matcher,
    pub(super) names: Vec<String>,
    pub(super) units: Vec<Unit>,
    pub(super) warnings: Vec<Remark>,
}

/// A template taken apart, whatever server's it is.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) lead: Vec<u8>,
    pub(super) variables: Vec<Variable>,
    pub(super) errors: Vec<Remark>,
    pub(super) warnings: Vec<Remark>,
}

/// A variable and the text behind it.
pub(super) struct Variable {
    pub(super) span: Range<usize>,
    /// nginx's name of it.
    pub(super) name: String,
    /// As a message names it.
    pub(super) shown: String,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    pub(super) terminator: Vec<u8>,
}

/// How a server's format says what messages advise.
pub(super) struct Advice {
    /// A format to copy.
    pub(super) example: &'static str,
    pub(super) time: &'static str,
    pub(super) request: &'static str,
}

const NGINX: Advice = Advice {
    example: "write it as in nginx.conf, as '$remote_addr ...'",
    time: "$time_iso8601 or $msec",
    request: "$request or $request_uri",
};

/// Compiles an nginx template.
pub(super) fn compile(template: &str, escape: Escape) -> Result<Compiled, FormatError> {
    Reader::read(template, b'$', variable).assemble(template, escape, &NGINX)
}

/// Compiles an nginx template whose values are of other kinds than nginx's.
pub(super) fn compile_as(
    template: &str,
    escape: Escape,
    kind: fn(&str) -> (Kind, Unit),
) -> Result<Compiled, FormatError> {
    let mut layout = Reader::read(template, b'$', variable);
    for variable in &mut layout.variables {
        (variable.kind, variable.unit) = kind(&variable.name);
    }
    layout.assemble(template, escape, &NGINX)
}

/// What a request says in its own bytes, so that without any escape it could write a line of its own.
pub(super) fn forgeable(template: &str) -> Option<FormatError> {
    const NAMES: [&str; 15] = [
        "request",
        "request_uri",
        "uri",
        "document_uri",
        "args",
        "query_string",
        "remote_user",
        "request_body",
        "request_filename",
        "request_method",
        "host",
        "uid_got",
        "proxy_add_x_forwarded_for",
        "content_type",
        "ssl_server_name",
    ];
    const FAMILIES: [&str; 6] = ["http_", "cookie_", "arg_", "sent_http_", "upstream_http_", "jwt_"];
    let layout = Reader::read(template, b'$', variable);
    let is_forgeable = |variable: &&Variable| {
        let name = variable.name.as_str();
        NAMES.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
    };
    let refuse = |variable: &Variable| {
        let message = format!(
            "{} holds what a client sends, and without escaping a request can write lines of its own with it: use \
             escape=default or json in nginx and here, or add `forced: true`",
            variable.shown
        );
        remark(variable.span.clone(), message)
    };
    let remarks: Vec<Remark> = layout.variables.iter().filter(is_forgeable).map(refuse).collect();
    (!remarks.is_empty()).then_some(FormatError { remarks })
}

impl Layout {
    /// Adds a byte of the text between variables.
    pub(super) fn literal(&mut self, byte: u8) {
        self.variables.last_mut().map_or(&mut self.lead, |variable| &mut variable.terminator).push(byte);
    }

    /// From parts to a matcher, or all mistakes.
    pub(super) fn assemble(
        mut self,
        template: &str,
        escape: Escape,
        advice: &Advice,
    ) -> Result<Compiled, FormatError> {
        if self.variables.is_empty() && self.errors.is_empty() {
            let message = format!("the format has no variable: {}", advice.example);
            self.errors.push(remark(0..template.len(), message));
        }
        if let Some(variable) = self.variables.get(VARIABLES_MAX) {
            let message = format!(
                "the format has more than {VARIABLES_MAX} variables: leave out those you do not need"
            );
            self.errors.push(remark(variable.span.clone(), message));
        }
        let steps = steps(&self.variables, escape, &mut self.errors);
        if !self.errors.is_empty() {
            self.errors.sort_by_key(|remark| remark.span.start);
            return Err(FormatError { remarks: self.errors });
        }
        let mut warnings = self.warnings;
        warnings.extend(ambiguities(&self.variables, &steps, escape));
        warnings.sort_by_key(|remark| remark.span.start);
        let has = |name: &str| self.variables.iter().any(|variable| variable.name == name);
        warnings.extend(absences(has, template, advice));
        let units = self.variables.iter().map(|variable| variable.unit).collect();
        let names = self.variables.into_iter().map(|variable| variable.name).collect();
        let matcher = Matcher { escape, lead: self.lead.into(), steps: steps.into() };
        Ok(Compiled { matcher, names, units, warnings })
    }
}

/// A template on its way to a layout.
pub(super) struct Reader<'a> {
    pub(super) template: &'a str,
    /// Bytes of it that are read.
    pub(super) at: usize,
    pub(super) layout: Layout,
}

impl<'a> Reader<'a> {
    /// Takes the template apart: `variable` reads what begins with `sigil`; what is between is text.
    pub(super) fn read(template: &'a str, sigil: u8, variable: fn(&mut Self)) -> Layout {
        let mut reader = Self { template, at: 0, layout: Layout::default() };
        while let Some(&byte) = template.as_bytes().get(reader.at) {
            match byte {
                byte if byte == sigil => variable(&mut reader),
                b'\\' => reader.escape(),
                _ => reader.literal(byte, 1),
            }
        }
        reader.layout
    }

    /// The escapes of nginx.conf and httpd.conf; any other backslash stands for itself.
    fn escape(&mut self) {
        match self.template.as_bytes().get(self.at + 1) {
            Some(b't') => self.literal(b'\t', 2),
            Some(b'r') => self.literal(b'\r', 2),
            Some(b'n') => self.literal(b'\n', 2),
            Some(&byte @ (b'"' | b'\'' | b'\\')) => self.literal(byte, 2),
            _ => self.literal(b'\\', 1),
        }
    }

    /// Text between variables, written in `length` bytes.
    pub(super) fn literal(&mut self, byte: u8, length: usize) {
        if byte == b'\n' {
            self.refuse(
                self.at,
                length,
                "a format of more than one line cannot be followed: one request must give one line",
            );
            return;
        }
        self.layout.literal(byte);
        self.at += length;
    }

    /// Notes a mistake and goes on behind it.
    pub(super) fn refuse(&mut self, start: usize, length: usize, message: impl Into<String>) {
        self.layout.errors.push(remark(start..start + length, message));
        self.at = start + length;
    }
}

fn variable(reader: &mut Reader<'_>) {
    let start = reader.at;
    let rest = &reader.template[start + 1..];
    let (name, length) = match rest.strip_prefix('{') {
        Some(braced) => {
            let name = name_at(braced);
            if !braced[name.len()..].starts_with('}') {
                reader.refuse(start, 2 + name.len(), "this `${` has no `}`: write `${name}`");
                return;
            }
            (name, name.len() + 3)
        }
        None => (name_at(rest), name_at(rest).len() + 1),
    };
    if name.is_empty() {
        reader.refuse(
            start,
            length,
            "a `$` must be followed by a variable's name: nginx knows no literal `$` in a format",
        );
        return;
    }
    let name = name.to_ascii_lowercase();
    reader.at = start + length;
    let (span, shown) = (start..reader.at, format!("${name}"));
    if let Some(meant) = misspelled(&name) {
        let message = format!("nginx has no {shown} of its own: did you mean ${meant}?");
        reader.layout.warnings.push(remark(span.clone(), message));
    }
    let kind = Kind::of(&name);
    let unit = Unit::Seconds;
    reader.layout.variables.push(Variable { span, name, shown, kind, unit, terminator: Vec::new() });
}

fn name_at(text: &str) -> &str {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    &text[..text.find(|character| !is_name(character)).unwrap_or(text.len())]
}

fn steps(variables: &[Variable], escape: Escape, errors: &mut Vec<Remark>) -> Vec<Step> {
    let mut steps = Vec::with_capacity(variables.len());
    for (index, variable) in variables.iter().enumerate() {
        let next = variables.get(index + 1);
        let order = if next.is_some() { Order::Inner } else { Order::Last };
        match (Step::new(variable.kind, &variable.terminator, escape, order), next) {
            (Some(step), _) => steps.push(step),
            (None, next) => errors.push(adjacent(variable, next)),
        }
    }
    steps
}

fn adjacent(variable: &Variable, next: Option<&Variable>) -> Remark {
    let end = next.map_or(variable.span.end, |next| next.span.end);
    let next = next.map_or("the next variable", |next| &next.shown);
    let message = format!(
        "nothing separates {} from {next}, so nobody can tell where one ends: put a space, a TAB or quotes between them",
        variable.shown
    );
    remark(variable.span.start..end, message)
}

/// A value that may hold the text behind it is read right if what follows cannot be mistaken: if no other such value
/// comes before the end of the line or before a byte that the value, or any value, never holds.
fn ambiguities(variables: &[Variable], steps: &[Step], escape: Escape) -> Vec<Remark> {
    let mut warnings = Vec::new();
    for (index, (variable, step)) in variables.iter().zip(steps).enumerate() {
        let mut later = steps[index + 1..].iter();
        let in_doubt = step.is_open(escape)
            && later.find_map(|later| {
                if later.may_swallow(step) {
                    Some(true)
                } else {
                    (later.is_anchored(escape) || later.is_beyond(step)).then_some(false)
                }
            }) == Some(true);
        if in_doubt {
            warnings.push(remark(variable.span.clone(), ambiguous(variable)));
        }
    }
    warnings
}

fn ambiguous(variable: &Variable) -> String {
    let shown = &variable.shown;
    let holds = match variable.kind {
        Kind::List => "is a list with `, ` and ` : ` inside, and",
        Kind::Text
        | Kind::Word
        | Kind::Address
        | Kind::TimeLocal
        | Kind::TimeIso8601
        | Kind::Msec
        | Kind::Status
        | Kind::StatusOrNone
        | Kind::Time
        | Kind::Uint
        | Kind::UintOrNone
        | Kind::Decimal
        | Kind::Id
        | Kind::Pipe => "may hold the text that follows it here, and then",
    };
    format!(
        "{shown} {holds} a request can shift the fields behind it: write \"{shown}\" in quotes, or separate by TABs"
    )
}

/// What the events will lack.
pub(super) fn absences(has: impl Fn(&str) -> bool, template: &str, advice: &Advice) -> Vec<Remark> {
    let has = |fields: &[Field]| fields.iter().any(|field| has(field.name()));
    let mut warnings = Vec::new();
    if !has(&[Field::TimeLocal, Field::TimeIso8601, Field::Msec, Field::Time]) {
        let message =
            format!("the format has no time, so events have no time and no day: add {}", advice.time);
        warnings.push(remark(0..template.len(), message));
    }
    if !has(&[Field::Request, Field::RequestUri]) {
        let message = if has(&[Field::Uri]) {
            format!("the path is decoded and rewritten, not what was asked for: log {}", advice.request)
        } else {
            format!("the format has no request, so events have no path: add {}", advice.request)
        };
        warnings.push(remark(0..template.len(), message));
    }
    warnings
}

pub(super) fn remark(span: Range<usize>, message: impl Into<String>) -> Remark {
    Remark { span, message: message.into() }
}

fn shown(remarks: &[Remark]) -> String {
    let lines: Vec<_> =
        remarks.iter().map(|remark| format!("byte {}: {}", remark.span.start, remark.message)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Escape, compile};

    /// Shows remarks as the marked text and the first words of the message.
    fn check(template: &str, expect: &[(&str, &str)]) {
        let remarks = match compile(template, Escape::Default) {
            Ok(compiled) => compiled.warnings,
            Err(error) => error.remarks,
        };
        let shown: Vec<_> =
            remarks.iter().map(|it| (&template[it.span.clone()], it.message.as_str())).collect();
        assert_eq!(shown.len(), expect.len(), "{shown:?}");
        for ((text, message), (expect_text, expect_words)) in shown.iter().zip(expect) {
            assert_eq!(text, expect_text);
            assert!(message.contains(expect_words), "{message:?} lacks {expect_words:?}");
        }
    }

    #[test]
    fn good_formats_have_no_remark() {
        check(r#"$remote_addr - $remote_user [$time_local] "$request" $status"#, &[]);
        check("$msec\t$http_x\t${http_y}\t$request_uri", &[]);
        check(r"$msec\t$http_x\t$request_uri", &[]);
        check("$time_iso8601 $request_method $request_uri $server_protocol $status", &[]);
        check("$status$time_local $request", &[]);
        check("$msec $request_time $upstream_response_time \"$request\"", &[]);
    }

    #[test]
    fn mistakes_are_shown_at_their_place() {
        check("", &[("", "no variable")]);
        check("plain", &[("plain", "no variable")]);
        check("$status $ x", &[("$", "followed by a variable's name")]);
        check("$status ${", &[("${", "has no `}`")]);
        check("$status ${uri x}", &[("${uri", "has no `}`")]);
        check("$status ${}", &[("${}", "followed by a variable's name")]);
        check("$host$uri $status", &[("$host$uri", "nothing separates $host from $uri")]);
        check("$body_bytes_sent$status", &[("$body_bytes_sent$status", "nothing separates")]);
        check("$status\n$uri", &[("\n", "more than one line")]);
        check(r"$status\n$uri", &[(r"\n", "more than one line")]);
        check("$ $host$uri", &[("$", "name"), ("$host$uri", "nothing separates")]);
        let long = "$status ".repeat(257);
        check(&long, &[("$status", "more than 256")]);
    }

    #[test]
    fn doubts_are_shown_at_their_place() {
        check("$msec $remote_user $http_x \"$request\"", &[("$remote_user", "in quotes")]);
        check("$msec $http_x $request", &[("$http_x", "in quotes")]);
        check(
            "$msec $upstream_addr, $http_x $request",
            &[("$upstream_addr", "is a list"), ("$http_x", "in quotes")],
        );
        check("$msec $http_x-$host \"$request\"", &[("$http_x", "in quotes")]);
        check("$request", &[("$request", "no time")]);
        check("$msec $status", &[("$msec $status", "no request")]);
        check("$msec $uri", &[("$msec $uri", "decoded and rewritten")]);
    }
}

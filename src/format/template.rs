//! From the text of a `log_format` to a matcher, with every complaint at its place.
//!
//! The text is what stands between the quotes in nginx.conf: `\t`, `\"`, `\'` and `\\` mean there what they mean here.

use std::ops::Range;

use super::escape::Escape;
use super::matcher::{Matcher, Order, Step};
use super::variable::{Field, Kind};

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
    pub(super) warnings: Vec<Remark>,
}

/// Compiles a template.
pub(super) fn compile(template: &str, escape: Escape) -> Result<Compiled, FormatError> {
    let mut reader = Reader { template, at: 0, lead: Vec::new(), variables: Vec::new(), errors: Vec::new() };
    reader.read();
    let Reader { lead, variables, mut errors, .. } = reader;
    if variables.is_empty() && errors.is_empty() {
        errors.push(remark(
            0..template.len(),
            "the format has no variable: write it as in nginx.conf, as '$remote_addr ...'",
        ));
    }
    if variables.len() > VARIABLES_MAX {
        let message =
            format!("the format has more than {VARIABLES_MAX} variables: leave out those you do not need");
        errors.push(remark(variables[VARIABLES_MAX].span.clone(), message));
    }
    let steps = steps(&variables, escape, &mut errors);
    if !errors.is_empty() {
        errors.sort_by_key(|remark| remark.span.start);
        return Err(FormatError { remarks: errors });
    }
    let mut warnings = ambiguities(&variables, &steps, escape);
    warnings.extend(absences(&variables, template));
    let names = variables.into_iter().map(|variable| variable.name).collect();
    Ok(Compiled { matcher: Matcher { escape, lead: lead.into(), steps: steps.into() }, names, warnings })
}

struct Variable {
    span: Range<usize>,
    name: String,
    terminator: Vec<u8>,
}

struct Reader<'a> {
    template: &'a str,
    at: usize,
    lead: Vec<u8>,
    variables: Vec<Variable>,
    errors: Vec<Remark>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(&byte) = self.template.as_bytes().get(self.at) {
            match byte {
                b'$' => self.variable(),
                b'\\' => self.escape(),
                _ => self.literal(byte, 1),
            }
        }
    }

    fn variable(&mut self) {
        let start = self.at;
        let rest = &self.template[start + 1..];
        let (name, length) = match rest.strip_prefix('{') {
            Some(braced) => {
                let name = name_at(braced);
                if !braced[name.len()..].starts_with('}') {
                    self.refuse(start, 2 + name.len(), "this `${` has no `}`: write `${name}`");
                    return;
                }
                (name, name.len() + 3)
            }
            None => (name_at(rest), name_at(rest).len() + 1),
        };
        if name.is_empty() {
            self.refuse(
                start,
                length,
                "a `$` must be followed by a variable's name: nginx knows no literal `$` in a format",
            );
            return;
        }
        let name = name.to_ascii_lowercase();
        self.at = start + length;
        self.variables.push(Variable { span: start..self.at, name, terminator: Vec::new() });
    }

    /// The escapes of nginx.conf; any other backslash stands for itself.
    fn escape(&mut self) {
        match self.template.as_bytes().get(self.at + 1) {
            Some(b't') => self.literal(b'\t', 2),
            Some(b'r') => self.literal(b'\r', 2),
            Some(b'n') => self.literal(b'\n', 2),
            Some(&byte @ (b'"' | b'\'' | b'\\')) => self.literal(byte, 2),
            _ => self.literal(b'\\', 1),
        }
    }

    fn literal(&mut self, byte: u8, length: usize) {
        if byte == b'\n' {
            self.refuse(
                self.at,
                length,
                "a format of more than one line cannot be followed: one request must give one line",
            );
            return;
        }
        self.variables.last_mut().map_or(&mut self.lead, |variable| &mut variable.terminator).push(byte);
        self.at += length;
    }

    fn refuse(&mut self, start: usize, length: usize, message: &str) {
        self.errors.push(remark(start..start + length, message));
        self.at = start + length;
    }
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
        match (Step::new(Kind::of(&variable.name), &variable.terminator, escape, order), next) {
            (Some(step), _) => steps.push(step),
            (None, next) => errors.push(adjacent(variable, next)),
        }
    }
    steps
}

fn adjacent(variable: &Variable, next: Option<&Variable>) -> Remark {
    let end = next.map_or(variable.span.end, |next| next.span.end);
    let next = next.map_or("the next variable", |next| &next.name);
    let message = format!(
        "nothing separates ${} from ${next}, so nobody can tell where one ends: put a space, a TAB or quotes between them",
        variable.name
    );
    remark(variable.span.start..end, message)
}

/// A value that may hold the text behind it is read right if what follows cannot be mistaken: if no other such value
/// comes before the end of the line or before a byte that values never hold.
fn ambiguities(variables: &[Variable], steps: &[Step], escape: Escape) -> Vec<Remark> {
    let mut warnings = Vec::new();
    for (index, (variable, step)) in variables.iter().zip(steps).enumerate() {
        let mut later = steps[index + 1..].iter();
        let in_doubt = step.is_open(escape)
            && later.find_map(|later| {
                if later.may_swallow(step) { Some(true) } else { later.is_anchored(escape).then_some(false) }
            }) == Some(true);
        if in_doubt {
            warnings.push(remark(variable.span.clone(), ambiguous(variable)));
        }
    }
    warnings
}

fn ambiguous(variable: &Variable) -> String {
    let name = &variable.name;
    let holds = match Kind::of(name) {
        Kind::List => "is a list with `, ` and ` : ` inside, and",
        Kind::Text
        | Kind::Word
        | Kind::Address
        | Kind::TimeLocal
        | Kind::TimeIso8601
        | Kind::Msec
        | Kind::Status
        | Kind::Uint
        | Kind::UintOrNone
        | Kind::Decimal
        | Kind::Id
        | Kind::Pipe => "may hold the text that follows it here, and then",
    };
    format!(
        "${name} {holds} a request can shift the fields behind it: write \"${name}\" in quotes, or separate by TABs"
    )
}

/// What the events will lack.
fn absences(variables: &[Variable], template: &str) -> Vec<Remark> {
    let has = |fields: &[Field]| {
        variables.iter().any(|variable| fields.iter().any(|field| field.name() == variable.name))
    };
    let mut warnings = Vec::new();
    if !has(&[Field::TimeLocal, Field::TimeIso8601, Field::Msec]) {
        warnings.push(remark(
            0..template.len(),
            "the format has no time, so events have no time and no day: add $time_iso8601 or $msec",
        ));
    }
    if !has(&[Field::Request, Field::RequestUri]) {
        let message = if has(&[Field::Uri]) {
            "$uri is decoded and rewritten, not what was asked for: log $request or $request_uri"
        } else {
            "the format has no request, so events have no path: add $request or $request_uri"
        };
        warnings.push(remark(0..template.len(), message));
    }
    warnings
}

fn remark(span: Range<usize>, message: impl Into<String>) -> Remark {
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

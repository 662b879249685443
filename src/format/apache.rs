//! From Apache's `LogFormat` to the same parts that nginx's `log_format` has: each directive under nginx's name.
//!
//! The text is what stands between the quotes in httpd.conf: `\"`, `\\` and `\t` mean there what they mean here.

use std::ops::Range;

use super::escape::Escape;
use super::template::{Advice, Compiled, FormatError, Layout, Reader, Variable, remark};
use super::variable::{Kind, Unit};

const APACHE: Advice = Advice {
    example: "write it as in httpd.conf, as '%h %l %u %t \\\"%r\\\" %>s %b'",
    time: "%t",
    request: "%r",
};

/// All directives of one letter, for the help of an unknown one.
const DIRECTIVES: &str = "% a A b B C D e f h H i I k l L m n o O p P q r R s S t T u U v V x X";

/// Compiles a `LogFormat`.
pub(super) fn compile(template: &str) -> Result<Compiled, FormatError> {
    let mut layout = Reader::read(template, b'%', directive);
    join_path_and_query(&mut layout);
    layout.assemble(template, Escape::Apache, &APACHE)
}

/// A directive taken apart: `%!200,304{Referer}i`.
struct Directive<'a> {
    is_conditional: bool,
    argument: Option<&'a str>,
    letter: &'a str,
}

/// What a directive is for the matcher.
struct Meaning {
    name: String,
    kind: Kind,
    unit: Unit,
}

impl Meaning {
    fn of(name: &str) -> Self {
        Self::new(name, Kind::of(name))
    }

    fn new(name: &str, kind: Kind) -> Self {
        Self { name: name.to_owned(), kind, unit: Unit::Seconds }
    }

    /// A variable of a family: a header under its name in lower case, with `_` for all that is no letter or digit.
    fn named(family: &str, name: &str) -> Self {
        let plain = |character: char| {
            if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' }
        };
        let name: String = family.chars().chain(name.chars().map(plain)).collect();
        let kind = if name == "http_x_forwarded_for" { Kind::List } else { Kind::Text };
        Self { name, kind, unit: Unit::Seconds }
    }
}

fn directive(reader: &mut Reader<'_>) {
    let start = reader.at;
    let rest = &reader.template[start + 1..];
    if rest.starts_with('%') {
        reader.literal(b'%', 2);
        return;
    }
    let modifiers =
        rest.len() - rest.trim_start_matches(|it: char| it.is_ascii_digit() || ",!<>".contains(it)).len();
    let (modifier, mut tail) = rest.split_at(modifiers);
    let mut argument = None;
    if let Some(open) = tail.strip_prefix('{') {
        let Some((inside, behind)) = open.split_once('}') else {
            reader.refuse(start, rest.len() + 1, "this `%{` has no `}`: write `%{Name}i`");
            return;
        };
        (argument, tail) = (Some(inside), behind);
    }
    let letters = letters_at(tail);
    let length = rest.len() - tail.len() + letters.len() + 1;
    let is_conditional = modifier.contains(|it: char| it.is_ascii_digit());
    let directive = Directive { is_conditional, argument, letter: letters };
    match directive.meaning() {
        Ok(meaning) => push(reader, start..start + length, meaning, &directive),
        Err(message) => reader.refuse(start, length, message),
    }
}

fn push(reader: &mut Reader<'_>, span: Range<usize>, meaning: Meaning, directive: &Directive<'_>) {
    let Meaning { name, kind, unit } = meaning;
    if directive.is_conditional && kind == Kind::TimeLocal {
        let message = "a time that is not in every line leaves events without a day: write %t";
        reader.refuse(span.start, span.len(), message);
        return;
    }
    let kind = if directive.is_conditional { kind.or_none() } else { kind };
    let is_bracketed = directive.letter == "t" && directive.argument.is_none();
    if is_bracketed {
        reader.layout.literal(b'[');
    }
    let shown = reader.template[span.clone()].to_owned();
    reader.at = span.end;
    reader.layout.variables.push(Variable { span, name, shown, kind, unit, terminator: Vec::new() });
    if is_bracketed {
        reader.layout.literal(b']');
    }
}

/// The letter of a directive; those for trailers and first bytes have `^` and two.
fn letters_at(tail: &str) -> &str {
    let length = if tail.starts_with('^') { 3 } else { 1 };
    let end = tail.char_indices().nth(length).map_or(tail.len(), |(at, _)| at);
    &tail[..end]
}

impl Directive<'_> {
    fn meaning(&self) -> Result<Meaning, String> {
        let argument = self.argument.unwrap_or_default();
        let by_letter = match self.letter {
            "i" | "o" | "C" | "e" | "n" | "x" | "c" | "^ti" | "^to" => return self.of_family(argument),
            "t" => return Ok(time(self.argument)),
            "T" => return duration(self.argument),
            "D" => Meaning { unit: Unit::Microseconds, ..Meaning::new("request_time", Kind::Uint) },
            // A name of the host where HostnameLookups is on.
            "h" => Meaning::new("remote_addr", Kind::Word),
            "a" if argument == "c" => Meaning::of("realip_remote_addr"),
            "a" => Meaning::of("remote_addr"),
            "A" => Meaning::of("server_addr"),
            "l" => Meaning::new("remote_logname", Kind::Word),
            "u" => Meaning::of("remote_user"),
            "r" => Meaning::of("request"),
            "m" => Meaning::of("request_method"),
            "U" => Meaning::of("uri"),
            "q" => Meaning::of("args"),
            "H" => Meaning::of("server_protocol"),
            "s" => Meaning::of("status"),
            "b" => Meaning::new("body_bytes_sent", Kind::UintOrNone),
            "B" => Meaning::of("body_bytes_sent"),
            "O" => Meaning::of("bytes_sent"),
            "I" => Meaning::of("request_length"),
            "S" => Meaning::new("bytes_total", Kind::Uint),
            "v" => Meaning::of("server_name"),
            "V" => Meaning::of("host"),
            "p" if argument == "remote" => Meaning::of("remote_port"),
            "p" => Meaning::of("server_port"),
            "P" => Meaning::new("pid", Kind::Word),
            "k" => Meaning::of("connection_requests"),
            "X" => Meaning::new("connection_status", Kind::Word),
            "L" => Meaning::new("request_log_id", Kind::Word),
            "f" => Meaning::of("request_filename"),
            "R" => Meaning::new("handler", Kind::Word),
            "^FB" => Meaning::new("first_byte_time", Kind::UintOrNone),
            "" => {
                return Err("a `%` must be followed by a directive: write `%%` for a percent sign".to_owned());
            }
            letter => return Err(unknown(letter)),
        };
        Ok(by_letter)
    }

    fn of_family(&self, argument: &str) -> Result<Meaning, String> {
        let letter = self.letter;
        if argument.is_empty() {
            return Err(format!("%{letter} needs a name: write `%{{Name}}{letter}`"));
        }
        let family = match letter {
            "i" => "http_",
            "o" => "sent_http_",
            "C" => "cookie_",
            "e" => "env_",
            "n" => "note_",
            "^ti" => "trailer_",
            "^to" => "sent_trailer_",
            _ => "",
        };
        Ok(Meaning::named(family, argument))
    }
}

fn unknown(letter: &str) -> String {
    let other: String = letter
        .chars()
        .map(|it| if it.is_ascii_lowercase() { it.to_ascii_uppercase() } else { it.to_ascii_lowercase() })
        .collect();
    let is_known = DIRECTIVES.split(' ').any(|known| known == other);
    if is_known {
        format!("Apache has no directive %{letter}: did you mean %{other}?")
    } else {
        format!("Apache has no directive %{letter}: the letters are {DIRECTIVES}")
    }
}

/// `%t` is the request's start. A pattern that no reader here knows is text, and the format then has no time.
fn time(argument: Option<&str>) -> Meaning {
    let pattern = argument.map(|it| it.strip_prefix("begin:").or(it.strip_prefix("end:")).unwrap_or(it));
    match pattern {
        None | Some("" | "begin" | "end" | "%d/%b/%Y:%H:%M:%S %z" | "%d/%b/%Y:%T %z") => {
            Meaning::of("time_local")
        }
        Some(
            "sec"
            | "msec"
            | "usec"
            | "%s"
            | "%FT%T%z"
            | "%F %T%z"
            | "%Y-%m-%dT%H:%M:%S%z"
            | "%Y-%m-%d %H:%M:%S%z"
            | "%Y-%m-%dT%H:%M:%SZ"
            | "%FT%TZ",
        ) => Meaning::of("time"),
        Some("msec_frac" | "usec_frac") => Meaning::new("time_fraction", Kind::Uint),
        Some(_) => Meaning::new("time_text", Kind::Text),
    }
}

fn duration(argument: Option<&str>) -> Result<Meaning, String> {
    let unit = match argument {
        None | Some("s") => Unit::Seconds,
        Some("ms") => Unit::Milliseconds,
        Some("us") => Unit::Microseconds,
        Some(other) => return Err(format!("%T has no unit `{other}`: write s, ms or us")),
    };
    Ok(Meaning { unit, ..Meaning::new("request_time", Kind::Uint) })
}

/// `%U%q` is one value for us: the path and its query, as a request names them.
fn join_path_and_query(layout: &mut Layout) {
    let is_pair =
        |pair: &[Variable]| pair[0].name == "uri" && pair[0].terminator.is_empty() && pair[1].name == "args";
    while let Some(first) = layout.variables.windows(2).position(is_pair) {
        let query = layout.variables.remove(first + 1);
        let path = &mut layout.variables[first];
        path.span.end = query.span.end;
        path.shown.push_str(&query.shown);
        "request_uri".clone_into(&mut path.name);
        path.terminator = query.terminator;
        let message = "the path is decoded and rewritten here, so a question mark that it holds begins the query: log %r";
        layout.warnings.push(remark(path.span.clone(), message));
    }
}

#[cfg(test)]
mod tests {
    use crate::format::{Field, Format, Spans};

    fn values(template: &str, line: &str) -> Option<Vec<(String, String)>> {
        let format = Format::apache(template).unwrap();
        let mut spans = Spans::default();
        let fields = format.split(line.as_bytes(), &mut spans)?;
        let shown = |value: crate::format::Value<'_>| {
            String::from_utf8_lossy(value.decode(&mut Vec::new())).into_owned()
        };
        Some(fields.iter().map(|(name, value)| (name.to_owned(), shown(value))).collect())
    }

    fn check(template: &str, line: &str, expect: &[(&str, &str)]) {
        let read = values(template, line).unwrap_or_else(|| panic!("{line} does not fit {template}"));
        let read: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(read, expect, "{template} {line}");
    }

    /// The remarks as the marked text and some words.
    fn remarks(template: &str, expect: &[(&str, &str)]) {
        let remarks = match Format::apache(template) {
            Ok(format) => format.warnings().to_vec(),
            Err(error) => error.remarks,
        };
        let shown: Vec<_> = remarks.iter().map(|it| (&template[it.span.clone()], &it.message)).collect();
        assert_eq!(shown.len(), expect.len(), "{shown:?}");
        for ((text, message), (expect_text, words)) in shown.iter().zip(expect) {
            assert!(text == expect_text && message.contains(words), "{shown:?}");
        }
    }

    #[test]
    fn directives_have_the_names_of_nginx() {
        check(
            r#"%v:%p %h %l %u %t \"%r\" %>s %b \"%{Referer}i\" %D %%"#,
            r#"blog:80 a.example.net - "" [22/Nov/2026:10:13:39 +0000] "GET /\"\\\xe4 HTTP/1.1" 304 - "-" 1234 %"#,
            &[
                ("server_name", "blog"),
                ("server_port", "80"),
                ("remote_addr", "a.example.net"),
                ("remote_logname", "-"),
                ("remote_user", "\"\""),
                ("time_local", "22/Nov/2026:10:13:39 +0000"),
                ("request", "GET /\"\\\u{FFFD} HTTP/1.1"),
                ("status", "304"),
                ("body_bytes_sent", "-"),
                ("http_referer", "-"),
                ("request_time", "1234"),
            ],
        );
        check(
            "%{msec}t\t%!200,304{User-Agent}i\t%{Vid}C\t%m %U%q %H\t%400s",
            "1795342419677\t-\tx y\tGET /a?b=c HTTP/1.1\t-",
            &[
                ("time", "1795342419677"),
                ("http_user_agent", "-"),
                ("cookie_vid", "x y"),
                ("request_method", "GET"),
                ("request_uri", "/a?b=c"),
                ("server_protocol", "HTTP/1.1"),
                ("status", "-"),
            ],
        );
    }

    #[test]
    fn durations_have_their_units() {
        for (template, milliseconds) in
            [("%D", 1), ("%T", 1_234_000), ("%{ms}T", 1234), ("%{us}T", 1), ("%{s}T", 1_234_000)]
        {
            let format = Format::apache(&format!("%t {template}")).unwrap();
            let mut spans = Spans::default();
            let fields = format.split(b"[22/Nov/2026:10:13:39 +0000] 1234", &mut spans).unwrap();
            assert_eq!(fields.get(Field::RequestTime).unwrap().milliseconds(), Some(milliseconds));
        }
    }

    #[test]
    fn an_empty_user_is_absent() {
        let format = Format::apache(r#"%u %t \"%r\""#).unwrap();
        let mut spans = Spans::default();
        let fields = format.split(br#""" [22/Nov/2026:10:13:39 +0000] "GET /""#, &mut spans).unwrap();
        assert_eq!(fields.get(Field::RemoteUser), None);
        assert!(format.split(br#"a"b [22/Nov/2026:10:13:39 +0000] "GET /""#, &mut spans).is_none());
    }

    #[test]
    fn mistakes_and_doubts_are_shown_at_their_place() {
        remarks(r#"%h %u %t \"%r\""#, &[]);
        remarks("%t %r %Z", &[("%Z", "no directive %Z")]);
        remarks("%t %r %M", &[("%M", "did you mean %m?")]);
        remarks("%t %r %", &[("%", "followed by a directive")]);
        remarks("%t %r %{Referer", &[("%{Referer", "has no `}`")]);
        remarks("%t %r %i", &[("%i", "needs a name")]);
        remarks("%t %r %{h}T", &[("%{h}T", "no unit `h`")]);
        remarks("%t %r%{X}i", &[("%r%{X}i", "nothing separates %r from %{X}i")]);
        remarks("%200t %r", &[("%200t", "not in every line")]);
        remarks("%t %{X}i %{Y}i %r", &[("%{X}i", "in quotes"), ("%{Y}i", "in quotes")]);
        remarks(r#"%h \"%r\""#, &[(r#"%h \"%r\""#, "no time")]);
        remarks(r#"%{%A}t \"%r\""#, &[(r#"%{%A}t \"%r\""#, "no time")]);
        remarks("%t é%é", &[("%é", "no directive")]);
    }
}

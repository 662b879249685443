//! For any bytes in any value, written by nginx's rules, the split line gives them back.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Escape, Format, Spans, write_as_nginx};

/// A custom format of each shape that the warnings call safe.
const CUSTOM: [&str; 4] = [
    "$msec\t$http_x\t$host\t$request\t$http_cookie",
    r#"{"t":"$time_iso8601","r":"$request","u":"$http_user_agent","urt":$upstream_response_time,"s":$status}"#,
    r#"{"t":$msec,"u":"$remote_user","q":"$request_uri","x":$http_x}"#,
    r#"$request_id$status "$cookie_vid" $http_x [$time_local] "${request}" $request_time"#,
];

/// Bytes that make trouble, dense enough to meet each other, and any others.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"\"",
        b"\\",
        b" ",
        b"-",
        b"\t",
        b"\n",
        b"[",
        b"] ",
        b" [",
        b", ",
        b" : ",
        b"}",
        b",\"",
        b"\x00",
        b"\x7F",
        b"\xE4\xB8\xAD",
        b"\xFF",
        b"x22",
        b"u0022",
        b"HTTP/1.1",
        b"[22/Nov/2026:10:13:39 +0000] ",
        b"\" 200 1 \"",
        b"http://u:p@h/",
        b"?",
        b"GET /",
    ];
    let piece = prop_oneof![3 => select(pieces).prop_map(<[u8]>::to_vec), 1 => vec(any::<u8>(), 1..4)];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// A value for a variable: well-formed for those that verify themselves, anything for the others.
fn value(name: &str) -> BoxedStrategy<Vec<u8>> {
    let (second, digits) = (0u8..60, 0u64..);
    let text = |text: String| text.into_bytes();
    match name {
        "remote_addr" => select(&["192.0.2.1", "2001:db8::1", "unix:"][..]).prop_map(|it| it.into()).boxed(),
        "time_local" => second.prop_map(move |it| text(format!("22/Nov/2026:10:13:{it:02} +0000"))).boxed(),
        "time_iso8601" => second.prop_map(move |it| text(format!("2026-11-22T10:13:{it:02}+08:00"))).boxed(),
        "msec" => (0u64..9_999_999_999).prop_map(move |it| text(format!("{it}.{:03}", it % 1000))).boxed(),
        "status" => (0u16..1000).prop_map(move |it| text(format!("{it:03}"))).boxed(),
        "body_bytes_sent" => digits.prop_map(move |it| text(it.to_string())).boxed(),
        "request_time" => digits.prop_map(move |it| text(format!("{it}.{:03}", it % 1000))).boxed(),
        "request_id" => any::<u128>().prop_map(move |it| text(format!("{it:032x}"))).boxed(),
        "host" => "[!-~]{0,12}".prop_map(text).boxed(),
        _ => hostile().boxed(),
    }
}

/// The name of a template, the escape mode, and a value for each variable.
fn written() -> impl Strategy<Value = (&'static str, Escape, Vec<Vec<u8>>)> {
    let templates = [&[super::known::COMBINED, super::known::MAIN][..], &CUSTOM].concat();
    (select(templates), select(&[Escape::Default, Escape::Json][..])).prop_flat_map(|(template, escape)| {
        let format = Format::nginx(template, escape).unwrap();
        let values: Vec<_> = format.names().map(value).collect();
        (Just(template), Just(escape), values)
    })
}

/// The line that nginx would write.
fn line(template: &str, escape: Escape, values: &[Vec<u8>]) -> Vec<u8> {
    let mut line = Vec::new();
    let mut values = values.iter();
    let mut rest = template;
    while let Some(start) = rest.find('$') {
        line.extend_from_slice(&rest.as_bytes()[..start]);
        let behind = rest[start + 1..].trim_start_matches('{');
        let name = behind.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(behind.len());
        rest = behind[name..].trim_start_matches(if rest[start..].starts_with("${") { "}" } else { "" });
        write_as_nginx(escape, values.next().unwrap(), &mut line);
    }
    line.extend_from_slice(rest.as_bytes());
    line
}

/// Values by their variables' names.
type Named = Vec<(&'static str, Vec<u8>)>;

/// A line of Apache's or of Traefik's own format, and the values in it that a client can choose, by their names.
fn foreign() -> impl Strategy<Value = (&'static str, Vec<u8>, Named)> {
    let quoted = |escape, value: &[u8]| {
        let mut out = Vec::new();
        write_as_nginx(escape, value, &mut out);
        out
    };
    let apache =
        (hostile(), hostile(), hostile(), hostile()).prop_map(move |(user, request, referer, agent)| {
            let values = [&user, &request, &referer, &agent].map(|value| quoted(Escape::Apache, value));
            let [written_user, written_request, written_referer, written_agent] = &values;
            let line = [
                b"web.example:80 a.example - ",
                &written_user[..],
                b" [22/Nov/2026:10:13:39 +0000] \"",
                written_request,
                b"\" 200 - \"",
                written_referer,
                b"\" \"",
                written_agent,
                b"\"",
            ];
            let fields = vec![
                ("remote_user", user),
                ("request", request),
                ("http_referer", referer),
                ("http_user_agent", agent),
                ("body_bytes_sent", b"-".to_vec()),
            ];
            ("vhost_combined", line.concat(), fields)
        });
    let traefik = ("[!-~]{0,12}", hostile(), hostile()).prop_map(move |(target, referer, agent)| {
        let [written_referer, written_agent] = [&referer, &agent].map(|value| quoted(Escape::Go, value));
        let line = [
            b"192.0.2.1 - - [22/Nov/2026:10:13:39 +0000] \"GET /",
            target.as_bytes(),
            b" HTTP/1.1\" 200 5 \"",
            &written_referer[..],
            b"\" \"",
            &written_agent,
            b"\" 7 \"web\" \"http://127.0.0.1\" 12ms",
        ];
        let fields = vec![
            ("request_uri", format!("/{target}").into_bytes()),
            ("http_referer", referer),
            ("http_user_agent", agent),
            ("request_time", b"12".to_vec()),
        ];
        ("traefik", line.concat(), fields)
    });
    prop_oneof![apache, traefik]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_nginx_writes_comes_back((template, escape, values) in written()) {
        let format = Format::nginx(template, escape).unwrap();
        prop_assert_eq!(format.warnings(), &[]);
        let line = line(template, escape, &values);
        let mut spans = Spans::default();
        let fields = format.split(&line, &mut spans);
        prop_assert!(fields.is_some(), "{}", String::from_utf8_lossy(&line));
        let read: Vec<_> = fields.unwrap().iter().map(|(_, value)| value.decode(&mut Vec::new()).to_vec()).collect();
        prop_assert_eq!(read, values, "{}", String::from_utf8_lossy(&line));
    }

    #[test]
    fn what_nobody_wrote_does_no_harm(template in select(&CUSTOM[..]), line in hostile()) {
        for escape in [Escape::Default, Escape::Json] {
            let format = Format::nginx(template, escape).unwrap();
            let mut spans = Spans::default();
            if let Some(fields) = format.split(&line, &mut spans) {
                prop_assert_eq!(fields.iter().count(), format.names().count());
            }
        }
    }

    #[test]
    fn any_text_compiles_or_is_refused_at_a_place_of_it(template in "(\\$[a-z{}]{0,4}|[ -~]|\\\\.|é|\n){0,12}") {
        match Format::nginx(&template, Escape::Default) {
            Ok(format) => {
                for remark in format.warnings() {
                    prop_assert!(template.get(remark.span.clone()).is_some());
                }
            }
            Err(error) => {
                prop_assert!(!error.remarks.is_empty());
                for remark in error.remarks {
                    prop_assert!(template.get(remark.span.clone()).is_some());
                }
            }
        }
    }

    #[test]
    fn what_other_servers_write_comes_back((name, line, values) in foreign()) {
        let format = Format::known(name).unwrap();
        let mut spans = Spans::default();
        let fields = format.split(&line, &mut spans);
        prop_assert!(fields.is_some(), "{}", String::from_utf8_lossy(&line));
        let fields = fields.unwrap();
        for (name, value) in values {
            let (_, read) = fields.iter().find(|(known, _)| *known == name).unwrap();
            let read = read.decode(&mut Vec::new()).to_vec();
            prop_assert_eq!(read, value, "{} in {}", name, String::from_utf8_lossy(&line));
        }
    }

    #[test]
    fn what_json_writes_comes_back(uri in ".*", agent in any::<String>(), key in "[a-zA-Z.\"-]{1,9}", cut in any::<prop::sample::Index>()) {
        let object = serde_json::json!({
            "ts": 1_646_861_401.52,
            "request": {"uri": uri, "headers": {key: [agent], "User-Agent": [agent, "second"]}},
            "resp_headers": {"uri": "forged"},
            "status": 200,
        });
        let format = Format::known("caddy").unwrap();
        let mut spans = Spans::default();
        let line = object.to_string();
        let mut decoded = (Vec::new(), Vec::new());
        // Without a target a line is no request's.
        prop_assume!(!uri.is_empty());
        let fields = format.split(line.as_bytes(), &mut spans).expect("a whole object fits");
        let of = |name: &str| fields.iter().find(|(known, _)| *known == name).unwrap().1;
        prop_assert_eq!(of("request_uri").decode(&mut decoded.0), uri.as_bytes());
        prop_assert_eq!(of("http_user_agent").decode(&mut decoded.1), agent.as_bytes());
        prop_assert_eq!(of("status").text(), b"200");
        let torn = &line.as_bytes()[..cut.index(line.len())];
        prop_assert!(format.split(torn, &mut spans).is_none());
        let glued = [torn, line.as_bytes()].concat();
        prop_assert!(torn.is_empty() || format.split(&glued, &mut spans).is_none());
    }

    #[test]
    fn a_long_line_of_anything_ends(piece in hostile(), name in select(Format::KNOWN)) {
        prop_assume!(!piece.is_empty());
        let line = piece.repeat((1 << 14) / piece.len() + 1);
        let format = Format::known(name).unwrap();
        prop_assert!(format.split(&line, &mut Spans::default()).is_none());
    }

    #[test]
    fn any_log_format_of_apache_compiles_or_is_refused_at_a_place_of_it(
        template in "(%[!0-9,]{0,3}(\\{[a-zA-Z%]{0,4}\\})?[a-zA-Z^%]|[ -~]|\\\\.|é|\n){0,10}"
    ) {
        let remarks = match Format::apache(&template) {
            Ok(format) => format.warnings().to_vec(),
            Err(error) => error.remarks,
        };
        for remark in remarks {
            prop_assert!(template.get(remark.span.clone()).is_some(), "{:?}", remark);
        }
    }
}

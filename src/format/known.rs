//! The formats that have a name: what servers write without being told, or with what their packages bring along.

use super::escape::Escape;
use super::variable::{Kind, Unit};
use super::{Format, template};

/// nginx's built-in format.
pub(super) const COMBINED: &str = concat!(
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "#,
    r#""$http_referer" "$http_user_agent""#
);

/// The format that nginx's packages configure.
pub(super) const MAIN: &str = concat!(
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "#,
    r#""$http_referer" "$http_user_agent" "$http_x_forwarded_for""#
);

/// Apache's, as its own configuration defines them.
pub(super) const COMMON: &str = r#"%h %l %u %t \"%r\" %>s %b"#;
pub(super) const APACHE_COMBINED: &str = r#"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#;
pub(super) const VHOST_COMBINED: &str =
    r#"%v:%p %h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#;

/// Traefik's own text format. Method, target and protocol are three words, because the quotes around them are no escape:
/// a target may hold a quote, but never a space.
pub(super) const TRAEFIK: &str = concat!(
    r#"$remote_addr - $remote_user [$time_local] "$request_method $request_uri $server_protocol" $status "#,
    r#"$body_bytes_sent "$http_referer" "$http_user_agent" $request_count "$router_name" "$service_url" "#,
    r"${request_time}ms"
);

/// What Traefik escapes: all that it quotes alone.
const TRAEFIK_QUOTED: &[&str] = &["http_referer", "http_user_agent", "router_name", "service_url"];

/// The variables of Caddy's log; where an older version has no `client_ip`, the peer is the client.
pub(super) const CADDY: &[(&str, &str)] = &[
    ("time", "ts"),
    ("remote_addr", "request.client_ip"),
    ("remote_addr", "request.remote_ip"),
    ("realip_remote_addr", "request.remote_ip"),
    ("remote_user", "user_id"),
    ("request_method", "request.method"),
    ("request_uri", "request.uri"),
    ("server_protocol", "request.proto"),
    ("host", "request.host"),
    ("status", "status"),
    ("body_bytes_sent", "size"),
    ("request_time", "duration"),
    ("http_referer", "request.headers.Referer"),
    ("http_user_agent", "request.headers.User-Agent"),
    ("http_x_forwarded_for", "request.headers.X-Forwarded-For"),
    ("http_x_real_ip", "request.headers.X-Real-Ip"),
    ("http_forwarded", "request.headers.Forwarded"),
    ("http_cookie", "request.headers.Cookie"),
    ("http_sec_purpose", "request.headers.Sec-Purpose"),
    ("http_purpose", "request.headers.Purpose"),
    ("http_sec_fetch_dest", "request.headers.Sec-Fetch-Dest"),
    ("http_sec_fetch_mode", "request.headers.Sec-Fetch-Mode"),
    ("sent_http_content_type", "resp_headers.Content-Type"),
];

/// The variables of Traefik's JSON; headers are there where its configuration keeps them.
pub(super) const TRAEFIK_JSON: &[(&str, &str)] = &[
    ("time", "StartUTC"),
    ("time", "time"),
    ("remote_addr", "ClientHost"),
    ("remote_user", "ClientUsername"),
    ("request_method", "RequestMethod"),
    ("request_uri", "RequestPath"),
    ("server_protocol", "RequestProtocol"),
    ("scheme", "RequestScheme"),
    ("host", "RequestHost"),
    ("status", "DownstreamStatus"),
    ("body_bytes_sent", "DownstreamContentSize"),
    ("request_time_ns", "Duration"),
    ("http_referer", "request_Referer"),
    ("http_user_agent", "request_User-Agent"),
    ("http_x_forwarded_for", "request_X-Forwarded-For"),
    ("http_x_real_ip", "request_X-Real-Ip"),
    ("http_forwarded", "request_Forwarded"),
    ("http_cookie", "request_Cookie"),
    ("http_sec_purpose", "request_Sec-Purpose"),
    ("http_purpose", "request_Purpose"),
    ("http_sec_fetch_dest", "request_Sec-Fetch-Dest"),
    ("http_sec_fetch_mode", "request_Sec-Fetch-Mode"),
    ("sent_http_content_type", "downstream_Content-Type"),
];

/// All names. nginx's come first: where a line fits two servers' formats, it is taken for nginx's. A line with a virtual
/// host is one without it, too, with a strange user.
pub(super) const NAMES: &[&str] =
    &["combined", "main", "common", "vhost_combined", "apache_combined", "caddy", "traefik", "traefik_json"];

/// The text of a named format that has one.
pub(super) fn text_of(name: &str) -> Option<&'static str> {
    match name {
        "combined" => Some(COMBINED),
        "main" => Some(MAIN),
        "common" => Some(COMMON),
        "apache_combined" => Some(APACHE_COMBINED),
        "vhost_combined" => Some(VHOST_COMBINED),
        _ => None,
    }
}

/// The format of a name.
pub(super) fn of(name: &str) -> Option<Format> {
    let format = match name {
        "combined" => Format::nginx(COMBINED, Escape::Default),
        "main" => Format::nginx(MAIN, Escape::Default),
        "common" => Format::apache(COMMON),
        "apache_combined" => Format::apache(APACHE_COMBINED),
        "vhost_combined" => Format::apache(VHOST_COMBINED),
        "caddy" => Format::json(CADDY),
        "traefik" => template::compile_as(TRAEFIK, Escape::Go, traefik)
            .map(|it| Format::text(it).quoting(TRAEFIK_QUOTED)),
        "traefik_json" => Format::json(TRAEFIK_JSON),
        _ => return None,
    };
    Some(format.expect("the built-in formats are compiled by a test"))
}

fn traefik(name: &str) -> (Kind, Unit) {
    match name {
        "request_uri" | "remote_addr" => (Kind::Word, Unit::Seconds),
        "status" => (Kind::StatusOrNone, Unit::Seconds),
        "body_bytes_sent" | "request_count" => (Kind::UintOrNone, Unit::Seconds),
        "request_time" => (Kind::Uint, Unit::Milliseconds),
        _ => (Kind::of(name), Unit::Seconds),
    }
}

#[cfg(test)]
mod tests {
    use crate::format::{Field, Format, Spans};

    fn check(name: &str, line: &str, expect: &[(Field, &str)]) {
        let format = Format::known(name).unwrap();
        let mut spans = Spans::default();
        let fields =
            format.split(line.as_bytes(), &mut spans).unwrap_or_else(|| panic!("{line} is not {name}"));
        for (field, expect) in expect {
            let value = fields.get(*field).unwrap_or_else(|| panic!("{field:?} is absent"));
            assert_eq!(String::from_utf8_lossy(value.decode(&mut Vec::new())), *expect, "{field:?}");
        }
        assert_eq!(Format::best_fit(&[line.as_bytes()]), Some(name));
    }

    #[test]
    fn apache() {
        let rest = r#"web.example - al ice [22/Nov/2026:10:13:39 +0000] "GET /\"x HTTP/1.1" 200"#;
        let expect = [(Field::RemoteUser, "al ice"), (Field::Request, "GET /\"x HTTP/1.1")];
        check("common", &format!("{rest} -"), &expect);
        check("apache_combined", &format!(r#"{rest} 12 "-" "a\\b\xe4""#), &expect);
        check("vhost_combined", &format!(r#"blog.example:443 {rest} 12 "-" "-""#), &expect);
    }

    #[test]
    fn caddy() {
        let line = concat!(
            r#"{"level":"info","ts":1646861401.5241024,"logger":"http.log.access","msg":"handled request","request":"#,
            r#"{"remote_ip":"127.0.0.1","remote_port":"41342","client_ip":"192.0.2.1","proto":"HTTP/2.0","method":"GET","#,
            r#""host":"localhost:80","uri":"/a?b","headers":{"User-Agent":["curl/7.82.0"],"Accept":["*/*"]},"tls":"#,
            r#"{"resumed":false,"version":772}},"bytes_read":0,"user_id":"","duration":0.929675,"size":10900,"status":200,"#,
            r#""resp_headers":{"Content-Type":["text/html; charset=utf-8"]}}"#,
        );
        let expect = [
            (Field::Time, "1646861401.5241024"),
            (Field::RemoteAddr, "192.0.2.1"),
            (Field::RequestUri, "/a?b"),
            (Field::HttpUserAgent, "curl/7.82.0"),
            (Field::SentHttpContentType, "text/html; charset=utf-8"),
            (Field::Status, "200"),
        ];
        check("caddy", line, &expect);
        let older = line.replace(r#""client_ip":"192.0.2.1","#, "");
        check("caddy", &older, &[(Field::RemoteAddr, "127.0.0.1")]);
    }

    #[test]
    fn traefik() {
        let line = concat!(
            r#"192.0.2.1 - a"b [22/Nov/2026:10:13:39 +0000] "GET /?q="x" HTTP/1.1" 200 12 "-" "a\"b\u00e9" 7 "#,
            r#""web@file" "http://127.0.0.1:80" 12ms"#,
        );
        let expect =
            [(Field::RemoteUser, "a\"b"), (Field::RequestUri, "/?q=\"x\""), (Field::HttpUserAgent, "a\"bé")];
        check("traefik", line, &expect);
        let line = concat!(
            r#"{"ClientAddr":"192.0.2.1:5","ClientHost":"192.0.2.1","ClientUsername":"-","Duration":1234567890,"#,
            r#""DownstreamStatus":200,"RequestMethod":"GET","RequestPath":"/","StartUTC":"2026-11-22T10:13:39.123456789Z","#,
            r#""request_User-Agent":"curl","level":"info","msg":"","time":"2026-11-22T10:13:40Z"}"#,
        );
        check(
            "traefik_json",
            line,
            &[(Field::Time, "2026-11-22T10:13:39.123456789Z"), (Field::HttpUserAgent, "curl")],
        );
    }
}

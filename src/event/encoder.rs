//! From a line to the JSON of its event, appended to an arena.
//!
//! Written by hand, because it runs for every line. Invariants: one JSON object on one line, valid UTF-8, keys in the
//! fixed order and each at most once, at most [`EVENT_BYTES_MAX`](super::EVENT_BYTES_MAX) bytes, whatever the line holds.

use std::sync::Arc;

use super::bots::BotsError;
use super::exclusion::Reason;
use super::extra::Extras;
use super::limits::{NAME_BYTES_MAX, RAW_BYTES_MAX};
use super::place::{Place, StreamId};
use super::rules::{Emit, Raw, Rules};
use super::text::{
    CHARACTER_BYTES_MAX, capped, copy_without_users, push_lossy, push_number, push_shown, push_string,
};
use super::view::{Explanation, SiteText, View};
use crate::format::{Format, Spans};

/// What ends the part of a URL in which a user may stand, where a quote ends the field.
const URL_STOPS_OF_LINE: &[u8] = b"/?# \t\r\n\"";

/// What is the same for all lines of one log.
#[derive(Clone, Debug)]
pub struct EncoderOptions {
    /// How the lines are written.
    pub format: Format,
    /// Where `site` comes from.
    pub site: Site,
    /// The agent's host name.
    pub host: String,
    /// The log's name.
    pub log: String,
    /// What the configuration says about events.
    pub rules: Arc<Rules>,
}

/// Where an event's `site` comes from.
#[derive(Clone, Debug)]
pub enum Site {
    /// From the configuration.
    Fixed(String),
    /// `$host` of the line, lower-case and without port.
    Line {
        /// The site of lines without a host.
        otherwise: String,
    },
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Whether the line matched its format.
    pub parsed: bool,
    /// Whether the event is a page view.
    pub view: bool,
    /// Why it is none.
    pub reason: Option<Reason>,
    /// The event's time in milliseconds since the epoch, where the line has one.
    pub time_ms: Option<i64>,
    /// Where some of its values stand in the output.
    pub places: Places,
}

impl Encoded {
    /// Whether the event is excluded as malformed: the line did not match, or its request is none.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.reason == Some(Reason::Malformed)
    }
}

/// Where values stand in the output: their texts as escaped for JSON, without quotes. Empty where the event has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// `site`
    pub site: (usize, usize),
    /// `day`
    pub day: (usize, usize),
    /// `page`
    pub page: (usize, usize),
    /// `visitor_id`
    pub visitor_id: (usize, usize),
    /// `client_key`
    pub client_key: (usize, usize),
    /// `referrer_host`
    pub referrer_host: (usize, usize),
    /// `bot`
    pub bot: (usize, usize),
}

/// Turns lines of one log into events; keeps its buffers, so that a line costs no allocation.
#[derive(Debug)]
pub struct Encoder {
    format: Format,
    spans: Spans,
    view: View,
    /// An event's beginning up to the position, for the stream of the last line.
    head: Vec<u8>,
    head_of: Option<StreamId>,
    /// `host` and `log` with their keys.
    origin: Vec<u8>,
    emit: Emit,
    raw: Raw,
    extras: Extras,
    clean: Vec<u8>,
    /// Tried with lines that are not of the format.
    second: Option<Box<Encoder>>,
}

impl Encoder {
    /// Prepares everything that does not change from line to line.
    ///
    /// # Errors
    /// A pattern of the rules about bots is none, or not there to be removed.
    pub fn new(options: EncoderOptions) -> Result<Self, BotsError> {
        let EncoderOptions { format, site, host, log, rules } = options;
        let site = match site {
            Site::Fixed(site) => SiteText::Fixed(escaped_name(&site)),
            Site::Line { otherwise } => SiteText::Line { otherwise: escaped_name(&otherwise) },
        };
        let mut origin = Vec::new();
        push_string(&mut origin, br#","host":""#, &escaped_name(&host));
        push_string(&mut origin, br#","log":""#, &escaped_name(&log));
        let view = View::new(site, &format, &rules)?;
        let extras = Extras::new(&rules.extra, &format);
        Ok(Self {
            format,
            spans: Spans::default(),
            view,
            head: Vec::new(),
            head_of: None,
            origin,
            emit: rules.emit,
            raw: rules.privacy.raw,
            extras,
            clean: Vec::new(),
            second: None,
        })
    }

    /// The same, with another encoder for lines that are not of the format: the one from before a change of it.
    #[must_use]
    pub fn or_else(self, second: Self) -> Self {
        Self { second: Some(Box::new(second)), ..self }
    }

    /// Whether `emit` lets an event out. A malformed one that has a topic of its own goes there in any case.
    #[must_use]
    pub fn lets_out(&self, encoded: &Encoded) -> bool {
        match self.emit {
            Emit::All => true,
            Emit::PageViews => encoded.view,
        }
    }

    /// Appends the event of `line` (without its terminator) to `out`: one JSON object, no newline.
    pub fn encode(&mut self, line: &[u8], place: &Place, out: &mut Vec<u8>) -> Encoded {
        let start = out.len();
        let encoded = self.encode_by_format(line, place, out);
        let Some(second) = self.second.as_mut().filter(|_| !encoded.parsed) else { return encoded };
        out.truncate(start);
        let by_second = second.encode_by_format(line, place, out);
        if by_second.parsed {
            return by_second;
        }
        out.truncate(start);
        self.encode_by_format(line, place, out)
    }

    fn encode_by_format(&mut self, line: &[u8], place: &Place, out: &mut Vec<u8>) -> Encoded {
        self.push_identity(place, out);
        let fields = self.format.split(line, &mut self.spans);
        let encoded = match &fields {
            Some(fields) => self.view.push(fields, out),
            None => self.view.push_unparsed(out),
        };
        out.extend_from_slice(&self.origin);
        match self.raw {
            Raw::Always => push_raw(line, &mut self.clean, out),
            Raw::Malformed if encoded.is_malformed() => push_raw(line, &mut self.clean, out),
            Raw::Malformed | Raw::Never => {}
        }
        if let Some(fields) = &fields {
            self.extras.push(fields, out);
        }
        push_marks(place, out);
        out.push(b'}');
        encoded
    }

    /// Why the event of a line says what it says; `None` for a line that is not of the format.
    pub fn explain(&mut self, line: &[u8]) -> Option<Explanation> {
        let fields = self.format.split(line, &mut self.spans)?;
        Some(self.view.explain(&fields))
    }

    fn push_identity(&mut self, place: &Place, out: &mut Vec<u8>) {
        if self.head_of != Some(place.stream) {
            self.head = format!(r#"{{"v":1,"id":"{}:"#, place.stream).into_bytes();
            self.head_of = Some(place.stream);
        }
        out.extend_from_slice(&self.head);
        push_number(out, place.position);
        out.extend_from_slice(br#"","line_size":"#);
        push_number(out, place.line_size);
    }
}

fn push_raw(line: &[u8], clean: &mut Vec<u8>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#","raw":""#);
    let line = if memchr::memchr(b'@', line).is_some() {
        copy_without_users(clean, line, URL_STOPS_OF_LINE, RAW_BYTES_MAX + CHARACTER_BYTES_MAX);
        clean
    } else {
        line
    };
    push_shown(out, capped(line, RAW_BYTES_MAX));
    out.push(b'"');
}

fn push_marks(place: &Place, out: &mut Vec<u8>) {
    if place.partial {
        out.extend_from_slice(br#","partial":true"#);
    }
    if place.truncated {
        out.extend_from_slice(br#","truncated":true"#);
    }
    if let Some((size, reason)) = place.skipped {
        out.extend_from_slice(br#","skipped_size":"#);
        push_number(out, size);
        push_string(out, br#","skipped_reason":""#, reason.as_str().as_bytes());
    }
}

/// A name from the configuration, as JSON text.
fn escaped_name(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    push_lossy(&mut out, capped(name.as_bytes(), NAME_BYTES_MAX));
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Encoded, Encoder, EncoderOptions, Places, Site};
    use crate::event::rules::{
        AddressPrivacy, ClientRules, Keep, KeepUserAgent, PrivacyRules, Raw, Rules, VisitorRules,
    };
    use crate::event::schema;
    use crate::event::{EVENT_BYTES_MAX, Place, SkipReason, StreamId};
    use crate::format::{Escape, Format};

    const PLACE: Place = Place {
        stream: StreamId(0xAB),
        position: 120,
        line_size: 9,
        skipped: None,
        partial: false,
        truncated: false,
    };

    fn encoder(format: Format, site: Site) -> Encoder {
        encoder_with(format, site, Rules::default())
    }

    fn encoder_with(format: Format, site: Site, rules: Rules) -> Encoder {
        let (host, log) = ("web1".to_owned(), "blog".to_owned());
        Encoder::new(EncoderOptions { format, site, host, log, rules: Arc::new(rules) }).unwrap()
    }

    fn encode(encoder: &mut Encoder, line: &[u8], place: &Place) -> (Encoded, String) {
        let mut out = b"before".to_vec();
        let encoded = encoder.encode(line, place, &mut out);
        let text = String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned();
        schema::read(text.as_bytes()).unwrap();
        (encoded, text)
    }

    #[test]
    fn a_line_of_the_format_from_before_is_read_by_it() {
        let site = || Site::Fixed("example.net".to_owned());
        let old = Format::nginx("$status $request_uri", Escape::Default).unwrap();
        let new = Format::nginx("[$status] $request_uri", Escape::Default).unwrap();
        let mut both = encoder(new.clone(), site()).or_else(encoder(old.clone(), site()));
        for (line, format) in [(&b"200 /a"[..], old), (b"[200] /a", new.clone()), (b"noise", new)] {
            let (alone, expected) = encode(&mut encoder(format, site()), line, &PLACE);
            assert_eq!(encode(&mut both, line, &PLACE), (alone, expected));
        }
    }

    /// What the rules make of a line, which has tests of its own.
    const DERIVED: &str = r#",'(page|visitor_id|visitor_kind|client_key|bot)':'([^'\\]|\\.)*'|,'is_page_view':(true|false)|,'exclude_reason':'[^m][^']*'"#;

    /// Compares all of an event but its identity, its origin and what is derived, with `"` written as `'`.
    fn check(format: &str, line: &str, expect: &str) {
        let text = inner(format, Rules::default(), line);
        assert_eq!(regex::Regex::new(DERIVED).unwrap().replace_all(&text, ""), expect, "{line}");
    }

    /// All of an event but its identity and origin, with `"` written as `'`.
    fn inner(format: &str, rules: Rules, line: &str) -> String {
        let format = Format::nginx(format, Escape::Default).unwrap();
        let site = Site::Line { otherwise: String::new() };
        let (_, text) = encode(&mut encoder_with(format, site, rules), line.as_bytes(), &PLACE);
        let inner = text.strip_prefix(r#"{"v":1,"id":"00000000000000ab:120","line_size":9"#).unwrap();
        let (inner, end) = inner.split_once(r#","host":"web1","log":"blog""#).unwrap();
        format!("{inner}{}", end.strip_suffix('}').unwrap()).replace('"', "'")
    }

    #[test]
    fn a_whole_event() {
        let mut encoder = encoder(Format::combined(), Site::Fixed("blog.example.com".to_owned()));
        let line = concat!(
            r#"192.0.2.7 - al ice [x] [22/Nov/2026:18:13:39 +0800] "GET /a/b.html?q=1 HTTP/1.1" 200 5120 "#,
            r#""https://example.org/?s=\x22" "Mozilla/5.0 (X11)""#
        );
        let place = Place { position: 0, line_size: 180, ..PLACE };
        let (encoded, text) = encode(&mut encoder, line.as_bytes(), &place);
        let expect = concat!(
            r#"{"v":1,"id":"00000000000000ab:0","line_size":180,"time":"2026-11-22T10:13:39Z","day":"2026-11-22","#,
            r#""site":"blog.example.com","page":"/a/b.html","is_page_view":true,"#,
            r#""visitor_id":"zwvMbc0vGLeZWgQw","visitor_kind":"ip_ua","client_key":"auK_r7w1JfBSomMA","#,
            r#""client_address":"192.0.2.0","http_request_method":"GET","url_path":"/a/b.html","#,
            r#""http_response_status_code":200,"http_response_body_size":5120,"#,
            r#""http_request_referrer":"https://example.org/","referrer_host":"example.org","user_agent_original":"Mozilla/5.0 (X11)","#,
            r#""network_protocol_version":"1.1","host":"web1","log":"blog"}"#
        );
        assert_eq!(text, expect);
        let shown = |(start, end): (usize, usize)| format!("before{text}")[start..end].to_owned();
        let Places { site, day, page, visitor_id, client_key, referrer_host, bot } = encoded.places;
        assert_eq!(
            [site, day, page, visitor_id, client_key, referrer_host, bot].map(shown),
            [
                "blog.example.com",
                "2026-11-22",
                "/a/b.html",
                "zwvMbc0vGLeZWgQw",
                "auK_r7w1JfBSomMA",
                "example.org",
                ""
            ]
        );
        let time_ms = Some(1_795_342_419_000);
        let places = encoded.places;
        assert_eq!(encoded, Encoded { parsed: true, view: true, reason: None, time_ms, places });
    }

    #[test]
    fn everything_a_format_can_say() {
        let format = concat!(
            "$msec $host $scheme $request_method $request_uri $server_protocol $status $request_time ",
            "$request_id \"$http_referer\""
        );
        let line = concat!(
            r"1795342419.677 BLOG.example.com https GET /\xE4\xB8\xAD?x HTTP/2.0 200 1.042 ",
            "0123456789abcdef0123456789abcdef \"-\""
        );
        let expect = concat!(
            ",'time':'2026-11-22T10:13:39.677Z','day':'2026-11-22','site':'blog.example.com',",
            "'http_request_method':'GET','url_path':'/%E4%B8%AD','http_response_status_code':200,",
            "'http_request_duration_ms':1042,'network_protocol_version':'2.0','url_scheme':'https',",
            "'server_address':'blog.example.com','request_id':'0123456789abcdef0123456789abcdef'"
        );
        check(format, line, expect);
    }

    #[test]
    fn oddities_of_status_size_and_duration() {
        let check = |line: &str, (status, size, duration): (&str, &str, &str)| {
            let expect =
                format!(",'http_response_status_code':{status}{size},'http_request_duration_ms':{duration}");
            check("$status $body_bytes_sent $request_time", line, &expect);
        };
        check("009 0 0.000", ("9", ",'http_response_body_size':0", "0"));
        check("000 007 12", ("0", ",'http_response_body_size':7", "12000"));
        check("499 18446744073709551615 0.5", ("499", "", "500"));
        check("200 1 0.0029", ("200", ",'http_response_body_size':1", "2"));
    }

    #[test]
    fn absent_and_empty_are_two_things() {
        let check = |line: &str, expect: &str| {
            let expect = format!(",'http_request_method':'GET','url_path':'/'{expect}");
            check(r#""$request" "$http_referer" "$http_user_agent""#, line, &expect);
        };
        check(r#""GET /" "-" "-""#, "");
        check(r#""GET /" "" """#, ",'http_request_referrer':'','user_agent_original':''");
    }

    #[test]
    fn a_request_that_is_none_is_malformed_but_keeps_the_rest() {
        let check = |request: &str, raw: &str| {
            let start = ",'time':'2026-11-22T10:13:39.677Z','day':'2026-11-22','exclude_reason':'malformed'";
            let expect = format!("{start},'http_response_status_code':400,'raw':'1795342419.677 400 {raw}'");
            check("$msec $status $request", &format!("1795342419.677 400 {request}"), &expect);
        };
        check("", "");
        check("-", "-");
        check(r"\x16\x03\x01", r"\\x16\\x03\\x01");
        check("GET", "GET");
    }

    #[test]
    fn parts_of_a_request_in_variables_of_their_own() {
        let check = |line: &str, expect: &str| {
            check("$request_method $request_uri $server_protocol $status", line, expect);
        };
        check(
            "GET /a b?c HTTP/1.0 200",
            ",'http_request_method':'GET','url_path':'/a b','http_response_status_code':200,'network_protocol_version':'1.0'",
        );
        let malformed = ",'exclude_reason':'malformed','http_response_status_code':400,'raw':";
        check("- - - 400", &format!("{malformed}'- - - 400'"));
        check("GET - - 400", &format!("{malformed}'GET - - 400'"));
        check("(x) / HTTP/1.1 400", &format!("{malformed}'(x) / HTTP/1.1 400'"));
    }

    #[test]
    fn a_line_of_another_format_is_malformed() {
        let check = |line: &str, raw: &str| {
            let expect = format!(",'exclude_reason':'malformed','raw':'{raw}'");
            check("$status $request", line, &expect);
        };
        check("garbage", "garbage");
        check("", "");
        check("http://u:p@h/ me@x", "http://h/ me@x");
        check("\u{1b}[2J", r"\u001B[2J");
        let mut encoder = encoder(Format::combined(), Site::Line { otherwise: "none".to_owned() });
        let (encoded, text) = encode(&mut encoder, b"\xFF\x00\xE4\xB8\xAD", &PLACE);
        assert!(!encoded.parsed && encoded.is_malformed());
        assert!(
            text.contains(r#""site":"none","is_page_view":false,"exclude_reason":"malformed""#),
            "{text}"
        );
        assert!(text.ends_with(r#""raw":"\\xFF\u0000中"}"#), "{text}");
    }

    #[test]
    fn targets() {
        let check = |target: &str, path: &str, rest: &str| {
            let version = "'network_protocol_version':'1.1'";
            let expect = format!(",'http_request_method':'GET','url_path':'{path}',{version}{rest}");
            check("$request", &format!("GET {target} HTTP/1.1"), &expect);
        };
        check("/a?b#c", "/a", "");
        check("/a#b?c", "/a", "");
        check("/a b", "/a b", "");
        check("/@user", "/@user", "");
        check(r"/\x22\x5C\xFF%ff", r"/\'\\%FF%ff", "");
        check("http://u:p@EVIL.com:80/x?y", "/x", ",'server_address':'evil.com'");
        check("/http://u:p@h/x", "/http://h/x", "");
        check("*", "*", "");
    }

    #[test]
    fn users_of_urls_never_appear() {
        check(
            r#""$http_referer" "$http_user_agent""#,
            r#""https://u:p@example.org/x?y=a@b" "bot (+http://me:secret@h)""#,
            ",'http_request_referrer':'https://example.org/x','referrer_host':'example.org','user_agent_original':'bot (+http://h)'",
        );
    }

    #[test]
    fn the_logged_host_wins_over_the_targets_and_only_it_names_the_site() {
        let check = |host: &str, site: &str, address: &str| {
            let parts = "'http_request_method':'GET','url_path':'/','network_protocol_version':'1.1'";
            let expect = format!(",{site}{parts},'server_address':'{address}'");
            check("$host $request", &format!("{host} GET http://evil.com/ HTTP/1.1"), &expect);
        };
        check("Good.com:80", "'site':'good.com',", "good.com");
        check("-", "", "evil.com");
        check("a/b", "", "evil.com");
    }

    #[test]
    fn a_decoded_uri_is_encoded_again() {
        check("$status $uri", "200 /50%", ",'url_path':'/50%25','http_response_status_code':200");
        check("$status $uri", "200 /a?b c", ",'url_path':'/a%3Fb%20c','http_response_status_code':200");
    }

    #[test]
    fn marks_of_the_place() {
        let mut encoder = encoder(Format::combined(), Site::Fixed("a".to_owned()));
        let skipped = Some((512, SkipReason::Hole));
        let place = Place { skipped, partial: true, truncated: true, ..PLACE };
        let (_, text) = encode(&mut encoder, b"x", &place);
        let expect = concat!(
            r#""raw":"x","partial":true,"truncated":true,"#,
            r#""skipped_size":512,"skipped_reason":"hole"}"#
        );
        assert!(text.ends_with(expect), "{text}");
        let (_, text) = encode(&mut encoder, b"x", &Place { stream: StreamId(u64::MAX), ..PLACE });
        assert!(text.starts_with(r#"{"v":1,"id":"ffffffffffffffff:120","#), "{text}");
    }

    #[test]
    fn names_from_the_configuration_are_data_too() {
        let options = EncoderOptions {
            format: Format::combined(),
            site: Site::Fixed("a\"b".to_owned()),
            host: "h\n".to_owned(),
            log: "l\\".to_owned(),
            rules: Arc::default(),
        };
        let (encoded, text) = encode(&mut Encoder::new(options).unwrap(), b"", &PLACE);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!([&value["site"], &value["host"], &value["log"]], ["a\"b", "h\n", "l\\"]);
        assert_eq!(&format!("before{text}")[encoded.places.site.0..encoded.places.site.1], r#"a\"b"#);
    }

    #[test]
    fn every_event_is_bounded() {
        let template = r#"$msec $host "$request" "$http_referer" "$http_user_agent""#;
        let privacy = PrivacyRules {
            query: Keep::Keep,
            referrer_query: Keep::Keep,
            raw: Raw::Always,
            ..PrivacyRules::default()
        };
        let extra = vec!["request".to_owned()];
        let name = "\x01".repeat(100_000);
        let mut encoder = Encoder::new(EncoderOptions {
            format: Format::nginx(template, Escape::Default).unwrap(),
            site: Site::Line { otherwise: name.clone() },
            host: name.clone(),
            log: name,
            rules: Arc::new(Rules { privacy, extra, ..Rules::default() }),
        })
        .unwrap();
        let mut largest = 0;
        for unit in ["\x01", "\"", r"\x01", r"\xFF", r"\x22", "a", "é", "@", "://@"] {
            let value = unit.repeat(100_000);
            for request in [format!("GET /{value}?{value} HTTP/1.1"), value.clone()] {
                let line = format!(r#"1795342419.677 host "{request}" "{value}" "{value}""#);
                let (_, text) = encode(&mut encoder, line.as_bytes(), &PLACE);
                assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap().is_object());
                largest = largest.max(text.len());
            }
        }
        assert!(largest <= EVENT_BYTES_MAX, "{largest}");
        assert!(largest > EVENT_BYTES_MAX / 2, "the bound is wider than its reason: {largest}");
    }

    #[test]
    fn caps_of_the_single_fields() {
        let mut encoder = encoder(Format::combined(), Site::Fixed("a".to_owned()));
        let (path, long) = ("p".repeat(9000), "é".repeat(3000));
        let line =
            format!(r#"- - - [22/Nov/2026:10:13:39 +0000] "GET /{path} HTTP/1.1" 200 1 "{long}" "{long}""#);
        let (_, text) = encode(&mut encoder, line.as_bytes(), &PLACE);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["url_path"].as_str().unwrap().len(), 8192);
        assert_eq!(value["http_request_referrer"], "é".repeat(1024));
        assert_eq!(value["user_agent_original"], "é".repeat(512));
        let (_, text) = encode(&mut encoder, long.repeat(2).as_bytes(), &PLACE);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["raw"], "é".repeat(4096));
    }

    /// An event as the schema reads it, from `$remote_addr`, a forwarded address, two cookies, request and user agent.
    fn event(rules: Rules, line: &str) -> serde_json::Value {
        let template = concat!(
            r#"$msec $remote_addr "$http_x_forwarded_for" $uid_got $uid_set "$cookie_vid" "$request" $status "#,
            r#""$http_referer" "$http_user_agent" "$sent_http_content_type" "$http_sec_purpose""#
        );
        let format = Format::nginx(template, Escape::Default).unwrap();
        let mut encoder = encoder_with(format, Site::Fixed("a".to_owned()), rules);
        schema::read(encode(&mut encoder, line.as_bytes(), &PLACE).1.as_bytes()).unwrap()
    }

    fn line(addresses: &str, cookies: &str) -> String {
        format!(
            r#"1795342419.677 {addresses} {cookies} "GET /a?q=1 HTTP/1.1" 200 "https://b/?c" "Mozilla/5.0 (X11)" "text/html" "-""#
        )
    }

    #[test]
    fn a_visitor_is_the_cookie_where_there_is_one() {
        let id = |rules: &Rules, cookies: &str| {
            let event = event(rules.clone(), &line(r#"192.0.2.7 "-""#, cookies));
            (event["visitor_id"].clone(), event["visitor_kind"].clone())
        };
        let own = Rules::default();
        let first = id(&own, r#"- vid=0100007F "-""#);
        assert_eq!(first.1, "cookie");
        assert_eq!(id(&own, r#"vid=0100007F - "-""#), first, "the first view and the next are one visitor's");
        assert_ne!(id(&own, r#"vid=0200007F - "-""#), first);
        let nobody = id(&own, r#"- - "x""#);
        assert_eq!(nobody.1, "ip_ua", "a cookie that nobody configured is none");
        let visitor = VisitorRules { cookie: Some("cookie_vid".to_owned()), secret: Vec::new() };
        let named = Rules { visitor, ..Rules::default() };
        assert_eq!(id(&named, r#"vid=0100007F - "x""#).1, "cookie");
        assert_ne!(id(&named, r#"vid=0100007F - "x""#), first);
        assert_eq!(id(&named, r#"vid=0100007F - "-""#), first);
        assert_eq!(id(&named, r#"- - "-""#), nobody);
    }

    #[test]
    fn the_address_is_the_one_that_trusted_proxies_name() {
        let client = ClientRules {
            header: Some("http_x_forwarded_for".to_owned()),
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
            ..ClientRules::default()
        };
        let privacy = |client_address| PrivacyRules { client_address, ..PrivacyRules::default() };
        let rules = |client_address| Rules {
            client: client.clone(),
            privacy: privacy(client_address),
            ..Rules::default()
        };
        let direct = event(rules(AddressPrivacy::Raw), &line(r#"192.0.2.7 "198.51.100.1""#, r#"- - "-""#));
        assert_eq!(direct["client_address"], "192.0.2.7");
        let proxied = |privacy| event(rules(privacy), &line(r#"10.0.0.1 "192.0.2.7""#, r#"- - "-""#));
        assert_eq!(proxied(AddressPrivacy::Raw)["client_address"], "192.0.2.7");
        assert_eq!(proxied(AddressPrivacy::Truncate)["client_address"], "192.0.2.0");
        assert_eq!(proxied(AddressPrivacy::Drop).get("client_address"), None);
        for privacy in [AddressPrivacy::Raw, AddressPrivacy::Truncate, AddressPrivacy::Drop] {
            assert_eq!(proxied(privacy)["client_key"], direct["client_key"]);
            assert_eq!(proxied(privacy)["visitor_id"], direct["visitor_id"]);
        }
        let socket = event(Rules::default(), &line(r#"unix: "-""#, r#"- - "-""#));
        assert_eq!(
            [socket.get("client_address"), socket.get("client_key"), socket.get("visitor_id")],
            [None; 3]
        );
    }

    #[test]
    fn what_privacy_keeps_and_drops() {
        let line = line(r#"192.0.2.7 "-""#, r#"- - "-""#);
        let fields = ["url_query", "http_request_referrer", "user_agent_original", "raw"];
        let shown = |rules: Rules| {
            let event = event(rules, &line);
            fields.map(|field| event.get(field).and_then(|value| value.as_str()).map(str::to_owned))
        };
        let text = |text: &str| Some(text.to_owned());
        let agent = text("Mozilla/5.0 (X11)");
        assert_eq!(shown(Rules::default()), [None, text("https://b/"), agent, None]);
        let privacy = PrivacyRules {
            query: Keep::Keep,
            referrer_query: Keep::Keep,
            user_agent: KeepUserAgent::Drop,
            raw: Raw::Always,
            ..PrivacyRules::default()
        };
        let raw = Some(line.clone());
        assert_eq!(
            shown(Rules { privacy, ..Rules::default() }),
            [text("q=1"), text("https://b/?c"), None, raw]
        );
        let never = Rules {
            privacy: PrivacyRules { raw: Raw::Never, ..PrivacyRules::default() },
            ..Rules::default()
        };
        let (_, malformed) =
            encode(&mut encoder_with(Format::combined(), Site::Fixed("a".to_owned()), never), b"x", &PLACE);
        assert!(!malformed.contains("raw"), "{malformed}");
    }

    #[test]
    fn a_request_id_that_a_client_wrote_is_text() {
        let format = Format::regex("(?P<request_id>.*)", Escape::Default).unwrap();
        let mut encoder = encoder(format, Site::Fixed("a".to_owned()));
        let mut shown = |line: &str| {
            let (_, text) = encode(&mut encoder, line.as_bytes(), &PLACE);
            let event: serde_json::Value = serde_json::from_str(&text).unwrap();
            event.get("request_id").map(|id| id.as_str().unwrap().to_owned())
        };
        let forged = r#"x","is_page_view":true,"v":2,"y":""#;
        assert_eq!(shown(forged).as_deref(), Some(forged));
        assert_eq!(shown(&"é".repeat(100)), Some("é".repeat(64)));
        assert_eq!(shown(""), None);
    }

    #[test]
    fn further_variables() {
        let names =
            ["http_x_b", "cookie_c", "http_x_b", "nothing", "request_length"].map(str::to_owned).to_vec();
        let rules = || Rules { extra: names.clone(), ..Rules::default() };
        let format = r#"$request_length "$http_x_b" "$cookie_c""#;
        assert!(
            inner(format, rules(), r#"7 "\x22\x01 http://u:p@h" "secret""#)
                .ends_with(r"'x_http_x_b':'\'\u0001 http://h','x_request_length':'7'")
        );
        assert!(inner(format, rules(), r#"7 "-" "-""#).ends_with(",'x_request_length':'7'"));
    }

    #[test]
    fn all_fields_of_the_schema_are_there() {
        let template = concat!(
            "$msec $host $scheme $remote_addr \"$request\" $status $body_bytes_sent $request_time $request_id ",
            "\"$http_referer\" \"$http_user_agent\""
        );
        let privacy = PrivacyRules { query: Keep::Keep, raw: Raw::Always, ..PrivacyRules::default() };
        let rules = Rules { privacy, ..Rules::default() };
        let format = Format::nginx(template, Escape::Default).unwrap();
        let mut encoder = encoder_with(format, Site::Line { otherwise: String::new() }, rules);
        let line = concat!(
            "1795342419.677 a.example https 192.0.2.7 \"GET /a?b HTTP/1.1\" 200 5 0.001 ",
            "0123456789abcdef0123456789abcdef \"https://b.example/\" \"\""
        );
        let place =
            Place { partial: true, truncated: true, skipped: Some((5, SkipReason::Filtered)), ..PLACE };
        let (_, text) = encode(&mut encoder, line.as_bytes(), &place);
        let event = schema::read(text.as_bytes()).unwrap();
        let missing: Vec<_> = schema::FIELDS.iter().filter(|field| event.get(field).is_none()).collect();
        assert_eq!(missing, [&""; 0], "{text}");
    }
}

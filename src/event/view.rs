//! What the variables of a line say, as the middle of its event.

use std::net::IpAddr;

use super::encoder::{Encoded, Places};
use super::exclusion::Reason;
use super::limits::{INTEGER_DIGITS_MAX, PATH_BYTES_MAX, REFERRER_BYTES_MAX, USER_AGENT_BYTES_MAX};
use super::request::Asked;
use super::text::{
    CHARACTER_BYTES_MAX, capped, copy_without_users, is_plain, push_lossy, push_number, push_path,
    push_string,
};
use super::when::TimeWriter;
use crate::format::request::host;
use crate::format::{Field, Fields, Value};

/// What ends the part of a URL in which a user may stand.
const URL_STOPS: &[u8] = b"/?# \t\r\n";

/// The only reason to exclude an event that no rule is needed for.
const MALFORMED: &[u8] = br#","exclude_reason":"malformed""#;

/// Writes what a line says; keeps its buffers.
#[derive(Debug)]
pub(super) struct View {
    site: SiteText,
    time: TimeWriter,
    request: Vec<u8>,
    value: Vec<u8>,
    clean: Vec<u8>,
    /// The request's host, lower-case, as JSON text.
    host: Vec<u8>,
}

/// The site as JSON text.
#[derive(Debug)]
pub(super) enum SiteText {
    /// The same for all lines.
    Fixed(Vec<u8>),
    /// The line's host; this one where it has none.
    Line { otherwise: Vec<u8> },
}

impl View {
    /// Prepares the buffers.
    pub(super) fn new(site: SiteText) -> Self {
        Self {
            site,
            time: TimeWriter::default(),
            request: Vec::new(),
            value: Vec::new(),
            clean: Vec::new(),
            host: Vec::new(),
        }
    }

    /// Appends what a line says that is not of its format: nothing but where it belongs.
    pub(super) fn push_unparsed(&mut self, out: &mut Vec<u8>) -> Encoded {
        self.host.clear();
        let site = self.push_site(out);
        out.extend_from_slice(MALFORMED);
        let places = Places { site, ..Places::default() };
        Encoded { parsed: false, view: false, reason: Some(Reason::Malformed), time_ms: None, places }
    }

    /// Appends what the variables of a line say, from `time` to `request_id`.
    pub(super) fn push(&mut self, fields: &Fields<'_>, out: &mut Vec<u8>) -> Encoded {
        let time_ms = self.time.push(fields, out);
        self.host.clear();
        if let Some(name) = fields.get(Field::Host) {
            push_host(&mut self.host, name.decode(&mut self.value));
        }
        let site = self.push_site(out);
        let asked = Asked::of(fields, &mut self.request);
        if asked.is_none() {
            out.extend_from_slice(MALFORMED);
        }
        push_address(fields, out);
        if let Some(asked) = &asked {
            push_request(asked, &mut self.clean, out);
        }
        if let (true, Some(name)) = (self.host.is_empty(), asked.as_ref().and_then(Asked::authority)) {
            push_host(&mut self.host, name);
        }
        push_response(fields, out);
        let version = asked.as_ref().and_then(Asked::version);
        let malformed = asked.is_none();
        for (text, field) in [(REFERRER, Field::HttpReferer), (USER_AGENT, Field::HttpUserAgent)] {
            if let Some(value) = fields.get(field) {
                text.push(value, (&mut self.value, &mut self.clean), out);
            }
        }
        if let Some(version) = version {
            push_string(out, br#","network_protocol_version":""#, version);
        }
        self.push_connection(fields, out);
        let places = Places { site, ..Places::default() };
        let reason = malformed.then_some(Reason::Malformed);
        Encoded { parsed: true, view: reason.is_none(), reason, time_ms, places }
    }

    fn push_connection(&self, fields: &Fields<'_>, out: &mut Vec<u8>) {
        if let Some(scheme) = fields.get(Field::Scheme).map(Value::text).filter(|scheme| is_scheme(scheme)) {
            push_string(out, br#","url_scheme":""#, scheme);
        }
        if !self.host.is_empty() {
            push_string(out, br#","server_address":""#, &self.host);
        }
        if let Some(id) = fields.get(Field::RequestId) {
            push_string(out, br#","request_id":""#, id.text());
        }
    }

    /// Appends the site, and gives its place. `host` must be that of `$host`: a request's target, which anybody can
    /// write, names no site.
    fn push_site(&self, out: &mut Vec<u8>) -> (usize, usize) {
        let site = match &self.site {
            SiteText::Fixed(site) => site,
            SiteText::Line { otherwise } if self.host.is_empty() => otherwise,
            SiteText::Line { .. } => &self.host,
        };
        if site.is_empty() {
            return (out.len(), out.len());
        }
        push_string(out, br#","site":""#, site);
        (out.len() - 1 - site.len(), out.len() - 1)
    }
}

/// A text field of the event.
struct Text {
    /// With the separator before and the quote behind it.
    key: &'static [u8],
    limit: usize,
}

const REFERRER: Text = Text { key: br#","http_request_referrer":""#, limit: REFERRER_BYTES_MAX };
const USER_AGENT: Text = Text { key: br#","user_agent_original":""#, limit: USER_AGENT_BYTES_MAX };

impl Text {
    fn push(&self, value: Value<'_>, (decoded, clean): (&mut Vec<u8>, &mut Vec<u8>), out: &mut Vec<u8>) {
        out.extend_from_slice(self.key);
        let text = value.text();
        if is_plain(text) {
            out.extend_from_slice(&text[..text.len().min(self.limit)]);
        } else {
            copy_without_users(clean, value.decode(decoded), URL_STOPS, self.limit + CHARACTER_BYTES_MAX);
            push_lossy(out, capped(clean, self.limit));
        }
        out.push(b'"');
    }
}

/// The address that the connection came from, in the one spelling that the standard library gives it; an IPv4 address
/// in IPv6 form is the IPv4 address. Unix sockets have none.
fn push_address(fields: &Fields<'_>, out: &mut Vec<u8>) {
    let text = fields.get(Field::RemoteAddr).and_then(|value| std::str::from_utf8(value.text()).ok());
    match text.and_then(|text| text.parse::<IpAddr>().ok().map(|address| (text, address.to_canonical()))) {
        None => {}
        Some((text, IpAddr::V4(_))) if !text.contains(':') => {
            push_string(out, br#","client_address":""#, text.as_bytes());
        }
        Some((_, address)) => push_string(out, br#","client_address":""#, address.to_string().as_bytes()),
    }
}

fn push_request(asked: &Asked<'_>, clean: &mut Vec<u8>, out: &mut Vec<u8>) {
    if let Some(method) = asked.method {
        push_string(out, br#","http_request_method":""#, method);
    }
    let Some(path) = asked.path() else { return };
    out.extend_from_slice(br#","url_path":""#);
    if is_plain(path) && asked.reserved.is_empty() {
        out.extend_from_slice(&path[..path.len().min(PATH_BYTES_MAX)]);
    } else {
        copy_without_users(clean, path, URL_STOPS, PATH_BYTES_MAX);
        push_path(out, clean, asked.reserved);
    }
    out.push(b'"');
}

fn push_response(fields: &Fields<'_>, out: &mut Vec<u8>) {
    if let Some(status) = fields.get(Field::Status) {
        push_integer(out, br#","http_response_status_code":"#, status.text());
    }
    if let Some(size) = fields.get(Field::BodyBytesSent) {
        push_integer(out, br#","http_response_body_size":"#, size.text());
    }
    if let Some(duration_ms) = fields.get(Field::RequestTime).and_then(|value| milliseconds(value.text())) {
        out.extend_from_slice(br#","http_request_duration_ms":"#);
        push_number(out, duration_ms);
    }
}

/// Copies digits as a JSON integer, which has no leading zeros; leaves out what no consumer could hold.
fn push_integer(out: &mut Vec<u8>, key: &[u8], digits: &[u8]) {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = &digits[zeros.min(digits.len().saturating_sub(1))..];
    if (1..=INTEGER_DIGITS_MAX).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) {
        out.extend_from_slice(key);
        out.extend_from_slice(digits);
    }
}

/// Appends a host as JSON text: lower-case and without port; nothing if it cannot be a host.
fn push_host(out: &mut Vec<u8>, authority: &[u8]) {
    if let Some(name) = host(authority) {
        push_lossy(out, name);
        out.make_ascii_lowercase();
    }
}

/// Whole milliseconds of `$request_time`, which has three digits behind its point.
fn milliseconds(seconds: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(seconds).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let thousandths = fraction.bytes().chain(*b"000").take(3).try_fold(0, |sum, digit| {
        let digit = char::from(digit).to_digit(10)?;
        Some(sum * 10 + u64::from(digit))
    })?;
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(thousandths)
}

fn is_scheme(scheme: &[u8]) -> bool {
    // The longest scheme a web server logs is `https`.
    (1..=16).contains(&scheme.len()) && scheme.iter().all(u8::is_ascii_alphanumeric)
}

//! What the variables of a line say, as the middle of its event: from `time` to `bot`, in the order of the table.
//!
//! All rules come together here and are asked once per line. Keeps its buffers, so that a line costs no allocation.

mod explain;

use std::io::Write as _;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use super::agents::{Agent, Agents};
use super::bots::{Bots, BotsError};
use super::client::ClientResolver;
use super::encoder::{Encoded, Places};
use super::exclusion::{Exclusion, Facts, Reason};
use super::limits::{
    BOT_BYTES_MAX, HOST_BYTES_MAX, INTEGER_DIGITS_MAX, PATH_BYTES_MAX, QUERY_BYTES_MAX, REFERRER_BYTES_MAX,
    REQUEST_ID_BYTES_MAX, USER_AGENT_BYTES_MAX,
};
use super::page::{PAGE_BYTES_MAX, PageKeys};
use super::request::{Asked, Buffers};
use super::rules::{Keep, KeepUserAgent, PrivacyRules, Rules};
use super::text::{
    CHARACTER_BYTES_MAX, capped, copy_without_users, is_plain, push_lossy, push_number, push_path,
    push_string,
};
use super::visitor::{Digest, Id, Identities};
use super::when::{TimeWriter, When};
use crate::format::request::{Target, host};
use crate::format::{Field, Fields, Format, Slot, Value};

/// What ends the part of a URL in which a user may stand.
const URL_STOPS: &[u8] = b"/?# \t\r\n";

pub use explain::{ExplainedBot, ExplainedField, Explanation};

/// Writes what a line says.
#[derive(Debug)]
pub(super) struct View {
    site: SiteText,
    sources: Sources,
    privacy: PrivacyRules,
    time: TimeWriter,
    clients: ClientResolver,
    identities: Identities,
    pages: PageKeys,
    exclusion: Exclusion,
    bots: Bots,
    agents: Agents,
    request: Buffers,
    user_agent: Vec<u8>,
    /// Values that are needed for a moment.
    value: Vec<u8>,
    other: Vec<u8>,
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

/// Variables that the configuration chose.
#[derive(Debug)]
struct Sources {
    forwarded: Option<Slot>,
    cookie: Option<Slot>,
}

impl View {
    /// Prepares the rules and the buffers.
    pub(super) fn new(site: SiteText, format: &Format, rules: &Arc<Rules>) -> Result<Self, BotsError> {
        let slot = |name: &Option<String>| name.as_ref().and_then(|name| format.slot(name));
        Ok(Self {
            site,
            sources: Sources { forwarded: slot(&rules.client.header), cookie: slot(&rules.visitor.cookie) },
            privacy: rules.privacy,
            time: TimeWriter::new(&rules.day),
            clients: ClientResolver::new(&rules.client),
            identities: Identities::new(&rules.visitor.secret),
            pages: PageKeys::new(&rules.page),
            exclusion: Exclusion::new(rules),
            bots: Bots::new(&rules.views.bots)?,
            agents: Agents::default(),
            request: Buffers::default(),
            user_agent: Vec::new(),
            value: Vec::new(),
            other: Vec::new(),
            host: Vec::new(),
        })
    }

    /// Appends what a line says that is not of its format: nothing but where it belongs.
    pub(super) fn push_unparsed(&mut self, out: &mut Vec<u8>) -> Encoded {
        self.host.clear();
        let places = Places { site: push_site(&self.site, &self.host, out), ..Places::default() };
        let reason = Some(Reason::Malformed);
        push_verdict(reason, out);
        Encoded { parsed: false, view: false, reason, time_ms: None, places }
    }

    /// Appends what the variables of a line say.
    pub(super) fn push(&mut self, fields: &Fields<'_>, out: &mut Vec<u8>) -> Encoded {
        let when = self.time.push(fields, out);
        let mut places = Places { day: when.map_or((0, 0), |when| when.place), ..Places::default() };
        self.host.clear();
        if let Some(name) = fields.get(Field::Host) {
            push_host(&mut self.host, name.decode(&mut self.value));
        }
        places.site = push_site(&self.site, &self.host, out);
        let asked = Asked::of(fields, &mut self.request);
        if let (true, Some(name)) = (self.host.is_empty(), asked.as_ref().and_then(Asked::authority)) {
            push_host(&mut self.host, name);
        }
        let part = asked.as_ref().and_then(Asked::plain_target).and_then(|target| self.pages.part_of(target));
        if let Some(page) = part {
            places.page = push_value(out, br#","page":""#, |out| out.extend_from_slice(page));
        } else if let Some(target) = asked.as_ref().and_then(Asked::target) {
            self.other.clear();
            self.pages.write(target, &mut self.other);
            if !self.other.is_empty() {
                let page = capped(&self.other, PAGE_BYTES_MAX);
                places.page = push_value(out, br#","page":""#, |out| push_lossy(out, page));
            }
        }
        let address = self.sources.address(fields, &self.clients, &mut self.value);
        let user_agent = fields.get(Field::HttpUserAgent);
        let agent = self.agents.of(user_agent.map_or(&[], Value::text), || {
            let text = user_agent.map_or(&[][..], |value| value.decode(&mut self.user_agent));
            let (verdict, digest) = (self.bots.judge(text), self.identities.agent(text));
            Agent { verdict, digest, is_plain: user_agent.is_none_or(|value| is_plain(value.text())) }
        });
        let bot = if fields.has(Field::HttpUserAgent) { self.bots.meant_by(agent.verdict) } else { None };
        let known = Known { asked: asked.as_ref(), host: &self.host, address };
        let facts = known.facts(fields, &mut self.value, &mut self.other);
        let reason = match part {
            // Its path holds no escape.
            Some(_) => self.exclusion.first_of(&facts, || bot.is_some()),
            None => self.exclusion.first(&facts, || bot.is_some()),
        };
        push_verdict(reason, out);
        let person = Person { when, site: places.site, address, agent: &agent.digest };
        let cookie = self.sources.cookie(fields, &mut self.value);
        places.visitor_id = person.push_visitor(cookie, &mut self.identities, out);
        places.client_key = person.push_client(&self.clients, &mut self.identities, out);
        if let Some(shown) =
            address.and_then(|address| ClientResolver::shown(self.privacy.client_address, address))
        {
            push_value(out, br#","client_address":""#, |out| push_display(out, shown));
        }
        if let Some(asked) = &asked {
            push_request(asked, self.privacy.query, &mut self.value, out);
        }
        push_response(fields, out);
        if let Some(value) = fields.get(Field::HttpReferer) {
            places.referrer_host =
                push_referrer(value, self.privacy.referrer_query, (&mut self.value, &mut self.other), out);
        }
        if let (Some(value), KeepUserAgent::Keep) = (user_agent, self.privacy.user_agent) {
            push_value(out, br#","user_agent_original":""#, |out| {
                if agent.is_plain {
                    out.extend_from_slice(&value.text()[..value.text().len().min(USER_AGENT_BYTES_MAX)]);
                } else {
                    let text = value.decode(&mut self.user_agent);
                    push_text(text, USER_AGENT_BYTES_MAX, &mut self.value, out);
                }
            });
        }
        if let Some(version) = asked.as_ref().and_then(Asked::version) {
            push_string(out, br#","network_protocol_version":""#, version);
        }
        push_connection(fields, &self.host, &mut self.value, out);
        if let Some(bot) = bot {
            let name = capped(bot.name.as_bytes(), BOT_BYTES_MAX);
            places.bot = push_value(out, br#","bot":""#, |out| push_lossy(out, name));
        }
        let time_ms = when.map(|when| when.time_ms);
        Encoded { parsed: true, view: reason.is_none(), reason, time_ms, places }
    }
}

impl Sources {
    /// Whose address counts.
    fn address(
        &self,
        fields: &Fields<'_>,
        clients: &ClientResolver,
        scratch: &mut Vec<u8>,
    ) -> Option<IpAddr> {
        let peer = fields.get(Field::RemoteAddr)?.text();
        let forwarded = self.forwarded.and_then(|slot| fields.at(slot));
        clients.resolve(peer, forwarded.map(|value| value.decode(scratch)))
    }

    /// The first-party cookie of a visitor: the configured one, else nginx's own. Of that one `$uid_got` is what the browser
    /// sent and `$uid_set` what it was given just now, so that the first view and the next ones are one visitor's.
    fn cookie<'a>(&self, fields: &Fields<'a>, scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let configured =
            self.cookie.and_then(|slot| fields.at(slot)).filter(|value| !value.text().is_empty());
        if let Some(value) = configured {
            return Some(value.decode(scratch));
        }
        let given = [Field::UidGot, Field::UidSet].into_iter().filter_map(|field| fields.get(field));
        let given = given.map(Value::text).find(|text| !text.is_empty())?;
        // Both are `name=HEX`; a name that was changed since leaves the visitor the same.
        let name_end = memchr::memchr(b'=', given).map_or(0, |equals| equals + 1);
        Some(&given[name_end..]).filter(|value| !value.is_empty())
    }
}

/// What is known when the rules are asked.
struct Known<'a> {
    asked: Option<&'a Asked<'a>>,
    host: &'a [u8],
    address: Option<IpAddr>,
}

impl<'a> Known<'a> {
    fn facts(&self, fields: &Fields<'a>, one: &'a mut Vec<u8>, other: &'a mut Vec<u8>) -> Facts<'a> {
        let purpose = fields.get(Field::HttpSecPurpose).or_else(|| fields.get(Field::HttpPurpose));
        let status = fields.get(Field::Status).and_then(|value| std::str::from_utf8(value.text()).ok());
        Facts {
            malformed: self.asked.is_none(),
            method: self.asked.and_then(|asked| asked.method),
            path: self.asked.and_then(Asked::path),
            query: self.asked.and_then(Asked::query),
            host: Some(self.host).filter(|host| !host.is_empty()),
            address: self.address,
            purpose: purpose.map(|value| value.decode(one)),
            status: status.and_then(|status| status.parse().ok()),
            content_type: fields.get(Field::SentHttpContentType).map(|value| value.decode(other)),
        }
    }
}

/// Who asked, as far as the line shows it.
struct Person<'a> {
    when: Option<When>,
    /// Where the site stands in the output.
    site: (usize, usize),
    address: Option<IpAddr>,
    agent: &'a Digest,
}

impl Person<'_> {
    /// Without a cookie a visitor needs an address, and a day whose salt hides it.
    fn push_visitor(&self, cookie: Option<&[u8]>, ids: &mut Identities, out: &mut Vec<u8>) -> (usize, usize) {
        let site = &out[self.site.0..self.site.1];
        let (id, kind): (Id, &[u8]) = match (cookie, self.when, self.address) {
            (Some(cookie), _, _) => (ids.cookie(site, cookie), b"cookie"),
            (None, Some(when), Some(address)) => (ids.ip_ua(when.day, site, (address, self.agent)), b"ip_ua"),
            (None, None, _) | (None, _, None) => return (0, 0),
        };
        let place = push_value(out, br#","visitor_id":""#, |out| out.extend_from_slice(&id));
        push_string(out, br#","visitor_kind":""#, kind);
        place
    }

    fn push_client(
        &self,
        clients: &ClientResolver,
        ids: &mut Identities,
        out: &mut Vec<u8>,
    ) -> (usize, usize) {
        let (Some(when), Some(address)) = (self.when, self.address) else { return (0, 0) };
        let id = ids.client(when.day, clients.counted(address));
        push_value(out, br#","client_key":""#, |out| out.extend_from_slice(&id))
    }
}

/// Appends a string and gives the place of its text; `key` has the separator before and the quote behind it.
fn push_value(out: &mut Vec<u8>, key: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> (usize, usize) {
    out.extend_from_slice(key);
    let start = out.len();
    write(out);
    let end = out.len();
    out.push(b'"');
    (start, end)
}

/// Appends the site, and gives its place. `host` must be that of `$host`: a request's target, which anybody can write,
/// names no site.
fn push_site(site: &SiteText, host: &[u8], out: &mut Vec<u8>) -> (usize, usize) {
    let site = match site {
        SiteText::Fixed(site) => site,
        SiteText::Line { otherwise } if host.is_empty() => otherwise,
        SiteText::Line { .. } => host,
    };
    if site.is_empty() {
        return (0, 0);
    }
    push_value(out, br#","site":""#, |out| out.extend_from_slice(site))
}

fn push_verdict(reason: Option<Reason>, out: &mut Vec<u8>) {
    match reason {
        None => out.extend_from_slice(br#","is_page_view":true"#),
        Some(reason) => {
            let key = br#","is_page_view":false,"exclude_reason":""#;
            push_string(out, key, reason.as_str().as_bytes());
        }
    }
}

/// Appends an address in the one spelling that the standard library gives it.
fn push_display(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let [first, rest @ ..] = address.octets();
            push_octet(out, first);
            for part in rest {
                out.push(b'.');
                push_octet(out, part);
            }
        }
        IpAddr::V6(address) => push_ipv6(out, address),
    }
}

/// The standard library takes a thousand instructions for it.
fn push_ipv6(out: &mut Vec<u8>, address: Ipv6Addr) {
    if address.to_ipv4_mapped().is_some() {
        return write!(out, "{address}").expect("a vector takes everything");
    }
    let groups = address.segments();
    // The longest run of zeros, of several the first, is left out if it is more than one.
    let (mut left_out, mut run) = (0..0, 0..0);
    for (place, group) in groups.iter().enumerate() {
        run = if *group == 0 { run.start..place + 1 } else { place + 1..place + 1 };
        if run.len() > left_out.len().max(1) {
            left_out = run.clone();
        }
    }
    for (place, group) in groups.into_iter().enumerate() {
        if left_out.contains(&place) {
            if place == left_out.start {
                out.extend_from_slice(b"::");
            }
            continue;
        }
        if place > 0 && place != left_out.end {
            out.push(b':');
        }
        push_hex_group(out, group);
    }
}

fn push_hex_group(out: &mut Vec<u8>, group: u16) {
    let digits = (u16::BITS - (group | 1).leading_zeros()).div_ceil(4);
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[usize::from(group >> (4 * place)) % 16]);
    }
}

/// Appends a number of up to three digits; the general way costs a copy of unknown length.
fn push_octet(out: &mut Vec<u8>, octet: u8) {
    if octet >= 100 {
        out.push(b'0' + octet / 100);
    }
    if octet >= 10 {
        out.push(b'0' + octet / 10 % 10);
    }
    out.push(b'0' + octet % 10);
}

fn push_request(asked: &Asked<'_>, query: Keep, clean: &mut Vec<u8>, out: &mut Vec<u8>) {
    if let Some(method) = asked.method {
        push_string(out, br#","http_request_method":""#, method);
    }
    let Some(path) = asked.path() else { return };
    if asked.is_plain {
        push_string(out, br#","url_path":""#, &path[..path.len().min(PATH_BYTES_MAX)]);
    } else {
        push_value(out, br#","url_path":""#, |out| push_part_of_url(path, PATH_BYTES_MAX, clean, out));
    }
    if let (Some(text), Keep::Keep) = (asked.query(), query) {
        push_value(out, br#","url_query":""#, |out| push_part_of_url(text, QUERY_BYTES_MAX, clean, out));
    }
}

fn push_part_of_url(part: &[u8], limit: usize, clean: &mut Vec<u8>, out: &mut Vec<u8>) {
    if is_plain(part) {
        out.extend_from_slice(&part[..part.len().min(limit)]);
    } else {
        copy_without_users(clean, part, URL_STOPS, limit);
        push_path(out, clean);
    }
}

/// Appends a text that holds URLs, if any, without their users.
fn push_text(text: &[u8], limit: usize, clean: &mut Vec<u8>, out: &mut Vec<u8>) {
    if is_plain(text) {
        out.extend_from_slice(&text[..text.len().min(limit)]);
    } else {
        copy_without_users(clean, text, URL_STOPS, limit + CHARACTER_BYTES_MAX);
        push_lossy(out, capped(clean, limit));
    }
}

/// Appends the referrer and its host, and gives the host's place.
fn push_referrer(
    value: Value<'_>,
    query: Keep,
    (decoded, clean): (&mut Vec<u8>, &mut Vec<u8>),
    out: &mut Vec<u8>,
) -> (usize, usize) {
    // Of a plain one the log's text is the value, and a host that is written as it is shown needs no search.
    let is_plain = is_plain(value.text());
    let referrer = if is_plain { value.text() } else { value.decode(decoded) };
    let kept = match query {
        Keep::Keep => referrer,
        Keep::Drop => &referrer[..memchr::memchr2(b'?', b'#', referrer).unwrap_or(referrer.len())],
    };
    push_value(out, br#","http_request_referrer":""#, |out| {
        if is_plain {
            out.extend_from_slice(&kept[..kept.len().min(REFERRER_BYTES_MAX)]);
        } else {
            push_text(kept, REFERRER_BYTES_MAX, clean, out);
        }
    });
    let plain_host = plain_host(referrer);
    let host = plain_host.unwrap_or_else(|| {
        clean.clear();
        if let Some(authority) = Target::split(referrer).and_then(|target| target.authority) {
            push_host(clean, authority);
        }
        clean
    });
    if host.is_empty() {
        return (0, 0);
    }
    push_value(out, br#","referrer_host":""#, |out| out.extend_from_slice(host))
}

/// The host of a URL as most are: of the web, and lower-case without user, port and anything to escape.
fn plain_host(url: &[u8]) -> Option<&[u8]> {
    let rest = url.strip_prefix(b"https://").or_else(|| url.strip_prefix(b"http://"))?;
    let is_of_host = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    let end = rest.iter().position(|byte| !is_of_host(byte)).unwrap_or(rest.len());
    let is_end = matches!(rest.get(end), None | Some(b'/' | b'?' | b'#'));
    let host = &rest[..end];
    (is_end && !host.is_empty() && !host.ends_with(b".") && end <= HOST_BYTES_MAX).then_some(host)
}

fn push_response(fields: &Fields<'_>, out: &mut Vec<u8>) {
    if let Some(status) = fields.get(Field::Status) {
        push_integer(out, br#","http_response_status_code":"#, status.text());
    }
    if let Some(size) = fields.get(Field::BodyBytesSent) {
        push_integer(out, br#","http_response_body_size":"#, size.text());
    }
    if let Some(duration_ms) = fields.get(Field::RequestTime).and_then(Value::milliseconds) {
        out.extend_from_slice(br#","http_request_duration_ms":"#);
        push_number(out, duration_ms);
    }
}

fn push_connection(fields: &Fields<'_>, host: &[u8], value: &mut Vec<u8>, out: &mut Vec<u8>) {
    if let Some(scheme) = fields.get(Field::Scheme).map(Value::text).filter(|scheme| is_scheme(scheme)) {
        push_string(out, br#","url_scheme":""#, scheme);
    }
    if !host.is_empty() {
        push_string(out, br#","server_address":""#, host);
    }
    if let Some(id) = fields.get(Field::RequestId).filter(|id| !id.text().is_empty()) {
        let id = capped(id.decode(value), REQUEST_ID_BYTES_MAX);
        push_value(out, br#","request_id":""#, |out| push_lossy(out, id));
    }
}

/// Copies digits as a JSON integer, which has no leading zeros; leaves out what no consumer could hold.
fn push_integer(out: &mut Vec<u8>, key: &[u8], digits: &[u8]) {
    let mut digits = digits;
    while let [b'0', rest @ ..] = digits
        && !rest.is_empty()
    {
        digits = rest;
    }
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

fn is_scheme(scheme: &[u8]) -> bool {
    // The longest scheme a web server logs is `https`.
    (1..=16).contains(&scheme.len()) && scheme.iter().all(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::push_ipv6;

    proptest! {
        #[test]
        fn an_address_is_spelled_as_by_the_standard_library(address in any::<u128>(), kept in any::<u8>()) {
            // Groups are left out by the bits of `kept`, so that there are runs of zeros.
            let mask = (0..8).fold(0, |mask, group| mask | (u128::from(kept >> group & 1) * (0xFFFF << (16 * group))));
            for address in [address, address & mask, address & mask & 0x1111, kept.into(), 0xFFFF << 32 | address >> 96] {
                let address = Ipv6Addr::from(address);
                let mut out = Vec::new();
                push_ipv6(&mut out, address);
                prop_assert_eq!(String::from_utf8(out).unwrap(), address.to_string());
            }
        }
    }
}

//! Whose address counts: the peer's, or the one that trusted proxies name.
//!
//! The walk is the one of nginx's realip module with `real_ip_recursive on`: from the right, one element for each
//! trusted address, until the address taken is not trusted or the next element cannot be read. Invariant: what an
//! untrusted peer sends in a header never changes anything. Every address is canonical: IPv4-mapped ones are IPv4.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::rules::{AddressPrivacy, ClientRules};

/// nginx's name of the header of RFC 7239, whose elements have a grammar of their own.
const FORWARDED: &str = "http_forwarded";

/// Networks of truncated addresses, of IPv4 and IPv6: what GoAccess leaves too when it makes addresses anonymous.
const SHOWN_PREFIX: (u8, u8) = (24, 48);

/// Finds the client's address.
#[derive(Clone, Debug)]
pub struct ClientResolver {
    trusted: Vec<IpNet>,
    ipv6_prefix: u8,
    grammar: Grammar,
}

/// How the elements of the header are written.
#[derive(Clone, Copy, Debug)]
enum Grammar {
    /// Addresses between commas and spaces, as in `X-Forwarded-For`; a header with one address is a short list.
    List,
    /// `for=` parameters.
    Forwarded,
}

impl ClientResolver {
    /// Takes over what the rules say.
    #[must_use]
    pub fn new(rules: &ClientRules) -> Self {
        let is_forwarded = rules.header.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(FORWARDED));
        Self {
            trusted: rules.trusted.clone(),
            ipv6_prefix: rules.ipv6_prefix.min(Ipv6Addr::BITS.try_into().unwrap_or(u8::MAX)),
            grammar: if is_forwarded { Grammar::Forwarded } else { Grammar::List },
        }
    }

    /// The client's address; `None` where the peer has none (`unix:`, `-`, a host name).
    ///
    /// `header` is the value of the header of the rules with the log's escapes undone, `None` if there is none.
    #[must_use]
    pub fn resolve(&self, peer: &[u8], header: Option<&[u8]>) -> Option<IpAddr> {
        let mut address = peer_address(peer)?;
        let Some(mut rest) = header else {
            return Some(address);
        };
        while self.is_trusted(address) {
            let (before, element) = match self.grammar {
                Grammar::List => last_of_list(rest),
                Grammar::Forwarded => last_of_forwarded(rest),
            };
            let Some(taken) = element else {
                break;
            };
            address = taken;
            let Some(before) = before else {
                break;
            };
            rest = before;
        }
        Some(address)
    }

    /// The address that counts: of IPv6 its network, as long as the rules say.
    #[must_use]
    pub fn counted(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => network(address, self.ipv6_prefix).into(),
        }
    }

    /// What an event may show of an address.
    #[must_use]
    pub fn shown(privacy: AddressPrivacy, address: IpAddr) -> Option<IpAddr> {
        let (v4_prefix, v6_prefix) = SHOWN_PREFIX;
        match (privacy, address) {
            (AddressPrivacy::Raw, _) => Some(address),
            (AddressPrivacy::Drop, _) => None,
            (AddressPrivacy::Truncate, IpAddr::V4(address)) => {
                Ipv4Net::new(address, v4_prefix).ok().map(|net| net.network().into())
            }
            (AddressPrivacy::Truncate, IpAddr::V6(address)) => Some(network(address, v6_prefix).into()),
        }
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&address))
    }
}

fn network(address: Ipv6Addr, prefix: u8) -> Ipv6Addr {
    Ipv6Net::new(address, prefix).map_or(address, |net| net.network())
}

/// The address of a peer as any server writes it: with or without brackets, port and zone.
fn peer_address(peer: &[u8]) -> Option<IpAddr> {
    node_address(peer.trim_ascii())
}

/// The last element of a list, and what is before it if anything is.
///
/// nginx takes commas and spaces alike as separators, and skips any number of them.
fn last_of_list(list: &[u8]) -> (Option<&[u8]>, Option<IpAddr>) {
    let is_separator = |byte: &u8| matches!(byte, b' ' | b',');
    let end = list.iter().rposition(|byte| !is_separator(byte)).map_or(0, |last| last + 1);
    let start = list[..end].iter().rposition(is_separator).map_or(0, |separator| separator + 1);
    let before = (start > 0).then(|| &list[..start - 1]);
    (before, listed_address(&list[start..end]))
}

/// An address as nginx reads it in a list: plain, `v4:port` or `[v6]:port`.
fn listed_address(element: &[u8]) -> Option<IpAddr> {
    if let Some(address) = plain_address(element) {
        return Some(address);
    }
    let (address, port) = match element.strip_prefix(b"[") {
        Some(rest) => {
            let end = memchr::memchr(b']', rest)?;
            (&rest[..end], rest[end + 1..].strip_prefix(b":")?)
        }
        None => {
            let colon = memchr::memchr(b':', element)?;
            (&element[..colon], &element[colon + 1..])
        }
    };
    if is_port(port) { plain_address(address) } else { None }
}

fn is_port(port: &[u8]) -> bool {
    let number = port.iter().try_fold(0_u32, |number, byte| {
        let number = number * 10 + u32::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        (number <= u32::from(u16::MAX)).then_some(number)
    });
    number.is_some_and(|number| number > 0)
}

fn plain_address(text: &[u8]) -> Option<IpAddr> {
    if let Some(address) = ipv4(text) {
        return Some(address.into());
    }
    let address: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.to_canonical())
}

/// An IPv4 address as nginx reads it: leading zeros are no octal numbers and a missing number is 0.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut place = 0;
    for &byte in text {
        match byte {
            b'0'..=b'9' => {
                octets[place] = octets[place].checked_mul(10)?.checked_add(byte - b'0')?;
            }
            b'.' if place < 3 => place += 1,
            _ => return None,
        }
    }
    (place == 3).then(|| octets.into())
}

/// The address in the last element of a `Forwarded` header, and what is before the element if anything is.
///
/// The search for the element's beginning starts from the right too, because only the right end is written by a
/// trusted proxy: a quote that a client leaves open must not swallow what the proxies appended.
fn last_of_forwarded(list: &[u8]) -> (Option<&[u8]>, Option<IpAddr>) {
    let start = unquoted_from_right(list, b',').map_or(0, |comma| comma + 1);
    let before = (start > 0).then(|| &list[..start - 1]);
    (before, forwarded_for(&list[start..]))
}

/// The place of the last such byte that stands outside of quotes.
fn unquoted_from_right(text: &[u8], wanted: u8) -> Option<usize> {
    let mut quoted = false;
    for (place, &byte) in text.iter().enumerate().rev() {
        if byte == b'"' && !is_escaped(text, place) {
            quoted = !quoted;
        } else if byte == wanted && !quoted {
            return Some(place);
        }
    }
    None
}

/// Whether an odd number of backslashes stands before a place.
fn is_escaped(text: &[u8], place: usize) -> bool {
    text[..place].iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

/// The address of the one `for=` of an element; `unknown` and hidden names (`_name`) are none.
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut rest = element;
    loop {
        let start = unquoted_from_right(rest, b';').map_or(0, |semicolon| semicolon + 1);
        let pair = rest[start..].trim_ascii();
        if pair.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"for=")) {
            return node_address(unquoted(&pair[4..]));
        }
        if start == 0 {
            return None;
        }
        rest = &rest[..start - 1];
    }
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// A node with or without brackets, port and zone.
fn node_address(node: &[u8]) -> Option<IpAddr> {
    let node = match memchr::memchr(b'%', node) {
        Some(zone) if node.first() != Some(&b'[') => &node[..zone],
        Some(_) | None => node,
    };
    let Some(inside) = node.strip_prefix(b"[") else {
        return listed_address(node);
    };
    let end = memchr::memchr(b']', inside)?;
    let port = &inside[end + 1..];
    if !port.is_empty() && !port.strip_prefix(b":").is_some_and(is_port) {
        return None;
    }
    let address = &inside[..end];
    plain_address(&address[..memchr::memchr(b'%', address).unwrap_or(address.len())])
}

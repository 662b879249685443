//! Whose address counts: the peer's, or the one that trusted proxies name.
//!
//! The walk is the one of nginx's realip module with `real_ip_recursive on`: from the right, one element for each
//! trusted address, until the address taken is not trusted or the next element cannot be read. Invariant: what an
//! untrusted peer sends in a header never changes anything. Every address is canonical: IPv4-mapped ones are IPv4.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::rules::{AddressPrivacy, ClientRules};
use crate::format::ipv6;

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

    pub(super) fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&address))
    }
}

fn network(address: Ipv6Addr, prefix: u8) -> Ipv6Addr {
    Ipv6Net::new(address, prefix).map_or(address, |net| net.network())
}

/// The address of a peer as any server writes it: with or without brackets, port and zone.
fn peer_address(peer: &[u8]) -> Option<IpAddr> {
    // Most are this and nothing else.
    ipv4(peer).map(IpAddr::from).or_else(|| node_address(peer.trim_ascii()))
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
    ipv6(text).map(|address| address.to_canonical())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::{AddressPrivacy, ClientResolver, ClientRules, IpAddr};

    fn resolver(header: &str) -> ClientResolver {
        let trusted = ["10.0.0.0/8", "2001:db8::/32"].map(|net| net.parse().unwrap()).to_vec();
        ClientResolver::new(&ClientRules { header: Some(header.to_owned()), trusted, ipv6_prefix: 64 })
    }

    fn check(resolver: &ClientResolver, peer: &str, header: &str, expect: &str) {
        let found = resolver.resolve(peer.as_bytes(), Some(header.as_bytes()));
        let expect = Some(expect).filter(|expect| !expect.is_empty()).map(|expect| expect.parse().unwrap());
        assert_eq!(found, expect, "{peer} {header:?}");
    }

    #[test]
    fn a_peer_has_one_address_however_it_is_written() {
        let resolver = ClientResolver::new(&ClientRules::default());
        for (peer, expect) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:50123", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:80", "fe80::1"),
            ("unix:", ""),
            ("-", ""),
            ("", ""),
            ("host.example.com", ""),
            ("192.0.2.7.1", ""),
        ] {
            let found = resolver.resolve(peer.as_bytes(), None);
            assert_eq!(found, expect.parse().ok(), "{peer}");
        }
    }

    #[test]
    fn a_list_is_walked_from_the_right_while_addresses_are_trusted() {
        let resolver = resolver("http_x_forwarded_for");
        for (peer, header, expect) in [
            // An untrusted peer is the client.
            ("192.0.2.1", "203.0.113.5", "192.0.2.1"),
            ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
            ("10.0.0.1", "1.1.1.1, 203.0.113.5", "203.0.113.5"),
            ("10.0.0.1", "1.1.1.1, 203.0.113.5, 10.0.0.2, 10.0.0.3", "203.0.113.5"),
            // All are trusted: the first is the client.
            ("10.0.0.1", "10.0.0.4, 10.0.0.3", "10.0.0.4"),
            // Spaces and commas are the same, in any number.
            ("10.0.0.1", " 203.0.113.5 10.0.0.3,,  10.0.0.2 , ", "203.0.113.5"),
            // The first that cannot be read ends the walk, and the last good one stays.
            ("10.0.0.1", "203.0.113.5, unknown, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "203.0.113.5, unknown", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "-", "10.0.0.1"),
            ("10.0.0.1", " , ", "10.0.0.1"),
            ("10.0.0.1", ",10.0.0.2", "10.0.0.2"),
            // Ports and brackets.
            ("10.0.0.1", "203.0.113.5:4711, [2001:db8::9]:80", "203.0.113.5"),
            ("10.0.0.1", "2001:db9::7", "2001:db9::7"),
            ("10.0.0.1", "203.0.113.5, [2001:db9::7]", "10.0.0.1"),
            ("10.0.0.1", "203.0.113.5:0", "10.0.0.1"),
            ("10.0.0.1", "203.0.113.5:", "10.0.0.1"),
            ("10.0.0.1", "203.0.113.5:65536", "10.0.0.1"),
            ("10.0.0.1", "\"203.0.113.5\"", "10.0.0.1"),
            ("10.0.0.1", "fe80::1%eth0", "10.0.0.1"),
            // IPv4-mapped addresses are trusted as IPv4.
            ("::ffff:10.0.0.1", "203.0.113.5, ::ffff:10.0.0.2", "203.0.113.5"),
            // nginx's reading of IPv4.
            ("10.0.0.1", "203.000.0113.005", "203.0.113.5"),
            ("10.0.0.1", "203.0.113.256", "10.0.0.1"),
            ("10.0.0.1", "203.0.113", "10.0.0.1"),
            ("unix:", "203.0.113.5", ""),
        ] {
            check(&resolver, peer, header, expect);
        }
    }

    #[test]
    fn a_header_with_one_address_is_a_short_list() {
        let resolver = resolver("http_cf_connecting_ip");
        check(&resolver, "10.0.0.1", "203.0.113.5", "203.0.113.5");
        check(&resolver, "192.0.2.1", "203.0.113.5", "192.0.2.1");
    }

    #[test]
    fn forwarded_elements_are_walked_the_same_way() {
        let resolver = resolver("http_forwarded");
        for (peer, header, expect) in [
            ("192.0.2.1", "for=203.0.113.5", "192.0.2.1"),
            ("10.0.0.1", "for=203.0.113.5", "203.0.113.5"),
            ("10.0.0.1", "For=\"203.0.113.5:4711\"; proto=https, for=10.0.0.2;by=10.0.0.1", "203.0.113.5"),
            ("10.0.0.1", "proto=http;for=\"[2001:db9::7]:80\"", "2001:db9::7"),
            ("10.0.0.1", "for=\"[2001:db9::7]\"", "2001:db9::7"),
            ("10.0.0.1", "for=203.0.113.5, for=unknown", "10.0.0.1"),
            ("10.0.0.1", "for=203.0.113.5, for=_hidden, for=10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "for=203.0.113.5, proto=http", "10.0.0.1"),
            ("10.0.0.1", "host=\"a,b;for=1.1.1.1\";for=203.0.113.5", "203.0.113.5"),
            ("10.0.0.1", "for=203.0.113.5;host=\"a\\\",for=1.1.1.1\"", "203.0.113.5"),
            // A quote that a client leaves open does not hide what a proxy appended.
            ("10.0.0.1", "for=\"1.1.1.1, for=203.0.113.5", "203.0.113.5"),
            ("10.0.0.1", "for=\"1.1.1.1, for=203.0.113.5, for=10.0.0.2", "203.0.113.5"),
            ("10.0.0.1", "", "10.0.0.1"),
        ] {
            check(&resolver, peer, header, expect);
        }
    }

    #[test]
    fn addresses_count_by_network_and_are_shown_by_the_choice_of_privacy() {
        let resolver = resolver("http_x_forwarded_for");
        let shown = |privacy, address| ClientResolver::shown(privacy, address).map(|shown| shown.to_string());
        for (address, counted, truncated) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(resolver.counted(address).to_string(), counted);
            assert_eq!(shown(AddressPrivacy::Truncate, address).as_deref(), Some(truncated));
            assert_eq!(shown(AddressPrivacy::Raw, address), Some(address.to_string()));
            assert_eq!(shown(AddressPrivacy::Drop, address), None);
        }
        let whole = ClientResolver::new(&ClientRules::default());
        let address = "2001:db8::7".parse().unwrap();
        assert_eq!(whole.counted(address), address);
    }

    /// Headers of the pieces that matter, and of anything.
    fn headers() -> impl Strategy<Value = String> {
        let piece = select(vec![
            "10.0.0.2",
            "203.0.113.5",
            "2001:db8::1",
            "[2001:db8::1]:80",
            ":80",
            ",",
            ", ",
            " ",
            "\"",
            "\\",
            ";",
            "for=",
            "unknown",
            "[",
            "]",
            "%",
            "-",
        ]);
        prop_oneof![
            proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
            any::<String>()
        ]
    }

    proptest! {
        #[test]
        fn an_untrusted_peer_s_header_never_matters(
            peer in any::<IpAddr>(), header in headers(), name in select(vec!["http_x_forwarded_for", "http_forwarded"])
        ) {
            let resolver = resolver(name);
            prop_assume!(!resolver.is_trusted(peer.to_canonical()));
            let found = resolver.resolve(peer.to_string().as_bytes(), Some(header.as_bytes()));
            prop_assert_eq!(found, Some(peer.to_canonical()));
        }

        #[test]
        fn what_stands_before_the_client_s_address_never_matters(
            forged in headers(), name in select(vec!["http_x_forwarded_for", "http_forwarded"])
        ) {
            let resolver = resolver(name);
            let list = if name == "http_forwarded" { "for=203.0.113.5, for=10.0.0.2" } else { "203.0.113.5, 10.0.0.2" };
            let found = resolver.resolve(b"10.0.0.1", Some(format!("{forged}, {list}").as_bytes()));
            prop_assert_eq!(found, Some([203, 0, 113, 5].into()));
        }
    }
}

//! IPv6 addresses as text.
//!
//! Own code, because it runs twice for every line of an IPv6 client, and the standard parser takes five times as long.

use std::net::Ipv6Addr;

/// The longest text of an address, the one with an IPv4 address at its end.
pub(super) const IPV6_BYTES_MAX: usize = 45;
/// Groups of an address.
const GROUPS: usize = 8;

/// The address that a text is, as the standard library reads it.
#[must_use]
pub fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    if text.len() > IPV6_BYTES_MAX {
        return None;
    }
    let mut groups = [0_u16; GROUPS];
    // How many groups there are, and how many of them before the two colons.
    let (mut count, mut before) = (0, None);
    let mut rest = text;
    if let [b':', b':', behind @ ..] = rest {
        (before, rest) = (Some(0), behind);
    }
    while !rest.is_empty() {
        let (mut group, mut digits) = (0_u16, 0);
        while let Some(digit) = rest.get(digits).and_then(|byte| hex(*byte)) {
            if digits == 4 {
                return None;
            }
            group = group << 4 | digit;
            digits += 1;
        }
        if rest.get(digits) == Some(&b'.') {
            // The end is an IPv4 address, which is rare enough to be left to the standard library.
            return std::str::from_utf8(text).ok()?.parse().ok();
        }
        *groups.get_mut(count).filter(|_| digits > 0)? = group;
        count += 1;
        rest = match &rest[digits..] {
            [] => &[],
            [b':', b':', behind @ ..] if before.is_none() => {
                before = Some(count);
                behind
            }
            // One more group has to follow a single colon.
            [b':', behind @ ..] if !behind.is_empty() => behind,
            _ => return None,
        };
    }
    match before {
        // Two colons stand for one group at least.
        Some(before) if count < GROUPS => {
            groups.copy_within(before..count, GROUPS - (count - before));
            groups[before..GROUPS - (count - before)].fill(0);
        }
        None if count == GROUPS => {}
        Some(_) | None => return None,
    }
    Some(groups.into())
}

fn hex(byte: u8) -> Option<u16> {
    match byte {
        b'0'..=b'9' => Some(u16::from(byte - b'0')),
        b'a'..=b'f' => Some(u16::from(byte - b'a') + 10),
        b'A'..=b'F' => Some(u16::from(byte - b'A') + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::ipv6;

    fn check(text: &str) {
        assert_eq!(ipv6(text.as_bytes()), text.parse::<Ipv6Addr>().ok(), "{text:?}");
    }

    #[test]
    fn the_corners() {
        for text in [
            "",
            ":",
            "::",
            ":::",
            "::1",
            "1::",
            "1",
            "1:",
            ":1",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1::3:4:5:6:7:8",
            "1::2::3",
            "1:2:3:4:5:6:7:8::",
            "::1:2:3:4:5:6:7:8",
            "00001::",
            "fFfF::",
            "g::",
            "::1.2.3.4",
            "1:2:3:4:5:6:1.2.3.4",
            "::ffff:192.0.2.1",
            "1.2.3.4",
            "::1.2.3.4:5",
            "1::%eth0",
            "2001:db8::1:",
            ":2001:db8::1",
        ] {
            check(text);
        }
    }

    proptest! {
        #[test]
        fn every_text_is_read_as_the_standard_library_reads_it(
            pieces in prop::collection::vec(select(vec![":", "::", "0", "1", "ff", "abcd", "12345", ".", "1.2.3.4", "x"]), 0..18)
        ) {
            check(&pieces.concat());
        }

        #[test]
        fn every_address_is_read(address in any::<u128>(), zeros in any::<u128>()) {
            check(&Ipv6Addr::from(address).to_string());
            check(&Ipv6Addr::from(address & zeros & zeros.rotate_left(64)).to_string());
        }
    }
}

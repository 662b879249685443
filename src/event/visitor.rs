//! Who is one visitor and what is one address: keyed hashes, so that an event can be counted without naming anybody.
//!
//! `HMAC-SHA256`, of which the first twelve bytes are shown as 16 characters of base64url. What is known of a request
//! alone is hashed with a salt of the event's day, so that nobody is followed over days and a replay gives the same ids.
//! A cookie is hashed with the secret itself: its purpose is to be the same tomorrow. Messages begin with a word of their
//! kind and parts of variable length end with a NUL, which a host's name never holds: two kinds never have one message.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use xxhash_rust::xxh3::xxh3_64;

use super::when::push_day;
use crate::format::time::DAY_SECONDS;

/// Characters of an id.
pub const ID_BYTES: usize = 16;
/// Bytes of a hash that an id shows: 96 bits, so that a billion visitors share one by a chance of less than 1 in 10^10.
const SHOWN_BYTES: usize = 12;

/// An id as it stands in an event.
pub type Id = [u8; ID_BYTES];

/// A key whose first blocks are computed already.
type Key = Hmac<Sha256>;

/// Days whose salts are kept: today's, yesterday's around midnight, and one for late lines.
const DAYS_KEPT: usize = 4;

/// Slots for hashes that may be asked again: a page and its parts are fetched by one visitor within moments.
const SLOTS: usize = 1024;
/// Longer messages are hashed each time, so that the slots stay below a mebibyte.
const REMEMBERED_BYTES_MAX: usize = 512;

/// Makes ids with one secret.
#[derive(Debug)]
pub struct Identities {
    secret: Key,
    days: Vec<(i64, Key)>,
    /// Which of the days is replaced next.
    oldest: usize,
    message: Vec<u8>,
    remembered: Vec<Remembered>,
}

/// A hash that was computed.
#[derive(Clone, Debug, Default)]
struct Remembered {
    day: i64,
    message: Vec<u8>,
    id: Id,
}

/// What tells secrets apart without telling anything of them.
#[must_use]
pub fn fingerprint(secret: &[u8]) -> String {
    let mut mac = key(secret);
    mac.update(b"fingerprint\0");
    String::from_utf8_lossy(&shown(mac)).into_owned()
}

impl Identities {
    /// Ids with this secret, which may have any length.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self {
            secret: key(secret),
            days: Vec::with_capacity(DAYS_KEPT),
            oldest: 0,
            message: Vec::new(),
            remembered: vec![Remembered::default(); SLOTS],
        }
    }

    /// The visitor that a cookie of a site names, on every day.
    pub fn cookie(&mut self, site: &[u8], cookie: &[u8]) -> Id {
        let mut mac = self.secret.clone();
        for part in [b"cookie\0", site, b"\0", cookie] {
            mac.update(part);
        }
        shown(mac)
    }

    /// The visitor behind an address with a user agent, on one day (counted from 1970-01-01) and one site.
    pub fn ip_ua(&mut self, day: i64, site: &[u8], address: IpAddr, user_agent: &[u8]) -> Id {
        self.message.clear();
        for part in [b"visitor\0", site, b"\0", &octets(address), user_agent] {
            self.message.extend_from_slice(part);
        }
        self.of_day(day)
    }

    /// The key of an address on one day.
    pub fn client(&mut self, day: i64, address: IpAddr) -> Id {
        self.message.clear();
        self.message.extend_from_slice(b"client\0");
        self.message.extend_from_slice(&octets(address));
        self.of_day(day)
    }

    /// The hash of the message with a day's salt.
    fn of_day(&mut self, day: i64) -> Id {
        let slot = usize::try_from(xxh3_64(&self.message) % SLOTS as u64).unwrap_or(0);
        let known = &self.remembered[slot];
        if known.day == day && known.message == self.message {
            return known.id;
        }
        let mut mac = self.salt(day).clone();
        mac.update(&self.message);
        let id = shown(mac);
        if self.message.len() <= REMEMBERED_BYTES_MAX {
            let slot = &mut self.remembered[slot];
            (slot.day, slot.id) = (day, id);
            slot.message.clear();
            slot.message.extend_from_slice(&self.message);
        }
        id
    }

    /// The key of a day: the secret's hash of its date.
    fn salt(&mut self, day: i64) -> &Key {
        if let Some(known) = self.days.iter().position(|(known, _)| *known == day) {
            return &self.days[known].1;
        }
        let mut date = Vec::new();
        push_day(&mut date, day * DAY_SECONDS);
        let mut mac = self.secret.clone();
        mac.update(b"day\0");
        mac.update(&date);
        let salted = (day, key(&mac.finalize().into_bytes()));
        let place = if self.days.len() < DAYS_KEPT {
            self.days.push(salted);
            self.days.len() - 1
        } else {
            let place = self.oldest;
            self.oldest = (place + 1) % DAYS_KEPT;
            self.days[place] = salted;
            place
        };
        &self.days[place].1
    }
}

fn key(secret: &[u8]) -> Key {
    Key::new_from_slice(secret).expect("HMAC takes keys of every length")
}

fn shown(mac: Key) -> Id {
    let hash = mac.finalize().into_bytes();
    let mut id = [0; ID_BYTES];
    let written = URL_SAFE_NO_PAD.encode_slice(&hash[..SHOWN_BYTES], &mut id);
    assert_eq!(written, Ok(ID_BYTES), "three bytes are four characters");
    id
}

/// Sixteen bytes for every address; an IPv4 address and its form in IPv6 have the same.
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Id, Identities};

    const DAY: i64 = 20_779;
    const AGENT: &[u8] = b"Mozilla/5.0";

    fn text(id: Id) -> String {
        String::from_utf8(id.to_vec()).unwrap()
    }

    fn visitor(secret: &str, day: i64, site: &str, address: &str, agent: &[u8]) -> String {
        let mut identities = Identities::new(secret.as_bytes());
        text(identities.ip_ua(day, site.as_bytes(), address.parse().unwrap(), agent))
    }

    /// Computed by Python's `hmac` module: what another program needs to know to find the same ids.
    #[test]
    fn hashes_as_documented() {
        let mut identities = Identities::new(b"secret");
        let address = "192.0.2.7".parse().unwrap();
        assert_eq!(text(identities.ip_ua(DAY, b"blog.example.com", address, AGENT)), "TDBKGUD1ksn5VSP2");
        assert_eq!(text(identities.client(DAY, address)), "MdBOlbs3QYbd9kAY");
        assert_eq!(text(identities.cookie(b"blog.example.com", b"0100007F")), "fMiJ2AiMSmLS6CCY");
    }

    #[test]
    fn everything_that_tells_visitors_apart_does() {
        let one = visitor("s", DAY, "a", "192.0.2.7", AGENT);
        assert_eq!(visitor("s", DAY, "a", "192.0.2.7", AGENT), one);
        assert_eq!(visitor("s", DAY, "a", "::ffff:192.0.2.7", AGENT), one);
        for other in [
            visitor("t", DAY, "a", "192.0.2.7", AGENT),
            visitor("s", DAY + 1, "a", "192.0.2.7", AGENT),
            visitor("s", DAY, "b", "192.0.2.7", AGENT),
            visitor("s", DAY, "a", "192.0.2.8", AGENT),
            visitor("s", DAY, "a", "192.0.2.7", b"Mozilla/5.1"),
        ] {
            assert_ne!(other, one);
        }
    }

    #[test]
    fn what_is_remembered_changes_nothing() {
        let mut identities = Identities::new(b"s");
        let ids = |identities: &mut Identities| -> Vec<Id> {
            let addresses = (0..3000_u32).map(|number| std::net::Ipv4Addr::from(number).into());
            addresses
                .flat_map(|address| (DAY..DAY + 6).map(move |day| (day, address)))
                .map(|(day, address)| identities.ip_ua(day, b"a", address, AGENT))
                .collect()
        };
        let first = ids(&mut identities);
        assert_eq!(ids(&mut identities), first);
        assert_eq!(first.iter().collect::<std::collections::HashSet<_>>().len(), first.len());
        let long = vec![b'x'; 5000];
        let id = identities.ip_ua(DAY, b"a", "::1".parse().unwrap(), &long);
        assert_eq!(identities.ip_ua(DAY, b"a", "::1".parse().unwrap(), &long), id);
    }

    #[test]
    fn kinds_never_meet() {
        let mut identities = Identities::new(b"s");
        let address = "192.0.2.7".parse().unwrap();
        assert_ne!(identities.client(DAY, address), identities.ip_ua(DAY, b"", address, b""));
        assert_ne!(identities.cookie(b"a", b"b"), identities.cookie(b"", b"a\0b"));
    }
}

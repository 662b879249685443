//! Who is one visitor and what is one address: keyed hashes, so that an event can be counted without naming anybody.
//!
//! SipHash-2-4 with 128 bits (Aumasson and Bernstein 2012), made for short messages and many of them: without its key
//! nobody can tell its result from chance. The first twelve bytes are shown as 16 characters of base64url. Keys are made of
//! the secret by BLAKE3. What is known of a request alone is hashed with a key of the event's day, so that nobody is followed
//! over days and a replay gives the same ids. A cookie is hashed with the secret's own key: its purpose is to be the same
//! tomorrow. Messages begin with a word of their kind and parts of variable length end with a NUL, which a host's name never
//! holds, or with the message: two kinds never have one message.
//!
//! A visitor's message has a digest of the user agent in its place: 16 bytes that are computed once for many lines, where the
//! text has a hundred and would be hashed for each.

use std::net::IpAddr;

use blake3::{KEY_LEN, derive_key, keyed_hash};
use siphasher::sip128::SipHasher24;

use super::when::push_day;
use crate::format::time::DAY_SECONDS;

/// Characters of an id.
pub const ID_BYTES: usize = 16;
/// Bytes of a hash that an id shows: 96 bits, so that a billion visitors share one by a chance of less than 1 in 10^10.
const SHOWN_BYTES: usize = 12;

/// The characters of base64url (RFC 4648, section 5).
const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An id as it stands in an event.
pub type Id = [u8; ID_BYTES];

/// What a visitor's id is made of in place of a user agent.
pub type Digest = [u8; 16];

/// What BLAKE3 makes a key of a secret for: no other program may ever use the same words.
const PURPOSE: &str = "viewtail 2026-11-27 visitor ids";

/// Days whose hashes are kept: today's, yesterday's around midnight, and one for late lines.
const DAYS_KEPT: usize = 4;

/// Makes ids with one secret.
#[derive(Debug)]
pub struct Identities {
    secret: [u8; KEY_LEN],
    cookies: SipHasher24,
    agents: SipHasher24,
    days: Vec<(i64, SipHasher24)>,
    /// Which of the days is replaced next.
    oldest: usize,
    message: Vec<u8>,
}

/// What tells secrets apart without telling anything of them.
#[must_use]
pub fn fingerprint(secret: &[u8]) -> String {
    let hash = keyed_hash(&derive_key(PURPOSE, secret), b"fingerprint\0");
    String::from_utf8_lossy(&shown(hash.as_bytes())).into_owned()
}

impl Identities {
    /// Ids with this secret, which may have any length.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let secret = derive_key(PURPOSE, secret);
        let (cookies, agents) = (hasher(&secret, b"cookies\0"), hasher(&secret, b"user agents\0"));
        let days = Vec::with_capacity(DAYS_KEPT);
        Self { secret, cookies, agents, days, oldest: 0, message: Vec::new() }
    }

    /// The visitor that a cookie of a site names, on every day.
    pub fn cookie(&mut self, site: &[u8], cookie: &[u8]) -> Id {
        self.message.clear();
        for part in [b"cookie\0", site, b"\0", cookie] {
            self.message.extend_from_slice(part);
        }
        shown(&self.cookies.hash(&self.message).as_bytes())
    }

    /// What stands for a user agent in visitors' ids, the same on every day.
    #[must_use]
    pub fn agent(&self, user_agent: &[u8]) -> Digest {
        self.agents.hash(user_agent).as_bytes()
    }

    /// The visitor behind an address with a user agent, on one day (counted from 1970-01-01) and one site.
    pub fn ip_ua(&mut self, day: i64, site: &[u8], (address, agent): (IpAddr, &Digest)) -> Id {
        let place = self.place_of(day);
        self.message.clear();
        self.message.extend_from_slice(b"visitor\0");
        self.message.extend_from_slice(&octets(address));
        self.message.extend_from_slice(agent);
        self.message.extend_from_slice(site);
        shown(&self.days[place].1.hash(&self.message).as_bytes())
    }

    /// The key of an address on one day.
    pub fn client(&mut self, day: i64, address: IpAddr) -> Id {
        let mut message = *b"client\0----------------";
        message[b"client\0".len()..].copy_from_slice(&octets(address));
        let place = self.place_of(day);
        shown(&self.days[place].1.hash(&message).as_bytes())
    }

    /// Where the hash of a day stands, whose key is the secret's hash of its date.
    fn place_of(&mut self, day: i64) -> usize {
        if let Some(place) = self.days.iter().position(|(known, _)| *known == day) {
            return place;
        }
        let mut message = b"day\0".to_vec();
        push_day(&mut message, day * DAY_SECONDS);
        let hasher = hasher(&self.secret, &message);
        if self.days.len() < DAYS_KEPT {
            self.days.push((day, hasher));
            return self.days.len() - 1;
        }
        let place = self.oldest;
        self.days[place] = (day, hasher);
        self.oldest = (place + 1) % DAYS_KEPT;
        place
    }
}

/// SipHash with the key that the secret has for such a message.
fn hasher(secret: &[u8; KEY_LEN], message: &[u8]) -> SipHasher24 {
    let hash = keyed_hash(secret, message);
    let key = hash.as_bytes().first_chunk().expect("a hash of BLAKE3 is longer than a key of SipHash");
    SipHasher24::new_with_key(key)
}

/// The beginning of a hash as it stands in an event. The way through an encoder for texts of any length costs more than the
/// hash does.
fn shown(hash: &[u8]) -> Id {
    let mut id = [0; ID_BYTES];
    let (sixes, _) = hash[..SHOWN_BYTES].as_chunks();
    let (eights, _) = id.as_chunks_mut::<8>();
    for ([a, b, c, d, e, f], eight) in sixes.iter().zip(eights) {
        let bits = u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f]);
        for (character, place) in eight.iter_mut().rev().zip(0..) {
            *character = BASE64URL[usize::from((bits >> (6 * place)).to_le_bytes()[0] % 64)];
        }
    }
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
        let agent = identities.agent(agent);
        text(identities.ip_ua(day, site.as_bytes(), (address.parse().unwrap(), &agent)))
    }

    /// Computed by the Python package `blake3` and SipHash written anew in Python: what another program needs to know to find the same ids.
    #[test]
    fn hashes_as_documented() {
        let mut identities = Identities::new(b"secret");
        let address = "192.0.2.7".parse().unwrap();
        let agent = identities.agent(AGENT);
        assert_eq!(text(identities.ip_ua(DAY, b"blog.example.com", (address, &agent))), "vD7zvRNHk53buVqT");
        assert_eq!(text(identities.client(DAY, address)), "e_WFUfwbf0Hv_vNG");
        assert_eq!(text(identities.cookie(b"blog.example.com", b"0100007F")), "028mNTfBODu0MQio");
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
            let agent = identities.agent(AGENT);
            addresses
                .flat_map(|address| (DAY..DAY + 6).map(move |day| (day, address)))
                .map(|(day, address)| identities.ip_ua(day, b"a", (address, &agent)))
                .collect()
        };
        let first = ids(&mut identities);
        assert_eq!(ids(&mut identities), first);
        assert_eq!(first.iter().collect::<std::collections::HashSet<_>>().len(), first.len());
    }

    #[test]
    fn kinds_never_meet() {
        let mut identities = Identities::new(b"s");
        let address = "192.0.2.7".parse().unwrap();
        let agent = identities.agent(b"");
        assert_ne!(identities.client(DAY, address), identities.ip_ua(DAY, b"", (address, &agent)));
        assert_ne!(identities.cookie(b"a", b"b"), identities.cookie(b"", b"a\0b"));
    }
}

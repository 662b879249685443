//! Counting: events in, in any order and any pieces; numbers out through [`Report`](super::Report).
//!
//! Exact: nobody is counted by an estimate. A million different visitors of many pages fit in 200 MiB, because names
//! and ids are kept once and everything else is a pair of numbers.

use std::collections::HashMap;

use super::intern::{Keys, Names, key_of};
use super::pairs::Pairs;

/// What an event says, as plain text in UTF-8; empty is what it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen<'a> {
    /// `YYYY-MM-DD`.
    pub day: &'a [u8],
    /// The site.
    pub site: &'a [u8],
    /// The page key.
    pub page: &'a [u8],
    /// Whether it is a page view.
    pub is_view: bool,
    /// Why it is none.
    pub reason: &'a [u8],
    /// Who looked.
    pub visitor_id: &'a [u8],
    /// From which address, as a keyed hash.
    pub client_key: &'a [u8],
    /// Where the visitor came from.
    pub referrer_host: &'a [u8],
    /// The crawler.
    pub bot: &'a [u8],
    /// The address, or its network; needed only while [`Tally::wants_address`].
    pub client_address: &'a [u8],
}

/// What was counted so far.
#[derive(Debug, Default)]
pub struct Tally {
    pub(super) names: Dictionary,
    /// A day of a site, by its number; the key joins the numbers of day and site.
    pub(super) day_sites: Keys,
    pub(super) day_site_counts: Vec<DaySite>,
    /// A page on a day of a site, by its number; the key joins the numbers of day-and-site and page.
    pub(super) cells: Keys,
    /// Views of each cell.
    pub(super) cell_views: Vec<u32>,
    pub(super) visitors: Pairs,
    pub(super) clients: Pairs,
    visitor_ids: Keys,
    client_keys: Keys,
    /// Views of each client key, which is another one every day.
    pub(super) client_views: Vec<u32>,
    /// Views of a day of a site that came from a host.
    pub(super) referrers: HashMap<(u32, u32), u64>,
    /// Events of a day of a site that were a crawler's.
    pub(super) bots: HashMap<(u32, u32), u64>,
    pub(super) undated: u64,
    pub(super) undated_malformed: u64,
    pub(super) networks: Networks,
}

/// The names of everything that is counted by its number.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    pub(super) days: Names,
    pub(super) sites: Names,
    pub(super) pages: Names,
    pub(super) reasons: Names,
    pub(super) hosts: Names,
    pub(super) bots: Names,
}

/// A day of a site.
#[derive(Debug, Default)]
pub(super) struct DaySite {
    pub(super) events: u64,
    pub(super) views: u64,
    /// Events that do not count, by the number of their reason.
    pub(super) excluded: Vec<u64>,
}

/// What the addresses of views have been so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Networks {
    /// None was seen.
    #[default]
    Unknown,
    /// All of them private.
    Private,
    /// At least one of them public: the rest does not matter.
    Public,
}

impl Tally {
    /// Counts an event.
    pub fn add(&mut self, seen: &Seen<'_>) {
        if seen.day.is_empty() {
            self.undated += 1;
            self.undated_malformed += u64::from(seen.reason == b"malformed");
            return;
        }
        let day_site = self.day_site(seen.day, seen.site);
        if !seen.bot.is_empty() {
            let bot = self.names.bots.number(seen.bot);
            *self.bots.entry((day_site, bot)).or_default() += 1;
        }
        let counts = &mut self.day_site_counts[day_site as usize];
        counts.events += 1;
        if seen.is_view {
            counts.views += 1;
            self.add_view(day_site, seen);
        } else {
            let reason = self.names.reasons.number(seen.reason) as usize;
            if counts.excluded.len() <= reason {
                counts.excluded.resize(reason + 1, 0);
            }
            counts.excluded[reason] += 1;
        }
    }

    /// Whether the address of the next view would still be looked at. It is only for a warning, and most callers have
    /// to search for it.
    #[must_use]
    pub fn wants_address(&self) -> bool {
        self.networks != Networks::Public
    }

    /// All events so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.undated + self.day_site_counts.iter().map(|counts| counts.events).sum::<u64>()
    }

    fn add_view(&mut self, day_site: u32, seen: &Seen<'_>) {
        let page = self.names.pages.number(seen.page);
        let cell = self.cells.number(joined(day_site, page));
        count(&mut self.cell_views, cell);
        if !seen.visitor_id.is_empty() {
            self.visitors.add(cell, self.visitor_ids.number(key_of(seen.visitor_id)));
        }
        if !seen.client_key.is_empty() {
            let client = self.client_keys.number(key_of(seen.client_key));
            self.clients.add(cell, client);
            count(&mut self.client_views, client);
        }
        if !seen.referrer_host.is_empty() {
            let host = self.names.hosts.number(seen.referrer_host);
            *self.referrers.entry((day_site, host)).or_default() += 1;
        }
        self.networks.see(seen.client_address);
    }

    fn day_site(&mut self, day: &[u8], site: &[u8]) -> u32 {
        let (day, site) = (self.names.days.number(day), self.names.sites.number(site));
        let number = self.day_sites.number(joined(day, site));
        if number as usize == self.day_site_counts.len() {
            self.day_site_counts.push(DaySite::default());
        }
        number
    }
}

impl Networks {
    fn see(&mut self, address: &[u8]) {
        if *self == Self::Public {
            return;
        }
        let Some(address) = std::str::from_utf8(address).ok().and_then(|text| text.parse().ok()) else {
            return;
        };
        *self = if is_private(address) { Self::Private } else { Self::Public };
    }
}

/// Addresses of no host in the Internet: RFC 1918, 4193, 6598, link-local and loopback.
fn is_private(address: std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            address.is_private() || address.is_loopback() || address.is_link_local() || is_shared
        }
        std::net::IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// Counts one for a number, which is at most one above those before it.
fn count(counts: &mut Vec<u32>, number: u32) {
    let at = number as usize;
    if at == counts.len() {
        counts.push(0);
    }
    counts[at] = counts[at].saturating_add(1);
}

fn joined(high: u32, low: u32) -> u128 {
    (u128::from(high) << 32) | u128::from(low)
}

/// The two numbers of a joined key.
pub(super) fn parted(key: u128) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h, ..] = key.to_le_bytes();
    (u32::from_le_bytes([e, f, g, h]), u32::from_le_bytes([a, b, c, d]))
}

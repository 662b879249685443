//! What is known of a user agent, kept for those seen last: a line's costs a hash and a comparison then, and no allocation.
//!
//! A user agent that is kept is known by all of its bytes, as the log writes them: whoever sends others can make lines cost
//! what they cost without a memory, but no verdict wrong.

use xxhash_rust::xxh3::xxh3_64;

use super::bots::Verdict;
use super::visitor::Digest;

/// Sets of places. All together are 2,048: 10,000 lines of a blog had 558 different user agents, and with 150 bytes each this makes
/// at most about 450 KB.
const SETS: usize = 1 << SET_BITS;
const SET_BITS: u32 = 8;
/// Places for those whose hashes begin alike. With two of them, the 717 user agents of 10,000 generated lines displaced each other
/// 387 times, although there is room for thrice as many; with eight, hardly ever.
const WAYS: usize = 8;

/// The longest that is kept; longer ones are no browser's and rarely come twice.
const BYTES_MAX: usize = 512;

/// What is asked about a user agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent {
    /// The crawler that it is.
    pub verdict: Verdict,
    /// What visitors' ids are made of in its place.
    pub digest: Digest,
    /// Whether it goes into JSON as the log writes it.
    pub is_plain: bool,
}

/// The user agents of one log that were seen last.
#[derive(Debug, Default)]
pub struct Agents {
    /// In boxes, because a place that is empty costs a pointer then: each log has its own, and many logs see few clients. There
    /// is none before the first. Of a set, those seen last come first.
    places: Vec<[Option<Box<Kept>>; WAYS]>,
}

#[derive(Debug)]
struct Kept {
    text: Vec<u8>,
    agent: Agent,
}

impl Agents {
    /// What is known of a user agent, as the log writes it; it is examined if it was not seen lately.
    pub fn of(&mut self, text: &[u8], examine: impl FnOnce() -> Agent) -> Agent {
        if text.len() > BYTES_MAX {
            return examine();
        }
        if self.places.is_empty() {
            self.places.resize_with(SETS, Default::default);
        }
        // The highest bits choose the set, so that it is there whatever the hash.
        let set = usize::try_from(xxh3_64(text) >> (u64::BITS - SET_BITS)).unwrap_or(0);
        let set = &mut self.places[set];
        let is_it = |kept: &Option<Box<Kept>>| kept.as_ref().is_some_and(|kept| kept.text == text);
        let way = set.iter().position(is_it);
        // Without it, the place of the one that was not seen for the longest time.
        for place in (0..way.unwrap_or(WAYS - 1)).rev() {
            set.swap(place, place + 1);
        }
        match (way, &mut set[0]) {
            (Some(_), Some(kept)) => kept.agent,
            (None, Some(kept)) => {
                kept.agent = examine();
                kept.text.clear();
                kept.text.extend_from_slice(text);
                kept.agent
            }
            (_, empty @ None) => {
                let agent = examine();
                *empty = Some(Box::new(Kept { text: text.to_vec(), agent }));
                agent
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bots::Bots;
    use super::super::rules::BotRules;
    use super::super::visitor::Identities;
    use super::{Agent, Agents, BYTES_MAX, SETS, WAYS};

    #[test]
    fn what_is_kept_changes_nothing() {
        let (bots, identities) = (Bots::new(&BotRules::default()).unwrap(), Identities::new(b"s"));
        let mut agents = Agents::default();
        let examine = |text: &[u8]| Agent {
            verdict: bots.judge(text),
            digest: identities.agent(text),
            is_plain: text.len().is_multiple_of(2),
        };
        // More than there is room for, some of them twice in a row, and some too long to be kept.
        let text = |number: usize| match number % 50 {
            0 => format!("{}{number}", "x".repeat(BYTES_MAX - 3)).into_bytes(),
            1 => format!("Googlebot/{}", number % 700).into_bytes(),
            _ => format!("Mozilla/5.0 ({})", number % 7_919).into_bytes(),
        };
        let mut examined = 0;
        for number in (0..4 * SETS * WAYS).flat_map(|number| [number, number]) {
            let text = text(number);
            let agent = agents.of(&text, || {
                examined += 1;
                examine(&text)
            });
            assert_eq!(agent, examine(&text));
        }
        assert!(examined < 5 * SETS * WAYS, "{examined}");
    }
}

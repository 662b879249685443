//! What is known of a user agent, kept for those seen last: a line's costs a hash and a comparison then, and no allocation.
//!
//! A user agent that is kept is known by all of its bytes, as the log writes them: whoever sends others can make lines cost
//! what they cost without a memory, but no verdict wrong.

use xxhash_rust::xxh3::xxh3_64;

use super::bots::Verdict;
use super::visitor::Digest;

/// User agents that are kept, as a power of two: 10,000 lines of a blog had 558 different ones, and with 150 bytes each this
/// makes at most about 450 KB.
const PLACE_BITS: u32 = 11;

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
    /// is none before the first.
    places: Vec<Option<Box<Kept>>>,
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
            self.places.resize_with(1 << PLACE_BITS, || None);
        }
        // The highest bits choose the place, so that it is there whatever the hash.
        let first = usize::try_from(xxh3_64(text) >> (u64::BITS - PLACE_BITS)).unwrap_or(0);
        if let Some(agent) = self.kept(first, text) {
            return agent;
        }
        // The one that was asked for last comes first, so that a rare one does not displace a common one.
        self.places.swap(first, first ^ 1);
        if let Some(agent) = self.kept(first, text) {
            return agent;
        }
        let agent = examine();
        match &mut self.places[first] {
            Some(kept) => {
                kept.text.clear();
                kept.text.extend_from_slice(text);
                kept.agent = agent;
            }
            empty @ None => *empty = Some(Box::new(Kept { text: text.to_vec(), agent })),
        }
        agent
    }

    fn kept(&self, place: usize, text: &[u8]) -> Option<Agent> {
        self.places[place].as_ref().filter(|kept| kept.text == text).map(|kept| kept.agent)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bots::Bots;
    use super::super::rules::BotRules;
    use super::super::visitor::Identities;
    use super::{Agent, Agents, BYTES_MAX, PLACE_BITS};

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
        for number in (0..4 << PLACE_BITS).flat_map(|number| [number, number]) {
            let text = text(number);
            let agent = agents.of(&text, || {
                examined += 1;
                examine(&text)
            });
            assert_eq!(agent, examine(&text));
        }
        assert!(examined < 5 << PLACE_BITS, "{examined}");
    }
}

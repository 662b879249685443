//! A set of pairs of numbers: who was seen where.
//!
//! Kept as a plain list that is sorted and freed of repetitions whenever it has doubled: 8 to 16 bytes for each
//! different pair, whatever the number of views, and no search while counting.

/// Below this the list is not looked through: it costs less than 1 MiB.
const PAIRS_MIN: usize = 1 << 16;

/// Different pairs of numbers.
#[derive(Debug, Default)]
pub struct Pairs {
    list: Vec<u64>,
    /// How long the list may become before it is looked through.
    limit: usize,
}

impl Pairs {
    /// Adds a pair.
    pub fn add(&mut self, place: u32, who: u32) {
        if self.list.len() >= self.limit.max(PAIRS_MIN) {
            self.compact();
            self.limit = self.list.len() * 2;
        }
        self.list.push(joined(place, who));
    }

    /// Removes what repeats.
    pub fn compact(&mut self) {
        self.list.sort_unstable();
        self.list.dedup();
    }

    /// Every pair, its place mapped by `place_of`; some of them more than once.
    pub fn each(&self, place_of: impl Fn(u32) -> u32) -> impl Iterator<Item = (u32, u32)> {
        self.list.iter().map(move |pair| {
            let (place, who) = parted(*pair);
            (place_of(place), who)
        })
    }

    /// How many different partners each place has, the places mapped by `place_of`; a place that maps to `None` does
    /// not count.
    #[must_use]
    pub fn partners(&self, places: usize, place_of: impl Fn(u32) -> Option<u32>) -> Vec<u32> {
        let mut mapped: Vec<u64> = Vec::with_capacity(self.list.len());
        mapped.extend(self.list.iter().filter_map(|pair| {
            let (place, who) = parted(*pair);
            place_of(place).map(|place| joined(place, who))
        }));
        mapped.sort_unstable();
        mapped.dedup();
        let mut counts = vec![0; places];
        for pair in mapped {
            counts[parted(pair).0 as usize] += 1;
        }
        counts
    }
}

fn joined(place: u32, who: u32) -> u64 {
    (u64::from(place) << 32) | u64::from(who)
}

fn parted(pair: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = pair.to_be_bytes();
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn a_million_views_of_one_visitor_cost_nothing() {
        let mut pairs = Pairs::default();
        for _ in 0..1_000_000 {
            pairs.add(7, 9);
        }
        assert!(pairs.list.capacity() <= 2 * PAIRS_MIN, "{}", pairs.list.capacity());
        assert_eq!(pairs.partners(8, Some), [0, 0, 0, 0, 0, 0, 0, 1]);
    }

    proptest! {
        #[test]
        fn partners_are_counted_once(seen in proptest::collection::vec((0_u32..6, 0_u32..20), 0..200)) {
            let mut pairs = Pairs { limit: 0, ..Pairs::default() };
            for (place, who) in &seen {
                pairs.add(*place, *who);
            }
            // Two places make one, and place 5 does not count.
            let counts = pairs.partners(3, |place| (place < 5).then_some(place / 2));
            for whole in 0..3 {
                let there: HashSet<u32> =
                    seen.iter().filter(|(place, _)| *place < 5 && place / 2 == whole).map(|(_, who)| *who).collect();
                prop_assert_eq!(counts[whole as usize] as usize, there.len());
            }
        }
    }
}

//! Numbers for names: each different name is kept once, and everything else is counted by its number.
//!
//! A set of a million names costs their bytes and 16 more for each. The standard map would cost an allocation for each
//! name, and several times the memory.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// An index never gets fuller than this many eighths: beyond it the search for a free place becomes long.
const EIGHTHS_MAX: usize = 6;

/// Free place of an index.
const FREE: u32 = u32::MAX;

/// Names of any length.
#[derive(Debug, Default)]
pub struct Names {
    bytes: Vec<u8>,
    /// Where each name ends; it starts where the one before it ends.
    ends: Vec<usize>,
    index: Index,
}

impl Names {
    /// The number of this name; new names get the next one.
    pub fn number(&mut self, name: &[u8]) -> u32 {
        let (bytes, ends) = (&self.bytes, &self.ends);
        let slice = |number: u32| slice(bytes, ends, number);
        let hash = xxh3_64(name);
        match self.index.find(hash, |number| slice(number) == name) {
            Ok(number) => number,
            Err(place) => {
                let next = self.index.fill(place);
                self.bytes.extend_from_slice(name);
                self.ends.push(self.bytes.len());
                let (bytes, ends) = (&self.bytes, &self.ends);
                self.index.grow_if_full(|number| xxh3_64(self::slice(bytes, ends, number)));
                next
            }
        }
    }

    /// The name of a number that was given.
    #[must_use]
    pub fn name(&self, number: u32) -> &[u8] {
        slice(&self.bytes, &self.ends, number)
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], number: u32) -> &'a [u8] {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    &bytes[start..ends[number]]
}

/// Keys of a fixed size: keyed hashes of visitors and addresses, or pairs of numbers.
#[derive(Debug, Default)]
pub struct Keys {
    keys: Vec<u128>,
    index: Index,
}

impl Keys {
    /// The number of this key; new keys get the next one.
    pub fn number(&mut self, key: u128) -> u32 {
        let keys = &self.keys;
        match self.index.find(spread(key), |number| keys[number as usize] == key) {
            Ok(number) => number,
            Err(place) => {
                let next = self.index.fill(place);
                self.keys.push(key);
                let keys = &self.keys;
                self.index.grow_if_full(|number| spread(keys[number as usize]));
                next
            }
        }
    }

    /// The key of a number that was given.
    #[must_use]
    pub fn key(&self, number: u32) -> u128 {
        self.keys[number as usize]
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }
}

/// The key of an id. The ids of events have 16 characters and are their own key; of others the hash has 128 bits, so
/// that two of a million are the same with a chance of 1 in 10^26.
#[must_use]
pub fn key_of(id: &[u8]) -> u128 {
    <[u8; 16]>::try_from(id).map_or_else(|_| xxh3_128(id), u128::from_le_bytes)
}

/// Text characters and small numbers leave most bits of a key alike: a multiplication spreads them.
fn spread(key: u128) -> u64 {
    /// The golden ratio's fraction in 64 bits, which is odd and has no pattern.
    const FACTOR: u128 = 0x9E37_79B9_7F4A_7C15;
    let [low, high] = halves(key).map(u128::from);
    let [one, two] = halves((low ^ 0x2545_F491_4F6C_DD1D).wrapping_mul(FACTOR));
    let [three, four] = halves((high ^ u128::from(one ^ two)).wrapping_mul(FACTOR));
    three ^ four
}

fn halves(key: u128) -> [u64; 2] {
    let bytes = key.to_le_bytes();
    let half = |at: usize| {
        u64::from_le_bytes([
            bytes[at],
            bytes[at + 1],
            bytes[at + 2],
            bytes[at + 3],
            bytes[at + 4],
            bytes[at + 5],
            bytes[at + 6],
            bytes[at + 7],
        ])
    };
    [half(0), half(8)]
}

/// Where which number stands, by the hash of what it stands for. Open addressing: the next free place is taken.
#[derive(Debug, Default)]
struct Index {
    places: Vec<u32>,
    used: u32,
}

impl Index {
    /// The number whose thing this is, or the free place for the next one.
    fn find(&mut self, hash: u64, is_it: impl Fn(u32) -> bool) -> Result<u32, usize> {
        if self.places.is_empty() {
            self.places = vec![FREE; 64];
        }
        let mask = self.places.len() - 1;
        let mut place = place_of(hash, mask);
        loop {
            match self.places[place] {
                FREE => return Err(place),
                number if is_it(number) => return Ok(number),
                _ => place = (place + 1) & mask,
            }
        }
    }

    /// Gives the next number to a free place.
    fn fill(&mut self, place: usize) -> u32 {
        let next = self.used;
        assert!(next < FREE, "fewer than 2^32 - 1 different names fit in memory");
        self.places[place] = next;
        self.used += 1;
        next
    }

    /// Doubles the places when they get full.
    fn grow_if_full(&mut self, hash_of: impl Fn(u32) -> u64) {
        if (self.used as usize) * 8 < self.places.len() * EIGHTHS_MAX {
            return;
        }
        let size = self.places.len() * 2;
        // The old places go first: what is in them is 0..used.
        self.places = Vec::new();
        self.places = vec![FREE; size];
        let mask = size - 1;
        for number in 0..self.used {
            let mut place = place_of(hash_of(number), mask);
            while self.places[place] != FREE {
                place = (place + 1) & mask;
            }
            self.places[place] = number;
        }
    }
}

fn place_of(hash: u64, mask: usize) -> usize {
    usize::try_from(hash & mask as u64).expect("a place is below a length in memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn many_names_keep_their_numbers() {
        let mut names = Names::default();
        let name = |number: u32| format!("/posts/{number}").into_bytes();
        for number in 0..10_000 {
            assert_eq!(names.number(&name(number)), number);
        }
        for number in 0..10_000 {
            assert_eq!(names.number(&name(number)), number);
            assert_eq!(names.name(number), name(number));
        }
        assert_eq!(names.number(b""), 10_000);
        assert_eq!(names.name(10_000), b"");
    }

    #[test]
    fn small_numbers_are_spread() {
        let mask = 0xFFFF;
        let places: std::collections::HashSet<usize> =
            (0..10_000_u128).map(|key| place_of(spread(key << 32), mask)).collect();
        assert!(places.len() > 8_500, "{}", places.len());
    }

    proptest! {
        #[test]
        fn keys_are_the_same_if_and_only_if_their_numbers_are(
            keys in proptest::collection::vec(0_u128..50, 0..300)
        ) {
            let mut known = Keys::default();
            let numbers: Vec<u32> = keys.iter().map(|key| known.number(*key)).collect();
            for (key, number) in keys.iter().zip(&numbers) {
                prop_assert_eq!(known.key(*number), *key);
            }
            let different: std::collections::HashSet<u128> = keys.into_iter().collect();
            prop_assert_eq!(known.len(), different.len());
        }
    }
}

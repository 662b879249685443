//! Globs over paths or hosts: `*` and `?` do not cross a `/`, `**` does.

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};

/// What a glob may be made of beside characters that stand for themselves.
const SYNTAX: &[char] = &['*', '?', '[', ']', '{', '}', '\\'];

/// Globs of which one or another matches.
#[derive(Clone, Debug, Default)]
pub struct Globs {
    set: GlobSet,
    /// How each begins: almost no text does, and to see that costs a tenth of asking the set.
    beginnings: Vec<Box<[u8]>>,
}

impl Globs {
    /// Compiles them.
    ///
    /// # Errors
    /// The first that is none.
    pub fn new<T: AsRef<str>>(globs: &[T]) -> Result<Self, globset::Error> {
        let mut set = GlobSetBuilder::new();
        let mut beginnings = Vec::new();
        for glob in globs.iter().map(AsRef::as_ref) {
            set.add(GlobBuilder::new(glob).literal_separator(true).build()?);
            let end = glob.find(SYNTAX).unwrap_or(glob.len());
            beginnings.push(glob.as_bytes()[..end].into());
        }
        Ok(Self { set: set.build()?, beginnings })
    }

    /// Whether one of them is the whole text.
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.may_match(text) && self.set.is_match_candidate(&Candidate::from_bytes(text))
    }

    /// Which of them are the whole text, by their places.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> Vec<usize> {
        if self.may_match(text) {
            self.set.matches_candidate(&Candidate::from_bytes(text))
        } else {
            Vec::new()
        }
    }

    fn may_match(&self, text: &[u8]) -> bool {
        self.beginnings.iter().any(|beginning| {
            match (beginning.last(), text.get(beginning.len().saturating_sub(1))) {
                // Paths begin alike, so the last byte tells most of them apart without a comparison.
                (Some(last), Some(byte)) => last == byte && text.starts_with(beginning),
                (Some(_), None) => false,
                (None, _) => true,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Globs;

    #[test]
    fn a_glob_may_begin_with_anything() {
        let check = |glob: &str, text: &str, expect: bool| {
            let globs = Globs::new(&["/nowhere", glob]).unwrap();
            assert_eq!(globs.is_match(text.as_bytes()), expect, "{glob} {text}");
        };
        check("/robots.txt", "/robots.txt", true);
        check("/robots.txt", "/robots.txt2", false);
        check("*.internal", "a.internal", true);
        check("{/a,/b}/*", "/b/c", true);
        check("[/]a", "/a", true);
        check(r"\/a\*", "/a*", true);
        check(r"/a\*", "/ab", false);
        check("/a**", "/ab", true);
        check("/a/**", "/a/b/c", true);
        check("/关于/*", "/关于/x", true);
        assert!(!Globs::default().is_match(b"/"));
    }
}

//! The globs of `include`, as glob(3) and fnmatch(3) mean them: `*`, `?` and `[...]` stay within a name, a name that
//! begins with a dot has to be asked for, and `{` and `}` are nothing special.

use std::path::{Component, Path};

use globset::{GlobBuilder, GlobMatcher};

/// A glob, name by name.
#[derive(Clone, Debug)]
pub struct Glob {
    names: Vec<Name>,
}

/// A name of a path, or a pattern of names.
#[derive(Clone, Debug)]
pub enum Name {
    /// One name.
    Literal(String),
    /// All that match.
    Pattern {
        /// What they match.
        matcher: GlobMatcher,
        /// Whether hidden ones are asked for.
        is_hidden: bool,
    },
}

impl Glob {
    /// Reads an absolute glob. A bracket that is not closed stands for itself.
    #[must_use]
    pub fn new(glob: &str) -> Self {
        Self { names: glob.split('/').filter(|name| !name.is_empty()).map(Name::new).collect() }
    }

    /// What it says of each name below `/`.
    #[must_use]
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// Whether an absolute path matches.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        let names = path.components().filter(|component| *component != Component::RootDir);
        let names: Vec<_> = names.map(Component::as_os_str).collect();
        names.len() == self.names.len()
            && self.names.iter().zip(names).all(|(pattern, name)| pattern.matches(Path::new(name)))
    }
}

impl Name {
    fn new(text: &str) -> Self {
        let literal = || Self::Literal(text.to_owned());
        if !text.contains(['*', '?', '[']) {
            return literal();
        }
        let plain = text.replace('{', "\\{").replace('}', "\\}");
        let built = GlobBuilder::new(&plain).literal_separator(true).backslash_escape(true).build();
        built.map_or_else(
            |_| literal(),
            |glob| Self::Pattern { matcher: glob.compile_matcher(), is_hidden: text.starts_with('.') },
        )
    }

    /// Whether a name matches.
    #[must_use]
    pub fn matches(&self, name: &Path) -> bool {
        match self {
            Self::Literal(literal) => name == Path::new(literal),
            Self::Pattern { matcher, is_hidden } => {
                (*is_hidden || !name.as_os_str().as_encoded_bytes().starts_with(b"."))
                    && matcher.is_match(name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stay_within_a_name() {
        for (glob, path, expect) in [
            ("/e/*.conf", "/e/a.conf", true),
            ("/e/*.conf", "/e/a/b.conf", false),
            ("/e/*.conf", "/e/.a.conf", false),
            ("/e/.*.conf", "/e/.a.conf", true),
            ("/e/**", "/e/a", true),
            ("/e/**", "/e/a/b", false),
            ("/e/{a,b}*", "/e/{a,b}c", true),
            ("/e/{a,b}*", "/e/a", false),
            ("/e/[ab]?", "/e/bx", true),
            ("/e/[ab", "/e/[ab", true),
            ("/*/x/*", "/e/x/y", true),
        ] {
            assert_eq!(Glob::new(glob).matches(Path::new(path)), expect, "{glob} {path}");
        }
    }
}

//! A glob over paths. The home of `globset`.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::node::{Node, quoted};
use super::shape::Shape;
use super::value::{Fault, Value, absolute};

/// Characters that make a pattern match more than one path.
const WILDCARDS: [char; 5] = ['*', '?', '[', '{', '\\'];

/// Whether more than one path can match.
pub(super) fn has_wildcards(text: &str) -> bool {
    text.contains(WILDCARDS)
}

/// An absolute path in which `*` and `?` match within a directory's name and `**` any number of directories.
/// Matched on bytes: names need not be UTF-8.
#[derive(Clone, Debug)]
pub struct PathPattern {
    text: String,
    matcher: GlobMatcher,
}

impl PathPattern {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a path matches.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        self.matcher.is_match(path)
    }

    /// Whether only one path can match.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !has_wildcards(&self.text)
    }

    /// The deepest directory that all matching paths are in or below: where a search begins.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        let literal = self.text.find(WILDCARDS).map_or(self.text.as_str(), |wildcard| &self.text[..wildcard]);
        let directory = literal.rfind('/').map_or("/", |slash| &literal[..slash.max(1)]);
        PathBuf::from(directory)
    }
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PathPattern {}

impl Value for PathPattern {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        absolute(Path::new(&text))?;
        if text.ends_with('/') {
            return Err(Fault::new(
                "must name files, found a directory",
                format!("name its files: {text}*.log"),
            ));
        }
        let matcher = compile(&text)?;
        Ok(Self { text, matcher })
    }

    fn show(&self) -> String {
        self.text.show()
    }

    fn shape() -> Shape {
        Shape::matching("an absolute path, perhaps a glob", "^/.*[^/]$")
    }
}

/// An absolute directory, or a glob over directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryPattern(String);

impl DirectoryPattern {
    /// The glob over the files in it.
    #[must_use]
    pub fn files(&self) -> String {
        format!("{}/*", self.0)
    }
}

impl Value for DirectoryPattern {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        absolute(Path::new(&text))?;
        let directory = Self(text.trim_end_matches('/').to_owned());
        compile(&directory.0)?;
        Ok(directory)
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::matching("the absolute path of a directory, perhaps a glob", "^/")
    }
}

/// What a log leaves out: a [`PathPattern`], or a glob without `/` over the file's name alone.
#[derive(Clone, Debug)]
pub enum Exclude {
    /// Over the whole path.
    Path(PathPattern),
    /// Over the file's name.
    Name(String, GlobMatcher),
}

impl Exclude {
    /// Whether a path is left out.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        match self {
            Self::Path(pattern) => pattern.matches(path),
            Self::Name(_, matcher) => path.file_name().is_some_and(|name| matcher.is_match(name)),
        }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Path(pattern) => pattern.as_str(),
            Self::Name(text, _) => text,
        }
    }
}

impl PartialEq for Exclude {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Exclude {}

impl Value for Exclude {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        if text.contains('/') {
            return PathPattern::read(node).map(Self::Path);
        }
        let matcher = compile(&text)?;
        Ok(Self::Name(text, matcher))
    }

    fn show(&self) -> String {
        self.as_str().to_owned().show()
    }

    fn shape() -> Shape {
        Shape::text("an absolute path or a name, perhaps a glob")
    }
}

/// A glob in which `*` stays within a name.
pub(super) fn compile(text: &str) -> Result<GlobMatcher, Fault> {
    let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| {
        let fault = format!("must be a glob, found {}: {}", quoted(text), error.kind());
        Fault::new(fault, "* and ? match within a name, ** directories, [ab] a character, {a,b} either; \\ before one of these makes it plain")
    })
}

#[cfg(test)]
mod tests {
    use super::super::place::Place;
    use super::*;
    use crate::config::node::Kind;

    fn pattern(text: &str) -> Option<PathPattern> {
        PathPattern::read(&Node { place: Place::default(), kind: Kind::Text(text.to_owned()) }).ok()
    }

    #[test]
    fn stars_stay_within_a_name() {
        let glob = pattern("/var/log/*/access*.log").unwrap();
        assert!(glob.matches(Path::new("/var/log/nginx/access_1.log")));
        assert!(!glob.matches(Path::new("/var/log/nginx/old/access.log")));
        assert!(!glob.matches(Path::new("/var/log/access.log")));
        assert!(pattern("/srv/**/a.log").unwrap().matches(Path::new("/srv/x/y/a.log")));
    }

    #[test]
    fn where_a_search_begins() {
        for (text, root) in [
            ("/var/log/nginx/*.log", "/var/log/nginx"),
            ("/a*/b", "/"),
            ("/x/y", "/x"),
            ("/y", "/"),
            ("/s/**/a", "/s"),
        ] {
            assert_eq!(pattern(text).unwrap().root(), Path::new(root), "{text}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for text in ["access.log", "/var/log/", "/a/../b", "/a[", "/a{b", ""] {
            assert!(pattern(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_directory_may_end_with_a_slash() {
        let read = |text: &str| {
            let node = Node { place: Place::default(), kind: Kind::Text(text.to_owned()) };
            DirectoryPattern::read(&node).ok().map(|directory| directory.files())
        };
        assert_eq!(read("/var/log/old/"), Some("/var/log/old/*".to_owned()));
        assert_eq!(read("/srv/*/old"), Some("/srv/*/old/*".to_owned()));
        assert_eq!([read("old"), read("/a/../b"), read("/a[")], [None, None, None]);
    }

    #[test]
    fn an_exclusion_without_slash_is_over_the_name() {
        let node = Node { place: Place::default(), kind: Kind::Text("*.gz".to_owned()) };
        let Ok(exclude) = Exclude::read(&node) else { panic!("a glob was refused") };
        assert!(exclude.matches(Path::new("/var/log/nginx/access.log.2.gz")));
        assert!(!exclude.matches(Path::new("/var/log/nginx/access.log")));
    }
}

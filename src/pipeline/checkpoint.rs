//! The committed positions of all generations at one instant.

/// What the local state keeps.
#[derive(Clone, Debug, Default)]
pub struct Snapshot;

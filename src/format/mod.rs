//! PURE: log formats. A format is compiled once; a line is split by it into fields without copying.

/// A compiled log format.
#[derive(Clone, Debug)]
pub struct Format;

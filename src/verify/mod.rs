//! PURE: the audit behind `viewtail verify`: from the records of a topic alone, is a line missing or doubled?
//!
//! Every event says where its line stands (`id` = `<stream>:<position>`) and how long it is (`line_size`), so that the
//! events of a stream tile its file. The audit knows nothing of how events are made or delivered and shares no code
//! with the machine that it judges: events are read leniently, by the few fields it needs.

mod audit;
mod coverage;
mod disk;
mod event;
mod report;

pub use audit::{Audit, SourceId};
pub use coverage::{Arrival, Coverage, Fate, Reason};
pub use disk::{DiskAudit, FileReport};
pub use event::{Claim, read as read_claim};
pub use report::{Gap, Report, StreamReport};

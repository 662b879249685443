//! The committed positions of an agent, read without a producer: nobody is fenced, so this may be done while it runs.

use std::ops::Range;

use super::edge::Common;
use super::options::KafkaOptions;
use super::reader::Reader;
use crate::pipeline::action::{Committed, Failure};

/// The committed positions of these groups, as [`Command::Fetch`](crate::pipeline::action::Command::Fetch) reads them.
/// None where the topic does not exist. Blocks, up to half a minute.
///
/// # Errors
/// No broker answers, or the positions may not be read.
pub fn committed(options: &KafkaOptions, groups: Range<u32>) -> Result<Vec<Vec<Committed>>, Failure> {
    let common = Common::default();
    let mut reader = Reader::open(options, &common)?;
    let partitions = reader.look_up(options.anchor())?.unwrap_or(0);
    reader.committed(groups, (options.anchor(), partitions))
}

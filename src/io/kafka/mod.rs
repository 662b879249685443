//! The only home of librdkafka.

pub mod embedded;
pub mod topic;

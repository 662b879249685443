//! PURE: the view event, version 1: what a parsed line becomes.

pub mod agents;
pub mod bots;
pub mod client;
pub mod compile;
mod encoder;
pub mod exclusion;
mod extra;
pub mod globs;
mod limits;
pub mod page;
mod percent;
mod place;
#[cfg(test)]
mod properties;
mod request;
pub mod rules;
#[cfg(test)]
#[path = "../../tests/support/schema.rs"]
mod schema;
mod text;
mod view;
pub mod visitor;
mod when;

pub use bots::BotsError;
pub use encoder::{Encoded, Encoder, EncoderOptions, Places, Site};
pub use exclusion::Reason;
pub use extra::may_be_shown;
pub use limits::EVENT_BYTES_MAX;
pub use place::{Place, SkipReason, StreamId};
pub use view::{ExplainedBot, ExplainedField, Explanation};
pub use visitor::fingerprint;

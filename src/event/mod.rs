//! PURE: the view event, version 1: what a parsed line becomes.

mod encoder;
pub mod exclusion;
mod limits;
mod place;
#[cfg(test)]
mod properties;
mod request;
pub mod rules;
mod text;
mod view;
mod when;

pub use encoder::{Encoded, Encoder, EncoderOptions, Places, Site};
pub use exclusion::Reason;
pub use limits::EVENT_BYTES_MAX;
pub use place::{Place, SkipReason, StreamId};

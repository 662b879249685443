//! PURE: the view event, version 1: what a parsed line becomes.

pub mod bots;
pub mod client;
mod encoder;
pub mod exclusion;
mod limits;
pub mod page;
mod percent;
mod place;
#[cfg(test)]
mod properties;
mod request;
pub mod rules;
mod text;
mod view;
mod when;

pub use encoder::{Encoded, Encoder, EncoderOptions, Site};
pub use limits::EVENT_BYTES_MAX;
pub use place::{Place, SkipReason, StreamId};

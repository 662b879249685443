//! PURE: the view event, version 1: what a parsed line becomes.

pub mod compile;
mod encoder;
mod limits;
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

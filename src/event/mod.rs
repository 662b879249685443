//! PURE: the view event, version 1: what a parsed line becomes.

mod encoder;
mod place;
#[cfg(test)]
mod properties;
mod request;
mod text;
mod when;

pub use encoder::{EVENT_BYTES_MAX, Encoded, Encoder, EncoderOptions, Site};
pub use place::{Place, SkipReason, StreamId};

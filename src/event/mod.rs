//! PURE: the view event, version 1: what a parsed line becomes.

mod encoder;
mod place;

pub use encoder::{Encoded, Encoder, EncoderOptions, Site};
pub use place::{Place, SkipReason, StreamId};

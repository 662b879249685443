//! How much of what may go into an event, and why an event is therefore never larger than [`EVENT_BYTES_MAX`].

use crate::format::request::METHOD_BYTES_MAX;

/// The most bytes of an event, far below the 1 MB that brokers accept by default. Names, referrer, user agent, path
/// and raw line are capped, and escaping makes at most six bytes of one.
pub const EVENT_BYTES_MAX: usize = 128 * 1024;

/// Browsers send at most 2 KiB of referrer as a habit; longer ones are noise.
pub(super) const REFERRER_BYTES_MAX: usize = 2048;
/// Real user agents stay below 500 bytes.
pub(super) const USER_AGENT_BYTES_MAX: usize = 1024;
/// A request line has at most 8 KiB with nginx's default `large_client_header_buffers`.
pub(super) const PATH_BYTES_MAX: usize = 8192;
/// Enough to see what a line is.
pub(super) const RAW_BYTES_MAX: usize = 8192;
/// Names from the configuration: above any host name and any sensible name of a log.
pub(super) const NAME_BYTES_MAX: usize = 1024;
/// The longest host a request can name.
const HOST_BYTES_MAX: usize = 255;
/// Digits that fit any consumer's 64-bit integer.
pub(super) const INTEGER_DIGITS_MAX: usize = 18;
/// A control byte becomes `\u00HH`.
const ESCAPED_BYTES_MAX: usize = 6;
/// A byte of a path becomes `%HH`.
const PATH_ESCAPED_BYTES_MAX: usize = 3;
/// All keys, numbers and fixed words together have about 700 bytes.
const FIXED_BYTES_MAX: usize = 1024;

const _: () = assert!(
    FIXED_BYTES_MAX
        + METHOD_BYTES_MAX
        + PATH_BYTES_MAX * PATH_ESCAPED_BYTES_MAX
        + (3 * NAME_BYTES_MAX + HOST_BYTES_MAX + REFERRER_BYTES_MAX + USER_AGENT_BYTES_MAX + RAW_BYTES_MAX)
            * ESCAPED_BYTES_MAX
        <= EVENT_BYTES_MAX
);

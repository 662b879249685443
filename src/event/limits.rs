//! How much of what may go into an event, and why an event is therefore never larger than [`EVENT_BYTES_MAX`].

use super::page::PAGE_BYTES_MAX;
use crate::format::request::METHOD_BYTES_MAX;

/// The most bytes of an event, far below the 1 MB that brokers accept by default. Names, referrer, user agent, path
/// raw line and the rest are capped, and escaping makes at most six bytes of one.
pub const EVENT_BYTES_MAX: usize = 192 * 1024;

/// Browsers send at most 2 KiB of referrer as a habit; longer ones are noise.
pub(super) const REFERRER_BYTES_MAX: usize = 2048;
/// Real user agents stay below 500 bytes.
pub(super) const USER_AGENT_BYTES_MAX: usize = 1024;
/// A request line has at most 8 KiB with nginx's default `large_client_header_buffers`.
pub(super) const PATH_BYTES_MAX: usize = 8192;
/// As for paths: a query is a part of the same line.
pub(super) const QUERY_BYTES_MAX: usize = 8192;
/// All values of further variables together: they are meant for words and numbers.
pub(super) const EXTRA_BYTES_MAX: usize = 4096;
/// Names of further variables together, with what stands around them.
pub(super) const EXTRA_KEYS_BYTES_MAX: usize = 4096;
/// Names in the data set have less than 100 bytes; a pattern of the configuration is its own name.
pub(super) const BOT_BYTES_MAX: usize = 256;
/// Enough to see what a line is.
pub(super) const RAW_BYTES_MAX: usize = 8192;
/// Names from the configuration: above any host name and any sensible name of a log.
pub(super) const NAME_BYTES_MAX: usize = 1024;
/// A UUID has 36 bytes, a trace id 32; other servers write what a request names.
pub(super) const REQUEST_ID_BYTES_MAX: usize = 128;
/// The longest host a request can name.
pub(super) const HOST_BYTES_MAX: usize = 255;
/// Host of the request, and of the referrer.
const HOSTS: usize = 2;
/// Digits that fit any consumer's 64-bit integer.
pub(super) const INTEGER_DIGITS_MAX: usize = 18;
/// A control byte becomes `\u00HH`.
const ESCAPED_BYTES_MAX: usize = 6;
/// A byte of a path becomes `%HH`.
const PATH_ESCAPED_BYTES_MAX: usize = 3;
/// All keys, numbers, ids and fixed words together have about 1100 bytes.
const FIXED_BYTES_MAX: usize = 1536;

const _: () = assert!(
    FIXED_BYTES_MAX
        + METHOD_BYTES_MAX
        + EXTRA_KEYS_BYTES_MAX
        + (PATH_BYTES_MAX + QUERY_BYTES_MAX) * PATH_ESCAPED_BYTES_MAX
        + (3 * NAME_BYTES_MAX
            + HOSTS * HOST_BYTES_MAX
            + PAGE_BYTES_MAX
            + REFERRER_BYTES_MAX
            + USER_AGENT_BYTES_MAX
            + BOT_BYTES_MAX
            + REQUEST_ID_BYTES_MAX
            + EXTRA_BYTES_MAX
            + RAW_BYTES_MAX)
            * ESCAPED_BYTES_MAX
        <= EVENT_BYTES_MAX
);

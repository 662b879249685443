//! What a format's variables are called and how their values look.
//!
//! A kind is a promise about the bytes of a value that the matcher checks before it believes a match. It knows
//! nothing of where the variable stands in a format.

use super::address::{IPV6_BYTES_MAX, ipv6};
use super::time;

/// Names the well-known variables once: as a variant, as nginx's name, and in order.
macro_rules! fields {
    ($($variant:ident $name:literal)*) => {
        /// A variable that some rule of ours reads, by nginx's name; formats of other servers are mapped onto the same names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Field {
            $(#[doc = concat!("`$", $name, "`")] $variant,)*
        }

        impl Field {
            /// All fields, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The variable's name, without `$`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

fields! {
    RemoteAddr "remote_addr"
    RealipRemoteAddr "realip_remote_addr"
    RemoteUser "remote_user"
    TimeLocal "time_local"
    TimeIso8601 "time_iso8601"
    Msec "msec"
    Time "time"
    Request "request"
    RequestMethod "request_method"
    RequestUri "request_uri"
    Uri "uri"
    Args "args"
    Status "status"
    BodyBytesSent "body_bytes_sent"
    BytesSent "bytes_sent"
    RequestLength "request_length"
    RequestTime "request_time"
    RequestId "request_id"
    Host "host"
    ServerName "server_name"
    HttpHost "http_host"
    Scheme "scheme"
    ServerProtocol "server_protocol"
    HttpReferer "http_referer"
    HttpUserAgent "http_user_agent"
    HttpXForwardedFor "http_x_forwarded_for"
    HttpXRealIp "http_x_real_ip"
    HttpForwarded "http_forwarded"
    HttpCookie "http_cookie"
    HttpSecPurpose "http_sec_purpose"
    HttpPurpose "http_purpose"
    HttpSecFetchDest "http_sec_fetch_dest"
    HttpSecFetchMode "http_sec_fetch_mode"
    SentHttpContentType "sent_http_content_type"
    UidGot "uid_got"
    UidSet "uid_set"
}

impl Field {
    /// The field of a variable's name, if it is a well-known one.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name)
    }
}

/// How a variable's values look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any bytes that the escape mode lets through.
    Text,
    /// As `Text`; nginx puts `, ` and ` : ` between its elements.
    List,
    /// No blank and no control byte; may be empty.
    Word,
    /// An IP address, `unix:` or `-`.
    Address,
    /// `22/Nov/2026:10:13:39 +0000`
    TimeLocal,
    /// `2026-11-22T10:13:39+00:00`
    TimeIso8601,
    /// `1795342419.677`
    Msec,
    /// Three digits.
    Status,
    /// One to three digits or `-`: Go servers write 0 where they answered nothing.
    StatusOrNone,
    /// Any of the times that `time::any` reads.
    Time,
    /// Digits.
    Uint,
    /// Digits, `-` or nothing.
    UintOrNone,
    /// `0.002`
    Decimal,
    /// 32 hexadecimal digits.
    Id,
    /// `p` or `.`
    Pipe,
}

/// The digits of 2^64 - 1.
const UINT_BYTES_MAX: usize = 20;
/// A `u64` of seconds, a point and three digits.
const DECIMAL_BYTES_MAX: usize = UINT_BYTES_MAX + 4;

impl Kind {
    /// The kind of nginx's variable `name`.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "remote_addr" | "realip_remote_addr" => Self::Address,
            "time_local" => Self::TimeLocal,
            "time_iso8601" => Self::TimeIso8601,
            "msec" => Self::Msec,
            "time" => Self::Time,
            "status" => Self::Status,
            "bytes_sent" | "body_bytes_sent" | "request_length" => Self::Uint,
            "connection"
            | "connection_requests"
            | "pid"
            | "remote_port"
            | "realip_remote_port"
            | "server_port"
            | "proxy_protocol_port" => Self::UintOrNone,
            "request_time" => Self::Decimal,
            "request_id" => Self::Id,
            "pipe" => Self::Pipe,
            "request_method"
            | "server_protocol"
            | "scheme"
            | "host"
            | "server_name"
            | "server_addr"
            | "hostname"
            | "https"
            | "http2"
            | "http3"
            | "ssl_protocol"
            | "ssl_cipher"
            | "gzip_ratio"
            | "request_completion"
            | "upstream_cache_status"
            | "nginx_version" => Self::Word,
            "http_x_forwarded_for" | "proxy_add_x_forwarded_for" => Self::List,
            _ if name.starts_with("upstream_") => Self::List,
            _ => Self::Text,
        }
    }

    /// The kind of `name` where somebody else wrote the line and only means what nginx means: times of any shape,
    /// addresses that may be names, numbers that may be missing.
    pub(super) fn meant_by(name: &str) -> Self {
        match Self::of(name) {
            Self::Address => Self::Word,
            Self::TimeLocal | Self::TimeIso8601 | Self::Msec | Self::Time => Self::Time,
            Self::Status => Self::StatusOrNone,
            Self::Uint => Self::UintOrNone,
            Self::Word | Self::List | Self::Decimal | Self::Id => Self::Text,
            kind @ (Self::Text | Self::StatusOrNone | Self::UintOrNone | Self::Pipe) => kind,
        }
    }

    /// The kind of a value that may be `-` instead.
    pub(super) fn or_none(self) -> Self {
        match self {
            Self::Uint => Self::UintOrNone,
            Self::Status => Self::StatusOrNone,
            Self::Decimal | Self::Msec | Self::Time | Self::TimeIso8601 | Self::Id | Self::Pipe => Self::Word,
            kind @ (Self::Text
            | Self::List
            | Self::Word
            | Self::Address
            | Self::TimeLocal
            | Self::StatusOrNone
            | Self::UintOrNone) => kind,
        }
    }

    /// Bytes of every value, where all values have the same number.
    pub(super) fn width(self) -> Option<usize> {
        match self {
            Self::TimeLocal => Some(time::LOCAL_BYTES),
            Self::TimeIso8601 => Some(time::ISO8601_BYTES),
            Self::Status => Some(3),
            Self::Id => Some(32),
            Self::Pipe => Some(1),
            Self::Text
            | Self::List
            | Self::Word
            | Self::Address
            | Self::Msec
            | Self::Time
            | Self::StatusOrNone
            | Self::Uint
            | Self::UintOrNone
            | Self::Decimal => None,
        }
    }

    /// The most bytes of a value, so that a search for its end need not look further.
    pub(super) fn width_max(self) -> usize {
        match self {
            Self::Text | Self::List | Self::Word => usize::MAX,
            Self::Address => IPV6_BYTES_MAX,
            Self::Msec | Self::Decimal => DECIMAL_BYTES_MAX,
            Self::Uint | Self::UintOrNone => UINT_BYTES_MAX,
            Self::StatusOrNone => 3,
            Self::Time => time::ANY_BYTES_MAX,
            Self::TimeLocal | Self::TimeIso8601 | Self::Status | Self::Id | Self::Pipe => {
                self.width().unwrap_or(usize::MAX)
            }
        }
    }

    /// Whether a value of this kind may hold what stands behind it in the format, so that only the rest of the line
    /// can tell where it ends.
    pub(super) fn may_hold(self, terminator: &[u8]) -> bool {
        match self {
            Self::Text | Self::List => true,
            Self::Word => terminator.iter().all(|byte| is_word_byte(*byte)),
            Self::Address
            | Self::TimeLocal
            | Self::TimeIso8601
            | Self::Msec
            | Self::Status
            | Self::StatusOrNone
            | Self::Time
            | Self::Uint
            | Self::UintOrNone
            | Self::Decimal
            | Self::Id
            | Self::Pipe => false,
        }
    }

    /// Whether `value` can be one of this kind.
    pub(super) fn verify(self, value: &[u8]) -> bool {
        match self {
            Self::Text | Self::List => true,
            Self::Word => value.iter().all(|byte| is_word_byte(*byte)),
            Self::Address => is_address(value),
            Self::TimeLocal => time::local(value).is_some(),
            Self::TimeIso8601 => time::iso8601(value).is_some(),
            Self::Msec => time::msec(value).is_some(),
            Self::Status => value.len() == 3 && is_digits(value),
            Self::StatusOrNone => value == b"-" || ((1..=3).contains(&value.len()) && is_digits(value)),
            Self::Time => time::any(value).is_some(),
            Self::Uint => is_uint(value),
            Self::UintOrNone => matches!(value, b"" | b"-") || is_uint(value),
            Self::Decimal => is_decimal(value),
            Self::Id => value.len() == 32 && value.iter().all(u8::is_ascii_hexdigit),
            Self::Pipe => matches!(value, b"p" | b"."),
        }
    }
}

/// What a server counts a duration in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Unit {
    /// As nginx; values without a unit have this one.
    #[default]
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Unit {
    /// The variable that a name with a unit behind it means, and the unit: `request_time_ms`.
    pub(super) fn of(name: &str) -> (&str, Self) {
        match name {
            "request_time_ms" => ("request_time", Self::Milliseconds),
            "request_time_us" => ("request_time", Self::Microseconds),
            "request_time_ns" => ("request_time", Self::Nanoseconds),
            _ => (name, Self::Seconds),
        }
    }

    /// Reads a decimal number in this unit, one with an exponent too; parts of a millisecond are cut.
    pub(super) fn milliseconds(self, text: &[u8]) -> Option<u64> {
        let (number, exponent) = match memchr::memchr2(b'e', b'E', text) {
            Some(mark) => (&text[..mark], exponent(&text[mark + 1..])?),
            None => (text, 0),
        };
        let point = memchr::memchr(b'.', number).unwrap_or(number.len());
        let fraction = number.get(point + 1..).unwrap_or_default();
        if point == 0 || !is_digits(&number[..point]) || !is_digits(fraction) || number.ends_with(b".") {
            return None;
        }
        let shift = exponent
            + match self {
                Self::Seconds => 3,
                Self::Milliseconds => 0,
                Self::Microseconds => -3,
                Self::Nanoseconds => -6,
            };
        let kept = i32::try_from(point).ok()? + shift;
        let digits = number[..point].iter().chain(fraction).copied().chain(std::iter::repeat(b'0'));
        let kept = usize::try_from(kept.max(0)).ok().filter(|kept| *kept <= number.len() + 32)?;
        digits
            .take(kept)
            .try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
    }
}

/// Two digits are far beyond any duration.
fn exponent(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    let is_short = (1..=2).contains(&digits.len()) && is_digits(digits);
    is_short.then(|| sign * digits.iter().fold(0, |value, digit| value * 10 + i32::from(digit - b'0')))
}

/// The names of fields that `name` may be a misspelling of. A name that some variable of a server begins with is none.
pub(super) fn misspelled(name: &str) -> Option<&'static str> {
    /// Short names look alike without meaning the same.
    const LENGTH_MIN: usize = 4;
    /// Variables that a request or the configuration names.
    const FAMILIES: [&str; 7] = ["http_", "sent_http_", "cookie_", "arg_", "upstream_", "env_", "note_"];
    let is_known = Kind::of(name) != Kind::Text || Field::of(name).is_some();
    if is_known || name.len() < LENGTH_MIN || FAMILIES.iter().any(|family| name.starts_with(family)) {
        return None;
    }
    let near = |field: &&Field| strsim::osa_distance(name, field.name()) <= name.len() / 8 + 1;
    let nearest = Field::ALL.iter().min_by_key(|field| strsim::osa_distance(name, field.name()));
    nearest.filter(near).map(|field| field.name())
}

fn is_word_byte(byte: u8) -> bool {
    byte > b' ' && byte != 0x7F
}

fn is_digits(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_digit)
}

fn is_uint(value: &[u8]) -> bool {
    (1..=UINT_BYTES_MAX).contains(&value.len()) && is_digits(value)
}

fn is_decimal(value: &[u8]) -> bool {
    let (whole, fraction) = match memchr::memchr(b'.', value) {
        Some(point) => (&value[..point], &value[point + 1..]),
        None => (value, &b"0"[..]),
    };
    is_uint(whole) && is_uint(fraction) && value.len() <= DECIMAL_BYTES_MAX
}

fn is_address(value: &[u8]) -> bool {
    is_ipv4(value) || matches!(value, b"unix:" | b"-") || ipv6(value).is_some()
}

/// Own loop: it runs for every line, and the standard parser wants text that has been checked as UTF-8.
fn is_ipv4(value: &[u8]) -> bool {
    let (mut octet, mut digits, mut points) = (0u16, 0u8, 0u8);
    for &byte in value {
        match byte {
            b'0'..=b'9' if digits < 3 => {
                octet = octet * 10 + u16::from(byte - b'0');
                digits += 1;
                if octet > 255 {
                    return false;
                }
            }
            b'.' if digits > 0 && points < 3 => (octet, digits, points) = (0, 0, points + 1),
            _ => return false,
        }
    }
    points == 3 && digits > 0
}

#[cfg(test)]
mod tests {
    use super::{Field, Kind, Unit, misspelled};

    fn check(kind: Kind, value: &str, expect: bool) {
        assert_eq!(kind.verify(value.as_bytes()), expect, "{kind:?} {value:?}");
    }

    #[test]
    fn names_lead_back_to_their_fields() {
        for &field in Field::ALL {
            assert_eq!(Field::of(field.name()), Some(field));
        }
        assert_eq!(Field::of("cookie_vid"), None);
    }

    #[test]
    fn addresses() {
        check(Kind::Address, "192.0.2.1", true);
        check(Kind::Address, "255.255.255.255", true);
        check(Kind::Address, "256.0.2.1", false);
        check(Kind::Address, "192.0.2", false);
        check(Kind::Address, "192.0.2.", false);
        check(Kind::Address, "192..2.1", false);
        check(Kind::Address, "192.0.2.1.5", false);
        check(Kind::Address, "192.0.2.1234", false);
        check(Kind::Address, "2001:db8::1", true);
        check(Kind::Address, "::ffff:192.0.2.1", true);
        check(Kind::Address, "2001:db8", false);
        check(Kind::Address, "unix:", true);
        check(Kind::Address, "-", true);
        check(Kind::Address, "", false);
        check(Kind::Address, "localhost", false);
    }

    #[test]
    fn numbers() {
        check(Kind::Status, "000", true);
        check(Kind::Status, "009", true);
        check(Kind::Status, "499", true);
        check(Kind::Status, "20x", false);
        check(Kind::Status, "-", false);
        check(Kind::Uint, "0", true);
        check(Kind::Uint, "18446744073709551615", true);
        check(Kind::Uint, "184467440737095516150", false);
        check(Kind::Uint, "", false);
        check(Kind::Uint, "-1", false);
        check(Kind::UintOrNone, "", true);
        check(Kind::UintOrNone, "-", true);
        check(Kind::Decimal, "0.002", true);
        check(Kind::Decimal, "12", true);
        check(Kind::Decimal, "0.002, 0.000", false);
        check(Kind::Decimal, ".5", false);
        check(Kind::Decimal, "5.", false);
        check(Kind::Msec, "1795342419.677", true);
        check(Kind::Msec, "1795342419", false);
        check(Kind::Id, "0123456789abcdef0123456789ABCDEF", true);
        check(Kind::Id, "0123456789abcdef0123456789abcdeg", false);
        check(Kind::Pipe, "p", true);
        check(Kind::Pipe, "x", false);
    }

    #[test]
    fn durations_come_in_any_unit() {
        for (unit, text, expect) in [
            (Unit::Seconds, "1.2349", Some(1234)),
            (Unit::Seconds, "0.000929675", Some(0)),
            (Unit::Seconds, "1.25e-1", Some(125)),
            (Unit::Seconds, "9.3e-05", Some(0)),
            (Unit::Seconds, "2E1", Some(20_000)),
            (Unit::Milliseconds, "12", Some(12)),
            (Unit::Microseconds, "12345", Some(12)),
            (Unit::Nanoseconds, "1234567890", Some(1234)),
            (Unit::Nanoseconds, "12", Some(0)),
            (Unit::Seconds, "18446744073709551615", None),
            (Unit::Seconds, "0.1, 0.2", None),
            (Unit::Seconds, "1e999", None),
            (Unit::Seconds, "1.", None),
            (Unit::Seconds, "-1", None),
            (Unit::Seconds, "", None),
        ] {
            assert_eq!(unit.milliseconds(text.as_bytes()), expect, "{unit:?} {text}");
        }
    }

    #[test]
    fn misspelled_names_lead_to_the_right_ones() {
        assert_eq!(misspelled("remote_adr"), Some("remote_addr"));
        assert_eq!(misspelled("requets_uri"), Some("request_uri"));
        for name in ["remote_addr", "https", "hostname", "tenant", "http_referrer", "pid", "request_body"] {
            assert_eq!(misspelled(name), None, "{name}");
        }
    }

    #[test]
    fn words() {
        check(Kind::Word, "", true);
        check(Kind::Word, "TLSv1.3", true);
        check(Kind::Word, "a b", false);
        check(Kind::Word, "a\tb", false);
    }
}

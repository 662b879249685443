//! `$request` taken apart: the one rule of what is a request and what is noise sent to a port.

use memchr::{memchr, memchr2, memmem, memrchr};

/// No registered method has more than 17 bytes; what is longer is not a request.
pub const METHOD_BYTES_MAX: usize = 64;

/// The longest host name the DNS knows, with room for brackets.
const HOST_BYTES_MAX: usize = 255;

/// The parts of a request line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The method: a token, at most [`METHOD_BYTES_MAX`] bytes.
    pub method: &'a [u8],
    /// What was asked for.
    pub target: Target<'a>,
    /// What stands behind `HTTP/`; `None` where the line ends with the target, as HTTP/0.9 writes it.
    pub version: Option<&'a [u8]>,
}

/// The parts of a request's target. A user and password in front of the host are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The host with its port, where the target has one (`http://host/path`).
    pub authority: Option<&'a [u8]>,
    /// The path, without query and fragment.
    pub path: &'a [u8],
    /// What stands behind the first `?`, without fragment.
    pub query: Option<&'a [u8]>,
    /// All of it, as it was asked for.
    pub whole: &'a [u8],
}

impl<'a> Request<'a> {
    /// Splits an unescaped request line: the method goes up to the first space, the protocol is what stands behind
    /// the last one if it starts with `HTTP/`, and the rest is the target. `None` means malformed.
    #[must_use]
    pub fn split(line: &'a [u8]) -> Option<Self> {
        // A method is short, so that its end costs less to walk to than to search for.
        let space = line.iter().take(METHOD_BYTES_MAX + 1).position(|byte| *byte == b' ')?;
        let method = &line[..space];
        if !is_method(method) {
            return None;
        }
        let (target, version) = without_version(&line[space..])?;
        let target = Target::split(trim_spaces(target))?;
        Some(Self { method, target, version })
    }
}

impl<'a> Target<'a> {
    /// Splits an unescaped `$request_uri` or the target of a request line; `None` where there is nothing.
    #[must_use]
    pub fn split(target: &'a [u8]) -> Option<Self> {
        let (first, whole) = (*target.first()?, target);
        let (target, rest) = whole.split_at(memchr2(b'?', b'#', whole).unwrap_or(whole.len()));
        let query = rest.strip_prefix(b"?").map(|query| &query[..memchr(b'#', query).unwrap_or(query.len())]);
        if first == b'/' {
            return Some(Self { authority: None, path: target, query, whole });
        }
        let scheme_end = memmem::find(target, b"://").filter(|end| is_scheme(&target[..*end]));
        let Some(scheme_end) = scheme_end else {
            return Some(Self { authority: None, path: without_user(target), query, whole });
        };
        let rest = &target[scheme_end + 3..];
        let (authority, path) = rest.split_at(memchr(b'/', rest).unwrap_or(rest.len()));
        let path = if path.is_empty() { b"/" } else { path };
        Some(Self { authority: Some(without_user(authority)), path, query, whole })
    }
}

/// What stands before the last space, and the version behind it; all of it where no protocol is named there.
fn without_version(rest: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    // As almost all requests end.
    if let [target @ .., b' ', b'H', b'T', b'T', b'P', b'/', b'1'..=b'9', b'.', b'0'..=b'9'] = rest {
        return Some((target, Some(&rest[rest.len() - 3..])));
    }
    let last = memrchr(b' ', rest)?;
    Some(match rest[last + 1..].strip_prefix(b"HTTP/") {
        Some(version) => (&rest[..last], Some(version)),
        None => (rest, None),
    })
}

/// Whether a method can be one: a token of RFC 9110.
#[must_use]
pub fn is_method(method: &[u8]) -> bool {
    // Almost all are one of these.
    matches!(method, b"GET" | b"POST" | b"HEAD")
        || (1..=METHOD_BYTES_MAX).contains(&method.len())
            && method.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// A host without its port and a last point; `None` where it cannot be a host.
#[must_use]
pub fn host(authority: &[u8]) -> Option<&[u8]> {
    let port = memrchr(b':', authority).filter(|colon| {
        let has_host_before =
            authority[..*colon].ends_with(b"]") || memchr(b':', &authority[..*colon]).is_none();
        has_host_before && authority[colon + 1..].iter().all(u8::is_ascii_digit)
    });
    let host = &authority[..port.unwrap_or(authority.len())];
    let host = host.strip_suffix(b".").unwrap_or(host);
    let allowed = |byte: &u8| *byte > b' ' && *byte != 0x7F && !b"/@?#\\\"".contains(byte);
    ((1..=HOST_BYTES_MAX).contains(&host.len()) && host.iter().all(allowed)).then_some(host)
}

/// The target of CONNECT is a bare authority.
fn without_user(authority: &[u8]) -> &[u8] {
    let end = memchr(b'/', authority).unwrap_or(authority.len());
    memrchr(b'@', &authority[..end]).map_or(authority, |at| &authority[at + 1..])
}

fn is_scheme(scheme: &[u8]) -> bool {
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

fn trim_spaces(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Request, host};

    /// Shows a request as `method|authority|path|version`.
    fn check(line: &str, expect: &str) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let shown = Request::split(line.as_bytes()).map_or("malformed".to_owned(), |request| {
            let authority = request.target.authority.map(text).unwrap_or_default();
            let version = request.version.map_or("none".to_owned(), text);
            format!("{}|{authority}|{}|{version}", text(request.method), text(request.target.path))
        });
        assert_eq!(shown, expect, "{line:?}");
    }

    #[test]
    fn requests() {
        check("GET / HTTP/1.1", "GET||/|1.1");
        check("GET /a?b=c d HTTP/2.0", "GET||/a|2.0");
        check("GET /a#frag HTTP/1.1", "GET||/a|1.1");
        check("GET /nine", "GET||/nine|none");
        check("GET /a b c HTTP/1.1", "GET||/a b c|1.1");
        check("GET /a HTTP/1.1 HTTP/1.0", "GET||/a HTTP/1.1|1.0");
        check("GET  /two  HTTP/1.1", "GET||/two|1.1");
        check("FOO / HTTP/1.1", "FOO||/|1.1");
        check("GET / HTTP/9.9", "GET||/|9.9");
        check("GET / HTTPS/1.1", "GET||/ HTTPS/1.1|none");
        check("OPTIONS * HTTP/1.1", "OPTIONS||*|1.1");
    }

    #[test]
    fn absolute_targets() {
        check("GET http://evil.com/abs?x HTTP/1.1", "GET|evil.com|/abs|1.1");
        check("GET http://evil.com HTTP/1.1", "GET|evil.com|/|1.1");
        check("GET http://evil.com?x=/y HTTP/1.1", "GET|evil.com|/|1.1");
        check("GET http://user:pass@evil.com:8080/a@b HTTP/1.1", "GET|evil.com:8080|/a@b|1.1");
        check("GET http://a@b:c@evil.com/ HTTP/1.1", "GET|evil.com|/|1.1");
        check("CONNECT user:pass@host:443 HTTP/1.1", "CONNECT||host:443|1.1");
        check("GET /http://x/ HTTP/1.1", "GET||/http://x/|1.1");
        check("GET ://x HTTP/1.1", "GET||://x|1.1");
    }

    #[test]
    fn noise() {
        for noise in [
            "",
            "-",
            "GET",
            "GET ",
            "GET HTTP/1.1",
            " / HTTP/1.1",
            "\x16\x03\x01",
            "\x16\x03 \x01 x",
            "G(T / HTTP/1.1",
        ] {
            check(noise, "malformed");
        }
        check(&format!("{} / HTTP/1.1", "A".repeat(65)), "malformed");
    }

    #[test]
    fn hosts() {
        let shown = |text: &'static str| host(text.as_bytes()).map(|host| std::str::from_utf8(host).unwrap());
        assert_eq!(shown("example.com"), Some("example.com"));
        assert_eq!(shown("example.com:8080"), Some("example.com"));
        assert_eq!(shown("example.com.:80"), Some("example.com"));
        assert_eq!(shown("[2001:db8::1]:80"), Some("[2001:db8::1]"));
        assert_eq!(shown("[2001:db8::1]"), Some("[2001:db8::1]"));
        assert_eq!(shown("2001:db8::1"), Some("2001:db8::1"));
        assert_eq!(shown("u@example.com"), None);
        assert_eq!(shown("a b"), None);
        assert_eq!(shown(""), None);
        assert_eq!(shown(":80"), None);
    }
}

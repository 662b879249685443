//! Hostile requests, the same for the same seed, and the connection that sends them.
//!
//! Knows nothing of log formats: whatever a server answers, and however it logs it, is right here.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::compare::Truth;
use crate::support::access_log::Random;

/// An answer comes at once or never.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Sent between two looks at how many requests are logged.
const CONNECTIONS: usize = 200;
/// Requests on one connection, at most.
const PIPELINED_MAX: u64 = 6;
/// The longest value of a header: what browsers and attackers send stays below it.
const HUGE_BYTES: usize = 70_000;

const METHODS: [&str; 12] =
    ["GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "PROPFIND", "FOO", "get", "G-E.T", "TRACE", "M_SEARCH"];
const TARGETS: [&str; 22] = [
    "/",
    "/posts/one.html",
    "/posts/one.html?utm_source=a%20b&c",
    "/%E4%B8%AD%E6%96%87/",
    "/a%20b%22c%5C.html",
    "/a%0A203.0.113.9%20-%20-%20%5B",
    "/a\"b",
    "/a\\x22b",
    "/a\\",
    "//double//slash/../x/./y",
    "/%2e%2e/%2f%3f%23%25",
    "http://evil.example/abs?x=http://y",
    "http://user:pass@evil.example/",
    "*",
    "/?",
    "/#fragment",
    "/x;jsessionid=1",
    "/old/page",
    "/gone/page",
    "/private/x",
    "/[22/Nov/2026:10:13:39 +0000]",
    "/HTTP/1.1",
];
const PROTOCOLS: [&str; 6] = [" HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.0", " HTTP/9.9", ""];
/// Texts that read like the parts of a log line.
const FORGERIES: [&str; 16] = [
    "",
    "-",
    " ",
    "\"",
    "\\\"",
    "\\",
    "\" 200 0 \"-\" \"-",
    "a [22/Nov/2026:10:13:39 +0000] \"GET /forged HTTP/1.1\" 200 1 \"-\" \"-\"",
    "x [y] z",
    "[22/Nov/2026:10:13:39 +0000]",
    "\",\"status\":\"200",
    "\\x22\\u0022\\n",
    "a, b : c, -",
    "200",
    "192.0.2.1",
    "{\"a\":\"b\"}",
];
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.5.0",
];

/// A source of connections' worth of bytes.
#[derive(Debug)]
pub struct Requests {
    random: Random,
}

impl Requests {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed) }
    }

    /// What one client sends: some requests, one behind the other, the last of which asks to be the last; or noise.
    pub fn connection(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.random.below(25) == 0 {
            let count = 1 + self.random.below(60);
            self.bytes(count, &mut out);
            out.extend_from_slice(b"\r\n\r\n");
            return out;
        }
        for left in (0..=self.random.below(PIPELINED_MAX)).rev() {
            self.request(left == 0, &mut out);
        }
        out
    }

    fn request(&mut self, is_last: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(self.pick(&METHODS).as_bytes());
        out.push(b' ');
        self.target(out);
        let protocol = self.pick(&PROTOCOLS);
        out.extend_from_slice(protocol.as_bytes());
        out.extend_from_slice(b"\r\n");
        for (name, chance) in
            [("User-Agent", 90), ("Referer", 60), ("X-Forwarded-For", 40), ("Cookie", 40), ("X-Odd", 30)]
        {
            if self.random.below(100) < chance {
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b": ");
                self.value(out);
                out.extend_from_slice(b"\r\n");
            }
        }
        if self.random.below(100) < 40 {
            let mut user = Vec::new();
            self.value(&mut user);
            user.truncate(300);
            user.extend_from_slice(b":secret");
            out.extend_from_slice(
                format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(user)).as_bytes(),
            );
        }
        let connection = if is_last { "close" } else { "keep-alive" };
        out.extend_from_slice(
            format!("Host: blog.example.com\r\nConnection: {connection}\r\n\r\n").as_bytes(),
        );
    }

    fn target(&mut self, out: &mut Vec<u8>) {
        match self.random.below(20) {
            0 => {
                out.push(b'/');
                let count = self.random.below(40);
                self.bytes(count, out);
            }
            1 => {
                let length = 1000 + self.random.below(12_000);
                out.push(b'/');
                out.extend((0..length).map(|index| b'a' + u8::try_from(index % 26).unwrap_or(0)));
            }
            2 => out.extend_from_slice(format!("/中文/{}", self.pick(&FORGERIES)).as_bytes()),
            3 => out.extend_from_slice(format!("/?q={}", self.pick(&FORGERIES)).as_bytes()),
            _ => out.extend_from_slice(self.pick(&TARGETS).as_bytes()),
        }
    }

    fn value(&mut self, out: &mut Vec<u8>) {
        match self.random.below(100) {
            0..30 => out.extend_from_slice(self.pick(&AGENTS).as_bytes()),
            30..65 => out.extend_from_slice(self.pick(&FORGERIES).as_bytes()),
            65..97 => {
                let count = self.random.below(80);
                self.bytes(count, out);
            }
            97 | 98 => out.extend(std::iter::repeat_n(b'h', HUGE_BYTES)),
            _ => out.extend_from_slice("né 中文 \u{202e}".as_bytes()),
        }
    }

    /// Any bytes but those that end a header line.
    fn bytes(&mut self, count: u64, out: &mut Vec<u8>) {
        for _ in 0..count {
            // Half of them from the few that mean something to somebody.
            let byte = match self.random.below(2) {
                0 => b"\"\\ \t[]{},:|-x'%\x7f\x1b\x01"[usize::try_from(self.random.below(18)).unwrap_or(0)],
                _ => u8::try_from(self.random.below(256)).unwrap_or(0),
            };
            out.push(if matches!(byte, b'\r' | b'\n') { b'.' } else { byte });
        }
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let index = self.random.below(u64::try_from(from.len()).unwrap_or(1));
        from[usize::try_from(index).unwrap_or(0)]
    }
}

/// Sends it and reads until the server closes. A server that closes early is within its rights.
///
/// # Panics
/// When there is no server, or it neither answers nor closes.
fn send(server: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(server).expect("the server listens");
    stream.set_read_timeout(Some(ANSWER_LIMIT)).expect("the limit is valid");
    stream.set_write_timeout(Some(ANSWER_LIMIT)).expect("the limit is valid");
    // A server that has seen enough reads no more; the end of what is sent is told in any case.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    if let Err(error) = stream.read_to_end(&mut Vec::new()) {
        let timed_out = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!timed_out, "no end of the answer to {:?}", String::from_utf8_lossy(bytes));
    }
}

/// Sends the connections of `seed`, one after the other and to each of `servers` in turn, until `reference_log` has
/// `count` lines.
///
/// # Panics
/// When there is no server, or it neither answers nor closes.
pub fn send_until(count: usize, seed: u64, servers: &[SocketAddr], reference_log: &Path) {
    let mut requests = Requests::new(seed);
    let logged = || std::fs::read(reference_log).map_or(0, |log| memchr::memchr_iter(b'\n', &log).count());
    while logged() < count {
        for number in 0..CONNECTIONS {
            send(servers[number % servers.len()], &requests.connection());
        }
    }
}

/// Asserts that the requests were hostile: without these a test of them would prove nothing.
///
/// # Panics
/// When one of the kinds is missing.
pub fn assert_hostile(truths: &[Truth]) {
    let has = |name: &str, what: &dyn Fn(&[u8]) -> bool| {
        truths.iter().any(|truth| truth.get(name).is_some_and(|value| what(value)))
    };
    assert!(has("http_user_agent", &|value| value.contains(&b'"') && value.contains(&b'\\')));
    assert!(has("http_user_agent", &|value| value.len() > 65_536), "a header of 64 KB");
    assert!(has("http_user_agent", &|value| std::str::from_utf8(value).is_err()));
    assert!(has("remote_user", &|value| value.windows(3).any(|part| part == b" [2")), "a user that forges");
    assert!(has("request", &|value| value.len() > 8000));
    assert!(has("request", &|value| value.starts_with(b"PROPFIND ")));
    assert!(has("status", &|value| value == b"400"), "a request that is none");
}

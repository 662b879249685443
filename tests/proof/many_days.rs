//! Access logs of many days in `combined`, the same for the same seed, some of whose lines come days late.

use std::io::Write as _;

use crate::support::access_log::Random;

/// Days that the lines lie on, from 2026-02-10 on: over the ends of two months.
pub const DAYS: u64 = 50;
const PAGES: u64 = 3000;
const ADDRESSES: u64 = 6000;

const STATUSES: [(u64, u16); 7] =
    [(800, 200), (880, 304), (920, 301), (960, 404), (975, 403), (990, 206), (1000, 500)];
const STATIC: [&str; 6] =
    ["/style.css", "/js/app.js", "/photos/a.JPG", "/fonts/text.woff2", "/robots.txt", "/favicon.ico"];
const CRAWLERS: [&str; 5] = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "curl/8.5.0",
    "-",
    "",
];
/// Targets that mean something to whoever makes page keys, and some that are none.
const TARGETS: [&str; 40] = [
    "/posts/one/",
    "/posts/one",
    "/posts/one/index.html",
    "/posts//one/",
    "/posts/./x/../one",
    "/../posts/one",
    "/posts/one?utm_source=a&b=c",
    "/posts/one#top",
    "/posts/one;jsessionid=0A1B",
    "/posts/one;JSESSIONID=0A1B?x=1",
    "/p%6Fsts/one",
    "/posts%2Fone",
    "/posts%2fone",
    "/posts/%3Fone%23%25",
    "/%E4%B8%AD%E6%96%87/",
    "/\\xE4\\xB8\\xAD\\xE6\\x96\\x87/",
    "/%e4%b8%ad%e6%96%87",
    "/%FF%FE/x",
    "/\\xFF/x",
    "/a%20b",
    "/a b c",
    "/a\\x22b",
    "/a%22b",
    "/a%",
    "/a%2",
    "/a%zz",
    "/%2e%2e/posts/one",
    "http://other.example/posts/one",
    "http://user:pass@other.example:8080",
    "https://other.example/?x",
    "/index.php?p=3",
    "/?feed=rss2",
    "/feed/",
    "/rss",
    "/blog/atom.xml",
    "/sitemap-posts.xml",
    "/.well-known/security.txt",
    "/x.html?y=style.css",
    "/x.css?y=z.html",
    "/HTTP/1.1",
];
/// What stands between the quotes of the request on a bad day.
const REQUESTS: [&str; 12] = [
    "",
    "-",
    "GET",
    "GET ",
    "GET  HTTP/1.1",
    "\\x16\\x03\\x01\\x00\\xA5",
    "G\\x22T / HTTP/1.1",
    "HEAD /posts/one HTTP/1.1",
    "get /posts/one HTTP/1.1",
    "GET /nine",
    "OPTIONS * HTTP/1.1",
    "CONNECT other.example:443 HTTP/1.1",
];
/// Lines that look like lines and are none, and whole lines of somebody else's.
const RUBBISH: [&[u8]; 10] = [
    b"",
    b"rubbish",
    b"\xff\xfe\x00\x01",
    b"192.0.2.1 - - [31/Feb/2026:10:00:00 +0000] \"GET /forged HTTP/1.1\" 200 1 \"-\" \"Mozilla/5.0 (X11)\"",
    b"192.0.2.1 - - [12/Feb/2026:25:00:00 +0000] \"GET /forged HTTP/1.1\" 200 1 \"-\" \"Mozilla/5.0 (X11)\"",
    b"192.0.2.1 - - [12/Feb/2026:10:00:00 +0000] \"GET /glued HTTP/1.1\" 200 1 \"-\" \"Mozilla192.0.2.1 - - [12/Feb/2026:10:00:00 +0000] \"GET /glued HTTP/1.1\" 200 1 \"-\" \"Mozilla/5.0 (X11)\"",
    b"192.0.2.1 - - [12/Feb/2026:10:00:00 +0000] \"GET /torn HTTP/1.1\" 20",
    b"192.0.2.1 - - [12/Feb/2026:10:00:00 +0000] \"GET /minus HTTP/1.1\" 200 - \"-\" \"Mozilla/5.0 (X11)\"",
    b"999.0.2.1 - - [12/Feb/2026:10:00:00 +0000] \"GET /address HTTP/1.1\" 200 1 \"-\" \"Mozilla/5.0 (X11)\"",
    b"192.0.2.1 - - [12/Feb/2026:10:00:00 +0000] \"GET /tail HTTP/1.1\" 200 1 \"-\" \"Mozilla/5.0 (X11)\" more",
];
const USERS: [&str; 4] =
    ["-", "alice", "al ice [x]", "a [11/Feb/2026:10:00:00 +0000] \\x22GET /forged HTTP/1.1\\x22 200 1"];

/// What a plain line is, by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A page view.
    View,
    /// A request for a page that is none for its method or status.
    Other,
    /// A part of a page.
    Static,
}

/// A stream of lines.
#[derive(Debug)]
pub struct ManyDays {
    random: Random,
    made: u64,
    lines: u64,
}

impl ManyDays {
    /// `lines` lines spread over all days.
    pub fn new(seed: u64, lines: u64) -> Self {
        Self { random: Random::new(seed), made: 0, lines }
    }

    /// A line that any counter understands alike, with its newline.
    pub fn plain(&mut self, out: &mut Vec<u8>) -> Kind {
        let random = &mut self.random;
        let draw = random.below(1000);
        let status = STATUSES.iter().find(|(limit, _)| draw < *limit).map_or(200, |(_, status)| *status);
        let method = if random.below(100) < 95 { "GET" } else { "POST" };
        let (is_static, page) = (random.below(100) < 15, random.skewed(PAGES));
        let part = usize::try_from(random.below(6)).unwrap_or(0);
        let target = if is_static {
            STATIC[part].to_owned()
        } else if page.is_multiple_of(7) {
            format!("/posts/p{page}.html?from=x{}", page % 5)
        } else {
            format!("/posts/p{page}.html")
        };
        let agent = browser(random);
        let (address, time) = (self.address(), self.time("+0000"));
        writeln!(out, "{address} - - [{time}] \"{method} {target} HTTP/1.1\" {status} 512 \"-\" \"{agent}\"")
            .expect("a vector takes every byte");
        match (is_static, method == "GET" && matches!(status, 200 | 304)) {
            (true, _) => Kind::Static,
            (false, true) => Kind::View,
            (false, false) => Kind::Other,
        }
    }

    /// A line that tries to be counted wrong, with its newline.
    pub fn hostile(&mut self, out: &mut Vec<u8>) {
        if self.random.below(8) == 0 {
            out.extend_from_slice(RUBBISH[self.index(RUBBISH.len())]);
            out.push(b'\n');
            return;
        }
        let target = TARGETS[self.index(TARGETS.len())];
        let request = match self.random.below(5) {
            0 => REQUESTS[self.index(REQUESTS.len())].to_owned(),
            _ => format!("GET {target} HTTP/1.1"),
        };
        let agent = match self.random.below(3) {
            0 => CRAWLERS[self.index(CRAWLERS.len())].to_owned(),
            1 => "Mozilla/5.0 (X11; \\x22quoted\\x22 \\x5C \\xE4\\xB8\\xAD) Gecko/20100101 Firefox/140.0"
                .to_owned(),
            _ => browser(&mut self.random),
        };
        let address = match self.random.below(10) {
            0 => "unix:".to_owned(),
            1 => format!("::ffff:{}", v4(self.random.skewed(ADDRESSES))),
            _ => self.address(),
        };
        let zone = ["+0000", "+0800", "-0330", "+1400"][self.index(4)];
        let (user, time) = (USERS[self.index(USERS.len())], self.time(zone));
        write!(out, "{address} - {user} [{time}] \"{request}\" 200 0 \"\" \"{agent}\"")
            .expect("a vector takes every byte");
        out.extend_from_slice(if self.random.below(10) == 0 { b"\r\n" } else { b"\n" });
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.random.below(u64::try_from(length).unwrap_or(1))).unwrap_or(0)
    }

    fn address(&mut self) -> String {
        let index = self.random.skewed(ADDRESSES);
        if index.is_multiple_of(9) { format!("2001:db8:{:x}::{:x}", index % 64, index) } else { v4(index) }
    }

    /// Later and later, but one in twenty comes up to five days late.
    fn time(&mut self, zone: &str) -> String {
        self.made += 1;
        let day = (self.made * DAYS / (self.lines + 1)).min(DAYS - 1);
        let late = if self.random.below(20) == 0 { self.random.below(6) } else { 0 };
        // Counted from 2026-02-10.
        let number = 10 + day.saturating_sub(late);
        let (day, month) = match number {
            0..=28 => (number, "Feb"),
            29..=59 => (number - 28, "Mar"),
            _ => (number - 59, "Apr"),
        };
        let second = self.random.below(86_400);
        format!(
            "{day:02}/{month}/2026:{:02}:{:02}:{:02} {zone}",
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    }
}

fn v4(index: u64) -> String {
    format!("198.{}.{}.{}", 18 + index % 2, index / 250 % 250, 1 + index % 250)
}

fn browser(random: &mut Random) -> String {
    let version = 110 + random.skewed(30);
    match random.below(3) {
        0 => format!("Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"),
        1 => format!(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
        ),
        _ => format!(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_{} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1",
            version % 8
        ),
    }
}

//! A blog's traffic: lines in nginx's `combined` format, and what each of them truly is.
//!
//! Deterministic but for the dates. Addresses are of the ranges that are reserved for documentation.

use super::calendar;
use super::tally::{Seen, Tally};

/// Pages, the most read first.
const PAGES: [&str; 16] = [
    "/",
    "/posts/exactly-once",
    "/posts/log-rotation",
    "/about",
    "/posts/kafka-on-a-small-server",
    "/posts/nginx-log-format",
    "/posts/counting-visitors",
    "/posts/inotify-is-a-hint",
    "/archive",
    "/posts/transactions",
    "/posts/hello-world",
    "/tags/rust",
    "/posts/why-not-javascript",
    "/tags/kafka",
    "/posts/backups",
    "/contact",
];

const ASSETS: [&str; 4] = ["/assets/site.css", "/assets/site.js", "/favicon.ico", "/robots.txt"];

const BROWSERS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
];

/// What nginx makes of a robot's request that tries to clear the reader's screen.
const ROBOT: &str = r"curl/8.14 \x1B[2J\x1B]0;owned\x07";

/// Visitors of the blog.
const ADDRESSES: u64 = 600;

/// Days that the log spans.
const DAYS: i64 = 5;

/// The traffic of the last days, compressed into the length of the show.
#[derive(Debug)]
pub struct Traffic {
    random: Random,
    /// Midnight before the first line, in seconds since the epoch.
    begin: i64,
}

impl Traffic {
    /// Traffic that ends at `now_ms`, milliseconds since the epoch.
    #[must_use]
    pub fn until(now_ms: u64) -> Self {
        let today = i64::try_from(now_ms / 1000).unwrap_or(0).div_euclid(calendar::DAY_SECONDS);
        Self { random: Random(0x9e37_79b9_7f4a_7c15), begin: (today + 1 - DAYS) * calendar::DAY_SECONDS }
    }

    /// Appends the next line with its newline, and counts it. `permille` is how much of the show is over.
    pub fn next_line(&mut self, permille: u64, truth: &mut Tally, line: &mut Vec<u8>) {
        let permille = i64::try_from(permille.min(999)).unwrap_or(999);
        let seconds = self.begin + DAYS * calendar::DAY_SECONDS * permille / 1000;
        let (day, time) = (calendar::day(seconds), calendar::log_time(seconds));
        let address = address(self.random.skewed(ADDRESSES));
        let agent = BROWSERS[self.random.index(BROWSERS.len())];
        let text = match self.random.below(100) {
            0 => {
                truth.add(Seen::Other);
                format!("{address} - - [{time}] \"GET /torn")
            }
            1 => {
                // A TLS handshake on the plain port, as nginx logs it.
                truth.add(Seen::Other);
                format!(r#"{address} - - [{time}] "\x16\x03\x01\x00\xEE\x01" 400 157 "-" "-""#)
            }
            2..=4 => {
                truth.add(Seen::Other);
                format!(r#"{address} - - [{time}] "POST /comments HTTP/1.1" 302 0 "-" "{agent}""#)
            }
            5..=9 => {
                truth.add(Seen::Other);
                format!(r#"{address} - - [{time}] "GET /wp-login.php HTTP/1.1" 404 153 "-" "{agent}""#)
            }
            10..=14 => {
                truth.add(Seen::Other);
                format!(r#"{address} - - [{time}] "GET / HTTP/1.1" 200 4096 "-" "{ROBOT}""#)
            }
            15..=26 => {
                truth.add(Seen::Other);
                let asset = ASSETS[self.random.index(ASSETS.len())];
                format!(
                    r#"{address} - - [{time}] "GET {asset} HTTP/2.0" 200 5120 "https://blog.example.com/" "{agent}""#
                )
            }
            _ => {
                let page = PAGES[self.random.skewed_index(PAGES.len())];
                let visitor = format!("{address} {agent}");
                truth.add(Seen::View { day: &day, page, visitor: &visitor, address: &address });
                let size = 2000 + self.random.below(30_000);
                format!(
                    r#"{address} - - [{time}] "GET {page} HTTP/2.0" 200 {size} "https://search.example/?q=kafka" "{agent}""#
                )
            }
        };
        line.extend_from_slice(text.as_bytes());
        line.push(b'\n');
    }
}

/// The address of a visitor, in its canonical form.
fn address(visitor: u64) -> String {
    let host = visitor / 4 + 1;
    match visitor % 4 {
        0 => format!("192.0.2.{host}"),
        1 => format!("198.51.100.{host}"),
        2 => format!("203.0.113.{host}"),
        _ => format!("2001:db8::{host:x}"),
    }
}

/// The xorshift64* generator: reproducible, and good enough for traffic.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        // The high half is the better one.
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    /// Below `limit`, evenly.
    fn below(&mut self, limit: u64) -> u64 {
        (self.next() * limit) >> 32
    }

    /// Below `limit`, small numbers far more often.
    fn skewed(&mut self, limit: u64) -> u64 {
        let below = self.below(limit) + 1;
        self.below(below)
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    fn skewed_index(&mut self, length: usize) -> usize {
        let below = self.skewed(length as u64);
        usize::try_from(below).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traffic_spans_its_days_and_is_skewed() {
        let mut traffic = Traffic::until(1_709_251_199_000);
        let (mut truth, mut bytes) = (Tally::default(), Vec::new());
        for line in 0..5000 {
            traffic.next_line(line / 5, &mut truth, &mut bytes);
        }
        assert_eq!(truth.lines, 5000);
        let days = truth.days();
        assert_eq!(days.first().map(|day| day.day.as_str()), Some("2024-02-25"));
        assert_eq!(days.last().map(|day| day.day.as_str()), Some("2024-02-29"));
        assert!(days.iter().all(|day| day.views > 600 && day.addresses > 100), "{days:?}");
        let pages = truth.top_pages(PAGES.len());
        assert_eq!(pages[0].0, "/");
        assert!(pages[0].1 > 4 * pages[PAGES.len() - 1].1, "{pages:?}");
        assert_eq!(memchr::memchr_iter(b'\n', &bytes).count(), 5000);
    }

    #[test]
    fn addresses_are_valid_and_canonical() {
        for visitor in 0..ADDRESSES {
            let text = address(visitor);
            let parsed: std::net::IpAddr = text.parse().unwrap();
            assert_eq!(parsed.to_string(), text);
        }
    }
}

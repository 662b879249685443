//! Realistic access log lines, the same for the same seed.
//!
//! Entropy is what makes a benchmark honest: addresses, user agents, paths and referrers come from large sets with
//! a few favourites, as on a real site. Every line carries a token that no other line has, as the last part of its
//! path: `/notes/how-to-tail-files-w1-000000042.html`.

use std::io::Write;

/// Distinct values in each set: a mid-sized site's month.
const ADDRESSES: u64 = 60_000;
const PAGES: u64 = 20_000;
const REFERRERS: u64 = 8_000;

const WORDS: [&str; 48] = [
    "access", "agent", "apache", "batch", "bridge", "broker", "buffer", "cache", "client", "cloud", "commit",
    "counting", "cursor", "daily", "debian", "delay", "editor", "event", "files", "garden", "harbour",
    "index", "kernel", "lamp", "letters", "linux", "logs", "market", "memory", "mirror", "morning",
    "network", "notes", "offset", "orders", "paper", "pipes", "queue", "reader", "river", "rust", "server",
    "signal", "stream", "system", "tail", "views", "window",
];
const SECTIONS: [&str; 8] = ["posts", "notes", "photos", "projects", "archive", "talks", "reviews", "guides"];
const SYSTEMS: [&str; 10] = [
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "iPhone; CPU iPhone OS 17_4 like Mac OS X",
    "Linux; Android 14; Pixel 8",
    "Linux; Android 13; SM-S901B",
    "iPad; CPU OS 16_6 like Mac OS X",
    "X11; Ubuntu; Linux x86_64; rv:124.0",
    "Windows NT 6.1; WOW64",
    "Linux; Android 12; M2101K6G",
];
const ROBOTS: [&str; 5] = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "curl/8.5.0",
    "-",
];
const STATUSES: [(u64, u16); 7] =
    [(860, 200), (920, 304), (950, 301), (980, 404), (990, 403), (997, 206), (1000, 500)];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A stream of lines in nginx's `combined` format.
#[derive(Clone, Debug)]
pub struct AccessLog {
    random: Random,
    tag: String,
    sequence: u64,
    /// Seconds since the epoch of the next line.
    time: u64,
}

impl AccessLog {
    /// Lines whose tokens begin with `tag` (letters and digits), chosen by `seed`.
    pub fn new(tag: &str, seed: u64) -> Self {
        // 2026-03-01: fixed, so that one seed is one file for ever.
        Self { random: Random::new(seed), tag: tag.to_owned(), sequence: 0, time: 1_772_323_200 }
    }

    /// Lines made so far.
    pub fn count(&self) -> u64 {
        self.sequence
    }

    /// Appends one line with its newline.
    pub fn append_line(&mut self, out: &mut Vec<u8>) {
        let path = self.path();
        let random = &mut self.random;
        self.time += u64::from(random.below(100) < 3);
        let draw = random.below(1000);
        let status = STATUSES.iter().find(|(limit, _)| draw < *limit).map_or(200, |(_, status)| *status);
        let size = if matches!(status, 304 | 301) { 0 } else { 300 + random.skewed(180_000) };
        let method = if random.below(100) < 96 { "GET" } else { "POST" };
        writeln!(
            out,
            "{} - - [{}] \"{method} {path} HTTP/{}\" {status} {size} \"{}\" \"{}\"",
            address(random.skewed(ADDRESSES)),
            local_time(self.time),
            if random.below(100) < 70 { "2.0" } else { "1.1" },
            referrer(random),
            user_agent(random),
        )
        .expect("a vector takes every byte");
    }

    /// The path of a request, with the next token.
    pub fn path(&mut self) -> String {
        let page = self.random.skewed(PAGES);
        let mut choice = Random::new(page);
        let section = choice.pick(&SECTIONS);
        let (first, second, third) = (choice.pick(&WORDS), choice.pick(&WORDS), choice.pick(&WORDS));
        let token = format!("{}-{:09}", self.tag, self.sequence);
        self.sequence += 1;
        format!("/{section}/{first}-{second}-{third}-{token}.html")
    }
}

fn address(index: u64) -> String {
    let mut bits = Random::new(index ^ 0xadd7);
    let value = bits.next();
    if value.is_multiple_of(10) {
        return format!(
            "2001:db8:{:x}:{:x}::{:x}",
            (value >> 8) & 0xffff,
            (value >> 24) & 0xffff,
            (value >> 40) & 0xffff
        );
    }
    let part = |shift: u64| (value >> shift) & 0xff;
    format!("{}.{}.{}.{}", 1 + part(8) % 223, part(16), part(24), part(32))
}

fn user_agent(random: &mut Random) -> String {
    if random.below(100) < 8 {
        return random.pick(&ROBOTS).to_owned();
    }
    let system = SYSTEMS[usize::try_from(random.skewed(10)).unwrap_or(0)];
    let major = 124 - random.skewed(24);
    // Chrome names no more of its version since 2022, but apps that embed it may. With one such in 25, 10,000 lines have
    // some 600 different user agents, as those of a blog had.
    let rest = match random.below(25) {
        0 => format!("0.{}.{}", random.skewed(6500), random.skewed(200)),
        _ => "0.0.0".to_owned(),
    };
    match random.below(4) {
        0 => format!("Mozilla/5.0 ({system}) Gecko/20100101 Firefox/{major}.0"),
        1 => format!(
            "Mozilla/5.0 ({system}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.{} Safari/604.1",
            random.skewed(6)
        ),
        _ => format!(
            "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.{rest} Safari/537.36"
        ),
    }
}

fn referrer(random: &mut Random) -> String {
    match random.below(10) {
        0..=3 => "-".to_owned(),
        4..=5 => "https://www.google.com/".to_owned(),
        _ => {
            let mut choice = Random::new(random.skewed(REFERRERS) ^ 0x0ef);
            let (host, page) = (choice.pick(&WORDS), choice.pick(&WORDS));
            format!("https://{host}.example.org/{}/{page}-{}", choice.pick(&SECTIONS), choice.below(500))
        }
    }
}

/// `01/Mar/2026:00:00:00 +0000`; the days are counted as in the proleptic Gregorian calendar.
fn local_time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let name = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    format!("{day:02}/{name}/{year}:{:02}:{:02}:{:02} +0000", rest / 3600, rest / 60 % 60, rest % 60)
}

/// SplitMix64: small, fast and good enough to choose words.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, all alike.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A number below `limit`, small ones far more often: the cube of an even draw.
    pub fn skewed(&mut self, limit: u64) -> u64 {
        // 20 bits keep the cube within 64.
        let draw = self.next() >> 44;
        let cube = (draw * draw * draw) >> 40;
        (cube * limit) >> 20
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let index = self.below(u64::try_from(from.len()).unwrap_or(1));
        from[usize::try_from(index).unwrap_or(0)]
    }
}

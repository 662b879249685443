//! Days and times as access logs write them, in UTC.

/// Seconds of a day.
pub const DAY_SECONDS: i64 = 86_400;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `2026-11-23`, of seconds since the epoch.
#[must_use]
pub fn day(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(DAY_SECONDS));
    format!("{year:04}-{:02}-{day:02}", month + 1)
}

/// `23/Nov/2026:06:47:00 +0000`, of seconds since the epoch.
#[must_use]
pub fn log_time(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(DAY_SECONDS));
    let second = seconds.rem_euclid(DAY_SECONDS);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{day:02}/{}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000", MONTHS[month])
}

/// Year, month from 0 and day from 1 of a day since the epoch, by walking: a demo asks for days of this century.
fn civil(days: i64) -> (i64, usize, i64) {
    let (mut year, mut rest) = (1970, days.max(0));
    loop {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let february = if is_leap { 29 } else { 28 };
        let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for (month, length) in lengths.into_iter().enumerate() {
            if rest < length {
                return (year, month, rest + 1);
            }
            rest -= length;
        }
        year += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_known_instants() {
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(951_782_399), "2000-02-28");
        assert_eq!(day(951_782_400), "2000-02-29");
        assert_eq!(log_time(1_709_251_199), "29/Feb/2024:23:59:59 +0000");
        assert_eq!(log_time(1_709_251_200), "01/Mar/2024:00:00:00 +0000");
    }
}

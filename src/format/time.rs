//! The ways a log writes its time, as arithmetic on bytes.
//!
//! Own code, because it runs for every line: a general date parser costs more than all the rest of a line.

/// Bytes of `22/Nov/2026:10:13:39 +0000`.
pub const LOCAL_BYTES: usize = 26;
/// Bytes of `2026-11-22T10:13:39+00:00`.
pub const ISO8601_BYTES: usize = 25;

/// Bytes of the longest text that [`any`] reads: RFC 3339 with a fraction of so many digits.
pub const ANY_BYTES_MAX: usize = ISO8601_BYTES + 1 + FRACTION_DIGITS_MAX;
/// Nanoseconds have nine; a float as text has up to 17.
const FRACTION_DIGITS_MAX: usize = 18;

/// 9999-12-30: a day is left for the zone, so that every day shown has a year of four digits.
const EPOCH_SECONDS_MAX: i64 = 253_402_214_399;
/// Seconds of a day.
pub const DAY_SECONDS: i64 = 86_400;
/// The digits of the latest second, so that no sum overflows.
const NUMBER_DIGITS_MAX: usize = 12;

/// A moment as a line shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since the epoch.
    pub epoch_s: i64,
    /// Seconds by which the line's own zone is ahead of UTC.
    pub zone_s: i32,
}

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Year, as 2026.
    pub year: i64,
    /// Month, from 1.
    pub month: i64,
    /// Day of the month, from 1.
    pub day: i64,
}

impl Day {
    /// The day that holds a second; the second counts in the zone that the day is wanted for.
    #[must_use]
    pub fn of(epoch_s: i64) -> Self {
        // Years are counted from March, so that the leap day is a year's last day and months have a regular length.
        let since_march_0000 = epoch_s.div_euclid(DAY_SECONDS) + 719_468;
        let cycle = since_march_0000.div_euclid(146_097);
        let in_cycle = since_march_0000.rem_euclid(146_097);
        let year_in_cycle = (in_cycle - in_cycle / 1_460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
        let in_year = in_cycle - (365 * year_in_cycle + year_in_cycle / 4 - year_in_cycle / 100);
        let month_from_march = (5 * in_year + 2) / 153;
        let day = in_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self { year: cycle * 400 + year_in_cycle + i64::from(month <= 2), month, day }
    }

    /// Midnight of the day, in seconds since the epoch.
    #[must_use]
    pub fn epoch_s(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let month_from_march = (self.month + 9) % 12;
        let in_year = (153 * month_from_march + 2) / 5 + self.day - 1;
        let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + in_year;
        (days - 719_468) * DAY_SECONDS
    }

    fn is_real(self) -> bool {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let length = match self.month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (1..=12).contains(&self.month) && (1..=length).contains(&self.day)
    }
}

/// Reads `$time_local`: `22/Nov/2026:10:13:39 +0000`, months in English.
#[must_use]
pub fn local(text: &[u8]) -> Option<Moment> {
    let text: &[u8; LOCAL_BYTES] = text.try_into().ok()?;
    let points = [text[2], text[6], text[11], text[14], text[17], text[20]];
    if points != *b"//::: " {
        return None;
    }
    let month = match &text[3..6] {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    let day = Day { year: number(&text[7..11])?, month, day: number(&text[0..2])? };
    let zone = zone(text[21], number(&text[22..24])?, number(&text[24..26])?)?;
    moment(day, clock(&text[12..20])?, zone)
}

/// Reads `$time_iso8601`: `2026-11-22T10:13:39+00:00`.
#[must_use]
pub fn iso8601(text: &[u8]) -> Option<Moment> {
    let text: &[u8; ISO8601_BYTES] = text.try_into().ok()?;
    let points = [text[4], text[7], text[10], text[13], text[16], text[22]];
    if points != *b"--T:::" {
        return None;
    }
    let day = Day { year: number(&text[0..4])?, month: number(&text[5..7])?, day: number(&text[8..10])? };
    let zone = zone(text[19], number(&text[20..22])?, number(&text[23..25])?)?;
    moment(day, clock(&text[11..19])?, zone)
}

/// Reads `$msec`: `1795342419.677`. Milliseconds since the epoch.
#[must_use]
pub fn msec(text: &[u8]) -> Option<i64> {
    let (seconds, thousandths) = text.split_at_checked(text.len().checked_sub(4)?)?;
    if !(1..=NUMBER_DIGITS_MAX).contains(&seconds.len()) || thousandths[0] != b'.' {
        return None;
    }
    let seconds = number(seconds).filter(|seconds| *seconds <= EPOCH_SECONDS_MAX)?;
    Some(seconds * 1000 + number(&thousandths[1..])?)
}

/// A moment to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant {
    /// The second and its zone.
    pub moment: Moment,
    /// Milliseconds within the second, where the text has any part of a second.
    pub thousandths: Option<i64>,
}

/// Reads a time by its shape: common log time; RFC 3339 with any offset and fraction (a space for the `T` and an offset
/// without colon too); a number of seconds since the epoch with or without a fraction; whole milliseconds, microseconds
/// and nanoseconds, told apart by their digits, which is right from 1973 to 2286.
#[must_use]
pub fn any(text: &[u8]) -> Option<Instant> {
    match text.get(4) {
        Some(b'-') => rfc3339(text),
        _ if text.len() == LOCAL_BYTES && text[2] == b'/' => {
            local(text).map(|moment| Instant { moment, thousandths: None })
        }
        _ => epoch(text),
    }
}

fn rfc3339(text: &[u8]) -> Option<Instant> {
    let (date, rest) = text.split_at_checked("2026-11-22T10:13:39".len())?;
    let points = [date[4], date[7], date[13], date[16]];
    if points != *b"--::" || !matches!(date[10], b'T' | b't' | b' ') || text.len() > ANY_BYTES_MAX {
        return None;
    }
    let (thousandths, offset) = match rest.strip_prefix(b".") {
        Some(rest) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (Some(thousandths(&rest[..digits])?), &rest[digits..])
        }
        None => (None, rest),
    };
    let zone_s = match *offset {
        [b'Z' | b'z'] => 0,
        [sign, h, i, b':', m, n] | [sign, h, i, m, n] => zone(sign, number(&[h, i])?, number(&[m, n])?)?,
        _ => return None,
    };
    let day = Day { year: number(&date[0..4])?, month: number(&date[5..7])?, day: number(&date[8..10])? };
    Some(Instant { moment: moment(day, clock(&date[11..19])?, zone_s)?, thousandths })
}

fn epoch(text: &[u8]) -> Option<Instant> {
    let point = memchr::memchr(b'.', text).unwrap_or(text.len());
    let (whole, fraction) = (&text[..point], text.get(point + 1..));
    let (seconds, part) = match whole.len() {
        1..=11 => (whole, fraction),
        NUMBER_DIGITS_MAX if fraction.is_some() => (whole, fraction),
        length @ 12..=19 if fraction.is_none() => {
            let digits = match length {
                12..=14 => 3,
                15..=17 => 6,
                _ => 9,
            };
            let (seconds, part) = whole.split_at(length - digits);
            (seconds, Some(part))
        }
        _ => return None,
    };
    let epoch_s = number(seconds).filter(|seconds| *seconds <= EPOCH_SECONDS_MAX)?;
    let thousandths = part.map(thousandths).map_or(Some(None), |read| read.map(Some))?;
    Some(Instant { moment: Moment { epoch_s, zone_s: 0 }, thousandths })
}

/// Milliseconds of the digits behind a point; finer ones are cut.
fn thousandths(digits: &[u8]) -> Option<i64> {
    if !(1..=FRACTION_DIGITS_MAX).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |place: usize| digits.get(place).map_or(0, |digit| i64::from(digit - b'0'));
    Some(digit(0) * 100 + digit(1) * 10 + digit(2))
}

fn moment(day: Day, second_of_day: i64, zone_s: i64) -> Option<Moment> {
    if !day.is_real() {
        return None;
    }
    let epoch_s = day.epoch_s() + second_of_day - zone_s;
    let zone_s = i32::try_from(zone_s).ok()?;
    (0..=EPOCH_SECONDS_MAX).contains(&epoch_s).then_some(Moment { epoch_s, zone_s })
}

/// Second of the day of `10:13:39`, whose colons are already checked. A leap second counts as the next minute's first.
fn clock(text: &[u8]) -> Option<i64> {
    let (hour, minute, second) = (number(&text[0..2])?, number(&text[3..5])?, number(&text[6..8])?);
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

fn zone(sign: u8, hours: i64, minutes: i64) -> Option<i64> {
    let seconds = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// The value of at most [`NUMBER_DIGITS_MAX`] digits.
fn number(digits: &[u8]) -> Option<i64> {
    let mut value = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::{Day, Moment, any, iso8601, local, msec};

    fn check_local(text: &str, expect: Option<(i64, i32)>) {
        assert_eq!(
            local(text.as_bytes()),
            expect.map(|(epoch_s, zone_s)| Moment { epoch_s, zone_s }),
            "{text}"
        );
    }

    fn check_iso8601(text: &str, expect: Option<(i64, i32)>) {
        assert_eq!(
            iso8601(text.as_bytes()),
            expect.map(|(epoch_s, zone_s)| Moment { epoch_s, zone_s }),
            "{text}"
        );
    }

    #[test]
    fn common_log_time() {
        check_local("22/Nov/2026:10:13:39 +0000", Some((1_795_342_419, 0)));
        check_local("22/Nov/2026:18:13:39 +0800", Some((1_795_342_419, 28_800)));
        check_local("22/Nov/2026:06:43:39 -0330", Some((1_795_342_419, -12_600)));
        check_local("01/Jan/1970:00:00:00 +0000", Some((0, 0)));
        check_local("29/Feb/2024:00:00:00 +0000", Some((1_709_164_800, 0)));
        check_local("31/Dec/2016:23:59:60 +0000", Some((1_483_228_800, 0)));
        check_local("29/Feb/2026:00:00:00 +0000", None);
        check_local("29/Feb/2100:00:00:00 +0000", None);
        check_local("00/Nov/2026:10:13:39 +0000", None);
        check_local("31/Nov/2026:10:13:39 +0000", None);
        check_local("22/nov/2026:10:13:39 +0000", None);
        check_local("22/Nov/2026:24:13:39 +0000", None);
        check_local("22/Nov/2026:10:60:39 +0000", None);
        check_local("22/Nov/2026:10:13:61 +0000", None);
        check_local("22/Nov/2026:10:13:39 *0000", None);
        check_local("22/Nov/2026:10:13:39 +2400", None);
        check_local("22/Nov/2026 10:13:39 +0000", None);
        check_local("22/Nov/2026:10:13:39 +000", None);
        check_local("2a/Nov/2026:10:13:39 +0000", None);
        check_local("01/Jan/1970:00:00:00 +0100", None);
        check_local("31/Dec/9999:23:59:59 -2359", None);
    }

    #[test]
    fn iso8601_time() {
        check_iso8601("2026-11-22T10:13:39+00:00", Some((1_795_342_419, 0)));
        check_iso8601("2026-11-22T18:13:39+08:00", Some((1_795_342_419, 28_800)));
        check_iso8601("2026-13-22T10:13:39+00:00", None);
        check_iso8601("2026-00-22T10:13:39+00:00", None);
        check_iso8601("2026-11-22 10:13:39+00:00", None);
        check_iso8601("2026-11-22T10:13:39Z", None);
    }

    #[test]
    fn epoch_time() {
        assert_eq!(msec(b"1795342419.677"), Some(1_795_342_419_677));
        assert_eq!(msec(b"0.000"), Some(0));
        for wrong in
            ["", ".677", "1795342419", "1795342419.6770", "-1.000", "999999999999.000", "1795342419,677"]
        {
            assert_eq!(msec(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn any_time_is_read_by_its_shape() {
        for (text, expect) in [
            ("22/Nov/2026:18:13:39 +0800", Some((1_795_342_419, 28_800, None))),
            ("2026-11-22T10:13:39Z", Some((1_795_342_419, 0, None))),
            ("2026-11-22 18:13:39.0079+08:00", Some((1_795_342_419, 28_800, Some(7)))),
            ("2026-11-22T06:43:39.5-0330", Some((1_795_342_419, -12_600, Some(500)))),
            ("2026-11-22T10:13:39.123456789Z", Some((1_795_342_419, 0, Some(123)))),
            ("1795342419", Some((1_795_342_419, 0, None))),
            ("1795342419.6771235", Some((1_795_342_419, 0, Some(677)))),
            ("1795342419677", Some((1_795_342_419, 0, Some(677)))),
            ("1795342419677123", Some((1_795_342_419, 0, Some(677)))),
            ("1795342419677123456", Some((1_795_342_419, 0, Some(677)))),
            ("0", Some((0, 0, None))),
            ("2026-11-22T10:13:39", None),
            ("2026-11-22T10:13:39.Z", None),
            ("2026-11-22", None),
            ("1795342419677.5", None),
            ("1795342419.", None),
            ("-5", None),
            ("", None),
            ("yesterday", None),
        ] {
            let read = any(text.as_bytes()).map(|it| (it.moment.epoch_s, it.moment.zone_s, it.thousandths));
            assert_eq!(read, expect, "{text}");
        }
    }

    #[test]
    fn days_count_one_by_one_through_eight_centuries() {
        let mut epoch_s = Day { year: 1600, month: 1, day: 1 }.epoch_s();
        let (mut year, mut month, mut day) = (1600, 1, 1);
        while year < 2400 {
            let expect = Day { year, month, day };
            assert!(expect.is_real());
            assert_eq!((Day::of(epoch_s), Day::of(epoch_s + 86_399)), (expect, expect));
            assert_eq!(expect.epoch_s(), epoch_s);
            epoch_s += 86_400;
            day += 1;
            if !(Day { year, month, day }).is_real() {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }
}

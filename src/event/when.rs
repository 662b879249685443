//! `time` and `day` of an event: from the variables of a line to text.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::rules::DayZone;
use super::text::push_padded;
use crate::format::time::{self, DAY_SECONDS, Day, Instant};
use crate::format::{Field, Fields};

/// Bytes of `2026-11-22`.
const DAY_BYTES: usize = 10;

/// Writes times. Most lines show the second of the line before: its text is kept.
#[derive(Debug)]
pub(super) struct TimeWriter {
    zone: Zone,
    /// The last time as a line showed it.
    seen: Vec<u8>,
    instant: Option<Instant>,
    /// What it became.
    text: Vec<u8>,
    /// The seconds of its day's zone.
    zone_s: i64,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct When {
    /// Milliseconds since the epoch.
    pub(super) time_ms: i64,
    /// The day, counted from 1970-01-01.
    pub(super) day: i64,
    /// Where the day's text stands in the output.
    pub(super) place: (usize, usize),
}

impl TimeWriter {
    /// A writer of days in this zone.
    pub(super) fn new(zone: &DayZone) -> Self {
        let zone = match zone {
            DayZone::Line => Zone::Line,
            DayZone::Zone(zone) => {
                Zone::Named(NamedZone { zone: zone.clone(), from_s: 0, until_s: 0, offset_s: 0 })
            }
        };
        Self { zone, seen: Vec::new(), instant: None, text: Vec::new(), zone_s: 0 }
    }

    /// Appends `time` in UTC and `day`. `$msec` is the finer time, a zone comes from the others. Appends nothing where
    /// the format has no time.
    pub(super) fn push(&mut self, fields: &Fields<'_>, out: &mut Vec<u8>) -> Option<When> {
        let shown =
            [Field::TimeLocal, Field::TimeIso8601, Field::Time].into_iter().find_map(|it| fields.get(it));
        let shown = shown.and_then(|value| self.read(value.text()));
        let finer = fields.get(Field::Msec).and_then(|value| time::any(value.text()));
        let (time_ms, zone_s) = if let Some(finer) = finer {
            let epoch_s = finer.moment.epoch_s;
            let zone_s = self.zone.offset_s(epoch_s, shown.map_or(0, |shown| shown.moment.zone_s));
            push_both(out, (epoch_s, zone_s), finer.thousandths);
            (milliseconds(finer), zone_s)
        } else {
            let shown = shown?;
            out.extend_from_slice(&self.text);
            (milliseconds(shown), self.zone_s)
        };
        let day = (time_ms.div_euclid(1000) + zone_s).div_euclid(DAY_SECONDS);
        Some(When { time_ms, day, place: (out.len() - 1 - DAY_BYTES, out.len() - 1) })
    }

    fn read(&mut self, text: &[u8]) -> Option<Instant> {
        if self.instant.is_none() || self.seen != text {
            self.instant = time::any(text);
            self.seen.clear();
            self.seen.extend_from_slice(text);
            self.text.clear();
            if let Some(Instant { moment, thousandths }) = self.instant {
                self.zone_s = self.zone.offset_s(moment.epoch_s, moment.zone_s);
                push_both(&mut self.text, (moment.epoch_s, self.zone_s), thousandths);
            }
        }
        self.instant
    }
}

fn milliseconds(instant: Instant) -> i64 {
    instant.moment.epoch_s * 1000 + instant.thousandths.unwrap_or(0)
}

/// Whose midnight ends a day.
#[derive(Debug)]
enum Zone {
    /// That of the zone which the line shows.
    Line,
    /// That of one zone.
    Named(NamedZone),
}

/// A zone with the span of time that was looked up last: its clock changes twice a year at most.
#[derive(Debug)]
struct NamedZone {
    zone: TimeZone,
    from_s: i64,
    until_s: i64,
    offset_s: i64,
}

impl Zone {
    /// Seconds by which the zone is ahead of UTC at a moment; the line's own zone is given.
    fn offset_s(&mut self, epoch_s: i64, line_zone_s: i32) -> i64 {
        match self {
            Self::Line => line_zone_s.into(),
            Self::Named(zone) => {
                if !(zone.from_s..zone.until_s).contains(&epoch_s) {
                    zone.look_up(epoch_s);
                }
                zone.offset_s
            }
        }
    }
}

impl NamedZone {
    fn look_up(&mut self, epoch_s: i64) {
        // The last hours of the year 9999 are beyond what a timestamp can be.
        let moment = Timestamp::from_second(epoch_s).unwrap_or(Timestamp::MAX);
        let after = Timestamp::from_second(epoch_s + 1).unwrap_or(Timestamp::MAX);
        self.offset_s = self.zone.to_offset(moment).seconds().into();
        // "Preceding" is strictly before, and the clock changes at the very second of a transition.
        let second = |transition: jiff::tz::TimeZoneTransition<'_>| transition.timestamp().as_second();
        self.from_s = self.zone.preceding(after).next().map_or(i64::MIN, second);
        self.until_s = self.zone.following(moment).next().map_or(i64::MAX, second);
    }
}

fn push_both(out: &mut Vec<u8>, (epoch_s, zone_s): (i64, i64), thousandths: Option<i64>) {
    let second = epoch_s.rem_euclid(DAY_SECONDS);
    out.extend_from_slice(br#","time":""#);
    push_day(out, epoch_s);
    for (mark, part) in [(b'T', second / 3600), (b':', second / 60 % 60), (b':', second % 60)] {
        out.push(mark);
        push_padded(out, part, 2);
    }
    if let Some(thousandths) = thousandths {
        out.push(b'.');
        push_padded(out, thousandths, 3);
    }
    out.extend_from_slice(br#"Z","day":""#);
    push_day(out, epoch_s + zone_s);
    out.push(b'"');
}

/// Appends the date of a second, which counts in the zone that the date is wanted for.
pub(super) fn push_day(out: &mut Vec<u8>, epoch_s: i64) {
    let day = Day::of(epoch_s);
    push_padded(out, day.year, 4);
    out.push(b'-');
    push_padded(out, day.month, 2);
    out.push(b'-');
    push_padded(out, day.day, 2);
}

#[cfg(test)]
mod tests {
    use super::TimeWriter;
    use crate::event::rules::DayZone;
    use crate::format::{Escape, Format, Spans};

    fn check(format: &str, lines: &[(&str, i64, &str)]) {
        check_in(&DayZone::Line, format, lines);
    }

    fn check_in(zone: &DayZone, format: &str, lines: &[(&str, i64, &str)]) {
        let format = Format::nginx(format, Escape::Default).unwrap();
        let (mut writer, mut spans) = (TimeWriter::new(zone), Spans::default());
        for (line, time_ms, expect) in lines {
            let mut out = Vec::new();
            let fields = format.split(line.as_bytes(), &mut spans).unwrap();
            let when = writer.push(&fields, &mut out).unwrap();
            assert_eq!(when.time_ms, *time_ms, "{line}");
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text, *expect, "{line}");
            let mut date = Vec::new();
            super::push_day(&mut date, when.day * 86_400);
            assert_eq!(text.as_bytes()[when.place.0..when.place.1], date, "{line}");
        }
    }

    #[test]
    fn the_day_is_that_of_the_lines_zone() {
        let late = r#","time":"2026-11-22T23:59:59Z","day":"2026-11-23""#;
        let early = r#","time":"2026-11-22T23:59:59Z","day":"2026-11-22""#;
        check(
            "[$time_local]",
            &[
                ("[23/Nov/2026:07:59:59 +0800]", 1_795_391_999_000, late),
                ("[23/Nov/2026:07:59:59 +0800]", 1_795_391_999_000, late),
                ("[22/Nov/2026:23:59:59 +0000]", 1_795_391_999_000, early),
                ("[22/Nov/2026:12:59:59 -1100]", 1_795_391_999_000, early),
            ],
        );
        check("$time_iso8601", &[("2026-11-23T07:59:59+08:00", 1_795_391_999_000, late)]);
    }

    #[test]
    fn milliseconds_where_the_log_has_them() {
        let utc = r#","time":"2026-11-22T23:59:59.007Z","day":"2026-11-22""#;
        check("$msec", &[("1795391999.007", 1_795_391_999_007, utc)]);
        let zoned = r#","time":"2026-11-22T23:59:59.007Z","day":"2026-11-23""#;
        check(
            "$msec $time_iso8601",
            &[("1795391999.007 2026-11-23T07:59:59+08:00", 1_795_391_999_007, zoned)],
        );
    }

    #[test]
    fn the_first_and_the_last_day() {
        let first = r#","time":"1970-01-01T00:00:00Z","day":"1969-12-31""#;
        check("$time_local", &[("31/Dec/1969:23:00:00 -0100", 0, first)]);
        let last = r#","time":"9999-12-30T23:59:59.999Z","day":"9999-12-30""#;
        check("$msec", &[("253402214399.999", 253_402_214_399_999, last)]);
    }

    #[test]
    fn the_time_of_any_shape() {
        let zoned = r#","time":"2026-11-22T23:59:59.007Z","day":"2026-11-23""#;
        let utc = r#","time":"2026-11-22T23:59:59Z","day":"2026-11-22""#;
        let lines = [
            ("2026-11-23T07:59:59.0079+08:00", 1_795_391_999_007, zoned),
            ("2026-11-22T23:59:59Z", 1_795_391_999_000, utc),
            ("1795391999", 1_795_391_999_000, utc),
        ];
        check("$time", &lines);
    }

    #[test]
    fn a_named_zone_has_its_own_midnight_and_changes_its_clock() {
        let zone = DayZone::Zone(jiff::tz::TimeZone::get("Europe/Berlin").unwrap());
        let check = |lines: &[(&str, &str)]| {
            let format = Format::nginx("$msec", Escape::Default).unwrap();
            let (mut writer, mut spans) = (TimeWriter::new(&zone), Spans::default());
            for (line, day) in lines {
                let mut out = Vec::new();
                let when =
                    writer.push(&format.split(line.as_bytes(), &mut spans).unwrap(), &mut out).unwrap();
                assert_eq!(std::str::from_utf8(&out[when.place.0..when.place.1]).unwrap(), *day, "{line}");
            }
        };
        // Midnight is at 23:00 UTC in winter and at 22:00 UTC in summer. The clock goes forward on 2026-03-29 and back on
        // 2026-10-25, both at 01:00 UTC: those days have 23 and 25 hours.
        let lines = [
            ("1774738799.999", "2026-03-28"),
            ("1774738800.000", "2026-03-29"),
            ("1774745999.000", "2026-03-29"),
            ("1774746000.000", "2026-03-29"),
            ("1774821599.999", "2026-03-29"),
            ("1774821600.000", "2026-03-30"),
            ("1792879199.999", "2026-10-24"),
            ("1792879200.000", "2026-10-25"),
            ("1792890000.000", "2026-10-25"),
            ("1792969199.999", "2026-10-25"),
            ("1792969200.000", "2026-10-26"),
            ("253402214399.000", "9999-12-31"),
            ("0.000", "1970-01-01"),
        ];
        check(&lines);
        check(&lines.iter().rev().copied().collect::<Vec<_>>());
        for line in &lines {
            check(std::slice::from_ref(line));
        }
    }

    #[test]
    fn a_named_zone_wins_over_the_lines() {
        let zone = DayZone::Zone(jiff::tz::TimeZone::get("Asia/Shanghai").unwrap());
        let expect = r#","time":"2026-11-22T20:00:00Z","day":"2026-11-23""#;
        let lines = [
            ("22/Nov/2026:20:00:00 +0000", 1_795_377_600_000, expect),
            ("22/Nov/2026:12:00:00 -0800", 1_795_377_600_000, expect),
        ];
        check_in(&zone, "$time_local", &lines);
    }
}

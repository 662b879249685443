//! `time` and `day` of an event: from the variables of a line to text.

use crate::format::time::{self, Day, Instant, Moment};
use crate::format::{Field, Fields};

use super::text::push_padded;

/// Writes times. Most lines show the second of the line before: its text is kept.
#[derive(Debug, Default)]
pub(super) struct TimeWriter {
    /// The last time as a line showed it.
    seen: Vec<u8>,
    instant: Option<Instant>,
    /// What it became.
    text: Vec<u8>,
}

impl TimeWriter {
    /// Appends `time` in UTC and `day` in the line's own zone; gives milliseconds since the epoch. `$msec` is the finer
    /// time, a zone comes from the others. Appends nothing where the format has no time.
    pub(super) fn push(&mut self, fields: &Fields<'_>, out: &mut Vec<u8>) -> Option<i64> {
        let shown =
            [Field::TimeLocal, Field::TimeIso8601, Field::Time].into_iter().find_map(|it| fields.get(it));
        let shown = shown.and_then(|value| self.read(value.text()));
        let finer = fields.get(Field::Msec).and_then(|value| time::any(value.text()));
        let Some(finer) = finer else {
            let Instant { moment, thousandths } = shown?;
            out.extend_from_slice(&self.text);
            return Some(moment.epoch_s * 1000 + thousandths.unwrap_or(0));
        };
        let zone_s = shown.map_or(0, |shown| shown.moment.zone_s);
        push_both(out, Moment { zone_s, ..finer.moment }, finer.thousandths);
        Some(finer.moment.epoch_s * 1000 + finer.thousandths.unwrap_or(0))
    }

    fn read(&mut self, text: &[u8]) -> Option<Instant> {
        if self.instant.is_none() || self.seen != text {
            self.instant = time::any(text);
            self.seen.clear();
            self.seen.extend_from_slice(text);
            self.text.clear();
            if let Some(Instant { moment, thousandths }) = self.instant {
                push_both(&mut self.text, moment, thousandths);
            }
        }
        self.instant
    }
}

fn push_both(out: &mut Vec<u8>, moment: Moment, thousandths: Option<i64>) {
    let second = moment.epoch_s.rem_euclid(86_400);
    out.extend_from_slice(br#","time":""#);
    push_day(out, moment.epoch_s);
    for (mark, part) in [(b'T', second / 3600), (b':', second / 60 % 60), (b':', second % 60)] {
        out.push(mark);
        push_padded(out, part, 2);
    }
    if let Some(thousandths) = thousandths {
        out.push(b'.');
        push_padded(out, thousandths, 3);
    }
    out.extend_from_slice(br#"Z","day":""#);
    push_day(out, moment.epoch_s + i64::from(moment.zone_s));
    out.push(b'"');
}

fn push_day(out: &mut Vec<u8>, epoch_s: i64) {
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
    use crate::format::{Escape, Format, Spans};

    fn check(format: &str, lines: &[(&str, i64, &str)]) {
        let format = Format::nginx(format, Escape::Default).unwrap();
        let (mut writer, mut spans) = (TimeWriter::default(), Spans::default());
        for (line, time_ms, expect) in lines {
            let mut out = Vec::new();
            let fields = format.split(line.as_bytes(), &mut spans).unwrap();
            assert_eq!(writer.push(&fields, &mut out), Some(*time_ms), "{line}");
            assert_eq!(String::from_utf8(out).unwrap(), *expect, "{line}");
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
    fn the_first_and_the_last_day() {
        let first = r#","time":"1970-01-01T00:00:00Z","day":"1969-12-31""#;
        check("$time_local", &[("31/Dec/1969:23:00:00 -0100", 0, first)]);
        let last = r#","time":"9999-12-30T23:59:59.999Z","day":"9999-12-30""#;
        check("$msec", &[("253402214399.999", 253_402_214_399_999, last)]);
    }
}

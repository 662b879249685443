//! Sizes and durations with units, to numbers and back.

/// Bytes per unit. Decimal and binary units are told apart as everywhere since IEC 60027-2.
const SIZES: [(&str, u64); 8] = [
    ("B", 1),
    ("KB", 1000),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Milliseconds per unit.
const DURATIONS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// What a number with a unit measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Bytes.
    Size,
    /// Milliseconds.
    Duration,
}

impl Measure {
    /// Bytes or milliseconds; `None` if the text is no whole number with a unit of this measure.
    #[must_use]
    pub fn parse(self, text: &str) -> Option<u64> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().ok()?;
        if number == 0 && unit.is_empty() {
            return Some(0);
        }
        let (_, factor) = self.units().iter().find(|(name, _)| *name == unit.trim_start())?;
        number.checked_mul(*factor)
    }

    /// The shortest exact way to write the number: powers of 1000 where they fit, else of 1024: 16MB, but 1MiB.
    #[must_use]
    pub fn show(self, number: u64) -> String {
        let binary = !number.is_multiple_of(1000);
        let fits = |(name, factor): &&(&str, u64)| {
            number.is_multiple_of(*factor) && (*factor == 1 || name.contains('i') == binary)
        };
        match self.units().iter().filter(fits).max_by_key(|(_, factor)| *factor) {
            Some((name, factor)) if number != 0 => format!("{}{name}", number / factor),
            Some(_) | None => "0".to_owned(),
        }
    }

    /// What is measured, for messages.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Size => "a size",
            Self::Duration => "a duration",
        }
    }

    /// The units and an example.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::Size => {
                "as in 16MB; units are B, kB, MB, GB (powers of 1000), KiB, MiB, GiB (powers of 1024)"
            }
            Self::Duration => "as in 20ms; units are ms, s, m, h, d",
        }
    }

    /// The unit that a number without one most likely meant.
    #[must_use]
    pub fn smallest_unit(self) -> &'static str {
        match self {
            Self::Size => "B",
            Self::Duration => "ms",
        }
    }

    /// The names of the units.
    pub(super) fn unit_names(self) -> impl Iterator<Item = &'static str> {
        self.units().iter().map(|(name, _)| *name)
    }

    fn units(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Size => &SIZES,
            Self::Duration => &DURATIONS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("16MB", 16_000_000),
            ("1MiB", 1 << 20),
            ("512 KiB", 1 << 19),
            ("0", 0),
            ("7B", 7),
            ("9kB", 9000),
        ] {
            assert_eq!(Measure::Size.parse(text), Some(bytes), "{text}");
        }
        for text in [
            "16",
            "16mb",
            "16M",
            "MB",
            "",
            "-1MB",
            "1.5MB",
            "1e3B",
            "99999999999999999999MB",
            "18446744073709551615kB",
            "1s",
        ] {
            assert_eq!(Measure::Size.parse(text), None, "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, ms) in
            [("20ms", 20), ("1s", 1000), ("5m", 300_000), ("24h", 86_400_000), ("2 d", 172_800_000), ("0", 0)]
        {
            assert_eq!(Measure::Duration.parse(text), Some(ms), "{text}");
        }
        for text in ["20", "1min", "1S", "s", "1h30m", "00"] {
            assert_eq!(Measure::Duration.parse(text).filter(|ms| *ms != 0), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_as_the_same() {
        for (number, text) in [
            (16_000_000, "16MB"),
            (1 << 20, "1MiB"),
            (1_000_000, "1MB"),
            (3000, "3kB"),
            (1001, "1001B"),
            (0, "0"),
        ] {
            assert_eq!(Measure::Size.show(number), text);
            assert_eq!(Measure::Size.parse(text), Some(number));
        }
        for (number, text) in [(20, "20ms"), (1000, "1s"), (86_400_000, "1d"), (90_000, "90s"), (0, "0")] {
            assert_eq!(Measure::Duration.show(number), text);
            assert_eq!(Measure::Duration.parse(text), Some(number));
        }
    }
}

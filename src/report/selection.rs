//! Which days a report is about.

/// The longest period that `--last` takes: ten years and a bit, more than any log.
const DAYS_MAX: u32 = 4000;

/// Which days a report is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DaySelection {
    /// All days of the input.
    #[default]
    All,
    /// One day, as `YYYY-MM-DD`.
    Day(String),
    /// So many days up to the newest of the input that is not later than `latest`: a clock that ran ahead must not
    /// move the period.
    Last {
        /// How many.
        days: u32,
        /// `YYYY-MM-DD`.
        latest: String,
    },
}

/// What cannot be read as days.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// Not a date.
    #[error("{0} is no day; write it as 2026-11-23")]
    Day(String),
    /// Not a number of days.
    #[error("{0} is no number of days; write it as 30d, at most {DAYS_MAX}d")]
    Last(String),
}

impl DaySelection {
    /// One day.
    ///
    /// # Errors
    /// The text is not the date of a day.
    pub fn day(text: &str) -> Result<Self, SelectionError> {
        match date(text) {
            Some(_) => Ok(Self::Day(text.to_owned())),
            None => Err(SelectionError::Day(text.to_owned())),
        }
    }

    /// The last days, as `30d` or `4w`; `latest` as in [`Self::Last`].
    ///
    /// # Errors
    /// The text is not a number of days.
    pub fn last(text: &str, latest: &str) -> Result<Self, SelectionError> {
        let days = match (text.strip_suffix('d'), text.strip_suffix('w')) {
            (Some(days), _) => number(days),
            (None, Some(weeks)) => number(weeks).map(|weeks| weeks.saturating_mul(7)),
            (None, None) => None,
        };
        match days {
            Some(days) if (1..=DAYS_MAX).contains(&days) => {
                Ok(Self::Last { days, latest: latest.to_owned() })
            }
            Some(_) | None => Err(SelectionError::Last(text.to_owned())),
        }
    }

    /// The first and the last day of the selection among these days, both included; `None` where it has none.
    #[must_use]
    pub fn range<'a>(&self, days: impl Iterator<Item = &'a str>) -> Option<(String, String)> {
        match self {
            Self::All => {
                let (first, last) =
                    days.fold((None, None), |(first, last): (Option<&str>, Option<&str>), day| {
                        (
                            Some(first.map_or(day, |first| first.min(day))),
                            Some(last.map_or(day, |last| last.max(day))),
                        )
                    });
                Some((first?.to_owned(), last?.to_owned()))
            }
            Self::Day(day) => Some((day.clone(), day.clone())),
            Self::Last { days: wanted, latest } => {
                let newest = days.filter(|day| *day <= latest.as_str() && date(day).is_some()).max()?;
                let before = jiff::Span::new().days(i64::from(*wanted) - 1);
                let first = date(newest)?.checked_sub(before).ok()?;
                Some((first.to_string(), newest.to_owned()))
            }
        }
    }
}

/// A day that is written as events write it.
#[must_use]
pub fn date(text: &str) -> Option<jiff::civil::Date> {
    // jiff takes more forms than this one.
    let is_plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if is_plain { text.parse().ok() } else { None }
}

/// Digits alone: `parse` would take `+30` too.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read() {
        assert_eq!(DaySelection::day("2026-11-23"), Ok(DaySelection::Day("2026-11-23".to_owned())));
        for text in ["", "2026-11-31", "20261123", "2026-11-23T00", "yesterday", "-02026-01-1"] {
            assert!(DaySelection::day(text).is_err(), "{text}");
        }
        let last = |text| DaySelection::last(text, "2026-11-23");
        let days = |days| Ok(DaySelection::Last { days, latest: "2026-11-23".to_owned() });
        assert_eq!((last("30d"), last("2w")), (days(30), days(14)));
        for text in ["", "d", "30", "0d", "+3d", "3 d", "4001d", "1h", "99999999999d", "9999999w"] {
            assert!(last(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_days_end_with_the_newest_that_can_be() {
        let last = DaySelection::last("3d", "2026-03-02").unwrap();
        let range = last.range(["2026-02-01", "2026-03-01", "2099-01-01"].into_iter()).unwrap();
        assert_eq!(range, ("2026-02-27".to_owned(), "2026-03-01".to_owned()));
        assert_eq!(last.range(std::iter::empty()), None);
    }
}

//! Page views, visitors and addresses a day, as one inline SVG picture.
//!
//! The picture is stretched to whatever width the page has; its words and numbers are HTML beside it, so that they keep
//! their size on a phone. It says in words what it shows, and each day names its numbers.

use std::fmt::Write as _;

use super::super::model::Sums;
use super::super::selection::date;
use crate::io::table;

/// Units of the picture; the page stretches them.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 320.0;

/// Up to so many days there is room for three bars a day; for more, visitors and addresses are lines.
const DAYS_WITH_BARS_MAX: usize = 14;

/// So many days are named below the picture at most; a phone shows every other one.
const LABELS_MAX: usize = 8;

/// Lines of the grid above its base: more would be more to read than the numbers help.
const STEPS_MAX: u64 = 5;

/// Widest group of bars, for a report of one or two days.
const GROUP_WIDTH_MAX: f64 = 240.0;

/// The chart of these days, which are at least one.
#[must_use]
pub fn chart(days: &[(String, Sums)]) -> String {
    let most = days.iter().map(|(_, sums)| highest(sums)).max().unwrap_or(0);
    let scale = Scale::up_to(most);
    let mut html = String::from("<div class=\"chart\"><div class=\"plot\">\n");
    for step in 0..=scale.steps {
        let (value, bottom) = (step * scale.step, 100.0 * ratio(step, scale.steps));
        let _ = writeln!(html, "<span class=\"y\" style=\"bottom:{bottom:.2}%\">{}</span>", short(value));
    }
    let _ = writeln!(
        html,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-labelledby=\"chart-title chart-text\">\n<title id=\"chart-title\">Page views, visitors and addresses a day</title>\n<desc id=\"chart-text\">{}</desc>",
        in_words(days)
    );
    for step in 0..=scale.steps {
        let y = HEIGHT - HEIGHT * ratio(step, scale.steps);
        let _ = writeln!(html, "<line class=\"grid\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
    }
    if days.len() <= DAYS_WITH_BARS_MAX {
        bars(&mut html, days, &scale);
    } else {
        bars_and_lines(&mut html, days, &scale);
    }
    html.push_str("</svg>\n");
    labels(&mut html, days);
    html.push_str("</div></div>\n");
    html
}

/// Three bars for each day.
fn bars(html: &mut String, days: &[(String, Sums)], scale: &Scale) {
    let slot = WIDTH / count(days.len());
    let group = (slot * 0.72).min(GROUP_WIDTH_MAX);
    for (index, (day, sums)) in days.iter().enumerate() {
        let left = slot * count(index) + (slot - group) / 2.0;
        let values = [("pv", sums.page_views), ("uv", sums.visitors), ("ip", sums.addresses)];
        for (place, (class, value)) in values.into_iter().enumerate() {
            let x = left + count(place) * group / 3.0;
            bar(html, class, (x, group / 3.0 - group / 40.0), scale.height(value));
        }
        hover(html, (slot * count(index), slot), day, sums);
    }
}

/// A bar of page views for each day, and lines over them.
fn bars_and_lines(html: &mut String, days: &[(String, Sums)], scale: &Scale) {
    let slot = WIDTH / count(days.len());
    for (index, (_, sums)) in days.iter().enumerate() {
        bar(html, "pv", (slot * (count(index) + 0.14), slot * 0.72), scale.height(sums.page_views));
    }
    line(html, "ip", days.iter().map(|(_, sums)| scale.height(sums.addresses)), slot);
    line(html, "uv", days.iter().map(|(_, sums)| scale.height(sums.visitors)), slot);
    for (index, (day, sums)) in days.iter().enumerate() {
        hover(html, (slot * count(index), slot), day, sums);
    }
}

fn bar(html: &mut String, class: &str, (x, width): (f64, f64), height: f64) {
    if height > 0.0 {
        let y = HEIGHT - height;
        let _ = writeln!(
            html,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.2}\" height=\"{height:.1}\"/>"
        );
    }
}

fn line(html: &mut String, class: &str, heights: impl Iterator<Item = f64>, slot: f64) {
    let _ = write!(html, "<polyline class=\"{class}\" points=\"");
    for (index, height) in heights.enumerate() {
        let _ = write!(html, "{:.1},{:.1} ", slot * (count(index) + 0.5), HEIGHT - height);
    }
    html.push_str("\"/>\n");
}

/// A place that says the numbers of its day when a pointer rests on it.
fn hover(html: &mut String, (x, width): (f64, f64), day: &str, sums: &Sums) {
    let _ = writeln!(
        html,
        "<rect class=\"day\" x=\"{x:.1}\" y=\"0\" width=\"{width:.2}\" height=\"{HEIGHT}\"><title>{}: {}</title></rect>",
        super::escape::escape(day),
        numbers(sums)
    );
}

fn labels(html: &mut String, days: &[(String, Sums)]) {
    let every = days.len().div_ceil(LABELS_MAX);
    for (place, (index, (day, _))) in days.iter().enumerate().step_by(every).enumerate() {
        let left = 100.0 * (count(index) + 0.5) / count(days.len());
        let class = if place.is_multiple_of(2) { "x" } else { "x second" };
        let _ = writeln!(html, "<span class=\"{class}\" style=\"left:{left:.2}%\">{}</span>", short_day(day));
    }
}

/// The chart for those who cannot see it.
fn in_words(days: &[(String, Sums)]) -> String {
    let (Some((first, _)), Some((last, _))) = (days.first(), days.last()) else { return String::new() };
    let most = days.iter().max_by_key(|(_, sums)| sums.page_views);
    let least = days.iter().min_by_key(|(_, sums)| sums.page_views);
    let mut text = format!("{} to {}.", super::escape::escape(first), super::escape::escape(last));
    for (what, found) in [("most", most), ("fewest", least)] {
        if let Some((day, sums)) = found {
            let _ =
                write!(text, " The {what} page views on {}: {}.", super::escape::escape(day), numbers(sums));
        }
    }
    text.push_str(" The table of days below has all numbers.");
    text
}

fn numbers(sums: &Sums) -> String {
    format!(
        "{}, {}, {}",
        table::count(sums.page_views, "page view"),
        table::count(sums.visitors, "visitor"),
        match sums.addresses {
            1 => "1 address".to_owned(),
            addresses => format!("{} addresses", table::number(addresses)),
        }
    )
}

fn highest(sums: &Sums) -> u64 {
    sums.page_views.max(sums.visitors).max(sums.addresses)
}

/// A day as `23 Nov`.
fn short_day(day: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = |date: jiff::civil::Date| {
        MONTHS.get(usize::from(date.month().unsigned_abs()).wrapping_sub(1)).copied()
    };
    match date(day).and_then(|date| month(date).map(|month| (date.day(), month))) {
        Some((day, month)) => format!("{day} {month}"),
        None => super::escape::escape(day),
    }
}

/// A number of at most four characters.
fn short(value: u64) -> String {
    for (unit, factor) in [("G", 1_000_000_000), ("M", 1_000_000), ("k", 1000)] {
        if value >= factor {
            let tenths = value / (factor / 10) % 10;
            let whole = value / factor;
            return if tenths == 0 || whole >= 100 {
                format!("{whole}{unit}")
            } else {
                format!("{whole}.{tenths}{unit}")
            };
        }
    }
    value.to_string()
}

/// The lines of the grid: round numbers.
struct Scale {
    step: u64,
    steps: u64,
}

impl Scale {
    fn up_to(most: u64) -> Self {
        let mut unit = 1_u64;
        loop {
            for factor in [1, 2, 5] {
                let step = unit.saturating_mul(factor);
                let steps = most.div_ceil(step).max(1);
                if steps <= STEPS_MAX {
                    return Self { step, steps };
                }
            }
            unit = unit.saturating_mul(10);
        }
    }

    fn height(&self, value: u64) -> f64 {
        HEIGHT * ratio(value, self.step.saturating_mul(self.steps))
    }
}

/// A share; what a double cannot hold exactly is far below a pixel.
#[expect(clippy::cast_precision_loss, reason = "a picture has fewer pixels than a double has digits")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn count(number: usize) -> f64 {
    ratio(number as u64, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(count: u64) -> Vec<(String, Sums)> {
        let sums =
            |day| Sums { page_views: day * 10, visitors: day * 3, addresses: day * 2, events: day * 20 };
        (1..=count).map(|day| (format!("2026-11-{day:02}"), sums(day))).collect()
    }

    #[test]
    fn the_grid_is_round() {
        let grid = |most| {
            let scale = Scale::up_to(most);
            (scale.step, scale.steps)
        };
        assert_eq!(
            [0, 1, 5, 6, 11, 99, 1234].map(grid),
            [(1, 1), (1, 1), (1, 5), (2, 3), (5, 3), (20, 5), (500, 3)]
        );
        assert!(Scale::up_to(u64::MAX).steps <= STEPS_MAX);
    }

    #[test]
    fn few_days_are_bars_and_many_are_lines() {
        let few = chart(&days(2));
        assert_eq!((few.matches("<rect class=\"uv\"").count(), few.matches("<polyline").count()), (2, 0));
        let many = chart(&days(30));
        assert_eq!((many.matches("<rect class=\"pv\"").count(), many.matches("<polyline").count()), (30, 2));
        assert!(
            many.contains("The most page views on 2026-11-30: 300 page views, 90 visitors, 60 addresses.")
        );
        assert!(many.matches("class=\"x").count() <= LABELS_MAX);
    }

    #[test]
    fn numbers_of_the_grid_are_short() {
        assert_eq!(
            [0, 999, 1500, 20_000, 2_500_000, 150_000_000].map(short),
            ["0", "999", "1.5k", "20k", "2.5M", "150M"]
        );
        assert_eq!((short_day("2026-11-03"), short_day("<x>")), ("3 Nov".to_owned(), "&lt;x&gt;".to_owned()));
    }
}

//! Compact tables and readable numbers.

use std::fmt::Write as _;

/// Dim, for what is less important; `anstream` removes it where no colours are wanted.
pub const DIM: &str = "\x1b[2m";
/// Bold.
pub const BOLD: &str = "\x1b[1m";
/// Red.
pub const RED: &str = "\x1b[31m";
/// Green.
pub const GREEN: &str = "\x1b[32m";
/// Yellow.
pub const YELLOW: &str = "\x1b[33m";
/// Back to normal.
pub const RESET: &str = "\x1b[0m";

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// For text.
    Left,
    /// For numbers.
    Right,
}

/// Sets rows under a heading, columns two spaces apart. Cells are escaped already and carry no colours.
#[must_use]
pub fn table(heading: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([heading[column].0.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let mut text = String::new();
    let titles: Vec<String> = heading.iter().map(|(title, _)| (*title).to_owned()).collect();
    let _ = writeln!(text, "{DIM}{}{RESET}", row(&titles, heading, &widths));
    for cells in rows {
        let _ = writeln!(text, "{}", row(cells, heading, &widths));
    }
    text
}

fn row(cells: &[String], heading: &[(&str, Align)], widths: &[usize]) -> String {
    let mut line = String::new();
    for ((cell, (_, align)), width) in cells.iter().zip(heading).zip(widths) {
        if !line.is_empty() {
            line.push_str("  ");
        }
        let _ = match align {
            Align::Left => write!(line, "{cell:<width$}"),
            Align::Right => write!(line, "{cell:>width$}"),
        };
    }
    line.truncate(line.trim_end().len());
    line
}

/// Words in lines of at most `width` characters; the first line begins with `prefix`, the others as deep.
#[must_use]
pub fn wrapped(text: &str, prefix: &str, width: usize) -> String {
    let indentation = " ".repeat(prefix.chars().count());
    let mut lines = vec![prefix.to_owned()];
    let mut is_first = true;
    // Leading spaces are part of an example.
    let (lead, text) = text.split_at(text.len() - text.trim_start().len());
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a line from the start");
        if is_first {
            line.push_str(lead);
        } else if line.chars().count() + 1 + word.chars().count() > width {
            lines.push(indentation.clone());
        } else {
            line.push(' ');
        }
        is_first = false;
        lines.last_mut().expect("there is a line from the start").push_str(word);
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

/// A number with thin groups of three: `1 234 567` as `1,234,567`.
#[must_use]
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 line`, `2 lines`.
#[must_use]
pub fn count(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", number(value), if value == 1 { "" } else { "s" })
}

/// A size in the unit that keeps it short.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, factor) in UNITS {
        if bytes >= factor {
            let tenths = u128::from(bytes) * 10 / u128::from(factor);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1023, 1536, 5 << 30].map(size), ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]);
        assert_eq!(size(u64::MAX), "16777216.0 TiB".replace("16777216.0", "16777215.9"));
        assert_eq!([1, 2].map(|value| count(value, "line")), ["1 line", "2 lines"]);
    }

    #[test]
    fn long_text_goes_on_below_where_it_began() {
        assert_eq!(wrapped("one two three", "  a  ", 12), "  a  one two\n     three\n");
        assert_eq!(wrapped("  as it is", "", 80), "  as it is\n");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["long".to_owned(), "1,000".to_owned()]];
        let text = table(&[("name", Align::Left), ("n", Align::Right)], &rows);
        assert_eq!(text, format!("{DIM}name      n{RESET}\na         1\nlong  1,000\n"));
    }
}

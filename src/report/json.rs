//! The report as the JSON that is a contract: one object, its rows sorted by day, site and page.

use std::io::{self, Write};

use super::model::Report;

/// Writes the object and a newline. Rows are written one by one: a large site has a million of them.
///
/// # Errors
/// The output takes no more.
pub fn write(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    out.write_all(br#"{"days":["#)?;
    for (index, row) in report.days().iter().enumerate() {
        separate(index, out)?;
        serde_json::to_writer(&mut *out, row)?;
    }
    out.write_all(br#"],"pages":["#)?;
    for (index, row) in report.pages().enumerate() {
        separate(index, out)?;
        serde_json::to_writer(&mut *out, &row)?;
    }
    out.write_all(br#"],"totals":"#)?;
    serde_json::to_writer(&mut *out, &report.totals())?;
    out.write_all(b"}\n")
}

fn separate(index: usize, out: &mut impl Write) -> io::Result<()> {
    if index == 0 { Ok(()) } else { out.write_all(b",") }
}

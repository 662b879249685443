//! PURE: the numbers that everything is for: page views, visitors and addresses a day, of each site and of each page.
//!
//! [`Tally`] counts events in any order and exactly; [`Report`] is what it counted within a [`DaySelection`] of days; the
//! rest shows it: as the JSON that is a contract, on a terminal, and as an HTML page that needs nothing else. Knows
//! neither files nor Kafka: whoever feeds the tally says where events come from.

mod encoded;
mod exclusions;
mod html;
mod intern;
mod json;
mod model;
mod pairs;
#[cfg(test)]
mod properties;
mod record;
mod selection;
mod tally;
mod text;

pub use html::{HtmlOptions, write as write_html};
pub use json::write as write_json;
pub use model::{DayRow, PageRow, Ranked, Report, Totals, Warning};
pub use record::Records;
pub use selection::{DaySelection, SelectionError};
pub use tally::{Seen, Tally};
pub use text::{By, TextOptions, text};

//! `day:`: which day a time belongs to.

use crate::config::node::{Node, quoted};
use crate::config::reader::{Section, nearest};
use crate::config::shape::Shape;
use crate::config::value::{Fault, Value};
use crate::event::compile;
use crate::event::rules::DayZone;

/// The word for the zone that each line names.
const LINE: &str = "log";

impl Value for DayZone {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = String::read(node)?;
        if text == LINE {
            return Ok(Self::Line);
        }
        Self::named(&text).ok_or_else(|| {
            let fault = format!("must be `{LINE}` or the name of a time zone, found {}", quoted(&text));
            Fault::new(fault, hint(&text))
        })
    }

    fn show(&self) -> String {
        self.name().unwrap_or(LINE).to_owned().show()
    }

    fn shape() -> Shape {
        Shape::text("log, or the name of a time zone")
    }
}

pub(super) fn read(mut section: Section<'_>) -> DayZone {
    let zone = section.optional("zone", DayZone::Line);
    section.finish();
    zone
}

/// A city without its continent is meant to be found; several hundred names are not meant to be listed.
fn hint(wrong: &str) -> String {
    let names = compile::zone_names();
    let city = wrong.to_lowercase().replace(' ', "_");
    let is_city = |name: &&String| name.to_lowercase().rsplit('/').next() == Some(&city);
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    match names.iter().find(is_city).map(String::as_str).or_else(|| nearest(wrong, &known)) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("write `{LINE}`, UTC or a name of the IANA database, such as Europe/Berlin"),
    }
}

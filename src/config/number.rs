//! Numbers with and without a unit, within bounds.

use std::ops::RangeInclusive;

use super::node::{Kind, Node};
use super::shape::Shape;
use super::units::Measure;
use super::value::Fault;

/// How a number is written.
#[derive(Clone, Copy)]
pub(super) enum Written {
    /// Without a unit.
    Count,
    /// With one.
    As(Measure),
}

impl Written {
    /// Reads a number that has to be within `bounds`, both ends included.
    pub(super) fn read<T>(self, node: &Node, bounds: &RangeInclusive<T>) -> Result<T, Fault>
    where
        T: Copy + TryFrom<u64> + Into<u64>,
    {
        let number = match self {
            Self::Count => count(node),
            Self::As(measure) => measured(node, measure),
        }?;
        let (low, high): (u64, u64) = ((*bounds.start()).into(), (*bounds.end()).into());
        let fitting = (low..=high).contains(&number).then(|| T::try_from(number).ok()).flatten();
        fitting.ok_or_else(|| {
            let (low, high) = (self.show(low), self.show(high));
            Fault::new(
                format!("must be {low} to {high}, found {}", self.show(number)),
                format!("write a value from {low} to {high}"),
            )
        })
    }

    /// What is accepted within `bounds`.
    pub(super) fn shape<T: Copy + Into<u64>>(self, bounds: &RangeInclusive<T>) -> Shape {
        let (low, high) = ((*bounds.start()).into(), (*bounds.end()).into());
        match self {
            Self::Count => Shape::whole(low.into(), high.into()),
            Self::As(measure) => Shape::measured(measure, low, high),
        }
    }

    /// The number as it would be written.
    pub(super) fn show(self, number: u64) -> String {
        match self {
            Self::Count => number.to_string(),
            Self::As(measure) => measure.show(number),
        }
    }
}

fn count(node: &Node) -> Result<u64, Fault> {
    let Kind::Integer(number) = &node.kind else {
        let fault = format!("must be a whole number, found {}", node.describe());
        return Err(Fault::new(fault, "write digits alone, without a unit"));
    };
    u64::try_from(*number)
        .map_err(|_| Fault::new(format!("is out of bounds: {number}"), "write a smaller number, not below 0"))
}

fn measured(node: &Node, measure: Measure) -> Result<u64, Fault> {
    let wrong = || {
        let fault = format!("must be {}, found {}", measure.noun(), node.describe());
        Fault::new(fault, format!("write a whole number with its unit, {}", measure.help()))
    };
    match &node.kind {
        Kind::Integer(0) => Ok(0),
        Kind::Integer(number) if *number > 0 => Err(Fault::new(
            format!("needs a unit, found {}", node.describe()),
            format!("write `{number}{}` if that is meant, {}", measure.smallest_unit(), measure.help()),
        )),
        Kind::Text(text) => measure.parse(text).ok_or_else(wrong),
        Kind::Null | Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => {
            Err(wrong())
        }
    }
}

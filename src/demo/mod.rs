//! The job of viewtail as a show that checks itself: a log that is written and rotated live, the real agent as a child
//! process that is restarted or killed on the way, the topic read back and counted.
//!
//! It knows the agent only by its command line, its configuration file and the topic, like everybody else.

mod agent;
mod calendar;
mod screen;
mod show;
mod tally;
mod traffic;
mod writer;

pub use screen::Style;
pub use show::{AgentFailed, Broker, Options, Outcome, Refused, play};
pub use tally::{DayCount, Tally};

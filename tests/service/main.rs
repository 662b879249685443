//! The systemd unit, and the agent under a service manager: what it says, and when.

#[path = "../support/mod.rs"]
mod support;

mod alerts;
mod journal;
mod notify;
mod secrets;
mod unit;

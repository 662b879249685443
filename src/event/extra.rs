//! Further variables of the format, as `x_<name>` behind everything else.

use super::limits::{EXTRA_BYTES_MAX, EXTRA_KEYS_BYTES_MAX};
use super::text::{capped, copy_without_users, push_lossy};
use crate::format::{Fields, Format, Slot};

/// What ends the part of a URL in which a user may stand.
const URL_STOPS: &[u8] = b"/?# \t\r\n";

/// What tells who somebody is, or lets somebody in: never in an event, whatever the configuration says.
const SECRETS: [&str; 6] = [
    "http_cookie",
    "uid_got",
    "uid_set",
    "http_authorization",
    "http_proxy_authorization",
    "sent_http_set_cookie",
];

/// Writes the chosen variables.
#[derive(Debug)]
pub(super) struct Extras {
    /// The key with the separator before and the quote behind it, and where the value is.
    chosen: Vec<(Vec<u8>, Slot)>,
    decoded: Vec<u8>,
    clean: Vec<u8>,
}

impl Extras {
    /// Finds the variables in the format; those it does not have, and secrets, are left out. They stand in the order of
    /// their names, so that the configuration's order is nobody's business.
    pub(super) fn new(names: &[String], format: &Format) -> Self {
        let mut chosen: Vec<(Vec<u8>, Slot)> = Vec::new();
        let mut size = 0;
        for name in names.iter().filter(|name| may_be_shown(name)) {
            let Some(slot) = format.slot(name) else { continue };
            let key = format!(r#","x_{name}":""#).into_bytes();
            size += key.len() + 1;
            if size <= EXTRA_KEYS_BYTES_MAX && chosen.iter().all(|(known, _)| *known != key) {
                chosen.push((key, slot));
            }
        }
        chosen.sort_unstable_by(|(one, _), (next, _)| one.cmp(next));
        Self { chosen, decoded: Vec::new(), clean: Vec::new() }
    }

    /// Appends those that the line has, at most [`EXTRA_BYTES_MAX`] bytes of values.
    pub(super) fn push(&mut self, fields: &Fields<'_>, out: &mut Vec<u8>) {
        let mut room = EXTRA_BYTES_MAX;
        for (key, slot) in &self.chosen {
            let Some(value) = fields.at(*slot) else { continue };
            copy_without_users(&mut self.clean, value.decode(&mut self.decoded), URL_STOPS, EXTRA_BYTES_MAX);
            let value = capped(&self.clean, room);
            room -= value.len();
            out.extend_from_slice(key);
            push_lossy(out, value);
            out.push(b'"');
        }
    }
}

/// Whether a variable, by its name without `$`, may become a field of an event.
#[must_use]
pub fn may_be_shown(name: &str) -> bool {
    !name.starts_with("cookie_")
        && !SECRETS.contains(&name)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

//! Events as viewtail prints or delivers them, held against the published schema.

use super::schema;

/// Asserts that each line is an event.
///
/// # Panics
/// When one is not of the schema.
pub fn assert_valid(lines: &[u8]) {
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if let Err(error) = schema::read(line) {
            panic!("no event of the schema: {error}");
        }
    }
}

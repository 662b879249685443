//! Two logs of the same requests, held against each other line by line and field by field.
//!
//! The reference has one value between two tabs, written so that no value holds a tab, and is decoded here, by other
//! code than viewtail's.

use std::collections::BTreeMap;
use std::path::Path;

use viewtail::format::{Format, Spans};

/// Differences shown before giving up: more say nothing new.
const SHOWN: usize = 8;

/// The request's values by the format's names of them.
pub type Truth = BTreeMap<String, Vec<u8>>;

/// How the reference writes a value: with the escapes that C and JSON share, and one of its own for other bytes.
#[derive(Debug)]
pub struct Dialect {
    /// What follows a backslash where a byte is written in hexadecimal digits.
    pub hex_mark: u8,
    /// How many digits.
    pub hex_digits: usize,
    /// How it writes a value that is none.
    pub absent: &'static [&'static [u8]],
}

impl Dialect {
    /// The value behind its escapes; `None` where it is written as absent.
    fn decode(&self, written: &[u8]) -> Option<Vec<u8>> {
        if self.absent.contains(&written) {
            return None;
        }
        let mut out = Vec::new();
        let mut rest = written.iter().copied();
        while let Some(byte) = rest.next() {
            if byte != b'\\' {
                out.push(byte);
                continue;
            }
            out.push(match rest.next().expect("an escape is more than a backslash") {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 8,
                b'f' => 12,
                b'v' => 11,
                mark if mark == self.hex_mark => {
                    let digits: Vec<u8> = rest.by_ref().take(self.hex_digits).collect();
                    let text = std::str::from_utf8(&digits).expect("hexadecimal digits");
                    u8::from_str_radix(text, 16).expect("a byte")
                }
                itself => itself,
            });
        }
        Some(out)
    }
}

/// The lines of a log, without their newlines.
///
/// # Panics
/// When it cannot be read, or its last line is not finished.
pub fn lines(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(bytes.ends_with(b"\n"), "{} does not end with a newline", path.display());
    bytes[..bytes.len() - 1].split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Reads the reference: one map from `names` to values per line.
///
/// # Panics
/// When a line has not as many values as there are names.
pub fn reference(path: &Path, names: &[&str], dialect: &Dialect) -> Vec<Truth> {
    let truth = |line: &Vec<u8>| {
        let values: Vec<&[u8]> = line.split(|&byte| byte == b'\t').collect();
        assert_eq!(values.len(), names.len(), "{}", String::from_utf8_lossy(line));
        let known = names.iter().zip(values).filter_map(|(name, value)| Some((name, dialect.decode(value)?)));
        known.map(|(name, value)| ((*name).to_owned(), value)).collect()
    };
    lines(path).iter().map(truth).collect()
}

/// Asserts that `format` reads from each line of `log` what the reference has for that request. A value that is
/// literally `-` is the one thing that formats cannot tell from none.
///
/// # Panics
/// With the first differences; and when the format has a variable that the reference lacks.
pub fn assert_equal(log: &Path, format: &Format, truths: &[Truth], names: &[&str]) {
    let lines = lines(log);
    assert_eq!(lines.len(), truths.len(), "{}: lines", log.display());
    for name in format.names() {
        assert!(names.contains(&name), "the reference lacks ${name}");
    }
    let mut spans = Spans::default();
    let mut differences = Vec::new();
    for (number, (line, truth)) in lines.iter().zip(truths).enumerate() {
        let shown = || format!("{}:{}: {}", log.display(), number + 1, String::from_utf8_lossy(line));
        let Some(fields) = format.split(line, &mut spans) else {
            differences.push(format!("not of its format: {}", shown()));
            continue;
        };
        for name in format.names() {
            let slot = format.slot(name).expect("the name is the format's");
            let mut scratch = Vec::new();
            let read = fields.at(slot).map(|value| value.decode(&mut scratch).to_vec()).unwrap_or_default();
            let written = truth.get(name).map_or(&b""[..], Vec::as_slice);
            let is_equal = read == written || (read.is_empty() && written == b"-");
            if !is_equal {
                let [read, written] = [&read[..], written].map(|value| value.escape_ascii().to_string());
                differences.push(format!("${name} is read {read:?}, was {written:?}: {}", shown()));
            }
        }
    }
    let first: Vec<String> =
        differences.iter().take(SHOWN).map(|text| text.chars().take(700).collect()).collect();
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), first.join("\n"));
}

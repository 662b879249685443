//! ROWS.md against the tests: every row has a test that bears its number, and the table names what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rows of the matrix.
const ROWS: u32 = 53;

/// Where tests of rows are.
const PLACES: [&str; 4] = ["tests/matrix", "tests/kafka", "tests/sim", "src"];

/// One line of the table.
struct Line {
    row: u32,
    tests: BTreeSet<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn table() -> Vec<Line> {
    let text = std::fs::read_to_string(root().join("tests/matrix/ROWS.md")).expect("the table is there");
    let lines = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let row = cells.first()?.parse().ok()?;
        assert_eq!(cells.len(), 4, "row {row} has its number, case, result and tests");
        assert!(cells[1..3].iter().all(|cell| !cell.is_empty()), "row {row} says nothing");
        let names = cells[3].split('`').skip(1).step_by(2);
        Some(Line { row, tests: names.map(str::to_owned).collect() })
    });
    lines.collect()
}

/// Every test that bears a row's number, with its row.
fn tests_of_rows() -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let mut waiting: Vec<PathBuf> = PLACES.iter().map(|place| root().join(place)).collect();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("the sources can be listed");
            waiting.extend(entries.map(|entry| entry.expect("the sources can be listed").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("source is text");
            for (name, row) in tests_in(&text) {
                let taken = found.insert(name.clone(), row);
                assert!(taken.is_none(), "two tests are called {name}");
            }
        }
    }
    found
}

/// The tests of one file: `#[test]`, then `fn row_07_...()`.
fn tests_in(text: &str) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line != "#[test]" {
            continue;
        }
        let name =
            lines.next().and_then(|line| line.strip_prefix("fn ")).and_then(|line| line.split('(').next());
        let Some(name) = name else { continue };
        let number =
            name.strip_prefix("row_").and_then(|rest| rest.get(..2)).and_then(|row| row.parse().ok());
        found.extend(number.map(|row| (name.to_owned(), row)));
    }
    found
}

#[test]
fn every_row_is_in_the_table_once_and_in_order() {
    let rows: Vec<u32> = table().iter().map(|line| line.row).collect();
    assert_eq!(rows, (1..=ROWS).collect::<Vec<_>>());
}

#[test]
fn every_row_has_a_test_that_bears_its_number() {
    let covered: BTreeSet<u32> = tests_of_rows().into_values().collect();
    let open: Vec<u32> = (1..=ROWS).filter(|row| !covered.contains(row)).collect();
    assert!(open.is_empty(), "rows without a test: {open:?}");
}

#[test]
fn the_table_names_exactly_the_tests_that_are_there() {
    let there = tests_of_rows();
    for line in table() {
        let of_row = there.iter().filter(|(_, row)| **row == line.row);
        let wanted: BTreeSet<String> = of_row.map(|(name, _)| name.clone()).collect();
        assert_eq!(line.tests, wanted, "tests/matrix/ROWS.md, row {}", line.row);
    }
}

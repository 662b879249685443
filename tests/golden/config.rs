//! Wrong configurations and the errors for them, warnings of doubtful ones, and what `config show` prints.
//!
//! Each `tests/golden/config/<case>.yaml` has its `<case>.txt` beside it.

use std::path::Path;

use viewtail::config::{self, Style};

use super::{cases, check};

#[test]
fn every_configuration_gives_the_text_beside_it() {
    let mut files: Vec<_> =
        std::fs::read_dir(cases("config")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() >= 20, "cases are missing: {}", files.len());
    let wrong: Vec<String> =
        files.iter().filter_map(|file| check(&file.with_extension("txt"), &text_of(file)).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Errors, or warnings and effective values.
fn text_of(file: &Path) -> String {
    let yaml = std::fs::read_to_string(file).expect("a case can be read");
    match config::parse(&yaml, "agent.yaml") {
        Err(errors) => errors.render(Style::Plain),
        Ok((config, warnings)) => {
            let warnings: String =
                warnings.iter().map(|warning| warning.render(Style::Plain) + "\n").collect();
            warnings + &config::show(&config)
        }
    }
}

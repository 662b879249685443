//! The manual as `man` shows it.

use std::process::Command;

use crate::made::{staged, succeed};

fn shown(page: &str) -> String {
    let path = staged().join("usr/share/man").join(page);
    let mut man = Command::new("man");
    // Whatever groff has to say comes on stderr, which is part of the text.
    man.args(["--warnings", "--encoding=utf8", "--local-file"]).arg(path);
    man.env("MANWIDTH", "80").env("MANROFFOPT", "").env("LC_ALL", "C.UTF-8").env("MAN_KEEP_FORMATTING", "");
    succeed(&mut man)
}

fn assert_clean(page: &str) -> String {
    let text = shown(page);
    for line in text.lines() {
        // After the place: an option may be called an error, too.
        assert!(!line.contains(": warning:") && !line.contains(": error:"), "{page}: {line}");
        // An example may stick out, as one with a line of a log does; a paragraph that was not filled would do so by far.
        assert!(line.chars().count() <= 130, "{page}: {line}");
        // Two stars alone are a glob.
        let is_marked = line.split_whitespace().any(|word| word.starts_with("**") && word.len() > 2);
        assert!(!is_marked && !line.contains("]("), "{page} shows Markdown: {line}");
    }
    text
}

#[test]
fn the_manual_of_the_command_reads_well() {
    let text = assert_clean("man1/viewtail.1.gz");
    for heading in
        ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "EXIT STATUS", "FILES", "LIMITS", "SEE ALSO"]
    {
        assert!(text.lines().any(|line| line == heading), "{heading}:\n{text}");
    }
}

#[test]
fn the_manual_of_the_configuration_reads_well() {
    let text = assert_clean("man5/viewtail.yaml.5.gz");
    for line in
        ["NAME", "DESCRIPTION", "EXAMPLE", "OPTIONS", "   kafka", "       kafka.flush.bytes", "SEE ALSO"]
    {
        assert!(text.lines().any(|shown| shown == line), "{line}:\n{text}");
    }
}

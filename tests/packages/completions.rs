//! The completions, as bash asks for them; the scripts of the other shells come from the same tree.

use std::process::Command;

use crate::made::{staged, succeed};

/// What bash offers for the last of these words.
fn offered(words: &[&str]) -> Vec<String> {
    let script = "source \"$0\"; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                  _viewtail viewtail \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; \
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", script]).arg(staged().join("usr/share/bash-completion/completions/viewtail"));
    succeed(bash.args(words)).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    assert_eq!(offered(&["viewtail", "pre"]), ["preview"]);
    assert_eq!(offered(&["viewtail", "config", "ex"]), ["explain"]);
    assert_eq!(offered(&["viewtail", "init", "--bro"]), ["--brokers"]);
    assert_eq!(offered(&["viewtail", "man", "viewtail."]), ["viewtail.yaml"]);
}

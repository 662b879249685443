//! `viewtail demo` without a broker to show it on.

use crate::binary::call;

#[test]
fn a_missing_real_broker_is_temporary_and_leaves_nothing_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let called = std::process::Command::new(env!("CARGO_BIN_EXE_viewtail"))
        .args(["demo", "--brokers", "127.0.0.1:1", "--kill"])
        .env("TMPDIR", scratch.path())
        .output()
        .unwrap();
    assert_eq!(called.status.code(), Some(75), "{}", String::from_utf8_lossy(&called.stderr));
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn the_help_says_what_the_embedded_broker_cannot_do() {
    let called = call(&["demo", "--help"]);
    assert!(called.stdout.contains("cannot prove exactly-once"), "{}", called.stdout);
}

//! The unit as systemd's own checker reads it.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::support::scratch::Scratch;

/// `systemd-analyze security` in tenths: 0 is locked up, 100 is open.
const EXPOSURE_TENTHS_MAX: u32 = 15;
/// The same with the drop-in for leases.
const EXPOSURE_WITH_LEASES_TENTHS_MAX: u32 = 20;

/// The unit in a directory of its own, with its program replaced by one that is there.
fn unit(scratch: &Scratch) -> PathBuf {
    let text = source("viewtail.service");
    let path = scratch.join("viewtail.service");
    let (before, after) = ("ExecStart=/usr/bin/viewtail ", "ExecStart=/bin/true ");
    assert!(text.contains(before), "the unit runs the binary of the package");
    std::fs::write(&path, text.replace(before, after)).expect("the scratch directory takes a file");
    path
}

fn source(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn analyze(arguments: &[&str], unit: &PathBuf) -> Output {
    let mut command = Command::new("systemd-analyze");
    command
        .args(arguments)
        .arg(unit)
        .output()
        .expect("systemd-analyze is installed: tests/tools/setup.sh test")
}

fn assert_exposure(unit: &PathBuf, tenths_max: u32) {
    let threshold = format!("--threshold={tenths_max}");
    let output = analyze(&["security", "--offline=yes", "--no-pager", &threshold], unit);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "more exposed than {tenths_max} tenths:\n{text}");
    assert!(text.contains("Overall exposure level"), "{text}");
}

#[test]
fn systemd_finds_nothing_to_say_about_the_unit() {
    let scratch = Scratch::new("service-verify");
    let output = analyze(&["verify", "--man=no"], &unit(&scratch));
    // Its exit code says nothing of unknown keys and wrong values; its words do.
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success(), "{}", output.status);
}

#[test]
fn the_unit_is_locked_up() {
    let scratch = Scratch::new("service-security");
    assert_exposure(&unit(&scratch), EXPOSURE_TENTHS_MAX);
}

#[test]
fn the_drop_in_for_leases_opens_little() {
    let scratch = Scratch::new("service-lease");
    let unit = unit(&scratch);
    // Offline, systemd-analyze reads no drop-ins: what the drop-in says takes the place of what the unit says.
    let drop_in = source("lease.conf");
    let mut text = std::fs::read_to_string(&unit).expect("the unit was written");
    let settings = drop_in.lines().filter(|line| line.contains('=') && !line.starts_with('#'));
    for setting in settings {
        let (key, _) = setting.split_once('=').expect("a setting has a value");
        let replaced = text.lines().find(|line| line.split('=').next() == Some(key));
        let replaced = replaced.unwrap_or_else(|| panic!("the unit does not say {key}")).to_owned();
        text = text.replacen(&format!("\n{replaced}\n"), &format!("\n{setting}\n"), 1);
    }
    std::fs::write(&unit, text).expect("the scratch directory takes a file");
    assert_exposure(&unit, EXPOSURE_WITH_LEASES_TENTHS_MAX);
}

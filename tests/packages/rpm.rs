//! The rpm through its life.
//!
//! The system is Debian's all the same: rpm is given its root directory and no other packages, so what it requires is
//! read from it instead, and its scripts run with what they ask for.

use std::process::Command;

use crate::chroot::Chroot;
use crate::made::{Kind, package, run, source, succeed};

const CONFIG: &str = "/etc/viewtail/agent.yaml";
const EDITED: &str = "# edited by the administrator\n";

fn rpm(chroot: &Chroot, arguments: &[&str]) -> Command {
    let mut command = chroot.mounted();
    // Debian warns against rpm on Debian, which is not what this is.
    command.args(["rpm", "--force-debian", "--root"]).arg(chroot.root());
    command.args(["--dbpath", "/var/lib/rpm"]).args(arguments);
    command
}

fn install(chroot: &Chroot, revision: u32) -> String {
    let mut command = rpm(chroot, &["--upgrade", "--nodeps", "--nosignature"]);
    succeed(command.arg(package(Kind::Rpm, revision)))
}

#[test]
fn rpmlint_has_nothing_to_say() {
    let mut command = Command::new("rpmlint");
    command.arg("--config").arg(source().join("packaging/rpm/rpmlint.toml"));
    let (code, text) = run(command.arg(package(Kind::Rpm, 1)));
    assert!(text.contains("0 errors, 0 warnings"), "{text}");
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn it_requires_what_every_system_of_its_kind_has() {
    let required = succeed(Command::new("rpm").args(["-qpR", "--nosignature"]).arg(package(Kind::Rpm, 1)));
    assert!(required.contains("systemd\n") && required.contains("libc.so.6"), "{required}");
    // Older rpm provides no group(...), so that nothing could be installed there that requires one.
    assert!(!required.contains("group("), "{required}");
}

#[test]
fn installed_verified_edited_upgraded_and_erased() {
    let chroot = Chroot::new("rpm-life");
    chroot.pretend_systemd();
    let said = install(&chroot, 1);
    for step in ["viewtail init", "viewtail check", "systemctl enable --now viewtail"] {
        assert!(said.contains(step), "the next steps are told:\n{said}");
    }
    let asked = chroot.asked_of_systemd();
    assert!(!asked.contains("start") && !asked.contains("enable"), "neither started nor enabled:\n{asked}");
    assert_eq!(chroot.succeed("id -un viewtail").trim(), "viewtail");
    assert_eq!(chroot.succeed("stat -c '%a %U:%G' /var/lib/viewtail").trim(), "750 viewtail:viewtail");
    assert_eq!(succeed(&mut rpm(&chroot, &["--verify", "--nodeps", "viewtail"])), "");
    assert_eq!(chroot.succeed(&format!("stat -c '%a %U:%G' {CONFIG}")).trim(), "644 root:root");
    assert!(chroot.at("/etc/viewtail/conf.d").is_dir(), "agent.yaml may include what is in it");
    let said = chroot.succeed("viewtail demo");
    assert!(said.contains("none missing, none doubled"), "{said}");

    let text = std::fs::read_to_string(chroot.at(CONFIG)).expect("the configuration is installed");
    std::fs::write(chroot.at(CONFIG), text + EDITED).expect("the configuration can be edited");
    let (_, verified) = run(&mut rpm(&chroot, &["--verify", "--nodeps", "viewtail"]));
    assert!(verified.contains(&format!("c {CONFIG}")), "a configuration file, and changed:\n{verified}");
    let said = install(&chroot, 2);
    assert!(!said.contains("systemctl enable"), "an upgrade has no next steps:\n{said}");
    let kept = std::fs::read_to_string(chroot.at(CONFIG)).expect("the configuration is there");
    assert!(kept.ends_with(EDITED), "an upgrade keeps what was edited");
    let asked = chroot.asked_of_systemd();
    assert!(asked.contains("try-restart viewtail.service") && !asked.contains("disable"), "{asked}");

    chroot.succeed("touch /var/lib/viewtail/positions");
    succeed(&mut rpm(&chroot, &["--erase", "viewtail"]));
    let asked = chroot.asked_of_systemd();
    assert!(asked.contains("disable --now viewtail.service"), "{asked}");
    assert!(!chroot.at("/usr/bin/viewtail").exists());
    assert!(chroot.at(&format!("{CONFIG}.rpmsave")).exists(), "what was edited is kept");
    assert!(chroot.at("/var/lib/viewtail/positions").exists(), "and so is the state");
}

//! The Debian package through its life in a system of its own.

use std::process::Command;

use crate::chroot::Chroot;
use crate::made::{Kind, package, succeed};

const CONFIG: &str = "/etc/viewtail/agent.yaml";
const EDITED: &str = "# edited by the administrator\n";

fn install(chroot: &Chroot, revision: u32) -> String {
    let package = chroot.take(&package(Kind::Deb, revision));
    chroot.succeed(&format!("dpkg --install {package}"))
}

fn edit(chroot: &Chroot) {
    let path = chroot.at(CONFIG);
    let text = std::fs::read_to_string(&path).expect("the configuration is installed");
    std::fs::write(&path, text + EDITED).expect("the configuration can be edited");
}

#[test]
fn lintian_has_nothing_to_say() {
    let mut lintian = Command::new("lintian");
    lintian.args(["--fail-on", "error,warning", "--tag-display-limit", "0", "--allow-root"]);
    let text = succeed(lintian.arg(package(Kind::Deb, 1)));
    assert!(!text.contains("E: ") && !text.contains("W: "), "{text}");
}

#[test]
fn installed_edited_upgraded_removed_and_purged() {
    let chroot = Chroot::new("deb-life");
    let said = install(&chroot, 1);
    for step in ["viewtail init", "viewtail check", "systemctl enable --now viewtail"] {
        assert!(said.contains(step), "the next steps are told:\n{said}");
    }
    assert_eq!(chroot.run("systemctl is-enabled viewtail").1.trim(), "disabled", "nobody asked for it");
    assert_eq!(chroot.succeed("id -un viewtail").trim(), "viewtail");
    assert_eq!(chroot.succeed("stat -c '%a %U:%G' /var/lib/viewtail").trim(), "750 viewtail:viewtail");
    assert_eq!(chroot.succeed("dpkg --verify viewtail"), "");
    assert_eq!(chroot.succeed(&format!("stat -c '%a %U:%G' {CONFIG}")).trim(), "644 root:root");
    assert!(chroot.at("/etc/viewtail/conf.d").is_dir(), "agent.yaml may include what is in it");

    edit(&chroot);
    chroot.succeed("touch /var/lib/viewtail/positions");
    chroot.succeed("touch /etc/viewtail/kafka-password");
    let said = install(&chroot, 2);
    assert!(!said.contains("systemctl enable"), "an upgrade has no next steps:\n{said}");
    let kept = || std::fs::read_to_string(chroot.at(CONFIG)).is_ok_and(|text| text.ends_with(EDITED));
    assert!(kept(), "an upgrade keeps what was edited");

    chroot.succeed("dpkg --remove viewtail");
    assert!(!chroot.at("/usr/bin/viewtail").exists());
    assert!(kept() && chroot.at("/var/lib/viewtail/positions").exists(), "removing keeps both");

    chroot.succeed("dpkg --purge viewtail");
    assert!(
        !chroot.at("/etc/viewtail").exists() && !chroot.at("/var/lib/viewtail").exists(),
        "purging does not"
    );
    assert_eq!(
        chroot.succeed("find / -xdev -name '*viewtail*' -not -path '/proc/*' -not -path '/root/*'"),
        ""
    );
}

#[test]
fn only_a_running_service_is_restarted_by_an_upgrade() {
    let chroot = Chroot::new("deb-service");
    chroot.pretend_systemd();
    install(&chroot, 1);
    let asked = chroot.asked_of_systemd();
    let starts = |asked: &str| asked.lines().any(|line| line.contains("start viewtail"));
    assert!(!starts(&asked) && !asked.contains("enable "), "neither started nor enabled:\n{asked}");
    install(&chroot, 2);
    let asked = chroot.asked_of_systemd();
    // try-restart leaves alone what does not run; nothing stops the old one before.
    assert!(asked.contains("try-restart viewtail.service"), "{asked}");
    assert!(!asked.contains("stop"), "{asked}");
    chroot.succeed("dpkg --remove viewtail");
    let asked = chroot.asked_of_systemd();
    assert!(asked.contains("stop viewtail.service"), "{asked}");
}

#[test]
fn the_installed_program_does_its_work() {
    let chroot = Chroot::new("deb-works");
    install(&chroot, 1);
    let said = chroot.succeed("viewtail demo");
    assert!(said.contains("none missing, none doubled"), "{said}");
    // A site as the web server leaves it, and no broker: the shipped configuration is right but for that.
    chroot.succeed("install -d -g adm -m 755 /var/log/nginx");
    let line = "192.0.2.7 - - [23/Nov/2026:06:47:00 +0100] \"GET / HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0\"";
    chroot.succeed(&format!("echo '{line}' >/var/log/nginx/access.log"));
    chroot.succeed("chown www-data:adm /var/log/nginx/access.log && chmod 640 /var/log/nginx/access.log");
    // The machine's id and the port of a broker that is not there.
    chroot.succeed(
        "systemd-machine-id-setup && sed -i 's/localhost:9092/127.0.0.1:1/' /etc/viewtail/agent.yaml",
    );
    let check = "setpriv --reuid viewtail --regid viewtail --groups adm viewtail check";
    let (code, said) = chroot.run(check);
    assert_eq!(code, Some(75), "only Kafka is missing:\n{said}");
    assert!(said.contains("127.0.0.1:1"), "{said}");
    // Nobody but the service's groups may read the log: said as what it is.
    let (code, said) = chroot.run(&check.replace("--groups adm", "--clear-groups"));
    assert_eq!(code, Some(77), "the log may not be read:\n{said}");
    let report = chroot
        .succeed("viewtail report /var/log/nginx/access.log --format combined --site example.org --json");
    assert!(report.contains("\"page_views\":1"), "{report}");
}

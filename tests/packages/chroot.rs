//! A small system of its own, in which programs see nothing of this machine but its kernel and its loopback.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::made::{run, source, succeed};
use crate::scratch::Scratch;

/// A freshly unpacked system; gone with the test.
pub struct Chroot {
    scratch: Scratch,
}

impl Chroot {
    /// Unpacks what `tests/tools/setup.sh test` made.
    pub fn new(name: &str) -> Self {
        let archive = source().join("target/chroot.tar");
        assert!(archive.is_file(), "target/chroot.tar is missing; make it with: tests/tools/setup.sh test");
        let chroot = Self { scratch: Scratch::new(name) };
        let mut command = Command::new("tar");
        succeed(command.arg("-xpf").arg(archive).arg("-C").arg(chroot.root()).arg("--numeric-owner"));
        chroot
    }

    /// Its root directory.
    pub fn root(&self) -> &Path {
        self.scratch.path()
    }

    /// A path of its, seen from here.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// Copies a file to this directory of it; its path in there.
    pub fn take(&self, file: &Path) -> String {
        let name = file.file_name().expect("a package has a name").to_string_lossy();
        std::fs::copy(file, self.at("/root").join(&*name)).expect("the chroot takes a file");
        format!("/root/{name}")
    }

    /// What stands before a command that sees its own processes in there. What it leaves running ends with it.
    pub fn mounted(&self) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child"]);
        command.arg(format!("--mount-proc={}", self.at("/proc").display()));
        command
    }

    /// A command of a shell in there.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = self.mounted();
        command.arg("chroot").arg(self.root());
        command.args([
            "/usr/bin/env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "LC_ALL=C.UTF-8",
        ]);
        command.args(["DEBIAN_FRONTEND=noninteractive", "/bin/sh", "-c", script]);
        command
    }

    /// What a command said that has to succeed.
    pub fn succeed(&self, script: &str) -> String {
        succeed(&mut self.shell(script))
    }

    /// How a command ended and what it said.
    pub fn run(&self, script: &str) -> (Option<i32>, String) {
        run(&mut self.shell(script))
    }

    /// Makes the scripts of packages believe that systemd runs; what they ask of it is written down, and every service
    /// counts as running.
    pub fn pretend_systemd(&self) {
        std::fs::create_dir_all(self.at("/run/systemd/system")).expect("the chroot takes a directory");
        let script = "#!/bin/sh\necho \"$*\" >>/root/systemctl.log\n\
                      case \"$*\" in *is-enabled*) echo enabled ;; *is-active*) echo active ;; esac\n";
        let path = self.at("/usr/bin/systemctl");
        std::fs::remove_file(&path).expect("the chroot has systemd");
        std::fs::write(&path, script).expect("the chroot takes a file");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("a file of ours can be made executable");
    }

    /// What was asked of systemd since the last time.
    pub fn asked_of_systemd(&self) -> String {
        let path = self.at("/root/systemctl.log");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(&path, "").expect("the chroot takes a file");
        text
    }
}

//! The agent under the restrictions of the unit that is shipped: what systemd would forbid is forbidden, and it works.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::stage::Stage;
use crate::support::access_log::AccessLog;
use crate::support::agent::{Agent, binary};
use crate::support::process::command;
use crate::support::writer::{lines_in, write_lines};

/// The user and group of the service, where it is not installed: nobody.
const SERVICE: u32 = 65534;
/// Starting a Python program and a few mounts come before the agent.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// Tries one thing that the unit forbids each, and prints what came of it.
const PROBES: &str = r#"
import ctypes, mmap, os, socket
def probe(name, action):
    try:
        action()
        print(name, "allowed")
    except OSError as error:
        print(name, error.strerror)
libc = ctypes.CDLL(None, use_errno=True)
def call(function, *arguments):
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
probe("write /etc", lambda: open("/etc/viewtail-probe", "w"))
probe("list /root", lambda: os.listdir("/root"))
probe("another process", lambda: open("/proc/1/status"))
probe("kernel settings", lambda: open("/proc/sys/kernel/hostname"))
probe("a disk", lambda: os.stat("/dev/vda"))
probe("a netlink socket", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
probe("a namespace", lambda: call(libc.unshare, 0x10000000))
probe("a faster turn", lambda: os.nice(-1))
probe("a set-uid bit", lambda: os.chmod("/nonexistent", 0o4755))
probe("a debugger", lambda: call(libc.ptrace, 0, 0, 0, 0))
probe("code in data", lambda: mmap.mmap(-1, 4096, prot=7))
probe("an inet socket", lambda: socket.socket(socket.AF_INET))
probe("the state", lambda: open(os.environ["STATE"] + "/probe", "w"))
"#;
const ANSWERS: &str = "\
write /etc Read-only file system
list /root Permission denied
another process No such file or directory
kernel settings No such file or directory
a disk No such file or directory
a netlink socket Address family not supported by protocol
a namespace Operation not permitted
a faster turn Operation not permitted
a set-uid bit Operation not permitted
a debugger Operation not permitted
code in data Operation not permitted
an inet socket allowed
the state allowed
";

/// `sandbox.py` with the unit, up to where the command is due.
fn sandbox(state: &Path, show: &Path) -> Command {
    assert!(
        rustix::process::geteuid().is_root(),
        "only root can build the service's sandbox: sudo make test"
    );
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    // Debian's Python is the one with Debian's libseccomp.
    let mut command = command("/usr/bin/python3");
    command.arg(source.join("tests/tools/sandbox.py")).arg(source.join("systemd/viewtail.service"));
    command.arg("--state").arg(state).arg("--show").arg(show).arg("--");
    command
}

fn state_of_service(path: &Path) {
    std::fs::create_dir_all(path).expect("the state directory can be made");
    chown(path, Some(SERVICE), Some(SERVICE)).expect("root can give it away");
}

fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a mode can be set");
}

#[test]
fn the_service_delivers_within_its_sandbox() {
    let stage = Stage::shared("sandbox");
    let config = stage.config();
    open_to_all(stage.scratch.path());
    open_to_all(&stage.scratch.join("logs"));
    state_of_service(&config.state_dir);
    let program = stage.scratch.join("viewtail");
    std::fs::copy(binary(), &program).expect("the binary can be copied");
    let truth = stage.scratch.join("truth");
    let mut source = AccessLog::new("w1", 7);
    write_lines(&stage.log(), &mut source, 500, &truth);
    // As Debian's nginx leaves it: the group adm alone is what lets the service in.
    let adm = std::fs::read_to_string("/etc/group").expect("there are groups");
    let adm = adm.lines().find(|line| line.starts_with("adm:")).expect("Debian has the group adm");
    let adm = adm.split(':').nth(2).and_then(|id| id.parse().ok()).expect("a group has a number");
    chown(stage.log(), Some(0), Some(adm)).expect("root can give it away");
    std::fs::set_permissions(stage.log(), Permissions::from_mode(0o640)).expect("a mode can be set");

    let manager = UnixDatagram::bind(stage.scratch.join("notify")).expect("a socket can be bound");
    std::fs::set_permissions(stage.scratch.join("notify"), Permissions::from_mode(0o777))
        .expect("a mode can be set");
    manager.set_read_timeout(Some(READY_LIMIT)).expect("the limit is valid");
    let counter = stage.counter();
    let spawn = || {
        let mut starter = sandbox(&config.state_dir, stage.scratch.path());
        starter.arg(&program).env("NOTIFY_SOCKET", stage.scratch.join("notify"));
        Agent::spawn_with(stage.scratch.path(), &config, starter, |_| {})
    };
    let agent = spawn();
    let mut message = [0; 4096];
    let size = manager.recv(&mut message).unwrap_or_else(|error| panic!("{error}:\n{}", agent.words()));
    assert!(message[..size].starts_with(b"READY=1"), "{}", String::from_utf8_lossy(&message[..size]));
    counter.wait_for(lines_in(&truth), crate::stage::CATCH_UP_LIMIT);
    agent.stop();

    // The state that it left is its own, and what it left open is finished.
    write_lines(&stage.log(), &mut source, 500, &truth);
    let agent = spawn();
    stage.finish(agent, &counter, lines_in(&truth), (&[], &[&truth]));
}

#[test]
fn the_sandbox_forbids_what_the_unit_forbids() {
    let scratch = crate::support::scratch::Scratch::new("sandbox-probes");
    let state = scratch.join("state");
    open_to_all(scratch.path());
    state_of_service(&state);
    let mut command = sandbox(&state, scratch.path());
    let output = command.args(["/usr/bin/python3", "-c", PROBES]).env("STATE", &state).output();
    let output = output.expect("setpriv is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text, ANSWERS, "{}", String::from_utf8_lossy(&output.stderr));
}

#!/usr/bin/python3
"""Runs a command under the restrictions of a systemd unit, on machines where systemd is not the first process.

    sandbox.py UNIT --state DIRECTORY --show DIRECTORY -- COMMAND...

Needs root, to have it to give up. What systemd does with namespaces, mounts and seccomp is done here from the unit's own
settings; a setting that is neither known here nor known to restrict nothing is an error, so that the unit cannot become
stricter than what is tested. DIRECTORY of --state is writable, as StateDirectory= is; that of --show is seen although it
lies in /tmp or a home. What only concerns systemd itself, cgroups and resources is left out.

Debian's python3-seccomp brings libseccomp, which systemd makes its filters with as well.
"""

import argparse
import ctypes
import errno
import os
import pathlib
import re
import signal
import subprocess
import sys

import seccomp

# The user and the group of the service. It has no name on a machine where nothing is installed.
USER = 65534
PRIVATE_DIRECTORIES = {"PrivateTmp": ["/tmp", "/var/tmp"], "ProtectHome": ["/home", "/root", "/run/user"]}
DEVICES = ["null", "zero", "full", "random", "urandom", "tty"]
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER = 0x10000000
NAMESPACE_FLAGS = [0x00020000, 0x02000000, 0x04000000, 0x08000000, CLONE_NEWUSER, 0x20000000, 0x40000000]
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
SET_ID_BITS = [0o4000, 0o2000]
REALTIME_POLICIES = [1, 2, 6]

# Applied below, each where its name stands.
APPLIED = {
    "SupplementaryGroups", "UMask", "ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "DevicePolicy",
    "ProtectProc", "ProcSubset", "PrivateUsers", "PrivateMounts", "PrivateIPC", "ProtectHostname", "NoNewPrivileges",
    "CapabilityBoundingSet", "AmbientCapabilities", "ProtectKernelTunables", "ProtectKernelLogs", "ProtectControlGroups",
    "RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality",
    "MemoryDenyWriteExecute", "SystemCallFilter", "SystemCallErrorNumber", "LimitNOFILE", "StateDirectory", "User", "Group",
}  # fmt: skip
# Of systemd's own life, of cgroups, or contained in what is applied: no clock, no module and no key is within reach of
# the system calls that are left.
WITHOUT_EFFECT = {
    "Type", "NotifyAccess", "EnvironmentFile", "ExecStart", "ExecReload", "Restart", "RestartSec", "WatchdogSec",
    "RestartPreventExitStatus", "TimeoutStopSec", "StateDirectoryMode", "CPUWeight", "IOWeight", "MemoryHigh", "MemoryMax",
    "ProtectClock", "ProtectKernelModules", "RemoveIPC", "KeyringMode", "SystemCallArchitectures",
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("unit")
    parser.add_argument("--state", required=True)
    parser.add_argument("--show", required=True)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    if not arguments.inside:
        # The namespaces first; the process stays the same, so that signals reach the command.
        namespaces = ["unshare", "--mount", "--propagation", "private", "--ipc", "--uts", "--"]
        rest = [arguments.unit, "--state", arguments.state, "--show", arguments.show, "--"] + arguments.command
        os.execvp("unshare", namespaces + [sys.executable, __file__, "--inside"] + rest)
    unit = read_unit(arguments.unit)
    filters = make_filters(unit)
    mount_view(unit, arguments)
    become_service(unit)
    for rules in filters:
        rules.load()
    os.execvp(arguments.command[0], arguments.command)


def read_unit(path):
    """The settings of [Service], those that are said twice joined."""
    settings, section = {}, None
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            settings.setdefault(key, []).append(value)
    unknown = set(settings) - APPLIED - WITHOUT_EFFECT
    if unknown:
        sys.exit(f"sandbox: {path} says {', '.join(sorted(unknown))}, which this does not know")
    return settings


def mount(*arguments, **options):
    # A descriptor below /proc must not be taken for the path that it was opened by, which leads elsewhere by now.
    subprocess.run(["mount", "--no-canonicalize", *arguments], check=True, **options)


def mount_view(unit, arguments):
    """ProtectSystem=strict and what hides parts of the file system."""
    assert unit["ProtectSystem"] == ["strict"] and unit["StateDirectory"] == ["viewtail"]
    assert unit["PrivateDevices"] == unit["PrivateMounts"] == ["yes"]
    shown = os.open(arguments.show, os.O_PATH)
    state = os.open(arguments.state, os.O_PATH)
    devices = [os.open(f"/dev/{name}", os.O_PATH) for name in DEVICES]
    targets = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    for target in targets:
        if not re.match(r"/(dev|proc|sys)(/|$)", target):
            mount("-o", "remount,bind,ro", target.encode().decode("unicode_escape"))
    for setting, paths in PRIVATE_DIRECTORIES.items():
        assert unit[setting] == ["yes"]
        for path in filter(os.path.isdir, paths):
            mount("-t", "tmpfs", "-o", "mode=1777" if "tmp" in path else "mode=000", "tmpfs", path)
    for descriptor, target, flags in ((shown, arguments.show, "bind,ro"), (state, arguments.state, "bind,rw")):
        os.makedirs(target, exist_ok=True)
        mount("--bind", f"/proc/self/fd/{descriptor}", target, pass_fds=[descriptor])
        mount("-o", f"remount,{flags}", target)
    # The kernel's settings are read only, devices are the harmless ones.
    mount("-o", "remount,ro,bind", "/sys")
    mount("-t", "tmpfs", "-o", "mode=755,nosuid", "tmpfs", "/dev")
    for name, descriptor in zip(DEVICES, devices):
        pathlib.Path(f"/dev/{name}").touch()
        mount("--bind", f"/proc/self/fd/{descriptor}", f"/dev/{name}", pass_fds=[descriptor])
    mount("-o", "remount,ro,bind", "/dev")
    hide, subset = unit["ProtectProc"][0], unit["ProcSubset"][0]
    mount("-t", "proc", "-o", f"hidepid={hide},subset={subset}", "proc", "/proc")


def become_service(unit):
    """The service's user and groups, without a capability, in a user namespace."""
    groups = [int(line.split(":")[2]) for line in pathlib.Path("/etc/group").read_text().splitlines()
              if line.split(":")[0] in unit["SupplementaryGroups"]]  # fmt: skip
    assert groups and unit["CapabilityBoundingSet"] == unit["AmbientCapabilities"] == [""]
    os.umask(int(unit["UMask"][0], 8))
    os.setgroups(groups)
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)
    # What /proc shows of this process belongs to root since it was, and its maps could not be written.
    call(LIBC.prctl, 4, 1, 0, 0, 0)
    if unit["PrivateUsers"] == ["yes"]:
        call(LIBC.unshare, CLONE_NEWUSER)
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/gid_map").write_text(f"{USER} {USER} 1")
        pathlib.Path("/proc/self/uid_map").write_text(f"{USER} {USER} 1")
    for capability in range(64):
        LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    call(LIBC.prctl, PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    call(LIBC.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def call(function, *arguments):
    if function(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{function.__name__}{arguments}")


def make_filters(unit):
    """One filter for the list of system calls, one for what depends on arguments: the stricter answer counts."""
    refusal = seccomp.ERRNO(getattr(errno, unit["SystemCallErrorNumber"][0]))
    listed = seccomp.SyscallFilter(refusal)
    for name in sorted(allowed_calls(unit["SystemCallFilter"])):
        add(listed, seccomp.ALLOW, name)
    return [by_arguments(unit), listed]


def allowed_calls(lists):
    """What a list of system calls and sets allows, and lists with ~ take away again."""
    sets, name = {}, None
    shown = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter"], check=True, capture_output=True)
    for line in shown.stdout.decode().splitlines():
        if line.startswith("@"):
            name = line.strip()
            sets[name] = []
        elif line.strip() and not line.strip().startswith("#"):
            sets[name].append(line.strip())

    def expand(word):
        return {word} if not word.startswith("@") else set().union(*map(expand, sets[word]))

    allowed = set().union(*map(expand, ["@default"]))
    for text in lists:
        words = set().union(*map(expand, text.lstrip("~").split()))
        allowed = allowed - words if text.startswith("~") else allowed | words
    return allowed


def add(rules, action, name, *conditions):
    """A rule for a call; a call that this kernel's libseccomp does not know cannot be made by its number either."""
    try:
        rules.add_rule(action, name, *conditions)
    except RuntimeError:
        pass


def by_arguments(unit):
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    denied = seccomp.ERRNO(errno.EPERM)
    argument, equal, masked = seccomp.Arg, seccomp.EQ, seccomp.MASKED_EQ
    missing = seccomp.ERRNO(errno.ENOSYS)
    if "RestrictAddressFamilies" in unit:
        families = [value for value in range(64) if value not in address_families(unit)]
        for family in families:
            add(rules, seccomp.ERRNO(errno.EAFNOSUPPORT), "socket", argument(0, equal, family))
    if unit["RestrictNamespaces"] == ["yes"]:
        for flag in NAMESPACE_FLAGS:
            for name in ("unshare", "clone"):
                add(rules, denied, name, argument(0, masked, flag, flag))
        add(rules, denied, "setns")
        add(rules, missing, "clone3")
    if unit["MemoryDenyWriteExecute"] == ["yes"]:
        both = PROT_WRITE | PROT_EXEC
        add(rules, denied, "mmap", argument(2, masked, both, both))
        for name in ("mprotect", "pkey_mprotect"):
            add(rules, denied, name, argument(2, masked, PROT_EXEC, PROT_EXEC))
        add(rules, denied, "shmat", argument(2, masked, SHM_EXEC, SHM_EXEC))
    if unit["RestrictSUIDSGID"] == ["yes"]:
        for bit in SET_ID_BITS:
            for name, place in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2)):
                add(rules, denied, name, argument(place, masked, bit, bit))
        # Its mode cannot be seen by a filter, so systemd lets it look as if the kernel had no such call.
        add(rules, missing, "openat2")
    if unit["RestrictRealtime"] == ["yes"]:
        for policy in REALTIME_POLICIES:
            add(rules, denied, "sched_setscheduler", argument(1, equal, policy))
    if unit["LockPersonality"] == ["yes"]:
        add(rules, denied, "personality", argument(0, seccomp.NE, 0))
    return rules


def address_families(unit):
    import socket

    return {int(getattr(socket, name)) for name in " ".join(unit["RestrictAddressFamilies"]).split()}


main()

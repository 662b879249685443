"""What one run of one program costs: CPU, wall time until the last line can be read, peak memory."""

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from examples import ROOT

OUT = ROOT / "target" / "bench"
# Slower than any run of a healthy program by an order of magnitude.
RUN_LIMIT_S = 300
# A look at the broker costs it well under a millisecond; this is the resolution of the wall time.
LOOK_EVERY_S = 0.02
# How long the end has to stand still before a run counts as over.
STILL_S = 1.0
# What makes a line unique, in the raw line as in the event (tests/support/access_log.rs).
TOKEN = re.compile(rb"-g-([0-9]{9})\.html")


class Run:
    """What one run of one program cost."""

    def __init__(self, cpu_s, wall_s, rss_mib):
        self.cpu_s, self.wall_s, self.rss_mib = cpu_s, wall_s, rss_mib


def once(broker, program, log, lines):
    """One run that is known to be right: a fresh topic, a fresh state, and an independent count of what arrived."""
    topic, directory = broker.new_topic(), fresh_directory()
    run = measure(broker, topic, lines, program, program.command(broker, log, topic, directory), directory)
    records, different = count_arrived(broker, topic)
    broker.delete_topic(topic)
    if (records, different) != (lines, lines):
        sys.exit(f"bench: {program.name}: {records} records, {different} of them different, instead of {lines}: "
                 "a run that lost or doubled a line has no speed")
    return run


def measure(broker, topic, lines, program, command, directory):
    """Runs the command until `lines` records are visible, then ends it; its cost."""
    with open(directory / "output", "wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            seen_s, peak_rss_mib = wait_until_visible(broker, topic, lines, began, process, program.ends_by_itself)
        finally:
            if not program.ends_by_itself:
                os.kill(process.pid, signal.SIGTERM)
            usage = reap(process)
    return Run(usage.ru_utime + usage.ru_stime, seen_s, peak_rss_mib)


class Running:
    """A program that runs while something is measured, and is ended with the block."""

    def __init__(self, command, directory):
        self.command, self.directory = command, directory

    def __enter__(self):
        with open(self.directory / "output", "wb") as output:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        return self.process

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        reap(self.process)


def resident_mib(process, key):
    """VmRSS or VmHWM; 0 for a process that has ended. (ru_maxrss would tell this Python's size before the exec.)"""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(key)), 0)


def cpu_seconds(process):
    """User and system seconds so far, all threads, in the kernel's ticks of 10 ms."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_visible(broker, topic, lines, began, process, ends_by_itself):
    """Seconds until the end that a read_committed reader is told stands still behind all lines, and the peak memory.

    The end counts transaction markers too, so it can be past `lines` early; hence the wait until it stands still.
    """
    last, moved, peak_rss_mib = -1, began, 0
    while True:
        now, end = time.monotonic(), broker.end(topic)
        peak_rss_mib = max(peak_rss_mib, resident_mib(process, "VmHWM"))
        if end != last:
            last, moved = end, now
        if end >= lines and now - moved > STILL_S:
            return moved - began, peak_rss_mib
        if now - began > RUN_LIMIT_S:
            sys.exit(f"bench: {end} of {lines} lines were visible after {RUN_LIMIT_S} s; {last_words()}")
        if not ends_by_itself and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            sys.exit(f"bench: {process.args} ended by itself after {end} lines; {last_words()}")
        time.sleep(LOOK_EVERY_S)


def last_words():
    """What the program of the run said last; its directory goes with the broker's."""
    lines = (OUT / "run" / "output").read_text(errors="replace").splitlines()
    return "it said last:\n" + "\n".join(lines[-5:])


def reap(process):
    """The process's own rusage; killed when it does not end."""
    deadline = time.monotonic() + 35
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(0.005)


def count_arrived(broker, topic):
    """How many records a read_committed reader gets, and how many of them differ."""
    reader = subprocess.Popen(
        ["kcat", "-C", "-q", "-e", "-b", broker.addresses, "-t", topic, "-o", "beginning",
         "-X", "isolation.level=read_committed", "-f", "%s\n"], stdout=subprocess.PIPE)
    records, different = 0, set()
    for line in reader.stdout:
        records += 1
        found = TOKEN.search(line)
        different.add(found.group(1) if found else line)
    if reader.wait() != 0:
        sys.exit(f"bench: kcat could not read {topic}")
    return records, len(different)


def follow(broker, topic, shown):
    """A reader of all records that are visible and become so, each written at once as `shown`, kcat's format."""
    return subprocess.Popen(
        ["kcat", "-C", "-q", "-u", "-b", broker.addresses, "-t", topic, "-o", "beginning",
         "-X", "isolation.level=read_committed", "-X", "fetch.wait.max.ms=10", "-f", shown], stdout=subprocess.PIPE)


def fresh_directory(name="run"):
    """An empty directory of this name in the benchmark's own."""
    directory = OUT / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values), "rounds": values}


def figures(runs, startup, lines):
    """Costs per line; what a run over one line costs (start, connection, the end) is subtracted."""
    return {
        "cpu_us_per_line": spread([max(run.cpu_s - startup.cpu_s, 0) * 1e6 / lines for run in runs]),
        "lines_per_s": spread([lines / max(run.wall_s - startup.wall_s, 0.001) for run in runs]),
        "peak_rss_mib": spread([run.rss_mib for run in runs]),
        "startup_cpu_s": startup.cpu_s,
        "startup_wall_s": startup.wall_s,
    }


class Contest:
    """Programs over the same lines, turn by turn: machines are noisy, so only runs beside each other compare."""

    def __init__(self, broker, log, one_line, lines):
        self.broker, self.log, self.one_line, self.lines = broker, log, one_line, lines

    def run(self, programs, pairs):
        """Figures of each program by its name. The first runs warm the broker's compiler and count for nothing; then each
        round takes them in the other order than the one before, as what runs later finds a broker that has something to tidy.
        """
        startup = {one.name: [once(self.broker, one.for_one_line(), self.one_line, 1) for _ in range(2)][1]
                   for one in programs}
        for one in programs:
            once(self.broker, one, self.log, self.lines)
        runs = {one.name: [] for one in programs}
        for pair in range(pairs):
            for one in programs if pair % 2 == 0 else reversed(programs):
                run = once(self.broker, one, self.log, self.lines)
                runs[one.name].append(run)
                print(f"round {pair + 1} of {pairs}, {one.name}: {run.cpu_s:.2f} s CPU, {run.wall_s:.2f} s, "
                      f"{run.rss_mib:.0f} MiB", flush=True)
        return {name: figures(runs[name], startup[name], self.lines) for name in runs}


def ratio(figures_of, one, other, key):
    """The median of the rounds': what a slow minute does to a round, it does to both."""
    rounds = zip(figures_of[one][key]["rounds"], figures_of[other][key]["rounds"])
    return statistics.median(mine / theirs for mine, theirs in rounds)

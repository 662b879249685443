#!/usr/bin/env python3
"""viewtail against kcat: the same lines, the same real broker, turn by turn.

What is compared: `viewtail run` with delivery exactly_once (it tails, parses, writes JSON) and `kcat -P -l`, which
ships the raw lines (idempotent, acks=all): the cost of the pipe itself. Both compress with lz4; kcat lingers 20 ms,
viewtail as long as its defaults say.

Rules: CPU is the whole process's (user and system, from wait4), with that of a run over one line subtracted, and so
is the wall time: what is compared is the flow, not the start and not how long a last batch waits for company. The broker is a process of its own; every run has a fresh topic with one partition and a fresh state directory; the end
of a run is the moment at which the last line is visible to a read_committed reader, asked from the broker itself;
afterwards an independent reader counts what arrived, and a run that lost or doubled a line has no speed. The runs
alternate (A B A B), and what counts is the ratio of the medians, because machines are noisy.

Usage: bench.py [--lines N] [--pairs N] [--agent PATH]
Writes target/bench/report.md and report.json.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

import counting

ROOT = Path(__file__).resolve().parent.parent.parent
OUT = ROOT / "target" / "bench"
KAFKA_SH = ROOT / "tests" / "tools" / "kafka.sh"
GENLOG = ROOT / "target" / "release" / "examples" / "genlog"
PER_LINE = ROOT / "target" / "release" / "examples" / "per_line"
# Slower than any run of a healthy program by an order of magnitude.
RUN_LIMIT_S = 180
# A look at the broker costs it well under a millisecond; this is the resolution of the wall time.
LOOK_EVERY_S = 0.02
# How long the end has to stand still before a run counts as over.
STILL_S = 1.0
# The figures for now; a later one tightens them.
GOALS = {"cpu_ratio_max": 1.5, "speed_ratio_min": 0.7, "rss_mib_max": 40, "idle_rss_mib_max": 20, "recovery_s_max": 1.5,
         "parse_and_write_ratio_max": 0.5, "event_ratio_max": 0.9}


class Broker:
    """One real broker, and the few questions of Kafka's protocol that the measurement needs."""

    def __init__(self, directory):
        self.directory = directory
        self.process = subprocess.Popen(
            [KAFKA_SH, "run", "--dir", str(directory)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.startswith("ready "):
                self.address = line.split()[1]
                break
        else:
            sys.exit("bench: the broker did not start: " + "".join(said))
        host, port = self.address.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)

    def ask(self, key, version, body):
        """One request, one answer (without its header)."""
        client = b"bench"
        header = struct.pack(">hhih", key, version, 1, len(client)) + client
        self.socket.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
        size = struct.unpack(">i", self.read(4))[0]
        return self.read(size)[4:]

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise OSError("the broker closed the connection")
            data += piece
        return data

    def create_topic(self, name):
        """CreateTopics version 4: one partition, one replica."""
        body = struct.pack(">i", 1) + text(name) + struct.pack(">ihii", 1, 1, 0, 0) + struct.pack(">ib", 10000, 0)
        answer = self.ask(19, 4, body)
        error = struct.unpack(">h", answer[8 + 2 + len(name):][:2])[0]
        if error != 0:
            sys.exit(f"bench: topic {name} was not created, error {error}")
        deadline = time.monotonic() + 30
        while self.end(name) is None:
            if time.monotonic() > deadline:
                sys.exit(f"bench: topic {name} has no leader")
            time.sleep(0.05)

    def delete_topic(self, name):
        """DeleteTopics version 1: a million lines a run would fill the disk."""
        self.ask(20, 1, struct.pack(">i", 1) + text(name) + struct.pack(">i", 10000))

    def end(self, topic, committed=True):
        """ListOffsets version 2: the end of partition 0 for a reader, None while there is no leader."""
        body = struct.pack(">ibi", -1, 1 if committed else 0, 1) + text(topic) + struct.pack(">iiq", 1, 0, -1)
        answer = self.ask(2, 2, body)
        at = 4 + 4 + 2 + len(topic) + 4 + 4
        error, _, offset = struct.unpack(">hqq", answer[at:at + 18])
        return offset if error == 0 else None


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


class Run:
    """What one run of one program cost."""

    def __init__(self, cpu_s, wall_s, rss_mib):
        self.cpu_s, self.wall_s, self.rss_mib = cpu_s, wall_s, rss_mib


class Kcat:
    name = "kcat -P -l (raw lines)"

    def __init__(self, options):
        pass

    def run(self, broker, log, topic, lines, directory):
        command = ["kcat", "-P", "-q", "-b", broker.address, "-t", topic, "-p", "0", "-l", str(log)]
        for setting in ("acks=all", "enable.idempotence=true", "compression.codec=lz4", "linger.ms=20"):
            command += ["-X", setting]
        return measure(broker, topic, lines, command, directory, ends_by_itself=True)


class Viewtail:
    name = "viewtail (exactly_once, parsed)"

    def __init__(self, options):
        self.binary = options.agent

    def command(self, broker, log, topic, directory):
        configuration = directory / "agent.yaml"
        configuration.write_text(
            f"agent: {{id: {topic}, state_dir: {directory}/state}}\n"
            f"logs:\n  - paths: [{log}]\n    format: combined\n    site: bench.example.org\n"
            f"kafka:\n  brokers: [{broker.address}]\n  topic: {topic}\n"
            "  delivery: exactly_once\n  compression: lz4\nhttp: false\n")
        return [str(self.binary), "run", "-c", str(configuration)]

    def run(self, broker, log, topic, lines, directory):
        command = self.command(broker, log, topic, directory)
        return measure(broker, topic, lines, command, directory, ends_by_itself=False)


def measure(broker, topic, lines, command, directory, ends_by_itself):
    """Runs the command until `lines` records are visible, then ends it; its cost."""
    with open(directory / "output", "wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            seen_s, peak_rss_mib = wait_until_visible(broker, topic, lines, began, process, ends_by_itself)
        finally:
            if not ends_by_itself:
                process.send_signal(signal.SIGTERM)
            usage = reap(process)
    return Run(usage.ru_utime + usage.ru_stime, seen_s, peak_rss_mib)


def resident_mib(process, key):
    """VmRSS or VmHWM; 0 for a process that has ended. (ru_maxrss would tell this Python's size before the exec.)"""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(key)), 0)


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
            raise SystemExit(f"bench: {end} of {lines} lines were visible after {RUN_LIMIT_S} s")
        if not ends_by_itself and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            raise SystemExit(f"bench: {process.args} ended by itself after {end} lines; see target/bench/run/output")
        time.sleep(LOOK_EVERY_S)


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
        ["kcat", "-C", "-q", "-e", "-b", broker.address, "-t", topic, "-o", "beginning",
         "-X", "isolation.level=read_committed", "-f", "%s\n"], stdout=subprocess.PIPE)
    records, different = 0, set()
    for line in reader.stdout:
        records += 1
        different.add(token(line))
    if reader.wait() != 0:
        sys.exit(f"bench: kcat could not read {topic}")
    return records, len(different)


# What makes a line unique, in the raw line as in the event (tests/support/access_log.rs).
TOKEN = re.compile(rb"-g-([0-9]{9})\.html")


def token(line):
    found = TOKEN.search(line)
    return found.group(1) if found else line


def fresh_directory():
    directory = OUT / "run"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


class Session:
    """The runs of all programs against one broker."""

    def __init__(self, broker):
        self.broker, self.topics = broker, 0

    def topic(self):
        self.topics += 1
        name = f"bench-{self.topics}"
        self.broker.create_topic(name)
        return name

    def once(self, program, log, lines):
        """One run that is known to be right."""
        topic = self.topic()
        run = program.run(self.broker, log, topic, lines, fresh_directory())
        records, different = count_arrived(self.broker, topic)
        self.broker.delete_topic(topic)
        if (records, different) != (lines, lines):
            sys.exit(f"bench: {program.name}: {records} records, {different} of them different, instead of {lines}: "
                     "a run that lost or doubled a line has no speed")
        return run

    def idle_rss_mib(self, program, log):
        """Resident memory of an agent that has nothing to do, two seconds after its last line."""
        topic, directory = self.topic(), fresh_directory()
        with open(directory / "output", "wb") as output:
            process = subprocess.Popen(
                program.command(self.broker, log, topic, directory), stdout=output, stderr=output)
            try:
                wait_until_visible(self.broker, topic, 1, time.monotonic(), process, False)
                time.sleep(2)
                return resident_mib(process, "VmRSS")
            finally:
                process.send_signal(signal.SIGTERM)
                reap(process)

    def recovery_s(self, program, log, lines):
        """From the start behind a kill -9 in the middle of a transaction to the first record of the new agent."""
        topic, directory = self.topic(), fresh_directory()
        with open(directory / "output", "wb") as output:
            command = program.command(self.broker, log, topic, directory)
            process = subprocess.Popen(command, stdout=output, stderr=output)
            wait_for(lambda: (self.broker.end(topic, committed=False) or 0) > lines // 20, "records arrive")
            process.kill()
            reap(process)
            # What was under way to the broker is let in first.
            time.sleep(0.3)
            before = self.broker.end(topic, committed=False)
            began = time.monotonic()
            process = subprocess.Popen(command, stdout=output, stderr=output)
            try:
                # The marker that settles the dead agent's transaction takes one place itself.
                wait_for(lambda: self.broker.end(topic, committed=False) > before + 1, "the new agent produces")
                took = time.monotonic() - began
            finally:
                process.send_signal(signal.SIGTERM)
                reap(process)
        return took


def wait_for(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"bench: waited a minute in vain until {what}")
        time.sleep(0.005)


def generate(lines):
    """The log, made anew: the generator may be another one than last time."""
    log = OUT / f"access-{lines}.log"
    with open(log, "wb") as out:
        subprocess.run([GENLOG, str(lines)], stdout=out, check=True)
    return log


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def figures(runs, startup, lines):
    return {
        "cpu_us_per_line": spread([max(run.cpu_s - startup.cpu_s, 0) * 1e6 / lines for run in runs]),
        "lines_per_s": spread([lines / max(run.wall_s - startup.wall_s, 0.001) for run in runs]),
        "peak_rss_mib": spread([run.rss_mib for run in runs]),
        "startup_cpu_s": startup.cpu_s,
        "startup_wall_s": startup.wall_s,
    }


def report(result):
    """The report as Markdown."""
    lines = [
        f"# viewtail against kcat: {result['lines']} lines of {result['bytes_per_line']:.0f} bytes, "
        f"{result['pairs']} interleaved pairs", "",
        f"{result['machine']}; real Apache Kafka on the loopback, one partition, lz4, acks=all.",
        "CPU is the whole process's; a run over one line is subtracted from CPU and wall time; min / median / max. No run lost or doubled a line.", "",
        "| program | CPU us per line | lines per second | peak RSS MiB |", "|---|---|---|---|",
    ]
    for name, one in result["programs"].items():
        cells = [" / ".join(f"{one[key][kind]:,.{digits}f}" for kind in ("min", "median", "max"))
                 for key, digits in (("cpu_us_per_line", 2), ("lines_per_s", 0), ("peak_rss_mib", 1))]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", "| what | measured | goal | |", "|---|---|---|---|"]
    for row in result["goals"]:
        lines.append(f"| {row['what']} | {row['measured']:.2f} | {row['goal']} | {'ok' if row['met'] else 'MISSED'} |")
    return "\n".join(lines) + "\n"


def per_line(log):
    """Nanoseconds of CPU per line of regex captures, of splitting, of the whole event and of its rules alone."""
    return json.loads(subprocess.run([PER_LINE, str(log)], stdout=subprocess.PIPE, check=True).stdout)


def judge(agent, kcat, idle_rss_mib, recovery_s, others):
    cpu = agent["cpu_us_per_line"]["median"] / kcat["cpu_us_per_line"]["median"]
    speed = agent["lines_per_s"]["median"] / kcat["lines_per_s"]["median"]
    rows = [
        ("CPU per line, ratio to kcat", cpu, "at most", GOALS["cpu_ratio_max"]),
        ("lines per second, ratio to kcat", speed, "at least", GOALS["speed_ratio_min"]),
        ("peak RSS at full speed, MiB", agent["peak_rss_mib"]["max"], "at most", GOALS["rss_mib_max"]),
        ("idle RSS, MiB", idle_rss_mib, "at most", GOALS["idle_rss_mib_max"]),
        ("kill -9 to the first new record, s (worst of 5)", recovery_s, "at most", GOALS["recovery_s_max"]),
    ] + others
    return [{"what": what, "measured": measured, "goal": f"{kind} {goal}",
             "met": measured <= goal if kind == "at most" else measured >= goal}
            for what, measured, kind, goal in rows]


def machine():
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--agent", type=Path, default=ROOT / "target" / "release" / "viewtail")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    log, one_line = generate(options.lines), generate(1)
    shutil.rmtree(OUT / "kafka", ignore_errors=True)
    broker = Broker(OUT / "kafka")
    try:
        session = Session(broker)
        kcat, agent = Kcat(options), Viewtail(options)
        # The first run of each warms the broker's compiler and counts for nothing.
        startup = {program: [session.once(program, one_line, 1) for _ in range(2)][1] for program in (kcat, agent)}
        for program in (kcat, agent):
            session.once(program, log, options.lines)
        runs = {kcat: [], agent: []}
        for pair in range(options.pairs):
            for program in (kcat, agent):
                run = session.once(program, log, options.lines)
                runs[program].append(run)
                print(f"pair {pair + 1} {program.name}: {run.cpu_s:.2f} s CPU, {run.wall_s:.2f} s, "
                      f"{run.rss_mib:.0f} MiB", flush=True)
        idle = session.idle_rss_mib(agent, one_line)
        recovery = max(session.recovery_s(agent, log, options.lines) for _ in range(5))
    finally:
        broker.stop()
        shutil.rmtree(OUT / "kafka", ignore_errors=True)
    # Without the broker: nothing else is to run beside these.
    costs, others = per_line(log), []
    others.append(("parse, event and JSON without the rules, CPU against regex captures of the line",
                   (costs["event_ns"] - costs["rules_ns"]) / costs["regex_ns"],
                   "at most", GOALS["parse_and_write_ratio_max"]))
    others.append(("event with all rules, CPU against regex captures of the line",
                   costs["event_ns"] / costs["regex_ns"], "at most", GOALS["event_ratio_max"]))
    counting.measure(others, options.agent, log, fresh_directory())
    shutil.rmtree(OUT / "run", ignore_errors=True)
    programs = {program.name: figures(runs[program], startup[program], options.lines) for program in (kcat, agent)}
    result = {
        "lines": options.lines, "pairs": options.pairs, "bytes_per_line": log.stat().st_size / options.lines,
        "machine": machine(), "programs": programs,
        "goals": judge(programs[agent.name], programs[kcat.name], idle, recovery, others),
        "ns_per_line": costs,
    }
    (OUT / "report.json").write_text(json.dumps(result, indent=2) + "\n")
    (OUT / "report.md").write_text(report(result))
    print("\n" + report(result))
    print("also in target/bench/report.md and report.json")
    return 0 if all(row["met"] for row in result["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())

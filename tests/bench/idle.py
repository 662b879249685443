"""An agent beside a web server for years: many idle files, one busy one, and how soon a line can be read."""

import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import measure
from broker import wait_for
from measure import OUT, Running, follow, fresh_directory, ratio
from programs import Program, need

FILES = 10_000
VERY_MANY_FILES = 100_000
# A broker that has just started compiles its code with the cores that the agent needs: so many files come first and count for
# nothing, as the first runs of a contest do.
WARMING_FILES = 10_000
# What is known of a file and is not forgotten: its path three times, its place, its head, its books.
FILE_KIB = 4
# Long enough for a sweep of all directories (every 60 s) to be in it.
WATCHED_S = 70
# Lines of the latency row: one every few milliseconds for a quarter of a minute.
LATENCY_LINES = 2_000
LATENCY_PAUSE_S = 0.0075
LATENCY_LINE = (b'192.0.2.7 - - [01/Mar/2026:00:00:00 +0000] "GET /a-g-%09d.html HTTP/1.1" 200 5 "-" '
                b'"Mozilla/5.0 (X11)"\n')
# System calls that name or touch a file; what epoll, futex and the clock cost is none of the files' business.
FILE_CALLS = {"open", "openat", "openat2", "stat", "lstat", "newfstatat", "statx", "fstat", "read", "pread64", "close",
              "getdents64", "readlink", "readlinkat", "fcntl"}


def idle_files(count, lines):
    """A directory with so many logs that nobody writes to, each with so many lines of its own."""
    directory = fresh_directory(f"idle-{count}")
    for number in range(count):
        text = "".join(f'192.0.2.{number % 250} - - [01/Mar/2026:00:00:00 +0000] "GET /{number}-i-{line:09}.html HTTP/1.1" '
                       '200 5 "-" "Mozilla/5.0 (X11)"\n' for line in range(lines))
        (directory / f"site-{number:05}.log").write_text(text)
    return directory


def many_files(lab, row):
    """What an agent costs that watches 10,000 files of which none grows, and one whose only file gets a line a second."""
    topic, directory, run = lab.broker.new_topic(), idle_files(FILES, 1), fresh_directory()
    with Running(lab.agent().command(lab.broker, directory / "*.log", topic, run), run) as process:
        measure.wait_until_visible(lab.broker, topic, FILES, time.monotonic(), process, False)
        idle = Watched(process, time.sleep)
        descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))
        rss_mib = measure.resident_mib(process, "VmRSS")
    shutil.rmtree(directory)
    what = f"{FILES:,} idle files"
    yield row(10, f"{what}: CPU, per cent of a core", idle.cpu_share * 100, 0.2, unit=" %")
    yield row(10, f"{what}: descriptors", descriptors, 64)
    yield row(10, f"{what}: RSS", rss_mib, 0, "shown", " MiB")
    yield row(10, f"{what}: system calls on files a second", idle.calls_of_files_per_s, FILES / 60 * 1.2)
    yield from idle.shown(row, what)
    slow = a_line_a_second(lab)
    yield row(10, "a line a second: CPU, per cent of a core", slow.cpu_share * 100, 0, "shown", " %")
    yield from slow.shown(row, "a line a second")


def a_line_a_second(lab):
    """What an agent costs that has so much to do."""
    topic, run = lab.broker.new_topic(), fresh_directory()
    log = run / "live.log"
    log.write_bytes(LATENCY_LINE % 0)
    with Running(lab.agent().command(lab.broker, log, topic, run), run) as process, open(log, "ab", buffering=0) as out:
        measure.wait_until_visible(lab.broker, topic, 1, time.monotonic(), process, False)

        def write_for(seconds):
            for number in range(seconds):
                out.write(LATENCY_LINE % number)
                time.sleep(1)

        return Watched(process, write_for)


class Watched:
    """An agent's CPU and wake-ups of all threads, and then, seen through strace, its system calls."""

    def __init__(self, process, pass_time):
        """`pass_time` lasts as many seconds as it is told."""
        cpu_s, woken = measure.cpu_seconds(process), wake_ups(process)
        pass_time(WATCHED_S)
        self.cpu_share = (measure.cpu_seconds(process) - cpu_s) / WATCHED_S
        self.wake_ups_per_s = (wake_ups(process) - woken) / WATCHED_S
        calls = calls_of(process, pass_time)
        self.calls_per_s = sum(calls.values()) / WATCHED_S
        self.calls_of_files_per_s = sum(count for name, count in calls.items() if name in FILE_CALLS) / WATCHED_S

    def shown(self, row, what):
        yield row(10, f"{what}: all system calls a second", self.calls_per_s, 0, "shown")
        yield row(10, f"{what}: wake-ups a second", self.wake_ups_per_s, 0, "shown")


def wake_ups(process):
    """How often its threads went to sleep so far, which is as often as they were woken."""
    texts = [status.read_text() for status in Path(f"/proc/{process.pid}/task").glob("*/status")]
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.M).group(1)) for text in texts)


def very_many_files(lab, row):
    """How long an agent needs with 100,000 files: to send the one line of each, and to find them again after a restart."""
    start_twice(lab, WARMING_FILES)
    first_s, again_s, rss_mib = start_twice(lab, VERY_MANY_FILES)
    yield row(18, f"{VERY_MANY_FILES:,} files: first start to the last line visible", first_s, 10, unit=" s")
    yield row(18, f"{VERY_MANY_FILES:,} files: restart to a new line of the last one visible", again_s, 10, unit=" s")
    yield row(18, f"{VERY_MANY_FILES:,} files: peak RSS", rss_mib, VERY_MANY_FILES * FILE_KIB / 1024, unit=" MiB")


def start_twice(lab, files):
    """Seconds from an agent's first start until a line of each file is visible, and from its second until a new one is; and the
    peak memory of the first."""
    topic, directory, run = lab.broker.new_topic(), idle_files(files, 1), fresh_directory()
    command = lab.agent().command(lab.broker, directory / "*.log", topic, run)
    began = time.monotonic()
    with Running(command, run) as process:
        first_s, rss_mib = measure.wait_until_visible(lab.broker, topic, files, began, process, False)
    # The file that is last in every listing.
    with open(directory / f"site-{files - 1:05}.log", "ab") as log:
        log.write(LATENCY_LINE % 0)
    before, began = lab.broker.end(topic), time.monotonic()
    with Running(command, run):
        wait_for(lambda: lab.broker.end(topic) > before, "the line of the last file arrives")
        again_s = time.monotonic() - began
    shutil.rmtree(directory)
    return first_s, again_s, rss_mib


def calls_of(process, pass_time):
    """How often each system call was made in the next seconds, by all threads."""
    summary = OUT / "strace"
    tracer = subprocess.Popen([need("strace", "test", "strace"), "-f", "-c", "-o", str(summary), "-p", str(process.pid)],
                              stderr=subprocess.DEVNULL)
    pass_time(WATCHED_S)
    tracer.send_signal(2)
    if tracer.wait(timeout=30) not in (0, 130, -2):
        sys.exit("bench: strace could not watch the agent")
    rows = [line.split() for line in summary.read_text().splitlines()]
    # "% time, seconds, usecs/call, calls, [errors,] syscall"
    return {cells[-1]: int(cells[3]) for cells in rows if len(cells) >= 5 and re.fullmatch(r"\d+", cells[3])
            and cells[-1] != "total"}


class Beside(Program):
    """An agent that reads a busy log in a directory of idle ones."""

    ends_by_itself = False

    def __init__(self, agent, name, directory):
        self.agent, self.name, self.directory = agent, name, directory

    def for_one_line(self):
        return Beside(self.agent.for_one_line(), self.name, self.directory)

    def command(self, broker, log, topic, run):
        for old in self.directory.glob("busy-*.log"):
            old.unlink()
        # A hard link would be refused: it might be another file's.
        shutil.copyfile(log, self.directory / f"busy-{topic}.log")
        # The idle ones are there, and looked at, but have nothing for this topic.
        return [*self.agent.command(broker, self.directory / "*.log", topic, run)]


def beside_many_files(lab, row):
    alone, crowd = idle_files(0, 0), idle_files(FILES, 0)
    try:
        found = lab.close_contest(Beside(lab.agent(), "alone", alone), Beside(lab.agent(), "beside 10,000", crowd))
    finally:
        shutil.rmtree(alone)
        shutil.rmtree(crowd)
    yield row(11, f"lines per second beside {FILES:,} idle files, ratio to alone",
              ratio(found, "beside 10,000", "alone", "lines_per_s"), 0.98, "at least", "x")


def latency(lab, row):
    """From write(2) of a line to the moment at which a read_committed reader has it, beyond the commit interval."""
    topic, directory = lab.broker.new_topic(), fresh_directory()
    log = directory / "live.log"
    log.write_bytes(LATENCY_LINE % 0)
    interval_ms = 100
    agent = lab.agent(commit_interval=f"{interval_ms}ms")
    reader = follow(lab.broker, topic, "%s\n")
    os.set_blocking(reader.stdout.fileno(), False)
    written, seen = [], []
    with Running(agent.command(lab.broker, log, topic, directory), directory), open(log, "ab", buffering=0) as out:
        try:
            wait_for(lambda: note_seen(reader, seen), "the agent follows the log")
            seen.clear()
            for number in range(LATENCY_LINES):
                out.write(LATENCY_LINE % number)
                written.append(time.monotonic())
                until = written[-1] + LATENCY_PAUSE_S
                while time.monotonic() < until:
                    note_seen(reader, seen)
                    time.sleep(0.001)

            def all_seen():
                note_seen(reader, seen)
                return len(seen) >= LATENCY_LINES

            wait_for(all_seen, "the last line is visible")
        finally:
            reader.terminate()
            reader.wait()
    took_ms = sorted((at - began) * 1000 for began, at in zip(written, seen))
    p99 = took_ms[len(took_ms) * 99 // 100]
    yield row(12, "line written to visible beyond the commit interval, 99th percentile", p99 - interval_ms, 100, unit=" ms")
    yield row(12, "line written to visible, median, with a commit interval of 100 ms", statistics.median(took_ms), 0,
              "shown", " ms")


def note_seen(reader, seen):
    """Notes the time of each whole line that has arrived, in the order of the file; whether any has."""
    data = reader.stdout.read()
    if data:
        seen.extend([time.monotonic()] * data.count(b"\n"))
    return bool(seen)

"""A busy log that is rotated under the agent: what of its lines is lost, and how much later than otherwise they arrive."""

import os
import threading
import time

import measure
from broker import wait_for
from measure import Running, follow, fresh_directory

RATE = 100_000
SECONDS = 12
# As the servers of a busy host are rotated by size: renamed, and told a moment later to open the new file.
ROTATED_EVERY_S = 2
WRITER_GOES_ON_S = 0.2
# A burst of lines is written every so often.
TICK_S = 0.01
# Lines written this long behind a rotation are those that it may delay.
AFTER_S = 0.5


class Writer(threading.Thread):
    """Writes lines at RATE, renames the log every ROTATED_EVERY_S and goes on in the old file for WRITER_GOES_ON_S."""

    def __init__(self, source, log):
        super().__init__()
        self.source, self.log = source, log
        # (time, lines written so far) of each burst, and the times of the renames.
        self.written, self.rotations = [], []

    def run(self):
        out, reopen_at, sent, began = open(self.log, "ab", buffering=0), None, 0, time.monotonic()
        with open(self.source, "rb") as source:
            while sent < RATE * SECONDS:
                now = time.monotonic()
                if now - began > ROTATED_EVERY_S * (len(self.rotations) + 1):
                    self.rotations.append(now)
                    self.log.rename(self.log.with_suffix(f".log.{len(self.rotations)}"))
                    reopen_at = now + WRITER_GOES_ON_S
                if reopen_at is not None and now > reopen_at:
                    out.close()
                    out, reopen_at = open(self.log, "ab", buffering=0), None
                due = min(RATE * SECONDS, int((now - began) * RATE))
                out.write(b"".join(source.readline() for _ in range(due - sent)))
                sent = due
                self.written.append((time.monotonic(), sent))
                time.sleep(TICK_S)
        out.close()


def lags(writer, seen):
    """(time written, seconds until a reader had it) of the last line of each burst."""
    found, at = [], 0
    for written, count in writer.written:
        while at < len(seen) and seen[at][1] < count:
            at += 1
        if at < len(seen):
            found.append((written, seen[at][0] - written))
    return found


def extra_lag(lab, row):
    topic, directory = lab.broker.new_topic(), fresh_directory()
    log, lines = directory / "live.log", RATE * SECONDS
    source = lab.log_of(lines)
    # One line is there already, to see by it that the agent follows the log.
    log.write_bytes(lab.one_line.read_bytes())
    reader = follow(lab.broker, topic, "\n")
    os.set_blocking(reader.stdout.fileno(), False)
    seen, writer = [(time.monotonic(), -1)], Writer(source, log)

    def all_seen():
        data = reader.stdout.read()
        if data:
            seen.append((time.monotonic(), seen[-1][1] + len(data)))
        return seen[-1][1] >= lines

    def is_followed():
        return all_seen() or len(seen) > 1

    with Running(lab.agent(commit_interval="100ms").command(lab.broker, log, topic, directory), directory):
        wait_for(is_followed, "the agent follows the log")
        writer.start()
        try:
            wait_for(all_seen, "the last line is visible", SECONDS * 4)
        finally:
            reader.terminate()
            reader.wait()
            writer.join()
    records, different = measure.count_arrived(lab.broker, topic)
    shift = [any(0 <= written - at < AFTER_S for at in writer.rotations) for written, _ in lags(writer, seen)]
    found = [lag for _, lag in lags(writer, seen)]
    worst_behind = max(lag for lag, is_behind in zip(found, shift) if is_behind)
    worst_otherwise = max(lag for lag, is_behind in zip(found, shift) if not is_behind)
    yield row(15, f"rotated at {RATE:,} lines a second: lines lost or doubled", abs(lines + 1 - records) + abs(lines - different), 0)
    yield row(15, f"rotated at {RATE:,} lines a second: extra lag, worst of {len(writer.rotations)} rotations against worst otherwise",
              max(0, worst_behind - worst_otherwise) * 1000, 100, unit=" ms")

"""Small sites beside the backlog of a large one: how long their lines wait while it is read as fast as can be."""

import os
import subprocess
import time

from broker import wait_for
from measure import Running, follow, fresh_directory

SITES = 500
# Copies of the log that make the backlog, so that it is under way for as long as the small sites write.
COPIES = 6
# Each small site gets a line a second, spread over the second.
ROUNDS = 8
LINE = (b'192.0.2.7 - - [01/Mar/2026:00:00:00 +0000] "GET /%d-small-%d.html HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11)"\n')


def lag(lab, row):
    topic, directory = lab.broker.new_topic(), fresh_directory()
    large, small = directory / "large.log", directory / "small"
    small.mkdir()
    with open(large, "wb") as out:
        for _ in range(COPIES):
            subprocess.run(["cat", str(lab.log)], stdout=out, check=True)
    outs = [open(small / f"site-{number:03}.log", "ab", buffering=0) for number in range(SITES)]
    command = lab.agent(commit_interval="100ms").command_for(
        lab.broker, [(large, "large.example.org"), (small / "*.log", "small.example.org")], topic, directory)
    # The large site's events are left out by grep, which is faster than this Python.
    shown = follow(lab.broker, topic, "%s\n")
    reader = subprocess.Popen(["grep", "--line-buffered", "-o", "/[0-9]*-small-[0-9]*"], stdin=shown.stdout, stdout=subprocess.PIPE)
    os.set_blocking(reader.stdout.fileno(), False)
    written, seen, rest = {}, {}, b""

    def note_seen():
        nonlocal rest
        *lines, rest = (rest + (reader.stdout.read() or b"")).split(b"\n")
        now = time.monotonic()
        for line in lines:
            seen.setdefault(line, now)

    all_lines = lab.options.lines * COPIES + SITES * ROUNDS
    try:
        with Running(command, directory):
            wait_for(lambda: (lab.broker.end(topic) or 0) > 0, "the backlog is under way")
            began = time.monotonic()
            for number in range(SITES * ROUNDS):
                while time.monotonic() < began + number / SITES:
                    note_seen()
                    time.sleep(0.001)
                outs[number % SITES].write(LINE % (number % SITES, number // SITES))
                written[b"/%d-small-%d" % (number % SITES, number // SITES)] = time.monotonic()
            reached = lab.broker.end(topic)

            def all_seen():
                note_seen()
                return len(seen) >= len(written)

            wait_for(all_seen, "the last line of the small sites is visible")
    finally:
        for process in (shown, reader):
            process.terminate()
            process.wait()
        for out in outs:
            out.close()
    took = sorted(seen[line] - at for line, at in written.items())
    yield row(17, f"{SITES} small sites beside a backlog of {large.stat().st_size / 1e9:.1f} GB: lag, 99th percentile",
              took[len(took) * 99 // 100], 1, unit=" s")
    yield row(17, "share of the backlog that was left when the last line of a small site was written",
              1 - reached / all_lines, 0.01, "at least")

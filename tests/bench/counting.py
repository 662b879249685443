"""`viewtail report` against GoAccess on the same file, and its memory with a million visitors: rows for bench.py."""

import os
import statistics
import subprocess
import sys
import time

from programs import need

PAIRS = 3
# One visitor a line: as many different addresses as there are lines.
VISITORS = 1_000_000
GOALS = {"report_speed_ratio_min": 5, "report_rss_mib_max": 200}


def measure(rows, agent, log, directory):
    """Appends (what, measured, kind of goal, goal) to `rows`: interleaved pairs, medians of wall time."""
    ours = [str(agent), "report", "--format", "combined", "--site", "bench.example.org", "--json", str(log)]
    theirs = [need("goaccess", "test", "goaccess"), str(log), "--log-format=COMBINED", "--no-progress", "--no-global-config",
              "-o", str(directory / "goaccess.json")]
    took = {"viewtail report": [], "GoAccess": []}
    for _ in range(PAIRS):
        for name, command in (("viewtail report", ours), ("GoAccess", theirs)):
            seconds, rss_mib = run(command, directory)
            took[name].append(seconds)
            print(f"{name}: {seconds:.2f} s, {rss_mib:.0f} MiB", flush=True)
    ratio = statistics.median(took["GoAccess"]) / statistics.median(took["viewtail report"])
    rows.append(("report, times as fast as GoAccess", ratio, "at least", GOALS["report_speed_ratio_min"]))
    visitors = directory / "visitors.log"
    write_visitors(visitors)
    command = ours[:-1] + [str(visitors)]
    _, rss_mib = run(command, directory)
    visitors.unlink()
    rows.append(("report over 1 M visitors, peak RSS MiB", rss_mib, "at most", GOALS["report_rss_mib_max"]))


def run(command, directory):
    """Wall seconds and peak resident memory of a command that must succeed."""
    with open(directory / "counted", "wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} ended with {process.returncode}; see {directory / 'counted'}")
    # What this Python had at the fork counts too: some 20 MiB, so small figures are too high, never too low.
    return seconds, usage.ru_maxrss / 1024


def write_visitors(path):
    with open(path, "w", encoding="ascii") as out:
        for number in range(VISITORS):
            address = f"{1 + number % 200}.{number // 200 % 250}.{number // 50_000 % 250}.{number % 251}"
            out.write(f"{address} - - [01/Mar/2026:{number * 86_400 // VISITORS // 3600:02}:00:00 +0000] "
                      f"\"GET /posts/{number % 5000}.html HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0 (X11; {number})\"\n")

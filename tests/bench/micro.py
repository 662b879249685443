#!/usr/bin/env python3
"""What a line costs by stage: nanoseconds of CPU, instructions, requests for memory.

Instructions do not depend on how busy the machine is. callgrind counts those of `per_line LOG PROGRAM` over a log and over
its first half; the difference is what a line of the second half costs, without the program's start.

Usage: micro.py
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "target" / "release" / "examples"
OUT = ROOT / "target" / "cost"
# Enough that the caches of user agents and days are warm, few enough for some seconds under callgrind.
LINES = 10_000
# Enough for some tenths of a second a round.
TIMED_LINES = 200_000


def generated(lines):
    """A log of so many lines."""
    OUT.mkdir(parents=True, exist_ok=True)
    log = OUT / f"{lines}.log"
    with open(log, "wb") as out:
        subprocess.run([EXAMPLES / "genlog", str(lines)], stdout=out, check=True)
    return log


def instructions_per_line(program):
    """Instructions of one of the programs of per_line (regex, split, event) for a line."""
    if shutil.which("valgrind") is None:
        sys.exit("micro: valgrind is not installed; `make setup` does that")
    whole, half = generated(LINES), OUT / "half.log"
    half.write_bytes(b"".join(whole.read_bytes().splitlines(True)[:LINES // 2]))
    return (counted(whole, program) - counted(half, program)) / (LINES - LINES // 2)


def counted(log, program):
    words = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={OUT / 'callgrind'}", EXAMPLES / "per_line", log, program]
    run = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1))


def answer(*words):
    command = [str(word) for word in (EXAMPLES / "per_line", *words)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def main():
    log = generated(TIMED_LINES)
    took = answer(log)
    print("| stage | CPU ns per line | instructions per line |\n|---|---|---|")
    for program, what in (("regex", "regex captures alone, for comparison"), ("split", "split"),
                          ("event", "the whole event: split, rules, JSON")):
        print(f"| {what} | {took[program + '_ns']:,.0f} | {instructions_per_line(program):,.0f} |")
    print(f"| of it the rules: page, page view, bot, visitor, client | {took['rules_ns']:,.0f} | |")
    print(f"\n{answer(log, 'allocations')['per_1000_events']:.3f} requests for memory per 1,000 events")


if __name__ == "__main__":
    main()

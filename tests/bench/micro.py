#!/usr/bin/env python3
"""What a line costs by stage: nanoseconds of CPU, instructions, requests for memory.

Instructions do not depend on how busy the machine is. callgrind counts those of `per_line LOG PROGRAM` over a log and over
its first half; the difference is what a line of the second half costs, without the program's start.

Usage: micro.py
"""

import re
import subprocess

from examples import EXAMPLES, ROOT, answer_of, generate
from programs import need

OUT = ROOT / "target" / "cost"
# Enough that the caches of user agents and days are warm, few enough for some seconds under callgrind.
LINES = 10_000
# Enough for some tenths of a second a round.
TIMED_LINES = 200_000
# Enough that the places of the cache of user agents have the sizes that they keep.
MEMORY_LINES = 1_000_000


def generated(lines):
    """A log of so many lines."""
    return generate(OUT / f"{lines}.log", lines)


def instructions_per_line(program):
    """Instructions of one of the programs of per_line (regex, split, event) for a line."""
    whole, half = generated(LINES), OUT / "half.log"
    half.write_bytes(b"".join(whole.read_bytes().splitlines(True)[:LINES // 2]))
    return (counted(whole, program) - counted(half, program)) / (LINES - LINES // 2)


def counted(log, program):
    words = [need("valgrind", "test", "valgrind"), "--tool=callgrind", f"--callgrind-out-file={OUT / 'callgrind'}", EXAMPLES / "per_line", log, program]
    run = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1))


def allocations_per_1000():
    """How often 1,000 events ask for memory, when the cache of user agents has seen most of what comes."""
    return answer_of("per_line", generated(MEMORY_LINES), "allocations")["per_1000_events"]


def main():
    log = generated(TIMED_LINES)
    took = answer_of("per_line", log)
    print("| stage | CPU ns per line | instructions per line |\n|---|---|---|")
    for program, what in (("regex", "regex captures alone, for comparison"), ("split", "split"),
                          ("event", "the whole event: split, rules, JSON")):
        print(f"| {what} | {took[program + '_ns']:,.0f} | {instructions_per_line(program):,.0f} |")
    print(f"| of it the rules: page, page view, bot, visitor, client | {took['rules_ns']:,.0f} | |")
    print(f"\n{allocations_per_1000():.3f} requests for memory per 1,000 events")


if __name__ == "__main__":
    main()

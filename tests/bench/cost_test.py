"""What a line costs in instructions, which does not depend on how busy the machine is: a bound that `make test` holds.

callgrind counts the instructions of `per_line LOG event` (split, all rules, JSON) over a log and over its first half; the
difference is what the second half costs, without the program's start.
"""

import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "target" / "release" / "examples"
OUT = ROOT / "target" / "cost"
# Enough that the caches of user agents and days are warm, few enough for some seconds under callgrind.
LINES = 10_000
# A line cost 14,900 instructions when this was written, taking the log apart at its newlines included. Processors
# without AVX2 need more for a search in memory.
INSTRUCTIONS_PER_LINE_MAX = 16_500


def instructions(log):
    words = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={OUT / 'callgrind'}", EXAMPLES / "per_line", log, "event"]
    run = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1))


class Cost(unittest.TestCase):
    def test_the_instructions_of_a_line_stay_below_their_bound(self):
        OUT.mkdir(parents=True, exist_ok=True)
        whole, half = OUT / "whole.log", OUT / "half.log"
        lines = subprocess.run([EXAMPLES / "genlog", str(LINES)], stdout=subprocess.PIPE, check=True).stdout.splitlines(True)
        whole.write_bytes(b"".join(lines))
        half.write_bytes(b"".join(lines[:LINES // 2]))
        per_line = (instructions(whole) - instructions(half)) / (LINES - LINES // 2)
        print(f"an event costs {per_line:,.0f} instructions, at most {INSTRUCTIONS_PER_LINE_MAX:,}")
        self.assertLess(per_line, INSTRUCTIONS_PER_LINE_MAX)


if __name__ == "__main__":
    unittest.main()

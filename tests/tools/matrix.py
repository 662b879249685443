#!/usr/bin/env python3
"""Prints the tailing matrix, tests/matrix/ROWS.md, with what came of each test.

Usage: matrix.py ROWS.md OUTPUT, the output being that of cargo test. Exit 1 if a test failed or did not run.
"""

import re
import sys

ROW = re.compile(r"^\| (\d+) \| (.*?) \| (.*?) \| (.*?) \|$")
# `test lines::row_42_... ... ok`; what a test prints may stand between the name and the result.
RESULT = re.compile(r"^test (?:\S+::)?(row_\d\d_\w+) \.\.\.(?:.*?\b(ok|FAILED))?$")
ALONE = re.compile(r"^(ok|FAILED)$")


def results(path):
    """What came of each test that ran."""
    found, waiting = {}, None
    with open(path, encoding="utf-8", errors="replace") as output:
        for line in output:
            line = line.rstrip("\n")
            if match := RESULT.match(line):
                name, result = match.groups()
                found[name] = result or "no result"
                waiting = None if result else name
            elif waiting and ALONE.match(line):
                found[waiting], waiting = line, None
    return found


def main():
    rows, output = sys.argv[1:]
    came_of = results(output)
    bad = 0
    with open(rows, encoding="utf-8") as table:
        for line in table:
            match = ROW.match(line.rstrip("\n"))
            if not match:
                continue
            number, case, shown, tests = match.groups()
            print(f"{number:>2}  {case}\n    {shown}")
            for test in re.findall(r"`(\w+)`", tests):
                result = came_of.get(test, "not run")
                bad += result != "ok"
                print(f"      {result:<8} {test}")
    print(f"{len(came_of)} tests of rows ran, {bad} failed or were missing")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

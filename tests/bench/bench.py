#!/usr/bin/env python3
"""viewtail beside the programs that do its work otherwise: the same lines, the same real broker, turn by turn.

Rules: CPU is the whole process's (user and system, from wait4), with that of a run over one line subtracted, and so
is the wall time: what is compared is the flow, not the start and not how long a last batch waits for company. The broker is
a process of its own; every run has a fresh topic with one partition and a fresh state directory; the end of a run is the
moment at which the last line is visible to a read_committed reader, asked from the broker itself; afterwards an
independent reader counts what arrived, and a run that lost or doubled a line has no speed. The runs alternate (A B A B),
and what counts is the ratio of the medians, because machines are noisy.

Usage: bench.py [--row N ...] [--table NAME ...] [--lines N] [--pairs N] [--agent PATH]
Without --row and --table: every row, and with --tables every table too.
Writes target/bench/report.md, report.json and, with tables, curves.svg. Exit 1 when a goal is missed.
"""

import argparse
import json
import os
import platform
import sys
from pathlib import Path

import drawing
from examples import ROOT
from measure import OUT
from rows import ROWS, Lab
from tables import TABLES


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--row", type=int, action="append", choices=sorted(ROWS), help="this row alone; may be repeated")
    parser.add_argument("--table", action="append", choices=sorted(TABLES), help="this table alone; may be repeated")
    parser.add_argument("--tables", action="store_true", help="all tables too, which takes long")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--agent", type=Path, default=ROOT / "target" / "release" / "viewtail")
    options = parser.parse_args()
    numbers = options.row or ([] if options.table else sorted(ROWS))
    names = options.table or (sorted(TABLES) if options.tables else [])
    lab = Lab(options)
    try:
        rows = [row for number in numbers for row in ROWS[number](lab)]
        tables = [TABLES[name](lab) for name in names]
    finally:
        lab.close()
    write(options, lab, rows, tables)
    return 0 if all(row.met for row in rows) else 1


def write(options, lab, rows, tables):
    text = report(options, lab, rows, tables)
    result = {
        "machine": machine(), "lines": options.lines, "pairs": options.pairs,
        "rows": [vars(row) | {"met": row.met} for row in rows],
        "programs": {name: figures for contest in lab.contests.values() for name, figures in contest.items()},
        "tables": [{"title": table.title, "axis": table.axis, "columns": table.columns, "rows": table.rows}
                   for table in tables],
    }
    (OUT / "report.json").write_text(json.dumps(result, indent=2) + "\n")
    (OUT / "report.md").write_text(text)
    drawn = [table for table in tables if table.drawn]
    if drawn:
        (OUT / "curves.svg").write_text(drawing.svg(drawn))
    print("\n" + text)
    print("also in target/bench: report.md, report.json" + (", curves.svg" if drawn else ""))


def report(options, lab, rows, tables):
    size = lab.log.stat().st_size / options.lines
    lines = [f"# viewtail beside others: {options.lines:,} lines of {size:.0f} bytes, {options.pairs} interleaved runs", "",
             f"{machine()}; real Apache Kafka on the loopback, one partition, acks=all, idempotent, lz4.",
             "CPU is the whole process's; a run over one line is subtracted from CPU and wall time; min / median / max. "
             "No run lost or doubled a line.", ""]
    if lab.contests:
        lines += ["| program | CPU us per line | lines per second | peak RSS MiB |", "|---|---|---|---|"]
        lines += [program_row(name, one) for contest in lab.contests.values() for name, one in contest.items()]
        lines.append("")
    if rows:
        lines += ["| row | what | measured | goal | |", "|---|---|---|---|---|"] + [row.shown() for row in rows] + [""]
    lines += [table.markdown() for table in tables]
    return "\n".join(lines)


def program_row(name, one):
    cells = [" / ".join(f"{one[key][kind]:,.{digits}f}" for kind in ("min", "median", "max"))
             for key, digits in (("cpu_us_per_line", 2), ("lines_per_s", 0), ("peak_rss_mib", 1))]
    return f"| {name} | " + " | ".join(cells) + " |"


def machine():
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


if __name__ == "__main__":
    sys.exit(main())

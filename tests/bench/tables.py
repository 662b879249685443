"""Curves instead of points: what an event costs over files, rate, line length, commit interval, brokers and codecs.

Each table is a list of rows of plain figures; a curve of cost is also drawn (`drawing.py`).
"""

import contextlib
import shutil
import time

import measure
from broker import Broker
from distance import Distance
from measure import OUT, Contest, Running, fresh_directory

FILES = [1, 10, 100, 1_000, 10_000]
RATES = [100, 1_000, 10_000, 50_000, None]
LINE_BYTES = [100, 1_000, 8_000, 65_536]
INTERVALS = ["50ms", "200ms", "1s", "10s"]
BROKERS = [1, 3]
PARTITIONS = [1, 12, 50]
ROUND_TRIPS_MS = [0, 2, 20]
# Of both four times the default: a partition has one batch under way.
LARGE = {"flush": "{bytes: 4MB}", "buffer": "{messages: 40000, bytes: 24MB}"}
CODECS = [("none", None), ("gzip", 1), ("gzip", 6), ("snappy", None), ("lz4", None), ("lz4", 9), ("zstd", 1), ("zstd", 3),
          ("zstd", 9)]
# A point of a curve needs fewer lines than a goal: enough for some seconds of work.
LINES = 300_000
# Runs of each point, of which the median counts.
RUNS = 3
# How long a rate is held.
RATE_S = 10


class Table:
    """Rows of (label, figures by name), and which figure is drawn over the labels."""

    def __init__(self, title, axis, columns, drawn=None):
        self.title, self.axis, self.columns, self.drawn, self.rows = title, axis, columns, drawn, []

    def add(self, label, *figures):
        self.rows.append((label, figures))
        print(f"{self.title}: {label}: " + ", ".join(f"{figure:,.2f}" for figure in figures), flush=True)

    def markdown(self):
        head = [f"## {self.title}", "", "| " + " | ".join([self.axis, *self.columns]) + " |",
                "|" + "---|" * (len(self.columns) + 1)]
        body = ["| " + " | ".join([str(label), *(f"{figure:,.2f}" for figure in figures)]) + " |"
                for label, figures in self.rows]
        return "\n".join(head + body) + "\n"

    def drawn_points(self):
        at = self.columns.index(self.drawn)
        return [(label, figures[at]) for label, figures in self.rows]


def over_files(lab):
    table = Table("Cost over files", "files", ["CPU us per line", "lines per second", "peak RSS MiB"], "CPU us per line")
    for count in FILES:
        directory = fresh_directory("many")
        split(lab.log_of(LINES), directory, count, LINES)
        program = lab.agent(f"{count} files")
        found = Contest(lab.broker, directory / "*.log", lab.one_line, LINES).run([program], RUNS)[program.name]
        table.add(count, *medians(found))
        shutil.rmtree(directory)
    return table


def over_rate(lab):
    table = Table("Cost over rate", "lines per second", ["CPU us per line", "peak RSS MiB"], "CPU us per line")
    for rate in RATES:
        table.add(rate or "as fast as it can", *cost_at_rate(lab, rate))
    return table


def over_line_length(lab):
    table = Table("Cost over length", "bytes per line", ["CPU us per line", "CPU ns per byte", "lines per second",
                                                        "peak RSS MiB"], "CPU ns per byte")
    for size in LINE_BYTES:
        lines = max(2_000, min(LINES, 60_000_000 // size))
        log = OUT / "long.log"
        pad(lab.log_of(LINES), log, size, lines)
        program = lab.agent(f"{size} bytes")
        cpu_us, *others = medians(Contest(lab.broker, log, lab.one_line, lines).run([program], RUNS)[program.name])
        table.add(size, cpu_us, cpu_us * 1000 / size, *others)
        log.unlink()
    return table


def over_commit_interval(lab):
    programs = [lab.agent(f"commit_interval {interval}", commit_interval=interval) for interval in INTERVALS]
    return compared(lab, "Cost over commit interval", "commit interval", programs, INTERVALS)


def over_codecs(lab):
    """The table by which the default codec is chosen: what it costs us, the reader, and the disk."""
    table = Table("Compression", "codec", ["CPU us per line", "lines per second", "bytes per line in the topic",
                                           "reader lines per second"])
    log = lab.log_of(LINES)
    for codec, level in CODECS:
        options = {"compression": codec} | ({} if level is None else {"compression_level": level})
        name = codec if level is None else f"{codec} {level}"
        program = lab.agent(name, **options)
        cpu_us, per_s, _ = medians(Contest(lab.broker, log, lab.one_line, LINES).run([program], RUNS)[name])
        size, read_per_s = stored(lab, program, log)
        table.add(name, cpu_us, per_s, size, read_per_s)
    return table


def over_brokers(lab):
    table = Table("Cost over brokers", "brokers", ["CPU us per line", "lines per second", "peak RSS MiB"])
    log = lab.log_of(LINES)
    for nodes in BROKERS:
        with own_broker(nodes) as broker:
            program = lab.agent(f"{nodes} brokers")
            table.add(nodes, *medians(Contest(broker, log, lab.one_line, LINES).run([program], RUNS)[program.name]))
    return table


def over_partitions(lab):
    """Keys of visitors spread each read over all partitions, so that none of them fills a batch alone."""
    table = Table("Cost over partitions", "partitions", ["CPU us per line", "lines per second", "peak RSS MiB"])
    log = lab.log_of(LINES)
    program = lab.agent("by visitor", partition_by="visitor")
    for partitions in PARTITIONS:
        lab.broker.partitions = partitions
        table.add(partitions, *medians(Contest(lab.broker, log, lab.one_line, LINES).run([program], RUNS)[program.name]))
    lab.broker.partitions = 1
    return table


def over_distance(lab):
    """Brokers in another place, with the default limits of a batch and with larger ones."""
    table = Table("Cost over distance", "round trip", ["CPU us per line", "lines per second", "peak RSS MiB"])
    log = lab.log_of(LINES)
    for round_trip_ms in ROUND_TRIPS_MS:
        with own_broker(distance=Distance(round_trip_ms)) as broker:
            programs = [lab.agent(f"{round_trip_ms} ms"), lab.agent(f"{round_trip_ms} ms, 4 MB batches", **LARGE)]
            found = Contest(broker, log, lab.one_line, LINES).run(programs, RUNS)
            for program in programs:
                table.add(program.name, *medians(found[program.name]))
    return table


TABLES = {"files": over_files, "rate": over_rate, "length": over_line_length, "interval": over_commit_interval,
          "codecs": over_codecs, "brokers": over_brokers, "partitions": over_partitions, "distance": over_distance}


@contextlib.contextmanager
def own_broker(nodes=1, distance=None):
    """Brokers for one point of a curve."""
    directory = fresh_directory("kafka-own")
    broker = Broker(directory, nodes, distance)
    try:
        yield broker
    finally:
        broker.stop()
        shutil.rmtree(directory, ignore_errors=True)


def compared(lab, title, axis, programs, labels):
    table = Table(title, axis, ["CPU us per line", "lines per second", "peak RSS MiB"], "CPU us per line")
    found = Contest(lab.broker, lab.log_of(LINES), lab.one_line, LINES).run(programs, RUNS)
    for program, label in zip(programs, labels):
        table.add(label, *medians(found[program.name]))
    return table


def medians(found):
    return tuple(found[key]["median"] for key in ("cpu_us_per_line", "lines_per_s", "peak_rss_mib"))


def cost_at_rate(lab, rate):
    """CPU per line and peak memory while lines come at this rate."""
    lines = LINES if rate is None else rate * RATE_S
    topic, directory = lab.broker.new_topic(), fresh_directory()
    log = directory / "live.log"
    log.touch()
    with open(lab.log_of(lines), "rb") as source, open(log, "ab", buffering=0) as out, \
            Running(lab.agent().command(lab.broker, log, topic, directory), directory) as process:
        time.sleep(1)
        before, began, sent = measure.cpu_seconds(process), time.monotonic(), 0
        while sent < lines:
            due = lines if rate is None else min(lines, int((time.monotonic() - began) * rate))
            out.write(b"".join(source.readline() for _ in range(due - sent)))
            sent = due
            time.sleep(0.01)
        _, peak = measure.wait_until_visible(lab.broker, topic, lines, began, process, False)
        return (measure.cpu_seconds(process) - before) * 1e6 / lines, peak


def stored(lab, program, log):
    """Bytes per line on the broker's disk, and how fast a reader takes them."""
    topic, directory = lab.broker.new_topic(), fresh_directory()
    run = measure.measure(lab.broker, topic, LINES, program, program.command(lab.broker, log, topic, directory), directory)
    assert run.wall_s > 0
    segments = (lab.broker.directory / "node1" / "data" / f"{topic}-0").glob("*.log")
    size = sum(segment.stat().st_size for segment in segments) / LINES
    began = time.monotonic()
    records, _ = measure.count_arrived(lab.broker, topic)
    took = time.monotonic() - began
    lab.broker.delete_topic(topic)
    return size, records / took


def split(log, directory, count, lines):
    """Deals the lines of a log out to so many files, in runs as web servers write them."""
    run = max(1, min(200, lines // count))
    with open(log, "rb") as source:
        for start in range(0, lines, run):
            with open(directory / f"site-{start // run % count:05}.log", "ab") as out:
                out.writelines(source.readline() for _ in range(min(run, lines - start)))


def pad(log, target, size, lines):
    """Lines of one size: the user agent is cut or drawn out, the rest stays."""
    with open(log, "rb") as source, open(target, "wb") as out:
        for _ in range(lines):
            begin = source.readline().rsplit(b'"', 2)[0]
            if len(begin) + 3 > size:
                # A short line: the referrer goes too.
                begin = begin.rsplit(b'"', 3)[0] + b'"-" '
            out.write(begin + b'"' + b"x" * max(1, size - len(begin) - 3) + b'"\n')

"""The rows of the benchmark: what is measured, against what, and which figure is the goal.

Each row is a function of a `Lab`, which makes brokers, logs and contests once and shares them between rows.
"""

import functools
import os
import shutil
import socket
import statistics
import subprocess
import time

import counting
import fairness
import idle
import measure
import rotation
from broker import Broker, wait_for
from examples import answer_of, generate
from measure import OUT, Contest, Running, fresh_directory, ratio
from programs import Kcat, KcatOfEvents, Rsyslog, Sarama, Viewtail

# The article's program with one line under way at a time is three orders slower: so many lines do.
SYNC_LINES = 5_000
COMMITS = 300
# Of runs that differ by 10 per cent, so that a goal of 2 or 3 shows.
ROUNDS_FOR_FEW_PER_CENT = 30
# A host with many sites, as most are small.
FEW_FILES = 100
# An agent lets go of what only its start needed 10 s after it.
START_S = 13


class Row:
    """One line of the report."""

    def __init__(self, number, what, measured, goal, kind="at most", unit=""):
        self.number, self.what, self.measured, self.goal, self.kind, self.unit = number, what, measured, goal, kind, unit

    @property
    def met(self):
        if self.kind == "shown":
            return True
        return self.measured <= self.goal if self.kind == "at most" else self.measured >= self.goal

    def shown(self):
        number = f"{self.measured:,.3f}" if abs(self.measured) < 10 else f"{self.measured:,.0f}"
        goal = "" if self.kind == "shown" else f"{self.kind} {self.goal:g}{self.unit}"
        verdict = "" if self.kind == "shown" else ("ok" if self.met else "MISSED")
        return f"| {self.number} | {self.what} | {number}{self.unit} | {goal} | {verdict} |"


class Lab:
    """What rows share: options, one broker, logs, and the figures of contests that several rows read."""

    def __init__(self, options):
        self.options, self.broker_running, self.contests = options, None, {}
        self.log, self.one_line = access_log(options.lines), access_log(1)

    @property
    def broker(self):
        if self.broker_running is None:
            self.broker_running = Broker(fresh_directory("kafka"))
        return self.broker_running

    @functools.cached_property
    def costs(self):
        """Nanoseconds of CPU for a line, by stage."""
        return answer_of("per_line", self.log)

    def close(self):
        if self.broker_running is not None:
            self.broker_running.stop()
        for name in ("kafka", "run"):
            shutil.rmtree(OUT / name, ignore_errors=True)
        for events in OUT.glob("*.jsonl"):
            events.unlink()

    def agent(self, name="viewtail", **kafka):
        return Viewtail(self.options.agent, name, **kafka)

    def log_of(self, lines):
        return self.log if lines == self.options.lines else access_log(lines)

    def contest(self, *programs, lines=None, pairs=None):
        """Figures of these programs beside each other; what was measured already is not measured again."""
        key = (lines, *(one.name for one in programs))
        if key not in self.contests:
            log = self.log_of(lines or self.options.lines)
            contest = Contest(self.broker, log, self.one_line, lines or self.options.lines)
            self.contests[key] = contest.run(programs, pairs or self.options.pairs)
        return self.contests[key]

    def close_contest(self, *programs):
        """With rounds enough for a difference of a few per cent."""
        return self.contest(*programs, pairs=max(self.options.pairs, ROUNDS_FOR_FEW_PER_CENT))

    def rivals(self):
        """The contest of all programs that bring a log into a topic."""
        return self.contest(self.agent(), Kcat(), Rsyslog(as_json=True), Rsyslog(as_json=False), Sarama("async"))

    def with_kcat(self):
        return self.contest(self.agent(), Kcat(), KcatOfEvents(self.agent()))


def access_log(lines):
    return generate(OUT / f"access-{lines}.log", lines)


def row_1(lab):
    yield from beside_kcat(lab, 1, "CPU per line", "cpu_us_per_line", "at most")


def row_2(lab):
    yield from beside_kcat(lab, 2, "lines per second", "lines_per_s", "at least")


def beside_kcat(lab, number, what, key, kind):
    """The raw lines are the goal; the events, which have more bytes, tell what is viewtail's own work of the difference."""
    found = lab.with_kcat()
    yield Row(number, f"{what}, ratio to kcat raw", ratio(found, "viewtail", Kcat.name, key), 1.0, kind, "x")
    yield Row(number, f"{what}, ratio to kcat with the same events", ratio(found, "viewtail", KcatOfEvents.name, key), 0,
              "shown", "x")


# Rival, how many times less CPU, how many times more lines per second.
RIVALS = [("rsyslog, JSON", 5, 5), ("sarama AsyncProducer", 7, 8)]


def row_3(lab):
    found = lab.rivals()
    for name, goal, _ in RIVALS:
        yield Row(3, f"CPU per line of {name}, ratio to viewtail", ratio(found, name, "viewtail", "cpu_us_per_line"), goal,
                  "at least", "x")
    yield Row(3, "CPU per line of rsyslog raw, ratio to viewtail",
              ratio(found, "rsyslog, raw lines", "viewtail", "cpu_us_per_line"), 0, "shown", "x")


def row_4(lab):
    found = lab.rivals()
    for name, _, goal in RIVALS:
        yield Row(4, f"lines per second, ratio to {name}", ratio(found, "viewtail", name, "lines_per_s"), goal, "at least",
                  "x")
    found = lab.contest(lab.agent(), Sarama("sync"), lines=SYNC_LINES, pairs=1)
    yield Row(4, f"sarama SyncProducer, lines per second of {SYNC_LINES} lines",
              found["sarama SyncProducer"]["lines_per_s"]["median"], 0, "shown")


def row_5(lab):
    programs = lab.agent("exactly_once"), lab.agent("at_least_once", delivery="at_least_once")
    found = lab.close_contest(*programs)
    yield Row(5, "CPU of exactly_once, ratio to at_least_once",
              ratio(found, "exactly_once", "at_least_once", "cpu_us_per_line"), 1.03, unit="x")
    yield Row(5, "time of exactly_once, ratio to at_least_once",
              ratio(found, "at_least_once", "exactly_once", "lines_per_s"), 1.03, unit="x")


def row_6(lab):
    took = answer_of("commits", lab.broker.addresses, lab.broker.new_topic(), COMMITS)
    yield Row(6, f"last acknowledgement to committed, median of {COMMITS}", took["p50_ms"], 5, unit=" ms")
    yield Row(6, f"last acknowledgement to committed, 99th percentile of {COMMITS}", took["p99_ms"], 30, unit=" ms")


def row_7(lab):
    costs = lab.costs
    yield Row(7, "parse and JSON, CPU against regex captures of the line",
              (costs["event_ns"] - costs["rules_ns"]) / costs["regex_ns"], 0.35, unit="x")
    yield Row(7, "with page, bot, visitor and all rules", costs["event_ns"] / costs["regex_ns"], 0.9, unit="x")


def row_8(lab):
    counted = answer_of("per_line", lab.log, "allocations")
    yield Row(8, "heap allocations per 1,000 events, steady state", counted["per_1000_events"], 1)


def row_9(lab):
    yield Row(9, "peak RSS at full speed", lab.with_kcat()["viewtail"]["peak_rss_mib"]["max"], 32, unit=" MiB")
    yield Row(9, f"RSS with nothing to do, {FEW_FILES} files", idle_rss_mib(lab), 16, unit=" MiB")


def row_10(lab):
    yield from idle.many_files(lab, Row)


def row_11(lab):
    yield from idle.beside_many_files(lab, Row)


def row_12(lab):
    yield from idle.latency(lab, Row)


def row_13(lab):
    """Not of the goals' table, but what an operator waits for."""
    worst = max(recovery_s(lab) for _ in range(5))
    yield Row(13, "kill -9 to the first new record, worst of 5", worst, 1.5, unit=" s")
    yield Row(13, f"start to READY, {FEW_FILES} files", ready_ms(lab), 300, unit=" ms")


def row_14(lab):
    costs = []
    counting.measure(costs, lab.options.agent, lab.log, fresh_directory())
    for what, measured, kind, goal in costs:
        yield Row(14, what, measured, goal, kind)


def row_15(lab):
    yield from rotation.extra_lag(lab, Row)


def row_16(lab):
    """What is asked of a file after every read, so that no byte is taken from another file than was meant."""
    costs = lab.costs | answer_of("per_line", lab.log, "reads")
    lines_per_read = costs["read_bytes"] * lab.options.lines / lab.log.stat().st_size
    block_ns = costs["read_ns"] + lines_per_read * costs["event_ns"]
    yield Row(16, "verify after read, share of what reading and parsing a block costs", costs["proof_ns"] / block_ns * 100, 2,
              unit=" %")


def row_17(lab):
    yield from fairness.lag(lab, Row)


def row_18(lab):
    yield from idle.very_many_files(lab, Row)


ROWS = {number: globals()[f"row_{number}"] for number in range(1, 19)}


def idle_rss_mib(lab):
    """Resident memory of an agent that has nothing to do, some time after its start and its last line."""
    topic, directory, logs = lab.broker.new_topic(), fresh_directory(), idle.idle_files(FEW_FILES, 1)
    with Running(lab.agent().command(lab.broker, logs / "*.log", topic, directory), directory) as process:
        measure.wait_until_visible(lab.broker, topic, FEW_FILES, time.monotonic(), process, False)
        time.sleep(START_S)
        return measure.resident_mib(process, "VmRSS")


def ready_ms(lab):
    """From the start to the moment at which a service manager is told READY, the median of some."""
    topic, logs, took_ms = lab.broker.new_topic(), idle.idle_files(FEW_FILES, 1), []
    for _ in range(lab.options.pairs):
        directory = fresh_directory()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            os.environ["NOTIFY_SOCKET"] = str(directory / "notify")
            manager.bind(os.environ["NOTIFY_SOCKET"])
            manager.settimeout(30)
            began = time.monotonic()
            with Running(lab.agent().command(lab.broker, logs / "*.log", topic, directory), directory):
                while b"READY=1" not in manager.recv(4096):
                    pass
                took_ms.append((time.monotonic() - began) * 1000)
            del os.environ["NOTIFY_SOCKET"]
    return statistics.median(took_ms)


def recovery_s(lab):
    """From the start behind a kill -9 in the middle of a transaction to the first record of the new agent."""
    topic, directory, broker = lab.broker.new_topic(), fresh_directory(), lab.broker
    command = lab.agent().command(broker, lab.log, topic, directory)
    with open(directory / "output", "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        wait_for(lambda: (broker.end(topic, committed=False) or 0) > lab.options.lines // 20, "records arrive")
        process.kill()
        measure.reap(process)
    # What was under way to the broker is let in first.
    time.sleep(0.3)
    before = broker.end(topic, committed=False)
    began = time.monotonic()
    with Running(command, directory):
        # The marker that settles the dead agent's transaction takes one place itself.
        wait_for(lambda: broker.end(topic, committed=False) > before + 1, "the new agent produces")
        return time.monotonic() - began

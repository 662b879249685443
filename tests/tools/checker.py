#!/usr/bin/env python3
"""Says whether a topic holds every line of the truth exactly once.

A program of its own: it reads the topic with kcat and shares no code and no language with viewtail, so that one
mistake cannot hide on both sides. It verifies, for a read_committed reader:

- every line of the truth files is there exactly once, and nothing else is;
- no event id occurs twice;
- the lines of one stream (one generation of a file) lie in one partition and in the order they were written;
- the positions of a stream form a chain: position + line_size (+ skipped_size of the next event) is where the next
  line starts, from byte 0 on;
- line_size is the size of the line of the truth, and method, path and status are what the line says.

It also reads the topic read_uncommitted: the difference is what aborted transactions left behind. With
--faults-required a run whose faults hit no open transaction is no proof, and fails.

A truth line is found again by its token, which occurs in exactly one line (--token, a regular expression).

Usage: checker.py --brokers HOST:PORT --topic TOPIC [options] TRUTH...
Prints one line of JSON and one line for people; exit 0 (valid), 1 (not valid), 2 (could not check).
"""

import argparse
import json
import os
import re
import subprocess
import sys

# The tokens of the tests' own log writer: the writer's tag and a number of nine digits.
DEFAULT_TOKEN = r"[a-z][a-z0-9]*-[0-9]{9}(?=\.html)"
# How many examples of each anomaly are shown.
EXAMPLES = 5
# A line of nginx's combined format, as far as it is compared; what does not match is compared by its token alone.
REQUEST = re.compile(rb'"([A-Z]+) (\S+) HTTP/[0-9.]+" ([0-9]{3}) ')


class Truth:
    """The lines that must arrive."""

    def __init__(self, token):
        self.token = re.compile(token.encode())
        self.lines = {}
        self.problems = []

    def add_file(self, path, writer):
        """Adds the lines of a file; the order within one file is the order within each stream."""
        with open(path, "rb") as file:
            for number, line in enumerate(file):
                self.add_line(writer, number, line)

    def add_line(self, writer, number, line):
        found = self.token.search(line)
        if found is None:
            self.problems.append(f"truth line {number} of file {writer} has no token: {line[:80]!r}")
            return
        token = found.group().decode()
        if token in self.lines:
            self.problems.append(f"the truth itself holds {token} twice")
            return
        self.lines[token] = (writer, number, len(line), expected_fields(line))


def expected_fields(line):
    """Method, path without query, and status of a combined line, or None."""
    found = REQUEST.search(line)
    if found is None:
        return None
    method, target, status = (part.decode("utf-8", "replace") for part in found.groups())
    return method, target.split("?")[0], int(status)


class Verdict:
    """Counts of anomalies with a few examples of each."""

    KINDS = (
        "lost", "doubled", "unknown", "unreadable", "doubled_ids", "order", "chain", "partition", "fields", "truth",
    )

    def __init__(self):
        self.counts = dict.fromkeys(self.KINDS, 0)
        self.examples = {}

    def note(self, kind, example):
        self.counts[kind] += 1
        shown = self.examples.setdefault(kind, [])
        if len(shown) < EXAMPLES:
            shown.append(example)

    def valid(self):
        return not any(self.counts.values())


class Stream:
    """What is known of one generation while its events pass by."""

    def __init__(self, partition):
        self.partition = partition
        self.next_position = 0
        self.last_number = {}


def check(truth, records, options):
    """Checks (partition, offset, value) records in the topic's order; returns the verdict and the streams."""
    verdict = Verdict()
    for problem in truth.problems:
        verdict.note("truth", problem)
    seen, ids, streams = {}, set(), {}
    skipped = 0
    for partition, offset, value in records:
        place = f"{partition}@{offset}"
        try:
            event = json.loads(value)
            stream_id, position = event["id"].split(":")
            position, size = int(position), int(event["line_size"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            verdict.note("unreadable", f"{place}: {error!r} in {value[:200]!r}")
            continue
        if event["id"] in ids:
            verdict.note("doubled_ids", f"{event['id']} again at {place}")
        ids.add(event["id"])
        stream = streams.setdefault(stream_id, Stream(partition))
        if stream.partition != partition:
            verdict.note("partition", f"{event['id']} in {place}, its stream in {stream.partition}")
        before = event.get("skipped_size", 0)
        skipped += before
        if position != stream.next_position + before:
            verdict.note("chain", f"{event['id']} at {place}: expected position {stream.next_position} + {before}")
        stream.next_position = position + size
        check_line(truth, event, stream, (size, place), seen, verdict, options)
    for token in truth.lines:
        if token not in seen:
            verdict.note("lost", token)
    return verdict, streams, skipped


def check_line(truth, event, stream, where, seen, verdict, options):
    """Compares one event with the line of the truth that it must be."""
    size, place = where
    token = find_token(truth.token, event)
    if token is None or token not in truth.lines:
        if not options.allow_unknown:
            verdict.note("unknown", f"{event['id']} at {place}: {json.dumps(event)[:300]}")
        return
    if token in seen:
        verdict.note("doubled", f"{token}: {seen[token]} and {place}")
        return
    seen[token] = place
    writer, number, line_size, fields = truth.lines[token]
    if not options.any_order:
        if number <= stream.last_number.get(writer, -1):
            verdict.note("order", f"{token} at {place} behind line {stream.last_number[writer]} of its writer")
        stream.last_number[writer] = number
    if not options.other_sizes and size != line_size:
        verdict.note("fields", f"{token} at {place}: line_size {size}, the line has {line_size}")
    if fields is not None and "raw" not in event:
        got = (event.get("http_request_method"), event.get("url_path"), event.get("http_response_status_code"))
        if got != fields:
            verdict.note("fields", f"{token} at {place}: {got}, the line says {fields}")
    elif fields is not None:
        verdict.note("fields", f"{token} at {place} was not parsed")


def find_token(pattern, event):
    """The token in the fields that can carry it."""
    for name in ("url_path", "request_id", "url_query", "raw"):
        text = event.get(name)
        if isinstance(text, str):
            found = pattern.search(text.encode())
            if found is not None:
                return found.group().decode()
    return None


def read_topic(brokers, topic, isolation, output):
    """All lines kcat prints for the topic, up to the end it sees."""
    command = [
        "kcat", "-C", "-q", "-b", brokers, "-t", topic, "-o", "beginning", "-e",
        "-X", f"isolation.level={isolation}", "-X", "auto.offset.reset=error", "-f", output,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as kcat:
        yield from kcat.stdout
        words = kcat.stderr.read().decode("utf-8", "replace")
        if kcat.wait() != 0:
            raise OSError(f"kcat ended with {kcat.returncode}: {words.strip()[-500:]}")


def committed_records(brokers, topic):
    for line in read_topic(brokers, topic, "read_committed", r"%p\t%o\t%s\n"):
        # A value with a newline in it is no event either way: it arrives in pieces here and is called unreadable.
        parts = line.rstrip(b"\n").split(b"\t", 2)
        if len(parts) == 3 and parts[0].isdigit() and parts[1].isdigit():
            yield int(parts[0]), int(parts[1]), parts[2]
        else:
            yield -1, -1, line


def summary(verdict, streams, events, aborted, skipped, truth_lines):
    return {
        "valid": verdict.valid(), "lines": truth_lines, "events": events, "streams": len(streams),
        "aborted": aborted, "skipped_bytes": skipped, **verdict.counts, "examples": verdict.examples,
    }


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="what is unique in each line (regular expression)")
    parser.add_argument("--any-order", action="store_true", help="the truth's order is not the log's order")
    parser.add_argument("--other-sizes", action="store_true", help="the truth's lines are not the log's lines")
    parser.add_argument("--allow-unknown", action="store_true", help="events of other lines are not an anomaly")
    parser.add_argument("--faults-required", action="store_true", help="aborted records must be there")
    parser.add_argument("--events", default=os.devnull, help="the file that the committed events are copied to")
    parser.add_argument("truth", nargs="+")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse_arguments(arguments)
    truth = Truth(options.token)
    for writer, path in enumerate(options.truth):
        truth.add_file(path, writer)
    events = 0

    def counted(copy):
        nonlocal events
        for record in committed_records(options.brokers, options.topic):
            events += 1
            copy.write(record[2] + b"\n")
            yield record

    with open(options.events, "wb") as copy:
        verdict, streams, skipped = check(truth, counted(copy), options)
    uncommitted = sum(1 for _ in read_topic(options.brokers, options.topic, "read_uncommitted", r"%o\n"))
    aborted = uncommitted - events
    result = summary(verdict, streams, events, aborted, skipped, len(truth.lines))
    if not truth.lines or (options.faults_required and aborted <= 0):
        result["valid"] = False
        result["no_proof"] = "no fault hit an open transaction" if truth.lines else "the truth is empty"
    print(json.dumps(result))
    anomalies = ", ".join(f"{count} {kind}" for kind, count in verdict.counts.items() if count) or "0 lost, 0 doubled"
    print(
        f"{'valid' if result['valid'] else 'NOT VALID'}: {len(truth.lines)} lines, {events} events in "
        f"{len(streams)} streams, {aborted} aborted records; {anomalies}"
        + (f"; {result['no_proof']}" if "no_proof" in result else "")
    )
    return 0 if result["valid"] else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except OSError as error:
        print(f"checker: {error}", file=sys.stderr)
        sys.exit(2)

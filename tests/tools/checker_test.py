#!/usr/bin/env python3
"""Tests of the checker: a checker that cannot say no proves nothing."""

import json
import sys
import unittest
from types import SimpleNamespace

sys.dont_write_bytecode = True
import checker  # noqa: E402

LINES = [
    f'203.0.113.9 - - [01/Mar/2026:00:00:00 +0000] "GET /a/b-w1-{n:09}.html?q=1 HTTP/2.0" 200 12 "-" "x"\n'.encode()
    for n in range(20)
]
STREAM = "00112233445566aa"


def events(lines, stream=STREAM, first=0):
    """The records of a faultless agent."""
    position, made = first, []
    for line in lines:
        path = line.split(b"?")[0].split(b"GET ")[1].decode()
        made.append({
            "v": 1, "id": f"{stream}:{position}", "line_size": len(line), "http_request_method": "GET",
            "url_path": path, "http_response_status_code": 200,
        })
        position += len(line)
    return made


def judge(made, partitions=None, **changed):
    options = SimpleNamespace(any_order=False, other_sizes=False, allow_unknown=False)
    vars(options).update(changed)
    truth = checker.Truth(checker.DEFAULT_TOKEN)
    for number, line in enumerate(LINES):
        truth.add_line(0, number, line)
    records = [
        ((partitions or {}).get(index, 0), index, event if isinstance(event, bytes) else json.dumps(event).encode())
        for index, event in enumerate(made)
    ]
    verdict, _, _ = checker.check(truth, iter(records), options)
    return {kind: count for kind, count in verdict.counts.items() if count}


class Checker(unittest.TestCase):
    def test_the_faultless_topic_is_valid(self):
        self.assertEqual(judge(events(LINES)), {})

    def test_two_streams_in_two_partitions_are_valid(self):
        first, second = events(LINES[:12]), events(LINES[12:], "ffffffffffffffff")
        self.assertEqual(judge(first + second, {index: 1 for index in range(12, 20)}), {})

    def test_a_loss_in_the_middle_is_caught_twice(self):
        made = events(LINES)
        del made[7]
        self.assertEqual(judge(made), {"lost": 1, "chain": 1})

    def test_a_loss_at_the_end_is_caught(self):
        self.assertEqual(judge(events(LINES)[:-1]), {"lost": 1})

    def test_a_loss_at_the_beginning_is_caught_twice(self):
        self.assertEqual(judge(events(LINES)[1:]), {"lost": 1, "chain": 1})

    def test_a_duplicate_with_the_same_id_is_caught(self):
        made = events(LINES)
        found = judge(made + [made[-1]])
        self.assertEqual((found["doubled"], found["doubled_ids"], found["chain"]), (1, 1, 1))

    def test_a_duplicate_under_another_id_is_caught(self):
        self.assertEqual(judge(events(LINES) + events(LINES[:3], "ffffffffffffffff")), {"doubled": 3})

    def test_a_swap_is_caught(self):
        made = events(LINES)
        made[4], made[5] = made[5], made[4]
        found = judge(made)
        self.assertEqual(found["order"], 1)
        self.assertGreater(found["chain"], 0)

    def test_lines_in_the_wrong_order_with_a_perfect_chain_are_caught(self):
        self.assertEqual(judge(events(LINES[:4] + [LINES[5], LINES[4]] + LINES[6:])), {"order": 1})

    def test_a_stream_in_two_partitions_is_caught(self):
        self.assertEqual(judge(events(LINES), {9: 1}), {"partition": 1})

    def test_a_line_that_nobody_wrote_is_caught(self):
        foreign = LINES[0].replace(b"w1-000000000", b"w1-000000077")
        self.assertEqual(judge(events(LINES + [foreign])), {"unknown": 1})
        self.assertEqual(judge(events(LINES + [foreign]), allow_unknown=True), {})

    def test_a_wrong_size_is_caught(self):
        made = events(LINES)
        made[-1]["line_size"] += 1
        self.assertEqual(judge(made), {"fields": 1})

    def test_a_wrong_status_and_an_unparsed_line_are_caught(self):
        made = events(LINES)
        made[2]["http_response_status_code"] = 404
        del made[3]["url_path"]
        made[3]["raw"] = LINES[3].decode()
        self.assertEqual(judge(made), {"fields": 2})

    def test_a_value_that_is_no_event_is_caught(self):
        self.assertEqual(judge(events(LINES) + [b"not json"]), {"unreadable": 1})
        self.assertEqual(judge(events(LINES) + [{"v": 1}]), {"unreadable": 1})

    def test_bytes_that_gave_no_event_count_only_when_they_are_said(self):
        made = events(LINES[:5]) + events(LINES[5:], first=sum(map(len, LINES[:5])) + 1000)
        self.assertEqual(judge(made), {"chain": 1})
        made[5]["skipped_size"] = 1000
        self.assertEqual(judge(made), {})

    def test_a_truth_that_repeats_itself_is_no_truth(self):
        truth = checker.Truth(checker.DEFAULT_TOKEN)
        truth.add_line(0, 0, LINES[0])
        truth.add_line(0, 1, LINES[0])
        truth.add_line(0, 2, b"no token\n")
        self.assertEqual(len(truth.problems), 2)


if __name__ == "__main__":
    unittest.main()

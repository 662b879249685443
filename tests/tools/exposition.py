"""Reads a page of metrics from stdin as strictly as its standard has it, and prints what is on it as JSON.

{"names": every name that a query may use, "samples": how many values there are}; a page that is not OpenMetrics ends it with
an exception that says why. The parser is that of Prometheus's own Python client.
"""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

# What a family's name becomes in the series of its kind.
SUFFIXES = {
    "counter": ["_total"],
    "gauge": [""],
    "info": ["_info"],
    "histogram": ["_bucket", "_sum", "_count"],
}

families = list(text_string_to_metric_families(sys.stdin.read()))
series = [(sample.name, tuple(sorted(sample.labels.items()))) for family in families for sample in family.samples]
assert len(set(series)) == len(series), "a series is on the page twice"
names = sorted(family.name + suffix for family in families for suffix in SUFFIXES[family.type])
json.dump({"names": names, "samples": len(series)}, sys.stdout)

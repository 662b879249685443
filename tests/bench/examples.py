"""The project's own example programs that the benchmark runs, and where it keeps what it makes."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / os.environ.get("VIEWTAIL_EXAMPLES", "target/release/examples")


def generate(log, lines):
    """The log of so many lines, made anew: the generator may be another one than last time."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as out:
        subprocess.run([EXAMPLES / "genlog", str(lines)], stdout=out, check=True)
    return log


def answer_of(example, *arguments):
    """What an example says, which is one JSON object."""
    command = [str(word) for word in (EXAMPLES / example, *arguments)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

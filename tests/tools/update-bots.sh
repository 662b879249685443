#!/bin/bash
# Brings src/event/data/crawler-user-agents to the newest version in the npm registry that npm is configured for, or to
# the version given. Keeps what viewtail needs: patterns and addresses for the agent, sample user agents for the tests.
set -euo pipefail

version=${1:-latest}
target=$(cd "$(dirname "$0")/../.." && pwd)/src/event/data/crawler-user-agents
for tool in npm tar python3; do
    command -v "$tool" >/dev/null || { echo "update-bots: $tool is missing: install it and try again" >&2; exit 1; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
(cd "$scratch" && npm pack --silent "crawler-user-agents@$version" >/dev/null && tar -xzf ./*.tgz)
mkdir -p "$target"
python3 - "$scratch/package" "$target" <<'PYTHON'
import json
import sys

source, target = sys.argv[1:]
with open(f"{source}/crawler-user-agents.json", encoding="utf-8") as file:
    crawlers = json.load(file)
with open(f"{source}/package.json", encoding="utf-8") as file:
    package = json.load(file)
if package["license"] != "MIT":
    sys.exit(f"update-bots: the licence is now {package['license']}: read it before you ship it")


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


entries = [compact({key: crawler[key] for key in ("pattern", "url") if crawler.get(key)}) for crawler in crawlers]
samples = [compact(sample) for crawler in crawlers for sample in crawler["instances"]]
for name, lines in (("crawler-user-agents.json", entries), ("samples.json", samples)):
    with open(f"{target}/{name}", "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(lines) + "\n]\n")
with open(f"{target}/VERSION", "w", encoding="utf-8") as file:
    file.write(package["version"] + "\n")
print(f"crawler-user-agents {package['version']}: {len(entries)} patterns, {len(samples)} samples")
PYTHON
cp "$scratch/package/LICENSE" "$target/LICENSE"
echo "Now: make unit, and a line in CHANGELOG.md, because counts change with the data set."

#!/usr/bin/env bash
# `make demo-kill`: a real broker, started and ended here, around `viewtail demo --kill`.
set -euo pipefail
cd "$(dirname "$0")/../.."
VIEWTAIL=${VIEWTAIL:-target/release/viewtail}
# Longer than kafka.sh itself is ready to wait.
READY_DEADLINE_SECONDS=100

work=$(mktemp -d "${TMPDIR:-/tmp}/viewtail-demo.XXXXXX")
broker=
stop() {
    trap - EXIT
    if [ -n "$broker" ]; then
        kill "$broker" 2>/dev/null || true
        wait "$broker" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "Starting a real Kafka on the loopback ..."
tests/tools/kafka.sh run --dir "$work/kafka" >"$work/kafka.out" 2>&1 &
broker=$!
deadline=$((SECONDS + READY_DEADLINE_SECONDS))
until grep -q '^ready ' "$work/kafka.out"; do
    if ! kill -0 "$broker" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
        cat "$work/kafka.out" >&2
        echo "demo-kill: Kafka did not start" >&2
        exit 1
    fi
    sleep 0.1
done
address=$(sed -n 's/^ready //p' "$work/kafka.out")
# Not exec: the broker has to be ended after it.
"$VIEWTAIL" demo --brokers "$address" --kill

#!/usr/bin/env bash
# The checks, phase by phase: a header before each, its duration after it, and the counts at the very end.
#
#   test.sh all     setup, lint, unit, sim, kafka, rows, packages: what `make test` and the CI run
#   test.sh lint | unit | sim | kafka | packages
#   test.sh chaos   the tests of kafka that kill and attack, CHAOS times as often
#   test.sh rows    the rows of the tailing matrix on real files
#   test.sh matrix  every test of a row, wherever it is, and the table of rows
#
# CHAOS: how many times more than the small edition. SEEDS: how many seeds the simulator runs.
# The first phase that fails ends the run, and the last line says so.
set -euo pipefail
cd "$(dirname "$0")/../.."

FLAGS=(--profile tested --locked)
# Failpoints and planted bugs exist in the tested binary alone.
TESTED=("${FLAGS[@]}" --features testing)
LOG=target/test-output.log
PASSED=0
FAILED=0
STARTED=$SECONDS

# phase NAME FUNCTION: runs the function, shows and keeps what it prints, adds its tests to the totals.
phase() {
    local name=$1 began=$SECONDS status=0
    echo "==> $name"
    : >"$LOG"
    # A subshell of its own, because `set -e` is off wherever a status is looked at.
    set +e
    (set -e; "$2") 2>&1 | tee "$LOG"
    status=${PIPESTATUS[0]}
    set -e
    count
    echo "<== $name: $((SECONDS - began)) s"
    [ "$status" = 0 ] || finish "$name failed"
}

# Adds the summaries of Rust's test harness and of Python's unittest.
count() {
    local passed failed
    read -r passed failed <<<"$(awk '
        /^test result:/ { passed += $4; failed += $6 }
        /^Ran [0-9]+ tests? in/ { ran = $2 }
        /^OK/ { passed += ran; ran = 0 }
        /^FAILED \(/ { gsub(/[^0-9]+/, " "); bad = $1 + $2; failed += bad; passed += ran - bad; ran = 0 }
        END { print passed + 0, failed + 0 }' "$LOG")"
    PASSED=$((PASSED + passed))
    FAILED=$((FAILED + failed))
}

finish() {
    echo
    [ -z "${1:-}" ] || echo "$1"
    echo "$PASSED passed, $FAILED failed, in $((SECONDS - STARTED)) s"
    [ -z "${1:-}" ] || exit 1
    exit 0
}

setup() { tests/tools/setup.sh test; }

lint() {
    cargo fmt --all --check
    cargo clippy "${FLAGS[@]}" -- -D warnings
    cargo clippy "${TESTED[@]}" --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc "${FLAGS[@]}" --no-deps
    cargo test "${TESTED[@]}" --test tidy
    tests/tools/setup.sh deny
    target/deny/bin/cargo-deny --locked --log-level error check bans licenses sources
}

# Every test target but those with a phase of their own; a new one is picked up by itself.
unit() {
    local target targets=()
    for target in $(other_test_targets); do targets+=(--test "$target"); done
    cargo test "${TESTED[@]}" --lib --bins "${targets[@]}"
    cargo test "${TESTED[@]}" --doc
    python3 tests/tools/checker_test.py
    cargo build "${TESTED[@]}" --example genlog --example per_line
    VIEWTAIL_EXAMPLES=target/tested/examples python3 tests/bench/cost_test.py
}

other_test_targets() {
    cargo metadata --format-version 1 --no-deps --locked | python3 -c '
import json, sys
targets = json.load(sys.stdin)["packages"][0]["targets"]
own_phase = {"tidy", "sim", "kafka", "matrix", "packages"}
print(*[t["name"] for t in targets if "test" in t["kind"] and t["name"] not in own_phase])'
}

# The planted bugs last: their table, seeds to detection, is what a run ends with.
sim() {
    local planted=planted::every_planted_bug_is_caught
    VIEWTAIL_SIM_SEEDS=${SEEDS:-20000} cargo test "${TESTED[@]}" --test sim -- --nocapture --skip $planted &&
        cargo test "${TESTED[@]}" --test sim -- --nocapture --exact $planted
}

# Two at a time: most of them wait for something most of the time, and each may have a broker of its own.
kafka() { cargo test "${TESTED[@]}" --test kafka -- --test-threads 2 --nocapture; }

# One at a time: what is killed at random instants must find nobody else at work. The numbers are those of the small
# edition, times CHAOS.
chaos() {
    VIEWTAIL_KILLS=$((42 * ${CHAOS:-10})) VIEWTAIL_BROKER_KILLS=$((3 * ${CHAOS:-10})) \
        VIEWTAIL_ATTACKS=$((5 * ${CHAOS:-10})) VIEWTAIL_MOODS=$((12 * ${CHAOS:-10})) \
        cargo test "${TESTED[@]}" --test kafka -- --test-threads 1 --nocapture chaos:: network::
}

# Six at a time on one broker: each is small and waits most of the time.
rows() { cargo test "${TESTED[@]}" --test matrix -- --test-threads 6; }

# Of the binary that all tests run: one without their failpoints is what `make deb rpm` packs, minutes of compiling later.
# `cargo build` is not asked for it, because without the tests' own dependencies it compiles others anew.
packages() {
    cargo test "${TESTED[@]}" --test packages --no-run
    packaging/package.sh stage target/tested/viewtail
    cargo test "${TESTED[@]}" --test packages -- --nocapture
}

# The same tests and those of other targets that bear a row's number, then the table with what came of each.
matrix() {
    local status=0 output=target/matrix-output.log
    cargo test "${TESTED[@]}" --no-fail-fast --lib --test sim -- row_ >$output 2>&1 || status=1
    cargo test "${TESTED[@]}" --test kafka -- --test-threads 2 row_ >>$output 2>&1 || status=1
    cargo test "${TESTED[@]}" --test matrix -- --test-threads 6 >>$output 2>&1 || status=1
    python3 tests/tools/matrix.py tests/matrix/ROWS.md $output || status=1
    grep '^test result:' $output || true
    [ "$status" = 0 ] || echo "the tests' words are in $output"
    return "$status"
}

mkdir -p target
case "${1:-}" in
all)
    phase "setup" setup
    phase "lint" lint
    phase "unit and property tests" unit
    phase "simulator" sim
    phase "real Kafka, nginx and logrotate" kafka
    phase "rows of the tailing matrix" rows
    phase "packages" packages
    ;;
lint) phase "lint" lint ;;
unit) phase "unit and property tests" unit ;;
sim) phase "simulator" sim ;;
chaos) phase "kill -9, broker deaths, a bad network" chaos ;;
kafka) phase "real Kafka, nginx and logrotate" kafka ;;
rows) phase "rows of the tailing matrix" rows ;;
matrix) phase "the tailing matrix" matrix ;;
packages) phase "packages" packages ;;
*)
    echo "test.sh: say what: all | lint | unit | sim | kafka | chaos | rows | matrix | packages" >&2
    exit 2
    ;;
esac
finish

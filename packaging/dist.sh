#!/usr/bin/env bash
# Packages for every system with glibc 2.28 or newer (Debian 10, RHEL 8, Ubuntu 20.04), for amd64 and arm64, in
# target/dist; and the highest version of a glibc symbol that each binary asks for.
#
#   dist.sh [ARCH...]      x86_64 aarch64 by default
#
# cargo-auditable writes the list of crates into the binaries; it compiles the crate with other flags, which only this build,
# in a directory of its own, does anyway.
# zig is the C compiler and linker: it brings the headers and stubs of every glibc. It comes from PyPI, prebuilt.
set -euo pipefail
cd "$(dirname "$0")/.."

GLIBC_MAX=2.28
ZIG="cargo-zigbuild==0.24.1 ziglang==0.17.1"
ZIG_DIR=target/zig
OUT=target/dist
export PATH="$PWD/$ZIG_DIR/bin:$PWD/target/tools/bin:$PATH"
# zig's linker writes no symbols; a strip that knows every architecture is then not needed.
export CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_PROFILE_RELEASE_DEBUG=false

die() {
    echo "dist: $*" >&2
    exit 1
}

fetch_zig() {
    [ "$(cat "$ZIG_DIR/complete" 2>/dev/null || true)" != "$ZIG" ] || return 0
    echo "dist: fetching $ZIG to $ZIG_DIR"
    rm -rf "$ZIG_DIR"
    # shellcheck disable=SC2086 # a list
    python3 -m venv "$ZIG_DIR" && "$ZIG_DIR/bin/pip" install --quiet --no-deps $ZIG || die "missing: $ZIG, which pip could not install"
    echo "$ZIG" >"$ZIG_DIR/complete"
}

add_target() {
    local installed
    installed="$(rustc --print sysroot)/lib/rustlib/$1"
    [ ! -d "$installed/lib" ] || return 0
    command -v rustup >/dev/null || die "missing: Rust's standard library for $1, expected in $installed"
    rustup --quiet target add "$1" || die "missing: Rust's standard library for $1, which rustup could not fetch"
}

# librdkafka's configure knows no other compiler than CC, and would take this machine's own for any machine. It is asked for by the
# name of the architecture and of the program.
compiler_for() {
    local wrapper="$PWD/$ZIG_DIR/$1-$2"
    cat >"$wrapper" <<END
#!/bin/sh
exec "$PWD/$ZIG_DIR/bin/cargo-zigbuild" zig $2 -- -fno-sanitize=all -target $1-linux-gnu.$GLIBC_MAX "\$@"
END
    chmod +x "$wrapper"
    echo "$wrapper"
}

# The highest GLIBC_ version among the symbols that a binary takes from elsewhere.
highest_glibc() {
    readelf --wide --dyn-syms "$1" | grep -o '@GLIBC_[0-9.]*' | sed 's/@GLIBC_//' | sort -uV | tail -n 1
}

binary_for() { echo "target/zigbuild/$1-unknown-linux-gnu/release/viewtail"; }

build_for() {
    local triple="$1-unknown-linux-gnu"
    add_target "$triple"
    # Its shared library, which nobody links, names symbols that it has not, and zig's linker takes that for an error.
    HOST_CC=cc HOST_CXX=c++ CC=$(compiler_for "$1" cc) CXX=$(compiler_for "$1" c++) LDFLAGS=-Wl,--undefined-version \
        cargo auditable zigbuild --release --locked --target "$triple.$GLIBC_MAX" --target-dir target/zigbuild
}

make_for() {
    local arch=$1 binary highest here
    here=$(uname -m)
    binary=$(binary_for "$arch")
    echo "==> $arch"
    build_for "$arch"
    # The manual and the completions are asked of a binary that runs here.
    [ "$arch" = "$here" ] || build_for "$here"
    highest=$(highest_glibc "$binary")
    echo "$binary: $(stat -c %s "$binary") bytes, highest symbol GLIBC_$highest"
    [ "$(printf '%s\n' "$highest" $GLIBC_MAX | sort -V | tail -n 1)" = $GLIBC_MAX ] ||
        die "$binary needs GLIBC_$highest, which is above $GLIBC_MAX"
    readelf --wide --sections "$binary" | grep -q '\.dep-v0' || die "$binary has no list of its crates"
    ARCH=$arch NATIVE=$(binary_for "$here") packaging/package.sh stage "$binary"
    # Each by its name: others in target/package are those of the tests.
    mv "$(ARCH=$arch GLIBC=$GLIBC_MAX packaging/package.sh deb | tail -n 1)" $OUT/
    mv "$(ARCH=$arch packaging/package.sh rpm | tail -n 1)" $OUT/
}

tests/tools/setup.sh dist
fetch_zig
rm -rf $OUT
mkdir -p $OUT
for arch in "${@:-x86_64 aarch64}"; do
    for one in $arch; do make_for "$one"; done
done
ls -l $OUT

#!/usr/bin/env bash
# Makes the packages, all in target/package. What they hold is decided in one place, `stage`; Cargo.toml says the rest.
#
#   package.sh build               the agent with its list of dependencies in it
#   package.sh stage [BINARY]      lays out what is installed; without BINARY, what `build` made
#   package.sh deb|rpm [REVISION]  a package of what is staged (revision 1)
#
# ARCH (x86_64, aarch64; default: this machine's) is what BINARY runs on. The manual and the completions are asked of a
# binary that runs here: NATIVE, default BINARY. VARIANT names one of Cargo.toml's for the deb.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/target/tools/bin:$PATH"

OUT=target/package
ROOT=$OUT/root
ARCH=${ARCH:-$(uname -m)}
# Packages of one commit are the same whenever they are made.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
# Package managers compare a file with its checksum, not with the umask of whoever built it.
umask 022

die() {
    echo "package: $*" >&2
    exit 1
}

# put MODE SOURCE DESTINATION...: a file as it is.
put() { install -D -m "$1" "$2" "$ROOT/$3"; }

# put_gz SOURCE DESTINATION: the same compressed, as policies want manuals and change logs.
put_gz() {
    mkdir -p "$(dirname "$ROOT/$2")"
    gzip -9n <"$1" >"$ROOT/$2.gz"
}

maintainer() { sed -n 's/^maintainer = "\(.*\)"/\1/p' Cargo.toml; }

version() { sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1; }

build() { cargo auditable build --release --locked; }

stage() {
    local binary=${1:-target/release/viewtail} native made=$OUT/made
    native=${NATIVE:-$binary}
    [ -x "$binary" ] || die "$binary is missing; make it with: packaging/package.sh build"
    rm -rf "$ROOT" "$made"
    mkdir -p "$ROOT/usr/bin" "$made"
    strip_for_arch "$binary" "$ROOT/usr/bin/viewtail"

    put 644 agent.yaml etc/viewtail/agent.yaml
    put 644 packaging/next-steps usr/share/viewtail/next-steps
    put 644 schema/view-event-v1.schema.json usr/share/viewtail/view-event-v1.schema.json

    "$native" man >"$made/viewtail.1"
    put_gz "$made/viewtail.1" usr/share/man/man1/viewtail.1
    local shell
    for shell in bash zsh fish; do "$native" completions $shell >"$made/completions.$shell"; done
    put 644 "$made/completions.bash" usr/share/bash-completion/completions/viewtail
    put 644 "$made/completions.fish" usr/share/fish/vendor_completions.d/viewtail.fish

    local doc=usr/share/doc/viewtail
    put 644 README.md $doc/README.md
    put 644 SECURITY.md $doc/SECURITY.md
    put 644 docs/downstream.md $doc/examples/downstream.md
    local file
    for file in docs/downstream/*.sql systemd/*.conf; do put 644 "$file" "$doc/examples/${file#docs/}"; done
    put_gz CHANGELOG.md $doc/changelog
    python3 packaging/components.py sbom "$(triple)" >"$made/viewtail.cdx.json"
    put 644 "$made/viewtail.cdx.json" $doc/viewtail.cdx.json
    python3 packaging/components.py licences "$(triple)" >"$made/third-party-licences"
    debian_changelog >"$made/changelog.Debian"
    echo "staged in $ROOT: $(du -sh --apparent-size "$ROOT" | cut -f1)"
}

# This machine's strip need not know another architecture; what is built for one is stripped by its linker.
strip_for_arch() {
    if [ "$ARCH" = "$(uname -m)" ]; then strip --strip-all -o "$2" "$1"; else cp "$1" "$2"; fi
    chmod 755 "$2"
}

triple() { echo "$ARCH-unknown-linux-gnu"; }

# Debian's form of a change log names the package's own changes; what changed in viewtail is in the other one.
debian_changelog() {
    cat <<TEXT
viewtail ($(version)-1) stable; urgency=medium

  * Version $(version): see changelog.gz.

 -- $(maintainer)  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
TEXT
}

deb() {
    local revision=${1:-1}
    # shellcheck disable=SC2086 # one option or none
    cargo deb --quiet --no-build --no-strip ${VARIANT:+--variant=$VARIANT} --target "$(triple)" \
        --deb-revision "$revision" --output "$OUT"
}

rpm() {
    local revision=${1:-1}
    rpmbuild --quiet -bb --target "$ARCH" --define "_topdir $PWD/$OUT/rpmbuild" --define "_rpmdir $PWD/$OUT" \
        --define "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" --define "source $PWD" \
        --define "version $(version)" --define "revision $revision" --define "maintainer $(maintainer)" \
        --define "changed $(LC_ALL=C date -u -d "@$SOURCE_DATE_EPOCH" '+%a %b %d %Y')" \
        --define "use_source_date_epoch_as_buildtime 1" --define "_buildhost viewtail.example" packaging/rpm/viewtail.spec
    echo "$OUT/viewtail-$(version)-$revision.$ARCH.rpm"
}

case "${1:-}" in
build | stage | deb | rpm) "$@" ;;
*) die "say what: package.sh build | stage [BINARY] | deb [REVISION] | rpm [REVISION]" ;;
esac

#!/usr/bin/env bash
# Makes the packages, all in target/package. What both kinds hold is decided in one place, `stage`; debhelper and rpmbuild
# do the rest, with packaging/deb and packaging/rpm/viewtail.spec.
#
#   package.sh stage [BINARY]      lays out what is installed; BINARY is target/release/viewtail
#   package.sh deb|rpm [REVISION]  a package of what is staged (revision 1); the last line printed is its path
#
# ARCH (x86_64, aarch64; default: this machine's) is what BINARY runs on. The manual and the completions are asked of a
# binary that runs here: NATIVE, default BINARY. With GLIBC the deb asks for this version, not for what is found here.
set -euo pipefail
cd "$(dirname "$0")/.."

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

maintainer() { sed -n 's/^Maintainer: //p' packaging/deb/control; }

version() { sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1; }

stage() {
    local binary=${1:-target/release/viewtail} native made=$OUT/made
    native=${NATIVE:-$binary}
    [ -x "$binary" ] || die "$binary is missing; make it with: make build"
    rm -rf "$ROOT" "$made"
    mkdir -p "$ROOT/usr/bin" "$made"
    strip_for_arch "$binary" "$ROOT/usr/bin/viewtail"

    put 644 agent.yaml etc/viewtail/agent.yaml
    mkdir "$ROOT/etc/viewtail/conf.d"
    put 644 packaging/next-steps usr/share/viewtail/next-steps
    local file
    for file in schema/*.json; do put 644 "$file" "usr/share/viewtail/${file#schema/}"; done

    "$native" man viewtail >"$made/viewtail.1"
    "$native" man viewtail.yaml >"$made/viewtail.yaml.5"
    put_gz "$made/viewtail.1" usr/share/man/man1/viewtail.1
    put_gz "$made/viewtail.yaml.5" usr/share/man/man5/viewtail.yaml.5
    local shell
    for shell in bash zsh fish; do "$native" completions $shell >"$made/completions.$shell"; done
    put 644 "$made/completions.bash" usr/share/bash-completion/completions/viewtail
    put 644 "$made/completions.fish" usr/share/fish/vendor_completions.d/viewtail.fish

    local doc=usr/share/doc/viewtail
    put 644 README.md $doc/README.md
    put 644 SECURITY.md $doc/SECURITY.md
    put 644 docs/metrics.md $doc/metrics.md
    put 644 docs/downstream.md $doc/examples/downstream.md
    for file in docs/downstream/*.sql systemd/*.conf; do put 644 "$file" "$doc/examples/${file#docs/}"; done
    for file in packaging/prometheus/*.yaml packaging/grafana/*.json; do put 644 "$file" "$doc/examples/$(basename "$file")"; done
    put_gz CHANGELOG.md $doc/changelog
    python3 packaging/components.py sbom "$(triple)" >"$made/viewtail.cdx.json"
    put 644 "$made/viewtail.cdx.json" $doc/viewtail.cdx.json
    python3 packaging/components.py licences "$(triple)" >"$made/third-party-licences"
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
viewtail ($(version)-$1) stable; urgency=medium

  * Version $(version): see changelog.gz.

 -- $(maintainer)  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
TEXT
}

# A source package as debhelper wants it: what is staged, and what only Debian has.
lay_out_deb() {
    local work=$1 built=$1/debian/viewtail
    rm -rf "$work"
    mkdir -p "$built"
    cp packaging/deb/* systemd/viewtail.service systemd/viewtail.sysusers systemd/viewtail.tmpfiles "$work/debian/"
    cp -a "$ROOT/." "$built/"
    install -D -m 644 $OUT/made/completions.zsh "$built/usr/share/zsh/vendor-completions/_viewtail"
    install -D -m 644 $OUT/made/third-party-licences "$built/usr/share/doc/viewtail/third-party-licences"
}

# The steps of `dh binary` that have something to do for files that are made already.
debhelper() {
    dh_installdocs
    dh_installchangelogs
    dh_lintian
    dh_installsysusers
    dh_installtmpfiles
    # Which broker is right nobody knows at the installation: the administrator enables and starts the service. An upgrade
    # restarts what runs.
    dh_installsystemd --no-enable --no-start --restart-after-upgrade
    # Before version 13.11.6 it put units where Debian no longer wants them.
    if [ -d debian/viewtail/lib ]; then
        cp -a debian/viewtail/lib debian/viewtail/usr/
        rm -r debian/viewtail/lib
    fi
    dh_compress --exclude=.md --exclude=.json
    dh_fixperms
    if [ -n "${GLIBC:-}" ]; then
        echo "shlibs:Depends=libc6 (>= $GLIBC)" >>debian/viewtail.substvars
    else
        dh_shlibdeps
    fi
    dh_installdeb
    dh_gencontrol
    dh_md5sums
    # Debian 11 cannot read the compression that newer systems would choose.
    dh_builddeb --destdir=.. -- -Zxz
}

deb() {
    local revision=${1:-1} architecture=amd64 work
    [ "$ARCH" = x86_64 ] || architecture=arm64
    work=$OUT/deb-$architecture
    lay_out_deb "$work"
    debian_changelog "$revision" >"$work/debian/changelog"
    export -f debhelper
    (cd "$work" && dpkg-architecture -f -a $architecture -c bash -euo pipefail -c debhelper) >"$work.log" 2>&1 || {
        tail -n 20 "$work.log" >&2
        die "debhelper failed; its words are above and in $work.log"
    }
    echo "$OUT/viewtail_$(version)-${revision}_$architecture.deb"
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
stage | deb | rpm) "$@" ;;
*) die "say what: package.sh stage [BINARY] | deb [REVISION] | rpm [REVISION]" ;;
esac

#!/usr/bin/env bash
# Builds a Debian package and a tarball of all programs, with desktop entry, icon, metainfo, manual pages, completions and
# licences. Prints both paths.
#   scripts/package.sh [--built FOLDER] [--to FOLDER]
# --built takes programs that are built already, as the tests do; without it they are built for release.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
. "$(dirname "${BASH_SOURCE[0]}")/build.sh"

built="" to="$ROOT/target/package"
while (($# > 0)); do
    case "$1" in
        --built) built="$2"; shift 2 ;;
        --to) to="$2"; shift 2 ;;
        *) die "scripts/package.sh knows --built FOLDER and --to FOLDER, and not $1" ;;
    esac
done

ID="dev.autopilot.Autopilot"
VERSION="$(awk -F'"' '/^\[workspace.package\]/ { ours = 1 } ours && /^version/ { print $2; exit }' "$ROOT/Cargo.toml")"
ARCHITECTURE="$(dpkg --print-architecture)"
# The same commit gives the same dates.
SOURCE_DATE_EPOCH="$(git -C "$ROOT" log -1 --format=%ct 2>/dev/null || date +%s)"
export SOURCE_DATE_EPOCH

built_for_release() {
    build_environment
    claim_target
    phase "build: main workspace, release" cargo_main build --locked --release --workspace --bins
    phase "build: wallet, release" cargo_wallet build --locked --release --bins
    built="$CARGO_TARGET_DIR/release"
}

# place MODE FILE PLACE: a file of the package.
place() { install -D -m "$1" "$2" "$tree/$3"; }

# What the programs ask of the system's libraries by linking, with the newest glibc that one of them needs.
linked() {
    local library file
    objdump -T "$tree"/usr/bin/* | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1 | sed 's/GLIBC_\(.*\)/libc6 (>= \1)/'
    ldd "$tree"/usr/bin/* | awk '$2 == "=>" { print $3 }' | sort -u | while read -r library; do
        for file in "$library" "/usr$library"; do dpkg-query -S "$file" 2>/dev/null; done | head -n 1 | cut -d: -f1
    done | sort -u | grep -vx libc6
}

programs() {
    local program
    for program in "${PROGRAMS[@]}"; do
        [[ -x "$built/$program" ]] || die "$built has no $program: build it first, or leave --built away"
        place 755 "$built/$program" "usr/bin/$program"
        strip --strip-unneeded "$tree/usr/bin/$program"
    done
}

pages() {
    local program
    mkdir -p "$tree/usr/share/man/man1" "$tree/usr/share/bash-completion/completions"
    for program in autopilot-headless autopilotctl; do
        "$tree/usr/bin/$program" man "$tree/usr/share/man/man1" >/dev/null
        "$tree/usr/bin/$program" completions bash >"$tree/usr/share/bash-completion/completions/$program"
    done
    for program in autopilot autopilot-mcp autopilot-walletd autopilot-inference-worker; do
        cp "$ROOT/packaging/$program.1" "$tree/usr/share/man/man1/"
    done
    gzip -9n "$tree"/usr/share/man/man1/*
}

desktop() {
    local size
    place 644 "$ROOT/packaging/$ID.desktop" "usr/share/applications/$ID.desktop"
    place 644 "$ROOT/packaging/$ID.svg" "usr/share/icons/hicolor/scalable/apps/$ID.svg"
    for size in 48 128 256; do
        place 644 "$ROOT/packaging/icon-$size.png" "usr/share/icons/hicolor/${size}x$size/apps/$ID.png"
    done
    mkdir -p "$tree/usr/share/metainfo"
    sed -e "s/@VERSION@/$VERSION/" -e "s/@DATE@/$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)/" \
        "$ROOT/packaging/$ID.metainfo.xml" >"$tree/usr/share/metainfo/$ID.metainfo.xml"
    chmod 644 "$tree/usr/share/metainfo/$ID.metainfo.xml"
}

# Our licence, and those of the fonts inside the window.
licences() {
    local doc="$tree/usr/share/doc/autopilot" font
    mkdir -p "$doc/fonts"
    cp "$ROOT/app-iced/fonts/README.md" "$ROOT"/app-iced/fonts/licences/* "$doc/fonts/"
    chmod 644 "$doc"/fonts/*
    sed '/^@FONTS@$/,$d' "$ROOT/packaging/copyright" >"$doc/copyright"
    for font in "$ROOT"/app-iced/fonts/licences/*.txt; do
        printf ' fonts/%s\n' "$(basename "$font")" >>"$doc/copyright"
    done
    cp "$ROOT/CHANGELOG.md" "$doc/"
    gzip -9n "$doc/CHANGELOG.md"
    printf 'autopilot (%s) unstable; urgency=medium\n\n  * CHANGELOG.md.gz beside this file says what changed.\n\n -- %s  %s\n' \
        "$VERSION" "$(sed -n 's/^Maintainer: //p' "$ROOT/packaging/control")" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" |
        gzip -9n >"$doc/changelog.gz"
    chmod 644 "$doc/copyright" "$doc/changelog.gz" "$doc/CHANGELOG.md.gz"
}

control() {
    local depends
    depends="$( (linked; printf '%s\n' "${WINDOW_LIBRARIES[@]}") | sort -u | paste -sd, | sed 's/,/, /g')"
    mkdir -p "$tree/DEBIAN"
    sed -e "s/@VERSION@/$VERSION/" -e "s/@ARCHITECTURE@/$ARCHITECTURE/" -e "s/@DEPENDS@/$depends/" \
        -e "s/@SIZE@/$(du -sk --exclude=DEBIAN "$tree" | cut -f1)/" "$ROOT/packaging/control" >"$tree/DEBIAN/control"
    (cd "$tree" && find usr -type f -exec md5sum {} + | sort -k 2) >"$tree/DEBIAN/md5sums"
}

[[ -n "$built" ]] || built_for_release
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
umask 022
tree="$work/tree"
mkdir -p "$to"
programs
pages
desktop
licences
control
deb="$to/autopilot_${VERSION}_$ARCHITECTURE.deb"
dpkg-deb --root-owner-group -Zxz -z2 --build "$tree" "$deb" >&2
# The tarball is the same tree below one folder, for systems without dpkg: its programs find each other wherever it lies.
name="autopilot-$VERSION-$(uname -m)-linux"
rm -rf "$tree/DEBIAN"
mv "$tree/usr" "$work/$name"
printf 'Needs these libraries, by their Debian names: %s\n' "${WINDOW_LIBRARIES[*]}" >"$work/$name/NEEDS"
tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -czf "$to/$name.tar.gz" "$name"
printf '%s\n%s\n' "$deb" "$to/$name.tar.gz"

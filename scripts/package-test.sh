#!/usr/bin/env bash
# Builds the packages of programs that are built already, judges their files, installs the Debian package into a folder and
# runs what was installed.
#   scripts/package-test.sh FOLDER OF THE PROGRAMS
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/build.sh"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mapfile -t packages < <("$ROOT/scripts/package.sh" --built "${1:-$ROOT/target/bin}" --to "$work")
deb="${packages[0]}" tarball="${packages[1]}"

# Into a root of its own: no maintainer script runs, so none has to find its way there.
root="$work/root"
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
: >"$root/var/lib/dpkg/status"
# Its dependencies are this machine's, and not in that root.
as_root=()
((EUID == 0)) || as_root=(fakeroot)
command -v "${as_root[0]:-true}" >/dev/null || as_root=(sudo)
"${as_root[@]}" dpkg --root="$root" --log=/dev/null --force-depends --force-script-chrootless -i "$deb" 2>&1 | grep -v 'depends on\|however:\|is not installed\|dependency problems' || true
dpkg-query --admindir="$root/var/lib/dpkg" -W -f='${db:Status-Status}\n' autopilot | grep -qx installed ||
    die "the package is not installed"

for library in "${WINDOW_LIBRARIES[@]}"; do
    dpkg-deb -f "$deb" Depends | grep -qw -- "$library" || die "the package does not depend on $library"
done
mkdir "$work/unpacked"
tar -C "$work/unpacked" -xzf "$tarball" --strip-components=1
for program in "${PROGRAMS[@]}"; do
    for bin in "$root/usr/bin" "$work/unpacked/bin"; do
        [[ -x "$bin/$program" ]] || die "$bin has no $program"
        ldd "$bin/$program" | grep -F 'not found' && die "$program lacks a library"
    done
    cmp "$root/usr/bin/$program" "$work/unpacked/bin/$program"
done
version="$(dpkg-deb -f "$deb" Version)"
for program in autopilot autopilot-headless autopilotctl; do
    said="$("$root/usr/bin/$program" --version)"
    [[ "$said" == *"$version"* ]] || die "$program says “$said” and the package $version"
done
share="$root/usr/share"
desktop-file-validate "$share/applications/"*.desktop
appstreamcli validate --no-net "$share/metainfo/"*.metainfo.xml
for icon in "$share/icons/hicolor/"*x*/apps/*.png; do
    folder="$(basename "$(dirname "$(dirname "$icon")")")"
    [[ "$(identify -format '%wx%h' "$icon")" == "$folder" ]] || die "$icon is not $folder"
done
python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$share/icons/hicolor/scalable/apps/"*.svg
for licence in "$ROOT/app-iced/fonts/licences/"*; do
    [[ -s "$share/doc/autopilot/fonts/$(basename "$licence")" ]] || die "the licence $licence is not in the package"
done
if command -v lintian >/dev/null; then
    # SQLite and its like are linked statically on purpose; there is no upload, so no bug is closed; and there is no address
    # that mail could go to.
    lintian --fail-on error --allow-root \
        --suppress-tags embedded-library,initial-upload-closes-no-bugs,bogus-mail-host,bogus-mail-host-in-debian-changelog "$deb" >&2
fi
say "   $(basename "$deb"): $(du -h "$deb" | cut -f1), $(basename "$tarball"): $(du -h "$tarball" | cut -f1)"

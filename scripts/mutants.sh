#!/usr/bin/env bash
# Sows each bug of replay-tests/simulator/mutants/*.patch into a copy of the pure floors, builds the simulator on it and
# lives worlds until one of them breaks. Prints a row for each: name, the seed that caught it, what was wrong.
#   scripts/mutants.sh [NAME ...]
# MUTANT_SEEDS: worlds that a bug may live through (default 200). Exit 1: one lived through them all, or a patch is stale.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
seeds="${MUTANT_SEEDS:-200}"
copy="$(mktemp -d)"
trap 'rm -rf "$copy"' EXIT

rooms=(proto events projections core replay-tests/simulator)
(cd "$root" && git ls-files -z -- "${rooms[@]}" Cargo.lock | xargs -0 tar cf - --ignore-failed-read) | tar xf - -C "$copy"
# The same workspace with these rooms alone.
sed '/^members = \[/,/^\]/c\members = ["proto", "events", "projections", "core", "replay-tests/simulator"]' \
    "$root/Cargo.toml" | sed '/^exclude = /d' >"$copy/Cargo.toml"
# A folder of its own: cargo takes rooms of the same name for the same, wherever they lie, and by their times alone.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/mutants"
cd "$copy"

# Builds what is there and lives worlds; prints the first contradiction.
hunt() {
    cargo build -q --offline -p replay-tests --bin replay-tests 2>build.log || { tail -5 build.log; return 2; }
    timeout 600 "$CARGO_TARGET_DIR/debug/replay-tests" sim --seed 0 --count "$seeds" >/dev/null 2>hunt.log && return 0
    head -1 hunt.log
    return 1
}

hunt >sound.log || { echo "without a bug: $(cat sound.log)"; exit 1; }
patches=("${@/%/.patch}")
(($#)) || patches=($(cd "$root/replay-tests/simulator/mutants" && ls -- *.patch))
lived=0
for name in "${patches[@]}"; do
    patch="$root/replay-tests/simulator/mutants/$name"
    if ! patch -s -p1 --dry-run <"$patch" >/dev/null; then
        echo "${name%.patch} | STALE: the patch does not fit any more"
        lived=1
        continue
    fi
    patch -s -p1 <"$patch"
    status=0
    found="$(hunt)" || status=$?
    case $status in
        0) echo "${name%.patch} | LIVED through $seeds worlds"; lived=1 ;;
        1) echo "${name%.patch} | $found" ;;
        *) echo "${name%.patch} | DOES NOT BUILD: $found"; lived=1 ;;
    esac
    patch -s -R -p1 <"$patch"
done
exit $lived

#!/usr/bin/env bash
# Makes the pictures that are in docs/images anew: of the real window, as its tests drive it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
. "$(dirname "${BASH_SOURCE[0]}")/build.sh"

COLOURS=96

setup_machine tests
setup_model
build_programs
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export AUTOPILOT_SCREENSHOTS="$work"
PHASE_SHOW=1 phase "pictures" cargo_main test --locked --workspace --test world window::
for picture in "$ROOT"/docs/images/*.png; do
    made="$work/$(basename "$picture")"
    [[ -f "$made" ]] || { say "   no test makes $(basename "$picture"): it stays as it is"; continue; }
    convert "$made" -strip -colors "$COLOURS" -define png:exclude-chunks=date,time "PNG8:$picture"
done

#!/usr/bin/env bash
# Makes the pictures of docs/images anew: of the real window, as its test drives it.
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
PHASE_SHOW=1 phase "pictures" cargo_main test --locked -p autopilot-world-tests --test world window::
for picture in "$work"/*.png; do
    convert "$picture" -strip -colors "$COLOURS" -define png:exclude-chunks=date,time "PNG8:$ROOT/docs/images/$(basename "$picture")"
done

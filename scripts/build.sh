# Builds both workspaces into one target folder in the cache, and puts the programs into the clone's own target/bin.
# Sourced after setup.sh.
# shellcheck shell=bash

PROGRAMS=(autopilot autopilot-headless autopilotctl autopilot-mcp autopilot-walletd autopilot-inference-worker)
WALLET_WORKSPACE="adapters/lightning/walletd"

# One folder for both workspaces and for every clone of the same compiler: a dependency is compiled once. CARGO_TARGET_DIR
# overrides it.
build_environment() {
    local compiler
    compiler="$(rustc --version --verbose | awk '/^release/ { v = $2 } /^commit-hash/ { h = substr($2, 1, 8) } END { print v "-" h }')"
    export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$CACHE/target/$compiler}"
    export AUTOPILOT_BIN_DIR="$ROOT/target/bin"
    if command -v ccache >/dev/null; then
        export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
        # The model runtime's objects are then found again from another target folder.
        export CCACHE_BASEDIR="$CARGO_TARGET_DIR" CCACHE_NOHASHDIR=1
    fi
    # Clones take turns in the folder, and each begins our own crates anew: what incremental builds keep is of no use to the
    # next one, and was more than half of the folder.
    export CARGO_INCREMENTAL="${CARGO_INCREMENTAL:-0}"
    # The model runtime is compiled as for a release whatever the profile of our own code.
    export LLAMA_LIB_PROFILE=Release
    mkdir -p "$CARGO_TARGET_DIR" "$AUTOPILOT_BIN_DIR"
}

# Takes the target folder for this clone until the script ends, or until release_target. Cargo tells two clones' own
# crates apart by time stamps alone, so when another clone built here last, our crates' stamps go; dependencies stay.
# Runs of one clone share the lock (cargo has its own for the build); a change of owner needs it alone.
claim_target() {
    local owner="$CARGO_TARGET_DIR/.autopilot-owner"
    exec 8>"$CARGO_TARGET_DIR/.autopilot-lock"
    while true; do
        flock -s 8
        [[ "$(cat "$owner" 2>/dev/null)" != "$ROOT" ]] || return 0
        if ! flock -n -x 8; then
            say "   another clone builds or tests in $CARGO_TARGET_DIR: waiting for it (AUTOPILOT_CACHE gives this one a folder of its own)"
            flock -x 8
        fi
        find "$CARGO_TARGET_DIR" -maxdepth 3 -type d -path '*/.fingerprint/autopilot-*' -prune -exec rm -rf {} +
        printf '%s\n' "$ROOT" >"$owner"
    done
}

release_target() { exec 8>&-; }

cargo_main() { (cd "$ROOT" && cargo "$@" 8>&-); }

cargo_wallet() { (cd "$ROOT/$WALLET_WORKSPACE" && cargo "$@" 8>&-); }

# A program is copied to a name of its own and renamed: one that runs is never written into, and what runs is this
# clone's, whoever builds next.
install_built() {
    local program built
    for program in "$@"; do
        built="$CARGO_TARGET_DIR/debug/$program"
        [[ -x "$built" ]] || { say "the build left no $built"; return 1; }
        cmp -s "$built" "$AUTOPILOT_BIN_DIR/$program" && continue
        cp --reflink=auto "$built" "$AUTOPILOT_BIN_DIR/.$program.$$" &&
            mv "$AUTOPILOT_BIN_DIR/.$program.$$" "$AUTOPILOT_BIN_DIR/$program" || return 1
    done
}

# Both workspaces' programs, from their locks as they are committed.
build_programs() {
    build_environment
    claim_target
    phase "build: main workspace" cargo_main build --locked --workspace --bins
    phase "build: wallet" cargo_wallet build --locked --bins
    phase "programs into target/bin" install_built "${PROGRAMS[@]}"
}

# What tests preload into a host to take its unsynced writes away.
build_power_loss() {
    cargo_main build --locked -p autopilot-power-loss && install_built libautopilot_power_loss.so
}

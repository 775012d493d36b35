# The checks that ./test runs, one function each. Sourced after setup.sh and build.sh.
# shellcheck shell=bash

has_component() { cargo "$1" --version >/dev/null 2>&1; }

formatted() {
    has_component fmt || { echo "rustfmt is not installed (rustup component add rustfmt): skipped"; return 0; }
    cargo_main fmt --all --check && cargo_wallet fmt --all --check
}

clippy_main() {
    has_component clippy || { echo "clippy is not installed (rustup component add clippy): skipped"; return 0; }
    cargo_main clippy --locked --workspace --all-targets -- -D warnings
}

clippy_wallet() {
    has_component clippy || return 0
    cargo_wallet clippy --locked --all-targets -- -D warnings
}

has_nextest() { cargo nextest --version >/dev/null 2>&1; }

tests_compile() {
    cargo_main test --locked --workspace --no-run && cargo_wallet test --locked --no-run
}

# nextest where it is installed: a process for each test, and a slow one is named. Otherwise cargo's own runner.
tests_main() {
    if has_nextest; then
        cargo_main nextest run --locked --workspace --no-fail-fast --no-tests=pass "$@"
    else
        cargo_main test --locked --workspace --no-fail-fast "$@"
    fi
}

tests_wallet() {
    if has_nextest; then
        cargo_wallet nextest run --locked --no-fail-fast --no-tests=pass "$@"
    else
        cargo_wallet test --locked --no-fail-fast "$@"
    fi
}

packages() { "$ROOT/scripts/package-test.sh" "$AUTOPILOT_BIN_DIR"; }

# The processes that this run started and that still live, beside this shell and its parents: "PID COMMAND" lines.
marked_processes() {
    local environ pid
    for environ in /proc/[0-9]*/environ; do
        pid="${environ//[^0-9]/}"
        [[ "$pid" != "$$" && "$pid" != "$PPID" && "$pid" != "$BASHPID" ]] || continue
        grep -qzxF "AUTOPILOT_TEST_RUN=$AUTOPILOT_TEST_RUN" "$environ" 2>/dev/null || continue
        [[ "$(awk '/^State/ { print $2 }' "/proc/$pid/status" 2>/dev/null)" =~ ^[RSDT]$ ]] || continue
        printf '%s %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-160)"
    done
}

# Says whether anything was left behind. A process that is just ending has five seconds for it.
left_behind() {
    local tries=0 found
    while found="$(marked_processes)" && [[ -n "$found" ]] && ((tries++ < 10)); do sleep 0.5; done
    if [[ -n "$found" ]]; then
        say "still running:"
        say "$found"
        return 1
    fi
    say "no process left behind"
}

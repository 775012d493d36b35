#!/usr/bin/env bash
# Measures the real window in a release build: the work of its frames while long lists are scrolled, what it costs while it
# waits, and its memory. On a virtual display, in a home whose ledger has a million facts. Prints a table; the figures go
# into docs/measurements/window.md by hand, with what the machine is.
#   scripts/measure-window.sh [--facts N] [--keep FOLDER]
# AUTOPILOT_WINDOW names a release build of `autopilot` that is there already, AUTOPILOT_BENCH one of the bench.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$here/setup.sh"
. "$here/build.sh"

FACTS=1000000
# Turns of the wheel in one list, and the pause between them in milliseconds: some forty lists of a screen's height.
TURNS=1500
PAUSE_MS=12
WAIT_S=20
PATIENCE_S=600
folder=""
while (($#)); do
    case "$1" in
        --facts) FACTS="$2"; shift 2 ;;
        --keep) folder="$2"; shift 2 ;;
        *) die "usage: measure-window.sh [--facts N] [--keep FOLDER]" ;;
    esac
done

setup_machine tests
setup_model
setup_bitcoind
if [[ -x "${AUTOPILOT_BIN_DIR:-}/autopilot-walletd" && -n "${AUTOPILOT_WINDOW:-}" ]]; then
    say "programs: those of $AUTOPILOT_BIN_DIR"
else
    build_programs
fi
if [[ -z "${AUTOPILOT_WINDOW:-}" ]]; then
    phase "build: window and bench, release" cargo_main build --locked --release -p autopilot-app -p autopilot-replay-tests --bin autopilot --bin bench
    AUTOPILOT_WINDOW="$CARGO_TARGET_DIR/release/autopilot"
fi
bench="${AUTOPILOT_BENCH:-$(dirname "$AUTOPILOT_WINDOW")/bench}"

# Sockets lie below it: a short path.
work="${folder:-$(mktemp -d /tmp/apw.XXXXXX)}"
mkdir -p "$work"
home="$work/h"
started=()
end() {
    local status=$?
    trap - EXIT
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    [[ -n "$folder" ]] || rm -rf "$work"
    exit "$status"
}
trap end EXIT
trap 'exit 130' INT TERM

# It must not start a host of its own: the window has one.
ctl() { "$AUTOPILOT_BIN_DIR/autopilotctl" --no-start --home "$home" --json "$@" 2>/dev/null; }

# until WHAT COMMAND…: tries until it succeeds.
until_so() {
    local what="$1" began=$SECONDS
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS - began < PATIENCE_S)) || die "$what did not come true within $PATIENCE_S s; the window's log: $work/window.log"
        sleep 0.2
    done
}

# said FILE: the first line of a program's output, once it is there.
said() {
    until_so "a first line in $1" test -s "$1"
    head -n 1 "$1"
}

# A chain, a relay, a display.
# A kept home finds them where they were.
[[ -s "$work/rpc-port" ]] || echo $((20000 + RANDOM % 20000)) >"$work/rpc-port"
[[ -s "$work/relay-address" ]] || echo 127.0.0.1:0 >"$work/relay-address"
rpc_port="$(<"$work/rpc-port")"
"$("$here/bitcoind.sh" --where)/bitcoind" -regtest -datadir="$(mkdir -p "$work/chain" && echo "$work/chain")" -listen=0 -rpcport="$rpc_port" \
    -rpcuser=window -rpcpassword=window -printtoconsole=0 &
started+=($!)
"$AUTOPILOT_BIN_DIR/autopilot-headless" relay --listen "$(<"$work/relay-address")" >"$work/relay" 2>/dev/null &
started+=($!)
Xvfb -displayfd 1 -screen 0 1400x900x24 -nolisten tcp >"$work/display" 2>/dev/null &
started+=($!)
export AUTOPILOT_BITCOIND_USER=window AUTOPILOT_BITCOIND_PASSWORD=window
relay="$(said "$work/relay" | grep -o 'ws://[^"]*' | head -n 1)"
echo "${relay#ws://}" >"$work/relay-address"
DISPLAY=":$(said "$work/display")"
export DISPLAY

if [[ ! -d "$home" ]]; then
    say "a home"
    # The window's home is made by the same host without a window.
    "$AUTOPILOT_BIN_DIR/autopilot-headless" desktop --home "$home" --network regtest --bitcoind "127.0.0.1:$rpc_port" --relay "$relay" --model "$AUTOPILOT_MODEL" --no-input >"$work/ready" 2>"$work/headless.log" &
    host=$!
    started+=("$host")
    said "$work/ready" >/dev/null
    kill "$host"
    wait "$host" || true
    say "its past: $FACTS facts"
    "$bench" --grow "$home/ledger/ledger.sqlite" --facts "$FACTS"
fi

load_before="$(cut -d' ' -f1-3 /proc/loadavg)"
say "the window"
began_ms="$(date +%s%3N)"
RUST_LOG=warn,autopilot_app::frames=trace NO_COLOR=1 "$AUTOPILOT_WINDOW" --home "$home" >"$work/window.out" 2>"$work/window.log" &
window=$!
started+=("$window")
until_so "an answer of the host" ctl status
answered_ms=$(($(date +%s%3N) - began_ms))
xdotool search --sync --name '^Autopilot' >/dev/null

memory() { awk '/^VmRSS/ { printf "%d", $2 / 1024 }' "/proc/$window/status"; }
ticks() { awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "$1"; }
lines() { wc -l <"$work/window.log"; }
keys() { xdotool search --onlyvisible --name '^Autopilot' windowfocus --sync key --clearmodifiers "$@"; }

# Quiet: what the host does after its start (it reads its whole ledger once more) is over.
quiet() {
    local before after
    before="$(ticks "/proc/$window/stat")"
    sleep 5
    after="$(ticks "/proc/$window/stat")"
    ((after - before < 25))
}
say "until it is quiet"
until_so "a quiet window" quiet

rows=()
# idle NAME: what waiting costs, the window's thread alone and the whole process.
idle() {
    local all thread
    all="$(ticks "/proc/$window/stat")"
    thread="$(ticks "/proc/$window/task/$window/stat")"
    sleep "$WAIT_S"
    all=$(($(ticks "/proc/$window/stat") - all))
    thread=$(($(ticks "/proc/$window/task/$window/stat") - thread))
    rows+=("| waiting, $1 | $(awk -v t="$thread" -v a="$all" -v s="$WAIT_S" -v hz="$(getconf CLK_TCK)" \
        'BEGIN { printf "window'"'"'s thread %.2f %%, process %.2f %% of one processor", t * 100 / hz / s, a * 100 / hz / s }'), $(memory) MB |")
}

# frames NAME FROM: the frames in the log since line FROM.
frames() {
    local figures
    figures="$(tail -n "+$(($2 + 1))" "$work/window.log" | sed -n 's/.* work_us=\([0-9]*\) made_us=\([0-9]*\) drawn_us=\([0-9]*\) shown_us=\([0-9]*\).*/\1 \2 \3 \4/p' | sort -n | awk '
        { work[NR] = $1; made[NR] = $2; drawn[NR] = $3; shown[NR] = $4; if ($1 > 16000) over++ }
        function at(share) { return work[int((NR * share + 99) / 100)] / 1000 }
        END { if (NR) printf "%d | %.1f | %.1f | %.1f | %d | made %.1f, drawn %.1f, shown %.1f", NR, at(50), at(99), work[NR] / 1000, over, made[NR] / 1000, drawn[NR] / 1000, shown[NR] / 1000 }')"
    rows+=("| $1 | ${figures:-no frame} | $(memory) MB |")
}

# A pane alone, large, and scrolled down and up again.
scroll() {
    local name="$1" id="$2" from
    say "scrolling: $name"
    from="$(lines)"
    ctl pane open "$id" >/dev/null
    sleep 2
    keys ctrl+m
    sleep 2
    frames "$name: opened" "$from"
    from="$(lines)"
    xdotool mousemove 700 560 click --repeat "$TURNS" --delay "$PAUSE_MS" 5
    sleep 2
    frames "$name: $TURNS turns down" "$from"
    [[ -z "$folder" ]] || import -window root "$folder/$id-deep.png"
    from="$(lines)"
    xdotool mousemove 700 560 click --repeat "$TURNS" --delay "$PAUSE_MS" 4
    sleep 2
    frames "$name: $TURNS turns up" "$from"
    from="$(lines)"
    xdotool mousemove 1335 330 mousedown 1 mousemove 1335 600 mousemove 1335 845 mouseup 1
    sleep 2
    frames "$name: dragged to the end of what is known" "$from"
    keys ctrl+m
    ctl pane close "$id" >/dev/null
    sleep 1
}

# What is celebrated lies over the panes until it was seen.
keys Escape
sleep 1
memory_before="$(memory)"
idle "before"
scroll "Job History" pane.job_history
scroll "Activity Feed" pane.activity_feed
scroll "Job Inbox" pane.job_inbox
idle "after"
facts="$(ctl status | grep -o '"sequence":"\?[0-9]*' | head -n 1 | grep -o '[0-9]*$')"
jobs="$(ctl earnings | grep -o '"jobs_settled":"\?[0-9]*' | grep -o '[0-9]*$')"
from_host="$(ctl perf | tr -d '\n ' | grep -o '"frames":{[^}]*}' || true)"
load_after="$(cut -d' ' -f1-3 /proc/loadavg)"

printf '%s facts, %s jobs paid; the host answered %s ms after the start of the window\n' "$facts" "$jobs" "$answered_ms"
printf 'load before %s, after %s; %s processors; memory %s MB before, %s MB after\n' "$load_before" "$load_after" "$(nproc)" "$memory_before" "$(memory)"
printf 'what the window told its host: %s\n\n' "$from_host"
printf '| what | frames | half within, ms | 99 of 100 within, ms | longest, ms | beyond 16 ms | of the longest, ms | memory |\n|---|---|---|---|---|---|---|---|\n'
printf '%s\n' "${rows[@]}"

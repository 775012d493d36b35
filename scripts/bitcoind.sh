#!/usr/bin/env bash
# Builds Bitcoin Core's bitcoind and bitcoin-cli from the source that the crate libbitcoinkernel-sys vendors, once per
# recipe, into the cache. Prints the folder with the two binaries on stdout; words go to stderr.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

OPTIONS=(
    -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTS=OFF -DBUILD_BENCH=OFF -DBUILD_GUI=OFF -DENABLE_WALLET=OFF
    -DENABLE_IPC=OFF -DWITH_EMBEDDED_ASMAP=OFF -DWITH_ZMQ=OFF -DBUILD_TX=OFF -DBUILD_UTIL=OFF -DBUILD_BITCOIN_BIN=OFF
    -DENABLE_EXTERNAL_SIGNER=OFF -DINSTALL_MAN=OFF
)
# A test node needs neither -O3 nor a debugger: -O1 halves the compiler's work.
FLAGS="-O1"
recipe="$(printf '%s\n' "$BITCOIND_VERSION_CRATE" "$FLAGS" "${OPTIONS[@]}" | sha256sum | cut -c1-12)"
home="$CACHE/bitcoind/$BITCOIND_VERSION_CRATE-$recipe"

if [[ "${1:-}" == "--where" ]]; then echo "$home/bin"; exit 0; fi
if [[ -x "$home/bin/bitcoind" && -x "$home/bin/bitcoin-cli" ]]; then echo "$home/bin"; exit 0; fi

mkdir -p "$CACHE/bitcoind"
exec 9>"$CACHE/bitcoind/.lock"
if ! flock -n 9; then
    say "   another build of bitcoind is under way; waiting for it"
    flock 9
fi
if [[ -x "$home/bin/bitcoind" && -x "$home/bin/bitcoin-cli" ]]; then echo "$home/bin"; exit 0; fi

# The build folder is fixed, so that ccache finds the same paths again; the lock above makes it ours.
work="$CACHE/bitcoind/build-$recipe"
rm -rf "$work"
mkdir -p "$work/manifest/src"
trap 'rm -rf "$work"' EXIT
: >"$work/manifest/src/lib.rs"
cat >"$work/manifest/Cargo.toml" <<TOML
[package]
name = "bitcoind-source"
version = "0.0.0"
edition = "2021"
[dependencies]
libbitcoinkernel-sys = "=$BITCOIND_VERSION_CRATE"
[workspace]
TOML

source_of_core() {
    cargo fetch --quiet --manifest-path "$work/manifest/Cargo.toml" &&
        cargo metadata --format-version 1 --manifest-path "$work/manifest/Cargo.toml" >"$work/metadata.json" &&
        python3 - "$work/metadata.json" >"$work/source" <<'PY'
import json, os, sys
packages = json.load(open(sys.argv[1]))["packages"]
crate = next(p for p in packages if p["name"] == "libbitcoinkernel-sys")
print(os.path.join(os.path.dirname(crate["manifest_path"]), "bitcoin"))
PY
}

configure() {
    local launcher=()
    if command -v ccache >/dev/null; then
        launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    fi
    cmake -S "$(cat "$work/source")" -B "$work/b" "${OPTIONS[@]}" "${launcher[@]}" -DCMAKE_CXX_FLAGS_RELEASE="$FLAGS"
}

compile() { ninja -C "$work/b" -j"$(nproc)" bitcoind bitcoin-cli; }

phase "bitcoind: source" source_of_core
phase "bitcoind: configure" configure
phase "bitcoind: compile" compile
strip "$work/b/bin/bitcoind" "$work/b/bin/bitcoin-cli"
mkdir -p "$work/done/bin"
mv "$work/b/bin/bitcoind" "$work/b/bin/bitcoin-cli" "$work/done/bin/"
rm -rf "$home"
mv "$work/done" "$home"
say "   bitcoind is at $home/bin"
echo "$home/bin"

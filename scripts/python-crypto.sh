#!/usr/bin/env bash
# Fetches the Python packages that replay-tests/verify_statement.py needs, once, into the cache: `cryptography` with what it
# loads (Apache-2.0 or BSD, MIT), as PyPI's wheels carry them. Prints the folder for PYTHONPATH.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# cffi has a wheel for each version of Python: any of its own release, held by pip against PyPI's own digest.
PACKAGES=("cryptography==45.0.7" "cffi==2.1.1" "pycparser==3.12")
python="$(python3 -c 'import sys; print(f"{sys.version_info.major}.{sys.version_info.minor}")')" ||
    die "python3 is not on the path: install it, then run again"
folder="$CACHE/python-crypto/45.0.7-py$python"

# The name is given only to a folder that is whole.
if [[ -d "$folder" || "${1:-}" == --where ]]; then echo "$folder"; exit 0; fi

mkdir -p "$CACHE/python-crypto"
work="$(mktemp -d "$CACHE/python-crypto/.fetch.XXXXXX")"
trap 'rm -rf "$work"' EXIT

python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps --only-binary :all: --target "$work/whole" \
    "${PACKAGES[@]}" >&2 ||
    die "the packages ${PACKAGES[*]} could not be fetched from PyPI: check pip's index and the network, then run again"
PYTHONPATH="$work/whole" python3 -B -c 'from cryptography.hazmat.primitives.asymmetric import ed25519' >&2 ||
    die "the packages can't be loaded: their words are above"
mv -T "$work/whole" "$folder" 2>/dev/null || [[ -d "$folder" ]] || die "$folder cannot be put in place"
echo "$folder"

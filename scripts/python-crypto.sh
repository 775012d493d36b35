#!/usr/bin/env bash
# Fetches the Python packages that replay-tests/verify_statement.py needs, once, into the cache: `cryptography` with what it
# loads (Apache-2.0 or BSD, MIT), as PyPI's wheels carry them. Prints the folder for PYTHONPATH.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# cffi has a wheel for each version of Python: any of its own release, held by pip against PyPI's own digest.
PACKAGES=("cryptography==45.0.7" "cffi==2.1.1" "pycparser==3.12")
if [[ "${1:-}" == --where ]]; then PACKAGES=(--where); fi
fetch_wheels python-crypto 45.0.7 'from cryptography.hazmat.primitives.asymmetric import ed25519' "${PACKAGES[@]}"

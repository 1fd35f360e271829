#!/usr/bin/env bash
# bundle.sh NAME TARGET [PLATFORM PYTHON]: lays out one Lambda package in TARGET: the pruned dependencies of
# packaging/NAME.txt, the library and the handlers. Fails above Lambda's limit. Needs uv, and no Docker: every
# dependency is a wheel, but for pyvips, which is plain Python over the libvips of pyvips-binary. PLATFORM and PYTHON are the functions', unless a test wants a package that runs on its host.
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1 target=$2 platform=${3:-aarch64-manylinux_2_28} python=${4:-3.13}

uv pip install --quiet --no-deps --require-hashes --only-binary :all: --no-binary pyvips \
  --python-platform "$platform" --python-version "$python" \
  --target "$target" --requirements "packaging/$name.txt"
cp -R fanfold handlers "$target"
python3 packaging/prune.py "$target"
python3 packaging/check.py "$target" "${platform%%-*}"

#!/usr/bin/env bash
# compile.sh: resolves the bundles' lists anew from pyproject.toml. Run it after a change of dependencies, read the
# diff, commit it. The lists name no address: whoever installs from them takes the index that is set up there.
set -euo pipefail
cd "$(dirname "$0")/.."

together=$(mktemp)
trap 'rm -f "$together"' EXIT

compile() { # OUTPUT EXTRA...
  local output=$1 extras=()
  shift
  for extra in "$@"; do extras+=(--extra "$extra"); done
  uv pip compile --quiet "${extras[@]}" \
    --python-platform aarch64-manylinux_2_28 --python-version 3.13 --constraints "$together" \
    --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
    pyproject.toml >"$output"
}

# The engine pins botocore exactly. Under one resolution of everything, what runs on AWS is what ran on the laptop.
uv pip compile --quiet --extra all --python-version 3.13 --no-header --no-annotate pyproject.toml >"$together"
compile packaging/core.txt
compile packaging/image.txt image
compile packaging/recognise.txt image recognise
compile packaging/table.txt table
compile packaging/video.txt decode
compile packaging/encode.txt encode
compile packaging/speech.txt speech

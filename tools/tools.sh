#!/bin/sh
# Puts the programs that the tests drive into .cache/bin where the machine has none: hey (Debian's package)
# and a kubectl of 1.28 or later (built from its Go module).
set -eu
cd "$(dirname "$0")/.."
bin=$PWD/.cache/bin
mkdir -p "$bin"
PATH=$bin:$PATH

has_kubectl() {
  command -v kubectl >/dev/null || return 1
  minor=$(kubectl version --client -o json 2>/dev/null | sed -n 's/.*"minor": "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${minor:-0}" -ge 28 ]
}

if ! command -v hey >/dev/null; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "hey is missing: install it (Debian: apt-get install hey; elsewhere: go install github.com/rakyll/hey@latest)" >&2
    exit 1
  fi
  echo "Installing hey"
  apt-get update -qq && apt-get install -y -qq hey >/dev/null
fi

if ! has_kubectl; then
  go=$(tools/go.sh)
  echo "Building kubectl (once; some two minutes)"
  (cd tools/kubectl && GOFLAGS=-mod=mod CGO_ENABLED=0 "$go" build -trimpath -ldflags \
    "-s -w -X k8s.io/component-base/version.gitVersion=v1.34.2 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34" \
    -o "$bin/kubectl" k8s.io/kubernetes/cmd/kubectl)
fi

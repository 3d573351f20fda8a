#!/bin/sh
# Makes the virtual environment and installs Zerogate into it, with the pinned dependencies of a lock file.
# Usage: tools/install.sh PYTHON VENV LOCK
set -eu
python=$1 venv=$2 lock=$3

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Python"
    apt-get update -qq && apt-get install -y -qq python3 python3-venv >/dev/null
  else
    echo "Zerogate needs Python 3.11 or later: install it, or run make PYTHON=/path/to/python3.11" >&2
    exit 1
  fi
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
  else
    echo "Python's venv module is missing: install your system's python3-venv package" >&2
    exit 1
  fi
fi

[ -x "$venv/bin/python" ] || { echo "Making the virtual environment $venv"; "$python" -m venv "$venv"; }
echo "Installing what $lock names (once)"
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$lock"
[ -x "$venv/bin/zerogate" ] ||
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --editable .

#!/bin/sh
# Makes autoscaler/link_pb2.py and its types from autoscaler/link.proto. Run after changing the latter; the result is committed.
set -eu
cd "$(dirname "$0")/.."
"${PYTHON:-.venv/bin/python}" -m grpc_tools.protoc -I . --python_out=. --pyi_out=. autoscaler/link.proto

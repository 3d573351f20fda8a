"""What tests and benchmarks share; nothing of it ships.

Reading order: `paths`, `waiting` and `ports` (folders, conditions with a deadline, unused ports); `processes`
(trees, and their end with the test), `kubectl` (its environment), `api_server` (reads without kubectl),
`cache` (programs that are built once), `provenance` (machine, versions and commit of a figure); `loop/`
(virtual time, and a loop and transports without sockets); `proxy/` (the proxy beside pods and clients made by
hand); `scaling/` (a leader with fake activators); `serving/` (example objects, and a cluster for the
controller's histories); `api/` (the embedded API in one process); `node/` (a node agent); `kubernetes/` (a
real control plane, our programs beside it, a fault proxy); `machines/` (`zerogate up` and its variants as
real processes); `contract/` (one interface for both Kubernetes APIs); `load` (clients that count each
response); `fuzz/` (fuzz targets, seeds); `diagnosis` (the report of a failed test).

Admitted here: a helper that two test files or a test and a benchmark use. Neither `tests/` nor `bench/`
import each other.
"""

"""The command line, and `zerogate up`, which starts and watches all programs on one machine.

Reading order: `__main__` (the entry), `cli` (commands and settings), `manifests` (apply without kubectl),
`admission` (what the API of a laptop refuses), `shipped` (the files that come with the distribution),
`samples/`, `doctor/` (what can be wrong, and what to do), `inheritance` (a listening socket that is handed
over); then `edge/`: `up` (the control process), `laptop` (its parts), `gateway` and `workers` (the
activator processes it keeps alive), `cluster` (what the API of a laptop holds at first), `folder` (the data
folder and its lock), `admin`, `expositions` (metrics of several processes), `programs` (each program alone),
`preflight` (what a cluster must be for them), `doctor` (the command), `logs`.

Admitted here: what knows several packages at once. Only `__main__` and `cli` read the environment, and this
file $ZEROGATE_NATIVE, for `native` (the hot modules, compiled).
"""

import os
from importlib import metadata

from zerogate import native

__version__ = metadata.version("zerogate")
IS_NATIVE = native.use(os.environ.get("ZEROGATE_NATIVE", "auto"))
"""Whether the hot modules are the compiled ones. It is decided here, before any of them is imported."""

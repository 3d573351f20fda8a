"""The hot modules, compiled: where a set of them is, whether it is of these very sources, and its use.

`make native` compiles them with mypyc into a folder that is named after what they were made of; sources that
differ by a byte, or another Python, have another folder. What runs is the same code either way.
"""

import hashlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
SETS = Path(__file__).parent / "compiled"
GROUP = "zerogate_native"
"""All are one library, so that calls between them are calls in C."""
MODULES = (
    "activator.edge.http.connector",
    "activator.edge.http.dates",
    "activator.edge.http.dispatch",
    "activator.edge.http.downstream",
    "activator.edge.http.flow",
    "activator.edge.http.gate",
    "activator.edge.http.relay",
    "activator.edge.http.tunnel",
    "activator.edge.http.upstream",
    "activator.hold.balance",
    "activator.hold.budget",
    "activator.hold.deadlines",
    "activator.hold.pacing",
    "activator.hold.retry",
    "activator.hold.throttle",
    "activator.hold.timing",
    "activator.http.answers",
    "activator.http.bodies",
    "activator.http.forwarded",
    "activator.http.http1",
    "activator.http.replies",
    "activator.http.requests",
    "activator.http.upgrades",
    "activator.http.websocket",
    "activator.link.load",
    "activator.revision",
    "activator.routes",
)
"""What a warm request goes through."""
MODES = ("auto", "on", "off")


def source(module: str) -> Path:
    """The file that a module is made of."""
    return ROOT / Path(*module.split(".")).with_suffix(".py")


def folder() -> Path:
    """Where the set of these sources is, once it is made."""
    made_of = hashlib.sha256(sys.implementation.cache_tag.encode() + sys.version.encode())
    for module in MODULES:
        made_of.update(source(module).read_bytes())
    return SETS / made_of.hexdigest()[:16]


def use(mode: str) -> bool:
    """Have imports find the compiled modules, before any of them is imported; whether they do.

    "auto": if they are there; "on": RuntimeError if they are not; "off": leave them alone. Anything else is
    ValueError.
    """
    if mode not in MODES:
        raise ValueError(f"ZEROGATE_NATIVE is {mode!r}; it may be {', '.join(MODES)}")
    if mode == "off":
        return False
    where = folder()
    if not where.is_dir():
        if mode == "on":
            raise RuntimeError(
                "ZEROGATE_NATIVE is on, but these sources were not compiled: `make native` does it"
            )
        return False
    if early := [name for name in MODULES if name in sys.modules]:
        if mode == "on":
            raise RuntimeError(f"{early[0]} was imported before zerogate: it can't be the compiled one now")
        return False
    sys.meta_path.insert(0, _Finder(where))
    return True


class _Finder(MetaPathFinder):
    """Knows the compiled modules and their library, nothing else."""

    def __init__(self, where: Path) -> None:
        self._names = frozenset((*MODULES, f"{GROUP}__mypyc"))
        self._where = where
        self._suffix = importlib.machinery.EXTENSION_SUFFIXES[0]

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - as importlib's finders
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._names:
            return None
        file = self._where / Path(*fullname.split("."))
        return importlib.util.spec_from_file_location(fullname, f"{file}{self._suffix}")

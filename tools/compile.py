"""Compile the hot modules for the Python that runs this: `python -m tools.compile`, half a minute.

It needs a C compiler and mypy. Compiled modules of other sources are removed from the checkout.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from testkit import cache
from zerogate import native

CACHE = cache.folder() / "compiled"
"""Sets by their names, which are hashes of sources and Python: a fresh clone does not compile them again."""


def main() -> None:
    """Exit status 1 where something is missing; nothing is left half made."""
    where = native.folder()
    if where.is_dir():
        print(f"{len(native.MODULES)} modules are compiled already: {where.relative_to(native.ROOT)}")
        return
    cached = CACHE / where.name
    if cached.is_dir():
        _place(cached, where)
        print(f"{len(native.MODULES)} modules are compiled already: {cached}")
        return
    if shutil.which(os.environ.get("CC", "cc")) is None:
        sys.exit("compile: there is no C compiler; install one (Debian: apt-get install gcc libc6-dev)")
    try:
        from mypyc.build import mypycify  # noqa: PLC0415 - whoever lacks it is told
        from setuptools import Distribution  # noqa: PLC0415
    except ImportError as error:
        sys.exit(f"compile: {error.name} is missing; `make native` installs it")
    print(f"compiling {len(native.MODULES)} modules, about half a minute", flush=True)
    began = time.monotonic()
    os.chdir(native.ROOT)
    files = [str(native.source(module).relative_to(native.ROOT)) for module in native.MODULES]
    with tempfile.TemporaryDirectory() as folder:
        parts = mypycify(
            files, group_name=native.GROUP, opt_level="3", debug_level="0", target_dir=f"{folder}/c"
        )
        build = Distribution({"ext_modules": parts}).get_command_obj("build_ext")
        build.build_temp, build.build_lib, build.parallel = f"{folder}/o", f"{folder}/lib", os.cpu_count()
        build.ensure_finalized()
        build.run()
        _place(Path(folder, "lib"), cached)
    _place(cached, where)
    print(f"{where.relative_to(native.ROOT)}, {time.monotonic() - began:.0f} s")


def _place(compiled: Path, where: Path) -> None:
    """Copy a set of modules; it is there whole or not at all, and alone in the checkout."""
    if where.parent == native.SETS:
        shutil.rmtree(native.SETS, ignore_errors=True)
    where.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=where.parent) as folder:
        made = Path(folder, "set")
        shutil.copytree(compiled, made)
        try:
            made.rename(where)
        except OSError:
            if not where.is_dir():  # else another process was faster
                raise


if __name__ == "__main__":
    main()

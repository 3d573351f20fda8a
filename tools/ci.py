"""The stages of the suite, side by side: `python -m tools.ci [check] [unit] [system]`; all if none is named.

- `check`: format, lint, types, import contracts.
- `unit`: tests without real processes, over the pure Python modules, with branch coverage per package.
- `system`: tests with real processes, and the data plane's unit tests once more, over the compiled modules.

What the stages need (kubectl, hey, a control plane, test servers, compiled modules) is built in the
background from the first second, into a cache that is keyed by content. Exit status 1 if a stage failed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from testkit import cache
from testkit.paths import ROOT

BUILD = ROOT / "build"
BIN = Path(sys.executable).parent
TOOLS = ROOT / ".cache" / "bin"
"""kubectl, where the machine has none."""
PACKAGES = ("kube", "serving", "autoscaler", "activator", "embedded", "zerogate")
UNIT_WORKERS = "2"
SYSTEM_WORKERS = "6"
"""Test processes of the stage `system`: they wait for processes and windows most of the time."""
SLOWEST = 20


@dataclass
class Stage:
    """Commands in their order; `needs` names the builds that end first."""

    name: str
    commands: list[list[str]]
    needs: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    log: str = ""

    def run(self) -> bool:
        """Return whether each command succeeded; the first that fails ends the stage."""
        began = time.monotonic()
        path = BUILD / f"{self.name}.log"
        with path.open("w") as log:
            is_good = all(self._run(command, log) for command in self.commands)
        self.log = path.read_text(errors="replace")
        self.seconds = time.monotonic() - began
        return is_good

    def _run(self, command: list[str], log: IO[str]) -> bool:
        done = subprocess.run(
            command,
            cwd=ROOT, check=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "PATH": f"{TOOLS}:{os.environ['PATH']}", **self.environment},
        )  # fmt: skip
        if done.returncode:
            log.seek(0, os.SEEK_END)
            log.write(f"{self.name}: exit status {done.returncode} of: {' '.join(command)}\n")
        return done.returncode == 0


def builds() -> list[Stage]:
    """What tests with real processes need. A build does nothing if its result is cached."""
    found = [
        Stage("tools", [["tools/tools.sh"]]),
        Stage("servers", [[str(BIN / "python"), "-m", "testkit.proxy.servers.build"]]),
        Stage("control-plane", [["testkit/kubernetes/build.sh", "api"]]),
    ]
    if shutil.which(os.environ.get("CC", "cc")):
        found.append(Stage("native", [[str(BIN / "python"), "-m", "tools.compile"]]))
    return found


def stages() -> list[Stage]:
    """All stages by their names."""
    native = "on" if shutil.which(os.environ.get("CC", "cc")) else "off"
    pytest = [str(BIN / "pytest"), "-q", "--dist", "loadgroup", "--no-loadscope-reorder"]
    coverage = [f"--cov={package}" for package in PACKAGES]
    return [
        Stage(
            "check",
            [
                [str(BIN / "ruff"), "format", "--check", "."],
                [str(BIN / "ruff"), "check", "."],
                [str(BIN / "mypy")],
                [str(BIN / "lint-imports")],
            ],
            environment={"MYPY_CACHE_DIR": str(cache.folder() / "mypy")},  # kept by the content of files
        ),
        Stage(
            "unit",
            [
                [
                    *pytest, "-n", UNIT_WORKERS, "-m", "not e2e and not node",
                    "--cov-branch", *coverage, "--cov-report=",
                    f"--cov-report=json:{BUILD / 'coverage.json'}",
                    f"--junitxml={BUILD / 'unit.xml'}",
                ]
            ],
            needs=("tools", "servers"),
            environment={"COVERAGE_FILE": str(BUILD / "coverage")},
        ),
        Stage(
            "system",
            [
                [
                    *pytest, "-n", SYSTEM_WORKERS, "-m", "(e2e or compiled) and not node",
                    f"--junitxml={BUILD / 'system.xml'}",
                ]
            ],
            needs=("tools", "servers", "control-plane", "native"),
            environment={"ZEROGATE_NATIVE": native},
        ),
    ]  # fmt: skip


def _run(wanted: list[str]) -> bool:
    BUILD.mkdir(exist_ok=True)
    chosen = [stage for stage in stages() if stage.name in wanted]
    needed = {name for stage in chosen for name in stage.needs}
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        built = {build.name: (build, pool.submit(build.run)) for build in builds() if build.name in needed}

        def after_builds(stage: Stage) -> bool:
            for name in stage.needs:
                if name in built and not built[name][1].result():
                    stage.log = f"{stage.name}: not run, since the build of {name} failed\n"
                    return False
            return stage.run()

        pending: dict[Future[bool], Stage] = {future: build for build, future in built.values()}
        pending |= {pool.submit(after_builds, stage): stage for stage in chosen}
        ended = threading.Event()
        threading.Thread(target=_report_progress, args=(pending, began, ended), daemon=True).start()
        is_good = True
        for future in as_completed(pending):
            stage = pending[future]
            is_good &= future.result()
            if not future.result() or stage in chosen:
                print(f"\n===== {stage.name}\n{stage.log}", flush=True)
            print(f"{stage.name}: {'ok' if future.result() else 'FAILED'}, {stage.seconds:.0f} s", flush=True)
        ended.set()
    _summarise(chosen, time.monotonic() - began)
    return is_good


def _report_progress(pending: dict[Future[bool], Stage], began: float, ended: threading.Event) -> None:
    """Print each minute which stages still run."""
    while not ended.wait(60):
        running = ", ".join(stage.name for future, stage in pending.items() if not future.done())
        print(f"{time.monotonic() - began:.0f} s: running {running}", flush=True)


def _summarise(chosen: list[Stage], seconds: float) -> None:
    slowest = sorted((case for stage in chosen for case in _cases(stage.name)), reverse=True)[:SLOWEST]
    if slowest:
        print(f"\nslowest {len(slowest)} tests:")
        print("\n".join(f"  {took:6.1f} s  {name}" for took, name in slowest))
    if any(stage.name == "unit" for stage in chosen) and (BUILD / "coverage.json").exists():
        print("\nbranch coverage of the stage unit (build/coverage.json):")
        print("\n".join(_coverage()))
    print(
        "\nstages: "
        + ", ".join(f"{stage.name} {stage.seconds:.0f} s" for stage in chosen)
        + f"; {seconds:.0f} s in all"
    )


def _cases(stage: str) -> Iterator[tuple[float, str]]:
    """Seconds and name of each test of a stage."""
    file = BUILD / f"{stage}.xml"
    if not file.exists():
        return
    for case in ET.parse(file).getroot().iter("testcase"):  # noqa: S314 - our own file
        yield float(case.get("time", 0)), f"{case.get('classname')}::{case.get('name')} ({stage})"


def _coverage() -> Iterator[str]:
    """A line for each package: the share of its branches and of its statements that the tests execute."""
    files: dict[str, dict[str, dict[str, int]]] = json.loads((BUILD / "coverage.json").read_text())["files"]
    for package in PACKAGES:
        ours = [found["summary"] for name, found in files.items() if name.startswith(f"{package}/")]

        def share(part: str, whole: str, ours: list[dict[str, int]] = ours) -> float:
            return 100 * sum(each[part] for each in ours) / max(sum(each[whole] for each in ours), 1)

        branches, lines = share("covered_branches", "num_branches"), share("covered_lines", "num_statements")
        yield f"  {package:12} {branches:5.1f} % of branches, {lines:5.1f} % of statements"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.ci", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument(
        "stage", nargs="*", metavar="STAGE", help="check, unit, system; all of them if none is named"
    )
    options = parser.parse_args()
    names = [stage.name for stage in stages()]
    if unknown := [name for name in options.stage if name not in names]:
        parser.error(f"there is no stage {unknown[0]}; there are {', '.join(names)}")
    sys.exit(0 if _run(options.stage or names) else 1)


if __name__ == "__main__":
    main()

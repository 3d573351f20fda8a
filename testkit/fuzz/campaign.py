"""One run of a target in a process of its own, for so many seconds, and what it found."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from testkit.paths import ROOT

CORPUS = Path(__file__).parent / "corpus"
TARGETS = ("requests", "answers")
LONGEST = 120
"""Bytes of an input: so many pieces and steps."""
KEPT = 2000
"""The newest inputs of earlier runs, with which a run begins: each costs a millisecond at its start."""
HANG = 25
"""Seconds after which one input counts as an endless loop."""
_COVERED = re.compile(r"#\d+\s+(?:INITED|DONE).* cov: (\d+) ft: (\d+) corp: (\d+)")


@dataclass
class Campaign:
    """`edges` of the data plane's code were reached by the seeds, and in the end; `finding`: what went wrong
    first, with the input; "" if nothing did.
    """

    target: str
    seconds: int
    executions: int
    edges: tuple[int, int]
    corpus: int
    finding: str


class Run:
    """A target that is being run; `wait` for what comes of it."""

    def __init__(self, target: str, seconds: int, folder: Path) -> None:
        self.target = target
        self.seconds = seconds
        grown = folder / f"{target}-grown"
        grown.mkdir(parents=True, exist_ok=True)
        _drop_oldest(grown, KEPT)
        self._log = folder / f"{target}-{os.getpid()}.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "testkit.fuzz", target, str(grown), str(CORPUS / target),
                    f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-timeout={HANG}",
                    "-print_final_stats=1", f"-artifact_prefix={folder}/{target}-",
                ],
                cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def seed_edges(self) -> int:
        """The edges of the data plane's code that the seeds alone reach."""
        done = subprocess.run(
            [sys.executable, "-m", "testkit.fuzz", self.target, "-runs=0", str(CORPUS / self.target)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True, timeout=600,
        )  # fmt: skip
        return int(_COVERED.findall(done.stdout)[-1][0])

    def wait(self) -> Campaign:
        """Until it is over. RuntimeError: it did not begin."""
        status = self._process.wait()
        told = self._log.read_text(errors="replace")
        self._log.unlink()
        covered = _COVERED.findall(told)
        if not covered:
            raise RuntimeError(f"the fuzzer did not begin:\n{told[-3000:]}")
        executions = re.search(r"number_of_executed_units: (\d+)", told)
        return Campaign(
            self.target,
            self.seconds,
            int(executions[1]) if executions else 0,
            (int(covered[0][0]), int(covered[-1][0])),
            int(covered[-1][2]),
            "" if status == 0 else f"status {status}: {_reason(told)}",
        )


def _drop_oldest(folder: Path, kept: int) -> None:
    """Delete the files that were written first, until so many are left."""
    files = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[kept:]:
        file.unlink()


def _reason(told: str) -> str:
    """The exception with what led to it; where there is none (a signal, a hang, memory), the log's end."""
    at = told.find(" === Uncaught")
    return told[at : at + 9000] if at >= 0 else told[-9000:]

"""Properties with many random examples: `python -m bench.properties [--examples 10000]`.

Runs the tests that use Hypothesis with its profile `soak` and a new seed, which results/properties.json has.
Exit status 1 if a property failed; the output has the example.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import time

from bench import report
from testkit.paths import ROOT

UNITS = "not e2e and not node and not long and not built"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=10_000)
    options = parser.parse_args()
    files = sorted(
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if "hypothesis" in path.read_text()
    )
    seed = random.SystemRandom().randrange(2**32)
    print(f"{len(files)} files, {options.examples:,} examples for each property, seed {seed}", flush=True)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-m", UNITS, *files],
        cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={
            **os.environ, "HYPOTHESIS_PROFILE": "soak", "HYPOTHESIS_SEED": str(seed),
            "HYPOTHESIS_EXAMPLES": str(options.examples),
        },
    )  # fmt: skip
    print(done.stdout)
    counts = {name: int(count) for count, name in re.findall(r"(\d+) (passed|failed|error)", done.stdout)}
    result = {
        "seed": seed,
        "examples": options.examples,
        "seconds": round(time.monotonic() - began),
        **counts,
    }
    print(report.written("properties", result))
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()

"""Ten minutes of fuzzing of each target at once: `python -m bench.fuzz [--seconds 600]`; results/fuzz.json.

Ends with 1 when something was found; the JSON then has the input. It belongs into testkit/fuzz/corpus.
"""

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

from bench import report
from testkit.fuzz.campaign import TARGETS, Run


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=600)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [Run(target, options.seconds, Path(folder)) for target in TARGETS]
        found = [run.wait() for run in runs]
    rows = [["target", "seconds", "executions", "edges: corpus", "edges: in the end", "findings"]]
    for each in found:
        edges = [str(count) for count in each.edges]
        rows.append(
            [each.target, str(each.seconds), f"{each.executions:,}", *edges, "1" if each.finding else "none"]
        )
    print(report.table(rows))
    print(report.written("fuzz", {"targets": [asdict(each) for each in found]}))
    if any(each.finding for each in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()

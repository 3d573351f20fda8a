"""What each benchmark states beside its figures: the machine, the versions, the commit."""

import json
from pathlib import Path
from typing import Any

from testkit.paths import ROOT
from testkit.provenance import described

RESULTS = ROOT / "bench" / "results"


def written(name: str, result: dict[str, Any]) -> Path:
    """Store a result as JSON; returns where."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": described(), **result}, indent=1) + "\n")
    return path


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the sorted values lie, by nearest rank."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def table(rows: list[list[str]]) -> str:
    """Columns under each other; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])

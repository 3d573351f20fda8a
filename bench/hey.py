"""Runs hey and reads what it prints."""

import re
import subprocess
from typing import Any


def run(url: str, host: str, *, seconds: float, clients: int) -> dict[str, Any]:
    """One run; seconds in the result's times, whatever hey printed them in."""
    printed = subprocess.run(
        ["hey", "-z", f"{seconds:g}s", "-c", str(clients), "-host", host, url],
        capture_output=True, text=True, check=True, timeout=seconds + 60,
    ).stdout  # fmt: skip
    return parse(printed)


def start(url: str, host: str, *, seconds: float, clients: int) -> "subprocess.Popen[str]":
    """The same in the background; give its output to `parse`."""
    return subprocess.Popen(
        ["hey", "-z", f"{seconds:g}s", "-c", str(clients), "-host", host, url],
        stdout=subprocess.PIPE,
        text=True,
    )


def parse(printed: str) -> dict[str, Any]:
    """The summary as numbers."""

    def number(pattern: str) -> float:
        found = re.search(pattern, printed)
        return float(found[1]) if found else 0.0

    return {
        "requests_per_second": number(r"Requests/sec:\s+([\d.]+)"),
        "average": number(r"Average:\s+([\d.]+) secs"),
        "slowest": number(r"Slowest:\s+([\d.]+) secs"),
        **{f"p{p}": number(rf"{p}%+ in ([\d.]+) secs") for p in (50, 90, 95, 99)},
        "statuses": {code: int(count) for code, count in re.findall(r"\[(\d+)\]\s+(\d+) responses", printed)},
        "errors": re.findall(r"\[\d+\]\s+(.+)", printed.partition("Error distribution:")[2]),
    }

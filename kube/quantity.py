"""Kubernetes' quantities: "100m", "64Mi", "1e3"."""

import re

_SUFFIXES = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]{0,2})")


def parse_quantity(value: str | float) -> float:
    """The number a quantity stands for. Raises ValueError naming the text."""
    if isinstance(value, int | float):
        return float(value)
    match = _QUANTITY.fullmatch(value.strip())
    if match is None or match[2] not in _SUFFIXES:
        raise ValueError(f"{value!r} is no quantity; write a number with a suffix such as 100m, 64Mi or 2")
    return float(match[1]) * _SUFFIXES[match[2]]

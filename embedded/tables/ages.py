"""Spans of time as kubectl shows them: two units at most, the finer one only while it matters."""

from kube.objects import parse_time

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
UNKNOWN = "<unknown>"


def age(timestamp: str | None, now: float) -> str:
    """The time since an RFC 3339 timestamp; `<unknown>` for none, `<invalid>` for a text that is no time."""
    if not timestamp:
        return UNKNOWN
    try:
        return human(now - parse_time(timestamp))
    except ValueError:
        return "<invalid>"


def human(seconds: float) -> str:
    """`119s`, `2m1s`, `10m`, `3h5m`, `47h`, `2d3h`, `9d`, `2y34d`; `<invalid>` for a moment in the future."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(0, whole)
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 10 * _MINUTE:
        return _two(whole, _MINUTE, "m", 1, "s")
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 8 * _HOUR:
        return _two(whole, _HOUR, "h", _MINUTE, "m")
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _two(whole, _DAY, "d", _HOUR, "h")
    if whole < 2 * _YEAR:
        return f"{whole // _DAY}d"
    if whole < 8 * _YEAR:
        return _two(whole, _YEAR, "y", _DAY, "d")
    return f"{whole // _YEAR}y"


def _two(seconds: int, unit: int, name: str, finer: int, finer_name: str) -> str:
    rest = seconds % unit // finer
    return f"{seconds // unit}{name}" + (f"{rest}{finer_name}" if rest else "")

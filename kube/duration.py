"""Go's durations, as Kubernetes and Knative write them: "60s", "1m30s", "300ms"."""

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Seconds of a Go duration. Raises ValueError naming the text."""
    rest = text.strip()
    sign = -1.0 if rest.startswith("-") else 1.0
    rest = rest.lstrip("+-") if rest[:1] in {"+", "-"} else rest
    if rest == "0":
        return 0.0
    seconds, position = 0.0, 0
    for match in _PART.finditer(rest):
        if match.start() != position:
            break
        seconds += float(match[1]) * _UNITS[match[2]]
        position = match.end()
    if not rest or position != len(rest):
        raise ValueError(f"{text!r} is no duration; write it like 60s, 1m30s or 300ms")
    return sign * round(seconds, 9)


def format_duration(seconds: float) -> str:
    """The shortest Go spelling of a duration with whole milliseconds: 90.0 → "1m30s", 0.3 → "300ms"."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    millis = round(seconds * 1000)
    if millis < 1000:
        return f"{millis}ms" if millis else "0s"
    minutes, rest = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest / 1000:g}s"
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + tail

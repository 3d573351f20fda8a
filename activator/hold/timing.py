"""Where the wait of a held request went: the phases of a wake, and how an answer tells them.

All times are seconds of the activator's monotonic clock.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Phases:
    """When each step of a revision's latest wake was seen; None: not (yet).

    `wake_requested`: a request began to wait for the first pod · `decided`: the target stands above zero ·
    `scheduled`: its pod has a node · `address_known` · `connected`: it answered a probe, or is Ready.
    """

    wake_requested: float | None = None
    decided: float | None = None
    scheduled: float | None = None
    address_known: float | None = None
    connected: float | None = None


def spans(phases: Phases, *, since: float, slot: float, answered: float) -> dict[str, float]:
    """Seconds of each phase for a request that waited from `since` to `slot`, in the order they happened.

    `queue` is the wait outside the wake: for others' slots, or after the pod had come up. Phases before
    `since` belong to requests before this one; a phase that was not seen counts with the one after it.
    """
    marks = [
        ("decide", phases.decided),
        ("schedule", phases.scheduled),
        ("start", phases.connected),
    ]
    found: dict[str, float] = {}
    upto = since
    for name, mark in marks:
        if mark is not None and upto < mark <= slot:
            found[name] = mark - upto
            upto = mark
    return {"queue": slot - upto, **found, "connect": max(answered - slot, 0.0)}


def server_timing(found: dict[str, float]) -> bytes:
    """The value of a Server-Timing header: `queue;dur=1.5, …` in milliseconds."""
    return ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in found.items()).encode()

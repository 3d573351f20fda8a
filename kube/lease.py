"""Who leads, and for how long: the pure part of an election by a Lease, as Kubernetes' components hold it.

A candidate trusts its own clocks alone: what counts is how long the Lease has stood unchanged before its
eyes, so that clocks of two machines need not agree. A leader likewise: what counts is when it asked for its
Lease last with success. Its term ends before others may begin.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from kube.objects import Obj, annotations, format_micro_time


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds: a Lease unrenewed for `duration` is free; its holder renews it each `renew` and stops a fifth
    before that time. Candidates watch it; after a failure they look again in `retry`.
    """

    duration: float = 12.0
    renew: float = 2.0
    retry: float = 2.0

    @property
    def answer(self) -> float:
        """Seconds for the answer to a renewal, so that one that hangs can be tried again."""
        return self.duration / 2

    @property
    def term(self) -> float:
        """Seconds for which a leader may write after it asked for the Lease, or to renew it."""
        return self.duration * 0.8


class Moment(NamedTuple):
    """One instant on two clocks: one that is never set and counts sleep, and the wall's; both in seconds.

    The first one stands still with a virtual machine that is stopped, the other one may be set back.
    """

    steady: float
    wall: float


class Term:
    """How long we may write. Over as soon as either clock says so, and before it begins.

    If the wall clock alone says so, it was set, or the machine stood still: the term is in doubt, and goes on
    if the Lease proves to be ours.
    """

    def __init__(self) -> None:
        self._ends: Moment | None = None

    def __repr__(self) -> str:
        return f"<Term until {self._ends}>" if self._ends else "<Term that is over>"

    def begin(self, asked: Moment, seconds: float) -> None:
        """The Lease was ours when the API server answered what we `asked` then; so it is for that long."""
        self._ends = Moment(asked.steady + seconds, asked.wall + seconds)

    def end(self) -> None:
        """Write no more."""
        self._ends = None

    def left(self, now: Moment) -> float:
        """Seconds that remain, 0 when it is over."""
        if self._ends is None:
            return 0.0
        return max(0.0, min(self._ends.steady - now.steady, self._ends.wall - now.wall))

    def is_in_doubt(self, now: Moment) -> bool:
        """Whether the wall clock says that it is over, and the other clock does not."""
        return self._ends is not None and self._ends.wall <= now.wall and now.steady < self._ends.steady


@dataclass(slots=True)
class Sighting:
    """The Lease as last seen, and since when it has stood like that."""

    version: str = ""
    since: float = 0.0
    lease: Obj = field(default_factory=dict)

    def see(self, lease: Obj, now: float) -> None:
        """Note the Lease as it is now."""
        version = str(lease["metadata"].get("resourceVersion"))
        if version != self.version:
            self.version, self.since = version, now
        self.lease = lease

    @property
    def free_at(self) -> float:
        """When its holder will have been silent for too long, unless it is heard of before."""
        return self.since + float((self.lease.get("spec") or {}).get("leaseDurationSeconds") or 0)

    def is_free(self, identity: str, now: float) -> bool:
        """Whether `identity` may take it: nobody holds it, it does itself, or the holder went silent."""
        return holder(self.lease) in {"", identity} or now >= self.free_at


def holder(lease: Obj) -> str:
    """Who holds the Lease, "" for nobody."""
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


def epoch(lease: Obj) -> int:
    """The number of the present leadership."""
    return int((lease.get("spec") or {}).get("leaseTransitions") or 0)


Notes = Mapping[str, str]
"""What a leader says in annotations. One that is "" is taken away: who led before may have written it."""


def taken(lease: Obj, identity: str, notes: Notes, terms: Terms, now: float) -> Obj:
    """The Lease as `identity` takes it, with a new epoch: also where it held it before, as a program that was
    started anew knows nothing of what it did then.
    """
    stamp = format_micro_time(now)
    spec = {
        **(lease.get("spec") or {}),
        "holderIdentity": identity,
        "leaseDurationSeconds": int(terms.duration),
        "acquireTime": stamp,
        "renewTime": stamp,
        "leaseTransitions": epoch(lease) + 1,
    }
    return {**lease, "metadata": _noted(lease, notes), "spec": spec}


def renewed(lease: Obj, notes: Notes, now: float) -> Obj:
    """The Lease with a sign of life of its holder; what it says there is put right if somebody changed it."""
    spec = {**lease["spec"], "renewTime": format_micro_time(now)}
    return {**lease, "metadata": _noted(lease, notes), "spec": spec}


def _noted(lease: Obj, notes: Notes) -> Obj:
    merged = {**annotations(lease), **notes}
    kept = {key: text for key, text in merged.items() if text or key not in notes}
    return {**lease["metadata"], "annotations": kept}


def released(lease: Obj) -> Obj:
    """The Lease given back, so that the next leader need not wait for it to run out."""
    return {**lease, "spec": {**(lease.get("spec") or {}), "holderIdentity": ""}}

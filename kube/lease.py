"""Who leads: the pure part of an election by a Lease, as Kubernetes' own components hold it.

A candidate trusts its own clock alone: what counts is how long the Lease has stood unchanged before its
eyes, so that clocks of two machines need not agree.
"""

from dataclasses import dataclass, field

from kube.objects import Obj, format_micro_time


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds: a Lease unrenewed for `duration` is free; its holder renews it each `renew`, others look
    each `retry`.
    """

    duration: float = 15.0
    renew: float = 2.0
    retry: float = 2.0


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

    def is_free(self, identity: str, now: float) -> bool:
        """Whether `identity` may take it: nobody holds it, it does itself, or the holder went silent."""
        spec = self.lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        return holder in {"", identity} or now >= self.since + float(spec.get("leaseDurationSeconds") or 0)


def taken(lease: Obj, identity: str, annotations: dict[str, str], terms: Terms, now: float) -> Obj:
    """The Lease as `identity` holds it from now on; `leaseTransitions` is the epoch of this leader.

    An annotation "" is taken away: the one who led before may have written it.
    """
    spec = dict(lease.get("spec") or {})
    is_new = spec.get("holderIdentity") != identity
    stamp = format_micro_time(now)
    spec |= {
        "holderIdentity": identity,
        "leaseDurationSeconds": int(terms.duration),
        "renewTime": stamp,
        "acquireTime": stamp if is_new else spec.get("acquireTime", stamp),
        "leaseTransitions": int(spec.get("leaseTransitions") or 0) + is_new,
    }
    meta = dict(lease["metadata"])
    merged = {**(meta.get("annotations") or {}), **annotations}
    meta["annotations"] = {key: value for key, value in merged.items() if value or key not in annotations}
    return {**lease, "metadata": meta, "spec": spec}


def released(lease: Obj) -> Obj:
    """The Lease given back, so that the next leader need not wait for it to run out."""
    return {**lease, "spec": {**(lease.get("spec") or {}), "holderIdentity": ""}}

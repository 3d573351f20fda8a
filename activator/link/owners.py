"""Who owns each hard limit, as the autoscaler said last: we, another activator, or nobody yet.

What was said holds until something newer is: while the autoscaler is away, owners stay.
"""

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from autoscaler.messages import Claim, Owner
from kube.objects import Key


class Standing(Enum):
    """What an activator may do about a revision with a hard limit."""

    ALONE = "alone"
    """Nobody names owners: it holds to the limit by itself."""
    OWN = "own"
    """It is the owner, and may take all slots but those reserved."""
    FORWARD = "forward"
    """Another one is."""
    HOLD = "hold"
    """It takes no slot: it is not known yet who is the owner, where that is, or what others still have."""


class Owners:
    """`us` is our name on the link."""

    def __init__(self, us: str) -> None:
        self._us = us
        self._told: dict[Key, Owner] = {}
        self.are_named = False
        """Whether there is an autoscaler now that says who owns what."""

    def __repr__(self) -> str:
        own = sum(each.activator == self._us for each in self._told.values())
        return f"<Owners of {len(self._told)} limits, {own} are ours>"

    def hear(self, owner: Owner) -> bool:
        """The autoscaler's word. False: it is older than what we know.

        Slots once granted stay so under the same epoch: a new leader grants only when it knows all others.
        """
        key = (owner.namespace, owner.revision)
        known = self._told.get(key)
        if known is not None and owner.epoch < known.epoch:
            return False
        if known is not None and owner.epoch == known.epoch and known.is_granted and not owner.is_granted:
            owner = replace(owner, is_granted=True, reserved=known.reserved)
        self._told[key] = owner
        return True

    def suspend(self) -> bool:
        """Hold to no limit as its owner until the autoscaler grants it again: this process stood still, and
        another one may be the owner by now. False: it owns none.
        """
        granted = {key: told for key, told in self._told.items() if self.is_ours(key) and told.is_granted}
        for key, told in granted.items():
            self._told[key] = replace(told, is_granted=False, reserved=())
        return bool(granted)

    def forget(self, key: Key) -> None:
        """The revision is gone."""
        self._told.pop(key, None)

    def get(self, key: Key) -> Owner | None:
        """What was said last of a revision."""
        return self._told.get(key)

    def epoch(self, key: Key) -> int:
        """Of that word; 0 for none."""
        told = self._told.get(key)
        return told.epoch if told is not None else 0

    def standing(self, key: Key) -> Standing:
        """What we may do about a revision with a hard limit."""
        told = self._told.get(key)
        if told is None:
            return Standing.HOLD if self.are_named else Standing.ALONE
        if told.activator == self._us:
            return Standing.OWN if told.is_granted else Standing.HOLD
        return Standing.FORWARD if told.address else Standing.HOLD

    def is_ours(self, key: Key) -> bool:
        """Whether we are the owner, granted or not."""
        told = self._told.get(key)
        return told is not None and told.activator == self._us

    def reserved(self, key: Key) -> dict[str, int]:
        """By pod, the slots that requests of others still have."""
        told = self._told.get(key)
        return dict(told.reserved) if told is not None else {}

    def claims(self) -> tuple[Claim, ...]:
        """What a new leader is told of the one before."""
        return tuple(Claim(*key, told.activator, told.epoch) for key, told in self._told.items())

    def state(self) -> Mapping[str, object]:
        """For the debugging page."""
        return {
            "/".join(key): {
                "owner": told.activator, "epoch": told.epoch, "standing": self.standing(key).value
            }
            for key, told in self._told.items()
        }  # fmt: skip

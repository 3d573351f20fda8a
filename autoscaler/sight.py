"""Who reports, who should, and whether so little is seen that nothing may be taken away.

What an activator does not report cannot be seen, and pods are not taken away on a guess. The activators that
count are those expected (the ready endpoints of the gateway), or if these are not known, those that said
hello and no good-bye. One that is linked lives and may serve: nothing is taken away until it reports. One
that is not linked is waited for only so long.
"""

from collections.abc import Iterable
from dataclasses import dataclass

SILENCE = 3.0
"""Seconds without a report until an activator is silent; three cuts."""
LONGEST_VETO = 60.0
"""Seconds of silence without a link; a stable window if that is longer."""
FORGOTTEN = 3600.0
"""Seconds, the longest stable window: one that went without a word, and that nobody expects, is forgotten."""


@dataclass(slots=True)
class _Activator:
    heard: float
    """The last report; before the first one, the beginning of the expectation or of the link."""
    is_linked: bool = False
    is_overdue: bool = False


class Sight:
    """Times are seconds of one clock."""

    def __init__(self, now: float) -> None:
        self._led_since = now
        self._activators: dict[str, _Activator] = {}
        self._is_told = False

    def __repr__(self) -> str:
        linked = sum(activator.is_linked for activator in self._activators.values())
        return f"<Sight {linked} of {len(self._activators)} activators linked>"

    def expect(self, names: Iterable[str], now: float) -> None:
        """Exactly these activators exist; others that are not linked are gone."""
        self._is_told = True
        wanted = set(names)
        for name in wanted - self._activators.keys():
            self._activators[name] = _Activator(now)
        for name in self._activators.keys() - wanted:
            if not self._activators[name].is_linked:
                del self._activators[name]

    def link(self, name: str, now: float) -> None:
        """It is linked. That is no report: one that was silent before stays silent until it reports."""
        self._activators.setdefault(name, _Activator(now)).is_linked = True

    def hear(self, name: str, now: float) -> None:
        """A report came."""
        activator = self._activators.setdefault(name, _Activator(now))
        activator.heard, activator.is_linked, activator.is_overdue = now, True, False

    def lose(self, name: str) -> None:
        """The link broke; whoever is at its other end may still serve requests."""
        if name in self._activators:
            self._activators[name].is_linked = False

    def bye(self, name: str) -> None:
        """It drains and says so: it counts no longer."""
        self._activators.pop(name, None)

    def linked(self) -> set[str]:
        """Those whose link stands."""
        return {name for name, activator in self._activators.items() if activator.is_linked}

    def responsive(self, now: float) -> set[str]:
        """Those whose acknowledgement an order needs: linked and not silent.

        Silence is a veto by itself.
        """
        return {
            name
            for name, activator in self._activators.items()
            if activator.is_linked and now - activator.heard < SILENCE
        }

    def witnesses(self, now: float) -> set[str]:
        """Those who must say that a pod is empty before it is ended: all that are linked, and, for as long as
        a veto lasts, those whose link broke or is yet to come; they may have requests in flight.
        """
        return {
            name
            for name, activator in self._activators.items()
            if activator.is_linked or now - activator.heard < SILENCE + LONGEST_VETO
        }

    def silent(self, now: float) -> dict[str, float]:
        """The silent ones, and for how many seconds."""
        return {
            name: now - activator.heard
            for name, activator in self._activators.items()
            if now - activator.heard >= SILENCE
        }

    def veto(self, stable_window: float, now: float) -> str:
        """Why nothing may be taken away now, "" when it may."""
        led = now - self._led_since
        if led < stable_window:
            return f"leading for {led:.0f} s only, the load before that is not known"
        longest = max(LONGEST_VETO, stable_window)
        blind = [
            name
            for name, seconds in self.silent(now).items()
            if self._activators[name].is_linked or seconds < SILENCE + longest
        ]
        return f"activator {', '.join(sorted(blind))} is silent" if blind else ""

    def overdue(self, now: float) -> list[str]:
        """Those that have been silent for too long since the last call, to be told of once: the veto of those
        that are not linked has run out.
        """
        found = []
        for name, seconds in self.silent(now).items():
            activator = self._activators[name]
            if seconds >= SILENCE + LONGEST_VETO and not activator.is_overdue:
                activator.is_overdue = True
                found.append(name)
            if seconds >= SILENCE + FORGOTTEN and not (activator.is_linked or self._is_told):
                del self._activators[name]
        return found

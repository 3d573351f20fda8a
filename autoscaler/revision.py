"""One revision: what is known of it, and what follows from that.

`decide` comes each tick and whenever a report wakes it; `settle` goes on with the last wish between two
decisions, when an order was acknowledged. Both return what is left to do. Times are unix seconds with whole
milliseconds (see `kpa.history`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autoscaler.bounds import bounds, clamp, fewest_active
from autoscaler.kpa.decider import Averages, Decision
from autoscaler.kpa.history import History, Setting
from autoscaler.kpa.reasons import reason
from autoscaler.kpa.scaler import Scaler
from autoscaler.kpa.spec import Spec
from autoscaler.lifecycle import UNKNOWN, Activity, Wish, first_seen
from autoscaler.replicas import Outcome, Replicas, View
from autoscaler.scalein import Pod
from serving.config_autoscaler import KPA_CLASS
from serving.targets import BLIND, ScaleTarget

FIRST_RETRY = 10.0
LONGEST_RETRY = 300.0
"""Seconds that a revision whose activation failed is left alone; doubled by each failure in a row."""

REQUEST_WAITING = "request waiting"
"""Why a revision wakes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A scale target, and what it is scaled by."""

    target: ScaleTarget
    spec: Spec
    setting: Setting
    was_ready: bool
    """Whether its status tells that its pods were all ready once."""
    version: str = ""
    """The Deployment's resourceVersion."""
    is_scaled_by_us: bool = False
    """Whether the number of replicas that stands was written by us."""


class Revision:
    """Plain attributes are for `/debug/state` and metrics to read."""

    def __init__(self, seen: Seen, number: Callable[[], int], now: float) -> None:
        self.target, self.spec, self.setting = seen.target, seen.spec, seen.setting
        self.pods: dict[str, Pod] = {}
        self.history: History | None = None
        self.decision: Decision | None = None
        self.wish = Wish(UNKNOWN, "nothing decided yet")
        self.held = ""
        self.highest_panic = 0.0
        self.decisions = 0
        self.is_overwritten = False
        self.is_initialised = seen.was_ready
        self.has_traffic = not seen.target.is_plain or seen.target.replicas == 0 or seen.is_scaled_by_us
        self.ready = seen.target.ready_replicas
        self.replicas = Replicas(seen.target.key, seen.target.replicas, number)
        self.scaler = Scaler(seen.spec, self.ready, now)
        self.lifecycle = first_seen(seen.target.replicas, self.ready, self._fewest(), now)
        self._retry_at = 0.0
        self._retry_delay = FIRST_RETRY
        self._untold = ""
        self.is_mended = False

    def __repr__(self) -> str:
        name = f"{self.target.namespace}/{self.target.revision}"
        return f"<Revision {name} {self.lifecycle.activity.value}, {self.ready} ready, {self.replicas!r}>"

    @property
    def desired(self) -> int:
        """What the last decision asked for, within no bounds; -1 before the first."""
        return self.decision.desired if self.decision else UNKNOWN

    @property
    def is_panicking(self) -> bool:
        """Whether the last decision was made in panic."""
        return self.decision is not None and self.decision.is_panicking

    @property
    def averages(self) -> Averages:
        """The load that the last decision was made from."""
        return self.decision.averages if self.decision else Averages(0.0, 0.0)

    @property
    def is_asleep(self) -> bool:
        """Whether only a report can make it want pods: it is decided then, without waiting for a tick."""
        return self.desired <= 0

    @property
    def is_ours(self) -> bool:
        """Whether this autoscaler is the one that it asks for."""
        return self.spec.scaler_class == KPA_CLASS

    def can_sleep(self, now: float) -> bool:
        """Whether no tick is needed until something is reported or changes."""
        return (
            self.replicas.current == self.replicas.stored == 0
            and self.desired == 0
            and not self._untold
            and self.lifecycle.activity is Activity.INACTIVE
            and not (self.ready or self.pods or bounds(self.spec, **self._flags()).lowest)
            and self.scaler.is_quiet(now)
        )

    def see(self, seen: Seen, now: float) -> None:
        """The scale target changed, or the config map did."""
        if seen.target.reachable != self.target.reachable and self.history:
            self.history.reachable(now, is_reachable=seen.target.reachable)
        if (seen.setting, seen.spec) != (self.setting, self.spec):
            if self.history:
                self.history.forget()
            self.scaler.change(seen.spec, now)
        self.target, self.spec, self.setting = seen.target, seen.spec, seen.setting
        self.is_overwritten = self.replicas.found(seen.target.replicas, seen.version)
        self.is_initialised = self.is_initialised or seen.was_ready
        self.has_traffic = self.has_traffic or seen.target.replicas == 0

    def try_again(self) -> None:
        """What made the activation fail may be mended: its pods are made another way. It is no longer given
        up, so that requests wait again.
        """
        self._retry_at, self._retry_delay = 0.0, FIRST_RETRY
        self._untold = ""
        self.is_mended = True

    def record(self, now: float, concurrency: float, requests: float) -> None:
        """A report; `now` is in the second that its load belongs to."""
        self._open_history(now)
        if self.history:
            self.history.stat(now, concurrency, requests)
        if concurrency or requests:
            self.has_traffic = True
        self.scaler.record(now, concurrency, requests)

    def decide(self, view: View) -> Outcome:
        """One decision and what follows from it."""
        now = view.now
        self._open_history(now)
        self._count(now)
        if self.history:
            self.history.decide(now)
        self.decision = self.scaler.decide(now, self.ready, is_reachable=self.target.reachable)
        self.decisions += 1
        if not self.is_ours:
            self.wish = Wish(UNKNOWN, f"left to {self.spec.scaler_class}")
            return Outcome()
        if self.target.is_blind:
            self.wish = Wish(UNKNOWN, BLIND)
            return Outcome()
        before = self.lifecycle.activity
        self.wish = self._wish(self.decision, now)
        self.lifecycle.settle(self.wish.pods, self.ready, self._fewest(), now)
        if before is Activity.INACTIVE and self.lifecycle.activity is not before:
            self.highest_panic = 0.0
        self.highest_panic = max(self.highest_panic, self.decision.averages.panic)
        outcome = self.settle(view)
        self._judge_activation(outcome, now)
        return outcome

    def settle(self, view: View) -> Outcome:
        """Go on with the last wish."""
        wanted = self.wish.pods if self.wish.is_written else None
        current = self.replicas.current
        self.held = ""
        if wanted is not None and wanted < current:
            self.held = self._veto(view)
            wanted = current if self.held else wanted
        because = self.wish.because
        if current == 0 and wanted:
            because = REQUEST_WAITING if self.desired > 0 else because
        return self.replicas.steer(wanted, self.pods, self.target.timeout, view, because)

    def explain(self) -> str:
        """The last decision's reason in a sentence."""
        held = f"; not taken down: {self.held}" if self.held else ""
        return self.wish.because + held

    def state(self, now: float) -> dict[str, Any]:
        """What `/debug/state` tells."""
        averages = self.scaler.averages(now)
        return {
            "target": self.spec.target,
            "metric": self.spec.metric,
            "stableWindow": self.spec.stable_window,
            "panicWindow": self.spec.panic_window,
            "stableAverage": averages.stable,
            "panicAverage": averages.panic,
            "highestPanicAverage": self.highest_panic,
            "isPanicking": self.is_panicking,
            "desired": self.desired,
            "wished": self.wish.pods,
            "reason": self.explain(),
            "replicas": self.replicas.stored,
            "ready": self.ready,
            "activity": self.lifecycle.activity.value,
            "since": self.lifecycle.since,
            "isReachable": self.target.reachable,
            "isInitialised": self.is_initialised,
            "givenUp": self.target.given_up,
            "cordoned": {
                self.pods[uid].name: "released" if victim.released else "emptying"
                for uid, victim in self.replicas.scale_in.victims.items()
                if uid in self.pods
            },
        }

    def _flags(self) -> dict[str, bool]:
        return {"is_reachable": self.target.reachable, "is_initialised": self.is_initialised}

    def _fewest(self) -> int:
        return fewest_active(self.spec, **self._flags())

    def _count(self, now: float) -> None:
        ready = sum(pod.is_ready for pod in self.pods.values())
        if ready != self.ready:
            self.ready = ready
            if self.history:
                self.history.ready(now, ready)
        self.is_initialised = self.is_initialised or (ready > 0 and ready >= self._fewest())

    def _open_history(self, now: float) -> None:
        if self.history and self.history.is_due(now):
            is_reachable = self.target.reachable
            self.history.begin(self.setting, self.scaler, self.ready, is_reachable=is_reachable, now=now)

    def _wish(self, decision: Decision, now: float) -> Wish:
        limits = bounds(self.spec, **self._flags())
        pods = clamp(decision.desired, limits)
        if pods == 0:
            return self.lifecycle.without_load(
                self.spec, self.target.progress_deadline, now, is_reachable=self.target.reachable
            )
        if self.target.given_up and not self.ready and now < self._retry_at:
            rest = self._retry_at - now
            return Wish(UNKNOWN, f"given up ({self.target.given_up}), next try in {rest:.0f} s")
        because = reason(self.spec, decision)
        if pods > decision.desired:
            because = f"at least {pods} (min-scale or initial-scale)"
        elif pods < decision.desired:
            because = f"at most {pods} (max-scale); {because}"
        return Wish(pods, because, is_written=True)

    def _judge_activation(self, outcome: Outcome, now: float) -> None:
        """A failed activation is given up; a request after a while, or a ready pod, ends that.

        That is told until the target shows it.
        """
        if self.wish.has_failed:
            self._untold = self.wish.because
            self._retry_at = now + self._retry_delay
            self._retry_delay = min(self._retry_delay * 2, LONGEST_RETRY)
        elif self.target.given_up or self.ready or self.desired > 0:
            self._untold = ""
        if self._untold:
            outcome.given_up = self._untold
        elif self.target.given_up and (
            self.ready or self.is_mended or (self.wish.is_written and self.wish.pods > 0)
        ):
            outcome.given_up = ""
        self.is_mended = self.is_mended and bool(self.target.given_up)
        if self.ready:
            self._retry_delay = FIRST_RETRY

    def _veto(self, view: View) -> str:
        if not self.has_traffic:
            return "no request came through the gateway yet"
        return view.veto(self.spec.stable_window)

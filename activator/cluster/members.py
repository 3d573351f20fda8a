"""Which pods of a revision serve: Kubernetes' word and our own probes, weighed pod by pod.

Kubernetes calls a pod Ready late, so a probe of ours that succeeds lets it in earlier. Kubernetes' No
counts as soon as it follows a Yes; after that it takes our own probe or another Yes. Where only the kubelet
can run the probe, its word alone counts (as in Knative, pkg/activator/net/revision_backends.go).
"""

from collections.abc import Container
from dataclasses import dataclass

from activator.cluster.pods import PodView
from serving.targets import ScaleTarget


@dataclass(frozen=True, slots=True)
class Join:
    """The pod serves from now on."""

    uid: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Leave:
    """The pod gets no new requests."""

    uid: str


Step = Join | Leave


@dataclass(slots=True)
class Member:
    """A pod that serves. `is_confirmed`: Kubernetes has called it Ready since it joined."""

    address: str
    port: int
    restarts: int
    is_confirmed: bool


class Members:
    """The pods of one revision: what is known of each, and which serve."""

    def __init__(self) -> None:
        self.views: dict[str, PodView] = {}
        self.serving: dict[str, Member] = {}
        self.demoted: set[str] = set()

    def __repr__(self) -> str:
        return f"<Members {len(self.serving)} of {len(self.views)} pods serve>"

    def put(self, view: PodView, target: ScaleTarget, held: Container[str]) -> list[Step]:
        """A pod is new or changed. `held`: pods under an order, which do not join now."""
        if view.is_gone:
            return self.drop(view.uid)
        self.views[view.uid] = view
        steps: list[Step] = []
        member = self.serving.get(view.uid)
        if member is not None and self._has_fallen(member, view, target):
            steps += self._leave(view.uid)
            self.demoted.add(view.uid)
            member = None
        if view.is_ready and member is not None:
            member.is_confirmed = True
        elif view.is_ready and view.uid not in held:
            steps.append(self._join(view, target, is_confirmed=True))
        return steps

    def drop(self, uid: str) -> list[Step]:
        """A pod is gone."""
        self.views.pop(uid, None)
        self.demoted.discard(uid)
        return self._leave(uid)

    def settle(self, target: ScaleTarget, held: Container[str]) -> list[Step]:
        """The target or the orders changed: weigh every pod again."""
        return [step for view in [*self.views.values()] for step in self.put(view, target, held)]

    def answered(self, uid: str, target: ScaleTarget, held: Container[str]) -> list[Step]:
        """A probe of ours succeeded."""
        view = self.views.get(uid)
        if view is None or uid in self.serving or uid in held or not may_probe(view, target):
            return []
        return [self._join(view, target, is_confirmed=False)]

    def candidates(self, target: ScaleTarget) -> list[PodView]:
        """The pods that a probe of ours may let in."""
        return [
            view for uid, view in self.views.items() if uid not in self.serving and may_probe(view, target)
        ]

    def _has_fallen(self, member: Member, view: PodView, target: ScaleTarget) -> bool:
        """Whether a serving pod moved, is no longer Ready, or was started anew before it ever was."""
        if (view.address, view.port or target.port) != (member.address, member.port):
            return True
        if view.is_ready:
            return False
        return member.is_confirmed or view.restarts > member.restarts or bool(view.fault)

    def _join(self, view: PodView, target: ScaleTarget, *, is_confirmed: bool) -> Join:
        port = view.port or target.port
        self.serving[view.uid] = Member(view.address, port, view.restarts, is_confirmed)
        self.demoted.discard(view.uid)
        return Join(view.uid, view.address, port)

    def _leave(self, uid: str) -> list[Step]:
        return [Leave(uid)] if self.serving.pop(uid, None) is not None else []


def may_probe(view: PodView, target: ScaleTarget) -> bool:
    """Whether it makes sense to ask the pod ourselves."""
    may_come = not view.fault or view.is_elsewhere
    return bool(view.address) and may_come and target.probe.trusted_early

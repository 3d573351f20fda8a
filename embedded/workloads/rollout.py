"""A Deployment with its ReplicaSets, sorted: which one runs today's template, which are old, in numbers."""

from collections.abc import Iterable
from dataclasses import dataclass

from embedded.workloads.pods import available_pods, pods_by_owner
from embedded.workloads.sizing import Limits, Size, limits_of
from embedded.workloads.templates import HASH_LABEL, bare_template, template_hash
from kube.objects import Obj, annotations, is_deleting, labels, name, uid

REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"


@dataclass(frozen=True, slots=True)
class Rollout:
    """A Deployment with its ReplicaSets: `new` runs today's template, `old` are the others, oldest first."""

    deployment: Obj
    new: Obj | None
    old: tuple[Obj, ...]
    pods: dict[str, list[Obj]]
    now: float

    @property
    def desired(self) -> int:
        return wanted_replicas(self.deployment)

    @property
    def limits(self) -> Limits:
        return limits_of(self.deployment["spec"].get("strategy") or {}, self.desired)

    @property
    def sets(self) -> tuple[Obj, ...]:
        return self.old if self.new is None else (*self.old, self.new)

    @property
    def next_revision(self) -> int:
        """The place in history that today's template takes: after all others."""
        return max((revision_of(each) for each in self.old), default=0) + 1

    def size(self, replicaset: Obj) -> Size:
        """The set in numbers; pods beyond its size are about to go and do not count."""
        replicas = wanted_replicas(replicaset)
        pods = self.pods.get(uid(replicaset), [])
        delay = float(self.deployment["spec"].get("minReadySeconds") or 0)
        available = len(available_pods(pods, delay, self.now))
        share_of = number(annotations(replicaset).get(MOST))
        return Size(name(replicaset), replicas, min(available, replicas), share_of)


def wanted_replicas(obj: Obj) -> int:
    """`spec.replicas`, by default 1."""
    replicas = obj["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def rollout_of(deployment: Obj, replicasets: Iterable[Obj], pods: Iterable[Obj], now: float) -> Rollout:
    """Sort a Deployment's own ReplicaSets (see `owners.claim`) into the new one and the old ones.

    The new one is found by its template (or the template's hash, should the API have filled in the stored one
    differently): a template that comes back finds its old set. Of several the oldest counts, as they would
    otherwise take turns.
    """
    ordered = sorted(replicasets, key=lambda each: (_created(each), revision_of(each), name(each)))
    template, mark = bare_template(deployment), template_hash(deployment)
    living = [each for each in ordered if not is_deleting(each)]
    new = next((each for each in living if bare_template(each) == template), None)
    new = new or next((each for each in living if labels(each).get(HASH_LABEL) == mark), None)
    old = tuple(each for each in ordered if each is not new)
    return Rollout(deployment, new, old, pods_by_owner(pods), now)


def revision_of(replicaset: Obj) -> int:
    """The set's place in the Deployment's history, 0 when it has none yet."""
    return number(annotations(replicaset).get(REVISION))


def number(text: str | None) -> int:
    """A count in an annotation; what is none counts as 0."""
    return int(text) if text and text.isdecimal() else 0


def _created(obj: Obj) -> str:
    return str((obj.get("metadata") or {}).get("creationTimestamp") or "")

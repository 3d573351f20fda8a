"""The Deployment controller's decisions: which ReplicaSets exist, and how large each is.

The status is `deployment_status`' matter. Source of the behaviour: Kubernetes, pkg/controller/deployment.
Annotations of the Deployment are not copied to its ReplicaSets, except the change cause.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from embedded.workloads.owners import claim, is_deleting
from embedded.workloads.replicasets import available_pods, pods_by_owner
from embedded.workloads.sizing import Limits, Size, limits_of, resize, roll
from embedded.workloads.writes import Create, Delete, Patch, Report, Write, patch_of
from kube.objects import Obj, annotations, key, labels, name, namespace, owner_reference, uid
from kube.resources import DEPLOYMENTS, REPLICASETS

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"
CHANGE_CAUSE = "kubernetes.io/change-cause"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_DEFAULT_HISTORY = 10


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

    def size(self, replicaset: Obj) -> Size:
        """The set in numbers; pods beyond its size are about to go and do not count."""
        replicas = wanted_replicas(replicaset)
        pods = self.pods.get(uid(replicaset), [])
        delay = float(self.deployment["spec"].get("minReadySeconds") or 0)
        available = len(available_pods(pods, delay, self.now))
        share_of = _number(annotations(replicaset).get(MOST))
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
    ordered = sorted(replicasets, key=lambda each: (_created(each), _revision(each), name(each)))
    template, mark = _bare_template(deployment), template_hash(deployment)
    living = [each for each in ordered if not is_deleting(each)]
    new = next((each for each in living if _bare_template(each) == template), None)
    new = new or next((each for each in living if labels(each).get(HASH_LABEL) == mark), None)
    old = tuple(each for each in ordered if each is not new)
    return Rollout(deployment, new, old, pods_by_owner(pods), now)


def sync_deployment(
    deployment: Obj, replicasets: Iterable[Obj], pods: Iterable[Obj], now: float
) -> list[Write]:
    """What is to be written next, besides the status. Nothing left to do: an empty list.

    `replicasets` are all that may be the Deployment's (its own and orphans), `pods` all that may be theirs.
    """
    claimed = claim(deployment, REPLICASETS, replicasets)
    if is_deleting(deployment):
        return list(claimed.writes)
    rollout = rollout_of(deployment, claimed.mine, pods, now)
    return [*claimed.writes, *_next_step(rollout)]


def _next_step(rollout: Rollout) -> list[Write]:
    spec = rollout.deployment["spec"]
    if spec.get("paused") or _was_resized(rollout):
        return _resized(rollout)
    if (spec.get("strategy") or {}).get("type") == "Recreate":
        steps = _recreated(rollout)
    else:
        steps = _rolled(rollout)
    return steps or _outdated(rollout)


def _was_resized(rollout: Rollout) -> bool:
    """Whether spec.replicas changed since the running sets got their sizes."""
    running = [each for each in rollout.sets if wanted_replicas(each) > 0]
    return any(annotations(each).get(DESIRED) != str(rollout.desired) for each in running)


def _resized(rollout: Rollout) -> list[Write]:
    new = rollout.size(rollout.new) if rollout.new is not None else None
    sizes = resize(rollout.desired, rollout.limits, new, [rollout.size(each) for each in rollout.old])
    return _apply(rollout, sizes)


def _rolled(rollout: Rollout) -> list[Write]:
    old = [rollout.size(each) for each in rollout.old]
    if rollout.new is None:
        sizes = roll(rollout.desired, rollout.limits, Size("", 0), old)
        return _create_set(rollout, sizes.get("", 0))
    named = _number_revision(rollout, rollout.new)
    return [*named, *_apply(rollout, roll(rollout.desired, rollout.limits, rollout.size(rollout.new), old))]


def _recreated(rollout: Rollout) -> list[Write]:
    """All old pods go first, to the last process; only then does the new set start."""
    old = {name(each): 0 for each in rollout.old if wanted_replicas(each) > 0}
    if old:
        return _apply(rollout, old)
    lingering = [
        pod
        for each in rollout.old
        for pod in rollout.pods.get(uid(each), [])
        if (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}
    ]
    if lingering:
        return []
    if rollout.new is None:
        return _create_set(rollout, rollout.desired)
    named = _number_revision(rollout, rollout.new)
    return [*named, *_apply(rollout, {name(rollout.new): rollout.desired})]


def _apply(rollout: Rollout, sizes: dict[str, int]) -> list[Write]:
    """The patches that bring the sets to these sizes, each noting what the size was chosen for."""
    most = rollout.desired + rollout.limits.surge
    notes = {DESIRED: str(rollout.desired), MOST: str(most)}
    writes: list[Write] = []
    for each in rollout.sets:
        before, after = wanted_replicas(each), sizes.get(name(each))
        if after is None or (after == before and annotations(each).items() >= notes.items()):
            continue
        body = {"metadata": {"annotations": notes}, "spec": {"replicas": after}}
        writes.append(patch_of(REPLICASETS, each, body))
        if after != before:
            writes.append(_scaling_report(rollout, name(each), before, after))
    return writes


def _scaling_report(rollout: Rollout, target: str, before: int, after: int) -> Report:
    verb = "up" if after > before else "down"
    text = f"Scaled {verb} replica set {target} from {before} to {after}"
    return Report(rollout.deployment, "Normal", "ScalingReplicaSet", text)


def _create_set(rollout: Rollout, replicas: int) -> list[Write]:
    made = new_replicaset(rollout, replicas)
    writes: list[Write] = [Create(REPLICASETS, made)]
    if replicas:
        writes.append(_scaling_report(rollout, name(made), 0, replicas))
    revision = annotations(made)[REVISION]
    return [*writes, *_note_revision(rollout.deployment, revision)]


def _number_revision(rollout: Rollout, new: Obj) -> list[Write]:
    """Give the new set the highest revision (a rollback brings an old one back) and tell the Deployment."""
    revision = annotations(new).get(REVISION, "")
    wanted = max((_revision(each) for each in rollout.old), default=0) + 1
    writes: list[Write] = []
    if _number(revision) < wanted:
        revision = str(wanted)
        body = {"metadata": {"annotations": {REVISION: revision}}}
        writes.append(patch_of(REPLICASETS, new, body))
    return [*writes, *_note_revision(rollout.deployment, revision)]


def _note_revision(deployment: Obj, revision: str) -> list[Patch]:
    if annotations(deployment).get(REVISION) == revision:
        return []
    return [patch_of(DEPLOYMENTS, deployment, {"metadata": {"annotations": {REVISION: revision}}})]


def _outdated(rollout: Rollout) -> list[Write]:
    """Delete old empty sets beyond revisionHistoryLimit, lowest revision first, once all is rolled out."""
    limit = rollout.deployment["spec"].get("revisionHistoryLimit")
    kept = _DEFAULT_HISTORY if limit is None else int(limit)
    empty = [
        each
        for each in rollout.old
        if wanted_replicas(each) == 0 and not rollout.pods.get(uid(each)) and not is_deleting(each)
    ]
    empty.sort(key=_revision)
    surplus = empty[: max(0, len(empty) - kept)]
    return [Delete(REPLICASETS, key(each), uid(each)) for each in surplus]


def new_replicaset(rollout: Rollout, replicas: int) -> Obj:
    """The ReplicaSet for today's template, named by the template's hash."""
    deployment = rollout.deployment
    mark = {HASH_LABEL: template_hash(deployment)}
    template = deployment["spec"]["template"]
    meta = template.get("metadata") or {}
    selector = deployment["spec"]["selector"]
    revision = max((_revision(each) for each in rollout.old), default=0) + 1
    notes = {
        REVISION: str(revision),
        DESIRED: str(rollout.desired),
        MOST: str(rollout.desired + rollout.limits.surge),
    }
    if CHANGE_CAUSE in annotations(deployment):
        notes[CHANGE_CAUSE] = annotations(deployment)[CHANGE_CAUSE]
    spec: Obj = {
        "replicas": replicas,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **mark}},
        "template": {**template, "metadata": {**meta, "labels": {**(meta.get("labels") or {}), **mark}}},
    }
    if deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    return {
        "apiVersion": REPLICASETS.api_version,
        "kind": REPLICASETS.kind,
        "metadata": {
            "name": f"{name(deployment)}-{mark[HASH_LABEL]}",
            "namespace": namespace(deployment),
            "labels": spec["template"]["metadata"]["labels"],
            "annotations": notes,
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": spec,
    }


def template_hash(deployment: Obj) -> str:
    """Ten letters that stand for the pod template, in the alphabet of Kubernetes' names."""
    text = json.dumps(_bare_template(deployment), sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:10])


def _bare_template(obj: Obj) -> Obj:
    """The pod template without what a ReplicaSet adds to it, in a form that compares."""
    template = obj["spec"].get("template") or {}
    meta = {part: value for part, value in (template.get("metadata") or {}).items() if value}
    marks = {label: value for label, value in labels({"metadata": meta}).items() if label != HASH_LABEL}
    meta = {**meta, "labels": marks}
    meta.pop("creationTimestamp", None)
    return {"metadata": meta, "spec": template.get("spec") or {}}


def _created(obj: Obj) -> str:
    return str((obj.get("metadata") or {}).get("creationTimestamp") or "")


def _revision(replicaset: Obj) -> int:
    return _number(annotations(replicaset).get(REVISION))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0

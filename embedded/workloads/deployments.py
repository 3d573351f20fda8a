"""The Deployment controller's decisions: which ReplicaSets exist, and how large each is.

The status is `deployment_status`' matter. Source of the behaviour: Kubernetes, pkg/controller/deployment.
Annotations of the Deployment are not copied to its ReplicaSets, except the change cause.
"""

from collections.abc import Iterable

from embedded.workloads.owners import claim
from embedded.workloads.rollout import (
    DESIRED,
    MOST,
    REVISION,
    Rollout,
    number,
    revision_of,
    rollout_of,
    wanted_replicas,
)
from embedded.workloads.sizing import Size, resize, roll
from embedded.workloads.templates import HASH_LABEL, template_hash
from embedded.workloads.writes import Create, Delete, Patch, Report, Write, patch_of
from kube.objects import Obj, annotations, is_deleting, key, name, namespace, owner_reference, uid
from kube.resources import DEPLOYMENTS, REPLICASETS

CHANGE_CAUSE = "kubernetes.io/change-cause"

_DEFAULT_HISTORY = 10


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
    writes: list[Write] = []
    if number(revision) < rollout.next_revision:
        revision = str(rollout.next_revision)
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
    empty.sort(key=revision_of)
    surplus = empty[: max(0, len(empty) - kept)]
    return [Delete(REPLICASETS, key(each), uid(each)) for each in surplus]


def new_replicaset(rollout: Rollout, replicas: int) -> Obj:
    """The ReplicaSet for today's template, named by the template's hash."""
    deployment = rollout.deployment
    mark = {HASH_LABEL: template_hash(deployment)}
    template = deployment["spec"]["template"]
    meta = template.get("metadata") or {}
    selector = deployment["spec"]["selector"]
    notes = {
        REVISION: str(rollout.next_revision),
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

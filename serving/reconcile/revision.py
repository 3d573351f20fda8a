"""A Revision is one Deployment; whether it is ready is read off that and its pods.

A revision that was ready once stays so while it has no pods: it is proven (Knative, pkg/reconciler/revision).
Unlike there a reason why no pod starts shows at once, not after the progress deadline.
"""

import copy

from kube.objects import Obj, condition, controller_of, format_time, key, name, namespace, uid, was_complete
from kube.resources import DEPLOYMENTS, REVISIONS
from serving.reading import mapping, mappings
from serving.reconcile.actions import Action, Create, Note, Outcome, Replace
from serving.reconcile.conditions import YES, Aspect, aspect, is_news, status_actions, status_with
from serving.reconcile.deployment import adapted, deployment_name, initial_scale, make_deployment
from serving.reconcile.pods import failure
from serving.reconcile.refused import refused_revision
from serving.reconcile.world import World
from serving.rules.defaults import fill_in
from serving.rules.pods import serving_index
from serving.targets import ScaleTarget, scale_target

READY_SINCE = "zerogate.dev/ready-since"
"""Annotation of the status: when the revision was ready for the first time."""
DEPLOYING = Aspect("Unknown", "Deploying")
NEVER_ACHIEVED = Aspect("False", "ProgressDeadlineExceeded", "Initial scale was never achieved.")
Aspects = dict[str, Aspect]


def reconcile_revision(world: World, revision: Obj, now: float) -> Outcome:
    """Make or adapt the Deployment; say how the revision is."""
    revision = copy.deepcopy(revision)
    fill_in(REVISIONS, revision, world.configs.defaults)
    present = world.get(DEPLOYMENTS, namespace(revision), deployment_name(revision))
    wanted = make_deployment(revision, world.configs)
    actions: list[Action] = []
    refused = (
        refused_revision(revision, world.configs) if present is None and not was_ready(revision) else None
    )
    if refused:
        aspects, target = {**_beginning(revision), "ResourcesAvailable": refused}, None
    elif present is None:
        actions.append(Create(DEPLOYMENTS, wanted))
        aspects, target = _beginning(revision), None
    elif (controller_of(present) or {}).get("uid") != uid(revision):
        words = f"There is an existing Deployment {name(present)!r} that this Revision does not own."
        aspects, target = (
            {**_beginning(revision), "ResourcesAvailable": Aspect("False", "NotOwned", words)},
            None,
        )
    else:
        changed = adapted(present, wanted)
        actions += [Replace(DEPLOYMENTS, changed)] if changed else []
        target = scale_target(present)
        aspects = _aspects(world, revision, present, target)
    status = _status(revision, aspects, target, now)
    if not _is_passing(revision, status, target):
        actions += status_actions(REVISIONS, revision, status)
        actions += _notes(revision, status)
    return Outcome(actions)


def was_ready(revision: Obj) -> bool:
    """Whether the revision ever was."""
    return READY_SINCE in mapping(mapping(revision.get("status")).get("annotations"))


def _beginning(revision: Obj) -> Aspects:
    if was_ready(revision):
        return {each: aspect(revision, each) for each in ("ResourcesAvailable", "ContainerHealthy")}
    return {"ResourcesAvailable": DEPLOYING, "ContainerHealthy": DEPLOYING}


def _aspects(world: World, revision: Obj, deployment: Obj, target: ScaleTarget) -> Aspects:
    """ResourcesAvailable and ContainerHealthy."""
    former = {each: aspect(revision, each) for each in ("ResourcesAvailable", "ContainerHealthy")}
    is_failed = any(each.state == "False" for each in former.values())
    needed = initial_scale(revision, world.configs)
    if target.ready_replicas >= max(1, min(needed, target.replicas)) or (needed == 0 and not target.replicas):
        return {"ResourcesAvailable": YES, "ContainerHealthy": YES}
    if target.ready_replicas and was_ready(revision):
        return {"ResourcesAvailable": YES, "ContainerHealthy": YES}
    if not target.replicas:
        if was_ready(revision) or is_failed:
            return former
        if target.given_up:
            return {"ResourcesAvailable": NEVER_ACHIEVED, "ContainerHealthy": former["ContainerHealthy"]}
        # Only what was ready goes to zero without having been given up, be it before our eyes or not.
        is_proven = was_complete(deployment)
        return {"ResourcesAvailable": YES, "ContainerHealthy": YES} if is_proven else _beginning(revision)
    found = failure(
        world.pods_of(key(revision)),
        _serving_name(revision),
        ignores_unschedulable=world.configs.deployment.is_always_schedulable,
    )
    if found is not None:
        rest = {"ResourcesAvailable": YES} if found.type == "ContainerHealthy" else _unproven(revision)
        return {**_unproven(revision), **rest, found.type: found.aspect}
    stuck = _stuck(deployment)
    if stuck is not None:
        return {**former, "ResourcesAvailable": stuck}
    return former if was_ready(revision) or is_failed else _beginning(revision)


def _unproven(revision: Obj) -> Aspects:
    said = YES if was_ready(revision) else DEPLOYING
    return {"ResourcesAvailable": said, "ContainerHealthy": said}


def _serving_name(revision: Obj) -> str:
    containers = mappings(revision["spec"].get("containers"))
    return str(containers[max(0, serving_index(containers))].get("name", "")) if containers else ""


def _stuck(deployment: Obj) -> Aspect | None:
    """What the Deployment's own conditions say against it: past its deadline, or pods refused (a quota)."""
    for type_, bad in (("ReplicaFailure", "True"), ("Progressing", "False")):
        found = condition(deployment, type_) or {}
        if found.get("status") == bad:
            return Aspect("False", found.get("reason", type_), found.get("message", ""))
    return None


def _active(target: ScaleTarget | None) -> Aspect:
    """Whether pods serve; it says nothing about health."""
    if target is None:
        return DEPLOYING
    if target.ready_replicas:
        return YES
    if target.given_up:
        return Aspect("False", "TimedOut", target.given_up)
    if target.replicas:
        return Aspect("Unknown", "Queued", "Requests are held until a pod is ready.")
    return Aspect("False", "NoTraffic", "The target is not receiving traffic.")


def _status(revision: Obj, aspects: Aspects, target: ScaleTarget | None, now: float) -> Obj:
    marks = dict(mapping(mapping(revision.get("status")).get("annotations")))
    if READY_SINCE not in marks and all(each.state == "True" for each in aspects.values()):
        marks[READY_SINCE] = format_time(now)
    images = [
        {"name": each.get("name", ""), "imageDigest": each.get("image", "")}
        for each in mappings(revision["spec"].get("containers"))
    ]
    fields = {
        "annotations": marks or None,
        "actualReplicas": None if target is None else target.ready_replicas,
        "desiredReplicas": None if target is None else target.replicas,
        "containerStatuses": images,
    }
    return status_with(revision, fields, aspects, now, {"Active": _active(target)})


def _is_passing(revision: Obj, status: Obj, target: ScaleTarget | None) -> bool:
    """Whether the status is about to change again and says nothing new but numbers of replicas.

    A proven revision on its way to another scale is written once it arrived, so that a cold request costs one
    write here and not three.
    """
    if target is None or not was_ready(revision) or target.ready_replicas == target.replicas:
        return False
    said = {"status": status}
    return all(
        aspect(said, each) == aspect(revision, each)
        for each in ("Ready", "ResourcesAvailable", "ContainerHealthy")
    )


def _notes(revision: Obj, status: Obj) -> list[Action]:
    said = aspect({"status": status}, "Ready")
    if not is_news(said, revision):
        return []
    if said.state == "True":
        words = f"Revision {name(revision)} is ready."
        return [Note(revision, "Normal", "RevisionReady", words, is_logged=False)]
    return [Note(revision, "Warning", said.reason, f"Revision {name(revision)} is not ready: {said.message}")]

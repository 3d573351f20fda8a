"""A plain Deployment is told what keeps it from being scaled or reached. Nothing of it is written.

Told each time it is asked about; who hears it twice is the teller's business.
"""

from collections.abc import Iterator

from kube.objects import Obj, annotations, key
from serving.reconcile.actions import Note, Outcome
from serving.reconcile.world import World
from serving.routing import target_claims
from serving.rules import autoscaling
from serving.targets import BLIND, HOST_ANNOTATION, scale_target


def reconcile_deployment(world: World, deployment: Obj, now: float) -> Outcome:
    """Events for one that a user wrote; those of revisions are the revision's business."""
    del now
    return Outcome(list(_notes(world, deployment)))


def _notes(world: World, deployment: Obj) -> Iterator[Note]:
    target = scale_target(deployment)
    if not target.is_plain:
        return
    wanted = target_claims(target, localhost_alias=world.localhost_alias)
    for lost in world.hosts.lost("Deployment", key(deployment), wanted):
        yield _told(deployment, "HostTaken", lost.message)
    if not target.host:
        told = (
            f"no annotation {HOST_ANNOTATION} names its host, so no request reaches it and it stays as it is"
        )
        yield _told(deployment, "NoHost", told)
    if target.is_blind:
        yield _told(deployment, "NotSeen", f"left as it is: {BLIND}")
    wrong = [
        f"{each.path}: {each.message}; the default is used"
        for each in autoscaling.check(annotations(deployment), world.configs.autoscaler)
    ]
    if problems := [*target.problems, *wrong]:
        yield _told(deployment, "BadValue", "; ".join(problems))


def _told(deployment: Obj, reason: str, message: str) -> Note:
    return Note(deployment, "Warning", reason, message, topic=reason)

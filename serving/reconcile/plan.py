"""Which reconciliation an object gets."""

from collections.abc import Callable, Mapping

from kube.objects import Obj, key
from kube.resources import CONFIGURATIONS, DEPLOYMENTS, REVISIONS, ROUTES, SERVICES, Resource
from serving.reconcile.actions import Note, Outcome
from serving.reconcile.configuration import reconcile_configuration
from serving.reconcile.revision import reconcile_revision
from serving.reconcile.route import forget_route, reconcile_route
from serving.reconcile.service import reconcile_service
from serving.reconcile.world import Work, World
from serving.routing import target_claims
from serving.targets import scale_target

Reconcile = Callable[[World, Obj, float], Outcome]


def reconcile(world: World, work: Work, now: float) -> Outcome:
    """What is left to do for the object; nothing for one that is gone or on its way out."""
    resource, (home, name) = work
    obj = world.get(resource, home, name)
    if obj is None or obj["metadata"].get("deletionTimestamp"):
        return Outcome(forget_route(world, home, name, now) if resource == ROUTES else [])
    return RECONCILERS[resource](world, obj, now)


def reconcile_deployment(world: World, deployment: Obj, now: float) -> Outcome:
    """A plain Deployment is told when it does not get its host. Told each time it is asked about."""
    del now
    wanted = target_claims(scale_target(deployment), localhost_alias=world.localhost_alias)
    lost = world.hosts.lost("Deployment", key(deployment), wanted)
    return Outcome([Note(deployment, "Warning", "HostTaken", each.message) for each in lost])


RECONCILERS: Mapping[Resource, Reconcile] = {
    SERVICES: reconcile_service,
    CONFIGURATIONS: reconcile_configuration,
    REVISIONS: reconcile_revision,
    ROUTES: reconcile_route,
    DEPLOYMENTS: reconcile_deployment,
}

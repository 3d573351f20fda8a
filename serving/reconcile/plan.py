"""Which reconciliation an object gets."""

from collections.abc import Callable, Mapping

from kube.objects import Obj
from kube.resources import CONFIGURATIONS, DEPLOYMENTS, REVISIONS, ROUTES, SERVICES, Resource
from serving.reconcile.actions import Outcome
from serving.reconcile.configuration import reconcile_configuration
from serving.reconcile.plain import reconcile_deployment
from serving.reconcile.revision import reconcile_revision
from serving.reconcile.route import forget_route, reconcile_route
from serving.reconcile.service import reconcile_service
from serving.reconcile.world import Work, World

Reconcile = Callable[[World, Obj, float], Outcome]


def reconcile(world: World, work: Work, now: float) -> Outcome:
    """What is left to do for the object; nothing for one that is gone or on its way out."""
    resource, (home, name) = work
    obj = world.get(resource, home, name)
    if obj is None or obj["metadata"].get("deletionTimestamp"):
        return Outcome(forget_route(world, home, name, now) if resource == ROUTES else [])
    return RECONCILERS[resource](world, obj, now)


RECONCILERS: Mapping[Resource, Reconcile] = {
    SERVICES: reconcile_service,
    CONFIGURATIONS: reconcile_configuration,
    REVISIONS: reconcile_revision,
    ROUTES: reconcile_route,
    DEPLOYMENTS: reconcile_deployment,
}

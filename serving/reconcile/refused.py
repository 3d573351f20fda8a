"""What an API server should have refused and took: one without our policies, or whose config map is missing.

Nothing is made of it; a condition says why, in the words of the refusal.
"""

from kube.objects import Obj, controller_of
from kube.resources import CONFIGURATIONS, REVISIONS, ROUTES
from serving.configs import Configs
from serving.reconcile.conditions import Aspect, aspect, is_current
from serving.validation import refusals

REASON = "Refused"


def refused_configuration(configuration: Obj, configs: Configs) -> Aspect | None:
    """Why no revision is made of a template."""
    found = "; ".join(map(str, refusals(CONFIGURATIONS, configuration, None, configs)))
    return (
        Aspect("False", "RevisionFailed", f"Revision creation failed with message: {found}.")
        if found
        else None
    )


def refused_route(route: Obj, configs: Configs) -> Aspect | None:
    """Why entries are not followed. Those that were once are, whatever the config maps say since."""
    if is_current(route) and aspect(route, "AllTrafficAssigned").reason != REASON:
        return None
    return _told(list(map(str, refusals(ROUTES, route, None, configs))))


def refused_revision(revision: Obj, configs: Configs) -> Aspect | None:
    """Why nothing is run for a revision that a user wrote. Of the others their template was asked."""
    if controller_of(revision) is not None:
        return None
    return _told(list(map(str, refusals(REVISIONS, revision, None, configs))))


def _told(found: list[str]) -> Aspect | None:
    return Aspect("False", REASON, "; ".join(found)) if found else None

"""A Route's entries as revisions: all of them, or why not (Knative, pkg/reconciler/route/traffic)."""

from dataclasses import dataclass

from kube.objects import Obj, labels, name, namespace
from kube.resources import CONFIGURATIONS, REVISIONS
from serving.reading import mapping, mappings
from serving.reconcile.conditions import Aspect, aspect, is_ready_now
from serving.reconcile.revision import was_ready
from serving.reconcile.world import World
from serving.targets import SERVICE_LABEL


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of spec.traffic and the revision it leads to now."""

    revision: str
    percent: int
    tag: str
    is_latest: bool


def resolve(world: World, route: Obj, *, needs_ready: bool = True) -> tuple[list[Entry], Aspect | None]:
    """Every entry, or what is wrong with the first that cannot be resolved: then none is taken over.

    With ``needs_ready`` False revisions count that only exist, the latest made ones among them.
    """
    entries: list[Entry] = []
    for given in mappings(mapping(route.get("spec")).get("traffic")):
        revision, problem = _revision(world, route, given)
        if not needs_ready:
            revision, problem = _existing(world, route, given, revision)
        if problem is not None:
            return [], problem
        is_latest = not given.get("revisionName")
        entries.append(Entry(revision, given.get("percent") or 0, given.get("tag") or "", is_latest))
    return entries, None


def _revision(world: World, route: Obj, given: Obj) -> tuple[str, Aspect | None]:
    if given.get("revisionName"):
        return given["revisionName"], _revision_problem(world, route, given["revisionName"])
    configuration = given.get("configurationName", name(route))
    found = world.get(CONFIGURATIONS, namespace(route), configuration)
    if found is None:
        words = f'Configuration "{configuration}" referenced in traffic not found.'
        return "", Aspect("False", "ConfigurationMissing", words)
    problem = _foreign(route, found, "Configuration")
    latest = mapping(found.get("status")).get("latestReadyRevisionName")
    if problem is None and not latest:
        problem = _waiting(found)
    return str(latest or ""), problem


def _existing(world: World, route: Obj, given: Obj, latest_ready: str) -> tuple[str, Aspect | None]:
    """The entry's revision, ready or not."""
    wanted = latest_ready or given.get("revisionName")
    if not wanted:
        found = world.get(CONFIGURATIONS, namespace(route), given.get("configurationName", name(route)))
        wanted = mapping((found or {}).get("status")).get("latestCreatedRevisionName")
    revision = world.get(REVISIONS, namespace(route), str(wanted))
    if revision is None or _foreign(route, revision, "Revision"):
        return "", Aspect("False", "RevisionMissing")
    return name(revision), None


def _waiting(configuration: Obj) -> Aspect:
    """The Configuration has no ready revision: it may get one, or its only one failed."""
    if aspect(configuration, "Ready").state == "False":
        words = f'Configuration "{name(configuration)}" does not have any ready Revision.'
        return Aspect("False", "RevisionMissing", words)
    words = f'Configuration "{name(configuration)}" is waiting for a Revision to become ready.'
    return Aspect("Unknown", "RevisionMissing", words)


def _revision_problem(world: World, route: Obj, revision: str) -> Aspect | None:
    """A revision that was ready once may be routed to: without pods nobody could prove it anew."""
    found = world.get(REVISIONS, namespace(route), revision)
    if found is None or found["metadata"].get("deletionTimestamp"):
        return Aspect("False", "RevisionMissing", f'Revision "{revision}" referenced in traffic not found.')
    problem = _foreign(route, found, "Revision")
    if problem is not None or was_ready(found) or is_ready_now(found):
        return problem
    if aspect(found, "Ready").state == "False":
        return Aspect("False", "RevisionMissing", f'Revision "{revision}" failed to become ready.')
    return Aspect("Unknown", "RevisionMissing", f'Revision "{revision}" is not yet ready.')


def _foreign(route: Obj, target: Obj, kind: str) -> Aspect | None:
    """A Service's Route leads to that Service's revisions alone."""
    mine, theirs = labels(route).get(SERVICE_LABEL), labels(target).get(SERVICE_LABEL)
    if not mine or mine == theirs:
        return None
    words = f'{kind} "{name(target)}" belongs to ' + (f'Service "{theirs}".' if theirs else "no Service.")
    return Aspect("False", "RevisionNotOwned", words)

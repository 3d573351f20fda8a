"""A Route is hosts and the revisions behind them (Knative, pkg/reconciler/route).

All or nothing: while one entry cannot be resolved, what was routed before stays. A Route that never led to a
revision that works leads to the latest one made: its requests are held until that is ready, or told why it
can't be, and not turned away as if nobody knew the host.
"""

from kube.objects import Obj, annotations, key, labels, name, namespace
from kube.resources import CONFIGURATIONS, REVISIONS, ROUTES
from serving.config_domain import CLUSTER_LOCAL, VISIBILITY_LABEL
from serving.reading import mapping, mappings
from serving.reconcile.actions import Action, Note, Outcome
from serving.reconcile.conditions import YES, Aspect, aspect, readiness, status_actions, status_with
from serving.reconcile.labels import mark_routed, mark_unrouted
from serving.reconcile.refused import refused_route
from serving.reconcile.revision import was_ready
from serving.reconcile.traffic import Entry, resolve
from serving.reconcile.world import World
from serving.routing import host_of, route_claims
from serving.targets import CONFIGURATION_LABEL
from serving.templates import TemplateError, Values

NO_TLS = Aspect("True", "TLSNotEnabled", "TLS is not ended here.")
NOT_ROUTED = Aspect("Unknown", "IngressNotConfigured", "Nothing is routed yet.")


def reconcile_route(world: World, route: Obj, now: float) -> Outcome:
    """Resolve the traffic, name the hosts, mark the revisions."""
    former = mapping(route.get("status"))
    refused = refused_route(route, world.configs)
    entries, problem = ([], refused) if refused else resolve(world, route)
    try:
        url, traffic = _url(world, route, ""), [_routed(world, route, each) for each in entries]
        standing = former.get("traffic") if refused else _standing(world, route) if problem else traffic
    except TemplateError as error:
        url, standing = former.get("url", ""), former.get("traffic")
        problem = Aspect("False", "DomainTemplate", f"{error}.")
    local = f"http://{name(route)}.{namespace(route)}.svc.{world.configs.domain.cluster_domain}"
    fields = {
        "url": url or None,
        "address": {"url": local},
        "traffic": standing,
    }
    aspects = {
        "AllTrafficAssigned": problem or YES,
        "IngressReady": _hosts_aspect(world, route, fields),
        "CertificateProvisioned": NO_TLS,
    }
    status = status_with(route, fields, aspects, now)
    marks = _marks(
        world, route, mappings(fields["traffic"]), is_settled=readiness(aspects).state != "Unknown", now=now
    )
    return Outcome([*marks, *status_actions(ROUTES, route, status), *_notes(route, status)])


def _standing(world: World, route: Obj) -> list[Obj] | None:
    """What is routed while the entries can't be resolved. Raises TemplateError."""
    former = mappings(mapping(route.get("status")).get("traffic"))
    revisions = (world.get(REVISIONS, namespace(route), each.get("revisionName", "")) for each in former)
    if any(each is not None and was_ready(each) for each in revisions):
        return former
    entries, problem = resolve(world, route, needs_ready=False)
    return (former or None) if problem else [_routed(world, route, each) for each in entries]


def _url(world: World, route: Obj, tag: str) -> str:
    """The URL of the route or one of its tags. Raises TemplateError."""
    network, domain = world.configs.network, world.configs.domain.domain_for(labels(route))
    label = network.tag_name(tag, name(route)) if tag else name(route)
    if (
        domain == f"svc.{world.configs.domain.cluster_domain}"
        or labels(route).get(VISIBILITY_LABEL) == CLUSTER_LOCAL
    ):
        return f"http://{label}.{namespace(route)}.{domain}"
    fields = {"Name": label, "Namespace": namespace(route), "Domain": domain}
    return f"{network.scheme}://{network.host(Values(fields, labels(route), annotations(route)))}"


def _routed(world: World, route: Obj, entry: Entry) -> Obj:
    routed: Obj = {
        "revisionName": entry.revision,
        "percent": entry.percent,
        "latestRevision": entry.is_latest,
    }
    if entry.tag:
        routed |= {"tag": entry.tag, "url": _url(world, route, entry.tag)}
    return routed


def _hosts_aspect(world: World, route: Obj, fields: Obj) -> Aspect:
    """Whether the route has all the hosts that it is about to claim."""
    wanted = route_claims({**route, "status": fields}, localhost_alias=world.localhost_alias)
    lost = world.hosts.lost("Route", key(route), wanted)
    if lost:
        return Aspect("False", "HostTaken", " ".join(each.message for each in lost))
    return YES if fields["traffic"] else NOT_ROUTED


def _marks(world: World, route: Obj, traffic: list[Obj], *, is_settled: bool, now: float) -> list[Action]:
    """Routing states: what is or will be routed to is active; the rest follows once the route has settled."""
    home = namespace(route)
    wanted = mappings(mapping(route.get("spec")).get("traffic"))
    routed = {each.get("revisionName") for each in [*traffic, *wanted]}
    for each in wanted:
        configuration = each.get("configurationName")
        found = (
            None
            if each.get("revisionName")
            else world.get(CONFIGURATIONS, home, configuration or name(route))
        )
        routed.add(mapping((found or {}).get("status")).get("latestCreatedRevisionName"))
    actions: list[Action] = []
    for revision in sorted(each for each in routed if each):
        found = world.get(REVISIONS, home, revision)
        actions += mark_routed(found, name(route), now) if found else []
    if is_settled:
        for found in world.routed_by(home, name(route)):
            if name(found) not in routed:
                actions += mark_unrouted(found, name(route), now)
    return actions


def forget_route(world: World, home: str, route: str, now: float) -> list[Action]:
    """The Route is gone: its revisions are no longer routed to by it. Those that go with it need no mark."""
    actions: list[Action] = []
    for revision in world.routed_by(home, route):
        owner = world.get(CONFIGURATIONS, home, labels(revision).get(CONFIGURATION_LABEL, ""))
        if owner is not None and not owner["metadata"].get("deletionTimestamp"):
            actions += mark_unrouted(revision, route, now)
    return actions


def _notes(route: Obj, status: Obj) -> list[Action]:
    """An Event when shares change, and when a host is lost."""
    said, actions = aspect({"status": status}, "IngressReady"), list[Action]()
    if said.reason == "HostTaken" and said != aspect(route, "IngressReady"):
        actions.append(Note(route, "Warning", "HostTaken", said.message))
    before, after = (_shares(mapping(each)) for each in (route.get("status"), status))
    is_assigned = aspect({"status": status}, "AllTrafficAssigned").state == "True"
    if is_assigned and (before != after or aspect(route, "AllTrafficAssigned").state != "True"):
        shown = ", ".join(f"{percent} % to {revision}" for revision, percent in after)
        actions.append(Note(route, "Normal", "Routed", f"{host_of(status.get('url'))}: {shown}."))
    return actions


def _shares(status: Obj) -> list[tuple[str, int]]:
    """What the route's own host sends where, each revision once."""
    shares: dict[str, int] = {}
    for each in mappings(status.get("traffic")):
        revision, percent = str(each.get("revisionName")), each.get("percent") or 0
        if percent:
            shares[revision] = shares.get(revision, 0) + percent
    return list(shares.items())

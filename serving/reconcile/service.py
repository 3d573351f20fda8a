"""A Service is one Configuration and one Route of its own name (Knative, pkg/reconciler/service)."""

import copy

from kube.objects import Obj, annotations, controller_of, labels, name, namespace, owner_reference, uid
from kube.resources import CONFIGURATIONS, ROUTES, SERVICES, Resource
from serving.config_defaults import DefaultsConfig
from serving.marks import LAST_APPLIED_ANNOTATION, ROLLOUT_ANNOTATIONS, ROUTES_ANNOTATION, SERVICE_UID_LABEL
from serving.reading import mapping, mappings
from serving.reconcile.actions import Action, Create, Note, Outcome, Replace
from serving.reconcile.conditions import Aspect, aspect, is_current, is_news, status_actions, status_with
from serving.reconcile.world import World
from serving.routing import host_of
from serving.rules.defaults import fill_in
from serving.targets import SERVICE_LABEL

OUT_OF_DATE = Aspect("Unknown", "OutOfDate", "The present spec is not yet taken in.")


def reconcile_service(world: World, service: Obj, now: float) -> Outcome:
    """Make or adapt Configuration and Route; say how they are."""
    config = world.configs.defaults
    home = namespace(service)
    configuration = world.get(CONFIGURATIONS, home, name(service))
    route = world.get(ROUTES, home, name(service))
    first = _ensure(CONFIGURATIONS, service, configuration, _configuration(service, configuration), config)
    second = _ensure(ROUTES, service, route, _route(service), config)
    aspects = {
        "ConfigurationsReady": _child_aspect(service, configuration, first),
        "RoutesReady": _child_aspect(service, route, second),
    }
    if (
        aspects["RoutesReady"].state == "True"
        and configuration
        and route
        and not _is_migrated(configuration, route)
    ):
        words = "Traffic is not yet migrated to the latest revision."
        aspects["RoutesReady"] = Aspect("Unknown", "TrafficNotMigrated", words)
    status = status_with(service, _fields(configuration, route), aspects, now)
    notes = _notes(service, status)
    return Outcome([*first, *second, *status_actions(SERVICES, service, status), *notes])


def _configuration(service: Obj, former: Obj | None) -> Obj:
    kept = {
        key: value
        for key, value in annotations(service).items()
        if key != LAST_APPLIED_ANNOTATION and key not in ROLLOUT_ANNOTATIONS
    }
    routes = annotations(former or {}).get(ROUTES_ANNOTATION) or name(service)
    marks = {**labels(service), SERVICE_LABEL: name(service), SERVICE_UID_LABEL: uid(service)}
    spec = {"template": service["spec"]["template"]}
    return _child(service, CONFIGURATIONS, marks, {**kept, ROUTES_ANNOTATION: routes}, spec)


def _route(service: Obj) -> Obj:
    kept = {key: value for key, value in annotations(service).items() if key != LAST_APPLIED_ANNOTATION}
    entries = mappings(service["spec"].get("traffic")) or [{"latestRevision": True, "percent": 100}]
    traffic = [
        each if each.get("revisionName") else {**each, "configurationName": name(service)} for each in entries
    ]
    return _child(
        service, ROUTES, {**labels(service), SERVICE_LABEL: name(service)}, kept, {"traffic": traffic}
    )


def _child(service: Obj, resource: Resource, marks: dict[str, str], notes: dict[str, str], spec: Obj) -> Obj:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": name(service),
            "namespace": namespace(service),
            "labels": marks,
            "annotations": notes,
            "ownerReferences": [owner_reference(service)],
        },
        "spec": copy.deepcopy(spec),
    }


def _ensure(
    resource: Resource, service: Obj, present: Obj | None, wanted: Obj, config: DefaultsConfig
) -> list[Action]:
    """What makes the child as it should be; nothing for one that belongs to somebody else."""
    if present is None:
        return [Create(resource, wanted)]
    if not _owns(service, present):
        return []
    is_same = labels(present) == labels(wanted) and annotations(present) == annotations(wanted)
    if is_same and _is_same_spec(resource, present, wanted, config):
        return []
    meta = {
        **present["metadata"],
        "labels": labels(wanted),
        "annotations": annotations(wanted),
    }
    return [Replace(resource, {**present, "metadata": meta, "spec": wanted["spec"]})]


def _is_same_spec(resource: Resource, present: Obj, wanted: Obj, config: DefaultsConfig) -> bool:
    """Whether they differ in nothing but defaults, which may have changed since either was written."""
    if present.get("spec") == wanted["spec"]:
        return True
    one, other = copy.deepcopy(present), copy.deepcopy(wanted)
    fill_in(resource, one, config)
    fill_in(resource, other, config)
    return bool(one["spec"] == other["spec"])


def _owns(owner: Obj, child: Obj) -> bool:
    return (controller_of(child) or {}).get("uid") == uid(owner)


def _child_aspect(service: Obj, child: Obj | None, pending: list[Action]) -> Aspect:
    if child is not None and not _owns(service, child):
        words = f"There is an existing {child.get('kind')} {name(child)!r} that this Service does not own."
        return Aspect("False", "NotOwned", words)
    if child is None or pending or not is_current(child):
        return OUT_OF_DATE
    return aspect(child, "Ready")


def _is_migrated(configuration: Obj, route: Obj) -> bool:
    """Whether entries that follow the latest revision lead to the latest ready one."""
    latest = mapping(configuration.get("status")).get("latestReadyRevisionName")
    traffic = mappings(mapping(route.get("status")).get("traffic"))
    return all(each.get("revisionName") == latest for each in traffic if each.get("latestRevision"))


def _fields(configuration: Obj | None, route: Obj | None) -> Obj:
    made, led = mapping((configuration or {}).get("status")), mapping((route or {}).get("status"))
    return {
        "latestCreatedRevisionName": made.get("latestCreatedRevisionName"),
        "latestReadyRevisionName": made.get("latestReadyRevisionName"),
        "url": led.get("url"),
        "address": led.get("address"),
        "traffic": led.get("traffic"),
    }


def _notes(service: Obj, status: Obj) -> list[Action]:
    """An Event each time that the Service becomes ready or stops being it."""
    said = aspect({"status": status}, "Ready")
    if not is_news(said, service):
        return []
    if said.state == "True":
        return [Note(service, "Normal", "Ready", f"{name(service)} answers at {host_of(status.get('url'))}.")]
    return [Note(service, "Warning", said.reason or "NotReady", said.message, is_logged=False)]

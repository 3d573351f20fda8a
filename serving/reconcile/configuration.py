"""A Configuration makes a Revision of each generation (Knative, pkg/reconciler/configuration)."""

import copy

from kube.names import child_name
from kube.objects import (
    Obj,
    annotations,
    controller_of,
    format_time,
    labels,
    name,
    namespace,
    owner_reference,
    uid,
)
from kube.resources import CONFIGURATIONS, REVISIONS
from serving.config_defaults import DefaultsConfig
from serving.marks import (
    ACTIVE,
    CONFIGURATION_UID_LABEL,
    GENERATION_LABEL,
    MODIFIED_ANNOTATION,
    PENDING,
    ROUTES_ANNOTATION,
    SERVICE_UID_LABEL,
    STATE_LABEL,
)
from serving.reading import mapping
from serving.reconcile.actions import Action, Create, Delete, Outcome
from serving.reconcile.conditions import YES, Aspect, aspect, is_ready_now, status_actions, status_with
from serving.reconcile.gc import collectable
from serving.reconcile.refused import refused_configuration
from serving.reconcile.world import World
from serving.rules.defaults import fill_in
from serving.targets import CONFIGURATION_LABEL, SERVICE_LABEL


def reconcile_configuration(world: World, configuration: Obj, now: float) -> Outcome:
    """Make the revision of the present template, find the latest ready one, collect old ones."""
    wanted = revision_name(configuration)
    latest = world.get(REVISIONS, namespace(configuration), wanted)
    mine = world.owned(REVISIONS, uid(configuration))
    actions: list[Action] = []
    problem = _name_problem(configuration, latest, world.configs.defaults)
    if latest is None:
        problem = refused_configuration(configuration, world.configs)
    if latest is None and problem is None:
        actions.append(Create(REVISIONS, _revision(configuration, wanted, world.configs.defaults, now)))
    ready = _latest_ready(configuration, mine, None if problem else latest)
    fields = {
        "latestCreatedRevisionName": _former(configuration, "latestCreatedRevisionName")
        if problem
        else wanted,
        "latestReadyRevisionName": ready,
    }
    said = problem or _aspect(latest, wanted)
    status = status_with(configuration, fields, {"Ready": said}, now)
    actions += status_actions(CONFIGURATIONS, configuration, status)
    gone, again_in = collectable(mine, {wanted, ready or ""}, world.configs.gc, now)
    actions += [Delete(REVISIONS, each) for each in gone if not each["metadata"].get("deletionTimestamp")]
    return Outcome(actions, again_in)


def revision_name(configuration: Obj) -> str:
    """The template's own name, else the Configuration's with its generation in at least five digits."""
    given = mapping(mapping(configuration["spec"].get("template")).get("metadata")).get("name")
    generation = configuration["metadata"].get("generation", 1)
    return str(given) if given else child_name(name(configuration), f"-{generation:05d}")


def _revision(configuration: Obj, revision: str, config: DefaultsConfig, now: float) -> Obj:
    template = copy.deepcopy(configuration["spec"]["template"])
    meta = mapping(template.get("metadata"))
    routes = annotations(configuration).get(ROUTES_ANNOTATION)
    inherited = {
        key: labels(configuration)[key]
        for key in (SERVICE_LABEL, SERVICE_UID_LABEL)
        if key in labels(configuration)
    }
    made = {
        "apiVersion": REVISIONS.api_version,
        "kind": REVISIONS.kind,
        "metadata": {
            "name": revision,
            "namespace": namespace(configuration),
            "labels": {
                **mapping(meta.get("labels")),
                **inherited,
                CONFIGURATION_LABEL: name(configuration),
                CONFIGURATION_UID_LABEL: uid(configuration),
                GENERATION_LABEL: str(configuration["metadata"].get("generation", 1)),
                STATE_LABEL: ACTIVE if routes else PENDING,
            },
            "annotations": {
                **mapping(meta.get("annotations")),
                **({ROUTES_ANNOTATION: routes} if routes else {}),
                MODIFIED_ANNOTATION: format_time(now),
            },
            "ownerReferences": [owner_reference(configuration)],
        },
        "spec": template["spec"],
    }
    fill_in(REVISIONS, made, config)
    return made


def _name_problem(configuration: Obj, latest: Obj | None, config: DefaultsConfig) -> Aspect | None:
    """Why the wanted name cannot be used: another owner, or (named templates) another spec."""
    if latest is None:
        return None
    owner = controller_of(latest) or {}
    if owner.get("uid") == uid(configuration):
        if not _is_named(configuration) or _is_same(configuration, latest, config):
            return None
    elif latest["metadata"].get("deletionTimestamp") or owner.get("name") == name(configuration):
        return Aspect("Unknown", "RevisionDeleting", f"Waits until the former {name(latest)!r} is gone.")
    words = (
        f"The revision name {name(latest)!r} is already taken by another revision, so this one was not made."
    )
    return Aspect("False", "RevisionNameTaken", words)


def _is_same(configuration: Obj, revision: Obj, config: DefaultsConfig) -> bool:
    """Whether the template is the revision's spec, defaults aside."""
    present = copy.deepcopy(revision)
    fill_in(REVISIONS, present, config)
    return bool(present["spec"] == _revision(configuration, name(revision), config, 0.0)["spec"])


def _is_named(configuration: Obj) -> bool:
    return bool(mapping(mapping(configuration["spec"].get("template")).get("metadata")).get("name"))


def _former(configuration: Obj, field: str) -> str | None:
    value = mapping(configuration.get("status")).get(field)
    return str(value) if value else None


def _generation(revision: Obj) -> int:
    text = labels(revision).get(GENERATION_LABEL, "")
    return int(text) if text.isdecimal() else 0


def _latest_ready(configuration: Obj, mine: list[Obj], latest: Obj | None) -> str | None:
    """The newest ready revision that is no older than the former one; the former when there is none.

    It never moves back, except that a former one which was deleted counts no more, and that a named template
    may bring an older revision back.
    """
    if latest is not None and is_ready_now(latest):
        return name(latest)
    former = _former(configuration, "latestReadyRevisionName")
    floor = next((_generation(each) for each in mine if name(each) == former), 0)
    ready = [each for each in mine if is_ready_now(each) and _generation(each) >= floor]
    if ready:
        return name(max(ready, key=_generation))
    return former if any(name(each) == former for each in mine) else None


def _aspect(latest: Obj | None, wanted: str) -> Aspect:
    if latest is None:
        return Aspect("Unknown")
    if is_ready_now(latest):
        return YES
    said = aspect(latest, "Ready")
    if said.state != "False":
        return Aspect("Unknown", said.reason, said.message)
    return Aspect(
        "False", "RevisionFailed", f'Revision "{wanted}" failed with message: {said.message.rstrip(".")}.'
    )

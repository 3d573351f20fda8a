"""Conditions of a status: a few aspects, and Ready, which follows from them (Knative's condition sets)."""

from dataclasses import dataclass
from typing import Literal

from kube.objects import Obj, condition, format_time
from kube.resources import Resource
from serving.reading import mapping, mappings
from serving.reconcile.actions import Action, SetStatus

State = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Aspect:
    """What one condition says."""

    state: State
    reason: str = ""
    message: str = ""


YES = Aspect("True")


def aspect(obj: Obj, type_: str) -> Aspect:
    """What the object's condition says; a condition that isn't there is Unknown."""
    found = condition(obj, type_) or {}
    state = found.get("status")
    if state == "True":
        return Aspect("True", found.get("reason", ""), found.get("message", ""))
    return Aspect(
        "False" if state == "False" else "Unknown", found.get("reason", ""), found.get("message", "")
    )


def is_news(said: Aspect, obj: Obj, type_: str = "Ready") -> bool:
    """Whether somebody should be told: it is settled, and the object's condition said otherwise or why."""
    before = aspect(obj, type_)
    return said.state != "Unknown" and (said.state, said.reason) != (before.state, before.reason)


def readiness(aspects: dict[str, Aspect]) -> Aspect:
    """False if any aspect is, else Unknown if any is, else True; with the words of the first such aspect."""
    for state in ("False", "Unknown"):
        for each in aspects.values():
            if each.state == state:
                return each
    return YES


def is_current(obj: Obj) -> bool:
    """Whether the status speaks of the present spec."""
    return bool(mapping(obj.get("status")).get("observedGeneration") == obj["metadata"].get("generation", 1))


def is_ready_now(obj: Obj) -> bool:
    """Whether the object is ready in its present form."""
    return is_current(obj) and aspect(obj, "Ready").state == "True"


def status_with(
    obj: Obj, fields: Obj, aspects: dict[str, Aspect], now: float, extra: dict[str, Aspect] | None = None
) -> Obj:
    """A whole status: ``fields`` without those that are None, and conditions, Ready among them.

    Conditions of ``extra`` inform only. A condition keeps its time of transition while its state stays.
    """
    said = {**aspects, "Ready": readiness(aspects)}
    former = {each.get("type"): each for each in mappings(mapping(obj.get("status")).get("conditions"))}
    conditions = [_condition(type_, each, former.get(type_), now) for type_, each in said.items()]
    for type_, each in (extra or {}).items():
        entry = _condition(type_, each, former.get(type_), now)
        conditions.append(entry if each.state == "True" else {**entry, "severity": "Info"})
    return {
        "observedGeneration": obj["metadata"].get("generation", 1),
        **{key: value for key, value in fields.items() if value is not None},
        "conditions": sorted(conditions, key=lambda entry: str(entry["type"])),
    }


def _condition(type_: str, said: Aspect, former: Obj | None, now: float) -> Obj:
    stays = former is not None and former.get("status") == said.state and former.get("lastTransitionTime")
    entry = {
        "type": type_,
        "status": said.state,
        "reason": said.reason,
        "message": said.message,
        "lastTransitionTime": stays or format_time(now),
    }
    return {key: value for key, value in entry.items() if value}


def status_actions(resource: Resource, obj: Obj, status: Obj) -> list[Action]:
    """Nothing when the status is already so."""
    if obj.get("status") == status:
        return []
    wanted = {**obj, "status": status}
    is_on_its_way = aspect(obj, "Ready").state == aspect(wanted, "Ready").state == "Unknown"
    return [SetStatus(resource, wanted, can_wait=is_on_its_way)]

"""Whose child an object is: adoption and release by controller reference, as Kubernetes' controllers do."""

from collections.abc import Iterable
from dataclasses import dataclass

from embedded.workloads.writes import Write, patch_of
from kube.objects import Obj, controller_of, is_deleting, labels, namespace, owner_reference, uid
from kube.resources import Resource
from kube.selectors import selector_of


@dataclass(frozen=True, slots=True)
class Claim:
    """The children of an owner, the adopted ones included, and the writes that make it so."""

    mine: tuple[Obj, ...]
    writes: tuple[Write, ...]


def claim(owner: Obj, resource: Resource, candidates: Iterable[Obj]) -> Claim:
    """Sort out which candidates of the owner's namespace are its children.

    A child that no longer matches the selector is released; an orphan that matches is adopted. An owner that
    is being deleted changes nobody. A selector that selects everything claims nothing: that is a mistake.
    """
    selector = selector_of((owner.get("spec") or {}).get("selector"))
    if not selector.requirements:
        return Claim((), ())
    mine: list[Obj] = []
    writes: list[Write] = []
    for candidate in candidates:
        if namespace(candidate) != namespace(owner):
            continue
        reference = controller_of(candidate)
        matches = selector.matches(labels(candidate))
        if reference is not None and reference.get("uid") == uid(owner):
            if matches or is_deleting(owner):
                mine.append(candidate)
            else:
                references = _references(candidate, without=uid(owner))
                writes.append(_set_references(resource, candidate, references))
        elif reference is None and matches and not is_deleting(owner) and not is_deleting(candidate):
            mine.append(candidate)
            references = [*_references(candidate, without=uid(owner)), owner_reference(owner)]
            writes.append(_set_references(resource, candidate, references))
    return Claim(tuple(mine), tuple(writes))


def _references(obj: Obj, *, without: str) -> list[Obj]:
    references = (obj.get("metadata") or {}).get("ownerReferences") or ()
    return [reference for reference in references if reference.get("uid") != without]


def _set_references(resource: Resource, obj: Obj, references: list[Obj]) -> Write:
    # The list is replaced whole, hence only if the object is as it was read.
    version = (obj.get("metadata") or {}).get("resourceVersion")
    return patch_of(resource, obj, {"metadata": {"resourceVersion": version, "ownerReferences": references}})

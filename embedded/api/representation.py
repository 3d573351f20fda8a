"""In which shape the client wants its answer: JSON, YAML, a table, or metadata alone."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from embedded.api.cluster import Cluster
from embedded.api.refusals import bad_request, not_acceptable
from embedded.api.registry import Served
from embedded.api.requests import ApiRequest, ApiResponse
from embedded.api.watches import Event
from embedded.tables import table
from kube.objects import Obj

Shape = Literal["Object", "Table", "PartialObjectMetadata"]
_META = "meta.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an Accept header comes to."""

    shape: Shape = "Object"
    is_yaml: bool = False


_KNOWN = ("application/json", "application/yaml")


@lru_cache(maxsize=256)
def wanted(accept: str, *, is_list: bool = False) -> Wanted:
    """The first of the header's clauses that can be answered; refuses (406) when none can."""
    if not accept:
        return Wanted()
    for clause in accept.split(","):
        media, *parameters = (part.strip() for part in clause.split(";"))
        options = dict(part.split("=", 1) for part in parameters if "=" in part)
        if media not in {*_KNOWN, "*/*"}:
            continue
        shape = options.get("as", "")
        if not shape:
            return Wanted(is_yaml=media == "application/yaml")
        if options.get("g") == "meta.k8s.io" and options.get("v") == "v1":
            if shape == "Table":
                return Wanted("Table")
            if shape == ("PartialObjectMetadataList" if is_list else "PartialObjectMetadata"):
                return Wanted("PartialObjectMetadata")
    raise not_acceptable(_KNOWN)


def render(cluster: Cluster, served: Served, request: ApiRequest, answer: ApiResponse) -> ApiResponse:
    """The answer of a read in the shape that the client prefers."""
    shape = wanted(request.accept, is_list=answer.items is not None).shape
    if shape == "Object":
        return answer
    if shape == "Table":
        include = request.query.get("includeObject") or "Metadata"
        if include not in {"None", "Metadata", "Object"}:
            raise bad_request(f"includeObject: {include!r} is none of None, Metadata, Object")
        view = _Tables(cluster, served, include)
        if answer.watch is not None:
            answer.watch.render = view.event
            return answer
        objects = [answer.body] if answer.items is None else answer.body["items"]
        return ApiResponse(
            answer.status, view.whole(objects, answer.body["metadata"]), warnings=answer.warnings
        )
    if answer.watch is not None:
        answer.watch.render = lambda event: partial(event.obj) if _has_object(event) else event.obj
        return answer
    body = partial(answer.body) if answer.items is None else _partial_list(answer.body)
    return ApiResponse(answer.status, body, warnings=answer.warnings)


def _has_object(event: Event) -> bool:
    return event.type not in {"BOOKMARK", "ERROR"}


def partial(obj: Obj) -> Obj:
    """An object's head alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": obj["metadata"]}


def _partial_list(body: Obj) -> Obj:
    items = [partial(item) for item in body["items"]]
    return {**body, "kind": "PartialObjectMetadataList", "apiVersion": _META, "items": items}


class _Tables:
    """Tables of one resource; in a watch only the first tells the columns."""

    def __init__(self, cluster: Cluster, served: Served, include: str) -> None:
        self._cluster = cluster
        self._served = served
        self._include = include
        self._has_told_columns = False

    def whole(self, objects: list[Obj], meta: Obj) -> Obj:
        """The objects of a list, or the only one, as a table; `meta` is of what is shown."""
        made = self._of(objects)
        made["metadata"] = {
            name: meta[name] for name in ("resourceVersion", "continue", "remainingItemCount") if name in meta
        }
        return made

    def event(self, event: Event) -> Obj:
        """A watch event's object as a table of one row."""
        if not _has_object(event):
            return event.obj if event.type == "ERROR" else self._bookmark(event.obj)
        made = self._of([event.obj])
        made["metadata"] = {"resourceVersion": event.obj["metadata"]["resourceVersion"]}
        if self._has_told_columns:
            made["columnDefinitions"] = None
        self._has_told_columns = True
        return made

    def _bookmark(self, obj: Obj) -> Obj:
        return {
            "kind": "Table",
            "apiVersion": _META,
            "metadata": obj["metadata"],
            "columnDefinitions": None,
            "rows": [{"cells": [], "object": obj}] if "annotations" in obj["metadata"] else [],
        }

    def _of(self, objects: list[Obj]) -> Obj:
        return table(
            self._served.resource,
            objects,
            self._cluster.clock(),
            self._served.crd,
            self._include,  # type: ignore[arg-type] # one of the three, as checked when the table was asked for
        )

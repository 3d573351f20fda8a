"""A cache of one kind, kept by list and watch.

Level-triggered: a new list is told as differences from what was known, so that a lost event costs nothing.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from kube.edge.client import ApiError, Client
from kube.objects import Key, Obj, key
from kube.resources import Resource
from kube.retry import Pauses

log = logging.getLogger("zerogate.kube")

WATCH_LASTS = (300, 600)
"""Seconds, at random between, after which the server is to end a watch: so that not all end at once."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one object: created (old is None), changed, or gone (new is None)."""

    key: Key
    old: Obj | None
    new: Obj | None


class Informer:
    """`objects` mirrors the server's; `on_change` is called after each difference and must not wait."""

    def __init__(  # noqa: PLR0913 - a resource and the three ways to narrow it
        self,
        client: Client,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        on_change: Callable[[Change], None] | None = None,
    ) -> None:
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._on_change = on_change
        self._version = ""
        self.objects: dict[Key, Obj] = {}
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """List and watch, and go on where the watch was lost, or list again where that is too long ago; ends
        only by cancellation.
        """
        pauses = Pauses()
        while True:
            began = math.inf
            asked = 0.0
            try:
                if not self._version:
                    self._version = await self._list()
                began = time.monotonic()
                await self._watch()
            except ApiError as error:
                asked = error.retry_after
                if not error.is_passing:
                    self._version = ""
                if not error.is_gone or pauses.failures:
                    data = {"status": error.status, "failures": pauses.failures + 1}
                    log.warning(
                        "%s can't be watched (%s); trying again",
                        self._resource.plural,
                        error,
                        extra={"data": data},
                    )
            await asyncio.sleep(pauses.ended(time.monotonic() - began, random.random(), asked=asked))

    async def _list(self) -> str:
        """Tell what differs from what was known; returns the version to watch from."""
        found = await self._client.list(
            self._resource,
            self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )
        listed = {}
        for item in found["items"]:
            # A list leaves kind and apiVersion to its own head; a watch does not.
            item.setdefault("kind", self._resource.kind)
            item.setdefault("apiVersion", self._resource.api_version)
            listed[key(item)] = item
        for gone in [known for known in self.objects if known not in listed]:
            self._tell(gone, None)
        for where, obj in listed.items():
            self._tell(where, obj)
        self.synced.set()
        return str(found["metadata"].get("resourceVersion") or "")

    async def _watch(self) -> None:
        """Follow the events; return when the server ends the watch in good order."""
        query = {
            "resourceVersion": self._version,
            "timeoutSeconds": str(random.randint(*WATCH_LASTS)),
            "labelSelector": self._label_selector,
            "fieldSelector": self._field_selector,
        }
        async for event in self._client.watch(self._resource, self._namespace, query=query):
            obj = event["object"]
            if event["type"] == "ERROR":
                raise ApiError.from_answer(500, obj)
            if event["type"] == "DELETED":
                self._tell(key(obj), None)
            elif event["type"] in {"ADDED", "MODIFIED"}:
                self._tell(key(obj), obj)
            self._version = str(_version(obj) or self._version)

    def _tell(self, where: Key, new: Obj | None) -> None:
        old = self.objects.get(where)
        if new is None:
            if old is None:
                return
            del self.objects[where]
        else:
            if old is not None and _version(old) == _version(new):
                return
            self.objects[where] = new
        if self._on_change is not None:
            self._on_change(Change(where, old, new))


def _version(obj: Obj) -> object:
    return (obj.get("metadata") or {}).get("resourceVersion")

"""A cache of one kind, kept by list and watch.

Level-triggered: a new list is told as differences from what was known, so that a lost event costs nothing.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from kube.edge.client import ApiError, Client
from kube.objects import Key, Obj, key
from kube.resources import Resource

log = logging.getLogger("zerogate.kube")

FIRST_BACK_OFF = 0.1
MAX_BACK_OFF = 5.0


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
        self.objects: dict[Key, Obj] = {}
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """List, watch, and begin again whenever the watch is lost; ends only by cancellation."""
        back_off = FIRST_BACK_OFF
        while True:
            try:
                version = await self._list()
                back_off = FIRST_BACK_OFF
                await self._watch(version)
            except ApiError as error:
                if not error.is_gone:
                    log.warning(
                        "%s can't be watched (%s); trying again", self._resource.plural, error,
                        extra={"data": {"status": error.status, "back_off": back_off}},
                    )  # fmt: skip
                    await asyncio.sleep(back_off * random.uniform(0.5, 1.5))
                    back_off = min(back_off * 2, MAX_BACK_OFF)

    async def _list(self) -> str:
        found = await self._client.list(
            self._resource,
            self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )
        items = found.get("items") or []
        listed = {}
        for item in items:
            # A list leaves kind and apiVersion to its own head; a watch does not.
            item.setdefault("kind", self._resource.kind)
            item.setdefault("apiVersion", self._resource.api_version)
            listed[key(item)] = item
        for gone in [known for known in self.objects if known not in listed]:
            self._tell(gone, None)
        for where, obj in listed.items():
            self._tell(where, obj)
        self.synced.set()
        return str((found.get("metadata") or {}).get("resourceVersion") or "")

    async def _watch(self, version: str) -> None:
        """Follow the events; return when the server ends the watch in good order after a while."""
        while True:
            query = {
                "resourceVersion": version,
                "labelSelector": self._label_selector,
                "fieldSelector": self._field_selector,
            }
            started = version
            async for event in self._client.watch(self._resource, self._namespace, query=query):
                obj = event["object"]
                if event["type"] == "ERROR":
                    raise ApiError.from_answer(int(obj.get("code") or 500), obj)
                version = str(obj["metadata"]["resourceVersion"])
                if event["type"] == "DELETED":
                    self._tell(key(obj), None)
                elif event["type"] in {"ADDED", "MODIFIED"}:
                    self._tell(key(obj), obj)
            if version == started:
                await asyncio.sleep(
                    FIRST_BACK_OFF
                )  # a server that ends watches at once is not to be hammered

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

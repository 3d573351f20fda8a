"""Events: what a program tells the people who run `kubectl describe`."""

import asyncio
import logging
import random
import time
from dataclasses import dataclass

from kube import names
from kube.edge.client import ApiError, Client
from kube.objects import Obj, format_time, name, namespace, uid
from kube.resources import EVENTS
from kube.retry import Pauses

log = logging.getLogger("zerogate.kube")

_QUEUE = 1000
_REMEMBERED = 1000
_TRIES = 30
"""Of one event, two minutes in all where refusals come at once."""


@dataclass(slots=True)
class _Told:
    """An event that stands in the API, to be counted up when it repeats."""

    namespace: str
    name: str
    count: int


class EventRecorder:
    """Queues events and writes them in the background; a repeated one raises its count.

    While the API server is away they wait. They are a courtesy: when the queue is full or the server refuses,
    they are dropped.
    """

    def __init__(self, client: Client, component: str) -> None:
        self._client = client
        self._component = component
        self._queue: asyncio.Queue[Obj] = asyncio.Queue(_QUEUE)
        self._told: dict[tuple[str, ...], _Told] = {}
        self._rng = random.Random()

    def emit(self, involved: Obj, type_: str, reason: str, message: str) -> None:
        """Tell of `involved` in a Normal or Warning event; never waits."""
        stamp = format_time(time.time())
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": namespace(involved) or "default"},
            "involvedObject": {
                "apiVersion": involved.get("apiVersion", ""),
                "kind": involved.get("kind", ""),
                "namespace": namespace(involved),
                "name": name(involved),
                "uid": uid(involved),
            },
            "type": type_,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": "",
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        }
        if not self._queue.full():
            self._queue.put_nowait(event)

    async def run(self) -> None:
        """Write what was emitted; ends only by cancellation."""
        while True:
            event = await self._queue.get()
            pauses = Pauses()
            while True:
                try:
                    await self._write(event)
                    break
                except ApiError as error:
                    may_succeed = (error.is_passing and error.status != 403) or error.is_conflict
                    if not may_succeed or pauses.failures >= _TRIES:
                        log.debug("event dropped: %s", error)
                        break
                    asked = error.retry_after
                await asyncio.sleep(pauses.ended(0.0, random.random(), asked=asked))

    async def _write(self, event: Obj) -> None:
        involved = event["involvedObject"]
        same = (involved["kind"], involved["uid"], event["type"], event["reason"], event["message"])
        told = self._told.get(same)
        if told is not None:
            patch = {"count": told.count + 1, "lastTimestamp": event["lastTimestamp"]}
            try:
                await self._client.patch(EVENTS, told.namespace, told.name, patch, kind="merge")
            except ApiError as error:
                if not error.is_not_found:
                    raise
            else:
                told.count += 1
                return
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        meta = event["metadata"]
        if "name" not in meta:
            meta["name"] = f"{involved['name']}.{names.random_suffix(self._rng, 12)}"
        try:
            await self._client.create(EVENTS, event)
        except ApiError as error:
            # The answer to an earlier try was lost, not the event.
            if not error.is_already_exists:
                raise
        self._told[same] = _Told(meta["namespace"], meta["name"], 1)

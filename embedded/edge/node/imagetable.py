"""The image table, live from its config map."""

import asyncio
import logging

from embedded.node.images import CONFIG_MAP, ImageTable, ImageTableError, parse_images
from kube.edge.client import Client
from kube.edge.events import EventRecorder
from kube.edge.informer import Change, Informer
from kube.resources import CONFIGMAPS

log = logging.getLogger("zerogate.node")


class Images:
    """`table` is the last one that made sense; a mistake in the config map keeps it and is told."""

    def __init__(self, client: Client, recorder: EventRecorder, system_namespace: str) -> None:
        self.table = ImageTable()
        self._recorder = recorder
        self._changed: asyncio.Event = asyncio.Event()
        self._informer = Informer(
            client,
            CONFIGMAPS,
            namespace=system_namespace,
            field_selector=f"metadata.name={CONFIG_MAP}",
            on_change=self._on_change,
        )
        self.run = self._informer.run
        self.synced = self._informer.synced

    def _on_change(self, change: Change) -> None:
        try:
            self.table = parse_images((change.new or {}).get("data") or {})
        except ImageTableError as error:
            log.warning(
                "the image table stays as it was: %s", error, extra={"data": {"config_map": CONFIG_MAP}}
            )
            if change.new is not None:
                self._recorder.emit(change.new, "Warning", "InvalidImageTable", str(error))
            return
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Return when the table was changed the next time."""
        await self._changed.wait()

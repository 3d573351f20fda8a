"""Leading by a Lease."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping

from kube.edge.client import ApiError, Client
from kube.lease import Sighting, Terms, released, taken
from kube.objects import Obj
from kube.resources import LEASES

log = logging.getLogger("zerogate.kube")


class LostLease(Exception):  # noqa: N818 - what happened, not what is wrong with the program
    """Another one leads now; who led before stops at once."""


class Elector:
    """One candidate for one Lease.

    `async with elector.lead() as epoch:` waits until we lead; the body runs while we do. When the Lease is
    lost the body is cancelled and LostLease raised; on leaving it the Lease is given back.
    """

    def __init__(
        self, client: Client, where: tuple[str, str], identity: str, *, annotations: Mapping[str, str]
    ) -> None:
        """`where` is (namespace, name) of the Lease; `annotations` are written on it while we lead."""
        self._client = client
        self._namespace, self._name = where
        self._identity = identity
        self._annotations = dict(annotations)
        self._terms = Terms()
        self._held: Obj = {}
        self._renewed = 0.0

    @contextlib.asynccontextmanager
    async def lead(self) -> AsyncIterator[int]:
        """Wait for the Lease, then yield this leadership's epoch (a number that grows with each leader)."""
        await self._acquire()
        leading = asyncio.current_task()
        renewal = asyncio.create_task(self._renew(leading))
        try:
            yield int(self._held["spec"]["leaseTransitions"])
        except asyncio.CancelledError:
            if leading is not None and renewal.done() and not renewal.cancelled():
                leading.uncancel()
                raise LostLease(f"lease {self._namespace}/{self._name} was lost") from None
            raise
        finally:
            renewal.cancel()
            with contextlib.suppress(ApiError):
                await self._client.replace(LEASES, released(self._held))

    async def _acquire(self) -> None:
        seen = Sighting()
        is_told = False
        while True:
            try:
                lease = await self._get_or_create()
                seen.see(lease, time.monotonic())
                if seen.is_free(self._identity, time.monotonic()):
                    return await self._take(lease)
                if not is_told:
                    is_told = True
                    holder = (lease.get("spec") or {}).get("holderIdentity")
                    log.info("%s waits: %s leads", self._name, holder)
            except ApiError as error:
                if not error.is_conflict:
                    log.warning("%s can't be taken (%s); trying again", self._name, error)
            await asyncio.sleep(self._terms.retry)

    async def _get_or_create(self) -> Obj:
        try:
            return await self._client.get(LEASES, self._namespace, self._name)
        except ApiError as error:
            if not error.is_not_found:
                raise
        empty = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"namespace": self._namespace, "name": self._name},
            "spec": {},
        }
        return await self._client.create(LEASES, empty)

    async def _take(self, lease: Obj) -> None:
        begun = time.monotonic()
        wanted = taken(lease, self._identity, self._annotations, self._terms, time.time())
        self._held = await self._client.replace(LEASES, wanted)
        self._renewed = begun

    async def _renew(self, leading: asyncio.Task[object] | None) -> None:
        """Renew until it fails for too long; then cancel the one who leads.

        We stop a fifth before others may begin, so that there are never two.
        """
        while time.monotonic() < self._renewed + self._terms.duration * 0.8:
            await asyncio.sleep(self._terms.renew)
            try:
                await self._take(self._held)
            except ApiError as error:
                if error.is_conflict or error.is_not_found:
                    break
                log.warning("%s can't be renewed (%s)", self._name, error)
        if leading is not None:
            leading.cancel()

"""Leading by a Lease."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from kube.edge.client import ApiError, Client
from kube.edge.fence import Fenced, moment
from kube.edge.informer import Informer
from kube.lease import Sighting, Term, Terms, epoch, holder, released, renewed, taken
from kube.objects import Obj
from kube.resources import LEASES

log = logging.getLogger("zerogate.kube")

RELEASE_WITHIN = 3.0
"""Seconds that giving the Lease back may take."""


class Leadership(NamedTuple):
    """`epoch` grows with each leadership; `client` writes only while it lasts."""

    epoch: int
    client: Client


class Elector:
    """One candidate for one Lease."""

    def __init__(
        self, client: Client, where: tuple[str, str], identity: str, *, annotations: Mapping[str, str]
    ) -> None:
        """`where` is (namespace, name) of the Lease; `annotations` are written on it while we lead.

        `identity` is ours alone: a Lease that bears it is taken at once, as one of our own life before.
        """
        self._client = client
        self._where = where
        self._identity = identity
        self._annotations = dict(annotations)
        self._terms = Terms()
        self._term = Term()
        self._fenced = client.over(lambda transport: Fenced(transport, self._term, self._prove))
        self._proving = asyncio.Lock()
        self._held: Obj = {}

    def __repr__(self) -> str:
        return f"<Elector {self._identity} for {self._where[1]}: {self._term!r}>"

    async def run(self, lead: Callable[[Leadership], Awaitable[None]]) -> None:
        """Stand for election, have `lead` run while we lead, and stand again whenever the Lease was lost.

        `lead` is cancelled when the Lease is lost, at the latest when our term is over. Ends when `lead` ends
        by itself or fails, or by cancellation; the Lease is given back then.
        """
        while True:
            await self._acquire()
            try:
                if await self._is_led_to_its_end(lead):
                    return
            finally:
                await self._give_back()
            log.warning("Leading no more: the Lease %s was lost; standing for election again", self._where[1])
            # Two that were given one name, as must not be, are not to chase each other off at full speed.
            await asyncio.sleep(self._terms.retry)

    async def _is_led_to_its_end(self, lead: Callable[[Leadership], Awaitable[None]]) -> bool:
        """Lead. False: until the Lease was lost."""
        leading = asyncio.ensure_future(lead(Leadership(epoch(self._held), self._fenced)))
        renewing = asyncio.ensure_future(self._renew())
        tasks = (leading, renewing)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if not leading.cancelled():
            leading.result()
            return True
        renewing.result()
        return False

    # A candidate.

    async def _acquire(self) -> None:
        """Wait until the Lease is ours; its changes are watched, so that one given back is taken at once."""
        namespace, name = self._where
        news = asyncio.Event()
        informer = Informer(
            self._client,
            LEASES,
            namespace=namespace,
            field_selector=f"metadata.name={name}",
            on_change=lambda _change: news.set(),
        )
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(informer.run())
            await self._stand(informer, news)
            watching.cancel()

    async def _stand(self, informer: Informer, news: asyncio.Event) -> None:
        """Look at the Lease as the watch tells of it; where that does not help, ask."""
        seen, told = Sighting(), ""
        lease, is_known = None, False
        while True:
            pause = self._terms.retry
            try:
                async with asyncio.timeout(self._terms.answer):
                    if not is_known:
                        lease = await self._look()
                    now = time.monotonic()
                    seen.see(lease or await self._create(), now)
                    if seen.is_free(self._identity, now):
                        return await self._take(seen.lease)
                is_known, pause = True, seen.free_at - now
                if holder(seen.lease) != told:
                    told = holder(seen.lease)
                    log.info("%s waits: %s leads", self._where[1], told)
            except (ApiError, TimeoutError) as error:
                is_known = False
                if not (isinstance(error, ApiError) and (error.is_conflict or error.is_already_exists)):
                    reason = str(error) or "no answer"
                    log.warning("%s can't be taken (%s); trying again", self._where[1], reason)
            if await _is_set_within(news, pause):
                news.clear()
                lease, is_known = informer.objects.get(self._where), True

    async def _create(self) -> Obj:
        namespace, name = self._where
        empty = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"namespace": namespace, "name": name},
            "spec": {},
        }
        return await self._client.create(LEASES, empty)

    async def _take(self, lease: Obj) -> None:
        asked = moment()
        wanted = taken(lease, self._identity, self._annotations, self._terms, asked.wall)
        self._held = await self._client.replace(LEASES, wanted)
        self._term.begin(asked, self._terms.term)

    # A leader.

    async def _renew(self) -> None:
        """Renew the Lease; return when it is lost, or our term is over because that failed for too long."""
        while left := await self._left():
            await asyncio.sleep(min(self._terms.renew, left))
            asked = moment()
            if not (left := self._term.left(asked)):
                continue
            try:
                async with asyncio.timeout(min(left, self._terms.answer)):
                    if not await self._change(self._with_sign_of_life):
                        break
                self._term.begin(asked, self._terms.term)
            except (ApiError, TimeoutError) as error:
                log.warning("%s can't be renewed (%s)", self._where[1], str(error) or "no answer")
        self._term.end()

    async def _left(self) -> float:
        """Seconds that remain of our term, after it was proved if it is in doubt; 0 if it is over."""
        while self._term.is_in_doubt(moment()):
            try:
                async with asyncio.timeout(self._terms.answer):
                    if not await self._prove():
                        break
            except (ApiError, TimeoutError) as error:
                log.warning("%s can't be read (%s)", self._where[1], str(error) or "no answer")
                await asyncio.sleep(self._terms.retry / 4)
        return self._term.left(moment())

    async def _prove(self) -> bool:
        """The wall clock was set forward, or this machine stood still: if the Lease is still ours, renew it
        and begin the term again; if it is not, the term is over. Raises ApiError: that can't be known.
        """
        async with self._proving:
            asked = moment()
            if not self._term.is_in_doubt(asked):
                return bool(self._term.left(asked))
            lease = await self._look()
            if lease is None or (holder(lease), epoch(lease)) != (self._identity, epoch(self._held)):
                self._term.end()
                return False
            try:
                self._held = await self._client.replace(LEASES, self._with_sign_of_life(lease))
            except ApiError as error:
                if error.is_conflict:  # it was renewed or taken meanwhile
                    return False
                raise
            log.info("%s is still ours; the wall clock was set", self._where[1])
            self._term.begin(asked, self._terms.term)
            return True

    def _with_sign_of_life(self, lease: Obj) -> Obj:
        return renewed(lease, self._annotations, time.time())

    async def _give_back(self) -> None:
        """Let another one lead at once; one that was lost is left alone."""
        left = self._term.left(moment())
        try:
            if left:
                async with asyncio.timeout(min(left, RELEASE_WITHIN)):
                    await self._change(released)
        except (ApiError, TimeoutError) as error:
            log.warning("%s can't be given back (%s)", self._where[1], str(error) or "no answer")
        finally:
            self._term.end()

    async def _change(self, change: Callable[[Obj], Obj]) -> bool:
        """Write our Lease changed; False: it is not ours any more.

        Another version than we know is still ours where only an answer was lost, or somebody annotated it.
        """
        try:
            self._held = await self._fenced.replace(LEASES, change(self._held))
        except ApiError as error:
            if error.is_not_found:
                return False
            if not error.is_conflict:
                raise
        else:
            return True
        lease = await self._look()
        if lease is None or (holder(lease), epoch(lease)) != (self._identity, epoch(self._held)):
            if lease is not None and holder(lease) == self._identity:
                log.error("Another process has our name, %s: each needs one of its own", self._identity)
            return False
        self._held = await self._fenced.replace(LEASES, change(lease))
        return True

    async def _look(self) -> Obj | None:
        """The Lease as it is now; listed, so that the right to list and watch is enough."""
        namespace, name = self._where
        found = await self._client.list(LEASES, namespace, field_selector=f"metadata.name={name}")
        return next(iter(found.get("items") or ()), None)


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event for so long at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()

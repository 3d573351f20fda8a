"""The link: one WebSocket to the autoscaler's leader, reports up, orders down.

Nothing here blocks a request. While no leader can be reached, reports are cut and dropped as time passes, and
the wake guard stands in. Reports are cut and numbered by the monotonic clock, as loads are counted: a wall
clock that is set changes no report.
"""

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import aiohttp

from activator.link.reports import Reports
from autoscaler.messages import (
    VERSION,
    Bye,
    Cordon,
    Hello,
    Leaving,
    MalformedMessage,
    Message,
    Owner,
    Uncordon,
    Welcome,
    decode,
    encode,
)

log = logging.getLogger("zerogate.activator")

PATH = "/link"
HANDSHAKE = 3.0
"""Seconds for connecting, upgrading and the leader's welcome (as Knative's connection, pkg/websocket)."""
HEARTBEAT = 3.3
"""Seconds between pings; a link without a pong for half of that more is dead."""
FIRST_BACK_OFF = 0.1
BACK_OFF_GROWTH = 1.3
MAX_BACK_OFF = 2.0


class NoToken(Exception):  # noqa: N818 - what is missing
    """The token can't be read."""


class LinkClosed(Exception):  # noqa: N818 - what happened; nothing is wrong
    """The leader ended the link in good order."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who reports here. `token` gives the link's bearer token, asked for anew at each connect: a kubelet
    renews it. It may raise OSError.
    """

    activator: str
    pod_uid: str
    token: Callable[[], str]


class Target(NamedTuple):
    """Where the leader is: "host:port", "" for nowhere; and the SHA-256 of its certificate in hexadecimal, ""
    for a link without TLS.
    """

    address: str = ""
    certificate: str = ""

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://{self.address}{PATH}"

    @property
    def tls(self) -> aiohttp.Fingerprint | bool:
        """Pinned: this certificate and no other, whoever signed it. Raises ValueError: it is no digest."""
        return aiohttp.Fingerprint(bytes.fromhex(self.certificate)) if self.certificate else True


class Link:
    """Keeps the link up. `on_change` is called when it came up or went down."""

    def __init__(
        self,
        identity: Identity,
        reports: Reports,
        *,
        on_order: Callable[[Cordon | Uncordon | Owner], None],
        on_change: Callable[[], None],
    ) -> None:
        self._identity = identity
        self._reports = reports
        self._on_order = on_order
        self._on_change = on_change
        self._target = Target()
        self._moved = asyncio.Event()
        self._handshake: asyncio.Timeout | None = None
        self._due = asyncio.Event()
        self._is_leaving = False
        self._is_draining = False
        self._has_told_drain = False
        self._is_outdated = False
        self.introduce: Callable[[Hello], Hello] = lambda hello: hello
        """Adds to the first frame what else there is to say of us."""
        self.leader: Welcome | None = None

    def __repr__(self) -> str:
        state = f"up, {self.leader}" if self.leader else "down"
        return f"<Link to {self._target.address or 'nobody'}: {state}>"

    @property
    def is_up(self) -> bool:
        """Whether a leader has welcomed us and is still there."""
        return self.leader is not None

    def aim(self, target: Target) -> None:
        """The leader is there from now on; an address "" means that nobody leads."""
        if target != self._target:
            self._target = target
            self._moved.set()
            if self._handshake is not None:
                self._handshake.reschedule(asyncio.get_running_loop().time())

    def notify(self) -> None:
        """The reports have something to be written at once."""
        self._due.set()

    def renew(self) -> None:
        """Connect anew, and pass on nothing more that comes by the present link."""
        self._is_outdated = True
        self._moved.set()

    def drain(self) -> None:
        """Say that we begin to drain, now and on each further link."""
        self._is_draining = True
        self._due.set()

    def leave(self) -> None:
        """Say goodbye; `run` returns when that is written, or at once while the link is down."""
        self._is_leaving = True
        self._due.set()
        self._moved.set()

    async def run(self) -> None:
        """Connect, report, and begin again whenever the link is lost."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            cutting = group.create_task(self._cut())
            back_off = FIRST_BACK_OFF
            while not self._is_leaving:
                if self._moved.is_set():
                    self._moved.clear()
                    back_off = FIRST_BACK_OFF
                if self._target.address:
                    was_up = await self._attempt(session)
                    back_off = FIRST_BACK_OFF if was_up else min(back_off * BACK_OFF_GROWTH, MAX_BACK_OFF)
                pause = back_off * random.uniform(0.75, 1.25) if self._target.address else None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._moved.wait()
            cutting.cancel()

    async def _attempt(self, session: aiohttp.ClientSession) -> bool:
        """One link, from connect to its end. Returns whether it was ever up."""
        was_up = self._is_outdated = False
        try:
            socket, welcome = await self._welcomed(session)
            async with socket:
                was_up = True
                self._up(welcome)
                await self._talk(socket)
        except (aiohttp.ClientError, LinkClosed, MalformedMessage, NoToken, OSError, ValueError) as error:
            self._tell_lost(error, was_up=was_up)
        finally:
            if was_up:
                self._down()
        return was_up

    async def _welcomed(
        self, session: aiohttp.ClientSession
    ) -> tuple[aiohttp.ClientWebSocketResponse, Welcome]:
        """A link in time, and before the leader moves; TimeoutError otherwise."""
        try:
            async with asyncio.timeout(HANDSHAKE) as self._handshake:
                return await self._connect(session)
        finally:
            self._handshake = None

    async def _connect(
        self, session: aiohttp.ClientSession
    ) -> tuple[aiohttp.ClientWebSocketResponse, Welcome]:
        target = self._target
        try:
            token = self._identity.token()
        except OSError as error:
            raise NoToken(f"the token can't be read: {error}") from error
        socket = await session.ws_connect(
            target.url,
            headers={"Authorization": f"Bearer {token}"},
            ssl=target.tls,
            heartbeat=HEARTBEAT,
            max_msg_size=1 << 20,
        )
        try:
            hello = Hello(self._identity.activator, self._identity.pod_uid, VERSION)
            await socket.send_bytes(encode(self.introduce(hello)))
            answer = decode(await socket.receive_bytes())
        except TypeError as error:
            await socket.close()
            raise MalformedMessage("closed instead of welcomed") from error
        except BaseException:
            await socket.close()
            raise
        if self._is_outdated:
            await socket.close()
            raise LinkClosed("given up for a new one")
        if not isinstance(answer, Welcome):
            await socket.close()
            raise MalformedMessage(f"{answer} instead of a welcome")
        return socket, answer

    async def _talk(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Read, write and watch for a new leader, until one of the three ends."""
        tasks = [
            asyncio.ensure_future(each)
            for each in (self._read(socket), self._write(socket), self._moved.wait())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._is_leaving:
                await asyncio.wait(tasks[1:2], timeout=HANDSHAKE)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ended:
            if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
                raise end

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            if self._is_outdated:
                raise LinkClosed("given up for a new one")
            if frame.type is aiohttp.WSMsgType.ERROR:
                raise ConnectionError(f"it was lost: {frame.data}")
            if frame.type is not aiohttp.WSMsgType.BINARY:
                raise MalformedMessage(f"a frame of type {frame.type.name}")
            message = decode(frame.data)
            if isinstance(message, Cordon | Uncordon | Owner):
                self._on_order(message)
        raise LinkClosed(f"closed with code {socket.close_code}")

    async def _write(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            is_last = self._is_leaving
            due: list[Message] = self._reports.take()
            if self._is_draining and not self._has_told_drain:
                self._has_told_drain = True
                due.append(Leaving())
            if is_last:
                due.append(Bye(self._identity.activator))
            try:
                for message in due:
                    await socket.send_bytes(encode(message))
            except BaseException:
                self._reports.lost()
                raise
            if is_last:
                return

    async def _cut(self) -> None:
        """End a cut each second, link or no link.

        The number of a cut counts the seconds that have passed until its end, so that a process that was
        stopped does not number its next cut too low. The wall clock is read once, for the phase: cuts begin
        on its half second, far from the whole seconds at which the autoscaler's windows begin.
        """
        clock = asyncio.get_running_loop().time
        origin = clock() - (time.time() - 0.5) % 1
        while True:
            number = math.floor(clock() - origin) + 1
            await asyncio.sleep(origin + number - clock())
            number = max(number, math.floor(clock() - origin))  # it woke late: the process was stopped
            self._reports.cut(time.monotonic(), number, int(time.time()))
            self._due.set()

    def _up(self, welcome: Welcome) -> None:
        self.leader = welcome
        self._has_told_drain = False
        log.info("Linked to the autoscaler %s, epoch %d", welcome.leader, welcome.epoch)
        self._reports.connected()
        self._due.set()
        self._on_change()

    def _down(self) -> None:
        self.leader = None
        self._on_change()

    def _tell_lost(self, error: BaseException, *, was_up: bool) -> None:
        address = self._target.address
        if isinstance(error, LinkClosed):
            log.info("The link to the autoscaler at %s was %s", address, error)
            return
        fault = _fault_of_set_up(error)
        level = logging.WARNING if was_up or fault else logging.DEBUG
        log.log(
            level, "No link to the autoscaler at %s: %s", address, fault or str(error) or type(error).__name__
        )


def _fault_of_set_up(error: BaseException) -> str:
    """What somebody has to mend, "" for what passes by itself."""
    match error:
        case aiohttp.WSServerHandshakeError(status=401):
            return "the token is not accepted"
        case aiohttp.ServerFingerprintMismatch():
            return "it shows another certificate than the one on the leader's Lease"
        case NoToken() | ValueError():
            return str(error)
    return ""

"""The gateway as `up` sees it: processes of its own, or a part of this one; asked over Unix sockets."""

import asyncio
import logging
from pathlib import Path
from typing import Protocol

import aiohttp

from activator.edge.program import Program

log = logging.getLogger("zerogate.up")

_ASKED_WITHIN = aiohttp.ClientTimeout(2.0)


class Gateway(Protocol):
    """`run` ends after `stop`, when what was in flight is answered."""

    async def run(self) -> None: ...

    def admin_sockets(self) -> dict[str, Path]:
        """Where its processes are asked, by their names."""
        ...

    def anew(self) -> None:
        """Replace its processes, one by one."""
        ...

    def stop(self) -> None:
        """Begin to drain."""
        ...

    async def ended(self) -> None:
        """Return when it is gone."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...


class InThisProcess:
    """The gateway among everything else: for debugging."""

    def __init__(self, program: Program, name: str, admin_socket: Path) -> None:
        self._program = program
        self._admin_sockets = {name: admin_socket}
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Serve until drained."""
        try:
            await self._program.run()
        finally:
            self._ended.set()

    def admin_sockets(self) -> dict[str, Path]:
        """It alone."""
        return self._admin_sockets

    def anew(self) -> None:
        """There is nothing to replace it by."""
        log.warning("the gateway is a part of this process (--workers 0): it can't be replaced alone")

    def stop(self) -> None:
        """Begin to drain."""
        self._program.stop()

    async def ended(self) -> None:
        """Return when drained."""
        await self._ended.wait()

    def kill(self) -> None:
        """It ends with its process."""


async def ask(socket: Path, path: str, token: str) -> tuple[int, bytes]:
    """Status and body of an admin page of the gateway; status 0 while it can't be reached."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(socket)), timeout=_ASKED_WITHIN
            ) as session,
            session.get(f"http://gateway{path}", headers=headers) as answer,
        ):
            return answer.status, await answer.read()
    except (aiohttp.ClientError, OSError, TimeoutError):
        return 0, b""

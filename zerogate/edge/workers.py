"""The gateway's processes: started on one listening socket that the parent opens and keeps.

One that dies is replaced; its replacement inherits the socket, so that connections in the kernel's queue wait
for it instead of being reset. Asked to, they are replaced one by one: the new one serves before the old one
drains.
"""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from http import HTTPStatus
from pathlib import Path

from zerogate.edge.gateway import ask
from zerogate.edge.worker import Told

log = logging.getLogger("zerogate.up")

FIRST_BACK_OFF = 0.2
MAX_BACK_OFF = 5.0
_STEADY = 10.0
"""A worker that lived so long is replaced at once when it dies."""
_UP_WITHIN = 30.0
"""Seconds that a new worker has to be ready before the one that it is to replace is left in its place."""
_ASKED_EACH = 0.05


class Worker:
    """One activator process from its start to its end; `name` is its own on the link and on the pages."""

    def __init__(self, name: str, told: Told, environment: Mapping[str, str]) -> None:
        self.name = name
        self.admin_socket = Path(told.admin_socket)
        self.is_leaving = False
        settings = asdict(replace(told, parent=os.getpid(), identity=name))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "zerogate.edge.worker", json.dumps(settings)],
            pass_fds=[number for number in (told.listener, told.local_listener) if number >= 0],
            stdin=subprocess.DEVNULL,
            env=dict(environment),
            # Ctrl-C is the parent's to hear: it says when the workers end.
            start_new_session=True,
        )

    def __repr__(self) -> str:
        return f"<Worker {self.name}, process {self._process.pid}{', leaving' if self.is_leaving else ''}>"

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def leave(self) -> None:
        """Let it drain and end."""
        self.is_leaving = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        self.is_leaving = True
        self._signal(signal.SIGKILL)

    async def ended(self) -> str:
        """How it ended, once it has."""
        if not self.has_ended:
            await _end_of(self._process.pid)
        status = self._process.wait()
        return f"signal {-status}" if status < 0 else f"exit status {status}"

    def _signal(self, number: int) -> None:
        if not self.has_ended:
            self._process.send_signal(number)


class Crew:
    """So many workers, kept alive until `stop`. `told` is the same for all of them, but for their names. The
    sockets that it names stay the caller's.
    """

    def __init__(self, count: int, told: Told, environment: Mapping[str, str]) -> None:
        self._count = count
        self._told = told
        self._token = Path(told.token_file).read_text()
        self._environment = environment
        self._number = 0
        self._posts: list[Worker] = []
        self._leaving: set[Worker] = set()
        self._is_stopping = False
        self._asked_anew = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Crew {self._posts}, leaving {[*self._leaving]}>"

    # As every gateway.

    async def run(self) -> None:
        """Start them, and again when one dies; ends after `stop`."""
        self._posts = [self._start() for _ in range(self._count)]
        renewing = asyncio.create_task(self._renew())
        try:
            await asyncio.gather(*(self._keep(post) for post in range(self._count)))
        finally:
            renewing.cancel()

    def admin_sockets(self) -> dict[str, Path]:
        """Where those are asked that serve, by name."""
        return {each.name: each.admin_socket for each in self._posts if not each.is_leaving}

    def anew(self) -> None:
        """Replace all, one by one."""
        self._asked_anew.set()

    def stop(self) -> None:
        """Let all drain and end."""
        self._is_stopping = True
        for each in self._all():
            each.leave()

    async def ended(self) -> None:
        """Return when all are gone."""
        await asyncio.gather(*(each.ended() for each in self._all()))

    def kill(self) -> None:
        """End all now."""
        self._is_stopping = True
        for each in self._all():
            each.kill()

    # Inside.

    def _all(self) -> list[Worker]:
        return [*self._posts, *self._leaving]

    def _start(self) -> Worker:
        self._number += 1
        name = f"gateway-{self._number}"
        told = replace(self._told, admin_socket=str(Path(self._told.admin_socket).with_name(f"{name}.sock")))
        return Worker(name, told, self._environment)

    async def _keep(self, post: int) -> None:
        back_off = FIRST_BACK_OFF
        while not self._is_stopping:
            worker, began = self._posts[post], time.monotonic()
            how = await worker.ended()
            if self._is_stopping or self._posts[post] is not worker:
                continue
            lived = time.monotonic() - began
            back_off = FIRST_BACK_OFF if lived > _STEADY else min(back_off * 2, MAX_BACK_OFF)
            log.warning("a gateway process ended (%s); starting another", how)
            await asyncio.sleep(back_off)
            if not self._is_stopping:
                self._posts[post] = self._start()

    async def _renew(self) -> None:
        while True:
            await self._asked_anew.wait()
            self._asked_anew.clear()
            for post in range(self._count):
                if not await self._replace(post):
                    break

    async def _replace(self, post: int) -> bool:
        """Whether there is another one now; returns when the old one has drained and ended."""
        new = self._start()
        self._leaving.add(new)
        try:
            is_up = await _is_up(new, self._token)
        finally:
            self._leaving.discard(new)
        if not is_up:
            log.error("%s does not come up; those that serve go on", new.name)
            new.kill()
            return False
        old, self._posts[post] = self._posts[post], new
        log.info("%s serves, %s drains", new.name, old.name)
        self._leaving.add(old)
        old.leave()
        await old.ended()
        self._leaving.discard(old)
        return True


async def _is_up(worker: Worker, token: str) -> bool:
    """Whether it said in time that it is ready."""
    end = time.monotonic() + _UP_WITHIN
    while time.monotonic() < end and not worker.has_ended:
        status, _ = await ask(worker.admin_socket, "/readyz", token)
        if status == HTTPStatus.OK:
            return True
        await asyncio.sleep(_ASKED_EACH)
    return False


async def _end_of(process: int) -> None:
    """Return when our child has ended."""
    watched = os.pidfd_open(process)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(watched, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(watched)
        os.close(watched)

"""A pod, a process, is killed in each phase of a request: what the client sees is the table in README."""

import asyncio
import os
import signal
import sys
from typing import Self

import pytest

from testkit.paths import ROOT
from testkit.proxy.clock import Clock
from testkit.proxy.harness import GET, Answer, Pod, Proxy, on_uvloop, post, until

POST = post(b"once")
README = ROOT / "README.md"
PAUSING = ROOT / "testkit" / "proxy" / "servers" / "pausing.py"
MARK = "<!-- kills -->"

ANOTHER = "200 of another pod, `Zerogate-Attempts`"
UNTOLD = "200 of another pod"
MAYBE = "502 `maybe-sent`"
CUT = "what had come, then a reset"
TABLE = {
    "before-connect": ("before it took the connection", ANOTHER, ANOTHER),
    "after-connect": ("with the connection, before it read", ANOTHER, MAYBE),
    "mid-request": ("when it had read the request", ANOTHER, MAYBE),
    "mid-head": ("in the middle of the answer's head", ANOTHER, MAYBE),
    "mid-body": ("in the middle of the answer's body", CUT, CUT),
    "between-requests": ("between two requests", UNTOLD, UNTOLD),
}
"""Of each phase: its name, what a GET sees, what a POST sees."""


class Killable:
    """A pod that stands still in a phase. `is_there` when it does."""

    uid = "killed"

    def __init__(self, phase: str) -> None:
        self.phase = phase

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, PAUSING, self.phase, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._said = self._process.stdout
        self.port = int((await self._said.readline()).split()[1])
        return self

    async def is_there(self) -> None:
        assert await self._said.readline() == b"there\n"

    def kill_unheard(self) -> None:
        """It is dead when this returns, and the loop had no time to hear of it."""
        self._process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)

    async def kill(self) -> None:
        self.kill_unheard()
        await self._process.wait()

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            await self.kill()


def said(answer: Answer) -> str:
    """An answer in the words of the table."""
    if answer.status == 200:
        return UNTOLD if answer.value(b"Zerogate-Attempts") is None else ANOTHER
    return f"{answer.status} `{answer.reason}`"


@pytest.mark.parametrize(("request_", "column"), [(GET, 1), (POST, 2)], ids=["GET", "POST"])
@pytest.mark.parametrize("phase", ["after-connect", "mid-request", "mid-head", "mid-body"])
@on_uvloop
async def test_a_pod_that_is_killed_in_the_middle_of_a_request(
    phase: str, request_: bytes, column: int
) -> None:
    """What it had sent of its answer's head counts for nothing, what it had sent of its body is passed on."""
    async with Killable(phase) as killed, Proxy(clock=Clock()) as proxy:
        proxy.tell(killed)
        client = await proxy.client()
        client.send(request_)
        await killed.is_there()
        other = await proxy.ready(uid="other")
        if TABLE[phase][column] == CUT:
            await client.reader.readuntil(b"half ")
            await killed.kill()
            with pytest.raises(ConnectionError):
                await client.reader.read()
            assert other.requests == []
            return
        await killed.kill()
        answer = await client.answer()
        assert said(answer) == TABLE[phase][column]
        is_repeated = TABLE[phase][column] == ANOTHER
        assert answer.value(b"Zerogate-Attempts") == (b"2" if is_repeated else None)
        assert len(other.requests) == is_repeated


@pytest.mark.parametrize(("request_", "column"), [(GET, 1), (POST, 2)], ids=["GET", "POST"])
@on_uvloop
async def test_a_pod_that_is_killed_before_the_connect(request_: bytes, column: int) -> None:
    """Nobody has told the gateway: it finds out, and waits for another pod."""
    async with Killable("before-connect") as killed, Proxy(clock=Clock()) as proxy:
        proxy.tell(killed)
        client = await proxy.client()
        await killed.kill()
        client.send(request_)
        await until(lambda: proxy.revision.counts.repeated)
        other = await proxy.ready(uid="other")
        assert said(await client.answer()) == TABLE["before-connect"][column]
        assert len(other.requests) == 1


@pytest.mark.parametrize("is_heard", [True, False], ids=["heard of", "not heard of"])
@pytest.mark.parametrize(("request_", "column"), [(GET, 1), (POST, 2)], ids=["GET", "POST"])
@on_uvloop
async def test_a_pod_that_is_killed_between_two_requests(
    request_: bytes, column: int, is_heard: bool
) -> None:
    """Whether the end of the connection has been heard of before the next request or not, that one is served
    by another pod. `Zerogate-Attempts` stands there if the dead one was asked first.
    """
    async with Killable("between-requests") as killed, Proxy(clock=Clock()) as proxy:
        proxy.tell(killed)
        client = await proxy.client()
        assert (await client.ask(GET)).body == b"first"
        await killed.is_there()
        other = await proxy.start(Pod(uid="other"))
        resting = proxy.revision.throttle.pods[killed.uid].idle
        if is_heard:
            await killed.kill()
            await until(lambda: not resting)
            client.send(request_)
        else:
            client.send(request_)  # the loop hears of both at once, of the client first
            killed.kill_unheard()
            assert resting
        await until(lambda: proxy.revision.counts.repeated)
        proxy.tell(other)
        answer = await client.answer()
        assert said(answer).startswith(TABLE["between-requests"][column])
        assert len(other.requests) == 1


def test_readme_has_the_table_of_killed_pods() -> None:
    """Word by word."""
    lines = [
        "| the pod is killed | GET | POST |",
        "|---|---|---|",
        *(f"| {name} | {get} | {post_} |" for name, get, post_ in TABLE.values()),
    ]
    assert README.read_text().split(MARK)[1].strip().splitlines() == lines

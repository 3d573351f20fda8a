"""The admin pages: metrics and health for all, the inside for those with the token."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from activator.edge.admin import Views, serving
from activator.edge.http.dispatch import Dispatcher
from activator.edge.http.gate import Gate
from activator.edge.metrics import RevisionMetrics, Wakes, exposition
from activator.hold.throttle import Room
from activator.http.replies import NO_ROUTE
from activator.revision import Revision
from activator.routes import Router
from activator.settings import ProxySettings
from serving.targets import scale_target

TOKEN = "secret"


def revision(name: str = "hello") -> Revision:
    target = scale_target({"metadata": {"namespace": "default", "name": name}, "spec": {}})
    return Revision(target, process=Room(100, 1 << 20), random=lambda: 0.5)


class Raw:
    """A client of the admin pages that sends bytes, in no encoding."""

    @staticmethod
    async def get(address: str, authorization: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*address.rsplit(":", 1))
        writer.write(b"GET /debug/state HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
        writer.write(b"Authorization: " + authorization + b"\r\n\r\n")
        line = await reader.readline()
        writer.close()
        return line.split(b" ")[1]


@pytest.mark.parametrize(
    ("token", "given", "status"),
    [
        ("secret", b"Bearer \xff\xfe", b"401"),
        ("secret", b"\xff", b"401"),
        ("secret", b"Bearer secret", b"200"),
        ("g\xe9heim", "Bearer g\xe9heim".encode(), b"200"),
        ("g\xe9heim", b"Bearer g\xe9heim", b"401"),
    ],
)
async def test_a_malformed_token_is_a_wrong_one(token: str, given: bytes, status: bytes) -> None:
    """Bytes that are no UTF-8 get 401 as any other token."""
    async with serving("127.0.0.1:0", Pages().views, token) as (address,):
        assert await Raw.get(address, given) == status


class Pages:
    """The pages of an activator that can be told to be unready."""

    def __init__(self) -> None:
        self.unready = ""
        self.views = Views(lambda: b"metrics\n", lambda: self.unready, lambda: {"link": "up"})

    async def get(self, address: str, path: str, token: str = "") -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connector = aiohttp.UnixConnector(address[5:]) if address.startswith("unix:") else None
        base = "http://admin" if connector else f"http://{address}"
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"{base}{path}", headers=headers) as answer,
        ):
            return answer.status, await answer.text()


@pytest.mark.parametrize("where", ["127.0.0.1:0", "unix:{}/admin.sock"])
async def test_the_pages(where: str, tmp_path: Path) -> None:
    """Over TCP and over a unix socket alike."""
    pages = Pages()
    async with serving(where.format(tmp_path), pages.views, TOKEN) as (address,):
        assert await pages.get(address, "/metrics") == (200, "metrics\n")
        assert await pages.get(address, "/healthz") == (200, "ok\n")
        assert await pages.get(address, "/readyz") == (200, "ok\n")
        pages.unready = "draining"
        assert await pages.get(address, "/readyz") == (503, "draining\n")
        assert await pages.get(address, "/healthz") == (200, "ok\n")
        assert (await pages.get(address, "/other"))[0] == 404


@pytest.mark.parametrize(
    ("set_token", "given", "status"),
    [(TOKEN, TOKEN, 200), (TOKEN, "wrong", 401), (TOKEN, "", 401), ("", "", 401), (TOKEN, "\xe9", 401)],
)
async def test_the_inside_is_shown_for_the_token_alone(set_token: str, given: str, status: int) -> None:
    """Without a token that was set and given, there is nothing to see."""
    pages = Pages()
    async with serving("127.0.0.1:0", pages.views, set_token) as (address,):
        found, text = await pages.get(address, "/debug/state", given)
    assert found == status
    assert ('"link": "up"' in text) == (status == 200)


async def test_no_address_no_pages() -> None:
    """An empty address serves nothing."""
    async with serving("", Pages().views, TOKEN) as addresses:
        assert addresses == ()


def samples(
    *revisions: Revision,
    wakes: dict[tuple[str, str], Wakes] | None = None,
    is_linked: bool = True,
    gates: Sequence[Gate] = (),
) -> dict[tuple[str, ...], Any]:
    known = {each.key: each for each in revisions}
    metrics = RevisionMetrics(known, wakes or {}, gates=lambda: gates, is_linked=lambda: is_linked)
    text = exposition(metrics).decode()
    return {
        (sample.name.removeprefix("zerogate_activator_"), *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_the_plain_counters() -> None:
    """What the revision has counted is what Prometheus reads, with namespace and revision as labels."""
    hello = revision()
    hello.counts.requests = 7
    hello.counts.held = 2
    hello.counts.answers[2] = 5
    hello.counts.answers[5] = 1
    hello.counts.refused["queue-full"] = 1
    hello.load.enter(0.0)
    hello.throttle.pod_ready("u1", "10.0.0.7", 8080, 0.0)
    found = samples(hello, wakes={hello.key: Wakes(2, 0.5)})
    where = ("default", "hello")
    assert found["requests_total", *where] == 7
    assert found["held_requests_total", *where] == 2
    assert found["responses_total", "2xx", *where] == 5
    assert found["responses_total", "5xx", *where] == 1
    assert found["refused_requests_total", *where, "queue-full"] == 1
    assert found["in_flight_requests", *where] == 1
    assert found["ready_pods", *where] == 1
    assert found["wakes_total", *where] == 2
    assert found["wake_seconds_total", *where] == 0.5
    assert found["link_up",] == 1


def test_only_revisions_that_exist_become_labels() -> None:
    """Without revisions there are no series but the process' own; unknown hosts are counted, not named."""
    dispatcher = Dispatcher(on_first=lambda _: None, on_waiting=lambda _: None, clock=lambda: 0.0)
    gate = Gate(Router({}, is_local=False), dispatcher, ProxySettings(), lambda: 0.0)
    gate.accepted = 3
    gate.turned_away(NO_ROUTE, b"nobody.example.com")
    assert samples(is_linked=False, gates=[gate, gate]) == {
        ("link_up",): 0.0,
        ("client_connections",): 0.0,
        ("accepted_connections_total",): 6.0,
        ("accept_pauses_total",): 0.0,
        ("unrouted_requests_total", "no-route"): 2.0,
    }

"""Logs for a real API server: who may read them, and which are there."""

import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from embedded.edge.lock import make_lock
from embedded.node.settings import LogEndpoint
from kube.edge.client import Before
from kube.resources import NODES
from testkit.api.fake_api import FakeApi
from testkit.kubernetes.certificates import issue_client
from testkit.node.world import NodeWorld, pod
from testkit.ports import free_port

TALKER = "import time; print('one'); print('two', flush=True); time.sleep(100)"
PATH = "/containerLogs/default/p/c"


class Serving(NodeWorld):
    """A node whose logs are read on a port of its own, by those whom an authority knows."""

    pki: Path
    port: int


class Reviewing(FakeApi):
    """Allows what the group `readers` asks."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Any = None,
        content_type: str = "application/json",
        before: Before | None = None,
    ) -> tuple[int, dict[str, Any]]:
        if not path.endswith("/subjectaccessreviews"):
            return await super().request(method, path, query=query, body=body, content_type=content_type)
        assert body["spec"]["resourceAttributes"] == {
            "verb": "get", "version": "v1",
            "resource": "nodes", "subresource": "proxy", "name": "zerogate-node",
        }  # fmt: skip
        return 201, {"status": {"allowed": "readers" in body["spec"]["groups"]}}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Serving]:
    """A node agent that serves logs, with a pod that has written two lines."""
    pki = tmp_path / "authority"
    make_lock(pki)
    for name, group in (("reader", "readers"), ("stranger", "strangers")):
        issue_client(pki, name, name, group)
    world = Serving(tmp_path, Reviewing())
    world.pki, world.port = pki, free_port()
    async with world.running(log_endpoint=LogEndpoint("127.0.0.1", world.port, pki / "ca.crt")):
        await world.create(pod(script=TALKER))
        found = await world.pod_where(lambda _: True, "a pod")

        async def has_written() -> bool:
            return "two" in world.log(found)

        await world.until(has_written, "its lines")
        yield world


async def ask(world: Serving, path: str, who: str = "reader") -> tuple[int, str]:
    """Status and text, by the certificate of `who`; the server's own certificate is not looked at."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if who:
        tls.load_cert_chain(world.pki / f"{who}.crt", world.pki / f"{who}.key")
    url = f"https://127.0.0.1:{world.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, ssl=tls) as answer:
        return answer.status, await answer.text()


async def test_an_api_server_reads_logs_from_the_node(node: Serving) -> None:
    """Whole or in part; what is not there, or not offered, says so."""
    assert await ask(node, PATH) == (200, "one\ntwo\n")
    assert await ask(node, f"{PATH}?tailLines=1") == (200, "two\n")
    status, text = await ask(node, f"{PATH}?previous=true")
    assert (status, "previous terminated container" in text) == (400, True)
    assert (await ask(node, "/containerLogs/default/q/c"))[0] == 404
    status, text = await ask(node, "/exec/default/p/c?command=ls")
    assert (status, "the machine's own tools" in text) == (405, True)
    found = await node.client.get(NODES, "", "zerogate-node")
    assert found["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] == node.port


async def test_logs_are_for_those_whom_the_api_allows_it(node: Serving) -> None:
    """A certificate of the authority is not enough; without one there is no connection."""
    assert await ask(node, PATH, "stranger") == (403, "Forbidden")
    with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
        await ask(node, PATH, "")

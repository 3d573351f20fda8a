"""The program around the leader: Lease, link, history, metrics. In real time, on the fake API."""

import asyncio
import json

import aiohttp
from prometheus_client import CollectorRegistry, generate_latest

from autoscaler.edge.program import Autoscaler
from autoscaler.edge.settings import Settings
from autoscaler.kpa.replay import replay
from autoscaler.messages import AT_ONCE, Hello, Stat, Stats, encode
from kube.edge.client import Client
from testkit.scaling.world import FakeApi, config, deployment
from testkit.waiting import until

LEASE = "/apis/coordination.k8s.io/v1/namespaces/zerogate-system/leases/zerogate-autoscaler"
HELLO = "/apis/apps/v1/namespaces/default/deployments/hello"


def made(api: FakeApi) -> Autoscaler:
    settings = Settings("me", token="t")
    return Autoscaler(Client(api, manager="zerogate-autoscaler"), settings)


async def test_a_request_over_the_link_scales_from_zero() -> None:
    """Lease taken with the link's address on it; a report over a real socket; a patch a moment later."""
    api = FakeApi()
    api.put("configmaps", config())
    api.put("deployments", deployment(target="10"))
    autoscaler, registry = made(api), CollectorRegistry()
    autoscaler.metrics(registry)
    running = asyncio.create_task(autoscaler.run())
    try:
        assert autoscaler.state() == {"isLeader": False}
        assert b"zerogate_autoscaler_is_leader 0.0" in generate_latest(registry)
        await until(lambda: autoscaler.leader)
        lease = api.objects[LEASE]
        assert lease["spec"]["holderIdentity"] == "me"
        address = lease["metadata"]["annotations"]["zerogate.dev/address"]
        headers = {"Authorization": "Bearer t"}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://{address}/link", headers=headers) as socket,
        ):
            await socket.send_bytes(encode(Hello("a", "", 1)))
            await socket.receive(timeout=60)
            await socket.send_bytes(encode(Stats("a", AT_ONCE, (Stat("default", "hello", 1, 1),))))
            await until(lambda: api.writes)
        assert api.objects[HELLO]["spec"]["replicas"] == 1
        assert autoscaler.state()["revisions"]["default/hello"]["desired"] == 1
        text = generate_latest(registry).decode()
        assert 'zerogate_autoscaler_desired_pods{namespace="default",revision="hello"} 1.0' in text
        assert "zerogate_autoscaler_scale_writes_total 1.0" in text
        lines = autoscaler.history("default", "hello")
        assert lines is not None
        told = list(replay(json.dumps(line) for line in lines))
        assert json.loads(told[-1])["desired"] == 1
        assert autoscaler.history("default", "nobody") is None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert api.objects[LEASE]["spec"]["holderIdentity"] == ""


async def test_a_leader_that_loses_its_lease_stops_deciding_and_stands_again() -> None:
    api = FakeApi()
    api.put("configmaps", config())
    autoscaler = made(api)
    running = asyncio.create_task(autoscaler.run())
    try:
        await until(lambda: autoscaler.leader)
        first = autoscaler.leader
        taken = json.loads(json.dumps(api.objects[LEASE]))
        taken["spec"] |= {"holderIdentity": "other", "leaseDurationSeconds": 1}
        api.put("leases", taken)
        await until(lambda: autoscaler.leader is None)
        await until(lambda: autoscaler.leader is not None and autoscaler.leader is not first)
        assert first is not None
        assert autoscaler.leader is not None
        assert autoscaler.leader.epoch > first.epoch
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

"""Pods that refuse, reset and vanish: what was not sent goes elsewhere, and only what may be repeated is."""

import asyncio
import os
import resource
import socket
from collections.abc import Callable
from typing import Any

import pytest

from activator.hold.throttle import FIRST_DELAY
from activator.settings import ProxySettings
from testkit.proxy.clock import Clock, swept
from testkit.proxy.harness import (
    GET,
    Answer,
    Pod,
    Proxy,
    Request,
    hello,
    ok,
    on_uvloop,
    post,
    read_request,
    reset,
    until,
)

POST = post(b"once")
PUT = post(b"again", method=b"PUT")


async def resets(request: Request) -> None:
    request.reset()


async def dead(proxy: Proxy, uid: str) -> Pod:
    """A pod that is said to be ready, but whose port refuses."""
    pod = await proxy.start(Pod(uid=uid))
    pod.refuse_from_now()
    proxy.tell(pod)
    return pod


@pytest.mark.parametrize("request_", [GET, POST, PUT])
@on_uvloop
async def test_a_refused_connect_goes_to_another_pod(request_: bytes) -> None:
    """For any method, since nothing was sent; the answer tells how many attempts it took."""
    async with Proxy(clock=Clock()) as proxy:
        for n in range(3):
            await dead(proxy, f"dead-{n}")
        client = await proxy.client()
        client.send(request_)
        await until(lambda: proxy.revision.counts.repeated)
        pod = await proxy.ready()
        answer = await client.answer()
        assert answer.status == 200
        assert 2 <= int(answer.value(b"Zerogate-Attempts") or 0) <= 4
        assert len(pod.requests) == 1


@pytest.mark.parametrize("how", ["refuses", "resets"])
@on_uvloop
async def test_pods_that_fail_are_left_out(how: str) -> None:
    """A pod that refuses or resets is tried ever more rarely; nearly all requests go straight to the one that
    works.
    """
    clock = Clock()
    async with Proxy(clock=clock) as proxy:
        if how == "refuses":
            await dead(proxy, "bad")
        else:
            await proxy.ready(resets, uid="bad")
        await proxy.ready()
        client = await proxy.client()
        for _ in range(100):
            await clock.forward(0.125, proxy)
            assert (await client.ask(GET)).status == 200
        assert 1 <= proxy.revision.counts.repeated < 10


@on_uvloop
async def test_nothing_reachable() -> None:
    """A revision whose pods all refuse for long: 502 upstream-unreachable."""
    clock = Clock()
    async with Proxy(settings=ProxySettings(unreachable_after=60.0), clock=clock) as proxy:
        await dead(proxy, "a")
        await dead(proxy, "b")
        client = await proxy.client()
        asked = asyncio.create_task(client.ask(POST))
        counts, began = proxy.revision.counts, clock()
        await until(lambda: counts.repeated >= 2 and proxy.waiting == 1)
        while clock() < began + 59.0:
            tried = counts.repeated
            await clock.forward(1.0, proxy)
            await until(lambda: proxy.waiting == 1 or asked.done())
            assert counts.repeated > tried
            assert not asked.done()
        await clock.forward(1.0, proxy)
        await until(lambda: proxy.waiting == 1 or asked.done())
        assert asked.done()
        answer = asked.result()
        assert (answer.status, answer.reason) == (502, "upstream-unreachable")


@on_uvloop
async def test_a_refused_request_waits_for_the_next_pod() -> None:
    """The only pod died: the request goes back to the queue and is served when another one comes."""
    async with Proxy(clock=Clock()) as proxy:
        pod = await dead(proxy, "a")
        client = await proxy.client()
        client.send(POST)
        await until(lambda: proxy.revision.counts.repeated)
        proxy.gone(pod)
        await until(lambda: proxy.waiting == 1)
        for _ in range(3):
            await swept(proxy)
        assert proxy.waiting == 1
        await proxy.ready(uid="b")
        assert (await client.answer()).status == 200


def closing_when_asked_again(*, by_reset: bool) -> Callable[..., Any]:
    """A pod that answers one request a connection, and closes it when the next one has come."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader, writer)
        await request.reply(ok(request.body or b"first"))
        await read_request(reader, writer)
        if by_reset:
            reset(writer)

    return serve


@pytest.mark.parametrize("by_reset", [True, False])
@pytest.mark.parametrize("request_", [GET, PUT])
@on_uvloop
async def test_a_kept_connection_that_breaks_costs_nobody_anything(request_: bytes, by_reset: bool) -> None:
    """A request that may be repeated goes again, over a new connection, and the pod is not blamed."""
    async with Proxy(clock=Clock()) as proxy:
        pod = await proxy.ready(serve=closing_when_asked_again(by_reset=by_reset))
        client = await proxy.client()
        assert (await client.ask(request_)).status == 200
        answer = await client.ask(request_)
        assert (answer.status, answer.value(b"Zerogate-Attempts")) == (200, b"2")
        assert pod.connections == 2
        assert not next(iter(proxy.revision.throttle.pods.values())).failures


@on_uvloop
async def test_what_may_have_been_carried_out_is_not_repeated() -> None:
    """A POST whose connection broke after it was sent: 502 maybe-sent, and the pod saw it once."""
    async with Proxy() as proxy:
        pod = await proxy.ready(resets)
        client = await proxy.client()
        answer = await client.ask(POST)
        assert (answer.status, answer.reason) == (502, "maybe-sent")
        assert len(pod.requests) == 1
        pod.behave = hello
        assert (await client.ask(POST)).status == 200


@pytest.mark.parametrize("is_kept", [False, True], ids=["new connection", "kept connection"])
@pytest.mark.parametrize("method", [b"GET", b"PUT", b"DELETE"])
@on_uvloop
async def test_a_request_that_kills_its_pods_kills_two_at_most(method: bytes, is_kept: bool) -> None:
    """A retry is not retried (RFC 9110 9.2.2): if the second pod is lost, too, the client gets 502. The same
    holds on a kept connection.
    """
    killer = post(b"x", method=method)
    async with Proxy() as proxy:
        pods = [await proxy.ready(uid=f"pod-{n}") for n in range(5)]
        clients = [await proxy.client() for _ in range(5)]
        if is_kept:
            for client in clients:
                assert (await client.ask(GET)).status == 200
        for pod in pods:
            pod.behave = resets
            pod.requests.clear()
        answer = await clients[0].ask(killer, method)
        assert (answer.status, answer.reason) == (502, "maybe-sent")
        assert sum(len(pod.requests) for pod in pods) == 2
        assert proxy.revision.counts.repeated == 1


@on_uvloop
async def test_requests_that_fail_together_leave_a_pod_out_for_one_moment() -> None:
    """A pod that refuses eight connects at once has failed once: it is left out for 50 ms, not seconds."""

    async def slow(request: Request) -> None:
        await asyncio.sleep(0.2)
        await request.reply(ok())

    async with Proxy() as proxy:
        await proxy.ready(slow)
        await dead(proxy, "bad")
        clients = [await proxy.client() for _ in range(16)]
        for client in clients:
            client.send(GET)
        bad = proxy.revision.throttle.pods["bad"]
        await until(lambda: bad.failures and not bad.connecting)
        assert bad.failures == 1
        assert bad.out_until - bad.out_since == pytest.approx(FIRST_DELAY)
        assert [(await client.answer()).status for client in clients] == [200] * 16


@on_uvloop
async def test_requests_of_one_pod_that_dies_are_one_failure() -> None:
    """However many it had in flight, and although some of them fail after the pod was tried again."""

    async def hangs(request: Request) -> None:
        await asyncio.Event().wait()

    async with Proxy() as proxy:
        pod = await proxy.ready(hangs)
        clients = [await proxy.client() for _ in range(20)]
        for client in clients:
            client.send(POST)
        await until(lambda: pod.now == 20)
        seen = proxy.revision.throttle.pods[pod.uid]
        writers = [*pod._writers]
        for writer in writers[:10]:
            reset(writer)
        await until(lambda: seen.failures)
        await until(lambda: not seen.out_until)
        for writer in writers[10:]:
            reset(writer)
        assert {(await client.answer()).reason for client in clients} == {"maybe-sent"}
        assert seen.failures == 1
        assert not seen.out_until


@on_uvloop
async def test_a_connect_without_a_file_descriptor_is_no_failure_of_the_pod() -> None:
    """The pod is not left out. The request waits until a descriptor or a connection is free; others go on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with Proxy() as proxy:
        go = asyncio.Event()

        async def behave(request: Request) -> None:
            if request.method == b"PUT":
                await go.wait()
            await request.reply(ok())

        pod = await proxy.ready(behave)
        kept, waiting, late = [await proxy.client() for _ in range(3)]
        kept.send(PUT)
        await until(lambda: pod.now)
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            waiting.send(POST)
            await asyncio.sleep(0.2)
            seen = proxy.revision.throttle.pods[pod.uid]
            assert (seen.failures, seen.out_until, seen.connecting) == (0, 0.0, 1)
            go.set()
            assert (await kept.answer()).status == 200
            assert (await waiting.answer()).status == 200
            late.hang_up()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert pod.connections == 1


@on_uvloop
async def test_what_is_over_the_budget_is_not_repeated() -> None:
    """Once too much of a revision was repeated, a GET that broke off is 502 as well. What never reached a
    pod, or met a connection that its pod had closed at rest, goes again all the same.
    """
    clock = Clock()
    async with Proxy(clock=clock) as proxy:
        pod = await proxy.ready(resets, uid="resets")
        budget, counts = proxy.revision.budget, proxy.revision.counts
        while budget.take(clock(), requests=10, in_flight=1):
            pass
        client = await proxy.client()
        answer = await client.ask(GET)
        assert (answer.status, answer.reason) == (502, "maybe-sent")
        assert (len(pod.requests), counts.repeated) == (1, 0)
        proxy.gone(pod)
        refusing = await dead(proxy, "refuses")
        client.send(GET)
        await until(lambda: counts.repeated)
        proxy.gone(refusing)
        await proxy.ready(uid="closes", serve=closing_when_asked_again(by_reset=True))
        assert (await client.answer()).status == 200
        assert (await client.ask(GET)).value(b"Zerogate-Attempts") == b"2"


@pytest.mark.parametrize("number", [10, 400])
@on_uvloop
async def test_a_pod_that_dies_with_many_requests_costs_none_that_may_be_repeated(number: int) -> None:
    """Those in flight are within the budget, however many they are."""

    async def hangs(request: Request) -> None:
        await asyncio.Event().wait()

    async with Proxy() as proxy:
        pod = await proxy.ready(hangs)
        clients = [await proxy.client() for _ in range(number)]
        for client in clients:
            client.send(GET)
        await until(lambda: pod.now == len(clients))
        await proxy.ready(uid="other")
        writers = [*pod._writers]
        pod._server.close()  # a pod that went on listening would get some of them again
        for writer in writers:
            reset(writer)
        assert {(await client.answer()).status for client in clients} == {200}


@on_uvloop
async def test_a_body_too_large_to_keep_is_not_repeated() -> None:
    """Up to the bound it is sent again whole, beyond it 502."""
    settings = ProxySettings(replayed_body=1000)
    for size, status in [(1000, 200), (1001, 502)]:
        async with Proxy(settings=settings) as proxy:
            first = await proxy.ready(resets, uid="first")
            client = await proxy.client()
            client.send(post(b"x" * size, method=b"PUT"))
            await until(lambda first=first: first.requests)
            second = await proxy.ready(uid="second")
            assert (await client.answer()).status == status
            assert [request.body for request in second.requests] == ([b"x" * size] if status == 200 else [])


@on_uvloop
async def test_a_post_does_not_use_a_connection_that_was_closed_at_rest() -> None:
    """The look at the connection sees what the loop has not read yet: each request gets a new connection at
    once, whether it may be repeated or not.
    """
    loop = asyncio.get_running_loop()
    async with Proxy(clock=Clock()) as proxy:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
            server.setblocking(False)
            client.setblocking(False)
            proxy.dispatcher.pod_ready(proxy.revision, "raw", *server.getsockname())
            await loop.sock_connect(client, proxy.listener.address)
            for request_ in (POST, GET, PUT, POST):
                await loop.sock_sendall(client, GET)
                resting, _ = await loop.sock_accept(server)
                await loop.sock_recv(resting, 10_000)
                await loop.sock_sendall(resting, ok())
                assert b"Hello" in await loop.sock_recv(client, 10_000)
                client.send(request_)  # the loop hears of both at once, of the client first
                resting.close()
                with (await loop.sock_accept(server))[0] as fresh:
                    assert request_[:4] in await loop.sock_recv(fresh, 10_000)
                    await loop.sock_sendall(fresh, ok())
                    answer = await loop.sock_recv(client, 10_000)
                    assert answer.startswith(b"HTTP/1.1 200")
                    assert b"Zerogate-Attempts" not in answer
                await until(lambda: not proxy.revision.throttle.pods["raw"].idle)


@on_uvloop
async def test_a_post_does_not_use_a_connection_that_rested_long() -> None:
    """One that rested for less than `checked_idle` only; a GET may use an older one."""
    clock = Clock()
    async with Proxy(settings=ProxySettings(checked_idle=1.0, pod_idle=60.0), clock=clock) as proxy:
        pod = await proxy.ready()
        client = await proxy.client()
        await client.ask(POST)
        clock.now += 0.875
        await client.ask(POST)
        assert pod.connections == 1
        clock.now += 1.0
        await client.ask(GET)
        assert pod.connections == 1
        clock.now += 1.0
        await client.ask(POST)
        assert pod.connections == 2


@on_uvloop
async def test_a_connection_to_a_pod_that_rested_too_long_is_closed() -> None:
    """Before the pod's own keep-alive timeout can close it."""
    clock = Clock()
    async with Proxy(settings=ProxySettings(pod_idle=4.0), clock=clock) as proxy:
        pod = await proxy.ready()
        client = await proxy.client()
        await client.ask(GET)
        resting = next(iter(proxy.revision.throttle.pods.values())).idle
        await clock.forward(3.875, proxy)
        assert len(resting) == 1
        await clock.forward(0.125, proxy)
        assert not resting
        await until(lambda: not pod._writers)


@pytest.mark.parametrize(
    "broken",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense",
        b"HTTP/1.1 200 OK\r\n\r\nhalf",
    ],
    ids=["length", "chunked", "bad chunk", "until close"],
)
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@on_uvloop
async def test_an_answer_that_breaks_off_is_visibly_broken(broken: bytes, version: bytes) -> None:
    """The client's connection is cut: it never takes a half for the whole."""
    gone_on = asyncio.Event()

    async def half(request: Request) -> None:
        await request.reply(broken)
        await gone_on.wait()
        request.reset()

    async with Proxy() as proxy:
        await proxy.ready(half)
        client = await proxy.client()
        client.send(GET.replace(b"1.1", version))
        head = await client.reader.readuntil(b"\r\n\r\n")
        gone_on.set()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.reader.readuntil(b"0\r\n\r\n" if b"chunked" in head else b"never")
        if b"chunked" not in head and b"Content-Length" not in head:
            with pytest.raises(ConnectionError):  # a FIN would look like the end
                await client.reader.read()
        assert proxy.revision.counts.cut == 1


@on_uvloop
async def test_more_than_was_asked_for_reaches_nobody() -> None:
    """Bytes after an answer's end do not become the next one's beginning."""

    async def chatty(request: Request) -> None:
        await request.reply(ok() + ok(b"evil"))

    async with Proxy() as proxy:
        pod = await proxy.ready(chatty)
        client = await proxy.client()
        for _ in range(3):
            assert (await client.ask(GET)).body == b"Hello World!\n"
        assert pod.connections == 3


@on_uvloop
async def test_a_client_that_leaves_frees_its_slot() -> None:
    """While its request is with a pod, too: a reset is noticed, the pod's connection closed."""

    async def never(request: Request) -> None:
        await asyncio.Event().wait()

    async with Proxy(container_concurrency=1) as proxy:
        pod = await proxy.ready(never)
        client = await proxy.client()
        client.send(GET)
        await until(lambda: pod.now == 1)
        other = await proxy.client()
        other.send(GET)
        await until(lambda: proxy.waiting == 1)
        reset(client.writer)
        pod.behave = hello
        assert (await other.answer()).status == 200


async def steady(proxy: Proxy, request_: bytes, answers: list[Any], running: Callable[..., Any]) -> None:
    """One client with a connection of its own sends one request after the other."""
    client = await proxy.client()
    while running():
        answers.append(await client.ask(request_))


async def two_rounds(answers: list[Any]) -> None:
    """Wait until each client has received two more responses, so that no request meets two pods that leave.

    A fixed pause would not do: on a busy machine a request is still in flight when the next pod leaves.
    """
    before = [len(each) for each in answers]
    await until(lambda: all(len(each) >= was + 2 for each, was in zip(answers, before, strict=True)))


@pytest.mark.parametrize("is_told", [True, False], ids=["told before", "not told"])
@on_uvloop
async def test_nothing_is_lost_while_pods_come_and_go(is_told: bool) -> None:
    """Pods exit at once, under load. Told of it before (as preStop allows), no request fails, POST
    included; not told, no request that may be repeated does.
    """

    async def slow(request: Request) -> None:
        await asyncio.sleep(0.01)
        await request.reply(ok())

    async with Proxy() as proxy:
        answers: list[list[Answer]] = [[] for _ in range(24)]
        is_running = True
        requests = [GET, PUT, POST] if is_told else [GET, PUT]
        pods = [await proxy.ready(slow, uid=f"pod-{n}") for n in range(3)]
        clients = [
            asyncio.create_task(steady(proxy, requests[n % len(requests)], answers[n], lambda: is_running))
            for n in range(24)
        ]
        for n in range(3, 15):
            pods.append(await proxy.ready(slow, uid=f"pod-{n}"))
            leaving = pods.pop(0)
            if is_told:
                proxy.gone(leaving)
                # The proxy's own count: what it sent, the pod may not have read yet.
                await until(lambda uid=leaving.uid: not proxy.dispatcher.in_flight(proxy.revision, uid))
            leaving.refuse_from_now()
            await two_rounds(answers)
            proxy.gone(leaving)
        is_running = False
        await asyncio.gather(*clients)
        assert {answer.status for each in answers for answer in each} == {200}
        assert sum(len(each) for each in answers) > 200

"""A line for each request, where `logging.enable-request-log` asks for it."""

import logging

import pytest

from activator.edge.requestlog import RequestLog
from kube.objects import Obj
from kube.resources import CONFIGMAPS
from serving.config_observability import parse
from serving.validation import FieldError, Refused, admit
from testkit.proxy.harness import GET, Proxy, Request, post, until


def config_map(text: str) -> Obj:
    meta = {"name": "config-observability", "namespace": "zerogate-system"}
    return {"metadata": meta, "data": {"logging.enable-request-log": text}}


def test_the_key_is_off_unless_it_says_true() -> None:
    """Read as Knative reads it; other keys of the map have no meaning here."""
    assert not parse({}).request_log
    assert parse({"logging.enable-request-log": "true", "metrics-protocol": "none"}).request_log


def test_another_text_is_refused() -> None:
    """At apply time, with the key."""
    with pytest.raises(Refused) as refused:
        admit(CONFIGMAPS, config_map("maybe"), None, {})
    assert refused.value.errors == [
        FieldError("data.logging.enable-request-log", "'maybe' is not true or false")
    ]


async def test_each_request_is_a_line_with_what_became_of_it(caplog: pytest.LogCaptureFixture) -> None:
    """Method, host, path, status, how long it took; our own replies and broken answers too."""
    caplog.set_level(logging.INFO, "zerogate.activator")

    async def behave(request: Request) -> None:
        if b"/break" in request.head:
            await request.reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
            request.reset()
        elif b"/garbage" in request.head:
            await request.reply(b"nonsense\r\n\r\n")
        else:
            await request.reply(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")

    async with Proxy() as proxy:
        proxy.dispatcher.on_over = RequestLog(proxy.dispatcher.clock).told
        await proxy.ready(behave)
        client = await proxy.client()
        await client.ask(post(b"abc"), b"POST")
        await client.ask(GET.replace(b"GET / ", b"GET /garbage?a=b "))
        other = await proxy.client()
        other.send(GET.replace(b"GET / ", b"GET /break "))
        await until(lambda: len(caplog.records) == 3)
        await until(lambda: proxy.revision.counts.cut == 1)
    lines = [vars(line)["data"] for line in caplog.records]
    assert [(line["method"], line["path"], line["status"], line["cut"]) for line in lines] == [
        ("POST", "/", 201, False),
        ("GET", "/garbage?a=b", 502, False),
        ("GET", "/break", 200, True),
    ]
    assert {line["host"] for line in lines} == {"hello.default.example.com"}
    assert {line["revision"] for line in lines} == {"hello"}
    assert all(0 <= line["seconds"] < 5 for line in lines)
    assert caplog.records[0].message.startswith("POST hello.default.example.com/ → 201 in ")
    assert caplog.records[2].message.endswith(", cut")

"""A listening socket that is handed over: which descriptor it is, and what is said of what is none."""

import socket
from typing import Any

import pytest

from zerogate import inheritance
from zerogate.edge import sockets
from zerogate.errors import Failed

US = 4711


def said(**words: Any) -> dict[str, str]:
    return {f"LISTEN_{name.upper()}": value for name, value in words.items()}


@pytest.mark.parametrize(
    ("environment", "descriptor"),
    [
        ({}, None),
        (said(pid="4712", fds="1"), None),
        (said(pid="4711", fds="0"), None),
        (said(pid="4711", fds="1"), 3),
        (said(pid="4711", fds="1", fdnames="zerogate.socket"), 3),
        (said(pid="4711", fds="2", fdnames="admin:gateway"), 4),
    ],
)
def test_which_descriptor_is_the_gateways(environment: dict[str, str], descriptor: int | None) -> None:
    assert inheritance.inherited(environment, US) == descriptor


@pytest.mark.parametrize(
    ("environment", "fault"),
    [
        (said(pid="4711", fds="2"), "none is named gateway"),
        (said(pid="4711", fds="2", fdnames="a:b:gateway"), "FileDescriptorName=gateway"),
        (said(pid="4711", fds="many"), "LISTEN_FDS is 'many'"),
    ],
)
def test_what_is_handed_over_wrongly_is_told(environment: dict[str, str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        inheritance.inherited(environment, US)


def test_what_is_handed_on_is_found_by_its_heir_and_by_no_child() -> None:
    environment = inheritance.handed_on({"HOME": "/"}, US)
    assert inheritance.inherited(environment, US) == inheritance.FIRST
    assert inheritance.inherited(environment, US + 1) is None
    assert inheritance.without(environment) == {"HOME": "/"}


@pytest.mark.parametrize("kind", ["connected", "closed"])
def test_a_descriptor_that_listens_not_is_refused_by_its_number(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    one, other = socket.socketpair()
    number = one.detach()
    if kind == "closed":
        socket.socket(fileno=number).close()
    monkeypatch.setattr(inheritance, "inherited", lambda *_: number)
    with other, pytest.raises(Failed, match=rf"descriptor {number} was handed over"):
        sockets.inherited({})

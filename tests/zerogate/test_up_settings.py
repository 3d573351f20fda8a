"""What can be set of the activator can be set in `up`, and reaches each of its processes."""

import json
import socket
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from activator.edge.program import Settings
from zerogate import cli
from zerogate.edge.folder import DataFolder
from zerogate.edge.gateway import InThisProcess
from zerogate.edge.laptop import Doors, Laptop
from zerogate.edge.worker import Told
from zerogate.edge.workers import Crew

OF_THE_CLUSTER = {"--admin-token-file", "--peers", "--peers-address", "--link-token-file"}
"""How programs that are alone find and trust each other; `up` has them all, and makes that itself."""
FLAGS = [
    "--trusted-proxies", "10.0.0.0/8,fd00::/8", "--max-held-requests", "7", "--max-held-bytes", "1Mi",
    "--no-error-details", "--local-gateway", "127.0.0.1:0",
]  # fmt: skip


def flags_of(program: str) -> set[str]:
    command = cli._Command(ArgumentParser(), {})
    cli.COMMANDS[program](command)
    return {flag for flag in command.flags() if flag.startswith("--")}


def test_up_has_each_setting_of_the_activator() -> None:
    assert flags_of("activator") - flags_of("up") == OF_THE_CLUSTER


@pytest.mark.parametrize(
    ("variable", "value", "name", "wanted"),
    [
        ("ZEROGATE_TRUSTED_PROXIES", "127.0.0.0/8", "trusted_proxies", (ip_network("127.0.0.0/8"),)),
        ("ZEROGATE_MAX_HELD_REQUESTS", "5", "max_held_requests", 5),
        ("ZEROGATE_MAX_HELD_BYTES", "2Mi", "max_held_bytes", 2 << 20),
        ("ZEROGATE_DRAIN_DELAY", "3s", "drain_delay", 3.0),
        ("ZEROGATE_ERROR_DETAILS", "false", "error_details", False),
    ],
)
def test_each_has_a_variable_in_up_too(variable: str, value: str, name: str, wanted: object) -> None:
    assert getattr(cli.parse(["up"], {variable: value}), name) == wanted


def test_errors_are_told_in_full_on_a_laptop_unless_it_is_switched_off() -> None:
    assert cli.parse(["up"], {}).error_details
    assert not cli.parse(["up", "--no-error-details"], {}).error_details
    assert not cli.parse(["activator"], {}).error_details
    assert cli.parse(["activator", "--error-details"], {}).error_details


def test_a_variable_that_is_no_setting_is_reported() -> None:
    """A misspelt one is not ignored in silence; one of another command is no mistake."""
    environment = {"ZEROGATE_TRUSTED_PROXY": "x", "ZEROGATE_NATIVE": "off", "ZEROGATE_LINK": ":1", "PATH": ""}
    assert cli.unknown_variables(environment) == ["ZEROGATE_TRUSTED_PROXY"]
    ended = subprocess.run(
        [sys.executable, "-m", "zerogate", "sample"],
        env={"ZEROGATE_TRUSTED_PROXY": "x", "PATH": "", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "ZEROGATE_TRUSTED_PROXY is no setting" in ended.stderr


@pytest.fixture
def doors() -> Iterator[Doors]:
    with ExitStack() as opened:
        yield Doors(*(opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(4)))


def as_told(told: Told) -> Settings:
    """What a worker makes of what it is told; it has the parent's sockets under the same numbers."""
    settings = Told(**json.loads(json.dumps(asdict(told)))).settings()
    for place in (*settings.public, *settings.local):
        if isinstance(place, socket.socket):
            place.detach()
    return settings


@pytest.mark.parametrize("workers", ["0", "1", "2"])
async def test_settings_of_up_reach_the_gateway(workers: str, doors: Doors, tmp_path: Path) -> None:
    """In one process with everything else, in one of its own, and in several."""
    arguments = cli.parse(["up", "--in-memory", "--workers", workers, *FLAGS], {})
    folder = DataFolder(tmp_path / "data")
    try:
        laptop = Laptop(arguments, {}, folder, doors)
        gateway: Any = laptop._gateway
        if workers == "0":
            assert isinstance(gateway, InThisProcess)
            settings: Any = gateway._program._settings
            for place in (*settings.public, *settings.local):
                place.detach()
        else:
            assert isinstance(gateway, Crew)
            settings = as_told(gateway._told)
        laptop.kill()
    finally:
        folder.release()
    assert settings.proxy.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert (settings.max_held_requests, settings.max_held_bytes) == (7, 1 << 20)
    assert not settings.proxy.error_details
    assert len(settings.local) == 1

"""One gateway process of `zerogate up`; its parent starts it and tells it all in one JSON argument."""

import asyncio
import ctypes
import json
import logging
import os
import signal
import socket
import sys
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import uvloop

from activator.edge.program import Program, Settings
from activator.settings import ProxySettings
from kube.edge.client import Client
from kube.edge.credentials import load_credentials
from kube.edge.http import HttpTransport
from zerogate.edge import logs
from zerogate.edge.process import prepare

log = logging.getLogger("zerogate.activator")

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Told:
    """What the parent says. `listener` and `local_listener` are numbers of inherited sockets, the latter -1
    if there is none; `parent` is the parent's process.
    """

    listener: int
    local_listener: int
    parent: int
    kubeconfig: str
    token_file: str
    admin_socket: str
    system_namespace: str
    identity: str
    log_level: str
    drain_delay: float
    error_details: bool
    trusted_proxies: tuple[str, ...]
    max_held_requests: int
    max_held_bytes: int

    def settings(self) -> Settings:
        """As the activator takes them."""
        return Settings(
            public=(socket.socket(fileno=self.listener),),
            local=(socket.socket(fileno=self.local_listener),) if self.local_listener >= 0 else (),
            admin=f"unix:{self.admin_socket}",
            token=Path(self.token_file).read_text(),
            peers=("127.0.0.1", 0),
            system_namespace=self.system_namespace,
            identity=self.identity,
            localhost_alias=True,
            drain_delay=self.drain_delay,
            max_held_requests=self.max_held_requests,
            max_held_bytes=self.max_held_bytes,
            proxy=ProxySettings(
                error_details=self.error_details,
                trusted_proxies=tuple(ip_network(network) for network in self.trusted_proxies),
            ),
        )


def main() -> None:
    """Serve until SIGTERM, then drain. Ends with its parent, however that ends."""
    told = Told(**json.loads(sys.argv[1]))
    _die_with(told.parent)
    logs.configure(told.log_level)
    prepare()
    uvloop.run(_run(told))


def _die_with(parent: int) -> None:
    """A kill -9 of the parent leaves no gateway behind, which would keep the port."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


async def _run(told: Told) -> None:
    transport = HttpTransport(await load_credentials(told.kubeconfig), user_agent="zerogate-activator")
    client = Client(transport, manager="zerogate-activator")
    program = Program(client, told.settings())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, program.stop)
    try:
        await program.run()
    finally:
        await client.close()


if __name__ == "__main__":
    main()

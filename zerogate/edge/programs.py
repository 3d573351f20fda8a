"""One program alone, against $KUBECONFIG or the cluster it runs in."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import uvloop
from prometheus_client import REGISTRY, CollectorRegistry

from kube.edge.client import Client
from kube.edge.credentials import NoCredentials, load_credentials
from kube.edge.http import HttpTransport
from zerogate.addresses import Address
from zerogate.edge import logs
from zerogate.edge.admin import Pages, Views
from zerogate.edge.sockets import listen
from zerogate.errors import Failed

log = logging.getLogger("zerogate")

# Each program imports its own package only: an activator does not carry the autoscaler.


def main(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run until SIGTERM or Ctrl-C. Raises Failed."""
    logs.configure(arguments.log_level)
    program = {"activator": _activator, "autoscaler": _autoscaler, "controller": _controller, "node": _node}
    try:
        uvloop.run(program[arguments.command](arguments, environment))
    except NoCredentials as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"{arguments.command}: {error}") from error
    return 0


@contextlib.asynccontextmanager
async def _client(program: str, environment: Mapping[str, str]) -> AsyncIterator[Client]:
    credentials = await load_credentials(environment.get("KUBECONFIG", ""))
    client = Client(HttpTransport(credentials, user_agent=program), manager=program)
    try:
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def _shown(address: Address, views: Views) -> AsyncIterator[None]:
    """The admin pages while the body runs. Raises Failed when the address can't be had."""
    with contextlib.closing(listen(address, "--admin")) as listener:
        pages = Pages(views)
        await pages.start(listener)
        try:
            yield
        finally:
            await pages.close()


async def _until_asked(run: Awaitable[None], stop: Callable[[], object] | None = None) -> None:
    """Run until SIGTERM or SIGINT; then call `stop` and wait for the end, or cancel where there is none."""
    running = asyncio.ensure_future(run)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop or running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _system_namespace(environment: Mapping[str, str]) -> str:
    return environment.get("SYSTEM_NAMESPACE", "zerogate-system")


def _identity(environment: Mapping[str, str]) -> str:
    return environment.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"


def _token(arguments: argparse.Namespace) -> str:
    """The link's secret. Raises Failed where there is none: nobody is to connect without."""
    if not arguments.link_token_file:
        raise Failed("--link-token-file is missing: name a file that holds the same secret for all programs")
    try:
        return Path(arguments.link_token_file).read_text().strip()
    except OSError as error:
        raise Failed(f"--link-token-file {arguments.link_token_file}: {error.strerror}") from error


async def _activator(arguments: argparse.Namespace, environment: Mapping[str, str]) -> None:
    from activator.edge.program import Program, Settings  # noqa: PLC0415
    from activator.settings import ProxySettings  # noqa: PLC0415

    settings = Settings(
        public=(listen(arguments.gateway, "--gateway"),),
        admin=str(arguments.admin),
        token=_token(arguments),
        system_namespace=_system_namespace(environment),
        identity=_identity(environment),
        pod_uid=environment.get("POD_UID", ""),
        drain_delay=arguments.drain_delay,
        proxy=ProxySettings(error_details=arguments.error_details),
    )
    async with _client("zerogate-activator", environment) as client:
        program = Program(client, settings)
        await _until_asked(program.run(), program.stop)


async def _autoscaler(arguments: argparse.Namespace, environment: Mapping[str, str]) -> None:
    from autoscaler.edge.program import Autoscaler  # noqa: PLC0415
    from autoscaler.edge.settings import Settings  # noqa: PLC0415

    settings = Settings(
        identity=_identity(environment),
        link_host=arguments.link.host or "0.0.0.0",
        link_port=arguments.link.port,
        token=_token(arguments),
        system_namespace=_system_namespace(environment),
    )
    async with _client("zerogate-autoscaler", environment) as client:
        autoscaler = Autoscaler(client, settings)
        registry = CollectorRegistry()
        autoscaler.metrics(registry)
        views = Views(registry, settings.token, state=autoscaler.state, history=autoscaler.history)
        async with _shown(arguments.admin, views):
            await _until_asked(autoscaler.run())


async def _controller(arguments: argparse.Namespace, environment: Mapping[str, str]) -> None:
    from kube.edge.lease import Elector  # noqa: PLC0415
    from serving.edge import controller  # noqa: PLC0415

    namespace = _system_namespace(environment)
    async with _client("zerogate-controller", environment) as client:

        async def lead() -> None:
            elector = Elector(
                client, (namespace, "zerogate-controller"), _identity(environment), annotations={}
            )
            async with elector.lead():
                await controller.run(client, controller.Settings(namespace))

        async with _shown(arguments.admin, Views(REGISTRY)):
            await _until_asked(lead())


async def _node(arguments: argparse.Namespace, environment: Mapping[str, str]) -> None:
    from embedded.edge.node import agent  # noqa: PLC0415
    from embedded.node.settings import LogEndpoint, NodeSettings  # noqa: PLC0415
    from zerogate.shipped import programs_folder  # noqa: PLC0415

    logs_at = arguments.logs
    settings = NodeSettings(
        log_endpoint=LogEndpoint(logs_at.host, logs_at.port, Path(arguments.client_ca_file))
        if arguments.client_ca_file
        else None,
        folder=arguments.data,
        working_folder=Path.cwd(),
        name=arguments.name,
        system_namespace=_system_namespace(environment),
        is_scheduler=False,
        allows_raw_command=False,
        words={"samples": str(programs_folder())},
    )
    async with _client("zerogate-node", environment) as client:
        await _until_asked(agent.run(client, settings))

"""One program alone, against $KUBECONFIG or the cluster it runs in."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import uvloop
from prometheus_client import REGISTRY, CollectorRegistry

from kube.edge.client import Client
from kube.edge.credentials import NoCredentials, is_in_pod, load_credentials
from kube.edge.http import HttpTransport
from zerogate.addresses import Address
from zerogate.edge import logs, preflight
from zerogate.edge.admin import Pages, Views
from zerogate.edge.process import prepare
from zerogate.edge.sockets import listen
from zerogate.errors import Failed, first_cause

log = logging.getLogger("zerogate")

# Each program imports its own package only: an activator does not carry the autoscaler.


def main(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run until SIGTERM or Ctrl-C. Raises Failed."""
    logs.configure(arguments.log_level)
    program = {"activator": _activator, "autoscaler": _autoscaler, "controller": _controller, "node": _node}
    try:
        uvloop.run(program[arguments.command](arguments, environment))
    except Exception as error:
        raise _failed(arguments.command, first_cause(error)) from error
    return 0


def _failed(command: str, cause: BaseException) -> Failed:
    """The line for what ended a program; where that is a defect, its trace goes to the log."""
    if isinstance(cause, Failed):
        return cause
    if isinstance(cause, NoCredentials):
        return Failed(str(cause))
    if isinstance(cause, OSError):
        return Failed(f"{command}: {cause}")
    log.error("%s ended by a defect", command, exc_info=cause)
    return Failed(f"{command} ended by a defect, its trace is in the log: {type(cause).__name__}: {cause}")


@contextlib.asynccontextmanager
async def _client(program: str, environment: Mapping[str, str]) -> AsyncIterator[Client]:
    credentials = await load_credentials(environment.get("KUBECONFIG", ""))
    client = Client(HttpTransport(credentials, user_agent=program), manager=program)
    try:
        async with preflight.passed(
            client, program.removeprefix("zerogate-"), _system_namespace(environment)
        ):
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


def _secret(arguments: argparse.Namespace, flag: str) -> str:
    """What stands in the flag's file, "" where no file is given. Raises Failed."""
    file = getattr(arguments, flag.removeprefix("--").replace("-", "_"))
    try:
        text = Path(file).read_text().strip() if file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{flag} {file} can't be read: {error}") from error
    if file and not text:
        raise Failed(f"{flag} {file} is empty; write a secret into it")
    return text


def _shared_secret(arguments: argparse.Namespace, environment: Mapping[str, str]) -> str:
    """The link's secret, "" where tokens are reviewed. Raises Failed: nobody is to connect without either."""
    secret, how = _secret(arguments, "--link-token-file"), arguments.link_auth
    if how == "token-review":
        return ""
    if not secret and (how or not (is_in_pod() and not environment.get("KUBECONFIG"))):
        raise Failed(
            "--link-token-file is missing: name a file that holds the same secret for all programs, or, on a "
            "cluster, say --link-auth token-review"
        )
    return secret


def _told_address(told: Address | None, bound: Address, environment: Mapping[str, str]) -> str:
    """The address that others are told, "" for the one that is listened on."""
    if told is not None:
        return str(told)
    pod = environment.get("POD_IP")
    return str(Address(pod, bound.port)) if pod and bound.port else ""


async def _activator(arguments: argparse.Namespace, environment: Mapping[str, str]) -> None:
    from activator.edge.program import Program, Settings  # noqa: PLC0415
    from activator.settings import ProxySettings  # noqa: PLC0415

    prepare()
    if not _secret(arguments, "--link-token-file"):
        raise Failed(
            "--link-token-file is missing: name the file with a ServiceAccount token for the audience "
            "zerogate-link, or with the secret that all programs share"
        )
    local, peers = arguments.local_gateway, arguments.peers
    settings = Settings(
        public=(listen(arguments.gateway, "--gateway"),),
        local=(listen(local, "--local-gateway"),) if local else (),
        are_sockets_shared=False,
        admin=str(arguments.admin),
        token=_secret(arguments, "--admin-token-file"),
        peers=(peers.host, peers.port) if peers else None,
        peer_address=_told_address(arguments.peers_address, peers, environment) if peers else "",
        link_token_file=arguments.link_token_file,
        system_namespace=_system_namespace(environment),
        identity=_identity(environment),
        pod_uid=environment.get("POD_UID", ""),
        drain_delay=arguments.drain_delay,
        max_held_requests=arguments.max_held_requests,
        max_held_bytes=arguments.max_held_bytes,
        proxy=ProxySettings(error_details=arguments.error_details, trusted_proxies=arguments.trusted_proxies),
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
        link_address=_told_address(arguments.link_address, arguments.link, environment),
        token=_shared_secret(arguments, environment),
        system_namespace=_system_namespace(environment),
        activators_service=arguments.activators_service,
    )
    admin_token = _secret(arguments, "--admin-token-file")
    async with _client("zerogate-autoscaler", environment) as client:
        autoscaler = Autoscaler(client, settings)
        registry = CollectorRegistry()
        autoscaler.metrics(registry)
        views = Views(registry, admin_token, state=autoscaler.state, history=autoscaler.history)
        async with _shown(arguments.admin, views):
            await _until_asked(autoscaler.run())


async def _controller(arguments: argparse.Namespace, environment: Mapping[str, str]) -> None:
    from kube.edge.lease import Elector, Leadership  # noqa: PLC0415
    from serving.edge import controller  # noqa: PLC0415

    namespace = _system_namespace(environment)
    admin_token = _secret(arguments, "--admin-token-file")
    state: dict[str, object] = {"isLeader": False}

    async def lead(leadership: Leadership) -> None:
        log.info("Leading, epoch %d", leadership.epoch)
        leading = controller.Controller(leadership.client, controller.Settings(namespace))
        state.update(isLeader=True, epoch=leadership.epoch, controller=leading)
        try:
            await leading.run()
        finally:
            state.clear()
            state["isLeader"] = False

    async with _client("zerogate-controller", environment) as client:
        lease = (namespace, "zerogate-controller")
        elector = Elector(client, lease, _identity(environment), annotations={})
        views = Views(REGISTRY, admin_token, state=lambda: dict(state))
        async with _shown(arguments.admin, views):
            await _until_asked(elector.run(lead))


def _client_authority(arguments: argparse.Namespace) -> Path | None:
    """Whose certificates may read logs, None where they are not served. Raises Failed, before a pod runs,
    where they could not be.
    """
    if not arguments.client_ca_file:
        return None
    file = Path(arguments.client_ca_file)
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:
        why = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        wanted = "name the PEM file of the authority that signs the API server's kubelet client"
        raise Failed(f"--client-ca-file {file}: {why}; {wanted}") from error
    listen(arguments.logs, "--logs").close()  # only tried here: a taken port costs nothing but a line
    return file


async def _node(arguments: argparse.Namespace, environment: Mapping[str, str]) -> None:
    from embedded.edge.node import agent  # noqa: PLC0415
    from embedded.node.settings import LogEndpoint, NodeSettings  # noqa: PLC0415
    from zerogate.shipped import programs_folder  # noqa: PLC0415

    authority = _client_authority(arguments)
    settings = NodeSettings(
        log_endpoint=LogEndpoint(arguments.logs.host, arguments.logs.port, authority) if authority else None,
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

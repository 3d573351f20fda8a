"""The commands and their settings.

Each setting has one name: `--drain-delay` as a flag, ZEROGATE_DRAIN_DELAY in the environment. A flag wins.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from kube.duration import parse_duration
from kube.quantity import parse_quantity
from zerogate import __version__
from zerogate.addresses import Address, parse_address

MOST_WORKERS = 256
PREFIX = "ZEROGATE_"
OTHER_VARIABLES = ("ZEROGATE_NATIVE", "ZEROGATE_PROCESS")
"""Variables that are no settings of a command: see `native`, and the records of the node agent."""
HELP = {
    "up": "Run everything on this machine, in the foreground, until Ctrl-C.",
    "activator": "The proxy: routes by Host, holds, picks a pod, counts.",
    "autoscaler": "The decisions: how many pods each revision has.",
    "controller": "Services into Configurations, Revisions, Deployments and Routes.",
    "node": "A node whose pods are processes of this machine.",
}
DESCRIPTION = "Scale-to-zero for HTTP services: on this machine with `up`, on Kubernetes program by program."


class _Command:
    """A sub-command's parser whose options take their defaults from the environment."""

    def __init__(self, parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
        self.parser = parser
        self._environment = environment

    def setting(self, flag: str, default: str, help_: str, read: Callable[[str], Any] = str) -> None:
        """One setting as a flag and as a variable."""
        variable = _variable(flag)
        given = self._environment.get(variable, default)
        said = f"{help_} [{default}; {variable}]" if default else f"{help_} [{variable}]"
        self.parser.add_argument(flag, default=given, type=_reader(read), help=said.replace("%", "%%"))

    def switch(self, flag: str, help_: str, *, is_on: bool = False) -> None:
        """A setting that is on or off; `is_on` without a flag and a variable."""
        variable = _variable(flag)
        given = self._environment.get(variable)
        default = is_on if given is None else given.lower() in {"1", "true", "yes", "on"}
        self.parser.add_argument(
            flag, action=argparse.BooleanOptionalAction, default=default,
            help=f"{help_} [{'on' if is_on else 'off'}; {variable}]",
        )  # fmt: skip

    def flags(self) -> list[str]:
        """All of them, without the values."""
        return [flag for action in self.parser._actions for flag in action.option_strings]  # noqa: SLF001

    def common(self) -> None:
        """What every program has."""
        self.setting(
            "--log-level",
            "info",
            "debug, info, warning or error",
            _one_of("debug", "info", "warning", "error"),
        )


def _variable(flag: str) -> str:
    return PREFIX + flag.removeprefix("--").replace("-", "_").upper()


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """The variables that look like settings and are none of any command."""
    given = {name for name in environment if name.startswith(PREFIX)} - {*OTHER_VARIABLES}
    if not given:  # the settings of all commands are made for this alone
        return []
    known = set()
    for name, add in COMMANDS.items():
        command = _Command(argparse.ArgumentParser(prog=name), {})
        add(command)
        known |= {_variable(flag) for flag in command.flags()}
    return sorted(given - known)


def _reader(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Keep a ValueError's text, which argparse would swallow: says what to write instead."""

    def checked(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked


def _one_of(*names: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"{text!r} is none of {', '.join(filter(None, names))}")
        return text

    return read


def _worker_count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > MOST_WORKERS:
        raise ValueError(
            f"{text!r}: write how many processes the gateway is to have, up to {MOST_WORKERS}; "
            "0 puts all into one process"
        )
    return int(text)


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> argparse.Namespace:
    """The command and its settings. Exits with status 2 and a usage line on wrong ones, as argparse does."""
    parser = argparse.ArgumentParser(prog="zerogate", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"zerogate {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help_: str) -> _Command:
        return _Command(commands.add_parser(name, help=help_, description=help_), environment)

    for name, add in COMMANDS.items():
        add(command(name, HELP[name]))
    doctor = command("doctor", "Look at a laptop or a cluster, and say what is wrong and what to do.")
    doctor.parser.add_argument(
        "-o", dest="output", choices=("text", "json"), default="text", help="one line a finding, or JSON"
    )
    replay = command("replay", "Print what the autoscaler decides for a recorded history.")
    replay.parser.add_argument(
        "trace", type=Path, metavar="TRACE.jsonl", help="a history, one JSON object a line"
    )
    sample = command("sample", "Print a sample manifest, or their names.")
    sample.parser.add_argument("name", nargs="?", default="", help="which one")
    return parser.parse_args(arguments)


def _up(up: _Command) -> None:
    up.parser.add_argument(
        "-f", dest="files", action="append", default=[], type=Path, metavar="FILE",
        help="apply this manifest once all runs; may be given several times",
    )  # fmt: skip
    up.setting("--gateway", "127.0.0.1:8080", "where requests to the services arrive", parse_address)
    up.setting(
        "--local-gateway",
        "",
        'where requests arrive that may reach cluster-local services, too; "" for nowhere',
        _address_or_none,
    )
    up.setting("--api", "127.0.0.1:8001", "where the Kubernetes API listens", parse_address)
    up.setting("--admin", "127.0.0.1:9090", "metrics, health and /debug", parse_address)
    up.setting("--data", ".zerogate", "the folder that keeps services and logs", Path)
    up.switch("--in-memory", "keep nothing: all objects are gone after Ctrl-C")
    up.setting(
        "--workers", "1", "gateway processes on one socket; 0 puts all into one process", _worker_count
    )
    _proxy(up, drain_delay="0s", has_error_details=True)
    up.common()


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError(f"{error}; write networks like 10.0.0.0/8, with commas between") from error


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise ValueError(f"{text!r}: write a whole number")
    return int(text)


def _bytes(text: str) -> int:
    return int(parse_quantity(text))


def _address_or_none(text: str) -> Address | None:
    return parse_address(text) if text else None


def _inside(command: _Command) -> None:
    command.setting("--admin", "0.0.0.0:9090", "metrics, health and /debug", parse_address)
    command.setting("--admin-token-file", "", "file with the secret of /debug, which is off without")


def _activator(command: _Command) -> None:
    command.setting("--gateway", "0.0.0.0:8080", "where requests from outside arrive", parse_address)
    command.setting(
        "--local-gateway",
        "0.0.0.0:8081",
        'where requests from within the cluster arrive, for its own names too; "" for nowhere',
        _address_or_none,
    )
    _inside(command)
    command.setting(
        "--peers",
        "",
        "where other activators send requests whose containerConcurrency this one holds to; several need it",
        _address_or_none,
    )
    command.setting(
        "--peers-address",
        "",
        "the address that they are told; by default $POD_IP with the port of --peers",
        _address_or_none,
    )
    _proxy(command, drain_delay="15s", has_error_details=False)
    command.setting(
        "--link-token-file",
        "",
        "file with what proves us to the autoscaler, read at each connect: a ServiceAccount token for the "
        "audience zerogate-link, or the secret that all programs share",
    )
    command.common()


def _proxy(command: _Command, *, drain_delay: str, has_error_details: bool) -> None:
    """What is set of the proxy, in a program of its own and in `up`."""
    command.setting("--drain-delay", drain_delay, "how long SIGTERM leaves the door open", parse_duration)
    command.switch("--error-details", "say in responses why a pod cannot start", is_on=has_error_details)
    command.setting(
        "--trusted-proxies",
        "",
        "networks whose Forwarded and X-Forwarded-* headers are believed, as 10.0.0.0/8,fd00::/8",
        _networks,
    )
    command.setting(
        "--max-held-requests", "100000", "requests that may wait for pods at once, for each process", _count
    )
    command.setting("--max-held-bytes", "256Mi", "what may be kept of them", _bytes)


def _autoscaler(command: _Command) -> None:
    command.setting("--link", "0.0.0.0:8090", "where activators connect", parse_address)
    command.setting(
        "--link-address",
        "",
        "the address that is published for them; by default $POD_IP with the port of --link",
        _address_or_none,
    )
    command.setting(
        "--link-auth",
        "",
        "how they prove who they are: token-file (a shared secret) or token-review (ServiceAccount tokens, "
        "over TLS); by default token-file where there is one, token-review in a pod",
        _one_of("", "token-file", "token-review"),
    )
    command.setting("--link-token-file", "", "file with the secret that all programs share")
    command.setting(
        "--activators-service",
        "",
        "the Service in the system namespace whose ready pods are expected to report; by default those are "
        "that have reported",
    )
    _inside(command)
    command.common()


def _controller(command: _Command) -> None:
    _inside(command)
    command.common()


def _node(command: _Command) -> None:
    command.setting("--name", "zerogate-node", "the Node's name")
    command.setting("--data", ".zerogate-node", "the folder that keeps logs and run records", Path)
    command.setting("--logs", "127.0.0.1:10250", "where the API server fetches logs", parse_address)
    command.setting(
        "--client-ca-file", "", "authority of the API server's kubelet client; without it no logs are served"
    )
    command.common()


COMMANDS: Mapping[str, Callable[[_Command], None]] = {
    "up": _up,
    "activator": _activator,
    "autoscaler": _autoscaler,
    "controller": _controller,
    "node": _node,
}
"""The programs, and what adds the settings of each."""

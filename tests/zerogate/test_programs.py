"""The settings of programs that run alone, before anything is started."""

import asyncio
import socket
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

import pytest

from embedded.edge.lock import make_lock
from kube.edge.credentials import NoCredentials
from zerogate import cli
from zerogate.edge import programs
from zerogate.errors import Failed


def parsed(program: str, *flags: str) -> Namespace:
    return cli.parse([program, *flags], {})


def test_the_activator_has_a_listener_of_its_own_for_the_cluster_unless_told_otherwise() -> None:
    assert str(parsed("activator").local_gateway) == "0.0.0.0:8081"
    assert parsed("activator", "--local-gateway", "").local_gateway is None


@pytest.mark.parametrize(
    ("flags", "environment", "published"),
    [
        ((), {}, ""),
        ((), {"POD_IP": "10.0.0.7"}, "10.0.0.7:8090"),
        (("--link", "0.0.0.0:99"), {"POD_IP": "fd00::7"}, "[fd00::7]:99"),
        (("--link-address", "name:5"), {"POD_IP": "10.0.0.7"}, "name:5"),
    ],
)
def test_a_pods_address_is_published_unless_another_one_is_given(
    flags: tuple[str, ...], environment: dict[str, str], published: str
) -> None:
    assert (
        programs._told_address(
            parsed("autoscaler", *flags).link_address, parsed("autoscaler", *flags).link, environment
        )
        == published
    )


@pytest.mark.parametrize("is_in_pod", [True, False])
def test_activators_prove_who_they_are_by_a_secret_where_there_is_one_and_else_by_reviewed_tokens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_in_pod: bool
) -> None:
    """Nothing is open by omission: outside of a pod, tokens are reviewed on demand only."""
    monkeypatch.setattr(programs, "is_in_pod", lambda: is_in_pod)
    file = tmp_path / "secret"
    file.write_text("s\n")

    def secret(*flags: str, **environment: str) -> str:
        return programs._shared_secret(parsed("autoscaler", *flags), environment)

    assert secret("--link-token-file", str(file)) == "s"
    assert secret("--link-token-file", str(file), "--link-auth", "token-file") == "s"
    assert secret("--link-auth", "token-review") == ""
    with pytest.raises(Failed, match="--link-token-file is missing"):
        secret("--link-auth", "token-file")
    with pytest.raises(Failed, match="--link-token-file is missing"):
        secret(KUBECONFIG="elsewhere")
    if is_in_pod:
        assert secret() == ""
    else:
        with pytest.raises(Failed, match="--link-auth token-review"):
            secret()


@pytest.mark.parametrize("flag", ["--link-token-file", "--admin-token-file"])
def test_a_secret_that_cannot_be_read_or_is_empty_is_named(tmp_path: Path, flag: str) -> None:
    file = tmp_path / "secret"
    with pytest.raises(Failed, match=f"{flag} {file} can't be read: .*No such file"):
        programs._secret(parsed("autoscaler", flag, str(file)), flag)
    file.write_text("\n")
    with pytest.raises(Failed, match=f"{flag} {file} is empty"):
        programs._secret(parsed("autoscaler", flag, str(file)), flag)


def test_a_way_to_prove_oneself_that_does_not_exist_is_wrong_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed("autoscaler", "--link-auth", "trust")
    assert ended.value.code == 2
    assert "--link-auth: 'trust' is none of token-file, token-review" in capsys.readouterr().err


async def _fails(cause: Exception) -> None:
    async with asyncio.TaskGroup():
        raise cause


@pytest.mark.parametrize(
    ("cause", "line"),
    [
        (NoCredentials("no API server: set KUBECONFIG"), "no API server: set KUBECONFIG"),
        (OSError(98, "Address already in use"), "controller: [Errno 98] Address already in use"),
        (KeyError("x"), "controller ended by a defect, its trace is in the log: KeyError: 'x'"),
    ],
)
def test_whatever_ends_a_program_is_one_line_and_a_defect_leaves_its_trace_in_the_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cause: Exception, line: str
) -> None:
    async def controller(_arguments: Namespace, _environment: Mapping[str, str]) -> None:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(_fails(cause))
            await asyncio.Event().wait()

    monkeypatch.setattr(programs, "_controller", controller)
    with pytest.raises(Failed) as failed:
        programs.main(parsed("controller"), {})
    assert str(failed.value) == line
    assert ("Traceback" in capsys.readouterr().err) is isinstance(cause, KeyError)


def test_a_node_that_could_not_serve_logs_says_so_before_a_pod_runs(tmp_path: Path) -> None:
    """A file that is not there or holds no certificate, a port that somebody has."""
    missing, empty = tmp_path / "missing.crt", tmp_path / "empty.crt"
    empty.write_text("no certificate")
    for file, why in ((missing, "No such file or directory"), (empty, "it holds no certificate")):
        with pytest.raises(Failed, match=f"--client-ca-file {file}: {why}; name the PEM file"):
            programs._client_authority(parsed("node", "--client-ca-file", str(file)))
    assert programs._client_authority(parsed("node")) is None
    make_lock(tmp_path)
    authority = str(tmp_path / "ca.crt")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        there = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Failed, match="choose another --logs"):
            programs._client_authority(parsed("node", "--client-ca-file", authority, "--logs", there))
    found = programs._client_authority(parsed("node", "--client-ca-file", authority, "--logs", "127.0.0.1:0"))
    assert found == Path(authority)

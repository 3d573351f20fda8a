"""What is started for a container: words, environment, folder."""

from typing import Any

import pytest

from embedded.node.environment import CannotStart, sources_of
from embedded.node.images import Image, ImageTable
from embedded.node.launch import Host, Launch, Serving, launch_of, serving_container
from kube.objects import Obj

TABLE = ImageTable((Image("hello", ("python3", "app.py"), (("A", "table"), ("B", "table")), "src"),))
SHELL = {"PATH": "/bin", "HOME": "/me", "VIRTUAL_ENV": "/venv", "PYTHONPATH": "/x", "SECRET": "s"}


def host(**changes: Any) -> Host:
    given: dict[str, Any] = {
        "words": {"python": "/py"},
        "working_folder": "/project",
        "environment": SHELL,
        "node": "n",
        "system_namespace": "system",
        "allows_raw_command": True,
    }
    return Host(**(given | changes))


def pod(*containers: dict[str, Any], **spec: Any) -> Obj:
    meta = {"name": "p", "namespace": "d", "uid": "u", "labels": {"l": "1"}, "annotations": {"a/b": "2"}}
    return {"metadata": meta, "spec": {"containers": list(containers), **spec}}


def launch(
    container: dict[str, Any],
    *,
    port: int = 31000,
    sources: dict[tuple[str, str], Any] | None = None,
    on: Host | None = None,
) -> Launch:
    return launch_of(
        pod(container, serviceAccountName="sa"),
        container,
        TABLE,
        on or host(),
        port=port,
        sources=sources or {},
    )


@pytest.mark.parametrize(
    ("container", "argv", "folder"),
    [
        ({"image": "hello"}, ("/py", "app.py"), "/project/src"),
        ({"image": "hello", "args": ["-p", "$(PORT)"]}, ("/py", "app.py", "-p", "31000"), "/project/src"),
        ({"image": "hello", "workingDir": "/abs"}, ("/py", "app.py"), "/abs"),
        ({"image": "x", "command": ["python3", "a"], "args": ["b"]}, ("python3", "a", "b"), "/project"),
        ({"image": "x", "command": ["c"], "workingDir": "../up"}, ("c",), "/up"),
    ],
)
def test_words_and_folder(container: dict[str, Any], argv: tuple[str, ...], folder: str) -> None:
    """The container's command wins over the table's, args follow either; relative folders start at ours."""
    found = launch({"name": "c", **container})
    assert (found.argv, found.folder) == (argv, folder)


def test_later_layers_of_the_environment_win() -> None:
    """Little of the agent's own, the table's, envFrom, env, and PORT and HOSTNAME that nobody overrides."""
    container = {
        "name": "c",
        "image": "hello",
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "cm"}}, {"secretRef": {"name": "s"}}],
        "env": [
            {"name": "B", "value": "$(A) and $(P_X) at $(PORT)"},
            {"name": "PORT", "value": "8080"},
            {"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['l']"}}},
            {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "O", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "k", "optional": True}}},
        ],
    }
    sources = {("ConfigMap", "cm"): {"X": "1"}, ("Secret", "s"): {"k": "hush"}, ("ConfigMap", "no"): None}
    assert sources_of(container) == sources.keys()
    env = launch(container, sources=sources).env
    assert env == {
        "PATH": "/bin",
        "HOME": "/me",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "A": "table",
        "B": "table and 1 at 31000",
        "P_X": "1",
        "k": "hush",
        "K": "hush",
        "L": "1",
        "N": "n",
        "HOSTNAME": "p",
        "PORT": "31000",
    }


def test_a_container_that_does_not_serve_gets_no_port() -> None:
    """PORT belongs to one container of the pod."""
    assert "PORT" not in launch({"name": "c", "image": "hello"}, port=0).env


@pytest.mark.parametrize(
    ("container", "on", "reason", "told"),
    [
        ({"image": "who"}, {}, "ErrImagePull", "config-images"),
        ({"command": ["c"]}, {"allows_raw_command": False}, "CreateContainerConfigError", "table only"),
        (
            {"command": ["c"], "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {}}}]},
            {},
            "CreateContainerConfigError",
            "resourceFieldRef is not supported",
        ),
        (
            {"command": ["c"], "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
            {},
            "CreateContainerConfigError",
            "fieldRef 'x'",
        ),
        (
            {"command": ["c"], "envFrom": [{"secretRef": {"name": "s"}}]},
            {},
            "CreateContainerConfigError",
            'secret "s" not found',
        ),
    ],
)
def test_what_lacks_is_told(container: dict[str, Any], on: dict[str, Any], reason: str, told: str) -> None:
    """The waiting reason is Kubernetes', the message says what to look at."""
    with pytest.raises(CannotStart) as caught:
        launch({"name": "c", **container}, on=host(**on))
    assert caught.value.reason == reason
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([[], []], Serving("c0", 0)),
        ([[], [{"containerPort": 9000}]], Serving("c1", 9000)),
        ([[{"containerPort": 9000}], [{"name": "h2c", "containerPort": 8080}]], Serving("c1", 8080)),
        ([[{"containerPort": 53, "protocol": "UDP"}], [{"containerPort": 80}]], Serving("c1", 80)),
    ],
)
def test_the_container_that_serves(ports: list[list[dict[str, Any]]], expected: Serving) -> None:
    """A port named for serving, else the first TCP port, else the first container."""
    containers = [{"name": f"c{place}", "ports": each} for place, each in enumerate(ports)]
    assert serving_container(pod(*containers)) == expected

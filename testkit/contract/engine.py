"""A Kubernetes API under test, of either engine: plain HTTP, watches, kubectl, namespaces of a test's own."""

import asyncio
import contextlib
import http.client
import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlencode, urlsplit

from kube.edge.credentials import load_credentials
from kube.resources import CONFIGMAPS, CRDS, NAMESPACES, Resource
from testkit import kubectl
from testkit.waiting import wait_for

JSON = "application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
NAMESPACE_PREFIX = "contract-"


class Answer(NamedTuple):
    """An API server's answer; headers by their names in lower case, JSON bodies decoded, others text.

    `warnings` are the texts of all its Warning headers.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    warnings: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The reason of a Status; "" where there is none."""
        return (self.body.get("reason") or "") if isinstance(self.body, dict) else ""

    @property
    def message(self) -> str:
        """The message of a Status; "" where there is none."""
        return (self.body.get("message") or "") if isinstance(self.body, dict) else ""

    @property
    def causes(self) -> list[str]:
        """The fields that a Status finds fault with."""
        details = self.body.get("details") or {}
        return [cause.get("field", "") for cause in details.get("causes") or ()]


class Engine:
    """One API server. `name` is "embedded" or "kubernetes".

    `folder` is for files of the tests' own, `logs` where the node keeps its pods' output: None where the node
    is none of ours, and the tests that need pods are skipped.
    """

    def __init__(self, name: str, kubeconfig: Path, folder: Path, *, logs: Path | None) -> None:
        self.name = name
        self.kubeconfig = kubeconfig
        self.folder = folder
        self.logs = logs
        self.namespaces: set[str] = set()
        self.compact: Callable[[str], None] | None = None  # forgets all versions up to one, where we may
        # Copied once: pytest changes os.environ between tests, and threads of this engine start kubectl.
        self._environment = dict(os.environ)
        self._credentials = asyncio.run(load_credentials(str(kubeconfig)))
        self._address = urlsplit(self._credentials.server)

    def __repr__(self) -> str:
        return f"<Engine {self.name} {self._credentials.server}>"

    # kubectl

    def kubectl(self, *arguments: str, given: str | None = None, check: bool = True) -> str:
        """What kubectl prints, stderr last; fails the test where kubectl fails, unless `check` is off."""
        done = self.kubectl_result(*arguments, given=given)
        told = done.stdout + done.stderr
        assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}:\n{told}"
        return told

    def kubectl_result(
        self, *arguments: str, given: str | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The same with its exit status, stdout and stderr apart."""
        return subprocess.run(
            ["kubectl", *arguments],
            input=given, capture_output=True, text=True, timeout=90, check=False,
            env={**self._kubectl_environment(), **(environment or {})},
        )  # fmt: skip

    def kubectl_process(self, *arguments: str) -> subprocess.Popen[str]:
        """kubectl that goes on, its output a pipe."""
        return subprocess.Popen(
            ["kubectl", *arguments], env=self._kubectl_environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def _kubectl_environment(self) -> dict[str, str]:
        return kubectl.environment(self._environment, self.kubeconfig, self.folder)

    def output(self, namespace: str, pod: str, container: str = "main") -> str:
        """What a pod has printed, read from the file: the quickest way to ask."""
        assert self.logs is not None
        found = self.logs.glob(f"{namespace}_{pod}_*/{container}.log")
        return "".join(path.read_text() for path in found)

    # HTTP

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request with the kubeconfig's credential; `body` is JSON, or bytes as they are.

        A header given as "" is left out, `Authorization` among them.
        """
        answer = self._send(method, path, body, content_type=content_type, headers=headers, query=query)
        with contextlib.closing(answer):
            data = answer.read().decode()
        told = {name.lower(): value for name, value in answer.getheaders()}
        warned = [value for name, value in answer.getheaders() if name.lower() == "warning"]
        warnings = tuple(json.loads(text.removeprefix("299 - ")) for text in warned)
        is_json = "json" in told.get("content-type", "")
        return Answer(answer.status, told, json.loads(data) if is_json and data else data, warnings)

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        silence: float = 60.0,
    ) -> http.client.HTTPResponse:
        sent = {"Accept": JSON, **self._credentials.authorization(), "Connection": "close"}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = content_type
        sent |= headers or {}
        host, port = self._address.hostname or "", self._address.port or 443
        connection = http.client.HTTPSConnection(host, port, timeout=silence, context=self._credentials.tls)
        target = f"{path}{'&' if '?' in path else '?'}{urlencode(query)}" if query else path
        connection.request(method, target, data, {name: value for name, value in sent.items() if value})
        return connection.getresponse()

    def watch(
        self, path: str, query: Mapping[str, str] | None = None, *, deadline: float = 20.0, accept: str = JSON
    ) -> "Watch":
        """The events of a watch; to be used in a `with`. `deadline` is the longest silence between two."""
        asked = {"watch": "true", **(query or {})}
        return Watch(self._send("GET", path, headers={"Accept": accept}, query=asked, silence=deadline))

    def events(self, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """All events of a watch that the server ends by itself after `timeoutSeconds` (1 where not given)."""
        with self.watch(path, {"timeoutSeconds": "1", **query}) as watch:
            return list(watch)

    # What most tests begin with

    def create(self, resource: Resource, obj: dict[str, Any], **query: str) -> dict[str, Any]:
        """Create an object of which the test expects no refusal; the object as stored."""
        path = resource.path(obj["metadata"].get("namespace", ""))
        answer = self.request("POST", path, self._typed(resource, obj), query=query)
        assert answer.status == 201, answer
        found: dict[str, Any] = answer.body
        return found

    def _typed(self, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
        return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}

    def get(self, path: str) -> Any:
        """An object or a list that is there."""
        answer = self.request("GET", path)
        assert answer.status == 200, answer
        return answer.body

    def patch(self, path: str, body: Any, content_type: str = MERGE, **query: str) -> Answer:
        """A patch in one of the four languages."""
        return self.request("PATCH", path, body, content_type=content_type, query=query)

    def apply(self, path: str, body: Any, manager: str, **query: str) -> Answer:
        """Server-side apply as a manager."""
        return self.patch(path, body, APPLY, fieldManager=manager, **query)

    def define(self, definition: dict[str, Any]) -> None:
        """Make a custom resource known, and wait until it can be created."""
        answer = self.request("POST", CRDS.path(), definition)
        assert answer.status == 201 or answer.reason == "AlreadyExists", answer
        path = CRDS.path(name=definition["metadata"]["name"])

        def is_established() -> bool:
            conditions = (self.get(path).get("status") or {}).get("conditions") or ()
            return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)

        wait_for("the definition", is_established)
        spec = definition["spec"]
        served = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        wait_for("the resource", lambda: self.request("GET", served).status == 200)

    def new_namespace(self) -> str:
        """A fresh namespace in which pods can be made."""
        name = f"{NAMESPACE_PREFIX}{secrets.token_hex(4)}"
        self.create(NAMESPACES, {"metadata": {"name": name}})
        self.namespaces.add(name)
        if self.name == "kubernetes":
            # Pods are refused until the account that they run as is there.
            account = f"/api/v1/namespaces/{quote(name)}/serviceaccounts/default"
            wait_for("the namespace's account", lambda: self.request("GET", account).status == 200)
        return name

    def drop_namespace(self, name: str) -> None:
        """Delete it with what is in it, without waiting for its end."""
        self.request("DELETE", NAMESPACES.path(name=name))

    def config_map(self, namespace: str, name: str = "x", **data: str) -> dict[str, Any]:
        """A stored config map, the plainest of objects."""
        return self.create(CONFIGMAPS, {"metadata": {"name": name, "namespace": namespace}, "data": data})


class Watch:
    """An open watch. Iterating ends when the server ends it; silence beyond the deadline fails the test."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self._answer = answer
        self.status = answer.status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        try:
            line = self._answer.readline()
        except TimeoutError as error:
            raise AssertionError("the watch stayed silent") from error
        if not line.strip():
            raise StopIteration
        found: dict[str, Any] = json.loads(line)
        return found

    def until(self, check: Callable[[dict[str, Any]], Any]) -> list[dict[str, Any]]:
        """The events up to the first for which `check` holds, that one included."""
        seen = []
        for event in self:
            seen.append(event)
            if check(event):
                return seen
        raise AssertionError(f"the watch ended after {seen!r}")

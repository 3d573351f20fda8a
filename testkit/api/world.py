"""An API in memory with a clock that the test turns, and short ways of calling it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from embedded.api import Api, ApiRequest, ApiResponse
from embedded.store import Store

Obj = dict[str, Any]
START = 1_700_000_000.0
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
NAMESPACES = "/api/v1/namespaces"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class World:
    """`call` answers a response, `ok` the body of a successful one."""

    def __init__(self, file: Path | None = None, admit: Callable[..., Obj] = lambda _, obj, __: obj) -> None:
        self.now = START
        self.store = Store(file)
        self.api = Api(self.store, admit=admit, clock=lambda: self.now, log_folder=Path("/nowhere"))

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **more: Any
    ) -> ApiResponse:
        path, _, tail = path.partition("?")
        query = dict(pair.split("=", 1) for pair in tail.split("&") if pair)
        return self.api.handle(ApiRequest(method, path, query, body, content_type, agent="test/1", **more))

    def ok(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        answer = self.call(method, path, body, content_type)
        assert answer.status < 300, answer.body
        return answer.body

    def sent(self, method: str, path: str, body: Any, content_type: str = "application/json") -> ApiResponse:
        """As over a socket: the body is text."""
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.call(method, path, text, content_type)

    def names(self, path: str) -> list[str]:
        return [item["metadata"]["name"] for item in self.ok("GET", path)["items"]]

    def exists(self, path: str) -> bool:
        return self.call("GET", path).status == 200


def config_map(name: Any, data: dict[str, str] | None = None, **meta: Any) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **meta},
        "data": data or {"k": "v"},
    }


def pod(name: str, node: str = "", **meta: Any) -> Obj:
    spec: Obj = {"containers": [{"name": "main", "image": "hello:1"}]}
    if node:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **meta}, "spec": spec}


def deployment(name: str, replicas: Any = 1, **meta: Any) -> Obj:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, **meta},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "hello:1"}]},
            },
        },
    }


def owner(obj: Obj, **more: Any) -> Obj:
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        **more,
    }


def widget_crd() -> Obj:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer", "minimum": 1, "default": 3},
                    "color": {"type": "string"},
                },
            },
            "status": {"type": "object", "properties": {"found": {"type": "integer"}}},
        },
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.found"},
        },
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"], "categories": ["all"]},
            "versions": [version],
        },
    }


def widget(name: str, **spec: Any) -> Obj:
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}

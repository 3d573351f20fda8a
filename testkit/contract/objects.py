"""The objects that the tests write, as small as the API takes them."""

from typing import Any

from kube.resources import Resource

Obj = dict[str, Any]
WIDGETS = Resource("contract.zerogate.dev", "v1", "widgets", "Widget")


def config_map(name: str = "x", data: Obj | None = None, **meta: Any) -> Obj:
    """`meta` are further fields of its metadata."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **meta},
        "data": data or {"a": "1"},
    }


def pod_spec(**more: Any) -> Obj:
    """One container of the tests' own image."""
    return {"containers": [{"name": "main", "image": "contract/polite:1"}], **more}


def pod(name: str = "p", labels: Obj | None = None, **spec: Any) -> Obj:
    """A pod; `spec` are further fields of its spec."""
    meta = {"name": name, "labels": labels} if labels else {"name": name}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod_spec(**spec)}


def deployment(name: str = "d", replicas: Any = 0, *, container: Obj | None = None, **spec: Any) -> Obj:
    """A Deployment of no pods; `container` are further fields of its container, `spec` of itself."""
    template = {"metadata": {"labels": {"app": name}}, "spec": pod_spec()}
    template["spec"]["containers"][0].update(container or {})
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template,
            **spec,
        },
    }


def replica_set(name: str = "r", replicas: int = 0, **meta: Any) -> Obj:
    """The same as a ReplicaSet of nobody."""
    made = deployment(name, replicas)
    return {**made, "kind": "ReplicaSet", "metadata": {"name": name, **meta}}


def widget(name: str = "w", **spec: Any) -> Obj:
    """A custom resource."""
    return {
        "apiVersion": WIDGETS.api_version,
        "kind": WIDGETS.kind,
        "metadata": {"name": name},
        "spec": {"size": 1, **spec},
    }


_LISTS = {
    "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
    "parts": {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
        },
    },
    "plain": {"type": "array", "items": {"type": "integer"}},
}
_SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 10},
        "replicas": {"type": "integer"},
        "colour": {"type": "string", "default": "red", "enum": ["red", "blue"]},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        **_LISTS,
    },
}
_STATUS = {
    "type": "object",
    "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}},
}
WIDGET_DEFINITION: Obj = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"{WIDGETS.plural}.{WIDGETS.group}"},
    "spec": {
        "group": WIDGETS.group,
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wg"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "properties": {"spec": _SPEC, "status": _STATUS}}
                },
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.replicas",
                        "statusReplicasPath": ".status.replicas",
                        "labelSelectorPath": ".status.selector",
                    },
                },
            }
        ],
    },
}

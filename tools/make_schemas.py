"""Writes embedded/schema/schemas.json: the fields and types of Kubernetes' own kinds, compactly.

Run it again after raising kubernetes-asyncio: `python tools/make_schemas.py`. Its source are the generated
models of that client: which JSON key has which type, and which keys the client refuses to leave empty.

Format: `{"kinds": {"apps/v1/Deployment": "V1Deployment"}, "models": {"V1PodSpec": {"hostPID": "b", …}}}`.
A key's trailing `!` means required. Types: `s` string, `i` integer, `n` number, `b` boolean, `t` time, `y`
base64 bytes, `x` integer or string, `q` quantity, `o` anything, `[T` list, `{T` map, else a model's name.
"""

import json
import re
from pathlib import Path
from typing import Any

from kubernetes_asyncio import client
from kubernetes_asyncio.client import models

KINDS = {
    "apps/v1/Deployment": "V1Deployment",
    "apps/v1/ReplicaSet": "V1ReplicaSet",
    "v1/Pod": "V1Pod",
    "v1/ConfigMap": "V1ConfigMap",
    "v1/Secret": "V1Secret",
    "v1/Namespace": "V1Namespace",
    "v1/Node": "V1Node",
    "v1/Event": "CoreV1Event",
    "events.k8s.io/v1/Event": "EventsV1Event",
    "v1/Service": "V1Service",
    "v1/ServiceAccount": "V1ServiceAccount",
    "coordination.k8s.io/v1/Lease": "V1Lease",
    "apiextensions.k8s.io/v1/CustomResourceDefinition": "V1CustomResourceDefinition",
    "autoscaling/v1/Scale": "V1Scale",
    "v1/Status": "V1Status",
    "v1/DeleteOptions": "V1DeleteOptions",
}
PLAIN = {
    "str": "s",
    "int": "i",
    "float": "n",
    "bool": "b",
    "datetime": "t",
    "object": "o",
    "file": "s",
    "bytearray": "y",
    "bytes": "y",
}
# The models say `object` or `str` where Kubernetes' own types say more.
INT_OR_STRING = {"port", "targetPort", "maxSurge", "maxUnavailable"}
QUANTITY_MAPS = {"limits", "requests", "capacity", "allocatable", "hard", "overhead", "allocatedResources"}
QUANTITIES = {"V1EmptyDirVolumeSource.sizeLimit", "V1ResourceFieldSelector.divisor"}
BYTES = {"V1Secret.data", "V1ConfigMap.binaryData", "ApiextensionsV1WebhookClientConfig.caBundle"}
# A model that an object may hold too deeply to be worth its size: kept as it comes.
OPAQUE = {"V1JSONSchemaProps"}


def type_code(model: str, key: str, declared: str) -> str:
    """`list[V1Container]` → `[V1Container`."""
    if declared.startswith("list["):
        return "[" + type_code(model, key, declared[5:-1])
    if declared.startswith("dict("):
        declared = declared.replace("dict(", "dict[").replace(")", "]")
    if declared.startswith("dict["):
        value = declared[5:-1].split(", ", 1)[1]
        if key in QUANTITY_MAPS and value == "str":
            return "{q"
        return "{" + type_code(model, key, value)
    if declared == "object" and key in INT_OR_STRING:
        return "x"
    if f"{model}.{key}" in QUANTITIES:
        return "q"
    if f"{model}.{key}" in BYTES and declared == "str":
        return "y"
    if declared in OPAQUE:
        return "o"
    return PLAIN.get(declared, declared)


def is_required(model: type[Any], attribute: str) -> bool:
    """Whether the generated setter refuses None."""
    blank = object.__new__(model)
    blank.local_vars_configuration = client.Configuration()
    try:
        setattr(blank, attribute, None)
    except ValueError:
        return True
    return False


def describe(name: str) -> dict[str, str]:
    model = getattr(models, name)
    fields = {}
    for attribute, declared in model.openapi_types.items():
        key = model.attribute_map[attribute]
        fields[key + ("!" if is_required(model, attribute) else "")] = type_code(name, key, declared)
    return dict(sorted(fields.items()))


def collect() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    waiting = list(KINDS.values())
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = describe(name)
            codes = (re.sub(r"^[\[{]+", "", code) for code in found[name].values())
            waiting += [code for code in codes if len(code) > 1]
    return dict(sorted(found.items()))


def main() -> None:
    target = Path(__file__).parent.parent / "embedded" / "schema" / "schemas.json"
    found = collect()
    rows = ",\n".join(
        f"{json.dumps(name)}:{json.dumps(fields, separators=(',', ':'))}" for name, fields in found.items()
    )
    target.write_text(f'{{"kinds":{json.dumps(KINDS)},\n"models":{{\n{rows}\n}}}}\n')
    print(f"{target}: {len(found)} models, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()

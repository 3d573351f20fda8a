"""Names, labels, annotations, finalizers, owners, keys of config maps: what is refused, in which words."""

from collections.abc import Callable
from typing import Any

import pytest

from kube.resources import CONFIGMAPS, CORE_SERVICES, NAMESPACES, PODS, SECRETS, Resource
from testkit.contract.engine import Answer, Engine
from testkit.contract.objects import config_map, pod, widget

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    r"validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
    "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
QUALIFIED = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
WITH_PREFIX = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
    "must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
    "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
    "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u"}
CONTROLLERS = [{**OWNER, "controller": True}, {**OWNER, "uid": "v", "name": "b", "controller": True}]
DRY = {"dryRun": "All"}


def refused(answer: Answer) -> list[tuple[str, str]]:
    """(field, message) of each fault, none twice: some kinds are validated by two layers of Kubernetes."""
    assert (answer.status, answer.reason) == (422, "Invalid"), answer
    return sorted({(cause["field"], cause["message"]) for cause in answer.body["details"]["causes"]})


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a-", "a.", "a..b", "a/b", "a b", "ü"])
def test_names_that_no_object_may_have(
    engine: Engine, namespace: str, widgets: Callable[..., Any], name: str
) -> None:
    """Of built-in and custom kinds."""
    wrong = ("metadata.name", f'Invalid value: "{name}": {SUBDOMAIN}')
    for path, body in (
        (CONFIGMAPS.path(namespace), config_map(name)),
        (PODS.path(namespace), pod(name)),
        (widgets(namespace), widget(name)),
    ):
        assert refused(engine.request("POST", path, body, query=DRY)) == [wrong]


def test_names_of_namespaces_and_services(engine: Engine, namespace: str) -> None:
    """They are labels of DNS."""
    for path, body, name, words in (
        (NAMESPACES.path(), {}, "a.b", "must not contain dots"),
        (NAMESPACES.path(), {}, "A_b", LABEL),
        (CORE_SERVICES.path(namespace), {"spec": {"ports": [{"port": 80}]}}, "1a", LABEL_1035),
        (CORE_SERVICES.path(namespace), {"spec": {"ports": [{"port": 80}]}}, "a.b", LABEL_1035),
    ):
        answer = engine.request("POST", path, {"metadata": {"name": name}, **body}, query=DRY)
        assert ("metadata.name", f'Invalid value: "{name}": {words}') in refused(answer)


def test_names_that_are_too_long_or_missing(engine: Engine, namespace: str) -> None:
    """253 characters are the most."""
    path = CONFIGMAPS.path(namespace)
    assert engine.request("POST", path, config_map("a" * 253), query=DRY).status == 201
    name = "a" * 254
    answer = engine.request("POST", path, config_map(name), query=DRY)
    assert refused(answer) == [
        ("metadata.name", f'Invalid value: "{name}": must be no more than 253 characters')
    ]
    answer = engine.request("POST", path, {"metadata": {}}, query=DRY)
    assert answer.message == (
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'
    )
    assert answer.body["details"]["causes"][0]["reason"] == "FieldValueRequired"


def test_generated_names(engine: Engine, namespace: str) -> None:
    """A prefix and five characters; a name wins over it; a long prefix is cut."""
    path = CONFIGMAPS.path(namespace)
    found = set()
    for _ in range(3):
        meta = engine.request("POST", path, {"metadata": {"generateName": "x-"}}).body["metadata"]
        assert meta["generateName"] == "x-"
        assert (len(meta["name"]), meta["name"][:2]) == (7, "x-")
        found.add(meta["name"])
    assert len(found) == 3
    both = {"metadata": {"generateName": "x-", "name": "n"}}
    assert engine.request("POST", path, both).body["metadata"]["name"] == "n"
    assert (
        len(engine.request("POST", path, {"metadata": {"generateName": "a" * 100}}).body["metadata"]["name"])
        == 63
    )
    answer = engine.request("POST", path, {"metadata": {"generateName": "A"}})
    assert {field for field, _ in refused(answer)} == {"metadata.generateName", "metadata.name"}


HEADS = [
    ("label's domain", {"labels": {"-a/b": "c"}}, "metadata.labels",
     f'Invalid value: "-a/b": prefix part {SUBDOMAIN}'),
    ("no label's domain", {"labels": {"/b": "c"}}, "metadata.labels",
     'Invalid value: "/b": prefix part must be non-empty'),
    ("label's name", {"labels": {"a b": "c"}}, "metadata.labels",
     f'Invalid value: "a b": name part {QUALIFIED}'),
    ("label's long name", {"labels": {"a" * 64: "c"}}, "metadata.labels",
     f'Invalid value: "{"a" * 64}": name part must be no more than 63 characters'),
    ("label's value", {"labels": {"a": "b c"}}, "metadata.labels",
     f'Invalid value: "b c": {VALUE}'),
    ("label's long value", {"labels": {"a": "a" * 64}}, "metadata.labels",
     f'Invalid value: "{"a" * 64}": must be no more than 63 characters'),
    ("annotation", {"annotations": {"a b": "c"}}, "metadata.annotations",
     f'Invalid value: "a b": name part {QUALIFIED}'),
    ("annotation with two slashes", {"annotations": {"a/b/c": "c"}}, "metadata.annotations",
     f"""Invalid value: "a/b/c": a qualified name {QUALIFIED} {WITH_PREFIX}"""),
    ("long annotations", {"annotations": {"a": "x" * 256 * 1024}}, "metadata.annotations",
     "Too long: may not be more than 262144 bytes"),
    ("finalizer", {"finalizers": ["nope"]}, "metadata.finalizers[0]",
     'Invalid value: "nope": name is neither a standard finalizer name nor is it fully qualified'),
    ("owner's kind", {"ownerReferences": [{**OWNER, "kind": ""}]}, "metadata.ownerReferences.kind",
     'Invalid value: "": must not be empty'),
    ("owner's UID", {"ownerReferences": [{**OWNER, "uid": ""}]}, "metadata.ownerReferences.uid",
     'Invalid value: "": must not be empty'),
    ("owner's version", {"ownerReferences": [{**OWNER, "apiVersion": ""}]},
     "metadata.ownerReferences.apiVersion",
     'Invalid value: "": version must not be empty'),
]  # fmt: skip


@pytest.mark.parametrize("row", [row[1:] for row in HEADS], ids=[row[0] for row in HEADS])
def test_what_no_head_may_say(engine: Engine, namespace: str, row: tuple[dict[str, Any], str, str]) -> None:
    """The field, and why."""
    meta, field, message = row
    answer = engine.request("POST", CONFIGMAPS.path(namespace), config_map("l", **meta), query=DRY)
    assert refused(answer) == [(field, message)]
    assert answer.message == f'ConfigMap "l" is invalid: {field}: {message}'


def test_one_owner_alone_controls(engine: Engine, namespace: str) -> None:
    """Two are refused, two owners of which one controls are not."""
    path = CONFIGMAPS.path(namespace)
    answer = engine.request("POST", path, config_map("l", ownerReferences=CONTROLLERS), query=DRY)
    ((field, message),) = refused(answer)
    assert field == "metadata.ownerReferences"
    assert message.endswith('Found "true" in references for Pod/a and Pod/b')
    owners = [CONTROLLERS[0], {**OWNER, "uid": "v"}]
    assert engine.request("POST", path, config_map("l", ownerReferences=owners), query=DRY).status == 201


DATA = [
    (CONFIGMAPS, {"data": {"a/b": "1"}}, "data[a/b]", f'Invalid value: "a/b": {KEY}'),
    (CONFIGMAPS, {"data": {"..": "1"}}, "data[..]", "Invalid value: \"..\": must not be '..'"),
    (CONFIGMAPS, {"binaryData": {"a b": "MQ=="}}, "binaryData[a b]", f'Invalid value: "a b": {KEY}'),
    (CONFIGMAPS, {"data": {"a": "1"}, "binaryData": {"a": "MQ=="}}, "data[a]",
     'Invalid value: "a": duplicate of key present in binaryData'),
    (CONFIGMAPS, {"data": {"a": "x" * 1024 * 1024, "b": "y"}}, "[]",
     "Too long: may not be more than 1048576 bytes"),
    (SECRETS, {"data": {"a/b": "MQ=="}}, "data[a/b]", f'Invalid value: "a/b": {KEY}'),
    (SECRETS, {"stringData": {"a/b": "1"}}, "data[a/b]", f'Invalid value: "a/b": {KEY}'),
    (SECRETS, {"stringData": {"a": "x" * 1024 * 1024, "b": "y"}}, "data",
     "Too long: may not be more than 1048576 bytes"),
    (SECRETS, {"type": "kubernetes.io/tls", "data": {"tls.key": "MQ=="}}, "data[tls.crt]", "Required value"),
]  # fmt: skip


@pytest.mark.parametrize("row", DATA, ids=[f"{row[0].kind} {row[2]}" for row in DATA])
def test_what_config_maps_and_secrets_may_not_hold(
    engine: Engine, namespace: str, row: tuple[Resource, dict[str, Any], str, str]
) -> None:
    """Keys, and more than a megabyte."""
    resource, body, field, message = row
    answer = engine.request("POST", resource.path(namespace), {"metadata": {"name": "l"}, **body}, query=DRY)
    assert refused(answer) == [(field, message)]


def test_what_is_immutable_stays(engine: Engine, namespace: str) -> None:
    """Its data and that it is; a secret's type always."""
    for resource, data, other in (
        (CONFIGMAPS, {"data": {"a": "1"}}, {"data": {"a": "2"}}),
        (SECRETS, {"stringData": {"a": "1"}}, {"stringData": {"a": "2"}}),
    ):
        path = resource.path(namespace, "i")
        engine.create(
            resource, {"metadata": {"name": "i", "namespace": namespace}, "immutable": True, **data}
        )
        fixed = "Forbidden: field is immutable when `immutable` is set"
        assert refused(engine.patch(path, other)) == [("data", fixed)]
        assert refused(engine.patch(path, {"immutable": None})) == [("immutable", fixed)]
        assert engine.patch(path, {"metadata": {"labels": {"a": "b"}}}).status == 200
    engine.create(SECRETS, {"metadata": {"name": "t", "namespace": namespace}})
    answer = engine.patch(SECRETS.path(namespace, "t"), {"type": "other"})
    assert refused(answer) == [("type", 'Invalid value: "other": field is immutable')]

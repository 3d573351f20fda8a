"""Tables of the embedded API: what `kubectl get` shows."""

from collections.abc import Sequence
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.tables import table
from embedded.tables.ages import age, human
from embedded.tables.jsonpath import BadPath, parse
from embedded.tables.kinds import format_selector
from kube import resources
from kube.objects import Obj, format_time
from kube.resources import Resource

NOW = 1_000_000.0
BORN = format_time(NOW - 300)


def named(name: str = "x", **parts: Any) -> Obj:
    return {"metadata": {"name": name, "namespace": "n", "creationTimestamp": BORN}, **parts}


def shown(
    resource: Resource, obj: Obj, crd: dict[str, Any] | None = None, *, wide: bool = False
) -> dict[str, Any]:
    """{column: cell} of the columns that kubectl prints."""
    made = table(resource, [obj], NOW, crd, "None")
    cells = zip(made["columnDefinitions"], made["rows"][0]["cells"], strict=True)
    return {column["name"]: cell for column, cell in cells if wide or column["priority"] == 0}


# -- ages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (119, "119s"),
        (120, "2m"),
        (121, "2m1s"),
        (599, "9m59s"),
        (600, "10m"),
        (3600 * 3 - 1, "179m"),
        (3600 * 3, "3h"),
        (3600 * 3 + 300, "3h5m"),
        (3600 * 8, "8h"),
        (3600 * 48 - 1, "47h"),
        (3600 * 48, "2d"),
        (3600 * 51, "2d3h"),
        (86400 * 8, "8d"),
        (86400 * 729, "729d"),
        (86400 * 730, "2y"),
        (86400 * (730 + 34), "2y34d"),
        (86400 * 365 * 8, "8y"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    """As kubectl prints them: the finer unit only while it matters."""
    assert human(seconds) == text


def test_ages_of_timestamps() -> None:
    """A missing time is unknown, a text that is none invalid."""
    assert age(BORN, NOW) == "5m"
    assert age(None, NOW) == "<unknown>"
    assert age("soon", NOW) == "<invalid>"


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_ages_are_short(seconds: int, more: int) -> None:
    """Never more than two numbers, never longer than a column may be."""
    assert len(human(seconds)) <= len("1234y364d")
    assert human(seconds + more)[-1] in "smhdy"


# -- the table -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("None", None),
        ("Object", named(data={"a": "b"})),
        (
            "Metadata",
            {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": named()["metadata"],
            },
        ),
    ],
)
def test_a_row_carries_as_much_of_its_object_as_asked(
    include: Literal["Metadata", "Object", "None"], expected: Obj | None
) -> None:
    """`includeObject`; kubectl itself asks for metadata."""
    made = table(resources.CONFIGMAPS, [named(data={"a": "b"})], NOW, None, include)
    assert (made["kind"], made["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert made["rows"] == [{"cells": ["x", 1, "5m"], "object": expected}]
    assert made["columnDefinitions"][0] == {
        "name": "Name",
        "type": "string",
        "format": "name",
        "description": "Unique within a namespace.",
        "priority": 0,
    }


def test_an_unknown_kind_has_name_and_age() -> None:
    """Better than no table."""
    assert shown(Resource("g", "v1", "things", "Thing"), named()) == {"Name": "x", "Age": "5m"}


# -- pods ------------------------------------------------------------------------------------------------

RUNNING = {"running": {"startedAt": BORN}}


def pod(
    *states: dict[str, Any],
    phase: str = "Running",
    ready: bool = True,
    inits: Sequence[dict[str, str]] = (),
    init_states: Sequence[dict[str, Any]] = (),
    status: dict[str, Any] | None = None,
    meta: dict[str, str] | None = None,
    **spec: Any,
) -> Obj:
    def statuses(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {"name": f"c{index}", "state": state, "ready": "running" in state, "restartCount": 0}
            for index, state in enumerate(found)
        ]

    made = named(
        spec={
            "containers": [{"name": f"c{index}"} for index in range(len(states) or 1)],
            "initContainers": list(inits),
            **spec,
        },
        status={
            "phase": phase,
            "containerStatuses": statuses(states),
            "initContainerStatuses": statuses(init_states),
            "conditions": [{"type": "Ready", "status": str(ready)}],
            **(status or {}),
        },
    )
    made["metadata"].update(meta or {})
    return made


def waiting(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason}}


def ended(code: int = 0, **more: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, **more}}


INIT = {"name": "c0"}
SIDECAR = {"name": "c0", "restartPolicy": "Always"}
DELETED = {"deletionTimestamp": BORN}


@pytest.mark.parametrize(
    ("obj", "status", "ready"),
    [
        (pod(RUNNING), "Running", "1/1"),
        (pod(RUNNING, RUNNING), "Running", "2/2"),
        (pod(phase="Pending"), "Pending", "0/1"),
        (pod(waiting("ContainerCreating"), phase="Pending"), "ContainerCreating", "0/1"),
        (pod(waiting("ImagePullBackOff"), phase="Pending"), "ImagePullBackOff", "0/1"),
        (pod(waiting("CrashLoopBackOff")), "CrashLoopBackOff", "0/1"),
        (pod(waiting("CrashLoopBackOff"), RUNNING), "CrashLoopBackOff", "1/2"),
        (pod(ended(1, reason="Error"), phase="Failed"), "Error", "0/1"),
        (pod(ended(reason="Completed"), phase="Succeeded"), "Completed", "0/1"),
        (pod(ended(reason="Completed"), RUNNING), "Running", "1/2"),
        (pod(ended(reason="Completed"), RUNNING, ready=False), "NotReady", "1/2"),
        (pod(ended(3)), "ExitCode:3", "0/1"),
        (pod(ended(137, signal=9)), "Signal:9", "0/1"),
        (pod(RUNNING, meta=DELETED), "Terminating", "1/1"),
        (pod(ended(reason="Completed"), phase="Succeeded", meta=DELETED), "Completed", "0/1"),
        (pod(RUNNING, meta=DELETED, status={"reason": "NodeLost"}), "Unknown", "1/1"),
        (pod(phase="Failed", status={"reason": "Evicted"}), "Evicted", "0/1"),
        (
            pod(
                phase="Pending",
                status={
                    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]
                },
            ),
            "SchedulingGated",
            "0/1",
        ),
        (pod(phase="Pending", inits=[INIT], init_states=[waiting("PodInitializing")]), "Init:0/1", "0/1"),
        (
            pod(phase="Pending", inits=[INIT, {"name": "c1"}], init_states=[ended(), RUNNING]),
            "Init:1/2",
            "0/1",
        ),
        (pod(phase="Pending", inits=[INIT], init_states=[ended(2)]), "Init:ExitCode:2", "0/1"),
        (pod(phase="Pending", inits=[INIT], init_states=[ended(1, reason="Error")]), "Init:Error", "0/1"),
        (
            pod(phase="Pending", inits=[INIT], init_states=[waiting("CrashLoopBackOff")]),
            "Init:CrashLoopBackOff",
            "0/1",
        ),
        (pod(RUNNING, inits=[INIT], init_states=[ended()]), "Running", "1/1"),
        (named(spec={}), "", "0/0"),
    ],
)
def test_the_status_of_a_pod(obj: Obj, status: str, ready: str) -> None:
    """The phase, or what the containers say more exactly."""
    found = shown(resources.PODS, obj)
    assert (found["Status"], found["Ready"]) == (status, ready)


def test_a_sidecar_counts_as_a_container() -> None:
    """An init container that goes on running is shown as ready, and does not hold the pod in Init."""
    obj = pod(RUNNING, inits=[SIDECAR], init_states=[RUNNING])
    obj["status"]["initContainerStatuses"][0]["started"] = True
    found = shown(resources.PODS, obj)
    assert (found["Status"], found["Ready"]) == ("Running", "2/2")


def test_restarts_tell_when_the_last_was() -> None:
    """The sum over the containers, and the youngest end."""
    obj = pod(RUNNING, RUNNING)
    for status, count, ago in zip(obj["status"]["containerStatuses"], (1, 2), (600, 60), strict=True):
        status["restartCount"] = count
        status["lastState"] = ended(1, finishedAt=format_time(NOW - ago))
    assert shown(resources.PODS, obj)["Restarts"] == "3 (60s ago)"
    assert shown(resources.PODS, pod(RUNNING))["Restarts"] == "0"


def test_wide_columns_of_a_pod() -> None:
    """Address, node and readiness gates; `<none>` where there is none."""
    found = shown(resources.PODS, pod(RUNNING), wide=True)
    assert [found[name] for name in ("IP", "Node", "Nominated Node", "Readiness Gates")] == ["<none>"] * 4
    placed = pod(
        RUNNING,
        nodeName="node",
        readinessGates=[{"conditionType": "A"}, {"conditionType": "B"}],
        status={"podIPs": [{"ip": "10.0.0.1"}], "conditions": [{"type": "A", "status": "True"}]},
    )
    found = shown(resources.PODS, placed, wide=True)
    assert (found["IP"], found["Node"], found["Readiness Gates"]) == ("10.0.0.1", "node", "1/2")


# -- the other kinds -------------------------------------------------------------------------------------

SPEC = {
    "replicas": 3,
    "selector": {"matchLabels": {"b": "2", "a": "1"}},
    "template": {"spec": {"containers": [{"name": "c", "image": "i"}, {"name": "d", "image": "j"}]}},
}


@pytest.mark.parametrize(
    ("resource", "obj", "expected"),
    [
        (
            resources.DEPLOYMENTS,
            named(spec=SPEC, status={"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2}),
            {
                "Name": "x",
                "Ready": "2/3",
                "Up-to-date": 3,
                "Available": 2,
                "Age": "5m",
                "Containers": "c,d",
                "Images": "i,j",
                "Selector": "a=1,b=2",
            },
        ),
        (
            resources.DEPLOYMENTS,
            named(spec={"replicas": 0}),
            {
                "Name": "x",
                "Ready": "0/0",
                "Up-to-date": 0,
                "Available": 0,
                "Age": "5m",
                "Containers": "",
                "Images": "",
                "Selector": "<none>",
            },
        ),
        (
            resources.REPLICASETS,
            named(spec=SPEC, status={"replicas": 3, "readyReplicas": 1}),
            {
                "Name": "x",
                "Desired": 3,
                "Current": 3,
                "Ready": 1,
                "Age": "5m",
                "Containers": "c,d",
                "Images": "i,j",
                "Selector": "a=1,b=2",
            },
        ),
        (
            resources.CONFIGMAPS,
            named(data={"a": "", "b": ""}, binaryData={"c": ""}),
            {"Name": "x", "Data": 3, "Age": "5m"},
        ),
        (
            resources.SECRETS,
            named(type="Opaque", data={"a": ""}),
            {"Name": "x", "Type": "Opaque", "Data": 1, "Age": "5m"},
        ),
        (resources.SERVICEACCOUNTS, named(), {"Name": "x", "Secrets": 0, "Age": "5m"}),
        (
            resources.NAMESPACES,
            named(status={"phase": "Active"}),
            {"Name": "x", "Status": "Active", "Age": "5m"},
        ),
        (resources.LEASES, named(spec={"holderIdentity": "me"}), {"Name": "x", "Holder": "me", "Age": "5m"}),
        (resources.CRDS, named(), {"Name": "x", "Created At": BORN}),
        (
            resources.CORE_SERVICES,
            named(
                spec={
                    "type": "NodePort",
                    "clusterIP": "10.0.0.1",
                    "ports": [{"port": 80, "nodePort": 30000}, {"port": 53, "protocol": "UDP"}],
                    "selector": {"a": "b"},
                }
            ),
            {
                "Name": "x",
                "Type": "NodePort",
                "Cluster-IP": "10.0.0.1",
                "External-IP": "<none>",
                "Port(s)": "80:30000/TCP,53/UDP",
                "Age": "5m",
                "Selector": "a=b",
            },
        ),
        (
            resources.CORE_SERVICES,
            named(
                spec={"type": "LoadBalancer", "clusterIP": "None", "externalIPs": ["1.1.1.1"]},
                status={"loadBalancer": {"ingress": [{"hostname": "lb"}]}},
            ),
            {
                "Name": "x",
                "Type": "LoadBalancer",
                "Cluster-IP": "None",
                "External-IP": "lb,1.1.1.1",
                "Port(s)": "<none>",
                "Age": "5m",
                "Selector": "<none>",
            },
        ),
        (
            resources.CORE_SERVICES,
            named(spec={"type": "LoadBalancer"}),
            {
                "Name": "x",
                "Type": "LoadBalancer",
                "Cluster-IP": "<none>",
                "External-IP": "<pending>",
                "Port(s)": "<none>",
                "Age": "5m",
                "Selector": "<none>",
            },
        ),
        (
            resources.CORE_SERVICES,
            named(spec={"type": "ExternalName", "externalName": "db.example"}),
            {
                "Name": "x",
                "Type": "ExternalName",
                "Cluster-IP": "<none>",
                "External-IP": "db.example",
                "Port(s)": "<none>",
                "Age": "5m",
                "Selector": "<none>",
            },
        ),
        (
            resources.NODES,
            {
                "metadata": {
                    "name": "x",
                    "creationTimestamp": BORN,
                    "labels": {"node-role.kubernetes.io/b": "", "kubernetes.io/role": "a"},
                },
                "spec": {"unschedulable": True},
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "nodeInfo": {"kubeletVersion": "v1", "osImage": "os"},
                    "addresses": [
                        {"type": "Hostname", "address": "h"},
                        {"type": "InternalIP", "address": "127.0.0.1"},
                    ],
                },
            },
            {
                "Name": "x",
                "Status": "Ready,SchedulingDisabled",
                "Roles": "a,b",
                "Age": "5m",
                "Version": "v1",
                "Internal-IP": "127.0.0.1",
                "External-IP": "<none>",
                "OS-Image": "os",
                "Kernel-Version": "<unknown>",
                "Container-Runtime": "<unknown>",
            },
        ),
        (
            resources.NODES,
            named(status={"conditions": [{"type": "Ready", "status": "False"}]}),
            {
                "Name": "x",
                "Status": "NotReady",
                "Roles": "<none>",
                "Age": "5m",
                "Version": "",
                "Internal-IP": "<none>",
                "External-IP": "<none>",
                "OS-Image": "<unknown>",
                "Kernel-Version": "<unknown>",
                "Container-Runtime": "<unknown>",
            },
        ),
        (
            resources.EVENTS,
            named(
                type="Warning",
                reason="Failed",
                message="no \n",
                count=4,
                firstTimestamp=format_time(NOW - 90),
                lastTimestamp=format_time(NOW - 30),
                involvedObject={"kind": "Pod", "name": "p", "fieldPath": "spec"},
                source={"component": "node", "host": "h"},
            ),
            {
                "Last Seen": "30s",
                "Type": "Warning",
                "Reason": "Failed",
                "Object": "pod/p",
                "Subobject": "spec",
                "Source": "node, h",
                "Message": "no",
                "First Seen": "90s",
                "Count": 4,
                "Name": "x",
            },
        ),
        (
            Resource("events.k8s.io", "v1", "events", "Event"),
            named(
                type="Normal",
                reason="Up",
                note="hi",
                eventTime=format_time(NOW - 50),
                series={"count": 9, "lastObservedTime": format_time(NOW - 5)},
                regarding={"kind": "Node", "name": "n"},
                reportingController="zerogate",
            ),
            {
                "Last Seen": "5s",
                "Type": "Normal",
                "Reason": "Up",
                "Object": "node/n",
                "Subobject": "",
                "Source": "zerogate",
                "Message": "hi",
                "First Seen": "50s",
                "Count": 9,
                "Name": "x",
            },
        ),
    ],
)
def test_columns_of_built_in_kinds(resource: Resource, obj: Obj, expected: dict[str, Any]) -> None:
    """Names, order and cells, the wide ones included."""
    found = shown(resource, obj, wide=True)
    assert found == expected
    assert list(found) == list(expected)


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (None, "<none>"),
        ({}, "<none>"),
        ({"matchLabels": {"b": "1", "a": "2"}}, "a=2,b=1"),
        (
            {
                "matchExpressions": [
                    {"key": "k", "operator": "In", "values": ["b", "a"]},
                    {"key": "l", "operator": "NotIn", "values": ["c"]},
                    {"key": "m", "operator": "Exists"},
                    {"key": "n", "operator": "DoesNotExist"},
                ]
            },
            "k in (a,b),l notin (c),m,!n",
        ),
    ],
)
def test_selectors(selector: dict[str, Any] | None, text: str) -> None:
    """In the language that `kubectl -l` reads."""
    assert format_selector(selector) == text


# -- custom resources ------------------------------------------------------------------------------------


def definition(*columns: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"versions": [{"name": "v1", "additionalPrinterColumns": list(columns)}]}}


KSVC = definition(
    {"name": "URL", "type": "string", "jsonPath": ".status.url"},
    {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"},
    {
        "name": "Reason",
        "type": "string",
        "jsonPath": '.status.conditions[?(@.type=="Ready")].reason',
        "priority": 1,
    },
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
)


def test_columns_of_a_definition() -> None:
    """As the definition asks for them, after the name."""
    obj = named(
        status={
            "url": "http://x",
            "conditions": [
                {"type": "Other", "status": "False"},
                {"type": "Ready", "status": "True", "reason": "Fine"},
            ],
        }
    )
    assert shown(resources.SERVICES, obj, KSVC) == {
        "Name": "x",
        "URL": "http://x",
        "Ready": "True",
        "Age": "5m",
    }
    assert shown(resources.SERVICES, obj, KSVC, wide=True)["Reason"] == "Fine"


def test_what_is_not_there_yet_is_shown_as_nothing() -> None:
    """A null cell, which kubectl prints empty."""
    assert shown(resources.SERVICES, named(), KSVC) == {"Name": "x", "URL": None, "Ready": None, "Age": "5m"}
    assert shown(resources.SERVICES, named(), definition()) == {"Name": "x", "Age": "5m"}


@pytest.mark.parametrize(
    ("type_", "value", "cell"),
    [
        ("integer", 3, 3),
        ("integer", "3", None),
        ("integer", True, None),
        ("number", 1.5, 1.5),
        ("boolean", False, False),
        ("boolean", "x", None),
        ("string", 3, "3"),
        ("string", True, "true"),
        ("string", {"a": [1]}, '{"a":[1]}'),
        ("date", BORN, "5m"),
        ("date", "x", "<invalid>"),
        ("date", 3, "<invalid>"),
    ],
)
def test_cells_by_type(type_: str, value: Any, cell: float | str | None) -> None:
    """A value that does not fit its column is not shown."""
    crd = definition({"name": "V", "type": type_, "jsonPath": ".spec.v"})
    assert shown(resources.SERVICES, named(spec={"v": value}), crd)["V"] == cell


def test_a_path_that_cannot_be_read_leaves_its_column_empty() -> None:
    """One bad column does not cost the table."""
    crd = definition({"name": "V", "type": "string", "jsonPath": ".spec[?("})
    assert shown(resources.SERVICES, named(), crd) == {"Name": "x", "V": None}


DOC = {
    "a": {"b": 1, "x.y/z": 2, "list": [{"n": "p", "v": 1}, {"n": "q", "v": 2, "w": 0}]},
    "s": [1, 2, 3, 4],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".a.b", [1]),
        ("a.b", [1]),
        ("{.a.b}", [1]),
        ("$.a.b", [1]),
        (".a.nope.c", []),
        (".a['x.y/z']", [2]),
        ('.a["x.y/z"]', [2]),
        (r".a.x\.y/z", [2]),
        (".s[0]", [1]),
        (".s[-1]", [4]),
        (".s[9]", []),
        (".s[1:3]", [2, 3]),
        (".s[:2]", [1, 2]),
        (".s[::2]", [1, 3]),
        (".s[*]", [1, 2, 3, 4]),
        (".a.list[*].n", ["p", "q"]),
        ("..n", ["p", "q"]),
        ('.a.list[?(@.n=="q")].v', [2]),
        (".a.list[?(@.n=='q')].v", [2]),
        (".a.list[?(@.n!='q')].v", [1]),
        (".a.list[?(@.v>1)].n", ["q"]),
        (".a.list[?(@.v >= 1)].n", ["p", "q"]),
        (".a.list[?(@.v<2)].n", ["p"]),
        (".a.list[?(@.v<=1)].n", ["p"]),
        (".a.list[?(@.w)].n", ["q"]),
        (".a.list[?(@.n>1)].n", []),
        (".a.list[0].b", []),
        ("", [DOC]),
    ],
)
def test_json_paths(path: str, expected: list[Any]) -> None:
    """The subset that printer columns use."""
    assert parse(path).find(DOC) == expected


@pytest.mark.parametrize("path", [".a[", ".a[x]", ".a[?(@.b==c)]", ".a[?(b)]", ".a[1:2:3:4]", ".a b", ".a[]"])
def test_paths_that_cannot_be_read(path: str) -> None:
    """Refused when read, not when followed."""
    with pytest.raises(BadPath):
        parse(path)


@given(st.text(".[]?@*'\"ab01:=( )\\", max_size=12))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    """And following it never fails."""
    try:
        path = parse(text)
    except BadPath:
        return
    assert isinstance(path.find(DOC), list)

"""Bad input gets a clear error that names the field and the remedy, and changes nothing."""

import json
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from kube.objects import Obj
from testkit.machines.laptop import Machine, host, service
from testkit.paths import SAMPLE
from testkit.waiting import wait_for


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One machine for all cases: none of them may leave a trace."""
    made = Machine(tmp_path_factory.mktemp("bad"))
    made.start("-f", str(SAMPLE))
    made.wait_ready("helloworld-go")
    yield made
    made.kill()


def _raw(up: Machine, request: bytes) -> str:
    """The status line that raw bytes get."""
    with socket.create_connection(("127.0.0.1", up.gateway), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(4096).split(b"\r\n")[0].decode()


def test_an_unknown_host_is_404_with_a_reason(up: Machine) -> None:
    answer = up.curl("nobody.example.com", "-i")
    assert answer.startswith("HTTP/1.1 404 ")
    assert "Zerogate-Reason: no-route" in answer


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: helloworld-go.default.example.com/path\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_a_request_that_two_parsers_could_read_in_two_ways_is_400(up: Machine, request_: bytes) -> None:
    assert _raw(up, request_) == "HTTP/1.1 400 Bad Request"


def _api(up: Machine, *, token: Any = None, headers: Any = None, body: Any = None) -> Any:
    """The status of a request to the API with what is given for proof."""
    config = yaml.safe_load((up.data / "kubeconfig").read_text())
    known = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"} if token is None else token
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    request = urllib.request.Request(
        f"https://127.0.0.1:{up.api}/api/v1/namespaces/default/configmaps",
        data=json.dumps(body).encode() if body else None,
        headers={"Content-Type": "application/json", **known, **(headers or {})},
    )
    try:
        with urllib.request.urlopen(request, context=trusting, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        ({}, {}, 401),
        ({"Authorization": "Bearer wrong"}, {}, 401),
        (None, {"Host": "evil.example.com"}, 403),
        (None, {"Origin": "http://evil.example.com"}, 403),
    ],
)
def test_the_api_refuses_strangers_and_browsers_and_nothing_changes(
    up: Machine, token: str, headers: dict[str, str], status: int
) -> None:
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "evil"}}
    assert _api(up, token=token, headers=headers, body=made) in {status, 421 if status == 403 else status}
    assert "NotFound" in up.kubectl("get", "configmap", "evil", check=False)
    assert _api(up) == 200


def _without_image(manifest: Obj) -> None:
    del manifest["spec"]["template"]["spec"]["containers"][0]["image"]


def _bad_port(manifest: Obj) -> None:
    manifest["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 99999}]


def _bad_percent(manifest: Obj) -> None:
    manifest["spec"]["traffic"] = [{"latestRevision": True, "percent": 90}]


def _doubled_tag(manifest: Obj) -> None:
    manifest["spec"]["traffic"] = [
        {"latestRevision": True, "percent": 50, "tag": "a"},
        {"latestRevision": True, "percent": 50, "tag": "a"},
    ]


def _misspelt(manifest: Obj) -> None:
    manifest["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"


def _bad_tag(manifest: Obj) -> None:
    manifest["spec"]["traffic"] = [{"latestRevision": True, "percent": 100, "tag": "Not A Label"}]


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (_without_image, "spec.template.spec.containers[0].image"),
        (_bad_port, "spec.template.spec.containers[0].ports[0].containerPort"),
        (_bad_percent, "spec.traffic"),
        (_doubled_tag, "spec.traffic"),
        (_bad_tag, "spec.traffic[0].tag"),
        (_misspelt, "imagee"),
    ],
)
def test_a_bad_service_is_refused_at_apply_time_with_the_fields_path(
    up: Machine, spoil: Callable[[Obj], None], field: str
) -> None:
    """Refused for a new Service and for an update alike; the stored one stays as it was."""
    for name in ("fresh", "helloworld-go"):
        version = ("get", "ksvc", name, "-o", "jsonpath={.metadata.resourceVersion}")
        before = up.kubectl(*version, check=False)
        manifest = service(name)
        spoil(manifest)
        for how in ((), ("--server-side", "--force-conflicts")):
            done = up.kubectl_result("apply", *how, "-f", "-", given=json.dumps(manifest))
            assert done.returncode != 0, done.stdout
            assert field in done.stderr, done.stderr
        after = up.kubectl(*version, check=False)
        assert before.splitlines()[:1] == after.splitlines()[:1] or "NotFound" in before


def test_traffic_to_a_revision_that_does_not_exist_is_said_in_the_condition(up: Machine) -> None:
    manifest = service("lost")
    manifest["spec"]["traffic"] = [{"revisionName": "lost-00009", "percent": 100}]
    up.apply(manifest)
    message = wait_for(
        "the reason",
        lambda: up.kubectl(
            "get", "ksvc", "lost", "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].message}"
        ),
    )
    assert "lost-00009" in message
    up.kubectl("delete", "ksvc", "lost")


def test_an_unknown_image_says_how_to_add_it_and_requests_get_503(up: Machine) -> None:
    """Not a hang: the revision is not Ready, the pod says ImagePullBackOff, the reply cannot-start."""
    manifest = service("imageless")
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = "nobody.example/none:1"
    up.apply(manifest)
    said = wait_for(
        "Revision not Ready",
        lambda: up.kubectl(
            "get", "revision", "imageless-00001",
            "-o", "jsonpath={.status.conditions[?(@.status=='False')].message}", check=False,
        ),
    )  # fmt: skip
    assert "config-images" in said
    wait_for("ImagePullBackOff", lambda: "ImagePullBackOff" in up.kubectl("get", "pods"))
    answer = up.curl(host("imageless"), "-i")
    assert answer.startswith("HTTP/1.1 503 ")
    assert "Zerogate-Reason: cannot-start" in answer
    assert "config-images" in answer
    up.kubectl("delete", "ksvc", "imageless")


def test_a_command_that_exits_says_its_exit_code_and_requests_get_503(up: Machine) -> None:
    """CrashLoopBackOff with the code in the pod's and the revision's status; no request is left hanging."""
    up.apply(service("crasher", container={"image": "local", "command": ["sh", "-c", "exit 3"]}))
    wait_for("CrashLoopBackOff", lambda: "CrashLoopBackOff" in up.kubectl("get", "pods"), 60)
    reason = up.kubectl(
        "get", "revision", "crasher-00001", "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].reason}"
    )
    assert reason == "ExitCode3"

    def refused() -> str | None:
        answer = up.curl(host("crasher"), "-i")
        return answer if answer.startswith("HTTP/1.1 503 ") else None

    assert "Zerogate-Reason: cannot-start" in wait_for("503", refused, 90)
    up.kubectl("delete", "ksvc", "crasher")


def test_a_plain_deployment_that_crashes_is_503_cannot_start(up: Machine) -> None:
    """A request for a target whose pod ends again and again gets 503 with the reason, not a hang."""
    up.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "crash",
                "namespace": "default",
                "labels": {"zerogate.dev/scale": "true"},
                "annotations": {"zerogate.dev/host": "crash.default.example.com"},
            },
            "spec": {
                "selector": {"matchLabels": {"app": "crash"}},
                "template": {
                    "metadata": {"labels": {"app": "crash", "zerogate.dev/scale": "true"}},
                    "spec": {
                        "containers": [
                            {"name": "c", "image": "local", "command": ["sh", "-c", "exit 3"],
                             "ports": [{"containerPort": 8080}]}
                        ]
                    },
                },
            },
        }
    )  # fmt: skip

    def refused() -> str | None:
        answer = up.curl("crash.default.example.com", "-i", "-m", "90")
        return answer if answer.startswith("HTTP/1.1 503") else None

    answer = wait_for("503", refused, 90)
    assert "Zerogate-Reason: cannot-start" in answer
    assert "3" in answer.split("\n\n", 1)[1]
    up.kubectl("delete", "deployment", "crash")


def test_an_app_that_listens_elsewhere_is_told_so(up: Machine) -> None:
    """The message names the port it listens on and $PORT."""
    program = (
        "import http.server as h; "
        "h.HTTPServer(('127.0.0.1', 18999), h.BaseHTTPRequestHandler).serve_forever()"
    )
    up.apply(service("elsewhere", container={"image": "local", "command": ["python3", "-c", program]}))
    said = wait_for(
        "the message",
        lambda: (
            "18999" in up.kubectl("get", "revision,pod", "-o", "yaml")
            and up.kubectl("get", "ksvc", "elsewhere")
        ),
        40,
    )
    assert "elsewhere" in said
    assert "PORT" in up.kubectl("get", "pods", "-o", "yaml")
    up.kubectl("delete", "ksvc", "elsewhere")

"""What people do with kubectl besides the walk-through: read what a field means, go over from one way of
applying to the other, edit the image table.
"""

import json
from collections.abc import Iterator

import pytest

from testkit.machines.laptop import Machine, host, service
from testkit.paths import SAMPLE
from testkit.waiting import wait_for


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One machine for all tests, which have Services of their own."""
    made = Machine(tmp_path_factory.mktemp("habits"))
    try:
        made.start()
        yield made
    finally:
        made.kill()


def test_every_kind_explains_itself_in_full(up: Machine) -> None:
    """`kubectl explain --recursive` knows each field of each kind that can be got."""
    listed = [
        line.split() for line in up.kubectl("api-resources", "--verbs=get", "--no-headers").splitlines()
    ]
    assert len(listed) > 12
    for name, *_, version, _, _ in listed:
        told = up.kubectl("explain", name, f"--api-version={version}", "--recursive")
        assert "resourceVersion" in told, name


def test_a_service_changes_from_one_way_of_applying_to_the_other(up: Machine) -> None:
    """What the client applied, the server applies without a conflict; then it has one owner, not two."""
    up.apply(service("switch", env={"TARGET": "One"}))
    up.wait_ready("switch")
    same = json.dumps(service("switch", env={"TARGET": "One"}))
    assert "serverside-applied" in up.kubectl("apply", "--server-side", "-f", "-", given=same)
    changed = json.dumps(service("switch", env={"TARGET": "Two"}))
    assert "serverside-applied" in up.kubectl("apply", "--server-side", "-f", "-", given=changed)
    other = json.dumps(service("switch", env={"TARGET": "Three"}))
    refused = up.kubectl_result("apply", "--server-side", "--field-manager=me", "-f", "-", given=other)
    assert refused.returncode == 1
    assert ".spec.template.spec.containers" in refused.stderr
    assert "kubectl" in refused.stderr


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("nonsense: [", "is no YAML"),
        ("- image: 5", "images.yaml[0].image must be an image's name or a glob"),
        ("- {image: x, comand: [a]}", "has the unknown key 'comand'"),
    ],
)
def test_an_image_table_that_makes_no_sense_is_refused(up: Machine, table: str, problem: str) -> None:
    """It would be found out at the next start only, when nothing starts any more."""
    before = up.get("configmap", "config-images", "-n", "zerogate-system")
    patch = json.dumps({"data": {"images.yaml": table}})
    done = up.kubectl_result(
        "patch", "configmap", "config-images", "-n", "zerogate-system", "--type=merge", "-p", patch
    )
    assert done.returncode == 1
    assert "data.images.yaml" in done.stderr
    assert problem in done.stderr
    assert up.get("configmap", "config-images", "-n", "zerogate-system") == before


def test_the_request_log_is_switched_live(up: Machine) -> None:
    """Off at first; on, each request is a line that names it."""
    up.apply(service("logged"))
    up.wait_ready("logged")
    up.curl(host("logged"), path="/unseen")
    up.configure("config-observability", **{"logging.enable-request-log": "true"})
    wait_for("a line", lambda: up.curl(host("logged"), path="/seen?x") and '"path": "/seen?x"' in up.output)
    assert "/unseen" not in up.output


@pytest.mark.parametrize(
    ("arguments", "instead"),
    [
        (("exec", "{pod}", "--", "ls"), "a process of this machine"),
        (("attach", "{pod}"), "kubectl logs -f"),
        (("port-forward", "{pod}", "29999:8080"), "zerogate.dev/port"),
    ],
)
def test_what_pods_that_are_processes_do_not_offer_says_what_to_do_instead(
    up: Machine, arguments: tuple[str, ...], instead: str
) -> None:
    """Not a 404 that nobody understands."""
    up.apply(service("plain", annotations={"autoscaling.knative.dev/min-scale": "1"}))
    up.wait_ready("plain")
    pod = up.pods("serving.knative.dev/service=plain")[0]["metadata"]["name"]
    done = up.kubectl_result(*(word.format(pod=f"pod/{pod}") for word in arguments))
    assert done.returncode == 1
    assert instead in done.stderr


def test_up_names_the_host_that_its_service_really_has(machine: Machine) -> None:
    """Its own domain, also where another was set; without a manifest that of a service which is there."""
    machine.start("-f", str(SAMPLE))
    assert f'-H "Host: {host("helloworld-go")}"' in machine.output
    machine.kubectl(
        "patch", "configmap", "config-domain", "-n", "zerogate-system", "--type=merge",
        "-p", json.dumps({"data": {"example.com": None, "my.test": ""}}),
    )  # fmt: skip
    for arguments in (("-f", str(SAMPLE)), ()):
        assert machine.stop() == 0
        machine.start(*arguments)
        assert '-H "Host: helloworld-go.default.my.test"' in machine.output

"""Two of each that elect a leader, as processes beside a real API server: one leads, another one follows."""

import base64
import contextlib
import datetime as dt
import json
import re
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from autoscaler.messages import Hello, Welcome, decode, encode
from kube.objects import Obj
from testkit.kubernetes.control_plane import ControlPlane
from testkit.kubernetes.programs import SYSTEM, Programs, install
from testkit.machines.laptop import host, service
from testkit.waiting import wait_for

LEASES = ("zerogate-controller", "zerogate-autoscaler")
SECRET = "of /debug"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
AFTER_A_GOOD_END = 5.0
AFTER_A_BAD_ONE = 20.0
"""Seconds until the next one leads and activators are linked to it."""


class Replicas:
    """The programs, each instance with a token of its own, so that the audit log tells them apart."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.programs = Programs(plane, folder)
        self.plane = plane
        self.tokens: dict[str, Any] = {}
        self.secret = folder / "admin-token"
        self.secret.write_text(f"{SECRET}\n")

    def start(self, *instances: Any) -> None:
        for instance in instances:
            kubeconfig = self.plane.kubeconfig_of(f"zerogate-{instance.partition('-')[0]}")
            own = kubeconfig.rename(self.programs.folder / f"kubeconfig-{instance}")
            token = json.loads(own.read_text())["users"][0]["user"]["token"]
            self.tokens[instance] = f"JTI={_claims(token)['jti']}"
            flags = [] if instance == "node" else [f"--admin-token-file={self.secret}"]
            self.programs.start(instance, kubeconfig=own, flags=flags)

    def lease(self, name: str) -> Obj:
        found: Obj = json.loads(
            self.plane.get(f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{name}")
        )
        return found

    def leader(self, name: str) -> str:
        return self.lease(name)["spec"].get("holderIdentity") or ""

    def next_leader(self, name: str, old: Any, since: float) -> Any:
        """Who leads after `old`, and seconds until it said so, or for an autoscaler until it was linked."""
        wait_for(f"another leader of {name}", lambda: self.leader(name) not in {"", old}, 60, 0.05)
        lease = self.lease(name)
        new, epoch = lease["spec"]["holderIdentity"], lease["spec"]["leaseTransitions"]
        if name == "zerogate-autoscaler":
            where, words = "activator-a", f"Linked to the autoscaler {new}, epoch {epoch}"
        else:
            where, words = new, f"Leading, epoch {epoch}"
        return new, wait_for(words, lambda: self.told_at(where, words, since), 60) - since

    def told_at(self, instance: str, words: str, since: float) -> Any:
        """When it logged after then something that begins so, unix seconds; None: not yet."""
        for line in self.programs.log(instance).splitlines():
            entry = json.loads(line)
            when = dt.datetime.fromisoformat(entry["time"]).timestamp()
            if when >= since and entry["message"].startswith(words):
                return when
        return None

    def steady(self) -> Any:
        """By Lease who leads, once another one waits for each and has seen a sign of life of it."""
        leaders = {name: self.leader(name) for name in LEASES}
        for name, leader in leaders.items():
            program, waits = name.removeprefix("zerogate-"), f"{name} waits: {leader} leads"
            other = f"{program}-{'b' if leader.endswith('a') else 'a'}"
            wait_for(f"{other} to wait", lambda: self.told_at(other, waits, 0), 60)  # noqa: B023
            seen = self.lease(name)["spec"]["renewTime"]
            wait_for(f"{leader} to renew", lambda: self.lease(name)["spec"]["renewTime"] != seen)  # noqa: B023
        return leaders

    def hand_over(self, number: int) -> Any:
        """Both leaders get the signal; who leads then, by Lease, and after how many seconds."""
        old = self.steady()
        since = time.time()
        for leader in old.values():
            self.programs.signal(leader, number)
        found = {name: self.next_leader(name, old[name], since) for name in LEASES}
        return old, found

    def state(self, instance: str, token: str = SECRET) -> Any:
        """Its /debug/state, or the status and text of a refusal."""
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.programs.admin[instance]}/debug/state",
            headers={"Authorization": f"Bearer {token}"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def requests_of(self, instance: str) -> Iterator[Any]:
        """(seconds of the unix clock, verb, path, status) of all that it asked."""
        for line in self.plane.audit_log.read_text().splitlines():
            event = json.loads(line)
            ids = (event["user"].get("extra") or {}).get("authentication.kubernetes.io/credential-id") or []
            if self.tokens[instance] in ids:
                yield (
                    event["requestReceivedTimestamp"], event["verb"], event["requestURI"],
                    (event.get("responseStatus") or {}).get("code"),
                )  # fmt: skip


def _claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


@pytest.fixture(scope="module")
def replicas(own_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Two controllers, two autoscalers, an activator, a node, and the Service hello; all run."""
    install(own_plane)
    made = Replicas(own_plane, tmp_path_factory.mktemp("replicas"))
    try:
        made.start("node", "controller-a", "controller-b", "autoscaler-a", "autoscaler-b", "activator-a")
        made.programs.admit_all_pods()
        apply(made, service("hello", annotations={"autoscaling.knative.dev/min-scale": "1"}))
        own_plane.kubectl("wait", "ksvc/hello", "--for=condition=Ready", "--timeout=180s")
        yield made
    finally:
        made.programs.stop()
        own_plane.kubectl("delete", "ksvc", "--all")
        own_plane.kubectl("delete", "node", "--all")


def apply(replicas: Replicas, *objects: Any) -> None:
    file = replicas.programs.folder / "applied.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    replicas.plane.kubectl("apply", "-f", str(file))


def ask(replicas: Replicas, name: str) -> int:
    asked = urllib.request.Request(
        f"http://127.0.0.1:{replicas.programs.gateway}/", headers={"Host": host(name)}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return int(answer.status)


@contextlib.contextmanager
def asked_all_the_time(replicas: Replicas) -> Iterator[None]:
    """A client that asks again and again; each answer is 200."""
    ends = threading.Event()
    answers: list[int | OSError] = []

    def client() -> None:
        while not ends.is_set():
            try:
                answers.append(ask(replicas, "hello"))
            except OSError as error:
                answers.append(error)

    thread = threading.Thread(target=client)
    thread.start()
    try:
        wait_for("answers before", lambda: len(answers) > 5)
        yield
        so_far = len(answers)
        wait_for("answers afterwards", lambda: len(answers) > so_far + 5)
    finally:
        ends.set()
        thread.join()
    assert set(answers) == {200}


def told(capsys: pytest.CaptureFixture[str], what: Any, found: Any) -> None:
    with capsys.disabled():
        seconds = ", ".join(f"{name} {took:.2f} s" for name, (_, took) in found.items())
        print(f"\n  hand-over after {what}: {seconds}")  # noqa: T201 - a measured figure


def test_a_leader_that_ends_hands_over_within_five_seconds(
    replicas: Replicas, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM, as at each roll-out: the Lease is given back, the next one watches it; activators follow."""
    with asked_all_the_time(replicas):
        old, found = replicas.hand_over(signal.SIGTERM)
    told(capsys, "SIGTERM", found)
    assert replicas.programs.stop(*old.values(), number=0) == [0, 0]
    replicas.start(*old.values())
    assert all(took < AFTER_A_GOOD_END for _, took in found.values())


def test_a_leader_that_is_killed_is_replaced_within_twenty_seconds(
    replicas: Replicas, capsys: pytest.CaptureFixture[str]
) -> None:
    """kill -9, or a node that is gone: the Lease runs out. Meanwhile requests are answered."""
    with asked_all_the_time(replicas):
        old, found = replicas.hand_over(signal.SIGKILL)
    told(capsys, "kill -9", found)
    replicas.programs.stop(*old.values(), number=0)
    replicas.start(*old.values())
    assert all(took < AFTER_A_BAD_ONE for _, took in found.values())


def test_a_leader_that_was_stopped_writes_nothing_when_it_wakes(
    replicas: Replicas, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGSTOP, and SIGCONT when another one leads. It finds much to do in what had come for it meanwhile: a
    Service without its Configuration, a Deployment to be scaled. It only reads, and waits for its turn.
    """
    old = replicas.steady()
    since = time.time()
    for leader in old.values():
        replicas.programs.signal(leader, signal.SIGSTOP)
    apply(replicas, service("meanwhile"))
    found = {name: replicas.next_leader(name, old[name], since) for name in LEASES}
    told(capsys, "SIGSTOP", found)
    replicas.plane.kubectl("wait", "ksvc/meanwhile", "--for=condition=Ready", "--timeout=180s")
    replicas.plane.kubectl("delete", "ksvc/meanwhile", "--wait=false")
    before = {leader: len([*replicas.requests_of(leader)]) for leader in old.values()}
    assert all(before.values())
    awake = time.time()
    for name, leader in old.items():
        replicas.programs.signal(leader, signal.SIGCONT)
        waits = f"{name} waits: {found[name][0]} leads"
        wait_for(f"{leader} to wait", lambda: replicas.told_at(leader, waits, awake), 30)  # noqa: B023
    asked = {leader: [*replicas.requests_of(leader)][before[leader] :] for leader in old.values()}
    assert all(asked.values()), "each has asked who leads"
    written = [request for requests in asked.values() for request in requests if request[1] in WRITES]
    assert written == []
    assert {name: replicas.leader(name) for name in LEASES} == {name: new for name, (new, _) in found.items()}
    assert ask(replicas, "hello") == 200


async def linked(replicas: Replicas, token: str, *, certificate: str = "", scheme: str = "https") -> Any:
    """What the leader answers to one who shows this token: its welcome, or the status of its refusal."""
    notes = replicas.lease("zerogate-autoscaler")["metadata"]["annotations"]
    pinned = aiohttp.Fingerprint(bytes.fromhex(certificate or notes["zerogate.dev/certificate"]))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session:
        try:
            async with session.ws_connect(
                f"{scheme}://{notes['zerogate.dev/address']}/link", headers=headers, ssl=pinned
            ) as socket:
                await socket.send_bytes(encode(Hello("stranger", "", 1)))
                return decode(await socket.receive_bytes(timeout=10))
        except aiohttp.WSServerHandshakeError as refused:
            return refused.status


async def test_the_link_opens_for_the_activators_own_token_alone(replicas: Replicas) -> None:
    """Made for the link's audience, of the activators' account; the API server says whose it is."""
    kubectl = replicas.plane.kubectl

    def token(account: Any, *more: Any, namespace: str = SYSTEM) -> Any:
        return kubectl("create", "token", account, "-n", namespace, *more)

    ours = ("--audience", "zerogate-link")
    kubectl("create", "serviceaccount", "zerogate-activator", "-n", "default")
    assert isinstance(await linked(replicas, token("zerogate-activator", *ours)), Welcome)
    for refused in (
        "",
        "garbage",
        token("zerogate-activator"),
        token("zerogate-activator", "--audience", "somebody-else"),
        token("zerogate-controller", *ours),
        token("zerogate-activator", *ours, namespace="default"),
    ):
        assert await linked(replicas, refused) == 401
    forged = token("zerogate-activator", *ours)
    assert await linked(replicas, forged[:-10] + "AAAAAAAAAA") == 401
    with pytest.raises(aiohttp.ServerFingerprintMismatch):
        await linked(replicas, token("zerogate-activator", *ours), certificate="00" * 32)
    with pytest.raises(aiohttp.ClientError):
        await linked(replicas, token("zerogate-activator", *ours), scheme="http")
    kubectl("delete", "serviceaccount", "zerogate-activator", "-n", "default")


def test_an_activator_talks_to_the_certificate_on_the_lease_and_to_no_other(replicas: Replicas) -> None:
    """Somebody changed the Lease: no link, until its leader puts that right with its next renewal."""
    activator = replicas.programs.log
    links = activator("activator-a").count("Linked to the autoscaler")
    note = "zerogate.dev/certificate=" + "00" * 32
    replicas.plane.kubectl("annotate", "lease", "zerogate-autoscaler", "-n", SYSTEM, "--overwrite", note)
    wait_for("a refusal", lambda: "another certificate than the one" in activator("activator-a"))
    wait_for("the link again", lambda: activator("activator-a").count("Linked to the autoscaler") > links)
    assert not re.search(r"00000000", str(replicas.lease("zerogate-autoscaler")["metadata"]["annotations"]))


def make_ready(replicas: Replicas, pod: Any) -> None:
    """What a scheduler and a kubelet do, on a node that is nowhere."""
    kubectl = replicas.plane.kubectl
    node, bound = replicas.programs.folder / "node.json", replicas.programs.folder / "binding.json"
    node.write_text(json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "nowhere"}}))
    kubectl("apply", "-f", str(node))
    target = {"kind": "Node", "name": "nowhere"}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod}, "target": target}
    bound.write_text(json.dumps(binding))
    kubectl("create", "--raw", f"/api/v1/namespaces/{SYSTEM}/pods/{pod}/binding", "-f", str(bound))
    ready = {
        "phase": "Running",
        "podIP": "192.0.2.9",
        "podIPs": [{"ip": "192.0.2.9"}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    patch = json.dumps({"status": ready})
    kubectl("patch", "pod", pod, "-n", SYSTEM, "--subresource=status", "-p", patch)


def test_a_ready_pod_of_the_gateways_service_is_expected_to_report(replicas: Replicas) -> None:
    """A real EndpointSlice names it; that it never did is seen, and nothing is scaled down blindly."""
    unbound = ("-l", "app.kubernetes.io/name=zerogate-activator", "--field-selector", "spec.nodeName=")
    pods = wait_for(
        "a pod of the gateway",
        lambda: replicas.plane.kubectl("get", "pods", "-n", SYSTEM, *unbound, "-o", "name").split(),
    )
    pod = pods[0].removeprefix("pod/")
    make_ready(replicas, pod)
    leader = replicas.leader("zerogate-autoscaler")

    def missed() -> Any:
        seen = replicas.state(leader)["activators"]
        return seen if seen.get(pod, {"silentFor": 0})["silentFor"] > 3 else None

    seen = wait_for("the pod to be missed", missed)
    assert not seen[pod]["isLinked"]
    assert seen["activator-a"]["isLinked"]


def test_the_inside_of_each_program_is_for_those_who_have_its_secret(replicas: Replicas) -> None:
    """Leaders and those that wait say which they are."""
    for instance in ("controller-a", "controller-b", "autoscaler-a", "autoscaler-b", "activator-a"):
        assert replicas.state(instance, "wrong")[0] == 401
    for name in LEASES:
        program = name.removeprefix("zerogate-")
        leads = {f"{program}-{each}": replicas.state(f"{program}-{each}")["isLeader"] for each in "ab"}
        assert [instance for instance, is_leader in leads.items() if is_leader] == [replicas.leader(name)]
    assert f"epoch={replicas.lease('zerogate-autoscaler')['spec']['leaseTransitions']}" in str(
        replicas.state("activator-a")["link"]
    )

"""What the API says of targets and pods becomes revisions and pods that serve, level by level."""

import asyncio
import contextlib
import itertools
from typing import Any, cast

import pytest

from activator.edge.cluster.endpoints import Endpoints, Hooks
from activator.edge.http.dispatch import Dispatcher
from activator.hold.throttle import Room, Waiter
from activator.hosts import Hosts
from activator.link.orders import Orders
from activator.revision import Revision
from activator.routes import Router
from kube.edge.informer import Change
from kube.objects import Obj, key
from serving.targets import ScaleTarget
from testkit.proxy.fake_api import deployment, plain_deployment, pod, route
from testkit.waiting import until

KEY = ("default", "hello-00001")
HOST = b"hello.default.example.com"
UID = "uid-p1"
EXEC = {"name": "c", "readinessProbe": {"exec": {"command": ["true"]}}}


class FakeDispatcher:
    """Keeps the throttle as the real one does, and a list of what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def pod_ready(self, revision: Revision, uid: str, address: str, port: int) -> None:
        self.told.append(("ready", uid, port))
        revision.throttle.pod_ready(uid, address, port, 0.0)

    def pod_gone(self, revision: Revision, uid: str) -> None:
        self.told.append(("gone", uid))
        revision.throttle.pod_gone(uid)

    def refuse(self, revision: Revision, reason: str, detail: str) -> None:
        self.told.append(("refuse", reason, detail))

    def revision_gone(self, revision: Revision) -> None:
        self.told.append(("revision gone", revision.key[1]))

    def retarget(self, revision: Revision, target: ScaleTarget) -> None:
        revision.target = target


class World:
    """Endpoints with the objects that were told of; `tell` says what becomes of an object."""

    def __init__(self) -> None:
        self.dispatcher = FakeDispatcher()
        self.orders = Orders()
        self.revisions: dict[tuple[str, str], Revision] = {}
        self.router = Router(self.revisions, is_local=False)
        self.targets_changed: list[int] = []
        self.gone: list[tuple[str, str]] = []
        process = Room(100, 1 << 20)
        hooks = Hooks(
            make=lambda target: Revision(target, process=process, random=lambda: 0.5),
            on_target=lambda revision: self.targets_changed.append(revision.target.replicas),
            on_gone=lambda revision: self.gone.append(revision.key),
        )
        hosts = Hosts([self.router], localhost_alias=False)
        self.endpoints = Endpoints(
            self.revisions, hosts, cast("Dispatcher", self.dispatcher), self.orders, hooks
        )
        self._known: dict[tuple[str, tuple[Any, ...]], Any] = {}

    def tell(self, kind: str, obj: Obj) -> None:
        former = self._known.get((kind, key(obj)))
        self._known[kind, key(obj)] = obj
        getattr(self.endpoints, f"{kind}_changed")(Change(key(obj), former, obj))

    def remove(self, kind: str, obj: Obj) -> None:
        former = self._known.pop((kind, key(obj)))
        getattr(self.endpoints, f"{kind}_changed")(Change(key(obj), former, None))

    @property
    def told(self) -> list[tuple[Any, ...]]:
        told, self.dispatcher.told = self.dispatcher.told, []
        return told

    @property
    def hello(self) -> Revision:
        return self.revisions[KEY]

    def is_asked(self) -> bool:
        return UID in self.endpoints.prober


@pytest.fixture
def world() -> World:
    made = World()
    made.tell("target", deployment(replicas=1))
    return made


def test_ready_pods_join_and_leaving_ones_leave(world: World) -> None:
    """Ready, deleting, deleted: each is told once."""
    world.tell("pod", pod(port=20001, ready=True))
    world.tell("pod", pod(port=20001, ready=True))
    assert world.told == [("ready", UID, 20001)]
    world.tell("pod", pod(port=20001, ready=True, deleting=True))
    assert world.told == [("gone", UID)]
    world.remove("pod", pod())
    assert world.told == []


def test_a_pod_that_came_anew_under_its_name_is_another_one(world: World) -> None:
    """The same name with another UID, as a missed deletion shows it: the old one is gone."""
    world.tell("pod", pod(port=20001, ready=True))
    anew = pod(port=20002, ready=True)
    anew["metadata"]["uid"] = "another"
    world.tell("pod", anew)
    assert world.told == [("ready", UID, 20001), ("gone", UID), ("ready", "another", 20002)]


@pytest.mark.parametrize("order", list(itertools.permutations(["route", "target", "pod"])))
def test_the_order_in_which_things_are_learnt_does_not_matter(order: tuple[str, str, str]) -> None:
    """Route, target and pod lead to the same whatever comes first."""
    world = World()
    objects = {
        "route": route(("hello-00001", 100)),
        "target": deployment(replicas=1),
        "pod": pod(port=20001, ready=True),
    }
    for kind in order:
        world.tell(kind, objects[kind])
    picked = world.router.pick(HOST, 0.0)
    assert picked is not None
    assert picked.revision is world.hello
    assert world.told == [("ready", UID, 20001)]


def test_plain_deployments_find_their_pods_by_selector() -> None:
    """Pods without a revision's label belong to the Deployment that selects them, whichever comes first."""
    web = pod(port=20001, ready=True, labels={"app": "web"})
    for kinds in (["target", "pod"], ["pod", "target"]):
        world = World()
        for kind in kinds:
            world.tell(kind, {"target": plain_deployment(), "pod": web}[kind])
        assert world.told == [("ready", UID, 20001)]
        assert [*world.revisions] == [("default", "web")]


def test_a_revision_goes_with_its_deployment_and_comes_back(world: World) -> None:
    """Its waiters are told, its pods are strays, and a new Deployment of that name adopts them."""
    world.tell("route", route(("hello-00001", 100)))
    world.tell("pod", pod(port=20001, ready=True))
    assert world.told
    world.remove("target", deployment())
    assert world.told == [("revision gone", "hello-00001")]
    assert world.gone == [KEY]
    assert world.router.pick(HOST, 0.0) is None
    world.tell("target", deployment(replicas=1))
    assert world.told == [("ready", UID, 20001)]
    picked = world.router.pick(HOST, 0.0)
    assert picked is not None
    assert picked.revision is world.hello


def test_a_second_deployment_of_a_revision_is_left_out(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """One revision has one Deployment; the other changes nothing, and its end neither."""
    intruder = deployment(replicas=7)
    intruder["metadata"]["name"] = "intruder"
    world.tell("target", intruder)
    assert world.hello.target.replicas == 1
    assert "intruder is left out" in caplog.text
    world.remove("target", intruder)
    assert KEY in world.revisions


def test_a_target_is_replaced_not_patched(world: World) -> None:
    """The revision stays the same object with a new target, and whoever cares hears of it."""
    same = world.hello
    world.tell("target", deployment(replicas=3))
    assert world.hello is same
    assert world.hello.target.replicas == 3
    assert world.targets_changed == [1, 3]


def test_who_is_asked(world: World) -> None:
    """A pod with an address is asked while no pod serves or something is in flight, and not otherwise."""
    world.tell("pod", pod())
    assert not world.is_asked()
    world.tell("pod", pod(port=20001))
    assert world.is_asked()
    world.tell("pod", pod("p2", port=20002, ready=True))
    world.tell("pod", pod(port=20001, restarts=1))
    world.tell("pod", pod(port=20001, ready=True))
    assert not world.is_asked()


def test_pods_beyond_the_first_are_asked_under_load(world: World) -> None:
    """While another pod serves, a new one is asked only if requests are there to profit."""
    world.tell("pod", pod("p2", port=20002, ready=True))
    world.tell("pod", pod(port=20001))
    assert not world.is_asked()
    world.hello.load.enter(0.0)
    world.hello.throttle.wait(Waiter(), 0, 0.0)
    world.endpoints.waiting(world.hello)
    assert world.is_asked()


def test_an_exec_probe_is_the_kubelets(world: World) -> None:
    """Such a pod is never asked; Ready is waited for."""
    world.tell("target", deployment(replicas=1, container=EXEC))
    world.tell("pod", pod(port=20001))
    assert not world.is_asked()
    world.tell("pod", pod(port=20001, ready=True))
    assert world.told == [("ready", UID, 20001)]


def test_a_pod_that_is_not_ready_any_more_is_left_out_and_asked(world: World) -> None:
    """Kubernetes' No counts after its Yes; our own probe may bring the pod back."""
    world.tell("pod", pod(port=20001, ready=True))
    world.tell("pod", pod("p2", port=20002, ready=True))
    world.tell("pod", pod(port=20001))
    assert world.told[-1] == ("gone", UID)
    assert world.is_asked()


async def test_an_answer_lets_the_pod_in(world: World) -> None:
    """A real socket that listens joins through the prober."""
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        running = asyncio.create_task(world.endpoints.prober.run())
        port = server.sockets[0].getsockname()[1]
        world.tell("pod", pod(port=port))
        await until(lambda: world.dispatcher.told, "the pod")
        assert world.told == [("ready", UID, port)]
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_had_is_said_once(world: World, reason: str) -> None:
    """Waiters are refused with the container's own words; a pod that starts clears it."""
    world.tell("pod", pod(waiting=reason))
    world.tell("pod", pod(waiting=reason))
    assert world.told == [("refuse", "cannot-start", f"{reason}: {reason} of p1")]
    assert world.hello.trouble
    world.tell("pod", pod("p2"))
    assert not world.hello.trouble


def test_a_crash_loop_is_trouble_from_the_third_restart_on(world: World) -> None:
    """Twice may happen to anybody."""
    for restarts, troubled in [(1, False), (2, False), (3, True)]:
        world.tell("pod", pod(waiting="CrashLoopBackOff", restarts=restarts))
        assert bool(world.hello.trouble) == troubled


def test_a_quota_is_trouble_until_a_pod_is_there(world: World) -> None:
    """The Deployment's ReplicaFailure speaks for pods that were never made."""
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    world.tell("target", deployment(replicas=1, conditions=[failure]))
    assert world.told == [("refuse", "cannot-start", "exceeded quota")]
    world.tell("target", deployment(replicas=1))
    assert not world.hello.trouble


def test_a_pod_in_use_means_no_trouble(world: World) -> None:
    """One pod that serves is enough, whatever the others do."""
    world.tell("pod", pod("p2", port=20002, ready=True))
    world.tell("pod", pod(waiting="ErrImagePull"))
    assert not world.hello.trouble
    world.remove("pod", pod("p2"))
    assert world.hello.trouble


def test_the_steps_of_a_wake_are_noted(world: World) -> None:
    """From the first waiter on: decided, scheduled, address, connected, each once and in order."""
    world.tell("target", deployment(replicas=0))
    world.hello.cold_since = 1.0
    world.hello.throttle.wait(Waiter(), 0, 2.0)
    world.endpoints.waiting(world.hello)
    assert world.hello.phases.wake_requested == 2.0
    assert world.hello.phases.decided is None
    world.tell("target", deployment(replicas=1))
    world.tell("pod", pod())
    world.tell("pod", pod(port=20001))
    world.tell("pod", pod(port=20001, ready=True))
    phases = world.hello.phases
    marks: list[Any] = [phases.decided, phases.scheduled, phases.address_known, phases.connected]
    assert None not in marks
    assert marks == sorted(marks)


def test_an_order_is_forgotten_with_its_pod(world: World) -> None:
    """A pod that is deleted leaves no order behind."""
    world.tell("pod", pod(port=20001, ready=True))
    world.orders.cordon(KEY, UID, 1, 99.0)
    world.remove("pod", pod())
    assert UID not in world.orders


def test_the_state_is_printable(world: World) -> None:
    """What /debug/state shows names the revision, its throttle, its load and its pods."""
    world.tell("pod", pod(port=20001))
    state: Any = world.endpoints.state()["default/hello-00001"]
    assert state["replicas"] == 1
    assert state["asked"] == [UID]
    assert state["known"] == ["default/p1"]

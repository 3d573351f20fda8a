"""Two phases: first nobody chooses a pod, then it goes."""

import itertools
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.messages import Cordon, Uncordon
from autoscaler.replicas import FIRST_TO_GO, Replicas, View, Write
from autoscaler.scalein import EXPIRES_IN, SETTLED_AFTER, Pod, ScaleIn

NOW = 1_700_000_000.0
KEY = ("ns", "rev")
ALL = frozenset({"a", "b"})


def pods(count: int, **unready: bool) -> dict[str, Pod]:
    """p0 is the oldest."""
    made = {}
    for number in range(count):
        uid, created = f"p{number}", f"2026-01-01T00:00:{number:02}Z"
        made[uid] = Pod(uid, f"name-{number}", is_ready=uid not in unready, created=created)
    return made


def numbers() -> Callable[[], int]:
    return itertools.count(7 << 24).__next__


def idle(_: str) -> int:
    return 0


def view(now: float, *, activators: frozenset[str] = ALL, in_flight: Callable[[str], int] = idle) -> View:
    return View(now, activators, in_flight, lambda _: "")


def test_those_with_the_fewest_requests_go_first_and_of_equals_the_newest() -> None:
    scale_in = ScaleIn(KEY, numbers())
    busy = {"p0": 3, "p1": 0, "p2": 5, "p3": 0, "p4": 1}
    orders = scale_in.aim(pods(5), 3, busy.__getitem__, NOW)
    assert [order.pod_uid for order in orders] == ["p3", "p1", "p4"]


def test_kubernetes_takes_pods_that_are_not_ready_before_all_others() -> None:
    scale_in = ScaleIn(KEY, numbers())
    assert [order.pod_uid for order in scale_in.aim(pods(4, p1=True), 2, idle, NOW)] == ["p1", "p3"]


def test_a_choice_is_kept_while_loads_change() -> None:
    scale_in = ScaleIn(KEY, numbers())
    first = scale_in.aim(pods(3), 1, {"p0": 1, "p1": 0, "p2": 1}.__getitem__, NOW)
    assert [order.pod_uid for order in first] == ["p1"]
    assert scale_in.aim(pods(3), 1, {"p0": 0, "p1": 5, "p2": 0}.__getitem__, NOW) == []


def test_orders_say_what_they_are_and_are_renewed_in_time() -> None:
    scale_in = ScaleIn(KEY, numbers())
    first = scale_in.aim(pods(2), 1, idle, NOW)
    assert first == [Cordon("ns", "rev", "p1", 7 << 24, EXPIRES_IN)]
    assert scale_in.renew(NOW + 3) == []
    assert scale_in.renew(NOW + 4) == first
    assert scale_in.renew(NOW + 6) == []
    assert scale_in.standing() == first
    assert scale_in.aim(pods(2), 0, idle, NOW + 6) == [Uncordon("ns", "rev", "p1", 7 << 24)]
    assert scale_in.standing() == []


def test_an_answer_to_a_former_order_is_none_to_the_present_one() -> None:
    scale_in = ScaleIn(KEY, numbers())
    (old,) = scale_in.aim(pods(1), 1, idle, NOW)
    scale_in.aim(pods(1), 0, idle, NOW)
    (new,) = scale_in.aim(pods(1), 1, idle, NOW)
    assert new.epoch > old.epoch
    assert not scale_in.acknowledge("a", "p0", old.epoch, 0)
    assert not scale_in.are_empty({"a"})
    assert scale_in.acknowledge("a", "p0", new.epoch, 0)
    assert scale_in.are_empty({"a"})


def test_the_number_is_written_only_as_far_as_victims_are_empty() -> None:
    replicas, alive = Replicas(KEY, 5, numbers()), pods(5)
    outcome = replicas.steer(2, alive, 300, view(NOW), "less load")
    assert len(outcome.orders) == 3
    assert outcome.write is None
    orders = {order.pod_uid: order.epoch for order in outcome.orders}
    for activator in ALL:
        replicas.scale_in.acknowledge(activator, "p4", orders["p4"], 0)
    outcome = replicas.steer(2, alive, 300, view(NOW + 2), "less load")
    assert outcome.write is not None
    assert (outcome.write.replicas, outcome.write.was) == (4, 5)
    assert outcome.write.costs == {"name-4": FIRST_TO_GO}
    assert replicas.steer(2, alive, 300, view(NOW + 3), "less load").write is None


def test_patience_ends() -> None:
    replicas, alive = Replicas(KEY, 2, numbers()), pods(2)
    replicas.steer(1, alive, 30, view(NOW), "")
    assert replicas.steer(1, alive, 30, view(NOW + 29.9), "").write is None
    outcome = replicas.steer(1, alive, 30, view(NOW + 30), "")
    assert outcome.write is not None
    assert outcome.write.replicas == 1


def test_pods_that_do_not_exist_yet_need_no_farewell() -> None:
    replicas = Replicas(KEY, 10, numbers())
    outcome = replicas.steer(4, pods(3), 300, view(NOW), "")
    assert outcome.orders == []
    assert outcome.write is not None
    assert (outcome.write.replicas, outcome.write.costs) == (4, {})


def test_the_surplus_of_a_rolling_update_is_not_ours() -> None:
    replicas = Replicas(KEY, 3, numbers())
    outcome = replicas.steer(3, pods(4, p3=True), 300, view(NOW), "")
    assert (outcome.orders, outcome.write) == ([], None)
    assert len(replicas.steer(2, pods(4, p3=True), 300, view(NOW), "").orders) == 1


def test_load_that_comes_back_takes_the_victims_back_before_anything_was_written() -> None:
    replicas, alive = Replicas(KEY, 3, numbers()), pods(3)
    cordoned = replicas.steer(0, alive, 300, view(NOW), "").orders
    outcome = replicas.steer(3, alive, 300, view(NOW + 1), "")
    assert {order.pod_uid for order in outcome.orders} == {order.pod_uid for order in cordoned}
    assert all(isinstance(order, Uncordon) for order in outcome.orders)
    assert outcome.write is None


def test_a_released_pod_that_outlives_its_release_serves_again() -> None:
    """It was too late to keep it, but then nobody deleted it: the number had risen again."""
    replicas, alive = Replicas(KEY, 1, numbers()), pods(1)
    replicas.steer(0, alive, 300, view(NOW, activators=frozenset()), "")
    assert replicas.writing == 0
    replicas.arrived(0, "5", is_last=True)
    outcome = replicas.steer(1, alive, 300, view(NOW + 0.5), "request waiting")
    assert (outcome.orders, outcome.write and outcome.write.replicas) == ([], 1)
    replicas.arrived(1, "6", is_last=True)
    (back,) = replicas.steer(1, alive, 300, view(NOW + SETTLED_AFTER), "").orders
    assert isinstance(back, Uncordon)


def test_costs_of_pods_that_stay_are_taken_away_again() -> None:
    replicas, alive = Replicas(KEY, 3, numbers()), pods(3)
    alive["p0"].cost, alive["p1"].cost = FIRST_TO_GO, "50"
    outcome = replicas.steer(
        2,
        alive,
        300,
        view(NOW, activators=frozenset(), in_flight={"p0": 5, "p1": 5, "p2": 0}.__getitem__),
        "",
    )
    assert outcome.write is not None
    assert outcome.write.costs == {"name-0": None, "name-2": FIRST_TO_GO}


def test_old_news_of_the_watch_does_not_undo_a_write() -> None:
    replicas = Replicas(KEY, 1, numbers())
    replicas.steer(5, pods(1), 300, view(NOW), "")
    replicas.arrived(5, "20", is_last=True)
    assert not replicas.found(1, "19")
    assert replicas.current == 5
    assert replicas.found(4, "21")
    assert not replicas.found(4, "22")
    assert replicas.current == 4


steps = st.lists(
    st.one_of(
        st.tuples(st.just("want"), st.integers(0, 6)),
        st.tuples(st.just("empty"), st.integers(0, 9)),
        st.tuples(st.just("delete"), st.integers(0, 9)),
        st.tuples(st.just("create"), st.integers(0, 0)),
    ),
    max_size=40,
)


class Story:
    """A revision, its pods, and an activator that obeys."""

    def __init__(self) -> None:
        self.replicas, self.pods = Replicas(KEY, 3, numbers()), pods(3)
        self.obeyed: dict[str, int] = {}
        self.wanted, self.now = 3, NOW

    def happens(self, what: str, number: int) -> None:
        self.now += 1
        cordoned = [uid for uid in self.pods if uid in self.obeyed]
        if what == "want":
            self.wanted = number
        elif what == "empty" and cordoned:
            uid = cordoned[number % len(cordoned)]
            for activator in ALL:
                self.replicas.scale_in.acknowledge(activator, uid, self.obeyed[uid], 0)
        elif what == "delete" and self.pods:
            del self.pods[sorted(self.pods)[number % len(self.pods)]]
        elif what == "create":
            uid = f"new-{self.now - NOW:g}"
            self.pods[uid] = Pod(uid, uid, is_ready=True, created=str(self.now))

    def steer(self) -> Write | None:
        outcome = self.replicas.steer(self.wanted, self.pods, 1e9, view(self.now), "")
        for order in outcome.orders:
            if isinstance(order, Cordon):
                self.obeyed[order.pod_uid] = order.epoch
            else:
                assert self.obeyed.pop(order.pod_uid) == order.epoch
        return outcome.write


@given(steps)
def test_no_pod_is_given_away_that_an_activator_may_still_choose(events: list[tuple[str, int]]) -> None:
    """However wishes, answers and pods come and go: what is written never asks for fewer pods than those
    that were not said to be empty; and who obeys the orders knows exactly the victims.
    """
    story = Story()
    for what, number in events:
        story.happens(what, number)
        write = story.steer()
        scale_in = story.replicas.scale_in
        assert {uid for uid in story.obeyed if uid in story.pods} == set(scale_in.victims)
        if write is not None:
            if write.replicas < write.was:
                assert write.replicas >= story.wanted + scale_in.staying()
            story.replicas.arrived(write.replicas, "", is_last=True)

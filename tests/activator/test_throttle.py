"""Slots and the queue: first in, first out, never above a limit, and every count equals a recount."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from activator.hold.balance import OUT, Pod
from activator.hold.pacing import FIRST_WINDOW, MAX_CONNECTING, STEP
from activator.hold.throttle import FIRST_DELAY, LAST_POD_DELAY, LONGEST_DELAY, Room, Throttle, Waiter


def waiter() -> Waiter:
    """As the edge makes one."""
    made = Waiter()
    made.pod, made.since, made.held = None, 0.0, 0
    return made


def make(
    limit: int = 0,
    own: tuple[int, int] = (100, 10_000),
    process: tuple[int, int] = (1000, 100_000),
    seed: int = 1,
) -> Throttle[Any]:
    return Throttle(limit=limit, own=Room(*own), process=Room(*process), random=random.Random(seed).random)


def ready(throttle: Throttle[Any], uid: str, now: float = 0.0) -> Pod:
    """A pod that has proven itself, so that nothing is paced."""
    pod = throttle.pod_ready(uid, uid, 80, now)
    pod.pace.window = 0
    throttle.answered(pod)
    return pod


def hand_over_all(throttle: Throttle[Any]) -> list[Waiter]:
    return list(iter(throttle.hand_over, None))


def test_without_a_pod_requests_wait_and_a_pod_gets_them_oldest_first() -> None:
    """Nobody overtakes; a request that arrives while others wait waits too."""
    throttle = make()
    assert throttle.take() is None
    requests = [waiter() for n in range(5)]
    for request in requests:
        assert throttle.wait(request, 10, now=1.0)
    assert repr(throttle) == "<Throttle 0 busy, 5 waiting, 0 pods>"
    pod = ready(throttle, "a")
    assert throttle.take() is None
    assert hand_over_all(throttle) == requests
    assert all(request.pod is pod for request in requests)
    assert (throttle.busy, pod.in_flight, throttle.waiting) == (5, 5, 0)


def test_a_hard_limit_holds_and_a_free_slot_goes_to_the_oldest() -> None:
    """With a limit of 2 a pod never has 3; each release serves one waiter."""
    throttle = make(limit=2)
    pod = ready(throttle, "a")
    assert [throttle.take(), throttle.take(), throttle.take()] == [pod, pod, None]
    first, second = waiter(), waiter()
    throttle.wait(first, 0, 1.0)
    throttle.wait(second, 0, 2.0)
    assert throttle.release(pod) is first
    assert throttle.release(pod) is second
    assert pod.in_flight == 2
    assert throttle.release(pod) is None
    assert throttle.take() is pod


def test_the_least_busy_pod_is_taken() -> None:
    """Also after pods came, went and were cordoned."""
    throttle = make()
    pods = [ready(throttle, str(n)) for n in range(4)]
    for _ in range(12):
        throttle.take()
    assert [pod.in_flight for pod in pods] == [3] * 4
    late = ready(throttle, "late")
    assert [throttle.take() for _ in range(3)] == [late] * 3
    throttle.cordon("late")
    assert throttle.take() is not late
    throttle.uncordon("late")
    throttle.release(late)
    assert throttle.take() is late


def test_ties_are_broken_at_random() -> None:
    """Among pods that are equally busy each is chosen about equally often."""
    throttle = make()
    chosen = dict.fromkeys((ready(throttle, str(n)) for n in range(4)), 0)
    for _ in range(400):
        pod = throttle.take()
        assert pod is not None
        chosen[pod] += 1
        throttle.release(pod)
    assert min(chosen.values()) > 60


def test_the_queue_is_bounded_in_requests_and_bytes_here_and_in_the_process() -> None:
    """A request beyond a bound is turned away and leaves no trace; so is growth."""
    process = Room(3, 100)
    throttle: Throttle[Any] = Throttle(limit=0, own=Room(2, 50), process=process, random=random.random)
    other: Throttle[Any] = Throttle(limit=0, own=Room(100, 1000), process=process, random=random.random)
    one, two, three = waiter(), waiter(), waiter()
    assert throttle.wait(one, 30, 0)
    assert not throttle.wait(two, 30, 0)  # own bytes
    assert throttle.wait(two, 10, 0)
    assert not throttle.wait(three, 0, 0)  # own requests
    assert not throttle.grow(one, 20)
    assert throttle.grow(one, 10)
    assert not other.wait(three, 60, 0)  # bytes of the process
    assert other.wait(three, 50, 0)
    assert not other.wait(waiter(), 0, 0)  # requests of the process
    throttle.leave(one)
    throttle.leave(one)
    assert (process.requests, process.bytes) == (2, 60)
    assert list(throttle.dismiss()) == [two]
    assert list(other.dismiss()) == [three]
    assert (process.requests, process.bytes) == (0, 0)


@pytest.mark.parametrize("hogs", [1, 2, 5])
def test_no_revision_holds_more_than_its_share_of_the_process(hogs: int) -> None:
    """However many fill the process up to what they get, a cold request to another one finds room."""
    process = Room(1000, 100_000)
    everyone: list[Throttle[Any]] = [
        Throttle(limit=0, own=Room(10_000, 1 << 20), process=process, random=random.random)
        for _ in range(hogs)
    ]
    is_full = False
    while not is_full:
        is_full = sum(throttle.wait(waiter(), 50, 0) for throttle in everyone) == 0
    counts = [throttle.waiting for throttle in everyone]
    assert max(counts) - min(counts) <= 1
    assert sum(counts) >= 800
    newcomer: Throttle[Any] = Throttle(
        limit=0, own=Room(10_000, 1 << 20), process=process, random=random.random
    )
    for _ in range(1000 // (5 * hogs + 5)):
        assert newcomer.wait(waiter(), 50, 0)
    assert not everyone[0].wait(waiter(), 50, 0)


def test_patience_ends_oldest_first() -> None:
    """Exactly those that waited long enough leave."""
    throttle = make()
    requests = [waiter() for n in range(4)]
    for n, request in enumerate(requests):
        throttle.wait(request, 1, now=float(n))
    assert list(throttle.expire(now=11.5, patience=10.0)) == requests[:2]
    assert throttle.oldest is requests[2]


def test_a_request_that_waits_again_does_not_hide_the_patience_of_others() -> None:
    """It is the next one, but those behind it that came earlier leave at their own time."""
    throttle = make(limit=1)
    pod = ready(throttle, "a")
    again, earlier = waiter(), waiter()
    again.pod = throttle.take()
    assert throttle.wait(earlier, 10, now=1.0)
    throttle.failed(pod, 9.0)
    throttle.pod_gone("a")
    throttle.wait_again(again, 10, 9.0)
    throttle.release(pod)
    assert throttle.queued() == [again, earlier]
    assert list(throttle.expire(10.9, 10.0)) == []
    assert list(throttle.expire(11.1, 10.0)) == [earlier]
    assert list(throttle.expire(18.9, 10.0)) == []
    assert list(throttle.expire(19.1, 10.0)) == [again]
    assert (throttle.waiting, throttle.own.requests, throttle.own.bytes) == (0, 0, 0)


def test_of_many_that_wait_again_each_leaves_at_its_time() -> None:
    """In whatever order they came back."""
    throttle = make(own=(10, 10_000))
    since = [5.0, 1.0, 3.0, 4.0, 2.0]
    for each in since:
        again = waiter()
        again.since = each
        throttle.wait_again(again, 1, 6.0)
    left = [sorted(each.since for each in throttle.expire(10.5 + n, 10.0)) for n in range(6)]
    assert left == [[], [1.0], [2.0], [3.0], [4.0], [5.0]]
    assert not throttle.is_restless


def test_one_that_waited_for_another_revision_keeps_its_time() -> None:
    """It goes before those that came later, within the bounds, and its patience began where it came."""
    throttle = make(own=(2, 10_000))
    other, moved, late = waiter(), waiter(), waiter()
    assert throttle.wait(other, 1, now=5.0)
    assert throttle.wait(moved, 1, now=6.0, since=2.0)
    assert not throttle.wait(late, 1, now=6.0, since=1.0)
    assert throttle.queued() == [moved, other]
    assert throttle.oldest is moved
    assert list(throttle.expire(12.5, 10.0)) == [moved]


def test_a_request_whose_pod_failed_goes_to_the_head_of_the_queue() -> None:
    """It was there first, and is let in even when the queue is full."""
    throttle = make(own=(1, 10))
    failed, other = waiter(), waiter()
    pod = ready(throttle, "a")
    failed.pod = throttle.take()
    throttle.cordon("a")
    throttle.wait(other, 1, 1.0)
    throttle.wait_again(failed, 100, 2.0)
    throttle.uncordon("a")
    assert throttle.release(pod) is failed
    assert hand_over_all(throttle) == [other]


def test_a_young_pod_is_paced_but_nobody_waits_for_an_answer() -> None:
    """It gets a first window at once; each answer doubles it, and so does each step of time."""
    throttle = make(own=(10_000, 10_000), process=(10_000, 100_000))
    for _ in range(1000):
        throttle.wait(waiter(), 0, 0.0)
    pod = throttle.pod_ready("a", "a", 80, 0.0)
    assert len(hand_over_all(throttle)) == FIRST_WINDOW
    throttle.answered(pod)
    assert len(hand_over_all(throttle)) == FIRST_WINDOW
    throttle.tick(STEP * 2.5)
    assert len(hand_over_all(throttle)) == FIRST_WINDOW * 6
    throttle.tick(STEP * 20)
    assert len(hand_over_all(throttle)) == 1000 - FIRST_WINDOW * 8
    assert pod.in_flight == 1000


def test_connects_that_nobody_answers_are_bounded() -> None:
    """A pod with 256 of them gets no more until one ends, however long they take."""
    throttle = make()
    pod = ready(throttle, "a")
    for _ in range(MAX_CONNECTING):
        assert throttle.take() is pod
        throttle.connecting(pod, 1)
    assert throttle.take() is None
    throttle.connecting(pod, -1)
    assert throttle.take() is pod


def test_a_pod_that_fails_is_left_out_for_a_growing_while() -> None:
    """Others get its requests; it comes back later each time, and an answer makes it young and good again."""
    throttle = make()
    bad, good = ready(throttle, "bad"), ready(throttle, "good")
    away = []
    now = 0.0
    for _ in range(10):
        throttle.failed(bad, now)
        assert throttle.take() is good
        step = now
        while bad.place == OUT:
            step += 0.01
            throttle.tick(step)
        away.append(step - now)
        now = step
    away = [round(seconds, 1) for seconds in away]
    assert away == sorted(away)
    assert away[0] <= 0.1
    assert away[-1] == LONGEST_DELAY
    throttle.answered(bad)
    throttle.failed(bad, now)
    throttle.tick(now + 0.1)
    assert bad.place != OUT


def test_requests_that_fail_together_are_one_failure() -> None:
    """A pod with eight requests on their way that refuses once is left out for the first delay alone, and for
    twice that after the next event.
    """
    throttle = make()
    bad, _good = ready(throttle, "bad"), ready(throttle, "good")
    now = 1.0
    for event in range(3):
        for _ in range(16):
            throttle.take()
        for n in range(8):
            throttle.failed(bad, now + n * 0.001)
            throttle.release(bad)
        assert bad.failures == event + 1
        assert bad.out_until - (now + 0.007) == pytest.approx(FIRST_DELAY * 2**event)
        now += 1.0
        throttle.tick(now)


def test_the_last_pod_is_never_left_out_for_long() -> None:
    """When no other pod is there, a failing one is tried again after a moment, however often it failed."""
    throttle = make()
    pod = ready(throttle, "a")
    for now in range(20):
        throttle.failed(pod, float(now))
        assert throttle.take() is None
        throttle.tick(now + LAST_POD_DELAY)
        assert throttle.take() is pod
        throttle.release(pod)


def test_a_pod_that_is_gone_finishes_what_it_has() -> None:
    """It gets nothing new, is forgotten when it is empty, and may come back."""
    throttle = make()
    pod = ready(throttle, "a")
    throttle.take()
    throttle.pod_gone("a")
    assert throttle.take() is None
    assert throttle.is_cold
    assert throttle.pods["a"].in_flight == 1
    throttle.pod_ready("a", "a", 80, 1.0)
    assert throttle.take() is pod
    throttle.pod_gone("a")
    throttle.release(pod)
    throttle.release(pod)
    assert throttle.pods == {}


def test_a_lower_limit_drains_and_a_higher_one_serves_waiters() -> None:
    """In-flight requests above a lowered limit finish; a raised limit hands over at once."""
    throttle = make(limit=3)
    pod = ready(throttle, "a")
    for _ in range(3):
        throttle.take()
    throttle.set_limit(1)
    waiting = waiter()
    throttle.wait(waiting, 0, 0.0)
    assert throttle.release(pod) is None
    assert throttle.release(pod) is None
    throttle.set_limit(2)
    assert hand_over_all(throttle) == [waiting]


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens in whatever order, the counts equal a recount and nobody waits while a slot is
    free.
    """

    def __init__(self) -> None:
        super().__init__()
        self.process = Room(12, 300)
        self.throttle: Throttle[Any] = Throttle(
            limit=2, own=Room(10, 200), process=self.process, random=random.Random(1).random
        )
        self.now = 0.0
        self.queue: list[Waiter] = []
        self.busy: list[tuple[Waiter, Pod]] = []

    def own(self, waiters: list[Waiter]) -> None:
        for waiter in waiters:
            assert waiter is self.queue.pop(0)
            assert waiter.pod is not None
            self.busy.append((waiter, waiter.pod))

    def settle(self) -> None:
        self.own(hand_over_all(self.throttle))

    @rule(size=st.integers(0, 60))
    def arrive(self, size: int) -> None:
        request = waiter()
        pod = self.throttle.take()
        if pod is not None:
            assert not self.queue
            self.busy.append((request, pod))
        elif self.throttle.wait(request, size, self.now):
            self.queue.append(request)

    @precondition(lambda self: self.busy)
    @rule(n=st.integers(0, 1000))
    def finish(self, n: int) -> None:
        _, pod = self.busy.pop(n % len(self.busy))
        waiter = self.throttle.release(pod)
        self.own([waiter] if waiter else [])

    @precondition(lambda self: self.busy)
    @rule(n=st.integers(0, 1000))
    def fail(self, n: int) -> None:
        request, pod = self.busy.pop(n % len(self.busy))
        self.throttle.failed(pod, self.now)
        self.throttle.wait_again(request, request.held, self.now)
        self.queue.insert(0, request)
        waiter = self.throttle.release(pod)
        self.own([waiter] if waiter else [])

    @precondition(lambda self: self.queue)
    @rule(n=st.integers(0, 1000))
    def hang_up(self, n: int) -> None:
        self.throttle.leave(self.queue.pop(n % len(self.queue)))

    @precondition(lambda self: self.queue)
    @rule(n=st.integers(0, 1000), size=st.integers(0, 60))
    def grow(self, n: int, size: int) -> None:
        self.throttle.grow(self.queue[n % len(self.queue)], size)

    @rule(uid=st.sampled_from("abc"), port=st.sampled_from([80, 80, 81]))
    def pod_ready(self, uid: str, port: int) -> None:
        self.throttle.pod_ready(uid, uid, port, self.now)
        self.settle()

    @rule(uid=st.sampled_from("abc"))
    def pod_gone(self, uid: str) -> None:
        self.throttle.pod_gone(uid)

    @rule(uid=st.sampled_from("abc"))
    def cordon(self, uid: str) -> None:
        self.throttle.cordon(uid)

    @rule(uid=st.sampled_from("abc"))
    def uncordon(self, uid: str) -> None:
        self.throttle.uncordon(uid)
        self.settle()

    @rule(limit=st.integers(0, 12))
    def set_limit(self, limit: int) -> None:
        self.throttle.set_limit(limit)
        self.settle()

    @precondition(lambda self: self.throttle.pods)
    @rule(n=st.integers(0, 1000))
    def answer(self, n: int) -> None:
        pods = [*self.throttle.pods.values()]
        self.throttle.answered(pods[n % len(pods)])
        self.settle()

    @rule(seconds=st.floats(0, 1))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.throttle.tick(self.now)
        self.settle()

    @rule(patience=st.floats(0, 3))
    def expire(self, patience: float) -> None:
        due = [request for request in self.queue if request.since + patience <= self.now]
        assert {*self.throttle.expire(self.now, patience)} == {*due}
        self.queue = [request for request in self.queue if request not in due]

    @invariant()
    def counts_equal_a_recount(self) -> None:
        throttle = self.throttle
        held = sum(request.held for request in self.queue)
        assert throttle.waiting == len(self.queue)
        assert (throttle.own.requests, throttle.own.bytes) == (len(self.queue), held)
        assert (self.process.requests, self.process.bytes) == (len(self.queue), held)
        assert throttle.busy == len(self.busy)
        pods = {pod for _, pod in self.busy} | set(throttle.pods.values())
        for pod in pods:
            assert pod.in_flight == sum(each is pod for _, each in self.busy)

    @invariant()
    def exactly_the_usable_pods_can_be_chosen(self) -> None:
        throttle = self.throttle
        balance = throttle._balance
        placed = [pod for level in balance._levels for pod in level]
        if balance._only is not None:
            assert not placed
            placed = [balance._only]
        assert (balance._only is not None) == (balance.size == 1)
        for level, pods in enumerate(balance._levels):
            assert all(pod.in_flight == level and pods[pod.place] is pod for pod in pods)
        usable = [
            pod
            for pod in throttle.pods.values()
            if pod.state == "ready"
            and not pod.out_until
            and not (pod.limit and pod.in_flight >= pod.limit)
            and not (pod.pace.window and pod.in_flight >= pod.pace.window)
        ]
        assert len(placed) == len(usable) == balance.size
        assert set(placed) == set(usable)
        if self.queue:
            assert not usable


TestAnyHistory = AnyHistory.TestCase


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), max_size=60))
def test_the_chosen_pod_is_never_busier_than_another(steps: list[tuple[str, bool]]) -> None:
    """For any sequence of takes and releases."""
    throttle = make()
    pods = {uid: ready(throttle, uid) for uid in "abcde"}
    for uid, is_take in steps:
        if is_take:
            least = min(pod.in_flight for pod in pods.values())
            taken = throttle.take()
            assert taken is not None
            assert taken.in_flight == least + 1
        elif pods[uid].in_flight:
            throttle.release(pods[uid])

"""Reports are levels: the latest counts, nothing is told twice, and nothing that was not heard is lost."""

import pytest

from activator.hold.throttle import Room, Waiter
from activator.link.reports import Reports
from activator.revision import Revision
from autoscaler.messages import AT_ONCE, Cordoned, PodLoad, Pods, Stat, Stats
from serving.targets import scale_target


def revision(name: str = "hello") -> Revision:
    target = scale_target({"metadata": {"namespace": "default", "name": name}, "spec": {}})
    return Revision(target, process=Room(100, 1 << 20), random=lambda: 0.5)


def stats(cut: int, *rows: tuple[str, float, int]) -> Stats:
    return Stats("me", cut, tuple(Stat("default", *row) for row in rows))


@pytest.fixture
def hello() -> Revision:
    return revision()


@pytest.fixture
def reports(hello: Revision) -> Reports:
    made = Reports("me")
    assert hello.load.enter(0.0)
    made.at_once(hello)
    return made


def test_the_first_request_is_told_before_the_cut(reports: Reports) -> None:
    """What is due is the first request, then the cut without it."""
    assert reports.take() == [stats(AT_ONCE, ("hello", 1, 1))]
    reports.cut(1.0, 100)
    assert reports.take() == [stats(100, ("hello", 0.0, 0)), Pods(())]
    reports.cut(2.0, 101)
    assert reports.take() == [stats(101, ("hello", 1.0, 0)), Pods(())]
    assert reports.take() == []


def test_a_lost_first_request_is_told_again(reports: Reports) -> None:
    """A report that was not written is made again, and its request is counted once."""
    reports.take()
    reports.lost()
    reports.cut(1.0, 100)
    assert reports.take() == [
        stats(AT_ONCE, ("hello", 1, 1)),
        stats(100, ("hello", 1.0, 1)),
        Pods(()),
    ]
    reports.cut(2.0, 101)
    assert reports.take()[0] == stats(101, ("hello", 0.0, 0))


def test_only_the_latest_cut_is_kept(reports: Reports) -> None:
    """While nobody reads, cuts replace each other."""
    for second in range(100, 105):
        reports.cut(second - 99.0, second)
    cuts = [each.cut for each in reports.take() if isinstance(each, Stats)]
    assert cuts == [AT_ONCE, 104]


def test_an_empty_cut_is_a_heartbeat() -> None:
    """Without any load a cut is sent all the same."""
    silent = Reports("me")
    silent.cut(1.0, 100)
    assert silent.take() == [stats(100), Pods(())]


def test_an_idle_revision_is_left_out_after_a_cut_of_zeros(reports: Reports, hello: Revision) -> None:
    """The last report says zero; after that the revision is silent and its next request a first one."""
    reports.take()
    hello.load.leave(0.5)
    for second in (1, 2):
        reports.cut(float(second), second)
    assert reports.take()[0] == stats(2, ("hello", 0.0, 0))
    assert reports.busy == 0
    assert hello.load.enter(3.0)


def test_a_request_that_left_is_not_told_to_a_new_leader(reports: Reports, hello: Revision) -> None:
    """A client that gave up while the link was down wakes nobody when it comes back."""
    hello.load.leave(0.0)
    reports.cut(1.0, 100)
    reports.connected()
    assert reports.take()[0] == stats(100, ("hello", 0.0, 1))


def test_a_new_leader_hears_at_once_of_what_waits(reports: Reports, hello: Revision) -> None:
    """After a reconnect a revision that waits for its first pod is told at once again."""
    hello.throttle.wait(Waiter(), 0, 0.0)
    reports.take()
    reports.cut(1.0, 100)
    reports.take()
    reports.connected()
    assert reports.take() == [stats(AT_ONCE, ("hello", 1, 1))]


def test_loads_of_pods_and_acknowledgements_go_along(reports: Reports, hello: Revision) -> None:
    """With each cut goes where the requests are; orders are acknowledged with the latest count."""
    hello.throttle.pod_ready("u1", "10.0.0.7", 8080, 0.0)
    hello.throttle.pod_ready("u2", "10.0.0.8", 8080, 0.0)
    taken = hello.throttle.take()
    assert taken is not None
    reports.acknowledge(Cordoned(taken.uid, 1, 1))
    reports.acknowledge(Cordoned(taken.uid, 1, 0))
    reports.cut(1.0, 100)
    due = reports.take()
    assert due[1] == Cordoned(taken.uid, 1, 0)
    assert due[-1] == Pods((PodLoad("default", "hello", taken.uid, 1),))


def test_a_revision_that_is_gone_is_reported_no_more(reports: Reports, hello: Revision) -> None:
    """Its load ends with it."""
    reports.forget(hello.key)
    reports.cut(1.0, 100)
    assert reports.take() == [stats(100), Pods(())]

"""Many held requests in a gateway of their own: what they cost, and that each gets its answer.

`python -m bench.held` does the same with ten thousand, and holds them to the figures that README gives.
"""

import socket
import threading
import time

import pytest

from testkit.proxy import streams
from testkit.proxy.buffered import expired, held_and_released, quick_pod
from testkit.proxy.crowd import Crowd, make_room
from testkit.proxy.gateway import Gateway
from testkit.proxy.harness import ok

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module", autouse=True)
def _room() -> None:
    make_room()


def test_two_thousand_held_requests_are_small_and_all_answered() -> None:
    """Some kibibytes each, whoever hung up has left at once, and the pod that comes answers the others."""
    found = held_and_released(2000, wait=1.0, leavers=200)
    assert found["answers"] == {"200": 1800}
    assert found["bytes_each"] < 10 << 10
    assert found["left"] == 200
    assert found["left_within"] < 1.0


def test_deadlines_that_fall_together_are_not_late_for_each_other() -> None:
    """Each is refused when its patience is over, in the same few sweeps."""
    found = expired(2000, patience=1.0)
    assert found["answers"] == {"504": 2000}
    assert 0.0 <= found["late"] < 0.5


def test_requests_that_find_no_descriptor_for_their_pod_wait_for_one() -> None:
    """A pod is not to blame for that, and nobody is refused."""
    most, now, guard = 0, 0, threading.Lock()

    def serve(connection: socket.socket) -> None:
        nonlocal most, now
        with connection:
            while True:
                try:
                    streams.head(connection)
                except OSError:
                    return
                with guard:
                    now += 1
                    most = max(most, now)
                time.sleep(0.2)  # the pod's work
                with guard:
                    now -= 1
                connection.sendall(ok())

    settings = {"max_connections": 300, "unreachable_after": 0.3}
    with (
        streams.pod(serve) as port,
        Gateway(settings, descriptors=360) as gateway,
        Crowd(gateway.address) as crowd,
    ):
        gateway.ready(port)
        crowd.come(range(250))
        crowd.wait(60)
        assert set(crowd.answers.values()) == {200}
        assert len(crowd.answers) == 250
        assert most < 150


def test_clients_beyond_the_descriptors_are_answered_when_others_have_left() -> None:
    """Accepting pauses, is counted, and goes on."""
    with quick_pod() as (port, _), Gateway(descriptors=500) as gateway, Crowd(gateway.address) as crowd:
        crowd.come(range(400))
        held = gateway.settled(lambda state: state["pauses"] == 1)
        assert held["waiting"] == 162
        gateway.ready(port)
        for turn in (1, 2, 3):
            most = min(162 * turn, 400)
            crowd.wait(30, until=most)
            crowd.leave(range(most))
        assert set(crowd.answers.values()) == {200}
        assert len(crowd.answers) == 400

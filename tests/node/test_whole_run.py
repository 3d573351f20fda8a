"""What stands in the API server's log at the end: this file is the last of the run."""

import pytest

from testkit.kubernetes.control_plane import ControlPlane
from testkit.kubernetes.rights import requests
from testkit.machines.containers import PROGRAMS, NodeMachine


@pytest.mark.own_node
def test_nothing_that_our_programs_asked_was_denied(up: NodeMachine) -> None:
    """The rights of the manifests are enough for all that the tests before this one did."""
    assert isinstance(up.plane, ControlPlane)
    asked = requests(up.plane.audit_log)
    assert {request.account for request in asked} >= {f"zerogate-{program}" for program in PROGRAMS}
    assert [request for request in asked if not request.is_allowed] == []

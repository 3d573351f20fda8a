"""What all suites share: the real cluster, and the marks that say what a test needs."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("ZEROGATE_NATIVE", "off")

import zerogate  # noqa: F401 - it decides whether all that follows imports compiled modules
from testkit.kubernetes.control_plane import ControlPlane, GivenCluster
from testkit.kubernetes.rights import requests


def pytest_collection_modifyitems(items):
    """Whatever runs against a real API server is marked `cluster`, and starts processes: `e2e`."""
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if "control_plane" in item.fixturenames or "kubernetes" in parameters:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory):
    """A real API server, its controllers and its scheduler, for all tests of this run that ask for one: those
    that $KUBECONFIG_FOR_TESTS names, or some of our own. Of these no test may have seen one of our programs
    ask for what its account may not.
    """
    given = os.environ.get("KUBECONFIG_FOR_TESTS", "")
    if given:
        yield GivenCluster(Path(given))
        return
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    plane.start()
    yield plane
    plane.stop()
    assert [request for request in requests(plane.audit_log) if not request.is_allowed] == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure beside running programs shows their last words, and how the objects stand."""
    report = yield
    if report.failed:
        for fixture in getattr(item, "funcargs", {}).values():
            for each in (fixture, getattr(fixture, "programs", None)):
                if hasattr(each, "last_words"):
                    report.sections += each.last_words()
                    return report
    return report

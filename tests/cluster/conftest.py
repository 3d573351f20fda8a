"""A control plane of these tests' own: they read its whole audit log, and uninstall what others need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.kubernetes.control_plane import ControlPlane
from testkit.kubernetes.programs import Programs, install


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder; the test that uninstalls the programs comes last."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.e2e)
    items.sort(key=lambda item: item.path.stem == "test_uninstall")


@pytest.fixture(scope="session")
def own_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("own-control-plane"))
    plane.start()
    yield plane
    plane.stop()


@pytest.fixture(scope="module")
def installed(own_plane: ControlPlane) -> ControlPlane:
    """The control plane with config/ as it is shipped, whatever other files' tests did to it."""
    install(own_plane)
    return own_plane


@pytest.fixture
def programs(installed: ControlPlane, tmp_path: Path) -> Iterator[Programs]:
    """None of our programs runs yet; whatever happens, none is left running, nor is the node they had."""
    made = Programs(installed, tmp_path)
    yield made
    made.stop()
    installed.kubectl("delete", "node", "--all")

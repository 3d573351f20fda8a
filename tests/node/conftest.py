"""One node with our image and the sample's, and what is installed on it, for all tests in here."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.kubernetes.control_plane import Cluster, GivenCluster
from testkit.machines.containers import NodeMachine, node_with_images

HERE = Path(__file__).parent
GIVEN = os.environ.get("KUBECONFIG_FOR_TESTS", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is left out unless it is asked for."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.node)
            if GIVEN and item.get_closest_marker("own_node"):
                item.add_marker(
                    pytest.mark.skip(reason="looks into a node of our own, and another cluster was given")
                )


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with real containers that has our image and the sample's: the one that $KUBECONFIG_FOR_TESTS
    names, whose Services this machine must reach, or a node of our own.
    """
    if GIVEN:
        yield GivenCluster(Path(GIVEN))
        return
    made = node_with_images(tmp_path_factory.mktemp("node"))
    yield made.plane
    made.stop()


@pytest.fixture
def engine(plane: Cluster, tmp_path: Path) -> Iterator[NodeMachine]:
    """What the manifests install, not started yet; its Services go with the test."""
    machine = NodeMachine(tmp_path, plane)
    yield machine
    sys.stdout.write(machine.output[-10_000:])  # shown where the test failed
    machine.kill()


@pytest.fixture
def up(engine: NodeMachine) -> NodeMachine:
    """All programs available, windows short."""
    engine.start()
    engine.quick_windows()
    return engine

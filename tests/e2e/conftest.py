from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.machines.cluster import ClusterMachine
from testkit.machines.laptop import Machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is end to end."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine that is not started yet; whatever happens, nothing of it is left running."""
    made = Machine(tmp_path)
    yield made
    made.kill()


@pytest.fixture(params=["embedded", "kubernetes"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A machine of either kind that is not started yet: `zerogate up`, or the programs one by one against a
    real control plane. Whatever happens, nothing of it is left running.
    """
    if request.param == "embedded":
        made = Machine(tmp_path)
    else:
        made = ClusterMachine(tmp_path, request.getfixturevalue("control_plane"))
    yield made
    made.kill()


@pytest.fixture
def up(engine: Machine) -> Machine:
    """Zerogate running with short windows, on either engine."""
    engine.start()
    engine.quick_windows()
    return engine


@pytest.fixture
def laptop(machine: Machine) -> Machine:
    """`zerogate up` running with short windows."""
    machine.start()
    machine.quick_windows()
    return machine

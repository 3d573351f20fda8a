from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from testkit.contract.engine import Engine

pytest.register_assert_rewrite("testkit.contract.table")

# What is imported before would keep plain asserts.
from testkit.contract import engines  # noqa: E402
from testkit.contract.objects import WIDGET_DEFINITION, WIDGETS  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder starts processes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="package", params=["embedded", "kubernetes"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A running Kubernetes API of either kind, started once for all files of this folder."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "embedded":
        with engines.embedded(folder) as made:
            yield made
    else:
        with engines.kubernetes(request.getfixturevalue("control_plane"), folder) as made:
            yield made


@pytest.fixture
def namespace(engine: Engine) -> Iterator[str]:
    """A fresh namespace, which goes with all that the test left in it."""
    name = engine.new_namespace()
    yield name
    engine.drop_namespace(name)


@pytest.fixture
def pods(engine: Engine, namespace: str) -> str:
    """A fresh namespace whose pods get processes."""
    if engine.logs is None:
        pytest.skip("the pods' images are commands of our own node, which no given cluster has")
    return namespace


@pytest.fixture(scope="package")
def widgets(engine: Engine) -> Callable[..., Any]:
    """The path of the widgets of a namespace, whose definition the engine knows."""
    engine.define(WIDGET_DEFINITION)
    return WIDGETS.path

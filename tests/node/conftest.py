"""One node with our image and the sample's, and what is installed on it, for all tests in here."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.cluster.node import Node, layer_of
from tools.image.archive import Image, write

# The end-to-end suite and its helpers are imported file by file, and found by name.
HERE = Path(__file__).parent
for helper in (HERE.parent / "e2e/machine.py", HERE.parent / "e2e/load.py", HERE / "node_machine.py"):
    spec = importlib.util.spec_from_file_location(helper.stem, helper)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[helper.stem] = module
    spec.loader.exec_module(module)

from machine import ROOT  # noqa: E402 - it was made importable just above
from node_machine import NodeMachine  # noqa: E402 - the same

OURS = ROOT / "build" / "image" / "zerogate.tar"
SAMPLES = (
    "dev.local/helloworld-go:1",
    "registry.cn-hangzhou.aliyuncs.com/knative-sample/helloworld-go:160e4dc8",
)


def pytest_collection_modifyitems(items):
    """Everything in this folder needs root, and is left out unless it is asked for."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.node)


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """The node, with `make image`'s archive and the sample's image under both of its names."""
    assert OURS.exists(), "build/image/zerogate.tar is missing: run make image"
    folder = tmp_path_factory.mktemp("node")
    made = Node(folder)
    hello = layer_of(made.build() / "helloworld", folder)
    archives = [OURS]
    for number, name in enumerate(SAMPLES):
        # The same delay that the image table gives it on a laptop.
        image = Image(name, [hello], ["/helloworld"], env=["DELAY=10ms"])
        archives.append(folder / f"sample-{number}.tar")
        write(image, archives[-1])
    made.start(archives)
    yield made
    made.stop()


@pytest.fixture
def engine(node, tmp_path):
    """What the manifests install, not started yet; its Services go with the test."""
    machine = NodeMachine(tmp_path, node)
    yield machine
    sys.stdout.write(machine.output[-10_000:])  # shown where the test failed
    machine.kill()


@pytest.fixture
def up(engine):
    """All programs available, windows short."""
    engine.start()
    engine.quick_windows()
    return engine

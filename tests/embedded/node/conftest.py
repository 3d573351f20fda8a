"""A node agent for each test that asks for one."""

from pathlib import Path

import pytest

from testkit.node.world import NodeWorld


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    return NodeWorld(tmp_path)

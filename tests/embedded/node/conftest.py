"""A node agent for each test that asks for one."""

import pytest

from testkit.node.world import NodeWorld


@pytest.fixture
def world(tmp_path):
    return NodeWorld(tmp_path)

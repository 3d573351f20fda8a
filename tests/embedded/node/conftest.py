"""A node agent for each test that asks for one."""

import pytest

from tests.embedded.node.world import NodeWorld


@pytest.fixture
def world(tmp_path):
    return NodeWorld(tmp_path)

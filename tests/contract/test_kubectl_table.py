"""kubectl on both engines: each kind by each verb, the same outcome."""

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from testkit.contract.engine import Engine
from testkit.contract.table import ending, reading, running, writing  # noqa: F401 - they fill VERBS
from testkit.contract.table.cells import VERBS, Cell, Table
from testkit.contract.table.kinds import BY_NAME, KINDS
from testkit.contract.table.reasons import NOT_OFFERED

# Deletions, which were imported first, come last: a cluster's garbage collector takes half a minute to hear
# of kinds that were defined just now.
CELLS = [
    (kind.name, verb) for verb in reversed(VERBS) for kind in KINDS if (kind.name, verb) not in NOT_OFFERED
]
NEED_PODS = ("logs", "rollout status")
AT_ONCE = 4
"""Cells that run at the same time: most of the time goes into starting kubectl and into waiting."""


@pytest.fixture(scope="package")
def results(request: pytest.FixtureRequest, engine: Engine) -> Iterator[dict[tuple[str, str], Any]]:
    """The outcome of each cell of this run; they are independent, so the next begin before their turn."""
    path = "/api/v1/namespaces/zerogate-system/configmaps/config-autoscaler"
    answer = engine.patch(path, {"data": {"allow-zero-initial-scale": "true"}})
    assert answer.status == 200, answer
    engine.kubectl("api-resources")  # or kubectl remembers for a while what was served before our definitions
    table = Table(engine, engine.new_namespace())
    items: list[Any] = [
        item for item in request.session.items if getattr(item, "originalname", "") == "test_a_cell"
    ]
    asked = [item.callspec.params for item in items if item.callspec.params["engine"] == engine.name]
    wanted = [(each["kind"], each["verb"]) for each in asked]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield {cell: threads.submit(run, table, *cell) for cell in wanted if can_run(table, *cell)}
        threads.shutdown(cancel_futures=True)
    engine.drop_namespace(table.namespace)


def can_run(table: Table, kind: str, verb: str) -> bool:
    """Whether the engine can: pods' images are commands of our own node, which no given cluster has."""
    return table.engine.logs is not None or not (kind == "Pod" or verb.startswith(NEED_PODS))


def run(table: Table, kind: str, verb: str) -> None:
    """One cell, on objects of its own name."""
    if kind == "route":  # it leads to that one
        table.shared(BY_NAME["configuration"])
    slug = re.sub(r"[^a-z]+", "-", f"{kind} {verb}".lower()).strip("-")
    VERBS[verb](Cell(table, BY_NAME[kind], slug))


@pytest.mark.parametrize(("kind", "verb"), CELLS)
def test_a_cell(results: dict[tuple[str, str], Future[None]], kind: str, verb: str) -> None:
    """The verb's promise stands with its function in testkit/contract/table."""
    if (kind, verb) not in results:
        pytest.skip("the pods' images are commands of our own node, which no given cluster has")
    results[kind, verb].result()


def test_each_cell_has_a_test_or_a_reason() -> None:
    """No cell of the product of kinds and verbs is forgotten, and no reason stands for what is tested."""
    product = {(kind.name, verb) for kind in KINDS for verb in VERBS}
    assert {*CELLS, *NOT_OFFERED} == product
    assert not set(CELLS) & NOT_OFFERED.keys()
    assert all(why.strip() for why in NOT_OFFERED.values())

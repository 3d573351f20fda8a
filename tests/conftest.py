"""The real control plane, the markers, the order of parallel runs, and Hypothesis' profiles."""

import asyncio
import os
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop

os.environ.setdefault("ZEROGATE_NATIVE", "off")
pytest.register_assert_rewrite("testkit")

# The import of zerogate decides whether all later imports find compiled modules.
from hypothesis import HealthCheck, core, settings  # noqa: E402

import zerogate  # noqa: E402, F401
from testkit.kubernetes.control_plane import ControlPlane, GivenCluster  # noqa: E402
from testkit.kubernetes.rights import requests  # noqa: E402

ROOT = Path(__file__).parent
CI_SEED = 20_261_129
"""The seed of the profile `ci`: each run tries the same examples, so that a red run is a change's fault. The
profile `soak` draws another seed for each run.
"""
SLOW = [HealthCheck.too_slow]
"""What no profile looks at: the time that examples take to make is the machine's affair."""
settings.register_profile("dev", deadline=None, suppress_health_check=SLOW)
settings.register_profile("ci", deadline=None, suppress_health_check=SLOW, print_blob=True, database=None)
settings.register_profile(
    "soak",
    deadline=None,
    suppress_health_check=SLOW,
    print_blob=True,
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "10000")),
)

FIRST = (
    "faults",
    "own-plane",
    "contract-kubernetes",
    "e2e-kubernetes",
    "no-loss-kubernetes",
    "contract-embedded",
    "tests/e2e/test_no_loss.py",
    "tests/e2e/test_kubectl_habits.py",
    "tests/e2e",
    "tests/activator/proxy/test_hostile.py",
    "tests/activator/proxy/test_held.py",
    "tests/fuzz",
)
"""Groups of a parallel run that begin first, since they take longest; the others follow by their names."""


NO_LOSS = ("test_no_loss", "test_leaving_pods")
"""Files whose tests against a real API server have their own control plane: half of the time is theirs."""
COMPILED = ("tests/activator/", "tests/fuzz/", "tests/zerogate/test_native.py")
"""Tests that run over the compiled modules as well."""


ON_BOTH_LOOPS = ("tests/kube/", "tests/serving/", "tests/autoscaler/", "tests/embedded/")
"""Asynchronous tests there run once on each event loop."""


def pytest_configure(config: pytest.Config) -> None:
    """Choose the Hypothesis profile ($HYPOTHESIS_PROFILE; `ci` if $CI is set, else `dev`) and its seed."""
    profile = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
    settings.load_profile(profile)
    given = config.getoption("--hypothesis-seed", None)
    if given is None and profile != "dev":
        # Workers of a parallel run inherit the environment, so that all of them have one seed.
        drawn = str(CI_SEED if profile == "ci" else random.SystemRandom().randrange(2**32))
        core.global_force_seed = int(  # type: ignore[assignment] # None is only its first value
            os.environ.setdefault("HYPOTHESIS_SEED", drawn)
        )
        given = core.global_force_seed
    config.stash[_HEADER] = f"hypothesis: profile {profile}, " + (
        "a new seed for each test" if given is None else f"--hypothesis-seed={given}"
    )


_HEADER = pytest.StashKey[str]()


def pytest_report_header(config: pytest.Config) -> str:
    return config.stash[_HEADER]


def pytest_asyncio_loop_factories(
    config: pytest.Config,
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests of the control plane and of the node agent run on the stock loop and on uvloop, as programs do.

    Virtual time needs the stock loop; tests of the data plane choose uvloop themselves.
    """
    stock = {"asyncio": asyncio.new_event_loop}
    return {**stock, "uvloop": uvloop.new_event_loop} if item.nodeid.startswith(ON_BOTH_LOOPS) else stock


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist's own, which reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests against a real API server `cluster` and `e2e`; give each test its group."""
    for item in items:
        if "control_plane" in _fixtures(item) or "kubernetes" in _parameters(item):
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.e2e)
        if item.nodeid.startswith(COMPILED):
            item.add_marker(pytest.mark.compiled)
    groups = {item: _group(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: _turn(groups[item]))


def _fixtures(item: pytest.Item) -> tuple[str, ...]:
    return tuple(getattr(item, "fixturenames", ()))


def _parameters(item: pytest.Item) -> tuple[object, ...]:
    callspec = getattr(item, "callspec", None)
    return tuple(callspec.params.values()) if callspec else ()


def _group(item: pytest.Item) -> str:
    """Tests of one group run in one process, one after the other, and share fixtures of a module."""
    if item.get_closest_marker("long") and "tmp_path" in _fixtures(item):
        return item.nodeid  # it shares nothing with the other tests of its file
    folder = item.path.relative_to(ROOT).parts[0] if item.path.is_relative_to(ROOT) else ""
    if folder == "contract":
        return f"contract-{'kubernetes' if 'kubernetes' in _parameters(item) else 'embedded'}"
    if "own_plane" in _fixtures(item):
        return "faults" if item.path.stem == "test_faults" else "own-plane"
    if item.get_closest_marker("cluster"):
        return "no-loss-kubernetes" if item.path.stem in NO_LOSS else "e2e-kubernetes"
    return item.nodeid.partition("::")[0]


def _turn(group: str) -> tuple[int, str]:
    for turn, first in enumerate(FIRST):
        if group.startswith(first):
            return turn, group
    return len(FIRST), group


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane | GivenCluster]:
    """A real API server, its controllers and its scheduler, for all tests of this process.

    It is the cluster that $KUBECONFIG_FOR_TESTS names, or one of our own. The audit log of our own must show
    no denied request of our programs.
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
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Add the logs and the objects of running programs to the report of a failed test."""
    report: pytest.TestReport = yield
    if report.failed:
        for fixture in getattr(item, "funcargs", {}).values():
            for each in (fixture, getattr(fixture, "programs", None)):
                if each is not None and hasattr(each, "last_words"):
                    report.sections += each.last_words()
                    return report
    return report

"""Everything that `zerogate doctor` looks at, off one set of facts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kube.objects import Obj, name
from serving.configs import Data, parse_configs
from zerogate.doctor import programs
from zerogate.doctor import targets as scale_targets
from zerogate.doctor.cluster import ClusterFacts, missing_kinds, second_controller, too_old
from zerogate.doctor.findings import Finding
from zerogate.doctor.rights import Right, few

LAPTOP = "+zerogate"
"""How the version of the API that `zerogate up` serves ends."""


@dataclass(frozen=True)
class Facts:
    """What an API server told; None where it would not, or has no such kind. `accounts` are the rights that
    each program's account lacks, `cluster.refused` those that whoever asks lacks to use Zerogate.

    `now` is unix seconds; `is_reached` whether the leader's link answers, `is_near` whether it ought to.
    """

    now: float
    cluster: ClusterFacts
    definitions: Sequence[Obj] | None = None
    shipped: Sequence[Obj] = ()
    accounts: Mapping[str, list[Right]] | None = None
    leases: Sequence[Obj] | None = None
    is_reached: bool = False
    is_near: bool = False
    maps: Mapping[str, Data] | None = None
    programs: Sequence[Obj] | None = None
    deployments: Sequence[Obj] | None = None
    around: scale_targets.Around = field(default_factory=scale_targets.Around)
    unread: Sequence[str] = ()

    @property
    def is_laptop(self) -> bool:
        """Whether this is the API of `zerogate up`."""
        return LAPTOP in str((self.cluster.version or {}).get("gitVersion") or "")

    def lease(self, program: str) -> Obj | None:
        """The Lease of a program's leader."""
        return next((each for each in self.leases or () if name(each) == f"zerogate-{program}"), None)


def check(facts: Facts) -> Iterator[Finding]:
    """Findings in the order in which they are best mended."""
    yield from _cluster(facts)
    if facts.definitions is not None:
        yield from programs.definitions(facts.definitions, facts.shipped)
    if facts.accounts is not None:
        yield from programs.accounts(facts.accounts)
    if facts.leases is not None:
        yield from _leaders(facts)
    if facts.programs is not None and not facts.is_laptop:
        yield programs.gateway(facts.programs)
    if facts.maps is not None:
        yield from programs.config_maps(facts.maps)
    if facts.deployments is not None:
        yield from scale_targets.check(facts.deployments, _around(facts))
    if facts.unread:
        told = f"you may not list {', '.join(facts.unread)}: nothing is said of them; ask an administrator"
        yield Finding("advice", "your rights", told)


def _cluster(facts: Facts) -> Iterator[Finding]:
    cluster = facts.cluster
    version = str((cluster.version or {}).get("gitVersion") or "its version is not told")
    where = "the API of `zerogate up`" if facts.is_laptop else f"Kubernetes {version}"
    if old := too_old(cluster.version):
        yield Finding("problem", "API server", old)
    else:
        yield Finding("ok", "API server", where)
    if second := second_controller(cluster.deployments):
        yield Finding("problem", "Knative", second)
    if missing := missing_kinds(cluster.kinds):
        yield Finding("problem", "definitions", missing)
    if cluster.refused:
        told = f"you may not {few(cluster.refused)}, which it takes to use Services; ask an administrator"
        yield Finding("advice", "your rights", told)
    elif not missing:
        yield Finding("ok", "your rights", "you may use Services")


def _leaders(facts: Facts) -> Iterator[Finding]:
    if not facts.is_laptop:  # there the controller needs no Lease
        yield programs.leader("controller", facts.lease("controller"), facts.now)
    lease = facts.lease("autoscaler")
    leads = programs.leader("autoscaler", lease, facts.now)
    yield leads
    if leads.level == "ok":
        yield programs.link(
            programs.address_of(lease),
            is_reached=facts.is_reached,
            is_near=facts.is_near or facts.is_laptop,
        )


def _around(facts: Facts) -> scale_targets.Around:
    given = facts.around
    configs = parse_configs(facts.maps or {})
    return scale_targets.Around(given.routes, given.services, given.scalers, configs, facts.is_laptop)


def unreachable(told: str) -> Finding:
    """The one finding where nobody answers."""
    return Finding("problem", "API server", told)

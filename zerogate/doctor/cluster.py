"""What must be so before a program of ours begins: each check returns what is wrong and what to do, or ""."""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from kube.objects import Obj, labels, name, namespace
from kube.resources import CONFIGURATIONS, REVISIONS, ROUTES, SERVICES
from zerogate.doctor.rights import Right, few, is_vital

OLDEST = 30
"""Of Kubernetes 1; ValidatingAdmissionPolicies are GA from there on."""
KINDS = frozenset(each.plural for each in (SERVICES, CONFIGURATIONS, REVISIONS, ROUTES))
KNATIVE_NAMESPACE = "knative-serving"
KNATIVE_LABEL, KNATIVE = "app.kubernetes.io/name", "knative-serving"
KNATIVE_PROGRAMS = frozenset({"controller", "webhook", "autoscaler", "activator"})
INSTALL = "kubectl apply -k config/"


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What could be learnt; None where the API server would not tell.

    `version` is the answer of /version, `kinds` the plurals in serving.knative.dev/v1, `deployments` those
    that may be Knative's, `refused` the rights that the asking program does not have.
    """

    version: Obj | None = None
    kinds: AbstractSet[str] | None = None
    deployments: Sequence[Obj] = ()
    refused: Sequence[Right] = ()


def unfit(facts: ClusterFacts, program: str) -> str:
    """Why the program can't do its work on this cluster."""
    return hopeless(facts) or missing_kinds(facts.kinds) or missing_rights(program, facts.refused)


def hopeless(facts: ClusterFacts) -> str:
    """The same as far as waiting is no use. Kinds and rights take an API server a moment to take in."""
    return too_old(facts.version) or second_controller(facts.deployments)


def too_old(version: Obj | None) -> str:
    """Whether Kubernetes is older than what we need."""
    found = minor(version)
    if found is None or found >= OLDEST:
        return ""
    told = (version or {}).get("gitVersion") or f"1.{found}"
    return f"Kubernetes {told} is too old; use 1.{OLDEST} or later"


def minor(version: Obj | None) -> int | None:
    """The minor version of Kubernetes 1, None where it can't be told; 999 for a later major one."""
    match = re.match(r"\d+", str((version or {}).get("minor") or ""))
    if match is None:
        return None
    return int(match[0]) if str((version or {}).get("major") or "1") == "1" else 999


def second_controller(deployments: Iterable[Obj]) -> str:
    """Whether Knative Serving itself runs here, which would reconcile the same objects."""
    for each in deployments:
        is_named = namespace(each) == KNATIVE_NAMESPACE and name(each) in KNATIVE_PROGRAMS
        if is_named or labels(each).get(KNATIVE_LABEL) == KNATIVE:
            which = f"{namespace(each)}/{name(each)}"
            return (
                f"Knative Serving is installed (Deployment {which}) and would manage the same Services; "
                "uninstall it, or use another cluster"
            )
    return ""


def missing_kinds(kinds: AbstractSet[str] | None) -> str:
    """Whether our custom resources are served."""
    missing = sorted(KINDS - kinds) if kinds is not None else []
    if not missing:
        return ""
    told = ", ".join(f"{each}.serving.knative.dev" for each in missing)
    return f"the cluster does not know {told}; install them with `{INSTALL}`"


def missing_rights(program: str, refused: Iterable[Right]) -> str:
    """Whether the program may do what it has to."""
    vital = [right for right in refused if is_vital(program, right)]
    if not vital:
        return ""
    return (
        f"the {program} may not {few(vital)}; run it as ServiceAccount zerogate-{program} with the Roles of "
        f"`{INSTALL}`"
    )

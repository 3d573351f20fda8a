"""Our definitions, our programs and their config maps, as the API server has them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kube.objects import Obj, annotations, labels, name, parse_time
from serving.configs import PARSERS, Data, parse_configs
from serving.reading import mapping, mappings, whole
from zerogate.doctor.cluster import INSTALL, KNATIVE, KNATIVE_LABEL
from zerogate.doctor.findings import Finding
from zerogate.doctor.rights import Right, few, is_vital

ADDRESS_ANNOTATION = "zerogate.dev/address"
GATEWAY = "zerogate-activator"


def definitions(found: Iterable[Obj], shipped: Iterable[Obj]) -> Iterator[Finding]:
    """Whether the custom resources are those of this version."""
    stored = {name(crd): crd for crd in found}
    wrong = False
    for wanted in shipped:
        about, crd = f"CRD {name(wanted)}", stored.get(name(wanted))
        if crd is None:
            continue  # that the kind is not served is said elsewhere
        if labels(crd).get(KNATIVE_LABEL) == KNATIVE:
            wrong = True
            yield Finding("problem", about, f"it is Knative's; uninstall Knative Serving, then `{INSTALL}`")
        elif _schema(crd) != _schema(wanted):
            wrong = True
            yield Finding(
                "problem", about, f"it is that of another version of Zerogate; `{INSTALL}` mends it"
            )
    if stored and not wrong:
        yield Finding("ok", "definitions", "as this version has them")


def _schema(crd: Obj) -> list[Any]:
    return [mapping(each.get("schema")) for each in mappings(mapping(crd.get("spec")).get("versions"))]


def accounts(refused: Mapping[str, list[Right]]) -> Iterator[Finding]:
    """Whether each program's ServiceAccount may do what the program does."""
    for program, rights in refused.items():
        about = f"ServiceAccount zerogate-{program}"
        if not rights:
            yield Finding("ok", about, "has the rights it needs")
            continue
        is_problem = any(is_vital(program, right) for right in rights)
        told = f"it may not {few(rights)}; `{INSTALL}` grants it"
        yield Finding("problem" if is_problem else "advice", about, told)


def leader(program: str, lease: Obj | None, now: float) -> Finding:
    """Whether somebody leads."""
    about, spec = f"Lease zerogate-{program}", mapping((lease or {}).get("spec"))
    holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
    if not holder or not renewed:
        return Finding("problem", about, f"no {program} leads; start one, or see why it does not (its log)")
    age = now - parse_time(renewed)
    if age > whole(spec.get("leaseDurationSeconds"), 15):
        told = f"{holder} has not renewed it for {age:.0f} s; it ended, or lost the API server: see its log"
        return Finding("problem", about, told)
    return Finding("ok", about, f"{holder} leads")


def address_of(lease: Obj | None) -> str:
    """Where activators find the leader's link, "" where it does not say."""
    return annotations(lease or {}).get(ADDRESS_ANNOTATION, "")


def link(address: str, *, is_reached: bool, is_near: bool) -> Finding:
    """Whether the leader's link can be connected to; `is_near`: from here it ought to be."""
    if not address:
        return Finding("problem", "link", "the autoscaler's Lease names no address; see the autoscaler's log")
    if is_reached:
        return Finding("ok", "link", f"the autoscaler answers at {address}")
    if is_near:
        told = f"the autoscaler does not answer at {address}; activators wake from zero alone until it does"
        return Finding("problem", "link", told)
    told = f"{address} can't be reached from here, which is usual from outside; activators must reach it"
    return Finding("advice", "link", told)


def gateway(deployments: Iterable[Obj]) -> Finding:
    """Whether activators are ready; `deployments` are those of the system namespace."""
    about = f"Deployment {GATEWAY}"
    found = next((each for each in deployments if name(each) == GATEWAY), None)
    if found is None:
        return Finding("advice", about, f"there is none: the gateway runs elsewhere, or `{INSTALL}` makes it")
    wanted = whole(mapping(found.get("spec")).get("replicas"), 1)
    ready = whole(mapping(found.get("status")).get("readyReplicas"), 0)
    if ready == 0:
        return Finding("problem", about, f"no pod of {wanted} is ready; `kubectl describe pods` says why")
    if ready < wanted:
        return Finding("advice", about, f"{ready} of {wanted} pods are ready")
    return Finding("ok", about, f"{ready} pods are ready")


def config_maps(maps: Mapping[str, Data]) -> Iterator[Finding]:
    """Whether each can be read; one that can't leaves its former values, or the compiled ones."""
    broken = parse_configs(maps).broken
    for which, problem in broken.items():
        yield Finding(
            "problem", f"ConfigMap {which}", f"{problem}; it is not taken over until that is mended"
        )
    if missing := sorted(set(PARSERS) - set(maps)):
        told = f"{', '.join(missing)} missing: Knative's defaults hold; `{INSTALL}` makes ours"
        yield Finding("advice", "config maps", told)
    elif not broken:
        yield Finding("ok", "config maps", "all are read")

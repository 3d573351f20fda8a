"""What containers ask for, and their limits."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kube.quantity import parse_quantity
from serving.reading import mapping, mappings
from serving.rules.policy import Offence, PolicyRule, Subject
from serving.rules.probes import K8S

Find = Callable[[Subject], Iterable[Offence]]
CONTAINERS = "variables.containers"


def _quantities(subject: Subject, bound: str) -> Iterator[tuple[int, str, Any]]:
    for index, each in enumerate(mappings(subject.pod.get("containers"))):
        for resource, value in mapping(mapping(each.get("resources")).get(bound)).items():
            yield index, resource, value


def _number(value: Any) -> float | None:
    try:
        return parse_quantity(value)
    except ValueError:
        return None


def no_quantity(bound: str) -> PolicyRule:
    def find(subject: Subject) -> Iterator[Offence]:
        for index, resource, value in _quantities(subject, bound):
            if _number(value) is None:
                yield (index, resource), (value,)

    bad = f"!isQuantity(string(one.resources.{bound}[key]))"
    message = "invalid value '{}': must be a quantity like 100m or 64Mi"
    return _of_resources("noQuantity", bound, message, find, bad)


def negative(bound: str) -> PolicyRule:
    def find(subject: Subject) -> Iterator[Offence]:
        for index, resource, value in _quantities(subject, bound):
            if (_number(value) or 0) < 0:
                yield (index, resource), (value,)

    text = f"string(one.resources.{bound}[key])"
    bad = f"isQuantity({text}) && quantity({text}).isLessThan(quantity('0'))"
    return _of_resources("negative", bound, "invalid value '{}': must be at least 0", find, bad)


def above_limit() -> PolicyRule:
    def find(subject: Subject) -> Iterator[Offence]:
        limits = {(index, key): _number(value) for index, key, value in _quantities(subject, "limits")}
        for index, resource, value in _quantities(subject, "requests"):
            wanted, limit = _number(value), limits.get((index, resource))
            if wanted is not None and limit is not None and wanted > limit:
                yield (index, resource), (value, resource)

    asked, limit = "string(one.resources.requests[key])", "string(one.resources.limits[key])"
    bad = (
        f"has(one.resources.limits) && key in one.resources.limits && isQuantity({asked}) && "
        f"isQuantity({limit}) && quantity({asked}).isGreaterThan(quantity({limit}))"
    )
    message = "{} must be less than or equal to the {} limit"
    return _of_resources("aboveLimit", "requests", message, find, bad)


def _of_resources(variable: str, bound: str, message: str, find: Find, bad: str) -> PolicyRule:
    """``bad`` of the resource ``key`` of the container ``one``; a variable has the bad keys by container.

    A message has the value, and where it has two words the resource.
    """
    there = f"has(one.resources) && has(one.resources.{bound})"
    name = f"{variable}{bound.title()}"
    keys = f"variables.{name}"
    index = f"{keys}.map(keys, size(keys) > 0).indexOf(true)"
    key = f"{keys}.filter(keys, size(keys) > 0)[0][0]"
    value = f"{CONTAINERS}[{index}].resources.{bound}[{key}]"
    return PolicyRule(
        f"containers[{{}}].resources.{bound}.{{}}",
        message,
        K8S,
        find,
        f"{keys}.all(keys, size(keys) == 0)",
        (index, key),
        (value, key)[: message.count("{}")],
        ((name, f"{CONTAINERS}.map(one, {there} ? one.resources.{bound}.filter(key, {bad}) : [])"),),
    )

"""``spec.traffic`` of a Service or a Route (Knative, pkg/apis/serving/v1/route_validation.go)."""

from kube.names import is_dns1035_label, is_dns1123_subdomain
from kube.objects import Obj
from serving.config_network import NetworkConfig
from serving.reading import is_whole, mappings
from serving.refusals import Errors, FieldError, under
from serving.rules.metadata import LABEL_RULE

FIELDS = ("configurationName", "latestRevision", "percent", "revisionName", "tag")


def check_traffic(obj: Obj, spec: Obj, network: NetworkConfig, *, is_service: bool) -> Errors:
    """All of ``spec.traffic``; paths begin with "traffic"."""
    entries = mappings(spec.get("traffic"))
    if not entries:
        if not is_service:
            yield FieldError(
                "traffic", "missing field: say which configurationName or revisionName is served"
            )
        return
    tags: dict[object, int] = {}
    for index, entry in enumerate(entries):
        path = f"traffic[{index}]"
        yield from under(path, _entry(entry, is_service=is_service))
        tag = entry.get("tag")
        if not tag:
            continue
        if tag in tags:
            yield FieldError(
                f"{path}.tag", f"multiple definitions for {tag!r}, also traffic[{tags[tag]}]; use it once"
            )
        tags.setdefault(tag, index)
        yield from under(path, _tag(tag, str(obj.get("metadata", {}).get("name") or ""), network))
    percents = [entry.get("percent") or 0 for entry in entries]
    if all(map(is_whole, percents)) and sum(percents) != 100:
        yield FieldError("traffic", f"Traffic targets sum to {sum(percents)}, want 100")


def _entry(entry: Obj, *, is_service: bool) -> Errors:
    for field in sorted(set(entry) - set(FIELDS)):
        yield FieldError(
            field, "must not set the field" + ("; it is found in the status" if field == "url" else "")
        )
    percent = entry.get("percent")
    if percent is not None and not (is_whole(percent) and 0 <= percent <= 100):
        yield FieldError("percent", f"{percent!r} is out of bounds: must be from 0 to 100")
    revision, configuration = entry.get("revisionName"), entry.get("configurationName")
    if revision and not is_dns1123_subdomain(str(revision)):
        yield FieldError("revisionName", f"invalid value {revision!r}: no name of a revision")
    if is_service and configuration:
        yield FieldError(
            "configurationName", "must not set the field: a Service leads to its own Configuration"
        )
    elif not is_service and bool(revision) == bool(configuration):
        yield FieldError("", "expected exactly one of configurationName and revisionName")
    latest = entry.get("latestRevision")
    if revision and latest is True:
        yield FieldError(
            "latestRevision", "may not be true together with revisionName; leave one of them out"
        )
    elif not revision and latest is False:
        yield FieldError(
            "latestRevision", "may not be false without a revisionName; name one, or set it to true"
        )


def _tag(tag: object, name: str, network: NetworkConfig) -> Errors:
    if not isinstance(tag, str) or not is_dns1035_label(tag):
        yield FieldError("tag", f"invalid value {tag!r}: not a DNS 1035 label; it {LABEL_RULE}")
        return
    label = network.tag_name(tag, name)
    if name and not is_dns1035_label(label):
        yield FieldError(
            "tag", f"{tag!r} is too long: its host would begin with {label!r}, 63 characters at most"
        )

"""Probes of a container (Knative, pkg/apis/serving/k8s_validation.go)."""

from collections.abc import Mapping

from kube.objects import Obj
from serving.reading import is_whole, mapping
from serving.refusals import Errors, FieldError

HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")
LOWEST: Mapping[str, int] = {
    "initialDelaySeconds": 0,
    "periodSeconds": 0,
    "timeoutSeconds": 0,
    "failureThreshold": 0,
    "successThreshold": 0,
}
"""Fields of a probe → the least value; 0 is "choose for me"."""


def check_probe(probe: Obj, *, is_readiness: bool) -> Errors:
    """One probe, paths relative to it."""
    handlers = [each for each in HANDLERS if each in probe]
    if not handlers:
        yield FieldError("", f"needs one of {', '.join(HANDLERS)}")
    elif len(handlers) > 1:
        yield FieldError("", f"may have only one of {', '.join(handlers)}")
    for field, lowest in LOWEST.items():
        value = probe.get(field, lowest)
        if not is_whole(value) or value < lowest:
            yield FieldError(
                field, f"{value!r} is out of bounds: must be a whole number of at least {lowest}"
            )
    if not is_readiness and probe.get("successThreshold", 1) not in {0, 1}:
        yield FieldError("successThreshold", "must be 1 for this kind of probe")
    if is_readiness and "periodSeconds" in probe and not probe["periodSeconds"]:
        yield from _often(probe)
    yield from _handler(probe)


def _often(probe: Obj) -> Errors:
    """With periodSeconds 0 a probe is run as often as is useful: nothing of it can be counted."""
    for field in ("failureThreshold", "timeoutSeconds"):
        if probe.get(field):
            yield FieldError(field, "must not be set when periodSeconds is 0; set periodSeconds too")


def _handler(probe: Obj) -> Errors:
    get = mapping(probe.get("httpGet"))
    if "httpGet" in probe:
        path = get.get("path", "/")
        if not isinstance(path, str) or (path and not path.startswith("/")):
            yield FieldError("httpGet.path", f"{path!r} must begin with '/'")
        if get.get("scheme", "HTTP") not in {"HTTP", "HTTPS", ""}:
            yield FieldError("httpGet.scheme", "must be HTTP or HTTPS")
    for handler in ("httpGet", "tcpSocket", "grpc"):
        port = mapping(probe.get(handler)).get("port", 0)
        if is_whole(port) and not 0 <= port <= 65535:
            yield FieldError(f"{handler}.port", f"{port} is out of bounds: must be from 1 to 65535")
    if "exec" in probe and not mapping(probe["exec"]).get("command"):
        yield FieldError("exec.command", "is missing; name the program to run")

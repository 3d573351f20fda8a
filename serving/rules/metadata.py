"""Names, labels and annotations of our objects and of revision templates."""

from collections.abc import Mapping

from kube.duration import parse_duration
from kube.names import is_dns1035_label
from kube.objects import Obj, annotations, labels, name
from kube.quantity import parse_quantity
from serving.config_domain import CLUSTER_LOCAL, VISIBILITY_LABEL
from serving.marks import ROLLOUT_ANNOTATIONS
from serving.refusals import Errors, FieldError
from serving.targets import AUTOSCALING_PREFIX, PROGRESS_DEADLINE_ANNOTATION

NETWORKING_PREFIX = "networking.knative.dev"
SIDECAR_PREFIX = "queue.sidecar.serving.knative.dev/"
LABEL_RULE = "must be a DNS label: lower-case letters, digits and '-', a letter first, at most 63 characters"


def check_object(obj: Obj) -> Errors:
    """The metadata of a Service, Route or Configuration."""
    if name(obj) and not is_dns1035_label(name(obj)):
        yield FieldError("metadata.name", f"not a DNS 1035 label prefix: {name(obj)!r} {LABEL_RULE}")
    for key, value in annotations(obj).items():
        path = f"metadata.annotations.{key}"
        if key.startswith(AUTOSCALING_PREFIX):
            text = 'autoscaling annotations must be put under "spec.template.metadata.annotations" to work'
            yield FieldError(path, text)
        if key in ROLLOUT_ANNOTATIONS:
            yield from _whole_span(path, value)
    visibility = labels(obj).get(VISIBILITY_LABEL)
    if visibility not in {None, CLUSTER_LOCAL}:
        problem = (
            f"invalid value {visibility!r}: must be {CLUSTER_LOCAL}; leave the label out for a public host"
        )
        yield FieldError(f"metadata.labels.{VISIBILITY_LABEL}", problem)


def check_template_annotations(values: Mapping[str, str]) -> Errors:
    """Annotations of a revision template besides the autoscaler's; paths are annotation keys."""
    for key, value in values.items():
        if key == PROGRESS_DEADLINE_ANNOTATION:
            yield from _whole_span(key, value)
        elif key.startswith(NETWORKING_PREFIX):
            yield FieldError(key, "invalid key name: belongs on the Service or Route, not on the template")
        elif key.startswith(SIDECAR_PREFIX):
            yield from _sidecar(key, value)


def check_template_name(parent: str, given: str) -> Errors:
    """A revision's own name (spec.template.metadata.name), relative to the template's metadata."""
    if not given:
        return
    if not is_dns1035_label(given):
        yield FieldError("name", f"not a DNS 1035 label: {given!r} {LABEL_RULE}")
    elif parent and not given.startswith(f"{parent}-"):
        yield FieldError(
            "name", f'{given!r} must have the prefix "{parent}-"; or leave it out for a generated name'
        )


def _whole_span(path: str, text: str) -> Errors:
    try:
        seconds = parse_duration(text)
    except ValueError:
        yield FieldError(path, f'invalid value {text!r}: must be a duration like "60s"')
        return
    if seconds < 0:
        yield FieldError(path, f"{text} must be at least 0s")
    elif seconds != int(seconds):
        yield FieldError(path, f"{text} is too precise: must be whole seconds")


def _sidecar(key: str, text: str) -> Errors:
    """Resources of Knative's queue-proxy: without effect here, refused only where Knative refuses them."""
    try:
        number = parse_quantity(text)
    except ValueError:
        yield FieldError(key, f"invalid value {text!r}: must be a quantity")
        return
    if key.endswith("/resource-percentage") and not 0.1 <= number <= 100:
        yield FieldError(key, f"{text} is out of bounds: must be from 0.1 to 100")

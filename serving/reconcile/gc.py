"""Which revisions may go (Knative, pkg/reconciler/gc/gc.go)."""

from kube.objects import Obj, annotations, labels, name, parse_time
from serving.config_gc import GcConfig
from serving.marks import MODIFIED_ANNOTATION, NO_GC_ANNOTATION, RESERVE, STATE_LABEL


def collectable(
    revisions: list[Obj], kept: set[str], config: GcConfig, now: float
) -> tuple[list[Obj], float | None]:
    """The revisions to delete, oldest first, and in how many seconds to ask again (None: no need).

    ``kept`` are names that stay whatever their age: the latest ready and the latest created revision.
    """
    if (
        config.max_non_active is None
        and config.retain_since_create is None
        and config.retain_since_last_active is None
    ):
        return [], None
    idle = sorted((each for each in revisions if _is_idle(each, kept)), key=_last_active)
    if len(revisions) <= config.min_non_active or len(idle) <= config.min_non_active:
        return [], None
    gone: list[Obj] = []
    waits: list[float] = []
    for each in idle:
        if len(idle) - len(gone) <= config.min_non_active:
            break
        wait = _until_stale(each, config, now)
        if wait is not None and wait <= 0:
            gone.append(each)
        elif wait is not None:
            waits.append(wait)
    if config.max_non_active is not None:
        left = [each for each in idle if each not in gone]
        gone += left[: max(0, len(left) - config.max_non_active)]
    return gone, min(waits, default=None)


def _is_idle(revision: Obj, kept: set[str]) -> bool:
    is_exempt = annotations(revision).get(NO_GC_ANNOTATION) == "true" or name(revision) in kept
    return labels(revision).get(STATE_LABEL) == RESERVE and not is_exempt


def _created(revision: Obj) -> float:
    return parse_time(revision["metadata"]["creationTimestamp"])


def _last_active(revision: Obj) -> float:
    text = annotations(revision).get(MODIFIED_ANNOTATION)
    try:
        return parse_time(text) if text else _created(revision)
    except ValueError:
        return _created(revision)


def _until_stale(revision: Obj, config: GcConfig, now: float) -> float | None:
    """Seconds until the revision is old enough to go; None when age never makes it go."""
    ends = []
    if config.retain_since_create is not None:
        ends.append(_created(revision) + config.retain_since_create)
    if config.retain_since_last_active is not None:
        ends.append(_last_active(revision) + config.retain_since_last_active)
    return max(ends) - now if ends else None

"""Which revisions are routed to: their routing state (Knative, pkg/reconciler/labeler)."""

from kube.objects import Obj, annotations, format_time, labels
from kube.resources import REVISIONS
from serving.marks import ACTIVE, MODIFIED_ANNOTATION, RESERVE, ROUTES_ANNOTATION, STATE_LABEL
from serving.reconcile.actions import Action, Replace


def mark_routed(revision: Obj, route: str, now: float) -> list[Action]:
    """The route leads to the revision."""
    return _mark(revision, _routes(revision) | {route}, now)


def mark_unrouted(revision: Obj, route: str, now: float) -> list[Action]:
    """The route no longer leads to the revision; without another route it stands in reserve."""
    routes = _routes(revision)
    return _mark(revision, routes - {route}, now) if route in routes else []


def _routes(revision: Obj) -> set[str]:
    text = annotations(revision).get(ROUTES_ANNOTATION, "")
    return {each for each in text.split(",") if each}


def _mark(revision: Obj, routes: set[str], now: float) -> list[Action]:
    state = ACTIVE if routes else RESERVE
    notes = {key: value for key, value in annotations(revision).items() if key != ROUTES_ANNOTATION}
    if routes:
        notes[ROUTES_ANNOTATION] = ",".join(sorted(routes))
    if labels(revision).get(STATE_LABEL) != state:
        notes[MODIFIED_ANNOTATION] = format_time(now)
    marks = {**labels(revision), STATE_LABEL: state}
    if marks == labels(revision) and notes == annotations(revision):
        return []
    meta = {**revision["metadata"], "labels": marks, "annotations": notes}
    return [Replace(REVISIONS, {**revision, "metadata": meta})]

"""Logs of pods: which part of a container's log is asked for, and whether it can still grow.

Two servers answer for them: the API of a laptop, and the node agent that a real API server asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from embedded.queries import is_true, whole_number
from kube.objects import Obj, parse_time


class NoLog(Exception):  # noqa: N818 - the client's mistake, not ours
    """There is no such log, or none yet; says which and why."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """Which log is asked for, and which part of it. Times are Unix seconds."""

    namespace: str
    pod: str
    uid: str
    container: str
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: float | None = None
    limit_bytes: int | None = None


def log_file(pod: Obj, container: str, query: Mapping[str, str], now: float) -> LogFile:
    """What the query of a request asks for. Raises NoLog."""
    meta = pod["metadata"]
    log = LogFile(
        namespace=meta["namespace"],
        pod=meta["name"],
        uid=meta["uid"],
        container=container,
        follow=is_true(query, "follow"),
        previous=is_true(query, "previous"),
        timestamps=is_true(query, "timestamps"),
        tail_lines=_number(query, "tailLines"),
        since=_since(query, now),
        limit_bytes=_number(query, "limitBytes"),
    )
    _check_started(pod, log)
    return log


def is_over(pod: Obj | None, log: LogFile) -> bool:
    """Whether a followed log can grow no more: the pod is gone, or the container does not run."""
    if pod is None or pod["metadata"].get("uid") != log.uid or log.previous:
        return True
    return not (_status(pod, log.container).get("state") or {}).get("running")


def _number(query: Mapping[str, str], name: str) -> int | None:
    try:
        return whole_number(query, name)
    except ValueError as error:
        raise NoLog(str(error)) from error


def _since(query: Mapping[str, str], now: float) -> float | None:
    seconds = _number(query, "sinceSeconds")
    if seconds is not None:
        return now - seconds
    if not query.get("sinceTime"):
        return None
    try:
        return parse_time(query["sinceTime"])
    except ValueError as error:
        raise NoLog(f"sinceTime: {error}") from error


def _check_started(pod: Obj, log: LogFile) -> None:
    """Refuse where there can be no log yet, with the reason why the container does not run."""
    state = _status(pod, log.container)
    last = (state.get("lastState") or {}).get("terminated")
    if log.previous:
        if not last:
            raise NoLog(f'previous terminated container "{log.container}" in pod "{log.pod}" not found')
        return
    now = state.get("state") or {}
    if now.get("running") or now.get("terminated") or last:
        return
    reason = (now.get("waiting") or {}).get("reason") or "ContainerCreating"
    raise NoLog(f'container "{log.container}" in pod "{log.pod}" is waiting to start: {reason}')


def _status(pod: Obj, container: str) -> Obj:
    """What the pod's status says of one container."""
    status = pod.get("status") or {}
    found = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return next((entry for entry in found if entry.get("name") == container), {})

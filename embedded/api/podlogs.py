"""Logs of pods: which container's log is meant, which part of it, and whether it can still grow."""

from collections.abc import Mapping

from embedded.api.admission import Call
from embedded.api.cluster import Cluster
from embedded.api.refusals import bad_request
from embedded.api.requests import ApiResponse, LogFile, is_true, whole_number
from kube.objects import Obj, annotations, parse_time

_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def read_log(cluster: Cluster, call: Call) -> ApiResponse:
    """GET on pods/…/log."""
    pod = cluster.get(call.served, (call.place.namespace, call.place.name)).obj
    query = call.request.query
    log = LogFile(
        namespace=call.place.namespace,
        pod=call.place.name,
        uid=pod["metadata"]["uid"],
        container=_container(pod, query.get("container", "")),
        follow=is_true(query, "follow"),
        previous=is_true(query, "previous"),
        timestamps=is_true(query, "timestamps"),
        tail_lines=whole_number(query, "tailLines"),
        since=_since(query, cluster.clock()),
        limit_bytes=whole_number(query, "limitBytes"),
    )
    _check_started(pod, log)
    return ApiResponse(200, content_type="text/plain", logs=log)


def _since(query: Mapping[str, str], now: float) -> float | None:
    seconds = whole_number(query, "sinceSeconds")
    if seconds is not None:
        return now - seconds
    if not query.get("sinceTime"):
        return None
    try:
        return parse_time(query["sinceTime"])
    except ValueError as error:
        raise bad_request(f"sinceTime: {error}") from error


def _container(pod: Obj, asked: str) -> str:
    spec = pod["spec"]
    regular = [container["name"] for container in spec.get("containers") or ()]
    known = [*regular, *(container["name"] for container in spec.get("initContainers") or ())]
    name = pod["metadata"]["name"]
    if not asked:
        asked = annotations(pod).get(_DEFAULT_CONTAINER, "")
        if not asked and len(regular) != 1:
            told = " ".join(regular)
            raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{told}]")
        asked = asked or regular[0]
    if asked not in known:
        raise bad_request(f"container {asked} is not valid for pod {name}")
    return asked


def _check_started(pod: Obj, log: LogFile) -> None:
    """Refuse where there can be no log yet, with the reason why the container does not run."""
    status = pod.get("status") or {}
    found = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    state: Obj = next((entry for entry in found if entry.get("name") == log.container), {})
    last = (state.get("lastState") or {}).get("terminated")
    if log.previous:
        if not last:
            raise bad_request(f'previous terminated container "{log.container}" in pod "{log.pod}" not found')
        return
    now = state.get("state") or {}
    if now.get("running") or now.get("terminated") or last:
        return
    reason = (now.get("waiting") or {}).get("reason") or "ContainerCreating"
    raise bad_request(f'container "{log.container}" in pod "{log.pod}" is waiting to start: {reason}')


def is_over(pod: Obj | None, log: LogFile) -> bool:
    """Whether a followed log can grow no more: the pod is gone, or the container does not run."""
    if pod is None or pod["metadata"].get("uid") != log.uid or log.previous:
        return True
    status = pod.get("status") or {}
    found = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return not any(
        entry.get("name") == log.container and (entry.get("state") or {}).get("running") for entry in found
    )

"""GET on pods/…/log: which container's log is meant."""

from embedded.api.call import Call
from embedded.api.cluster import Cluster
from embedded.api.refusals import bad_request
from embedded.api.requests import ApiResponse
from embedded.podlogs import NoLog, log_file
from kube.objects import Obj, annotations

_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def read_log(cluster: Cluster, call: Call) -> ApiResponse:
    """GET on pods/…/log."""
    pod = cluster.get(call.served, (call.place.namespace, call.place.name)).obj
    query = call.request.query
    container = _container(pod, query.get("container", ""))
    try:
        log = log_file(pod, container, query, cluster.clock())
    except NoLog as refusal:
        raise bad_request(str(refusal)) from refusal
    return ApiResponse(200, content_type="text/plain", logs=log)


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
